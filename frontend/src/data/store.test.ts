import { describe, expect, test } from 'vitest';
import { at, NOON, STATS, stream, wire } from '@/testing/messages';
import { apply, ENDED_SHOWN_MS, type Happening, initialState, type MonitorState } from './store';
import { actionsFor } from './stream';
import { readMessage } from './wire';

/** What the daemon says `second` seconds after noon, heard at once. */
function said(type: string, data: object, second = 0): Happening {
  const message = readMessage(wire(type, data, second));
  if (!message) throw new Error(`${type} is no message`);
  return { ...message, at: NOON + second * 1000 };
}

function story(...happenings: Happening[]): MonitorState {
  return happenings.reduce(apply, initialState);
}

const snapshot = (...streams: object[]) => said('snapshot', { streams });
const autoEnd = (event: string, rest: object = {}) =>
  said('auto_end', { channel_id: 'jazz', event, reason: 'all_left', ...rest });
const update = (event: string, rest: object = {}) =>
  said('stream_update', { channel_id: 'jazz', event, listeners: 3, ...rest });
const warning = said('auto_end_warning', {
  channel_id: 'jazz',
  seconds_remaining: 30,
  reason: 'no_listeners',
});
const jazzAfter = (...happenings: Happening[]) =>
  story(snapshot(stream('jazz', { queue_size: 5 })), ...happenings).streams.jazz;

describe('a snapshot', () => {
  test('makes the figures live', () => {
    expect(initialState.isConnected).toBe(false);
    expect(story(snapshot()).isConnected).toBe(true);
  });

  test('replaces everything that was known before', () => {
    const state = story(
      snapshot(stream('old')),
      said('stats', STATS),
      warning,
      snapshot(stream('new')),
    );
    expect(Object.keys(state.streams)).toEqual(['new']);
    expect(state.stats).toBeUndefined();
    expect(state.warnings).toEqual({});
  });

  test('shows what had ended before we came for a moment, not for as long as the page is open', () => {
    const seconds = ENDED_SHOWN_MS / 1000;
    const told = snapshot(stream('jazz', { state: 'stopped', listeners: 0 }), stream('rock'));
    expect(story(told).streams.jazz?.ended_ms).toBe(NOON);
    expect(Object.keys(story(told, said('stats', STATS, seconds)).streams)).toEqual(['rock']);
  });

  test('warns of a stream whose warning was sent before we came', () => {
    const counting = (seconds: number) => ({ phase: 'counting' as const, ends_at: at(seconds) });
    const state = story(
      snapshot(
        stream('soon', { auto_end: counting(42) }),
        stream('later', { auto_end: counting(200) }),
      ),
    );
    expect(Object.values(state.warnings)).toMatchObject([
      { channel_id: 'soon', seconds_remaining: 42, ends_at: at(42) },
    ]);
  });
});

describe('a stream', () => {
  test('that starts is there at once, with nothing claimed that was not said', () => {
    const jazz = story(snapshot(), update('started')).streams.jazz;
    expect(jazz).toMatchObject({ state: 'live', listeners: 3, listeners_known: true });
    expect(jazz?.queue_size).toBeUndefined();
  });

  test('that starts is said to be who reports it, and since when', () => {
    const begun = { sources: ['radio-1'], session: 'morning', started_at: at(-3) };
    const jazz = story(snapshot(), update('started', begun)).streams.jazz;
    expect(jazz).toMatchObject(begun);
  });

  test('that starts anew keeps nothing of the session before', () => {
    const track = { current_track: { title: 'So What' } };
    const jazz = jazzAfter(update('track_changed', track), update('started'));
    expect(jazz).toMatchObject({ current_track: undefined, queue_size: undefined });
  });

  test('keeps its track while only the listeners change', () => {
    const track = { current_track: { title: 'So What' } };
    const jazz = jazzAfter(
      update('track_changed', track),
      update('listeners_changed', { listeners: 4 }),
    );
    expect(jazz).toMatchObject({ listeners: 4, current_track: { title: 'So What' } });
  });

  test('whose count is lost keeps the last one, marked as not known', () => {
    const jazz = jazzAfter(update('unknown', { listeners_known: false }));
    expect(jazz).toMatchObject({ listeners: 3, listeners_known: false });
  });

  test('that stops is shown as ended for a moment, then goes', () => {
    const stopped = [snapshot(stream('jazz')), warning, update('stopped')] as const;
    const seconds = ENDED_SHOWN_MS / 1000;
    expect(story(...stopped)).toMatchObject({
      streams: { jazz: { ended_ms: NOON } },
      warnings: {},
    });
    expect(story(...stopped, said('stats', STATS, seconds - 1)).streams).toHaveProperty('jazz');
    expect(story(...stopped, said('stats', STATS, seconds)).streams).not.toHaveProperty('jazz');
  });

  test('that goes on in a new session keeps its card and nothing of the session before', () => {
    const later = said('stats', STATS, ENDED_SHOWN_MS / 1000 + 1);
    const anew = [snapshot(stream('jazz')), warning, update('stopped'), update('started')] as const;
    const state = story(...anew, autoEnd('started', { ends_at: at(300) }), later);
    expect(state.streams.jazz).toMatchObject({ listeners: 3, auto_end: { phase: 'counting' } });
    expect(state.streams.jazz?.ended_ms).toBeUndefined();
    expect(state.warnings).toEqual({});
  });

  test.each(['started', 'listeners_changed', 'track_changed', 'paused'])(
    'that is told of as %s after its stop was confirmed lives on',
    (event) => {
      const later = said('stats', STATS, ENDED_SHOWN_MS / 1000 + 1);
      const ended = [snapshot(stream('jazz')), autoEnd('ended')] as const;
      expect(story(...ended, update(event), later).streams).toHaveProperty('jazz');
    },
  );

  test('that we never heard of does not appear by stopping', () => {
    expect(story(snapshot(), update('stopped')).streams).toEqual({});
  });
});

describe('a warning', () => {
  test('without a deadline gets it from the moment it was sent', () => {
    expect(story(snapshot(stream('jazz')), warning).warnings.jazz?.ends_at).toBe(at(30));
  });

  test.each(['cancelled', 'extended', 'frozen', 'stopping', 'ended'])(
    'is void when auto-end has %s',
    (event) => {
      const state = story(snapshot(stream('jazz')), warning, autoEnd(event));
      expect(state.warnings).toEqual({});
    },
  );
});

describe('the auto-end of a stream', () => {
  test.each([
    ['started', { ends_at: at(300) }, 'counting'],
    ['extended', { ends_at: at(600) }, 'counting'],
    ['frozen', { remaining_seconds: 140 }, 'frozen'],
    ['cancelled', { reason: 'listener' }, 'watching'],
    ['cancelled', { reason: 'operator_paused' }, 'paused'],
    ['cancelled', { reason: 'disabled' }, 'off'],
    ['would_stop', {}, 'watching'],
    ['stop_failed', { ends_at: at(300) }, 'stop_failed'],
    ['something_new', { phase: 'frozen' }, 'frozen'],
  ])('after %s %o is %s', (event, rest, phase) => {
    expect(jazzAfter(autoEnd(event, rest))?.auto_end.phase).toBe(phase);
  });

  test('stays loud after a failed stop while the next try counts down', () => {
    const jazz = jazzAfter(autoEnd('stop_failed'), autoEnd('started', { ends_at: at(60) }));
    expect(jazz?.auto_end).toMatchObject({ phase: 'stop_failed', ends_at: at(60) });
  });

  test('is paused by the operator even when the daemon has nothing to announce', () => {
    const acted = (action: 'pause' | 'resume'): Happening => ({
      type: 'acted',
      channel_id: 'jazz',
      action,
      at: NOON,
    });
    expect(jazzAfter(acted('pause'))?.auto_end.phase).toBe('paused');
    expect(jazzAfter(acted('pause'), acted('resume'))?.auto_end.phase).toBe('watching');
    const overtaken = jazzAfter(acted('pause'), autoEnd('started'), acted('resume'));
    expect(overtaken?.auto_end.phase).toBe('counting');
  });

  test('offers what makes sense now, and stopping always last', () => {
    expect(actionsFor('watching')).toEqual(['pause', 'stop']);
    expect(actionsFor('counting')).toEqual(['pause', 'extend', 'cancel', 'stop']);
    expect(actionsFor('paused')).toEqual(['resume', 'stop']);
  });
});

describe('a lost connection', () => {
  const lost = (second: number): Happening => ({ type: 'disconnected', at: NOON + second * 1000 });

  test('keeps the figures and says since when they are old, however often a retry fails', () => {
    const state = story(snapshot(stream('jazz')), said('stats', STATS), lost(1), lost(5));
    expect(state).toMatchObject({ isConnected: false, staleSince: NOON + 1000, stats: STATS });
    expect(state.streams).toHaveProperty('jazz');
  });

  test('that never was says nothing about old figures', () => {
    expect(story(lost(1)).staleSince).toBeUndefined();
  });

  test('is forgotten with the next snapshot', () => {
    expect(story(snapshot(), lost(1), snapshot()).staleSince).toBeUndefined();
  });
});

describe('the clock of the daemon', () => {
  const heard = (second: number, after: number): Happening => {
    const message = said('stats', STATS, second);
    return { ...message, at: message.at + after };
  };

  test('is believed from the message that travelled fastest', () => {
    expect(story(heard(1, 80), heard(2, 20), heard(3, 900)).clockOffset).toBe(-20);
  });

  test('is measured anew when a clock was set', () => {
    expect(story(heard(1, 20), heard(2, 3_600_000)).clockOffset).toBe(-3_600_000);
  });
});
