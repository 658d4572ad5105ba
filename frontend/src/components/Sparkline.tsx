import { useMemo } from 'react';
import type { Line } from '@/data/hour';
import { useHistory } from '@/data/hour';

/** The drawing's own grid; it is stretched to the place it has. */
const WIDTH = 300;
const HEIGHT = 100;

/** The last hour in a line, without figures: those stand beside it. Broken where nothing was known. */
export function Sparkline({ path }: { path: string }) {
  return (
    <svg
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      preserveAspectRatio="none"
      className="size-full overflow-visible text-jade"
      aria-hidden="true"
    >
      <path
        d={path}
        fill="none"
        stroke="currentColor"
        strokeWidth="1.5"
        strokeLinejoin="round"
        vectorEffect="non-scaling-stroke"
      />
    </svg>
  );
}

export function StreamSparkline({ channelId }: { channelId: string }) {
  const { history, version } = useHistory();
  // biome-ignore lint/correctness/useExhaustiveDependencies: the version is what changes.
  const path = useMemo(() => pathOf(history.listeners(channelId)), [history, channelId, version]);
  return <Sparkline path={path} />;
}

/**
 * From the first sample to the last; two of them at least, else there is no line yet. `full` is what fills the whole
 * height, at least.
 */
export function pathOf({ times, values }: Line, full = 1): string {
  const begin = times[0];
  const end = times.at(-1);
  if (begin === undefined || end === undefined || begin === end) return '';
  const most = values.reduce<number>((most, value) => Math.max(most, value ?? 0), full);
  const path: string[] = [];
  let pen = 'M';
  for (const [index, value] of values.entries()) {
    if (value === null) {
      pen = 'M';
      continue;
    }
    const x = (((times[index] ?? begin) - begin) / (end - begin)) * WIDTH;
    const y = HEIGHT - (value / most) * HEIGHT;
    path.push(`${pen}${x.toFixed(1)} ${y.toFixed(1)}`);
    pen = 'L';
  }
  return path.join('');
}
