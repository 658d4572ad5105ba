import { useState } from 'react';
import { signOut, useSession } from '@/data/session';
import { useText } from '@/i18n';

/** Who has signed in, and the way out; nothing where nobody has to. */
export function SignedIn() {
  const { t, lookUp } = useText();
  const { signed_in, name = '', role = '', may_view } = useSession();
  const [failed, setFailed] = useState(false);
  const [busy, setBusy] = useState(false);
  if (!signed_in) return null;

  async function leave() {
    if (busy) return;
    setBusy(true);
    setFailed(!(await signOut()));
    setBusy(false);
  }

  const who = { name, role: lookUp(`role.${role}`, role) };
  return (
    <div className="flex flex-col gap-2 border-t border-line pt-4">
      <div className="flex items-center justify-between gap-3">
        <p className="min-w-0 wrap-anywhere">
          {t(may_view ? 'session.who' : 'session.not_for_this', who)}
        </p>
        <button
          type="button"
          className="button shrink-0"
          aria-disabled={busy}
          onClick={() => void leave()}
        >
          {t('session.sign_out')}
        </button>
      </div>
      {failed && (
        <p role="alert" className="text-sm text-red">
          {t('session.not_out')}
        </p>
      )}
    </div>
  );
}
