import { useEffect } from 'react';
import * as v from 'valibot';
import { create } from 'zustand';
import { ask } from '@/data/question';

/** Whoever changes the rules meanwhile is seen with the next countdown. */
const ASK_AGAIN_MS = 60_000;

const Timer = v.object({ policy: v.object({ dry_run: v.boolean() }) });
const useKnown = create<Record<string, boolean>>(() => ({}));
const askedAt = new Map<string, number>();

/**
 * Whether a countdown is one that ends nothing. Live messages do not tell: the daemon is asked, once for each
 * stream whose countdown is in sight.
 */
export function useDryRun(channelId: string, isCounting: boolean): boolean {
  const isDry = useKnown((known) => known[channelId] ?? false);
  useEffect(() => {
    const now = Date.now();
    if (!isCounting || now - (askedAt.get(channelId) ?? 0) < ASK_AGAIN_MS) return;
    askedAt.set(channelId, now);
    const path = `/api/v1/streams/${encodeURIComponent(channelId)}/auto-end`;
    // Not taken back with the card: its neighbours want to know, too.
    ask(path, Timer, new AbortController().signal)
      .then((timer) => timer && useKnown.setState({ [channelId]: timer.policy.dry_run }))
      .catch(() => askedAt.delete(channelId));
  }, [channelId, isCounting]);
  return isCounting && isDry;
}
