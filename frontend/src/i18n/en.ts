import type { Entry } from '@/i18n';

/** English is the original; the other languages have exactly its keys. */
export const en = {
  'page.title': 'Sattva Monitor',
  'page.subtitle': 'Live streams, and who hears them',

  'connection.live': 'Live',
  'connection.connecting': 'Connecting…',
  'connection.lost': 'Offline since {time}',
  'connection.stale':
    'The connection to the daemon is lost. Everything below is from {time}; trying to reconnect.',
  'connection.never':
    'The daemon at {host} does not answer yet. If this stays, check that sattva-monitor runs and that a proxy in front of it passes WebSockets at /ws/.',

  'fault.title': 'The daemon reports a problem',
  'fault.unreadable':
    'A message from the daemon could not be read ({detail}). Reload the page; if it stays, dashboard and daemon are of different versions.',
  'fault.dismiss': 'Dismiss',

  'metrics.title': 'System',
  'metrics.streams': 'Active streams',
  'metrics.listeners': 'Listeners',
  'metrics.queue': 'Queued tracks',
  'metrics.cpu': 'CPU',
  'metrics.memory': 'Memory',
  'metrics.uptime': 'Uptime',
  'metrics.unknown_streams': {
    one: '+ {count} stream with an unknown count',
    other: '+ {count} streams with an unknown count',
  },
  'uptime.days': '{days} d {hours} h',
  'uptime.hours': '{hours} h {minutes} min',
  'uptime.minutes': '{minutes} min',
  'uptime.seconds': '{seconds} s',

  'warnings.title': 'Needs attention',
  'warnings.ends_in': 'Nobody is listening. Ends in',
  'warnings.spoken': {
    one: '{channel} ends in {count} second: nobody is listening.',
    other: '{channel} ends in {count} seconds: nobody is listening.',
  },
  'warnings.retry_in': 'Retry in',
  'warnings.more': { one: 'and {count} more', other: 'and {count} more' },
  'warnings.show': 'Show',

  'streams.title': 'Streams',
  'streams.count': { one: '{count} stream', other: '{count} streams' },
  'streams.waiting': 'Waiting for the daemon’s list of streams…',

  'stream.listeners': { one: 'listener', other: 'listeners' },
  'stream.listeners_unknown': 'listeners unknown',
  'stream.last_known': '(last known {count})',
  'stream.queue': 'in the queue',
  'stream.queue_unknown': 'queue unknown',
  'stream.no_track': 'No track reported',
  'stream.on_air_since': 'since {time}',
  'stream.ended': 'Ended',
  'state.live': 'On air',
  'state.idle': 'Between tracks',
  'state.paused': 'Paused',
  'state.stopped': 'Stopped',
  'state.lost': 'Lost',
  'state.unknown': 'Unknown',

  'phase.off': 'Auto-end is off',
  'phase.watching': 'Ends by itself when nobody listens',
  'phase.watching.would_stop': 'Dry run: would have been ended now',
  'phase.counting': 'Nobody is listening. Ends in',
  'phase.frozen': 'Countdown held: the listener count is unknown',
  'phase.watching.kept_alive': 'Kept alive until someone has joined and left',
  'phase.counting.never_joined': 'Nobody has joined yet. Ends in',
  'phase.counting.all_left': 'Everyone has left. Ends in',
  'phase.paused': 'Auto-end paused by an operator',
  'phase.stopping': 'Stopping…',
  'phase.stop_failed': 'Stop failed: still on air',
  'failure.unconfirmed': 'nothing confirmed it',
  'phase.unknown': 'Auto-end: a state this page does not know',

  'action.pause': 'Pause auto-end',
  'action.pause_long': 'Let it play until auto-end is resumed, heard or not',
  'action.resume': 'Resume auto-end',
  'action.resume_long': 'End it again by itself when nobody listens',
  'action.extend': '+5 min',
  'action.extend_long': 'Extend by 5 minutes',
  'action.cancel': 'Keep alive',
  'action.cancel_long': 'Keep alive until someone has joined and left',
  'action.stop': 'Stop',
  'action.stop_long': 'Stop the stream',
  'action.for': '{action}: {channel}',
  'action.failed': 'Not done: {detail}',
  'action.unreachable': 'the daemon did not answer. Check the connection and try again.',

  'stop.title': 'Stop {channel}?',
  'stop.nobody': 'Nobody is listening. The stream ends at once.',
  'stop.heard': {
    one: '{count} person hears it and will be cut off.',
    other: '{count} people hear it and will be cut off.',
  },
  'stop.unknown': 'How many people hear it is unknown. They will be cut off.',
  'stop.confirm': 'Stop the stream',
  'stop.confirm_force': 'Stop it anyway',
  'stop.keep': 'Let it play',

  'empty.title': 'No streams yet',
  'empty.lead':
    'Tell the daemon how many people hear a stream, and it appears here at once. Try it from a terminal:',
  'empty.next':
    'Repeat the report every few seconds with the current number. At 0 the countdown starts; a listener cancels it.',
  'empty.copy': 'Copy',
  'empty.copied': 'Copied',
} satisfies Record<string, Entry>;
