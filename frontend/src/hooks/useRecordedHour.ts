import { useEffect } from 'react';
import { METRICS, remember } from '@/data/hour';
import { ask } from '@/data/question';
import { historyPath, lineOf, Recorded } from '@/data/recorded';
import { useMonitorStore } from '@/data/store';

/** What is live is drawn first. */
const ASK_AFTER_MS = 500;
/** What the daemon calls them. */
const NAMES = {
  active_streams: 'streams',
  total_listeners: 'listeners',
  queue_items: 'queue',
  cpu_percent: 'cpu',
  memory_percent: 'memory',
} as const;

/** Fills in the hour before this page was opened, and the time in which it was cut off. */
export function useRecordedHour(isConnected: boolean): void {
  useEffect(() => {
    if (!isConnected) return;
    const leaving = new AbortController();
    const soon = setTimeout(() => {
      const now = Date.now() + (useMonitorStore.getState().clockOffset ?? 0);
      for (const metric of METRICS) {
        ask(historyPath(NAMES[metric], undefined, now, 'hour'), Recorded, leaving.signal)
          .then((recorded) => recorded && remember(metric, lineOf(recorded)))
          // Then the lines begin with this page.
          .catch(() => {});
      }
    }, ASK_AFTER_MS);
    return () => {
      clearTimeout(soon);
      leaving.abort();
    };
  }, [isConnected]);
}
