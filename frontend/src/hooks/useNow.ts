import { useSyncExternalStore } from 'react';
import { useMonitorStore } from '@/data/store';

const TICK_MS = 1_000;

function subscribe(tick: () => void): () => void {
  const timer = setInterval(tick, TICK_MS);
  return () => clearInterval(timer);
}

const thisSecond = () => Math.floor(Date.now() / TICK_MS) * TICK_MS;

/** The daemon's time in whole seconds; offline it stands still, like every other figure of the page. */
export function useNow(): number {
  const offset = useMonitorStore((state) => state.clockOffset ?? 0);
  const staleSince = useMonitorStore((state) => state.staleSince);
  return useSyncExternalStore(subscribe, () => staleSince ?? thisSecond()) + offset;
}
