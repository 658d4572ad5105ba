import { useState } from 'react';
import { useSession } from '@/data/session';
import { useText } from '@/i18n';

/** Who may report, where the daemon wants to know. */
const MAKE_A_TOKEN = 'sattva-monitor token create --name my-radio --role streamer';

/** The empty page teaches: one command, and the first stream is here. */
export function FirstStreamer() {
  const { t } = useText();
  const [copied, setCopied] = useState(false);
  const address = `${window.location.origin}/api/v1/streams/my-radio/listeners`;
  const needsToken = useSession((session) => session.required);
  const shown = needsToken ? `-H 'authorization: Bearer sattva_…' ` : '';
  const command = `curl -X POST ${shown}-H 'content-type: application/json' -d '{"listeners_count": 3}' ${address}`;

  async function copy() {
    await navigator.clipboard.writeText(command);
    setCopied(true);
  }

  return (
    <section
      aria-labelledby="empty-title"
      className="card flex flex-col gap-3 px-5 py-8 sm:px-8 sm:py-10"
    >
      <h2 id="empty-title" className="text-lg font-semibold tracking-tight">
        {t('empty.title')}
      </h2>
      <p className="max-w-prose leading-relaxed text-soft">{t('empty.lead')}</p>
      <div className="flex flex-col gap-3 rounded-xl border border-line bg-sunk p-4 sm:flex-row sm:items-center">
        <code className="grow font-mono text-sm leading-relaxed wrap-anywhere">{command}</code>
        {/* Browsers give no clipboard to a page without TLS, except on localhost. */}
        {'clipboard' in navigator && (
          <button type="button" className="button" onClick={copy}>
            <span aria-live="polite">{t(copied ? 'empty.copied' : 'empty.copy')}</span>
          </button>
        )}
      </div>
      {needsToken && (
        <p className="max-w-prose text-sm leading-relaxed text-soft">
          {t('empty.token')} <code className="font-mono wrap-anywhere">{MAKE_A_TOKEN}</code>
        </p>
      )}
      <p className="max-w-prose text-sm leading-relaxed text-soft">{t('empty.next')}</p>
    </section>
  );
}
