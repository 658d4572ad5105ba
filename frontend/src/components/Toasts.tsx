import { useEffect, useState } from 'react';
import { Link } from 'wouter';
import { FROM_HERE, streamAddress } from '@/data/address';
import { dismiss, isSticky, type Notice, toneOf, useNotices } from '@/data/notices';
import { type Text, useText } from '@/i18n';
import { Icon } from './Icon';

const SHOWN_MS = 6_000;
/** More names than this nobody reads. */
const NAMES_SHOWN = 3;

const LOOKS = {
  good: ['border-line bg-card text-ink', 'check'],
  warning: ['border-amber-line bg-amber-wash text-amber', 'clock'],
  bad: ['border-red-line bg-red-wash text-red', 'alert'],
} as const;

/** What is told in passing, in a corner; bad news stays until it is dismissed. */
export function Toasts() {
  const { t } = useText();
  const notices = useNotices((board) => board.notices);
  return (
    <section
      aria-label={t('notice.title')}
      className="pointer-events-none fixed inset-x-3 bottom-3 z-20 flex flex-col items-end gap-2 sm:left-auto sm:w-96"
    >
      {/* There from the start: a live region that appears is not heard. */}
      <div role="status" className="contents">
        {notices.filter((notice) => !isSticky(notice)).map(toast)}
      </div>
      <div role="alert" className="contents">
        {notices.filter(isSticky).map(toast)}
      </div>
    </section>
  );
}

const toast = (notice: Notice) => <Toast key={notice.id} notice={notice} />;

function Toast({ notice }: { notice: Notice }) {
  const text = useText();
  const [held, setHeld] = useState(false);
  useEffect(() => {
    if (held || isSticky(notice)) return;
    const timer = setTimeout(() => dismiss(notice.id), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [notice, held]);
  const [look, icon] = LOOKS[toneOf(notice)];
  const [newest] = notice.channels.slice(-1);
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: nothing is done here, it only waits for its reader.
    <div
      className={`pointer-events-auto flex w-full items-start gap-2.5 rounded-xl border px-4 py-3 text-sm shadow-lg ${look}`}
      onPointerEnter={() => setHeld(true)}
      onPointerLeave={() => setHeld(false)}
      onFocus={() => setHeld(true)}
      onBlur={() => setHeld(false)}
    >
      <span className="mt-0.5">
        <Icon name={icon} />
      </span>
      <p className="min-w-0 grow leading-snug wrap-anywhere">
        {newest ? (
          <Link
            href={streamAddress(newest)}
            state={FROM_HERE}
            className="underline-offset-2 hover:underline"
          >
            {wordsOf(notice, text)}
          </Link>
        ) : (
          wordsOf(notice, text)
        )}
      </p>
      <button
        type="button"
        className="-m-1 cursor-pointer rounded p-1"
        aria-label={text.t('fault.dismiss')}
        onClick={() => dismiss(notice.id)}
      >
        <Icon name="close" />
      </button>
    </div>
  );
}

function wordsOf(notice: Notice, { t, lookUp, list, clock }: Text): string {
  const named = notice.channels.slice(-NAMES_SHOWN).reverse();
  const more = notice.channels.length - named.length;
  const channels = list(more > 0 ? [...named, t('notice.and_more', { count: more })] : named);
  switch (notice.kind) {
    case 'done': {
      const { action, endsAt, durable } = notice;
      const words =
        action === 'extend'
          ? endsAt
            ? t('notice.done.extend', { channels, time: clock(endsAt) })
            : t('notice.done.extend_held', { channels })
          : t(`notice.done.${action}`, { channels });
      return durable ? words : `${words}. ${t('notice.not_durable')}`;
    }
    case 'not_done': {
      const { code, detail = t('action.unreachable') } = notice;
      return t('notice.not_done', { channels, detail: lookUp(`refused.${code}`, detail) });
    }
    default:
      return t(`notice.${notice.kind}`, { channels });
  }
}
