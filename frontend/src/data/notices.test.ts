import { describe, expect, test } from 'vitest';
import { at, NOON, stream, wire } from '@/testing/messages';
import { isSticky, type News, NOTICES_SHOWN, newsOf, noticed } from './notices';
import { apply, type Happening, initialState } from './store';
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
  });
});
