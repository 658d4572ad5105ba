import { render } from '@testing-library/react';
import type { Options } from 'uplot';
import { expect, test, vi } from 'vitest';
import { TextContext, textIn } from '@/i18n';
import { at, NOON } from '@/testing/messages';
import { ListenerChart } from './ListenerChart';

const drawn = vi.hoisted(() => {
  // Asked for as soon as the module is read.
  window.matchMedia = () => ({ addEventListener() {}, removeEventListener() {} }) as never;
  return { with: undefined as unknown };
});
vi.mock('@/hooks/useSize', async () => {
  const { useRef } = await import('react');
  return { useSize: () => [useRef(null), { width: 600, height: 200 }] };
});
vi.mock('uplot', async (original) => {
  const { default: Real } = await original<{ default: typeof import('uplot') }>();
  class Drawn {
    static paths = {};
    static tzDate = Real.tzDate;
    constructor(options: unknown) {
      drawn.with = options;
    }
    setSize() {}
    setData() {}
    destroy() {}
  }
  return { default: Drawn };
});

test('a chart’s hours and days begin where they do in the zone that was chosen', () => {
  render(
    <TextContext value={textIn('en', 'en', 'Asia/Kolkata')}>
      <ListenerChart
        line={{ times: [], values: [] }}
        marks={[]}
        axis={{ from: NOON - 3_600_000, to: NOON }}
        label="jazz"
        onPoint={() => {}}
      />
    </TextContext>,
  );
  const date = (drawn.with as Options).tzDate?.(Date.parse(at(0)) / 1000);
  expect([date?.getHours(), date?.getMinutes()]).toEqual([17, 30]);
});
