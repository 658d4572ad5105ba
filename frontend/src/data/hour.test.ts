import { describe, expect, test } from 'vitest';
import { at, NOON, STATS, stream, wire } from '@/testing/messages';
import { Hour, KEPT_MS, SAMPLE_EVERY_MS } from './hour';
import { apply, type Happening, initialState, type MonitorState } from './store';
import { readMessage } from './wire';

/** A page that hears the daemon, whose clock is `ahead` of the page's. */
class Page {
  readonly hour = new Hour();
  state: MonitorState = initialState;

  constructor(readonly ahead = 0) {}

  hears(type: string, data: object, second: number): void {
    const message = readMessage(wire(type, data, second));
    if (message) this.takes({ ...message, at: NOON + second * 1000 - this.ahead });
  }

  takes(happening: Happening): void {
    this.state = apply(this.state, happening);
    this.hour.hear([happening], this.state, happening.at);
  }
}

const seconds = (times: number[]) => times.map((time) => (time - NOON) / 1000);

describe('the last hour', () => {
  test('is sampled every few seconds, by the clock of the daemon', () => {
    const page = new Page(90_000);
    page.hears('snapshot', { streams: [stream('jazz', { listeners: 1 })] }, 0);
    for (let second = 1; second <= 10; second += 1) page.hears('stats', STATS, second);
    const line = page.hour.listeners('jazz');
    expect(seconds(line.times)).toEqual([0, 5, 10]);
    expect(line.values).toEqual([1, 1, 1]);
    expect(page.hour.total('total_listeners').values).toEqual([null, 23, 23]);
  });

  test('knows no number where the count was unknown, nor while nobody was heard', () => {
    const page = new Page();
    page.hears('snapshot', { streams: [stream('jazz', { listeners: 1 })] }, 0);
    page.hears(
      'stream_update',
      { channel_id: 'jazz', event: 'unknown', listeners: 1, listeners_known: false },
      6,
    );
    page.takes({ type: 'disconnected', at: NOON + 7_000 });
    page.takes({ type: 'disconnected', at: NOON + 20_000 });
    page.hears('snapshot', { streams: [stream('jazz', { listeners: 4 })] }, 30);
    const line = page.hour.listeners('jazz');
    expect(seconds(line.times)).toEqual([0, 6, 7, 30]);
    expect(line.values).toEqual([1, null, null, 4]);
  });

  test('has no line of a stream that was over before we came', () => {
    const page = new Page();
    page.hears('snapshot', { streams: [stream('jazz', { state: 'stopped', listeners: 0 })] }, 0);
    for (let second = 1; second <= 20; second += 1) page.hears('stats', STATS, second);
    expect(page.hour.listeners('jazz').values).toEqual([]);
  });

  test('holds no more than an hour, and forgets streams that are gone for so long', () => {
    const page = new Page();
    page.hears('snapshot', { streams: [stream('jazz')] }, 0);
    page.hears('snapshot', { streams: [] }, 5);
    const end = (KEPT_MS / 1000) * 2;
    for (let second = 10; second <= end; second += 5) page.hears('stats', STATS, second);
    const { times } = page.hour.total('cpu_percent');
    expect(times).toHaveLength(KEPT_MS / SAMPLE_EVERY_MS + 1);
    expect(seconds(times.slice(0, 1))).toEqual([end - KEPT_MS / 1000]);
    expect(page.hour.listeners('jazz').times).toEqual([]);
  });

  test('tells what plays, and since when its streamer says, or this page has heard it', () => {
    const page = new Page();
    const first = { title: 'So What', started_at: at(-30) };
    page.hears('snapshot', { streams: [stream('jazz', { current_track: first as never })] }, 0);
    const change = (title: string, second: number) =>
      page.hears(
        'stream_update',
        { channel_id: 'jazz', event: 'track_changed', listeners: 1, current_track: { title } },
        second,
      );
    const playing = () => {
      const { at, track } = page.hour.playing('jazz') ?? {};
      return [(Number(at) - NOON) / 1000, track?.title];
    };
    expect(playing()).toEqual([-30, 'So What']);
    change('Blue in Green', 12);
    change('Blue in Green', 14);
    expect(playing()).toEqual([12, 'Blue in Green']);
  });

  test('begins anew where the clock of the browser was set back', () => {
    const page = new Page();
    page.hears('snapshot', { streams: [stream('jazz')] }, 600);
    page.hears('stats', STATS, 0);
    expect(seconds(page.hour.listeners('jazz').times)).toEqual([0]);
  });
});
