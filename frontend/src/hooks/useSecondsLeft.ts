import { useSyncExternalStore } from 'react';
import { secondsLeft } from '@/data/countdown';
import { useMonitorStore } from '@/data/store';

/** Finer than a second, so that no countdown lags its deadline visibly. */
const TICK_MS = 200;

const listeners = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;

// One timer for all countdowns of the page, none while there are no countdowns.
function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  timer ??= setInterval(() => {
    for (const each of listeners) each();
  }, TICK_MS);
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}

/** Ticks each second while live; offline it stands still, like every other figure of the page. */
export function useSecondsLeft(endsAt: string): number {
  const offset = useMonitorStore((state) => state.clockOffset ?? 0);
  const staleSince = useMonitorStore((state) => state.staleSince);
  return useSyncExternalStore(subscribe, () =>
    secondsLeft(endsAt, offset, staleSince ?? Date.now()),
  );
}
