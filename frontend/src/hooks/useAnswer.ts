import { useEffect, useState } from 'react';
import type * as v from 'valibot';
import { Unreachable } from '@/data/problem';
import { ask } from '@/data/question';
import { useMonitorStore } from '@/data/store';

export interface Answered<T> {
  answer?: T;
  /** Why the last question has no answer; the answer is then from before. Empty where nobody answered at all. */
  failure?: string;
}

/**
 * Asks the daemon again and again. `question` tells one question from another; its path may move on
 * with the daemon's time.
 */
export function useAnswer<const S extends v.GenericSchema>(
  question: string,
  path: (now: number) => string,
  schema: S,
  everyMs: number,
): Answered<v.InferOutput<S>> {
  const [answered, setAnswered] = useState<Answered<v.InferOutput<S>> & { to: string }>({
    to: question,
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: the question is what path and schema follow from.
  useEffect(() => {
    const leaving = new AbortController();
    async function askNow() {
      const now = Date.now() + (useMonitorStore.getState().clockOffset ?? 0);
      try {
        const answer = await ask(path(now), schema, leaving.signal);
        if (!leaving.signal.aborted) setAnswered({ to: question, answer });
      } catch (problem) {
        if (leaving.signal.aborted) return;
        const failure = problem instanceof Unreachable ? '' : (problem as Error).message;
        setAnswered((before) =>
          before.to === question ? { ...before, failure } : { to: question, failure },
        );
      }
    }
    void askNow();
    const again = setInterval(askNow, everyMs);
    return () => {
      leaving.abort();
      clearInterval(again);
    };
  }, [question, everyMs]);
  return answered.to === question ? answered : {};
}
