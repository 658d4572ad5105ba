/** Which streams a list shows, and in what order. Pure. */
import type { Stream } from './store';

/** What a person wants to know of a stream first, the most urgent before all. */
export const CONDITIONS = ['failed', 'ending', 'unknown', 'held', 'heard', 'ended'] as const;
export type Condition = (typeof CONDITIONS)[number];
export const SORTS = ['name', 'urgency', 'listeners', 'queue', 'newest'] as const;
export type Sort = (typeof SORTS)[number];
export const GROUPS = ['none', 'condition', 'source'] as const;
export type Group = (typeof GROUPS)[number];

export interface View {
  search: string;
  condition: Condition | 'all';
  /** A source's name, or empty for all. */
  source: string;
  sort: Sort;
  group: Group;
}

export const EVERYTHING: View = {
  search: '',
  condition: 'all',
  source: '',
  sort: 'name',
  group: 'none',
};

export interface Section {
  /** A condition, a source, or empty where nothing is grouped. */
  key: string;
  streams: Stream[];
}

export const isOver = (stream: Stream) =>
  stream.ended_ms !== undefined || stream.state === 'stopped';

export function conditionOf(stream: Stream): Condition {
  if (isOver(stream)) return 'ended';
  const { phase } = stream.auto_end;
  if (phase === 'stop_failed') return 'failed';
  if (phase === 'counting' || phase === 'stopping') return 'ending';
  if (!stream.listeners_known || stream.listeners === undefined) return 'unknown';
  return stream.listeners > 0 ? 'heard' : 'held';
}

export function countConditions(streams: readonly Stream[]): Record<Condition, number> {
  const counts = { failed: 0, ending: 0, unknown: 0, held: 0, heard: 0, ended: 0 };
  for (const stream of streams) counts[conditionOf(stream)] += 1;
  return counts;
}

export function sourcesOf(streams: readonly Stream[]): string[] {
  return [...new Set(streams.flatMap((stream) => stream.sources))].sort();
}

/** The streams of a view; `streams` come by name, and where a sort does not decide they stay so. */
export function arrange(streams: readonly Stream[], view: View): Section[] {
  const words = view.search.toLowerCase().split(/\s+/).filter(Boolean);
  const wanted = streams.filter(
    (stream) =>
      (view.condition === 'all' || conditionOf(stream) === view.condition) &&
      (view.source === '' || stream.sources.includes(view.source)) &&
      (words.length === 0 || matches(stream, words)),
  );
  const rank = RANKS[view.sort];
  if (rank) {
    const ranks = new Map(wanted.map((stream) => [stream.channel_id, rank(stream)]));
    const of = (stream: Stream) => ranks.get(stream.channel_id) ?? 0;
    wanted.sort((a, b) => of(a) - of(b) || 0);
  }
  if (view.group === 'none') return wanted.length > 0 ? [{ key: '', streams: wanted }] : [];
  const keyOf =
    view.group === 'condition'
      ? conditionOf
      : (stream: Stream) => stream.sources.toSorted().join(', ');
  const sections = new Map<string, Stream[]>();
  for (const stream of wanted) {
    const key = keyOf(stream);
    const section = sections.get(key);
    if (section) section.push(stream);
    else sections.set(key, [stream]);
  }
  const place = (key: string) => CONDITIONS.indexOf(key as Condition);
  return [...sections]
    .sort(([a], [b]) => place(a) - place(b) || a.localeCompare(b))
    .map(([key, members]) => ({ key, streams: members }));
}

/**
 * The same streams, but each where it stood in `last`: nothing moves away under a hand. What is new
 * comes at the end of its section; what has gone is shown as ended, for what is behind it would move up.
 */
export function asItStood(
  sections: readonly Section[],
  last: readonly Section[],
  streams: ReadonlyMap<string, Stream>,
): Section[] {
  const placed = new Set(last.flatMap((section) => section.streams.map((s) => s.channel_id)));
  const stood = last.map(({ key, streams: before }) => ({
    key,
    streams: before.map((stream) => streams.get(stream.channel_id) ?? gone(stream)),
  }));
  for (const { key, streams: members } of sections) {
    const fresh = members.filter((stream) => !placed.has(stream.channel_id));
    if (fresh.length === 0) continue;
    const home = stood.find((section) => section.key === key);
    if (home) home.streams.push(...fresh);
    else stood.push({ key, streams: fresh });
  }
  return stood;
}

/** The same each time, so that its card is not drawn anew. */
const gone = (stream: Stream) => (isOver(stream) ? stream : { ...stream, state: 'stopped' });

/** The lowest comes first; by name there is nothing left to rank. */
const RANKS: Record<Sort, ((stream: Stream) => number) | undefined> = {
  name: undefined,
  urgency,
  // What is not known comes behind every known number.
  listeners: (s) => (s.listeners_known ? -(s.listeners ?? 0) : 1),
  queue: (s) => -(s.queue_size ?? -1),
  newest: (s) => (s.started_at ? -Date.parse(s.started_at) : 1),
};

/** One place for each condition; within it, what ends first. */
const CONDITION_WIDTH = 1e15;
const NEVER = CONDITION_WIDTH - 1;

export function urgency(stream: Stream): number {
  const { ends_at } = stream.auto_end;
  const place = CONDITIONS.indexOf(conditionOf(stream)) * CONDITION_WIDTH;
  return place + (ends_at ? Date.parse(ends_at) : NEVER);
}

function matches(stream: Stream, words: readonly string[]): boolean {
  const { channel_id, current_track: track, sources } = stream;
  const text = `${channel_id} ${track?.title ?? ''} ${track?.artist ?? ''} ${sources.join(' ')}`;
  const low = text.toLowerCase();
  return words.every((word) => low.includes(word));
}
