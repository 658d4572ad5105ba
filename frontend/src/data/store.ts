/**
 * What the page knows. `apply` is pure: everything that happens, the clock included, comes in as
 * a `Happening`, so every story can be replayed in a test.
 */
import { create } from 'zustand';
import { forgetHour, hear } from './hour';
import { dismissAll, newsOf, notify, withdrawSettled } from './notices';
import { type Action, autoEndAfter, blankStream, streamAfter } from './stream';
import type { AutoEnd, AutoEndWarning, Fault, Message, StreamState, SystemStats } from './wire';

/** An ended stream stays this long on the page, so that its end is seen and not guessed. */
export const ENDED_SHOWN_MS = 5_000;
/** A stream this close to its end is shown as warned even where its warning came before we did. */
const WARNED_WITHIN_SECONDS = 60;
/** An offset that falls by more than this is a stepped clock, not a slow network. */
const CLOCK_STEP_MS = 2_000;

export type Stream = StreamState & { ended_ms?: number };
export type Warning = AutoEndWarning & { ends_at: string; dry_run?: boolean };

interface Acted {
  type: 'acted';
  channel_id: string;
  action: Action;
  auto_end?: AutoEnd;
}

export type Happening = { at: number } & (
  | Message
  | { type: 'disconnected' }
  | { type: 'unreadable'; detail: string }
  | { type: 'fault_dismissed' }
  | Acted
);

type Streams = Record<string, Stream>;

export interface MonitorState {
  stats?: SystemStats;
  streams: Readonly<Streams>;
  warnings: Readonly<Record<string, Warning>>;
  /** True from the snapshot on: only then are the figures live. */
  isConnected: boolean;
  /** When the figures stopped being live; absent while they are, or before there were any. */
  staleSince?: number;
  /** Server clock minus ours; absent until the first message of a connection. */
  clockOffset?: number;
  error?: Fault;
}

export const initialState: MonitorState = { streams: {}, warnings: {}, isConnected: false };

export function apply(state: MonitorState, happening: Happening): MonitorState {
  return applyTo(draftOf(state), happening);
}

/** A state whose streams are its own, to be written to. */
interface Draft extends MonitorState {
  streams: Streams;
}

/** Copied once for all that happens together: one copy for each message would be most of the page's work. */
const draftOf = (state: MonitorState): Draft => ({ ...state, streams: { ...state.streams } });

function applyTo(state: Draft, happening: Happening): Draft {
  switch (happening.type) {
    case 'disconnected':
      return {
        ...state,
        isConnected: false,
        staleSince: state.isConnected ? happening.at : state.staleSince,
      };
    case 'unreadable':
      return { ...state, error: { code: 'unreadable_message', message: happening.detail } };
    case 'fault_dismissed':
      return { ...state, error: undefined };
    case 'acted':
      return onActed(state, happening);
    default:
      return onMessage(state, happening);
  }
}

function onMessage(before: Draft, message: { at: number } & Message): Draft {
  const sent = Date.parse(message.timestamp);
  const state = {
    ...before,
    streams:
      message.type === 'stats' ? withoutLongEnded(before.streams, message.at) : before.streams,
    clockOffset: offsetAfter(before.clockOffset, sent - message.at),
  };
  switch (message.type) {
    case 'snapshot': {
      const streams = Object.fromEntries(
        message.data.streams.map((stream) => [stream.channel_id, asToldAt(message.at, stream)]),
      );
      return {
        streams,
        warnings: warningsOf(message.data.streams, sent),
        isConnected: true,
        clockOffset: sent - message.at,
      };
    }
    case 'stats':
      return { ...state, stats: message.data };
    case 'error':
      return { ...state, error: message.data };
    case 'auto_end_warning': {
      const ends_at =
        message.data.ends_at ??
        new Date(sent + message.data.seconds_remaining * 1000).toISOString();
      const { dry_run } = state.streams[message.data.channel_id]?.auto_end ?? {};
      const warning = { ...message.data, ends_at, dry_run };
      return { ...state, warnings: { ...state.warnings, [warning.channel_id]: warning } };
    }
    case 'stream_update': {
      const { channel_id, event } = message.data;
      const known = state.streams[channel_id];
      if (event === 'stopped') return known ? ended(state, known, message.at) : state;
      const stream = streamAfter(known ?? blankStream(channel_id), message.data, message.timestamp);
      // Whoever is told of lives, whatever ended before: its card stays.
      const next = withStream(state, { ...stream, ended_ms: undefined });
      return event === 'started' ? withoutWarning(next, channel_id) : next;
    }
    case 'auto_end': {
      const { channel_id, event } = message.data;
      const known = state.streams[channel_id];
      if (!known) return state;
      if (event === 'ended') return ended(state, known, message.at);
      const auto_end = autoEndAfter(known.auto_end, message.data);
      // Arming, extending and freezing send their warnings again, so the old one is void.
      return withoutWarning(withStream(state, { ...known, auto_end }), channel_id);
    }
  }
}

/**
 * The daemon said yes. Only pause and resume are read from its answer: they may be sent to nobody
 * when no countdown runs, and for all else a message that has overtaken the answer is newer.
 */
function onActed(state: Draft, { channel_id, action, auto_end }: Acted): Draft {
  const stream = state.streams[channel_id];
  if (!stream) return state;
  if (action === 'pause') {
    const paused = { ...stream, auto_end: auto_end ?? { phase: 'paused' as const } };
    return withoutWarning(withStream(state, paused), channel_id);
  }
  if (action === 'resume' && stream.auto_end.phase === 'paused') {
    return withStream(state, { ...stream, auto_end: auto_end ?? { phase: 'watching' } });
  }
  return state;
}

function ended(state: Draft, stream: Stream, at: number): Draft {
  const ended_ms = stream.ended_ms ?? at;
  return withoutWarning(withStream(state, { ...stream, ended_ms }), stream.channel_id);
}

/** A snapshot tells of what has ended a while ago, too: that is shown for a moment, like any end. */
function asToldAt(at: number, stream: StreamState): Stream {
  return stream.state === 'stopped' ? { ...stream, ended_ms: at } : stream;
}

function withStream(state: Draft, stream: Stream): Draft {
  state.streams[stream.channel_id] = stream;
  return state;
}

function withoutWarning(state: Draft, id: string): Draft {
  if (!(id in state.warnings)) return state;
  const { [id]: _, ...warnings } = state.warnings;
  return { ...state, warnings };
}

// Swept by `stats`, which comes every few seconds: no timer of our own to leak.
function withoutLongEnded(streams: Streams, at: number): Streams {
  const gone = (s: Stream) => s.ended_ms !== undefined && at - s.ended_ms >= ENDED_SHOWN_MS;
  if (!Object.values(streams).some(gone)) return streams;
  return Object.fromEntries(Object.entries(streams).filter(([, s]) => !gone(s)));
}

// The network only ever makes a message look older, so the largest offset is the truest one.
function offsetAfter(known: number | undefined, seen: number): number {
  if (known === undefined || seen > known || known - seen > CLOCK_STEP_MS) return seen;
  return known;
}

function warningsOf(streams: StreamState[], now: number): Record<string, Warning> {
  const warnings: Record<string, Warning> = {};
  for (const { channel_id, auto_end } of streams) {
    const { phase, ends_at, dry_run } = auto_end;
    if (phase !== 'counting' || !ends_at) continue;
    const seconds_remaining = Math.ceil((Date.parse(ends_at) - now) / 1000);
    if (seconds_remaining < 0 || seconds_remaining > WARNED_WITHIN_SECONDS) continue;
    const reason = auto_end.reason ?? 'no_listeners';
    warnings[channel_id] = { channel_id, seconds_remaining, reason, ends_at, dry_run };
  }
  return warnings;
}

export const useMonitorStore = create<MonitorState>(() => initialState);

/** Lets the page know what happened, in its order: drawn once, however much it was. */
export function dispatch(...happenings: Happening[]): void {
  const news = [];
  let state = draftOf(useMonitorStore.getState());
  for (const happening of happenings) {
    news.push(newsOf(happening, state));
    state = applyTo(state, happening);
  }
  const now = happenings.at(-1)?.at;
  if (now === undefined) return;
  // Replaced whole, not merged: a merge would keep fields that `apply` has dropped.
  useMonitorStore.setState(state, true);
  hear(happenings, state, now);
  for (const each of news) if (each) notify(...each);
  withdrawSettled(state.streams);
}

/** For a page whose reader may look no more: nothing of what was seen is left, in figures, lines or notices. */
export function forgetAll(): void {
  useMonitorStore.setState(initialState, true);
  forgetHour();
  dismissAll();
}
