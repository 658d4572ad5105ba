import { useEffect, useMemo, useState } from 'react';
import { holdConnection } from '@/data/socket';
import { type Stream, useMonitorStore, type Warning } from '@/data/store';

/** Everything the daemon says, live; the connection is held while a component uses this. */
export function useMonitoringWebSocket() {
  useEffect(holdConnection, []);
  const { stats, streams, warnings, isConnected, staleSince, error } = useMonitorStore();
  const [inOrder] = useState(byName);
  return {
    stats,
    streams: useMemo(() => inOrder(streams), [inOrder, streams]),
    warnings: useMemo(() => Object.values(warnings).sort(byEnd), [warnings]),
    isConnected,
    /** When the figures stopped being live; absent while they are, or before there were any. */
    staleSince,
    error,
  };
}

const names = new Intl.Collator(undefined, { numeric: true });

/** Sorts from where it left off: names rarely come or go, and what is in order is quickly sorted. */
function byName() {
  let known: string[] = [];
  return (streams: Readonly<Record<string, Stream>>): Stream[] => {
    const before = new Set(known);
    const ids = known.filter((id) => id in streams);
    const sameAsBefore = ids.length;
    for (const id in streams) if (!before.has(id)) ids.push(id);
    if (ids.length > sameAsBefore) ids.sort(names.compare);
    known = ids;
    return ids.flatMap((id) => streams[id] ?? []);
  };
}

const byEnd = (a: Warning, b: Warning) => Date.parse(a.ends_at) - Date.parse(b.ends_at);
