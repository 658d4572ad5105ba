import { describe, expect, test } from 'vitest';
import { at, stream } from '@/testing/messages';
import { paramsOf, viewOf } from './address';
import { arrange, asItStood, conditionOf, EVERYTHING, isOver, type View } from './listing';

const counting = (second: number) => ({ phase: 'counting' as const, ends_at: at(second) });
const track = (title: string) => ({
  title,
  id: undefined,
  artist: undefined,
  url: undefined,
  duration_seconds: undefined,
  started_at: undefined,
});
const RADIO = [
  stream('ambient', { listeners: 7, sources: ['hill'] }),
  stream('blues', { listeners: 0, auto_end: counting(200), sources: ['sea'] }),
  stream('choir', { listeners: 2, listeners_known: false, sources: ['hill'] }),
  stream('dub', { listeners: 0, auto_end: counting(20), current_track: track('Rain') }),
  stream('echo', { listeners: 0, auto_end: { phase: 'paused' } }),
  stream('folk', { listeners: 0, auto_end: { phase: 'stop_failed' } }),
];
const shown = (view: Partial<View>) =>
  arrange(RADIO, { ...EVERYTHING, ...view }).map(({ key, streams }) => [
    key,
    streams.map((s) => s.channel_id).join(' '),
  ]);

describe('a list of streams', () => {
  test('sorts each by what a person wants to know first', () => {
    expect(RADIO.map(conditionOf)).toEqual([
      'heard',
      'ending',
      'unknown',
      'ending',
      'held',
      'failed',
    ]);
  });

  test('finds by name, track or source, and all words must fit', () => {
    expect(shown({ search: ' RAIN ' })).toEqual([['', 'dub']]);
    expect(shown({ search: 'hill am' })).toEqual([['', 'ambient']]);
    expect(shown({ search: 'hill rain' })).toEqual([]);
  });

  test('shows one condition or one source', () => {
    expect(shown({ condition: 'ending' })).toEqual([['', 'blues dub']]);
    expect(shown({ source: 'hill' })).toEqual([['', 'ambient choir']]);
  });

  test('puts the most urgent first: what failed, then what ends soonest', () => {
    expect(shown({ sort: 'urgency' })).toEqual([['', 'folk dub blues choir echo ambient']]);
  });

  test('puts an unknown count behind every known one', () => {
    expect(shown({ sort: 'listeners' })).toEqual([['', 'ambient blues dub echo folk choir']]);
  });

  test('groups by state in the order of urgency, by source in the order of names', () => {
    expect(shown({ group: 'condition' }).map(([key]) => key)).toEqual([
      'failed',
      'ending',
      'unknown',
      'held',
      'heard',
    ]);
    expect(shown({ group: 'source' })).toEqual([
      ['hill', 'ambient choir'],
      ['radio-1', 'dub echo folk'],
      ['sea', 'blues'],
    ]);
  });

  test('moves nothing away under a hand, and takes in what is new', () => {
    const before = arrange(RADIO, { ...EVERYTHING, group: 'condition' });
    const later = RADIO.map((s) =>
      s.channel_id === 'dub' ? { ...s, listeners: 1, auto_end: { phase: 'watching' as const } } : s,
    ).concat(stream('jazz'));
    const known = new Map(later.map((s) => [s.channel_id, s]));
    const stood = asItStood(arrange(later, { ...EVERYTHING, group: 'condition' }), before, known);
    const ids = (key: string) =>
      stood.find((section) => section.key === key)?.streams.map((s) => s.channel_id);
    expect(ids('ending')).toEqual(['blues', 'dub']);
    expect(ids('heard')).toEqual(['ambient', 'jazz']);
  });

  test('leaves what has gone in its place, ended, while a hand is there', () => {
    const before = arrange(RADIO, EVERYTHING);
    const later = RADIO.filter((s) => s.channel_id !== 'blues');
    const known = new Map(later.map((s) => [s.channel_id, s]));
    const [stood] = asItStood(arrange(later, EVERYTHING), before, known);
    expect(stood?.streams.map((s) => s.channel_id)).toEqual(RADIO.map((s) => s.channel_id));
    expect(stood?.streams.filter(isOver).map((s) => s.channel_id)).toEqual(['blues']);
  });
});

describe('the address of a list', () => {
  test('says only what differs from a plain one, and is read back as it was', () => {
    expect(paramsOf(EVERYTHING).toString()).toBe('');
    const view: View = { ...EVERYTHING, search: 'so what', sort: 'urgency', condition: 'ending' };
    expect(paramsOf(view).toString()).toBe('search=so+what&condition=ending&sort=urgency');
    expect(viewOf(paramsOf(view))).toEqual(view);
  });

  test('that makes no sense is a plain list', () => {
    expect(viewOf(new URLSearchParams('sort=loudness&condition=bored'))).toEqual(EVERYTHING);
  });
});
