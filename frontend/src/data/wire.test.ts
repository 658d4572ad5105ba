import { describe, expect, test } from 'vitest';
import { at, STATS, stream, wire } from '@/testing/messages';
import { readMessage } from './wire';

describe('a message at the door', () => {
  test('of a type this page does not know is let pass without a word', () => {
    expect(readMessage(wire('fireworks', { colour: 'red' }))).toBeUndefined();
    expect(readMessage('{"type":"pong"}')).toBeUndefined();
  });

  test('loses the fields this page does not know', () => {
    expect(readMessage(wire('stats', { ...STATS, moon_phase: 'full' }))).toEqual({
      type: 'stats',
      timestamp: at(0),
      data: STATS,
    });
  });

  test('may say null where it knows nothing', () => {
    const message = readMessage(wire('stats', { ...STATS, cpu_percent: null }));
    expect(message).toMatchObject({ data: { cpu_percent: undefined, memory_percent: 41.8 } });
  });

  test('with a phase from the future is read as an unknown phase', () => {
    const future = { ...stream('jazz'), auto_end: { phase: 'levitating' } };
    expect(readMessage(wire('snapshot', { streams: [future] }))).toMatchObject({
      data: { streams: [{ auto_end: { phase: 'unknown' } }] },
    });
  });

  test.each([
    ['no JSON at all', 'hello', /JSON/],
    [
      'a broken count, by its name',
      wire('stats', { ...STATS, queue_items: 'many' }),
      /queue_items/,
    ],
    ['a negative count', wire('stats', { ...STATS, total_listeners: -1 }), /total_listeners/],
    ['a time that is none', '{"type":"stats","timestamp":"noon","data":{}}', /timestamp/],
  ])('is refused for %s', (_, text, complaint) => {
    expect(() => readMessage(text)).toThrow(complaint);
  });
});
