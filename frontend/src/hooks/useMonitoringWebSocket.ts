import { useEffect, useMemo } from 'react';
import { holdConnection } from '@/data/socket';
import { type Stream, useMonitorStore, type Warning } from '@/data/store';

/** Everything the daemon says, live; the connection is held while a component uses this. */
export function useMonitoringWebSocket() {
  useEffect(holdConnection, []);
  const { stats, streams, warnings, isConnected, staleSince, error } = useMonitorStore();
  return {
    stats,
    streams: useMemo(() => Object.values(streams).sort(byName), [streams]),
    warnings: useMemo(() => Object.values(warnings).sort(byEnd), [warnings]),
    isConnected,
    /** When the figures stopped being live; absent while they are, or before there were any. */
    staleSince,
    error,
  };
}

// By name and not by urgency: a card must not move away under the operator's hand.
const names = new Intl.Collator(undefined, { numeric: true });
const byName = (a: Stream, b: Stream) => names.compare(a.channel_id, b.channel_id);
const byEnd = (a: Warning, b: Warning) => Date.parse(a.ends_at) - Date.parse(b.ends_at);
