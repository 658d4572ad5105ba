import { act, render, screen } from '@testing-library/react';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { App } from '@/App';
import { notify, useNotices } from '@/data/notices';
import { OPEN, UNKNOWN, useSession } from '@/data/session';
import { dispatch, initialState, useMonitorStore } from '@/data/store';
import { FakeWebSocket } from '@/testing/FakeWebSocket';
import { at, NOON, stream } from '@/testing/messages';

const pages = vi.hoisted(() => ({ stream: vi.fn() }));
vi.mock('@/pages/Stream', () => ({ Stream: pages.stream }));

const outside = { ...UNKNOWN, required: true };

beforeEach(() => {
  vi.stubGlobal('WebSocket', FakeWebSocket);
  FakeWebSocket.all = [];
  useMonitorStore.setState(initialState, true);
  useNotices.setState({ notices: [], last: 0 });
  useSession.setState(UNKNOWN, true);
  window.history.replaceState(null, '', '/monitoring');
  pages.stream.mockReset().mockImplementation(({ channelId }) => <main>{`of ${channelId}`}</main>);
});

describe('the page', () => {
  test('shows neither streams nor a sign-in before it knows who looks', () => {
    render(<App />);
    expect(screen.queryByRole('main')).toBeNull();
    expect(FakeWebSocket.all).toHaveLength(0);
  });

  test('asks whoever may not look for a token, and shows nothing else', () => {
    render(<App />);
    act(() => useSession.setState(outside, true));
    expect(screen.getByLabelText('Token')).toBeVisible();
    expect(screen.queryByRole('status')).toBeNull();
    expect(FakeWebSocket.all).toHaveLength(0);
  });

  test('has no count in its title while it is offline: nobody knows it then', () => {
    useSession.setState(OPEN, true);
    render(<App />);
    const streams = [stream('jazz', { auto_end: { phase: 'stop_failed' } })];
    act(() => dispatch({ type: 'snapshot', timestamp: at(0), at: NOON, data: { streams } }));
    expect(document.title).toBe('(1) Sattva Monitor');
    act(() => dispatch({ type: 'disconnected', at: NOON + 1_000 }));
    expect(document.title).toBe('Offline – Sattva Monitor');
  });

  test('leaves no figure on the screen, nor in the title, when somebody may look no more', async () => {
    useSession.setState({ ...OPEN, required: true, signed_in: true }, true);
    render(<App />);
    const failed = { phase: 'stop_failed', ends_at: at(300) } as const;
    const streams = [stream('jazz', { auto_end: failed })];
    act(() => {
      dispatch({ type: 'snapshot', timestamp: at(0), at: NOON, data: { streams } });
      notify({ kind: 'stop_failed' }, 'jazz');
    });
    expect(screen.getAllByText(/jazz/).length).toBeGreaterThan(0);
    expect(document.title).toBe('(1) Sattva Monitor');
    act(() => useSession.setState(outside, true));
    expect(screen.getByLabelText('Token')).toHaveFocus();
    expect(screen.queryByText(/jazz/)).toBeNull();
    expect(document.title).toBe('Sattva Monitor');
    // Nor for whoever comes next, before anything has been told to them.
    act(() => useSession.setState(OPEN, true));
    expect(screen.queryByText(/jazz/)).toBeNull();
  });
});

describe('an address', () => {
  const visit = (path: string) => {
    window.history.replaceState(null, '', path);
    useSession.setState(OPEN, true);
    render(<App />);
  };

  test.each([
    ['studio%3A1', 'studio:1'],
    ['%25', '%'],
    ['%', '%'],
  ])('of a stream may be any: %s', async (id, channel) => {
    visit(`/monitoring/streams/${id}`);
    expect(await screen.findByText(`of ${channel}`)).toBeVisible();
  });
});

describe('a page that cannot be shown', () => {
  test('says so and offers to load it anew; the others are well', async () => {
    vi.spyOn(console, 'error').mockImplementation(() => {});
    pages.stream.mockImplementation(() => {
      throw new TypeError('Failed to fetch dynamically imported module');
    });
    window.history.replaceState(null, '', '/monitoring/streams/jazz');
    useSession.setState(OPEN, true);
    render(<App />);
    expect(await screen.findByText('This page could not be shown')).toBeVisible();
    expect(screen.getByText(/Failed to fetch dynamically/)).toBeVisible();
    expect(screen.getByRole('button', { name: 'Reload' })).toBeVisible();
    act(() => window.history.pushState(null, '', '/monitoring'));
    expect(await screen.findByRole('region', { name: 'System' })).toBeVisible();
    expect(screen.queryByText('This page could not be shown')).toBeNull();
  });
});
