import { expect, test } from 'vitest';
import { stream } from '@/testing/messages';
import { behind } from './totals';

const silent = stream('silent', { listeners_known: false, queue_size: undefined });

test('a total of nothing known is none', () => {
  expect(behind([silent])).toEqual({ unknown: 1, noCount: true, noQueue: true });
  expect(behind([silent, stream('jazz')])).toEqual({ unknown: 1, noCount: false, noQueue: false });
});

test('what is over counts no more, and no stream at all is a true 0', () => {
  const over = { ...silent, state: 'stopped' };
  expect(behind([over, stream('jazz')])).toMatchObject({ unknown: 0, noCount: false });
  expect(behind([])).toEqual({ unknown: 0, noCount: false, noQueue: false });
});
