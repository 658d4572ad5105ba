/** What is told in passing: what became of an action, and what happened to streams elsewhere on the page. */
import { create } from 'zustand';
import type { Happening, MonitorState } from './store';
import type { Action } from './stream';

/** The oldest makes room. */
export const NOTICES_SHOWN = 4;

export type Tone = 'good' | 'warning' | 'bad';

export type News =
  | { kind: 'ends_soon' | 'ended' | 'stop_failed' | 'would_stop' }
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
  return { notices: [...others, { ...news, id, channels }].slice(-NOTICES_SHOWN), last: id };
}

/** What a happening is worth telling, given what was known before it. */
export function newsOf(happening: Happening, before: MonitorState): [News, string] | undefined {
  switch (happening.type) {
    case 'auto_end_warning': {
      const { channel_id } = happening.data;
      // Told once for a countdown; the list of warnings shows the rest.
      if (channel_id in before.warnings) return undefined;
      return [{ kind: 'ends_soon' }, channel_id];
    }
    case 'auto_end': {
      const { channel_id, event } = happening.data;
      if (event === 'ended' || event === 'stop_failed' || event === 'would_stop') {
        return [{ kind: event }, channel_id];
      }
      return undefined;
    }
    default:
      return undefined;
  }
}
