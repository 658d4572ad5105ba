import { beforeEach, describe, expect, test } from 'vitest';
import { at, NOON, stream, wire } from '@/testing/messages';
import { isSticky, type News, NOTICES_SHOWN, newsOf, noticed, useNotices } from './notices';
import { apply, dispatch, type Happening, initialState, useMonitorStore } from './store';
import { readMessage } from './wire';

function said(type: string, data: object): Happening {
  const message = readMessage(wire(type, data));
  if (!message) throw new Error(`${type} is no message`);
  return { ...message, at: NOON };
}
const told = (...news: [News, string][]) =>
  news.reduce((board, [what, channel]) => noticed(board, what, channel), {
    notices: [],
    last: 0,
  } as Parameters<typeof noticed>[0]);

describe('what is told in passing', () => {
  test('is told once for many streams, the newest last', () => {
    const ended: News = { kind: 'ended' };
    const { notices } = told([ended, 'jazz'], [ended, 'rock'], [ended, 'jazz']);
    expect(notices).toMatchObject([{ kind: 'ended', channels: ['rock', 'jazz'] }]);
  });

  test('of one’s own actions is told for each stream', () => {
    const paused: News = { kind: 'done', action: 'pause', durable: true };
    expect(told([paused, 'jazz'], [paused, 'rock']).notices).toHaveLength(2);
  });

  test('never fills the page', () => {
    const many = Array.from({ length: 9 }, (_, index): [News, string] => [
      { kind: 'not_done', action: 'stop' },
      `jazz-${index}`,
    ]);
    expect(told(...many).notices).toHaveLength(NOTICES_SHOWN);
  });

  test('makes room with what passes by itself: bad news stays, and the newest is seen', () => {
    const failed = (channel: string): [News, string] => [
      { kind: 'not_done', action: 'stop' },
      channel,
    ];
    const done = (channel: string): [News, string] => [
      { kind: 'done', action: 'pause', durable: true },
      channel,
    ];
    const { notices } = told(
      failed('a'),
      ...['b', 'c', 'd', 'e', 'f'].map(done),
      failed('g'),
      failed('h'),
      failed('i'),
      done('j'),
    );
    expect(notices.map(({ channels }) => channels[0])).toEqual(['a', 'g', 'h', 'i', 'j']);
  });

  test('stays where something has failed', () => {
    expect(isSticky({ kind: 'stop_failed' })).toBe(true);
    expect(isSticky({ kind: 'ended' })).toBe(false);
  });

  test('is a warning only once for a countdown', () => {
    const warning = said('auto_end_warning', {
      channel_id: 'jazz',
      seconds_remaining: 60,
      reason: 'no_listeners',
      ends_at: at(60),
    });
    const before = apply(initialState, said('snapshot', { streams: [stream('jazz')] }));
    expect(newsOf(warning, before)).toEqual([{ kind: 'ends_soon' }, 'jazz']);
    expect(newsOf(warning, apply(before, warning))).toBeUndefined();
    const auto_end = { phase: 'counting', dry_run: true } as const;
    const dry = apply(initialState, said('snapshot', { streams: [stream('jazz', { auto_end })] }));
    expect(newsOf(warning, dry)).toBeUndefined();
  });
});

const change = (event: string, reason: string) =>
  said('auto_end', { channel_id: 'jazz', event, reason });
const onAir = said('snapshot', { streams: [stream('jazz'), stream('rock')] });

describe('an end', () => {
  test.each([
    ['all_left', 'ended'],
    ['never_joined', 'ended'],
    // Somebody may have listened.
    ['operator', 'stopped'],
  ])('that was decided because of %s is told as %s', (why, kind) => {
    const before = [onAir, change('stopping', why)].reduce(apply, initialState);
    expect(newsOf(change('ended', 'confirmed'), before)).toEqual([{ kind }, 'jazz']);
  });
});

describe('a failed stop', () => {
  beforeEach(() => {
    useMonitorStore.setState(initialState, true);
    useNotices.setState({ notices: [], last: 0 });
    const rock = said('auto_end', {
      channel_id: 'rock',
      event: 'stop_failed',
      reason: 'unconfirmed',
    });
    dispatch(onAir, change('stop_failed', 'unconfirmed'), rock);
  });
  const failing = () =>
    useNotices
      .getState()
      .notices.flatMap(({ kind, channels }) => (kind === 'stop_failed' ? channels : []));
  const update = (event: string) =>
    said('stream_update', { channel_id: 'jazz', event, listeners: 0 });

  test('is told of while the stream is on air, the next try included', () => {
    dispatch(change('started', 'stop_failed'), change('stopping', 'stop_failed'));
    expect(failing()).toEqual(['jazz', 'rock']);
  });

  test.each([
    ['has ended', change('ended', 'confirmed')],
    ['has stopped by itself', update('stopped')],
    ['has begun anew', update('started')],
    ['was settled by an operator', change('cancelled', 'kept_alive')],
    [
      'is not there any more',
      said('snapshot', { streams: [stream('jazz', { state: 'stopped' })] }),
    ],
  ])('is told of no more once the stream %s', (_, happening) => {
    dispatch(happening);
    expect(failing()).not.toContain('jazz');
  });
});
