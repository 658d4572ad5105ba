import * as v from 'valibot';
import { describe, expect, test } from 'vitest';
import { at, NOON } from '@/testing/messages';
import type { Played } from './hour';
import { joined, lineOf, Recorded, RecordedEvents, reportPath, tracksOf } from './recorded';

const seconds = (times: number[]) => times.map((time) => (time - NOON) / 1000);
const recorded = (...points: [number, number | null][]) =>
  lineOf(
    v.parse(Recorded, {
      metric: 'listeners',
      channel_id: 'jazz',
      step_seconds: 5,
      points: points.map(([second, value]) => [at(second), value, value, value && value + 1]),
    }),
  );
const heard = (...points: [number, number | null][]) => ({
  times: points.map(([second]) => NOON + second * 1000),
  values: points.map(([, value]) => value),
});

describe('what was recorded', () => {
  test('goes on with what this page has heard since, and no time is drawn twice', () => {
    const past = recorded([-5, null], [0, 3], [5, null], [10, 4], [15, null]);
    const line = joined(past, heard([8, 4], [10, 4], [13, 5], [18, 6]));
    expect(seconds(line.times)).toEqual([0, 5, 10, 13, 18]);
    expect(line.values).toEqual([3, null, 4, 5, 6]);
  });

  test('fills in the time in which the page was cut off', () => {
    const past = recorded([0, 1], [5, 2], [10, 3], [15, 4]);
    const line = joined(past, heard([0, 1], [1, null], [17, 5]));
    expect(line.values).toEqual([1, 2, 3, 4, 5]);
  });

  test('is no reason to forget what was heard where nothing was recorded', () => {
    const own = heard([0, 1], [5, 2]);
    expect(joined(undefined, own)).toBe(own);
    expect(joined(recorded([0, null], [5, null]), own)).toBe(own);
  });

  test('has the most of each step beside its mean', () => {
    expect(recorded([0, 3], [5, null]).most).toEqual([4, null]);
  });
});

describe('the tracks', () => {
  const { events } = v.parse(RecordedEvents, {
    channel_id: 'jazz',
    left_out: 0,
    events: [
      { at: at(0), type: 'stream_update', event: 'started' },
      {
        at: at(0),
        type: 'stream_update',
        event: 'track_changed',
        current_track: { title: 'So What', artist: null },
        listeners: null,
      },
      { at: at(5), type: 'auto_end', event: 'started', phase: 'a later daemon’s', reason: 'x' },
    ],
  });
  const heardTrack = (second: number, title: string) => ({
    at: NOON + second * 1000,
    track: { title } as never,
  });

  const told = (played: readonly Played[]) =>
    played.map(({ at, track }) => [(at - NOON) / 1000, track?.title]);

  test('of the daemon come first, and one that still plays is one track', () => {
    const recorded = [
      [0, undefined],
      [0, 'So What'],
    ];
    expect(told(tracksOf(events, heardTrack(7, 'So What')))).toEqual(recorded);
    expect(told(tracksOf(events, heardTrack(60, 'Blue in Green')))).toEqual([
      ...recorded,
      [60, 'Blue in Green'],
    ]);
  });

  test('end with what plays, where nothing was recorded', () => {
    expect(told(tracksOf([], heardTrack(7, 'So What')))).toEqual([[7, 'So What']]);
    expect(tracksOf([], undefined)).toEqual([]);
  });

  test('are those of the daemon where this page is behind it', () => {
    expect(told(tracksOf(events, heardTrack(-60, 'Freddie Freeloader')))).toHaveLength(2);
  });
});

test('a report is asked for up to now, of one stream or of all', () => {
  expect(reportPath('day', 'a:b', NOON, 'hour', 'csv')).toBe(
    `/api/v1/reports?by=day&channel_id=a%3Ab&from=${NOON / 1000 - 3600}&format=csv`,
  );
  expect(reportPath('channel', undefined, NOON, 'day')).not.toContain('channel_id');
});
