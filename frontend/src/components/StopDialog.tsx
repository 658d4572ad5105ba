import { useId, useState } from 'react';
import type { Stream } from '@/data/store';
import { useText } from '@/i18n';
import { Dialog } from './Dialog';

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
  const textId = useId();

  const { listeners, listeners_known } = asked;
  const known = listeners_known && listeners !== undefined;
  const force = !known || listeners > 0;
  const consequence = !known
    ? t('stop.unknown')
    : listeners > 0
      ? t('stop.heard', { count: listeners })
      : t('stop.nobody');

  return (
    <Dialog
      title={t('stop.title', { channel: asked.channel_id })}
      describedBy={textId}
      onClose={onClose}
    >
      {(close) => (
        <>
          <p id={textId} className={`mt-2 leading-relaxed ${force ? 'text-red' : 'text-soft'}`}>
            {consequence}
          </p>
          <div className="mt-6 flex flex-wrap justify-end gap-2">
            {/* First, so that Enter on a dialog opened by mistake does no harm. */}
            <button type="button" className="button" onClick={close}>
              {t('stop.keep')}
            </button>
            <button
              type="button"
              className="button button-solid-danger"
              onClick={() => {
                onConfirm(force);
                close();
              }}
            >
              {t(force ? 'stop.confirm_force' : 'stop.confirm')}
            </button>
          </div>
        </>
      )}
    </Dialog>
  );
}
