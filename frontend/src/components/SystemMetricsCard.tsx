import { useMemo } from 'react';
import { type Metric as Measured, useHistory } from '@/data/hour';
import type { Behind } from '@/data/totals';
import type { SystemStats } from '@/data/wire';
import { useRecordedHour } from '@/hooks/useRecordedHour';
import { useText } from '@/i18n';
import { pathOf, Sparkline } from './Sparkline';

interface Props {
  stats?: SystemStats;
  isConnected: boolean;
  behind: Behind;
}

/** From here on a machine has too little left to spare. */
const TIGHT_PERCENT = 85;

export function SystemMetricsCard({ stats, isConnected, behind }: Props) {
  useRecordedHour(isConnected);
  const { t, number, percent, uptime } = useText();
  const whole = (value?: number) => (value === undefined ? '–' : number(value));
  const share = (value?: number) => (value === undefined ? '–' : percent(value));
  const isTight = (value?: number) => value !== undefined && value >= TIGHT_PERCENT;
  return (
    <section aria-labelledby="metrics-title" className="card overflow-hidden">
      <h2 id="metrics-title" className="sr-only">
        {t('metrics.title')}
      </h2>
      {/* The lines between the cells are the gaps of the grid. */}
      <dl className="grid grid-cols-2 gap-px bg-line sm:grid-cols-3 xl:grid-cols-6">
        <Metric
          label={t('metrics.streams')}
          value={whole(stats?.active_streams)}
          of="active_streams"
        />
        <Metric
          label={t('metrics.listeners')}
          value={stats && behind.noCount ? '?' : whole(stats?.total_listeners)}
          of="total_listeners"
        >
          {behind.unknown > 0 && t('metrics.unknown_streams', { count: behind.unknown })}
        </Metric>
        <Metric
          label={t('metrics.queue')}
          value={behind.noQueue ? '–' : whole(stats?.queue_items)}
          of="queue_items"
        />
        <Metric
          label={t('metrics.cpu')}
          value={share(stats?.cpu_percent)}
          of="cpu_percent"
          full={100}
          isBad={isTight(stats?.cpu_percent)}
        />
        <Metric
          label={t('metrics.memory')}
          value={share(stats?.memory_percent)}
          of="memory_percent"
          full={100}
          isBad={isTight(stats?.memory_percent)}
        />
        <Metric label={t('metrics.uptime')} value={stats ? uptime(stats.uptime_seconds) : '–'} />
      </dl>
    </section>
  );
}

interface MetricProps {
  label: string;
  value: string;
  /** Drawn over the last hour. */
  of?: Measured;
  full?: number;
  isBad?: boolean;
  children?: string | false;
}

function Metric({ label, value, of, full, isBad, children }: MetricProps) {
  const { t } = useText();
  const { history, version } = useHistory();
  // biome-ignore lint/correctness/useExhaustiveDependencies: the version is what changes.
  const path = useMemo(() => of && pathOf(history.total(of), full), [history, of, full, version]);
  return (
    <div
      className="flex flex-col gap-0.5 bg-card px-4 py-3"
      title={of && t('metrics.hour', { label })}
    >
      <dt className="text-sm text-soft">{label}</dt>
      <dd className="flex items-end gap-3">
        <span
          className={`text-2xl leading-tight font-semibold tracking-tight whitespace-nowrap tabular-nums ${isBad ? 'text-red' : ''}`}
        >
          {value}
        </span>
        {path !== undefined && (
          <span className="mb-1 h-6 min-w-0 grow">
            <Sparkline path={path} />
          </span>
        )}
      </dd>
      {/* Its place is kept: what stands below must not jump. */}
      {children !== undefined && (
        <dd className="min-h-4 truncate text-xs text-amber" title={children || undefined}>
          {children}
        </dd>
      )}
    </div>
  );
}
