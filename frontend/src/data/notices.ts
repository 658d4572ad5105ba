/** What is told in passing: what became of an action, and what happened to streams elsewhere on the page. */
import { create } from 'zustand';
import { isOver } from './listing';
import type { Happening, MonitorState, Stream } from './store';
import type { Action } from './stream';

/** More of them would fill the page; what passes by itself makes room for what stays. */
export const NOTICES_SHOWN = 4;

export type Tone = 'good' | 'warning' | 'bad';

export type News =
  | { kind: 'ends_soon' | 'ended' | 'stopped' | 'stop_failed' | 'would_stop' }
  | { kind: 'done'; action: Action; endsAt?: string; durable: boolean }
  /** `code` is the daemon's name of the reason, for those that have words here; `detail` is its own. */
  | { kind: 'not_done'; action: Action; code?: string; detail?: string };

export type Notice = News & {
  id: number;
  /** Whom it is about, the newest last: what happens to many at once is told once. */
  channels: string[];
};

const TONES: Record<News['kind'], Tone> = {
  ends_soon: 'warning',
  ended: 'good',
  stopped: 'good',
  stop_failed: 'bad',
  would_stop: 'warning',
  done: 'good',
  not_done: 'bad',
};
export const toneOf = ({ kind }: News): Tone => TONES[kind];

/** Stays until a person has seen it. */
export const isSticky = (news: News) => toneOf(news) === 'bad';

interface Board {
  notices: readonly Notice[];
  /** Rises with each notice, a merged one too. */
  last: number;
}

export const useNotices = create<Board>(() => ({ notices: [], last: 0 }));

export function notify(news: News, channelId: string): void {
  useNotices.setState((board) => noticed(board, news, channelId));
}

export function dismiss(id: number): void {
  useNotices.setState(({ notices }) => ({ notices: notices.filter((n) => n.id !== id) }));
}

/** Nobody is to look for a stream that failed to stop and has gone since. */
export function withdrawSettled(streams: MonitorState['streams']): void {
  const { notices } = useNotices.getState();
  const left = notices.flatMap((notice) => {
    if (notice.kind !== 'stop_failed') return [notice];
    const channels = notice.channels.filter((id) => stillFails(streams[id]));
    if (channels.length === notice.channels.length) return [notice];
    return channels.length > 0 ? [{ ...notice, channels }] : [];
  });
  if (left.length < notices.length || left.some((notice, at) => notice !== notices[at])) {
    useNotices.setState({ notices: left });
  }
}

/** Also while the next try is on its way. */
const UNSETTLED = new Set(['stop_failed', 'counting', 'frozen', 'stopping', 'unknown']);
const stillFails = (stream?: Stream) =>
  stream !== undefined && !isOver(stream) && UNSETTLED.has(stream.auto_end.phase);

export function dismissAll(): void {
  useNotices.setState({ notices: [] });
}

export function noticed({ notices, last }: Board, news: News, channelId: string): Board {
  const id = last + 1;
  const personal = news.kind === 'done' || news.kind === 'not_done';
  const same = notices.find((n) =>
    personal ? n.kind === news.kind && n.channels.includes(channelId) : n.kind === news.kind,
  );
  const others = notices.filter((n) => n !== same);
  const channels = [...(same?.channels ?? []).filter((c) => c !== channelId), channelId];
  return { notices: withRoom([...others, { ...news, id, channels }]), last: id };
}

/** Bad news is not pushed out by good; what has just been told is seen in any case. */
function withRoom(notices: Notice[]): Notice[] {
  const sticky = notices.filter(isSticky).slice(-NOTICES_SHOWN);
  const passing = notices.filter((notice) => !isSticky(notice));
  const shown = new Set([...sticky, ...passing.slice(-Math.max(1, NOTICES_SHOWN - sticky.length))]);
  return notices.filter((notice) => shown.has(notice));
}

/** Why a stop was decided where nobody listened. */
const UNHEARD = new Set(['never_joined', 'all_left', 'stop_failed']);

/** What a happening is worth telling, given what was known before it. */
export function newsOf(happening: Happening, before: MonitorState): [News, string] | undefined {
  switch (happening.type) {
    case 'auto_end_warning': {
      const { channel_id } = happening.data;
      // Told once for a countdown, and not of one that ends nothing; the list of warnings shows the rest.
      if (channel_id in before.warnings) return undefined;
      if (before.streams[channel_id]?.auto_end.dry_run) return undefined;
      return [{ kind: 'ends_soon' }, channel_id];
    }
    case 'auto_end': {
      const { channel_id, event } = happening.data;
      if (event === 'ended') {
        const why = before.streams[channel_id]?.auto_end.reason ?? '';
        return [{ kind: UNHEARD.has(why) ? 'ended' : 'stopped' }, channel_id];
      }
      if (event === 'stop_failed' || event === 'would_stop') return [{ kind: event }, channel_id];
      return undefined;
    }
    default:
      return undefined;
  }
}
