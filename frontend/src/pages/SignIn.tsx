import { type FormEvent, useId, useState } from 'react';
import { Logo } from '@/components/Logo';
import { type Refusal, signIn, signOut, useSession } from '@/data/session';
import { useText } from '@/i18n';

/** In place of everything else, where the daemon wants to know who looks. */
export function SignIn() {
  const { t } = useText();
  const { signed_in, name, role } = useSession();
  const [token, setToken] = useState('');
  const [busy, setBusy] = useState(false);
  const [refusal, setRefusal] = useState<Refusal>();
  const fieldId = useId();
  const errorId = useId();

  async function submit(event: FormEvent) {
    event.preventDefault();
    if (busy || token.trim() === '') return;
    setBusy(true);
    setRefusal(await signIn(token.trim()));
    setBusy(false);
  }

  return (
    <main className="flex min-h-dvh items-center justify-center p-4">
      <div className="card w-full max-w-md p-6 sm:p-8">
        <div className="flex items-center gap-3">
          <Logo />
          <h1 className="text-xl font-semibold">{t('page.title')}</h1>
        </div>
        {signed_in && (
          <div className="mt-5 flex items-center justify-between gap-3">
            <p>{t('session.not_for_this', { name: name ?? '', role: role ?? '' })}</p>
            <button type="button" className="button shrink-0" onClick={() => void signOut()}>
              {t('session.sign_out')}
            </button>
          </div>
        )}
        <form className="mt-5 flex flex-col gap-4" onSubmit={submit}>
          <label htmlFor={fieldId} className="flex flex-col gap-1.5">
            <span>{t('session.token')}</span>
            <input
              id={fieldId}
              type="password"
              name="token"
              autoComplete="current-password"
              spellCheck={false}
              // biome-ignore lint/a11y/noAutofocus: there is nothing else on this page.
              autoFocus
              required
              value={token}
              aria-invalid={refusal !== undefined}
              aria-describedby={refusal ? errorId : undefined}
              className="field min-h-11 w-full"
              onChange={({ target }) => setToken(target.value)}
            />
          </label>
          {refusal && (
            <p id={errorId} role="alert" className="text-red">
              {t(`session.refused.${refusal.why}`, {
                seconds: 'seconds' in refusal ? refusal.seconds : 0,
                detail: 'detail' in refusal ? refusal.detail : '',
              })}
            </p>
          )}
          <button type="submit" className="button button-solid min-h-11" aria-disabled={busy}>
            {t('session.sign_in')}
          </button>
        </form>
        <p className="mt-5 text-sm text-soft">{t('session.where')}</p>
        <code className="mt-2 block overflow-x-auto rounded bg-sunk px-3 py-2 text-sm">
          sattva-monitor token create --name anna --role viewer
        </code>
      </div>
    </main>
  );
}
