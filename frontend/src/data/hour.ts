/**
 * The last hour: what this page has heard since it was opened, in bounded memory, behind what the daemon
 * had recorded of the totals by then.
 *
 * It is written down by the clock of this browser, which does not jump, and read by the daemon's, in
 * milliseconds.
 */
import { useSyncExternalStore } from 'react';
import { joined } from './recorded';
import type { Happening, MonitorState } from './store';
import type { SystemStats, Track } from './wire';

export const KEPT_MS = 3_600_000;
export const SAMPLE_EVERY_MS = 5_000;
/** An hour of samples, and some room for what comes early. */
const SLOTS = KEPT_MS / SAMPLE_EVERY_MS + 30;
/** Streams beyond these have no line: 3 KB each, from the first sample on. */
const STREAMS_KEPT = 5_000;

/** One line of a chart; `null` is a time at which nothing was known. */
export interface Line {
  times: number[];
  values: (number | null)[];
  /** The most of each step, where that is known. */
  most?: (number | null)[];
}

export type Metric = Exclude<keyof SystemStats, 'uptime_seconds'>;
export const METRICS: readonly Metric[] = [
  'active_streams',
  'total_listeners',
  'queue_items',
  'cpu_percent',
  'memory_percent',
];

export interface Played {
  /** When it began, or when this page first heard of it. */
  at: number;
  /** Absent where nothing was told to play. */
  track?: Track;
}

export interface History {
  total(metric: Metric): Line;
  listeners(channelId: string): Line;
  /** What plays now; the tracks before it are the daemon's to remember. */
  playing(channelId: string): Played | undefined;
}

interface Heard {
  listeners: Float32Array;
  playing?: Played;
  /** When it was last there. */
  last: number;
}

export class Hour implements History {
  /** Rises with every sample, so that React sees a change. */
  version = 0;
  readonly #times = new Float64Array(SLOTS).fill(Number.NaN);
  readonly #totals: Record<Metric, Float32Array>;
  readonly #streams = new Map<string, Heard>();
  readonly #recorded = new Map<Metric, Line>();
  #next = 0;
  /** The daemon's clock minus ours, as far as it is known by now. */
  #offset = 0;
  #last = Number.NEGATIVE_INFINITY;
  #wasLive = false;

  constructor() {
    const slots = METRICS.map((metric) => [metric, new Float32Array(SLOTS).fill(Number.NaN)]);
    this.#totals = Object.fromEntries(slots);
  }

  /** Takes in what has just been applied; true if there is a new sample. */
  hear(happenings: readonly Happening[], state: MonitorState, now: number): boolean {
    this.#offset = state.clockOffset ?? this.#offset;
    // Our clock was set back: the samples would lie in the future.
    if (now < this.#last) this.#forgetSamples();
    for (const happening of happenings) {
      if (happening.type === 'snapshot') {
        for (const { channel_id } of happening.data.streams)
          this.#noteTrack(channel_id, state, now);
      } else if (happening.type === 'stream_update') {
        this.#noteTrack(happening.data.channel_id, state, now);
      }
    }
    if (!state.isConnected) {
      // One empty sample, so that the line breaks where nothing was heard.
      return this.#wasLive && this.#sample(state, now);
    }
    const due = now - this.#last >= SAMPLE_EVERY_MS;
    return (due || !this.#wasLive) && this.#sample(state, now);
  }

  total(metric: Metric): Line {
    return joined(this.#withinAnHour(metric), this.#line(this.#totals[metric]));
  }

  /** What the daemon has recorded, by its clock. */
  remember(metric: Metric, line: Line): void {
    this.#recorded.set(metric, line);
    this.version += 1;
  }

  #withinAnHour(metric: Metric): Line | undefined {
    const line = this.#recorded.get(metric);
    const begin = this.#last + this.#offset - KEPT_MS;
    const first = line?.times.findIndex((time) => time >= begin) ?? -1;
    if (!line || first < 0) return undefined;
    return { times: line.times.slice(first), values: line.values.slice(first) };
  }

  listeners(channelId: string): Line {
    const heard = this.#streams.get(channelId);
    return heard ? this.#line(heard.listeners) : { times: [], values: [] };
  }

  playing(channelId: string): Played | undefined {
    const playing = this.#streams.get(channelId)?.playing;
    return playing && { ...playing, at: playing.at + this.#offset };
  }

  #forgetSamples(): void {
    this.#times.fill(Number.NaN);
    this.#last = Number.NEGATIVE_INFINITY;
  }

  #sample(state: MonitorState, now: number): boolean {
    const slot = this.#next;
    const live = state.isConnected;
    this.#times[slot] = now;
    for (const metric of METRICS) {
      this.#totals[metric][slot] = (live ? state.stats?.[metric] : undefined) ?? Number.NaN;
    }
    for (const [id, heard] of this.#streams) {
      heard.listeners[slot] = Number.NaN;
      if (now - heard.last > KEPT_MS) this.#streams.delete(id);
    }
    if (live) {
      for (const id in state.streams) {
        const stream = state.streams[id];
        if (!stream || stream.ended_ms !== undefined) continue;
        const heard = this.#of(id, now);
        if (!heard) continue;
        heard.last = now;
        if (stream.listeners_known) heard.listeners[slot] = stream.listeners ?? Number.NaN;
      }
    }
    this.#next = (slot + 1) % SLOTS;
    this.#last = now;
    this.#wasLive = live;
    this.version += 1;
    return true;
  }

  #noteTrack(id: string, state: MonitorState, now: number): void {
    const stream = state.streams[id];
    const isOver = stream?.ended_ms !== undefined;
    const heard = isOver ? this.#streams.get(id) : this.#of(id, now);
    if (!stream || !heard) return;
    const track = isOver ? undefined : stream.current_track;
    const before = heard.playing;
    if (before ? isSame(before.track, track) : !track) return;
    const began = track?.started_at ? Date.parse(track.started_at) - this.#offset : now;
    // A start that is told late, or wrongly, must not reach back over the track before.
    heard.playing = { at: Math.min(now, Math.max(began, before?.at ?? began)), track };
  }

  #of(id: string, now: number): Heard | undefined {
    const known = this.#streams.get(id);
    if (known || this.#streams.size >= STREAMS_KEPT) return known;
    const listeners = new Float32Array(SLOTS).fill(Number.NaN);
    const heard = { listeners, last: now };
    this.#streams.set(id, heard);
    return heard;
  }

  #line(values: Float32Array): Line {
    const line: Line = { times: [], values: [] };
    for (let step = 0; step < SLOTS; step += 1) {
      const slot = (this.#next + step) % SLOTS;
      const time = this.#times[slot] ?? Number.NaN;
      if (!(this.#last - time <= KEPT_MS)) continue;
      const value = values[slot] ?? Number.NaN;
      line.times.push(time + this.#offset);
      line.values.push(Number.isNaN(value) ? null : value);
    }
    return line;
  }
}

function isSame(a?: Track, b?: Track): boolean {
  return a?.title === b?.title && a?.artist === b?.artist && a?.id === b?.id;
}

let hour = new Hour();
const readers = new Set<() => void>();

export function hear(happenings: readonly Happening[], state: MonitorState, now: number): void {
  if (!hour.hear(happenings, state, now)) return;
  for (const reader of readers) reader();
}

export function remember(metric: Metric, line: Line): void {
  hour.remember(metric, line);
  for (const reader of readers) reader();
}

/** For a page that begins anew. */
export function forgetHour(): void {
  hour = new Hour();
}

/** What is known of the past; drawn again with every sample. */
export function useHistory(): { history: History; version: number } {
  const version = useSyncExternalStore(
    (reader) => {
      readers.add(reader);
      return () => readers.delete(reader);
    },
    () => hour.version,
  );
  return { history: hour, version };
}
