/** How one stream changes with the messages about it. Pure. */
import type { AutoEnd, AutoEndEvent, Phase, StreamState, StreamUpdate } from './wire';

/** A stream we hear of for the first time: everything not said is unknown, never 0. */
export function blankStream(channel_id: string): StreamState {
  return {
    channel_id,
    sources: [],
    session: undefined,
    state: 'live',
    started_at: undefined,
    listeners: undefined,
    listeners_known: false,
    queue_size: undefined,
    current_track: undefined,
    auto_end: { phase: 'watching' },
  };
}

export function streamAfter(
  before: StreamState,
  update: StreamUpdate,
  timestamp: string,
): StreamState {
  const { event } = update;
  // A start is a new session: nothing of the one before may shine through.
  const stream =
    event === 'started'
      ? {
          ...blankStream(before.channel_id),
          sources: update.sources ?? before.sources,
          session: update.session,
          started_at: update.started_at ?? timestamp,
        }
      : before;
  const trackIsTold = update.current_track !== undefined || event === 'track_changed';
  const queueIsTold = update.queue_size !== undefined || event === 'queue_changed';
  return {
    ...stream,
    state: update.state ?? STATE_AFTER[event] ?? stream.state,
    listeners: update.listeners ?? stream.listeners,
    listeners_known:
      event !== 'unknown' && update.listeners !== undefined && (update.listeners_known ?? true),
    queue_size: queueIsTold ? update.queue_size : stream.queue_size,
    current_track: trackIsTold ? update.current_track : stream.current_track,
  };
}

const STATE_AFTER: Readonly<Record<string, string>> = {
  started: 'live',
  resumed: 'live',
  paused: 'paused',
};

export function autoEndAfter(before: AutoEnd, event: AutoEndEvent): AutoEnd {
  const { ends_at, remaining_seconds, dry_run } = event;
  // In a dry run it is the event, not its reason, that says why the stream still plays.
  const reason = event.event === 'would_stop' ? event.event : event.reason;
  const phase = event.phase ?? phaseAfter(before, event);
  return { phase, ends_at, remaining_seconds, reason, dry_run };
}

function phaseAfter({ phase }: AutoEnd, { event, ends_at, reason }: AutoEndEvent): Phase {
  // A failed stop stays loud while the daemon counts down to its next try.
  const failed = phase === 'stop_failed';
  switch (event) {
    case 'started':
    case 'unfrozen':
      return failed ? phase : 'counting';
    case 'frozen':
      return failed ? phase : 'frozen';
    case 'extended':
      // A frozen countdown can be extended too; it then has no deadline and stays frozen.
      return ends_at && !failed ? 'counting' : phase;
    case 'cancelled':
      if (reason === 'operator_paused' || phase === 'paused') return 'paused';
      if (reason === 'disabled') return 'off';
      return failed && reason === 'stream_paused' ? phase : 'watching';
    case 'would_stop':
      return 'watching';
    case 'stopping':
    case 'stop_failed':
      return event;
    default:
      return phase;
  }
}

export type Action = 'pause' | 'resume' | 'extend' | 'cancel' | 'stop' | 'forget';

/** What an operator can sensibly do now, in the order of the buttons. */
export function actionsFor(phase: Phase): Action[] {
  switch (phase) {
    case 'counting':
    case 'frozen':
      return ['pause', 'extend', 'cancel', 'stop'];
    case 'stop_failed':
      return ['pause', 'cancel', 'stop'];
    case 'stopping':
      // A pause withdraws a stop that nobody has acknowledged yet; a second stop adds nothing.
      return ['pause'];
    case 'paused':
      return ['resume', 'stop'];
    case 'off':
      return ['stop'];
    default:
      return ['pause', 'stop'];
  }
}
