import { useState } from 'react';
import { act, Unreachable, type Wish } from '@/data/actions';
import { useText } from '@/i18n';

/** One wish at a time for one stream; what was refused stays readable until the next one. */
export function useOperator(channelId: string) {
  const { t } = useText();
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<string>();

  async function run(wish: Wish): Promise<void> {
    setBusy(true);
    setFailure(undefined);
    try {
      await act(channelId, wish);
    } catch (problem) {
      const detail =
        problem instanceof Unreachable ? t('action.unreachable') : (problem as Error).message;
      setFailure(t('action.failed', { detail }));
    } finally {
      setBusy(false);
    }
  }

  return { run, busy, failure };
}
