import { useState } from 'react';
import { useSession } from '@/data/session';
import { useOperator } from '@/hooks/useOperator';
import { useText } from '@/i18n';
import { ConfirmDialog } from './ConfirmDialog';

/** For a source that is silent for good: until it is forgotten, the count stays unknown. */
export function ForgetButton({ channelId, source }: { channelId: string; source: string }) {
  const { t } = useText();
  const { run, busy } = useOperator(channelId);
  const [asking, setAsking] = useState(false);
  const mayOperate = useSession((session) => session.may_operate);
  if (!mayOperate) return null;
  return (
    <>
      <button
        type="button"
        className="button ml-2"
        aria-label={t('action.for', { action: t('action.forget'), channel: source })}
        aria-disabled={busy}
        onClick={() => !busy && setAsking(true)}
      >
        {t('action.forget')}
      </button>
      {asking && (
        <ConfirmDialog
          title={t('forget.title', { source })}
          consequence={t('forget.text')}
          no={t('forget.keep')}
          yes={t('action.forget')}
          onClose={() => setAsking(false)}
          onConfirm={() => void run({ action: 'forget', source })}
        />
      )}
    </>
  );
}
