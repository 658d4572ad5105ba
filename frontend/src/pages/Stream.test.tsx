import { act, render, screen, waitFor } from '@testing-library/react';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { AutoEndWarnings } from '@/components/AutoEndWarnings';
import { OPEN, useSession } from '@/data/session';
import { dispatch, initialState, useMonitorStore } from '@/data/store';
import { FakeWebSocket } from '@/testing/FakeWebSocket';
import { at, NOON, stream } from '@/testing/messages';
import { Stream } from './Stream';
import { Wall } from './Wall';

// It draws on a canvas, which is not here.
vi.mock('@/components/ListenerChart', () => ({ AXIS_WIDTH: 44, ListenerChart: () => null }));

const policy = { enabled: true, timeout_seconds: 300, warning_seconds: [60], dry_run: false };
const explained = (state: ReturnType<typeof stream>, dry_run = false) => ({
  why: 'The stream is over: no source reports it as running.',
  state,
  auto_end: { policy: { ...policy, dry_run }, paused: false },
  evidence: [],
  commands: [],
  decisions: [],
});
const nothing = { channel_id: 'jazz', events: [], left_out: 7 };
const noPoints = { metric: 'listeners', step_seconds: 60, points: [] };

/** A daemon that answers `/explain` with this, or with a 404. */
function daemonSays(explanation?: ReturnType<typeof explained>): void {
  vi.stubGlobal('fetch', async (path: string) => {
    if (path.endsWith('/explain')) {
      return explanation ? Response.json(explanation) : new Response(null, { status: 404 });
    }
    return Response.json(path.includes('/events') ? nothing : noPoints);
  });
}

const isTold = (...streams: ReturnType<typeof stream>[]) =>
  act(() => dispatch({ type: 'snapshot', timestamp: at(0), at: NOON, data: { streams } }));

beforeEach(() => {
  vi.stubGlobal('WebSocket', FakeWebSocket);
  useMonitorStore.setState(initialState, true);
  useSession.setState(OPEN, true);
});

describe('the page of a stream', () => {
  test('that has ended keeps its name and its last figures, and offers nothing to press', async () => {
    daemonSays(explained(stream('jazz', { listeners: 0 })));
    render(<Stream channelId="jazz" />);
    isTold(stream('rock'));
    expect(await screen.findByRole('heading', { name: 'jazz', level: 2 })).toBeVisible();
    expect(screen.getByText('Ended')).toBeVisible();
    expect(screen.queryByText(/^Stop$/)).toBeNull();
  });

  test('that the daemon knows no more still shows what was recorded of it', async () => {
    daemonSays();
    render(<Stream channelId="jazz" />);
    isTold();
    expect(await screen.findByText('There is no stream jazz')).toBeVisible();
    expect(screen.getByText(/what was recorded of it is below/)).toBeVisible();
    expect(screen.getByText('Listeners over time')).toBeVisible();
    expect(screen.getByRole('region', { name: 'Report' })).toBeVisible();
  });

  test('says what is missing in its chart', async () => {
    daemonSays();
    render(<Stream channelId="jazz" />);
    expect(await screen.findByText(/^No known count in this time/)).toBeVisible();
    expect(await screen.findByText('Events not shown, there were too many: 7.')).toBeVisible();
  });

  test('says in a dry run that it would end, not that it ends, wherever it counts', async () => {
    const counting = stream('jazz', {
      listeners: 0,
      auto_end: { phase: 'counting', ends_at: at(200), reason: 'all_left', dry_run: true },
    });
    const warning = {
      channel_id: 'jazz',
      seconds_remaining: 30,
      reason: 'all_left',
      ends_at: at(30),
      dry_run: true,
    };
    daemonSays(explained(counting, true));
    render(
      <>
        <Stream channelId="jazz" />
        <Wall />
        <AutoEndWarnings warnings={[warning]} streams={[counting]} />
      </>,
    );
    isTold(counting);
    // On the page, on the wall, in the warning, and as it is spoken.
    await waitFor(() => expect(screen.getAllByText(/would end in/i)).toHaveLength(4));
    expect(screen.queryByText(/[ ,]ends in/i)).toBeNull();
  });
});
