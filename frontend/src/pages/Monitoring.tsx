import { useDeferredValue, useMemo } from 'react';
import { useSearchParams } from 'wouter';
import { ActiveStreamsGrid } from '@/components/ActiveStreamsGrid';
import { AutoEndWarnings } from '@/components/AutoEndWarnings';
import { PageFrame } from '@/components/PageFrame';
import { SystemMetricsCard } from '@/components/SystemMetricsCard';
import { paramsOf, viewOf } from '@/data/address';
import type { View } from '@/data/listing';
import { behind } from '@/data/totals';
import { useMonitoringWebSocket } from '@/hooks/useMonitoringWebSocket';

export function Monitoring() {
  const live = useMonitoringWebSocket();
  const { stats, streams, warnings, isConnected, staleSince } = live;
  const [params, setParams] = useSearchParams();
  const view = useMemo(() => viewOf(params), [params]);
  // The cards may lag a keystroke; the field may not.
  const shown = useDeferredValue(view);
  const show = (change: Partial<View>) =>
    setParams(paramsOf({ ...view, ...change }), { replace: true });

  return (
    <PageFrame {...live}>
      <AutoEndWarnings warnings={warnings} streams={streams} />
      <SystemMetricsCard stats={stats} isConnected={isConnected} behind={behind(streams)} />
      <ActiveStreamsGrid
        streams={streams}
        isKnown={isConnected || staleSince !== undefined}
        view={shown}
        typed={view.search}
        onView={show}
      />
    </PageFrame>
  );
}
