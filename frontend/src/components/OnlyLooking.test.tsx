import { fireEvent, render, screen, waitFor } from '@testing-library/react';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { EVERYTHING } from '@/data/listing';
import { OPEN, useSession } from '@/data/session';
import { stream } from '@/testing/messages';
import { Evidence } from './Evidence';
import { PageFrame } from './PageFrame';
import { StreamActions } from './StreamActions';
import { StreamToolbar } from './StreamToolbar';

const operator = { ...OPEN, required: true, signed_in: true, name: 'boris', role: 'operator' };
const viewer = { ...operator, name: 'anna', role: 'viewer', may_operate: false };
const silent = {
  source: 'radio-1',
  session: 's1',
  state: 'live',
  listeners: 3,
  joins: 3,
  age_seconds: 900,
  interval_seconds: 5,
  believed: false,
};

beforeEach(() => {
  useSession.setState(viewer, true);
});

const frame = (
  <PageFrame isConnected>
    <StreamToolbar
      streams={[stream('jazz')]}
      view={EVERYTHING}
      typed=""
      found={1}
      layout="cards"
      onView={() => {}}
    />
    <StreamActions stream={stream('jazz')} compact />
    <StreamActions stream={stream('jazz')} />
    <Evidence channelId="jazz" reporters={[silent]} />
  </PageFrame>
);
const open = (name: string) => fireEvent.click(screen.getByRole('button', { name }));

describe('a viewer', () => {
  test('is offered nothing to press, and told quietly why', () => {
    render(frame);
    expect(screen.queryByRole('button', { name: /jazz|radio-1/ })).toBeNull();
    expect(document.querySelector('[data-action]')).toBeNull();
    expect(screen.getByText('view only')).toBeInTheDocument();
    expect(screen.getByText('You may look at this stream, not operate it.')).toBeVisible();
  });

  test('is taught only the keys that do something', () => {
    render(frame);
    open('Keyboard shortcuts');
    expect(screen.getByText('Next and previous stream')).toBeVisible();
    expect(screen.queryByText('Stop (asks first)')).toBeNull();
    expect(screen.queryByText('Pause or resume auto-end')).toBeNull();
  });

  test('sees under Settings who they are, and the way out', async () => {
    const daemon = vi.fn().mockRejectedValueOnce(new TypeError('Failed to fetch'));
    vi.stubGlobal('fetch', daemon);
    render(frame);
    open('Settings');
    expect(screen.getByText('Signed in as anna (viewer)')).toBeVisible();
    open('Sign out');
    await waitFor(() => expect(screen.getByRole('alert')).toHaveTextContent(/still signed in/));
    daemon.mockResolvedValueOnce(new Response(null, { status: 204 }));
    open('Sign out');
    await waitFor(() => expect(useSession.getState().may_view).toBe(false));
  });
});

describe('an operator', () => {
  test('is offered everything', () => {
    useSession.setState(operator, true);
    render(frame);
    expect(screen.getAllByRole('button', { name: 'Stop: jazz' })).toHaveLength(2);
    expect(screen.getByRole('button', { name: 'Forget: radio-1' })).toBeVisible();
    expect(screen.queryByText('view only')).toBeNull();
    open('Keyboard shortcuts');
    expect(screen.getByText('Stop (asks first)')).toBeVisible();
  });
});

describe('whoever did not have to sign in', () => {
  test('has nothing to sign out of', () => {
    useSession.setState(OPEN, true);
    render(frame);
    open('Settings');
    expect(screen.queryByRole('button', { name: 'Sign out' })).toBeNull();
  });
});
