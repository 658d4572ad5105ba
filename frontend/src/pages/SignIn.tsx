import { type FormEvent, useEffect, useId, useRef, useState } from 'react';
import { Icon } from '@/components/Icon';
import { Logo } from '@/components/Logo';
import { SignedIn } from '@/components/SignedIn';
import { type Refusal, signIn } from '@/data/session';
import { useText } from '@/i18n';

/** What makes a token; the command line speaks one language. */
const COMMAND = 'sattva-monitor token create --name NAME --role viewer';

/** In place of everything else, where the daemon wants to know who looks. */
export function SignIn() {
  const { t } = useText();
  const [token, setToken] = useState('');
  const [busy, setBusy] = useState(false);
  const [refusal, setRefusal] = useState<Refusal>();
  const field = useRef<HTMLInputElement>(null);
  const fieldId = useId();
  const errorId = useId();
  useEffect(() => {
    // What the title counted is not to be seen any more.
    document.title = t('page.title');
  }, [t]);

  async function submit(event: FormEvent) {
    event.preventDefault();
    if (busy || token.trim() === '') return;
    setBusy(true);
    const refused = await signIn(token.trim());
    setRefusal(refused);
    setBusy(false);
    // Whoever mistyped types it anew.
    if (refused) field.current?.select();
  }

  return (
    <main className="flex min-h-dvh items-center justify-center p-4">
      <div className="card flex w-full max-w-lg flex-col gap-6 p-6 sm:p-8">
        <header className="flex items-center gap-3">
          <Logo />
          <div>
            <h1 className="text-lg leading-tight font-semibold tracking-tight">
              {t('page.title')}
            </h1>
            <p className="text-sm text-soft">{t('page.subtitle')}</p>
          </div>
        </header>
        <SignedIn />
        <form className="flex flex-col gap-4" onSubmit={submit}>
          <div>
            <label htmlFor={fieldId} className="flex flex-col gap-1.5">
              <span className="text-sm font-medium">{t('session.token')}</span>
              <input
                ref={field}
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
                aria-describedby={refusal && errorId}
                className="field min-h-11 w-full font-mono text-base"
                onChange={({ target }) => {
                  setToken(target.value);
                  setRefusal(undefined);
                }}
              />
            </label>
            {/* There from the start: an alert that appears with its words is not always heard. */}
            <div id={errorId} role="alert">
              {refusal && (
                <p className="mt-2 flex items-start gap-2 rounded-lg border border-red-line bg-red-wash px-3 py-2 text-sm leading-snug text-red">
                  <span className="mt-0.5">
                    <Icon name="alert" />
                  </span>
                  <span className="wrap-anywhere">
                    {t(`session.refused.${refusal.why}`, {
                      seconds: 'seconds' in refusal ? refusal.seconds : 0,
                      detail: 'detail' in refusal ? refusal.detail : '',
                    })}
                  </span>
                </p>
              )}
            </div>
          </div>
          <button type="submit" className="button button-solid min-h-11" aria-disabled={busy}>
            {t('session.sign_in')}
          </button>
        </form>
        <div className="flex flex-col gap-2 border-t border-line pt-5">
          <p className="text-sm leading-relaxed text-soft">{t('session.where')}</p>
          <code className="block rounded-lg bg-sunk px-3 py-2 font-mono text-xs leading-relaxed wrap-anywhere">
            {COMMAND}
          </code>
        </div>
      </div>
    </main>
  );
}
