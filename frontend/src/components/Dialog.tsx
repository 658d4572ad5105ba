import { type ReactNode, useEffect, useId, useRef } from 'react';

interface Props {
  title: string;
  describedBy?: string;
  onClose: () => void;
  children: (close: () => void) => ReactNode;
}

/** A question or a form above the page; Escape, a press beside it and `close` end it. */
export function Dialog({ title, describedBy, onClose, children }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  useEffect(() => {
    if (!dialog.current?.open) dialog.current?.showModal();
  }, []);
  // Closed, not just taken away: only then does the browser give the focus back to the button.
  const close = () => dialog.current?.close();
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Escape closes it, that is the dialog's own.
    <dialog
      ref={dialog}
      aria-labelledby={titleId}
      aria-describedby={describedBy}
      onClose={onClose}
      onClick={(event) => event.target === dialog.current && close()}
      className="card m-auto w-[min(26rem,calc(100vw-2rem))] text-ink shadow-2xl"
    >
      <div className="p-6">
        <h2 id={titleId} className="text-lg font-semibold wrap-anywhere">
          {title}
        </h2>
        {children(close)}
      </div>
    </dialog>
  );
}
