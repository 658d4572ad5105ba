import { useEffect, useRef } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import type { Line } from '@/data/hour';
import type { Mark, Span } from '@/data/timeline';
import { useSize } from '@/hooks/useSize';
import { useText } from '@/i18n';

const HEIGHT = 220;
/** Room for the figures at the left; what stands under the chart keeps the same. */
export const AXIS_WIDTH = 44;
/** Half of a figure under the axis. */
const EDGE_WIDTH = 24;
/** A chart of nothing still has a scale. */
const LEAST_TOP = 4;
const DAY_SECONDS = 86_400;
/** Listeners are whole. */
const STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 100_000];
const BAD_EVENTS = new Set(['stopping', 'stop_failed', 'ended']);
/** Told by the lane under the chart; lines for them would be a fence. */
const COMMON_EVENTS = new Set(['started', 'cancelled', 'warning', 'frozen', 'unfrozen']);

interface Props {
  line: Line;
  marks: readonly Mark[];
  axis: Span;
  label: string;
  /** What stands under the pointer; nothing when it has left. */
  onPoint: (point?: Pointed) => void;
}

export interface Pointed {
  at: number;
  listeners: number | null;
  /** Where a step is long enough for it to differ. */
  most?: number | null;
}

/** Listeners over time, in steps: a count holds until the next one. */
export function ListenerChart({ line, marks, axis, label, onPoint }: Props) {
  const text = useText();
  const [box, { width }] = useSize<HTMLDivElement>();
  const chart = useRef<uPlot>(undefined);
  const latest = useRef({ marks, axis, text, onPoint });
  latest.current = { marks, axis, text, onPoint };

  const isReady = width > 0;
  // biome-ignore lint/correctness/useExhaustiveDependencies: made once; what changes is handed on below.
  useEffect(() => {
    if (!box.current || !isReady) return;
    const made = new uPlot(optionsOf(box.current, latest), [[], [], []], box.current);
    chart.current = made;
    // Colours are the page's own, which follows the system.
    const repaint = () => made.redraw(false);
    const dark = window.matchMedia('(prefers-color-scheme: dark)');
    dark.addEventListener('change', repaint);
    return () => {
      dark.removeEventListener('change', repaint);
      made.destroy();
      chart.current = undefined;
    };
  }, [isReady, text]);

  useEffect(() => {
    if (isReady) chart.current?.setSize({ width, height: HEIGHT });
  }, [width, isReady]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: drawn with marks and axis, read through `latest`.
  useEffect(() => {
    const most = line.most ?? line.values.map(() => null);
    chart.current?.setData([line.times.map((ms) => ms / 1000), line.values, most]);
  }, [line, marks, axis, isReady, text]);

  return (
    <div ref={box} role="img" aria-label={label} style={{ height: HEIGHT }} className="min-w-0">
      <span className="hidden text-jade" data-colour="line" />
      <span className="hidden text-soft" data-colour="text" />
      <span className="hidden text-line" data-colour="grid" />
      <span className="hidden text-amber" data-colour="mark" />
      <span className="hidden text-red" data-colour="bad" />
    </div>
  );
}

type Latest = Pick<Props, 'marks' | 'axis' | 'onPoint'> & { text: ReturnType<typeof useText> };

function optionsOf(box: HTMLElement, latest: { readonly current: Latest }): uPlot.Options {
  const colour = (name: string) => {
    const probe = box.querySelector(`[data-colour="${name}"]`);
    return probe ? getComputedStyle(probe).color : 'gray';
  };
  const axisLook: uPlot.Axis = {
    stroke: () => colour('text'),
    font: '12px system-ui, sans-serif',
    grid: { stroke: () => colour('grid'), width: 1 },
    ticks: { show: false },
  };
  return {
    width: box.clientWidth,
    height: HEIGHT,
    // Days and hours begin where they do for whoever reads it.
    tzDate: (seconds) => {
      const { zone } = latest.current.text;
      const date = new Date(seconds * 1000);
      return zone ? uPlot.tzDate(date, zone) : date;
    },
    padding: [10, EDGE_WIDTH, 0, 0],
    legend: { show: false },
    cursor: { drag: { x: false, y: false }, y: false },
    scales: {
      x: {
        range: () => {
          const { from, to } = latest.current.axis;
          return [from / 1000, to / 1000];
        },
      },
      y: { range: (_, __, most) => [0, Math.max(LEAST_TOP, (most ?? 0) * 1.1)] },
    },
    axes: [
      {
        ...axisLook,
        space: 70,
        size: 28,
        values: (_, splits, __, ___, step) => {
          const { clock, clockShort, day } = latest.current.text;
          const look = step < 60 ? clock : step < DAY_SECONDS ? clockShort : day;
          return splits.map((at) => look(at * 1000));
        },
      },
      {
        ...axisLook,
        size: AXIS_WIDTH,
        incrs: STEPS,
        values: (_, splits) => splits.map((value) => latest.current.text.number(value)),
      },
    ],
    series: [
      {},
      {
        stroke: () => colour('line'),
        fill: () =>
          colour('line').replace(/\)$/, ' / 0.12)').replace(/,/g, ' ').replace('rgb ', 'rgb'),
        width: 2,
        paths: uPlot.paths.stepped?.({ align: 1 }),
        points: { show: false },
      },
      {
        stroke: () => colour('text'),
        width: 1,
        paths: uPlot.paths.stepped?.({ align: 1 }),
        points: { show: false },
      },
    ],
    hooks: {
      draw: [(chart) => drawMarks(chart, latest.current.marks, colour)],
      setCursor: [
        (chart) => {
          const { idx } = chart.cursor;
          const at = idx == null ? undefined : chart.data[0]?.[idx];
          if (idx == null || at === undefined) return latest.current.onPoint(undefined);
          const [, values, most] = chart.data;
          latest.current.onPoint({
            at: at * 1000,
            listeners: values?.[idx] ?? null,
            most: most?.[idx] ?? null,
          });
        },
      ],
    },
  };
}

function drawMarks(chart: uPlot, marks: readonly Mark[], colour: (name: string) => string): void {
  const { ctx, bbox } = chart;
  ctx.save();
  ctx.lineWidth = uPlot.pxRatio;
  ctx.setLineDash([3 * uPlot.pxRatio, 3 * uPlot.pxRatio]);
  for (const { at, event } of marks) {
    if (COMMON_EVENTS.has(event)) continue;
    const x = Math.round(chart.valToPos(at / 1000, 'x', true));
    ctx.strokeStyle = colour(BAD_EVENTS.has(event) ? 'bad' : 'mark');
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
  }
  ctx.restore();
}
