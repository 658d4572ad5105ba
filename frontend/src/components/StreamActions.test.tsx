import { act, cleanup, fireEvent, render, screen, waitFor } from '@testing-library/react';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { useNotices } from '@/data/notices';
import { OPEN, useSession } from '@/data/session';
import { dispatch, initialState, useMonitorStore } from '@/data/store';
import type { StreamState } from '@/data/wire';
import { TextContext, textIn } from '@/i18n';
import { at, NOON, stream } from '@/testing/messages';
import { StopDialog } from './StopDialog';
import { StreamActions } from './StreamActions';
import { Toasts } from './Toasts';

const counting = { phase: 'counting', ends_at: at(100) } as const;
const daemon = vi.fn<typeof fetch>();

beforeEach(() => {
  daemon.mockReset().mockImplementation(async () => Response.json({}));
  vi.stubGlobal('fetch', daemon);
  useMonitorStore.setState(initialState, true);
  useNotices.setState({ notices: [], last: 0 });
  useSession.setState(OPEN, true);
});

const press = (name: string) => fireEvent.click(screen.getByRole('button', { name }));
const asked = () =>
  daemon.mock.calls.map(([path, init]) => [path, JSON.parse(String(init?.body ?? 'null'))]);

describe('an operator', () => {
  test.each([
    ['Pause auto-end', 'pause', {}],
    ['+5 min', 'extend', { seconds: 300 }],
    ['Keep alive', 'cancel', {}],
  ])('who presses "%s" asks the daemon to %s', async (label, action, body) => {
    render(<StreamActions stream={stream('a/b', { auto_end: counting })} />);
    press(`${label}: a/b`);
    await waitFor(() =>
      expect(asked()).toEqual([[`/api/v1/streams/a%2Fb/auto-end/${action}`, body]]),
    );
  });

  test('sees the pause at once, from the answer', async () => {
    const jazz = stream('jazz');
    const data = { streams: [jazz] };
    dispatch({ type: 'snapshot', timestamp: at(0), at: NOON, data });
    render(<StreamActions stream={jazz} />);
    press('Pause auto-end: jazz');
    await waitFor(() =>
      expect(useMonitorStore.getState().streams.jazz?.auto_end.phase).toBe('paused'),
    );
  });

  test('is told what came of it, and when the stream ends now', async () => {
    const auto_end = { phase: 'counting', ends_at: at(400) };
    daemon.mockResolvedValue(Response.json({ auto_end }));
    render(<StreamActions stream={stream('jazz', { auto_end: counting })} />);
    press('+5 min: jazz');
    await waitFor(() =>
      expect(useNotices.getState().notices).toMatchObject([
        { kind: 'done', action: 'extend', endsAt: at(400), durable: true, channels: ['jazz'] },
      ]),
    );
  });

  test('is told why not, in the words of the daemon where there are no others', async () => {
    const problem = { code: 'not_today', title: 'Conflict', detail: 'come back tomorrow' };
    daemon.mockResolvedValue(Response.json(problem, { status: 409 }));
    render(<StreamActions stream={stream('jazz')} />);
    render(<Toasts />);
    press('Pause auto-end: jazz');
    await waitFor(() =>
      expect(screen.getByRole('alert')).toHaveTextContent('jazz: not done: come back tomorrow'),
    );
  });

  test.each([
    ['en', 'your token is for looking, not for operating'],
    ['ru', 'ваш токен позволяет смотреть, но не управлять'],
  ] as const)(
    'whose token is for something else now reads that in words: %s',
    async (language, words) => {
      const viewer = { ...OPEN, required: true, signed_in: true, may_operate: false };
      daemon.mockImplementation(async (_, init) =>
        init?.method === 'POST'
          ? Response.json({ code: 'wrong_role', detail: 'see the docs' }, { status: 403 })
          : Response.json(viewer),
      );
      const text = textIn(language);
      render(
        <TextContext value={text}>
          <StreamActions stream={stream('jazz')} />
          <Toasts />
        </TextContext>,
      );
      press(text.t('action.for', { action: text.t('action.pause'), channel: 'jazz' }));
      await waitFor(() => expect(screen.getByRole('alert')).toHaveTextContent(words));
      // And the button that cannot work is gone.
      await waitFor(() => expect(screen.queryByRole('button', { name: /jazz$/ })).toBeNull());
    },
  );

  test('reads what to do when the daemon cannot be reached', async () => {
    daemon.mockRejectedValue(new TypeError('Failed to fetch'));
    render(<StreamActions stream={stream('jazz')} />);
    render(<Toasts />);
    press('Pause auto-end: jazz');
    await waitFor(() =>
      expect(screen.getByRole('alert')).toHaveTextContent('Check the connection and try again'),
    );
  });
});

describe('stopping', () => {
  const isTold = (rest: Partial<StreamState>, channel = 'jazz') => {
    const streams = [stream(channel, rest)];
    act(() => dispatch({ type: 'snapshot', timestamp: at(0), at: NOON, data: { streams } }));
  };
  function shown(rest: Partial<StreamState> = {}) {
    isTold(rest);
    const buttons = render(<StreamActions stream={stream('jazz', rest)} />);
    render(<StopDialog />);
    press('Stop: jazz');
    return buttons;
  }

  test('asks first, and does nothing when told to let it play', () => {
    shown();
    expect(screen.getByRole('dialog', { name: 'Stop jazz?' })).toHaveTextContent(
      '3 people hear it',
    );
    press('Let it play');
    expect(screen.queryByRole('dialog')).toBeNull();
    expect(daemon).not.toHaveBeenCalled();
  });

  test.each([
    ['an empty stream is not forced', { listeners: 0 }, 'Stop the stream', {}],
    [
      'a heard stream is forced, once that was said',
      { listeners: 3 },
      'Stop it anyway',
      { force: true },
    ],
    [
      'a stream of unknown count too',
      { listeners_known: false },
      'Stop it anyway',
      { force: true },
    ],
  ])('%s', async (_, rest, button, body) => {
    shown(rest);
    press(button);
    await waitFor(() => expect(asked()).toEqual([['/api/v1/streams/jazz/stop', body]]));
    expect(screen.queryByRole('dialog')).toBeNull();
  });

  test.each([
    ['a first listener', { listeners: 0 }, { listeners: 1 }, 'Stop the stream', '1 person hears'],
    ['more listeners', { listeners: 2 }, { listeners: 3 }, 'Stop it anyway', '3 people hear'],
    ['nobody knows who', { listeners: 2 }, { listeners_known: false }, 'Stop it anyway', 'unknown'],
  ])('asks again when there is %s since the question', async (_, before, now, yes, words) => {
    shown(before);
    isTold(now);
    press(yes);
    expect(daemon).not.toHaveBeenCalled();
    expect(screen.getByRole('dialog')).toHaveTextContent('This has changed since you were asked.');
    expect(screen.getByRole('dialog')).toHaveTextContent(words);
    // The second of two quick presses was meant for the question before.
    fireEvent.click(screen.getByRole('button', { name: 'Stop it anyway' }), { detail: 2 });
    expect(daemon).not.toHaveBeenCalled();
    press('Stop it anyway');
    await waitFor(() => expect(asked()).toEqual([['/api/v1/streams/jazz/stop', { force: true }]]));
  });

  test('does not ask again because somebody has left', async () => {
    shown({ listeners: 3 });
    isTold({ listeners: 1 });
    press('Stop it anyway');
    await waitFor(() => expect(asked()).toHaveLength(1));
  });

  test('goes on asking when the card goes, and no more when the page does', () => {
    const buttons = shown();
    buttons.unmount();
    isTold({}, 'rock');
    expect(screen.getByRole('dialog', { name: 'Stop jazz?' })).toBeVisible();
    cleanup();
    render(<StopDialog />);
    expect(screen.queryByRole('dialog')).toBeNull();
  });
});
