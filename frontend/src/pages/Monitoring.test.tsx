import { act, fireEvent, render, screen, within } from '@testing-library/react';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { OPEN, useSession } from '@/data/session';
import { DRAW_EVERY_MS } from '@/data/socket';
import { ENDED_SHOWN_MS, initialState, useMonitorStore } from '@/data/store';
import { TextContext, textIn } from '@/i18n';
import { FakeWebSocket } from '@/testing/FakeWebSocket';
import { at, NOON, STATS, stream, wire } from '@/testing/messages';
import { Monitoring } from './Monitoring';

beforeEach(() => {
  vi.useFakeTimers({ now: NOON });
  vi.stubGlobal('WebSocket', FakeWebSocket);
  FakeWebSocket.all = [];
  useMonitorStore.setState(initialState, true);
  useSession.setState(OPEN, true);
});
afterEach(() => {
  vi.useRealTimers();
});

const pass = (ms: number) => act(() => vi.advanceTimersByTimeAsync(ms));
/** Said, and drawn: what comes closely together is drawn together. */
const say = (type: string, data: object) =>
  act(() => {
    FakeWebSocket.latest.say(wire(type, data));
    vi.advanceTimersByTime(DRAW_EVERY_MS);
  });
const card = (channel: string) => within(screen.getByRole('article', { name: channel }));
const counting = (seconds: number) => ({ phase: 'counting' as const, ends_at: at(seconds) });

async function page(...streams: object[]) {
  const view = render(<Monitoring />);
  await pass(0);
  FakeWebSocket.latest.accept();
  say('snapshot', { streams });
  return view;
}

describe('the page', () => {
  test('teaches how to connect the first streamer while there is none', async () => {
    await page();
    expect(screen.getByText(/^curl/)).toHaveTextContent(
      `curl -X POST -H 'content-type: application/json' -d '{"listeners_count": 3}' http://radio.test/api/v1/streams/my-radio/listeners`,
    );
  });

  test('teaches whoever has to be known what to show, too', async () => {
    useSession.setState({ ...OPEN, required: true, signed_in: true }, true);
    await page();
    expect(screen.getByText(/^curl/)).toHaveTextContent(
      `curl -X POST -H 'authorization: Bearer sattva_…' -H 'content-type: application/json'`,
    );
    expect(screen.getByText(/token create --name my-radio --role streamer/)).toBeVisible();
  });

  test('does not say there are no streams before it knows', async () => {
    render(<Monitoring />);
    await pass(0);
    expect(screen.getByText(/Waiting for the daemon/)).toBeVisible();
    expect(screen.queryByText('No streams yet')).toBeNull();
  });

  test('shows the figures of the system, and how many streams they cannot count', async () => {
    await page(stream('jazz', { listeners_known: false }), stream('rock'));
    say('stats', STATS);
    const system = within(screen.getByRole('region', { name: 'System' }));
    expect(system.getByText('23')).toBeVisible();
    expect(system.getByText('12%')).toBeVisible();
    expect(system.getByText('2 d 5 h')).toBeVisible();
    expect(system.getByText('+ 1 stream with an unknown count')).toBeVisible();
  });

  test('says that nobody knows where no stream tells its listeners, or no source its queue', async () => {
    await page(stream('jazz', { listeners_known: false, queue_size: undefined }));
    say('stats', { ...STATS, total_listeners: 0, queue_items: 0 });
    expect(screen.getByTitle('Listeners, the last hour')).toHaveTextContent('Listeners?');
    expect(screen.getByTitle('Queued tracks, the last hour')).toHaveTextContent('Queued tracks–');
  });

  test('shows a figure it does not have as none', async () => {
    await page();
    say('stats', { ...STATS, cpu_percent: null });
    expect(screen.getByText('CPU').parentElement).toHaveTextContent('CPU–');
  });

  test('says since when it is offline and lets no countdown run on', async () => {
    await page(stream('jazz', { auto_end: counting(200) }));
    expect(screen.getByRole('status')).toHaveTextContent('Live');
    act(() => FakeWebSocket.latest.breakOff());
    expect(screen.getByRole('status')).toHaveTextContent(/Offline since \d/);
    expect(screen.getByRole('main')).toHaveClass('stale');
    await pass(30_000);
    expect(card('jazz').getByRole('timer')).toHaveTextContent('3:20');
  });

  test('leaves the focus on a filter while the figures move on', async () => {
    await page(stream('jazz', { listeners: 1 }), stream('rock', { listeners: 2 }));
    const heard = screen.getByRole('button', { name: /^Heard/ });
    heard.focus();
    say('stream_update', { channel_id: 'jazz', event: 'listeners_changed', listeners: 3 });
    expect(card('jazz').getByText('3')).toBeVisible();
    expect(heard).toHaveFocus();
  });

  test('speaks Russian', async () => {
    render(
      <TextContext value={textIn('ru')}>
        <Monitoring />
      </TextContext>,
    );
    await pass(0);
    FakeWebSocket.latest.accept();
    say('snapshot', { streams: [stream('jazz', { listeners: 21 })] });
    expect(card('jazz').getByText('слушатель')).toBeVisible();
  });
});

describe('the list', () => {
  const names = () => [...document.querySelectorAll('article')].map((each) => each.dataset.channel);
  const ends = (channel: string) => {
    say('stream_update', { channel_id: channel, event: 'stopped', listeners: 0 });
    vi.setSystemTime(Date.now() + ENDED_SHOWN_MS);
    say('stats', STATS);
  };
  const radio = ['alto', 'bass', 'cello'].map((name) => stream(name));

  test('closes the gap of a stream that has gone', async () => {
    await page(...radio);
    ends('alto');
    expect(names()).toEqual(['bass', 'cello']);
  });

  test('keeps the gap while a mouse is over it', async () => {
    await page(...radio);
    const list = screen.getByText('alto').closest('article')?.parentElement?.parentElement;
    fireEvent.pointerEnter(list as Element, { pointerType: 'mouse' });
    ends('alto');
    expect(names()).toEqual(['alto', 'bass', 'cello']);
    expect(document.querySelector('article')).toHaveTextContent('Ended');
    expect(document.querySelector('article button')).toHaveAccessibleName('Pause auto-end: bass');
    expect(screen.getByText('2 streams')).toBeVisible();
    fireEvent.pointerLeave(list as Element);
    expect(names()).toEqual(['bass', 'cello']);
  });

  test('keeps the gap while the keyboard is in it', async () => {
    await page(...radio);
    const link = screen.getByText('bass');
    act(() => link.focus());
    ends('alto');
    expect(names()).toEqual(['alto', 'bass', 'cello']);
    act(() => link.blur());
    expect(names()).toEqual(['bass', 'cello']);
  });
});

describe('a card', () => {
  test('shows an unknown count as unknown, never as a plain number', async () => {
    await page(stream('jazz', { listeners: 3, listeners_known: false, queue_size: undefined }));
    expect(card('jazz').getByText('(last known 3)')).toBeVisible();
    expect(card('jazz').getByText('listeners unknown')).toBeInTheDocument();
    expect(card('jazz').queryByText('3')).toBeNull();
    expect(card('jazz').getByText('queue unknown')).toBeVisible();
  });

  test('counts down each second, by the clock of the daemon', async () => {
    vi.setSystemTime(NOON - 3_600_000);
    await page(stream('jazz', { auto_end: counting(30) }));
    const timer = card('jazz').getByRole('timer');
    expect(timer).toHaveTextContent('0:30');
    await pass(1_000);
    expect(timer).toHaveTextContent('0:29');
    await pass(27_000);
    expect(timer).toHaveTextContent('0:02');
    await pass(5_000);
    expect(timer).toHaveTextContent('0:00');
  });

  test('holds the countdown of a stream whose count is unknown', async () => {
    await page(stream('jazz', { auto_end: { phase: 'frozen', remaining_seconds: 140.2 } }));
    await pass(5_000);
    expect(card('jazz').getByRole('timer')).toHaveTextContent('2:21');
  });
});

describe('a warning', () => {
  test('is shown with a running timer and said once', async () => {
    await page(stream('jazz'));
    say('auto_end_warning', { channel_id: 'jazz', seconds_remaining: 60, reason: 'no_listeners' });
    const warnings = within(screen.getByRole('region', { name: 'Needs attention' }));
    await pass(10_000);
    expect(warnings.getByRole('timer')).toHaveTextContent('0:50');
    expect(screen.getByRole('log')).toHaveTextContent(
      'jazz ends in 60 seconds: nobody is listening.',
    );
  });

  test('of a failed stop is loud and counts to the next try', async () => {
    const failed = { phase: 'stop_failed', ends_at: at(300), reason: 'unconfirmed' } as const;
    await page(stream('jazz', { auto_end: failed }));
    const warnings = within(screen.getByRole('region', { name: 'Needs attention' }));
    expect(warnings.getByText('Stop failed: still on air (nothing confirmed it)')).toBeVisible();
    expect(warnings.getByRole('timer')).toHaveTextContent('5:00');
  });
});

describe('a fault', () => {
  test('is shown until it is dismissed', async () => {
    await page();
    say('error', { code: 'store_unavailable', message: 'Redis does not answer' });
    expect(screen.getByRole('alert')).toHaveTextContent(
      'Redis does not answer (store_unavailable)',
    );
    fireEvent.click(screen.getByRole('button', { name: 'Dismiss' }));
    expect(screen.queryByRole('alert')).toBeNull();
  });
});
