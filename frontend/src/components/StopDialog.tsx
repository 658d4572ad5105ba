import { useState } from 'react';
import type { Stream } from '@/data/store';
import { useText } from '@/i18n';
import { ConfirmDialog } from './ConfirmDialog';

interface Props {
  stream: Stream;
  onClose: () => void;
  onConfirm: (force: boolean) => void;
}

/**
 * Asks before a stream is stopped. What was shown when it opened is what is agreed to: somebody who
 * joins meanwhile makes the daemon refuse, never an "anyway" that nobody has read.
 */
export function StopDialog({ stream, onClose, onConfirm }: Props) {
  const { t } = useText();
  const [asked] = useState(stream);
  const { listeners, listeners_known } = asked;
  const known = listeners_known && listeners !== undefined;
  const force = !known || listeners > 0;
  const consequence = !known
    ? t('stop.unknown')
    : listeners > 0
      ? t('stop.heard', { count: listeners })
      : t('stop.nobody');
  return (
    <ConfirmDialog
      title={t('stop.title', { channel: asked.channel_id })}
      consequence={consequence}
      isGrave={force}
      no={t('stop.keep')}
      yes={t(force ? 'stop.confirm_force' : 'stop.confirm')}
      onClose={onClose}
      onConfirm={() => onConfirm(force)}
    />
  );
}
