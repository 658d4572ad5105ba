import { act, render, screen } from '@testing-library/react';
import { beforeEach, expect, test, vi } from 'vitest';
import { OPEN, useSession } from '@/data/session';
import { dispatch, initialState, useMonitorStore } from '@/data/store';
import { FakeWebSocket } from '@/testing/FakeWebSocket';
import { at, NOON, STATS, stream } from '@/testing/messages';
import { Wall } from './Wall';

beforeEach(() => {
  vi.stubGlobal('WebSocket', FakeWebSocket);
  FakeWebSocket.all = [];
  useMonitorStore.setState(initialState, true);
  useSession.setState(OPEN, true);
});

const heard = { timestamp: at(0), at: NOON };

function wall(...streams: ReturnType<typeof stream>[]) {
  render(<Wall />);
  act(() =>
    dispatch(
      { type: 'snapshot', ...heard, data: { streams } },
      { type: 'stats', ...heard, data: { ...STATS, total_listeners: 0 } },
    ),
  );
}
const listeners = () => screen.getByText(/^Listeners/).parentElement;

test('a wall shows no 0 where nobody knows', () => {
  wall(stream('jazz', { listeners_known: false }));
  expect(listeners()).toHaveTextContent('?Listeners + 1 stream with an unknown count');
});

test('a wall shows a true 0', () => {
  wall(stream('jazz', { listeners: 0 }));
  expect(listeners()).toHaveTextContent(/^0Listeners\s*$/);
});

test('a wall says what the daemon complains of', () => {
  wall();
  const data = { code: 'store_unavailable', message: 'Redis does not answer' };
  act(() => dispatch({ type: 'error', ...heard, data }));
  expect(screen.getByRole('alert')).toHaveTextContent('Redis does not answer');
});

test('an empty wall teaches how to connect the first streamer', () => {
  wall();
  expect(screen.getByText(/^curl -X POST/)).toBeVisible();
});
