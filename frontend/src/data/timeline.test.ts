import { describe, expect, test } from 'vitest';
import { at, NOON } from '@/testing/messages';
import type { Decision } from './explanation';
import { marksOf, phaseSpans, trackSpans, within } from './timeline';

const axis = { from: NOON, to: NOON + 300_000 };
let seq = 0;
const decided = (second: number, event: string, because = 'the last listener left'): Decision => ({
  seq: seq++,
  at: at(second),
  event,
  because,
  listeners: 0,
  joins: undefined,
  evidence_age_seconds: undefined,
  remaining_seconds: undefined,
});
const inSeconds = ({ from, to }: { from: number; to: number }) => [
  (from - NOON) / 1000,
  (to - NOON) / 1000,
];

describe('the axis of a stream', () => {
  test('shows what counted, stood still and was stopped, clipped to the time shown', () => {
    const decisions = [
      decided(-60, 'started'),
      decided(20, 'frozen'),
      decided(40, 'unfrozen'),
      decided(50, 'warning'),
      decided(60, 'cancelled', 'somebody listens'),
      decided(100, 'cancelled', 'an operator paused auto-end'),
      decided(160, 'resumed'),
      decided(200, 'started'),
      decided(260, 'stopping'),
      decided(265, 'ended'),
    ];
    const marks = marksOf(decisions);
    expect(phaseSpans(marks, axis).map((s) => [s.phase, ...inSeconds(s)])).toEqual([
      ['counting', 0, 20],
      ['frozen', 20, 40],
      ['counting', 40, 60],
      ['paused', 100, 160],
      ['counting', 200, 260],
      ['stopping', 260, 265],
    ]);
    expect(within(marks, axis)).toHaveLength(9);
  });

  test('lets what still counts run on to now', () => {
    const marks = marksOf([decided(100, 'started')]);
    expect(phaseSpans(marks, axis).map(inSeconds)).toEqual([[100, 300]]);
  });

  test('tells from what was recorded what the journal has forgotten, and nothing twice', () => {
    const recorded = (
      second: number,
      event: string,
      phase: 'counting' | 'paused' | 'watching',
    ) => ({
      at: at(second),
      type: 'auto_end',
      event,
      phase,
      current_track: undefined,
      listeners: undefined,
      reason: undefined,
    });
    const marks = marksOf(
      [decided(100, 'started'), decided(120, 'cancelled', 'somebody listens')],
      [
        recorded(10, 'started', 'counting'),
        recorded(40, 'cancelled', 'paused'),
        { ...recorded(50, 'stopped', 'watching'), type: 'stream_update' },
        recorded(60, 'resumed', 'watching'),
        recorded(100, 'started', 'counting'),
        recorded(120, 'cancelled', 'watching'),
      ],
    );
    expect(phaseSpans(marks, axis).map((s) => [s.phase, ...inSeconds(s)])).toEqual([
      ['counting', 10, 40],
      ['paused', 40, 60],
      ['counting', 100, 120],
    ]);
    expect(marks).toHaveLength(5);
  });

  test('shows each track until the next one, and nothing where nothing played', () => {
    const track = (title: string) => ({ title }) as never;
    const played = [
      { at: NOON - 50_000, track: track('one') },
      { at: NOON + 50_000, track: undefined },
      { at: NOON + 55_000, track: track('two') },
    ];
    expect(trackSpans(played, axis).map((span) => [span.track.title, ...inSeconds(span)])).toEqual([
      ['one', 0, 50],
      ['two', 55, 300],
    ]);
  });
});
