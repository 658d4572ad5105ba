import { useId } from 'react';
import { Dialog } from './Dialog';

interface Props {
  title: string;
  /** What follows from a yes. */
  consequence: string;
  /** It hurts somebody, or may. */
  isGrave?: boolean;
  no: string;
  yes: string;
  onClose: () => void;
  /** False where it has to be asked again: the dialog stays. */
  onConfirm: () => unknown;
}

/** Asks before something is done that cannot be undone. */
export function ConfirmDialog(props: Props) {
  const { title, consequence, isGrave = false, no, yes, onClose, onConfirm } = props;
  const textId = useId();
  return (
    <Dialog title={title} describedBy={textId} onClose={onClose}>
      {(close) => (
        <>
          <p
            id={textId}
            aria-live="assertive"
            className={`mt-2 leading-relaxed ${isGrave ? 'text-red' : 'text-soft'}`}
          >
            {consequence}
          </p>
          <div className="mt-6 flex flex-wrap justify-end gap-2">
            {/* First, so that Enter on a dialog opened by mistake does no harm. */}
            <button type="button" className="button" onClick={close}>
              {no}
            </button>
            <button
              type="button"
              className="button button-solid-danger"
              // The second press of two may answer a question that nobody has read.
              onClick={({ detail }) => detail < 2 && onConfirm() !== false && close()}
            >
              {yes}
            </button>
          </div>
        </>
      )}
    </Dialog>
  );
}
