/** What happened to one stream, laid along an axis of time. Pure; times are the daemon's, in milliseconds. */
import type { Decision } from './explanation';
import type { Played } from './hour';
import type { Phase, Track } from './wire';

export interface Span {
  from: number;
  to: number;
}

export interface TrackSpan extends Span {
  track: Track;
}

export interface PhaseSpan extends Span {
  phase: Phase;
}

export interface Mark {
  at: number;
  event: string;
  because: string;
}

export function trackSpans(tracks: readonly Played[], axis: Span): TrackSpan[] {
  return tracks.flatMap(({ at, track }, index) => {
    const span = clip({ from: at, to: tracks[index + 1]?.at ?? axis.to }, axis);
    return track && span ? [{ ...span, track }] : [];
  });
}

/** The phases that decisions tell of; nothing is said of the time before the first one. */
export function phaseSpans(decisions: readonly Decision[], axis: Span): PhaseSpan[] {
  const spans: PhaseSpan[] = [];
  let phase: Phase | undefined;
  let from = 0;
  const close = (to: number) => {
    const span = clip({ from, to }, axis);
    if (phase && phase !== 'watching' && span) spans.push({ ...span, phase });
  };
  for (const decision of inOrder(decisions)) {
    const next = phaseAfter(phase, decision);
    if (next === phase) continue;
    const at = Date.parse(decision.at);
    close(at);
    phase = next;
    from = at;
  }
  close(axis.to);
  return spans;
}

export function marks(decisions: readonly Decision[], axis: Span): Mark[] {
  return inOrder(decisions)
    .map(({ at, event, because }) => ({ at: Date.parse(at), event, because }))
    .filter(({ at }) => at >= axis.from && at <= axis.to);
}

const inOrder = (decisions: readonly Decision[]) => decisions.toSorted((a, b) => a.seq - b.seq);

function phaseAfter(phase: Phase | undefined, { event, because }: Decision): Phase | undefined {
  switch (event) {
    case 'started':
    case 'unfrozen':
      return 'counting';
    case 'frozen':
      return 'frozen';
    case 'paused':
      return 'paused';
    case 'stopping':
    case 'stop_failed':
      return event;
    case 'cancelled':
      return because.endsWith('an operator paused auto-end') ? 'paused' : 'watching';
    case 'resumed':
    case 'would_stop':
      return 'watching';
    case 'ended':
      return undefined;
    default:
      return phase;
  }
}

function clip({ from, to }: Span, axis: Span): Span | undefined {
  const clipped = { from: Math.max(from, axis.from), to: Math.min(to, axis.to) };
  return clipped.from < clipped.to ? clipped : undefined;
}
