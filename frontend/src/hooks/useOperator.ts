import { useState } from 'react';
import { act, type Wish } from '@/data/actions';
import { notify } from '@/data/notices';
import { Refused, Unreachable } from '@/data/problem';

/** One wish at a time for one stream; what became of it is told as a notice. */
export function useOperator(channelId: string) {
  const [busy, setBusy] = useState(false);

  async function run(wish: Wish): Promise<void> {
    const { action } = wish;
    setBusy(true);
    try {
      const told = await act(channelId, wish);
      const { auto_end, durable = true } = told ?? {};
      notify({ kind: 'done', action, endsAt: auto_end?.ends_at, durable }, channelId);
    } catch (problem) {
      const detail = problem instanceof Unreachable ? undefined : (problem as Error).message;
      const code = problem instanceof Refused ? problem.code : undefined;
      notify({ kind: 'not_done', action, code, detail }, channelId);
    } finally {
      setBusy(false);
    }
  }

  return { run, busy };
}
