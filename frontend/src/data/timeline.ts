/** What happened to one stream, laid along an axis of time. Pure; times are the daemon's, in milliseconds. */
import type { Decision } from './explanation';
import type { Played } from './hour';
import type { RecordedEvent } from './recorded';
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

/** Something auto-end did. */
export interface Mark {
  at: number;
  event: string;
  /** Where the journal still tells it. */
  because?: string;
  /** The phase it led to; a decision of the journal leaves it to be guessed. */
  phase?: Phase;
}

export function trackSpans(tracks: readonly Played[], axis: Span): TrackSpan[] {
  return tracks.flatMap(({ at, track }, index) => {
    const span = clip({ from: at, to: tracks[index + 1]?.at ?? axis.to }, axis);
    return track && span ? [{ ...span, track }] : [];
  });
}

/** The journal, with warnings and reasons, and what was recorded before it begins. */
export function marksOf(
  decisions: readonly Decision[],
  recorded: readonly RecordedEvent[] = [],
): Mark[] {
  const told = decisions
    .toSorted((a, b) => a.seq - b.seq)
    .map(({ at, event, because }): Mark => ({ at: Date.parse(at), event, because }));
  const begin = told[0]?.at ?? Number.POSITIVE_INFINITY;
  const before = recorded
    .filter(({ type }) => type === 'auto_end')
    .map(({ at, event, phase }): Mark => ({ at: Date.parse(at), event, phase }))
    .filter(({ at }) => at < begin);
  return [...before, ...told];
}

/** The phases that marks tell of; nothing is said of the time before the first one. */
export function phaseSpans(marks: readonly Mark[], axis: Span): PhaseSpan[] {
  const spans: PhaseSpan[] = [];
  let phase: Phase | undefined;
  let from = 0;
  const close = (to: number) => {
    const span = clip({ from, to }, axis);
    if (phase && phase !== 'watching' && span) spans.push({ ...span, phase });
  };
  for (const mark of marks) {
    const next = phaseAfter(phase, mark);
    if (next === phase) continue;
    close(mark.at);
    phase = next;
    from = mark.at;
  }
  close(axis.to);
  return spans;
}

export function within(marks: readonly Mark[], axis: Span): Mark[] {
  return marks.filter(({ at }) => at >= axis.from && at <= axis.to);
}

function phaseAfter(before: Phase | undefined, { event, because, phase }: Mark): Phase | undefined {
  switch (event) {
    case 'ended':
      return undefined;
    case 'warning':
      return before;
    case 'started':
    case 'unfrozen':
      return phase ?? 'counting';
    case 'frozen':
      return phase ?? 'frozen';
    case 'paused':
      return phase ?? 'paused';
    case 'stopping':
    case 'stop_failed':
      return phase ?? event;
    case 'cancelled':
      return phase ?? (because?.endsWith('an operator paused auto-end') ? 'paused' : 'watching');
    case 'resumed':
    case 'would_stop':
      return phase ?? 'watching';
    default:
      return phase ?? before;
  }
}

function clip({ from, to }: Span, axis: Span): Span | undefined {
  const clipped = { from: Math.max(from, axis.from), to: Math.min(to, axis.to) };
  return clipped.from < clipped.to ? clipped : undefined;
}
