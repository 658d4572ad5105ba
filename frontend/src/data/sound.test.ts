import { expect, test, vi } from 'vitest';
import { play } from './sound';

test('a warning does not silence a failed stop, nor does anything chatter', () => {
  const begun = vi.fn();
  const node = () => ({
    frequency: {},
    gain: {
      setValueAtTime: () => {},
      linearRampToValueAtTime: () => {},
      exponentialRampToValueAtTime: () => {},
    },
    connect: (next: unknown) => next,
    start: begun,
    stop: () => {},
  });
  const context = { currentTime: 0, resume: async () => {} };
  vi.stubGlobal(
    'AudioContext',
    vi.fn(function AudioContext() {
      return Object.assign(context, { createOscillator: node, createGain: node });
    }),
  );
  const heardAfter = (...args: Parameters<typeof play>) => {
    begun.mockClear();
    play(...args);
    return begun.mock.calls.length;
  };
  expect(heardAfter('warning', 10_000)).toBe(2);
  expect(heardAfter('warning', 10_500)).toBe(0);
  expect(heardAfter('bad', 11_000)).toBe(3);
  expect(heardAfter('bad', 11_500)).toBe(0);
  expect(heardAfter('warning', 12_000)).toBe(0);
  expect(heardAfter('warning', 15_000)).toBe(2);
});
