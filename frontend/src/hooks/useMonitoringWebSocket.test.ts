import { act, renderHook } from '@testing-library/react';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { useHistory } from '@/data/hour';
import { notify, useNotices } from '@/data/notices';
import { OPEN, UNKNOWN, useSession } from '@/data/session';
import { DEAD_AFTER_LEAST_MS, DEAD_AFTER_MS, DRAW_EVERY_MS, statsAddress } from '@/data/socket';
import { initialState, useMonitorStore } from '@/data/store';
import { FakeWebSocket } from '@/testing/FakeWebSocket';
import { NOON, STATS, stream, wire } from '@/testing/messages';
import { useMonitoringWebSocket } from './useMonitoringWebSocket';

const outside = { required: true, signed_in: false, may_view: false, may_operate: false };

beforeEach(() => {
  vi.useFakeTimers({ now: NOON });
  vi.stubGlobal('WebSocket', FakeWebSocket);
  vi.stubGlobal('fetch', vi.fn().mockRejectedValue(new TypeError('offline')));
  useSession.setState(OPEN, true);
  FakeWebSocket.all = [];
  useMonitorStore.setState(initialState, true);
});
afterEach(() => {
  vi.useRealTimers();
});

const pass = (ms: number) => act(() => vi.advanceTimersByTimeAsync(ms));
/** Said, and drawn. */
const say = (text: string) =>
  act(() => {
    FakeWebSocket.latest.say(text);
    vi.advanceTimersByTime(DRAW_EVERY_MS);
  });

async function connected() {
  const hook = renderHook(useMonitoringWebSocket);
  await pass(0);
  FakeWebSocket.latest.accept();
  say(wire('snapshot', { streams: [stream('jazz-10'), stream('jazz-9')] }));
  return hook;
}

describe('useMonitoringWebSocket', () => {
  test('asks the host the page came from, by TLS where the page did', () => {
    expect(statsAddress({ protocol: 'http:', host: 'radio.test' })).toBe(
      'ws://radio.test/ws/stats',
    );
    expect(statsAddress({ protocol: 'https:', host: 'radio.test' })).toBe(
      'wss://radio.test/ws/stats',
    );
  });

  test('tells what the daemon says', async () => {
    const { result } = await connected();
    say(wire('stats', STATS));
    say(
      wire('auto_end_warning', {
        channel_id: 'jazz-9',
        seconds_remaining: 60,
        reason: 'no_listeners',
      }),
    );
    expect(FakeWebSocket.latest.url).toBe('ws://radio.test/ws/stats');
    expect(result.current).toMatchObject({ isConnected: true, stats: STATS, error: undefined });
    expect(result.current.streams.map((s) => s.channel_id)).toEqual(['jazz-9', 'jazz-10']);
    expect(result.current.warnings).toMatchObject([
      { channel_id: 'jazz-9', seconds_remaining: 60 },
    ]);
  });

  test('is not connected before the snapshot', async () => {
    const { result } = renderHook(useMonitoringWebSocket);
    await pass(0);
    act(() => FakeWebSocket.latest.accept());
    expect(result.current.isConnected).toBe(false);
  });

  test('names the field of a message it cannot read, and goes on', async () => {
    const { result } = await connected();
    say(wire('stats', { ...STATS, queue_items: 'many' }));
    expect(result.current.error?.message).toContain('queue_items');
    say(wire('stats', STATS));
    expect(result.current.stats).toEqual(STATS);
  });

  test('says since when it is offline, and comes back by itself', async () => {
    const { result } = await connected();
    act(() => FakeWebSocket.latest.breakOff());
    expect(result.current).toMatchObject({ isConnected: false, staleSince: NOON + DRAW_EVERY_MS });
    await pass(2_000);
    expect(FakeWebSocket.all).toHaveLength(2);
    FakeWebSocket.latest.accept();
    say(wire('snapshot', { streams: [] }));
    expect(result.current).toMatchObject({ isConnected: true, staleSince: undefined, streams: [] });
  });

  test('asks a silent daemon for a sign of life, then gives the connection up', async () => {
    const { result } = await connected();
    const first = FakeWebSocket.latest;
    await pass(DEAD_AFTER_MS / 2);
    expect(first.sent).toContain('{"type":"ping"}');
    await pass(DEAD_AFTER_MS / 2 - 2_000);
    expect(result.current.isConnected).toBe(true);
    await pass(2_000);
    // Since it was last heard, not since that was noticed.
    expect(result.current).toMatchObject({ isConnected: false, staleSince: NOON });
    await pass(2_000);
    expect(FakeWebSocket.latest).not.toBe(first);
  });

  test.each([
    ['when three figures are missing', 5, 15_000],
    ['soon, but not at once, where figures come each second', 1, DEAD_AFTER_LEAST_MS],
    ['no later than ever where they come each hour', 3_600, DEAD_AFTER_MS],
  ])('gives a dead connection up %s', async (_, interval, late) => {
    const { result } = await connected();
    const alive = FakeWebSocket.latest;
    // A daemon that answers is there, however seldom it speaks by itself.
    const answers = vi
      .spyOn(alive, 'send')
      .mockImplementation(() => alive.say(JSON.stringify({ type: 'pong' })));
    say(wire('stats', STATS));
    await pass(interval * 1000 - DRAW_EVERY_MS);
    say(wire('stats', STATS, interval));
    expect(result.current.isConnected).toBe(true);
    answers.mockImplementation(() => {});
    await pass(late - 2_000);
    expect(result.current.isConnected).toBe(true);
    await pass(4_000);
    expect(result.current.isConnected).toBe(false);
  });

  test('does not take its own sleep for the daemon’s silence', async () => {
    const { result } = await connected();
    vi.setSystemTime(NOON + 3_600_000);
    await pass(1_000);
    expect(result.current.isConnected).toBe(true);
    expect(FakeWebSocket.latest.sent).toContain('{"type":"ping"}');
  });

  test('is offline as soon as the browser says so, and comes back by itself', async () => {
    const { result } = await connected();
    const first = FakeWebSocket.latest;
    act(() => void window.dispatchEvent(new Event('offline')));
    expect(result.current).toMatchObject({ isConnected: false, staleSince: NOON });
    // Perhaps the daemon is on this very machine: it is tried all the same.
    await pass(2_000);
    expect(FakeWebSocket.latest).not.toBe(first);
    FakeWebSocket.latest.accept();
    say(wire('snapshot', { streams: [] }));
    expect(result.current.isConnected).toBe(true);
  });

  test('asks who it is when the connection opens: what renews a token that is about to expire', async () => {
    await connected();
    expect(fetch).toHaveBeenCalledOnce();
  });

  test('holds one connection for all who use it, and closes it with the last', async () => {
    const one = await connected();
    const two = renderHook(useMonitoringWebSocket);
    await pass(0);
    expect(FakeWebSocket.all).toHaveLength(1);
    one.unmount();
    expect(FakeWebSocket.latest.readyState).toBe(FakeWebSocket.OPEN);
    two.unmount();
    expect(FakeWebSocket.latest.readyState).toBe(FakeWebSocket.CLOSED);
  });

  test('opens nothing before it is known that whoever looks may', async () => {
    useSession.setState(UNKNOWN, true);
    renderHook(useMonitoringWebSocket);
    await pass(60_000);
    expect(FakeWebSocket.all).toHaveLength(0);
    act(() => useSession.setState(OPEN, true));
    await pass(0);
    expect(FakeWebSocket.all).toHaveLength(1);
  });

  test('asks who it is when the connection ends, and knocks no more while it may not look', async () => {
    const { result } = await connected();
    vi.mocked(fetch).mockResolvedValueOnce(Response.json(outside));
    act(() => FakeWebSocket.latest.breakOff());
    await pass(60_000);
    expect(useSession.getState()).toEqual(outside);
    const knocked = FakeWebSocket.all.length;
    await pass(600_000);
    expect(FakeWebSocket.all).toHaveLength(knocked);

    act(() => useSession.setState({ ...outside, signed_in: true, may_view: true }));
    await pass(0);
    FakeWebSocket.latest.accept();
    say(wire('snapshot', { streams: [stream('jazz')] }));
    expect(result.current.streams.map((s) => s.channel_id)).toEqual(['jazz']);
  });

  test('goes on asking while it is not let in, for the answer may be late', async () => {
    renderHook(useMonitoringWebSocket);
    await pass(0);
    for (let failures = 0; failures < 3; failures += 1) {
      act(() => FakeWebSocket.latest.breakOff());
      await pass(5_000);
    }
    expect(fetch).toHaveBeenCalledTimes(3);
    vi.mocked(fetch).mockResolvedValueOnce(Response.json(outside));
    act(() => FakeWebSocket.latest.breakOff());
    await pass(0);
    expect(useSession.getState()).toEqual(outside);
  });

  test('keeps nothing of what was seen for whoever signs in next, what was on its way neither', async () => {
    await connected();
    say(wire('stats', STATS));
    act(() => {
      notify({ kind: 'stop_failed' }, 'jazz-9');
      // One is drawn at once; the other waits its turn.
      for (const name of ['jazz-11', 'jazz-12'])
        FakeWebSocket.latest.say(
          wire('stream_update', { channel_id: name, event: 'started', listeners: 1 }),
        );
      useSession.setState(outside, true);
    });
    await pass(10 * DRAW_EVERY_MS);
    expect(useMonitorStore.getState()).toEqual(initialState);
    expect(useNotices.getState().notices).toEqual([]);
    const { result } = renderHook(useHistory);
    expect(result.current.history.listeners('jazz-9').values).toEqual([]);
    expect(result.current.history.total('total_listeners').values).toEqual([]);
  });
});
