/** What the daemon has recorded: figures over time, what happened, and what it amounts to. */
import * as v from 'valibot';
import type { Line, Played } from './hour';
import { AutoEnd, count, maybe, time } from './wire';

/** What can be looked back on, and how often it is asked for anew. */
export const RANGES = {
  minutes: 300_000,
  hour: 3_600_000,
  day: 86_400_000,
  fortnight: 15 * 86_400_000,
  year: 365 * 86_400_000,
} as const;
export type Range = keyof typeof RANGES;
export const ASK_AGAIN_MS = 60_000;

const figure = v.nullable(v.number());
export const Recorded = v.object({
  metric: v.string(),
  channel_id: maybe(v.string()),
  step_seconds: count,
  points: v.array(v.tuple([time, figure, figure, figure])),
});
export type Recorded = v.InferOutput<typeof Recorded>;

export const RecordedEvent = v.object({
  at: time,
  type: v.string(),
  event: v.string(),
  current_track: maybe(v.object({ title: v.string(), artist: maybe(v.string()) })),
  listeners: maybe(count),
  phase: v.optional(AutoEnd.entries.phase),
  reason: maybe(v.string()),
});
export type RecordedEvent = v.InferOutput<typeof RecordedEvent>;
export const RecordedEvents = v.object({
  channel_id: v.string(),
  events: v.array(RecordedEvent),
  left_out: count,
});

export const Figures = v.object({
  listener_minutes: count,
  average: maybe(count),
  peak: maybe(count),
  known_minutes: count,
  unknown_minutes: count,
  minutes_without_listeners: count,
  sessions: count,
  auto_ends: count,
  minutes_saved: count,
});
export type Figures = v.InferOutput<typeof Figures>;

export const TrackRow = v.object({
  title: v.string(),
  artist: maybe(v.string()),
  plays: count,
  minutes: count,
  listener_minutes: count,
  average: maybe(count),
  peak: maybe(count),
  gained: count,
  lost: count,
});
export type TrackRow = v.InferOutput<typeof TrackRow>;

const report = { from: time, to: time, step_seconds: count, total: Figures };
export const ChannelReport = v.object({
  ...report,
  rows: v.array(v.object({ ...Figures.entries, channel_id: v.string() })),
});
export const TrackReport = v.object({ ...report, rows: v.array(TrackRow) });

// Up to the daemon's own now, which it knows better.
const seconds = (ms: number) => String(Math.floor(ms / 1000));

export function historyPath(
  metric: string,
  channelId: string | undefined,
  now: number,
  range: Range,
): string {
  const params = new URLSearchParams({ metric });
  if (channelId !== undefined) params.set('channel_id', channelId);
  params.set('from', seconds(now - RANGES[range]));
  return `/api/v1/history?${params}`;
}

/** Somewhat more than the range, so that what was on at its beginning is known. */
export function eventsPath(channelId: string, now: number, range: Range): string {
  const from = seconds(now - RANGES[range] * 1.25 - RANGES.hour);
  const params = new URLSearchParams({ channel_id: channelId, from });
  return `/api/v1/history/events?${params}`;
}

export function reportPath(
  by: 'channel' | 'day' | 'track',
  channelId: string | undefined,
  now: number,
  range: Range,
  format?: 'csv',
): string {
  const params = new URLSearchParams({ by });
  if (channelId !== undefined) params.set('channel_id', channelId);
  params.set('from', seconds(now - RANGES[range]));
  if (format) params.set('format', format);
  return `/api/v1/reports?${params}`;
}

/** A recorded figure as a chart draws it: each mean at the beginning of its step, with the most of the step. */
export function lineOf({ points }: Recorded): Line {
  return {
    times: points.map(([at]) => Date.parse(at)),
    values: points.map(([, mean]) => mean),
    most: points.map(([, , , most]) => most),
  };
}

/** What was recorded from the first known point to the last, and from there what this page has heard itself. */
export function joined(recorded: Line | undefined, heard: Line): Line {
  const isKnown = (value: number | null) => value !== null;
  const begin = recorded?.values.findIndex(isKnown) ?? -1;
  const last = recorded?.values.findLastIndex(isKnown) ?? -1;
  const until = recorded?.times[last];
  if (!recorded || until === undefined) return heard;
  const first = heard.times.findIndex((time) => time > until);
  const from = first < 0 ? heard.times.length : first;
  return {
    times: [...recorded.times.slice(begin, last + 1), ...heard.times.slice(from)],
    values: [...recorded.values.slice(begin, last + 1), ...heard.values.slice(from)],
  };
}

/** The tracks that were recorded, and what plays now where that is not recorded yet. */
export function tracksOf(
  events: readonly RecordedEvent[],
  playing: Played | undefined,
): readonly Played[] {
  const tracks: Played[] = [];
  for (const { at, type, event, current_track: track } of events) {
    if (type !== 'stream_update') continue;
    tracks.push({ at: Date.parse(at), track: event === 'track_changed' ? track : undefined });
  }
  const last = tracks.at(-1);
  const isSame =
    playing?.track?.title === last?.track?.title && playing?.track?.artist === last?.track?.artist;
  if (playing && !isSame && playing.at > (last?.at ?? 0)) tracks.push(playing);
  return tracks;
}
