import type { ReactNode } from 'react';
import type { SystemStats } from '@/data/wire';
import { useText } from '@/i18n';

interface Props {
  stats?: SystemStats;
  /** Streams whose listeners the totals cannot count. */
  unknownCounts: number;
}

export function SystemMetricsCard({ stats, unknownCounts }: Props) {
  const { t, number, uptime } = useText();
  const whole = (value?: number) => (value === undefined ? '–' : number(value));
  return (
    <section aria-labelledby="metrics-title" className="card overflow-hidden">
      <h2 id="metrics-title" className="sr-only">
        {t('metrics.title')}
      </h2>
      {/* The lines between the cells are the gaps of the grid. */}
      <dl className="grid grid-cols-2 gap-px bg-line sm:grid-cols-3 xl:grid-cols-6">
        <Metric label={t('metrics.streams')} value={whole(stats?.active_streams)} />
        <Metric label={t('metrics.listeners')} value={whole(stats?.total_listeners)}>
          {unknownCounts > 0 && (
            <span className="text-amber">
              {t('metrics.unknown_streams', { count: unknownCounts })}
            </span>
          )}
        </Metric>
        <Metric label={t('metrics.queue')} value={whole(stats?.queue_items)} />
        <Share label={t('metrics.cpu')} percent={stats?.cpu_percent} />
        <Share label={t('metrics.memory')} percent={stats?.memory_percent} />
        <Metric
          label={t('metrics.uptime')}
          value={stats ? uptime(stats.uptime_seconds) : '–'}
          small
        />
      </dl>
    </section>
  );
}

interface MetricProps {
  label: string;
  value: string;
  small?: boolean;
  children?: ReactNode;
}

function Metric({ label, value, small, children }: MetricProps) {
  return (
    <div className="flex flex-col gap-1 bg-card px-4 py-4 sm:px-5">
      <dt className="text-sm text-soft">{label}</dt>
      <dd
        className={`flex min-h-9 items-end font-semibold tracking-tight tabular-nums ${small ? 'pb-0.5 text-xl' : 'text-3xl'}`}
      >
        {value}
      </dd>
      {children && <dd className="text-xs leading-snug">{children}</dd>}
    </div>
  );
}

/** From here on a machine has too little left to spare. */
const TIGHT_PERCENT = 85;

function Share({ label, percent }: { label: string; percent?: number }) {
  const { percent: text } = useText();
  const known = percent !== undefined;
  const tight = known && percent >= TIGHT_PERCENT;
  return (
    <Metric label={label} value={known ? text(percent) : '–'}>
      {known && (
        <div className="mt-1 h-1.5 overflow-hidden rounded-full bg-line" aria-hidden="true">
          <div
            className={`h-full rounded-full transition-[width] ${tight ? 'bg-red' : 'bg-jade'}`}
            style={{ width: `${Math.min(percent, 100)}%` }}
          />
        </div>
      )}
    </Metric>
  );
}
