import { useId } from 'react';
import { useText } from '@/i18n';
import { Dialog } from './Dialog';

interface Props {
  source: string;
  onClose: () => void;
  onConfirm: () => void;
}

/** Asks before a source leaves a stream's sum: with the last one unheard, its stream may then be ended. */
export function ForgetDialog({ source, onClose, onConfirm }: Props) {
  const { t } = useText();
  const textId = useId();
  return (
    <Dialog title={t('forget.title', { source })} describedBy={textId} onClose={onClose}>
      {(close) => (
        <>
          <p id={textId} className="mt-2 leading-relaxed text-soft">
            {t('forget.text')}
          </p>
          <div className="mt-6 flex flex-wrap justify-end gap-2">
            <button type="button" className="button" onClick={close}>
              {t('forget.keep')}
            </button>
            <button
              type="button"
              className="button button-solid-danger"
              onClick={() => {
                onConfirm();
                close();
              }}
            >
              {t('action.forget')}
            </button>
          </div>
        </>
      )}
    </Dialog>
  );
}
