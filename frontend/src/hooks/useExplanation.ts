import { useEffect, useState } from 'react';
import { type Explanation, explain } from '@/data/explanation';

/** Ages of evidence and states of commands change without a live message. */
export const ASK_EVERY_MS = 5_000;
/** A decision is in the journal a moment after it was told. */
export const ASK_AFTER_MS = 300;

export interface Explained {
  explanation?: Explanation;
  /** The daemon knows no such stream. */
  gone: boolean;
  /** Why the last question has no answer; what is shown is then from before. */
  failure?: string;
}

/** Asks the daemon for its account of a stream, again and again, and soon after `change`. */
export function useExplanation(channelId: string, change: unknown): Explained {
  const [explained, setExplained] = useState<Explained & { of: string }>({
    of: channelId,
    gone: false,
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: `change` is why it is asked again.
  useEffect(() => {
    const leaving = new AbortController();
    async function ask() {
      try {
        const explanation = await explain(channelId, leaving.signal);
        setExplained((before) => ({
          of: channelId,
          explanation: explanation ?? (before.of === channelId ? before.explanation : undefined),
          gone: explanation === undefined,
        }));
      } catch (problem) {
        if (leaving.signal.aborted) return;
        const failure = (problem as Error).message;
        setExplained((before) => ({
          ...(before.of === channelId ? before : { of: channelId, gone: false }),
          failure,
        }));
      }
    }
    const soon = setTimeout(ask, explained.explanation ? ASK_AFTER_MS : 0);
    const again = setInterval(ask, ASK_EVERY_MS);
    return () => {
      leaving.abort();
      clearTimeout(soon);
      clearInterval(again);
    };
  }, [channelId, change]);
  return explained.of === channelId ? explained : { gone: false };
}
