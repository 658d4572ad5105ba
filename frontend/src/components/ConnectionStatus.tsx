import { useText } from '@/i18n';
import { Icon } from './Icon';

interface Props {
  isConnected: boolean;
  staleSince?: number;
}

export function ConnectionStatus({ isConnected, staleSince }: Props) {
  const { t, clock } = useText();
  const [look, dot, label] = isConnected
    ? ['text-jade bg-jade-wash', 'bg-jade', t('connection.live')]
    : staleSince === undefined
      ? ['text-soft bg-sunk', 'bg-soft animate-pulse', t('connection.connecting')]
      : [
          'text-red bg-red-wash',
          'bg-red animate-pulse',
          t('connection.lost', { time: clock(staleSince) }),
        ];
  return (
    <p
      role="status"
      className={`inline-flex items-center gap-2 rounded-full px-3 py-1.5 text-sm font-medium tabular-nums ${look}`}
    >
      <span
        className={`size-2 rounded-full motion-reduce:animate-none ${dot}`}
        aria-hidden="true"
      />
      {label}
    </p>
  );
}

/** The long form of bad news, with what to do; nothing while all is well. */
export function ConnectionNotice({ isConnected, staleSince }: Props) {
  const { t, clock } = useText();
  if (isConnected) return null;
  const lost = staleSince !== undefined;
  return (
    <aside
      className={`flex items-start gap-2.5 rounded-xl border px-4 py-3 text-sm leading-relaxed ${lost ? 'border-red-line bg-red-wash text-red' : 'border-line bg-sunk text-soft'}`}
    >
      <span className="mt-0.5">
        <Icon name={lost ? 'alert' : 'clock'} />
      </span>
      {lost
        ? t('connection.stale', { time: clock(staleSince) })
        : t('connection.never', { host: window.location.host })}
    </aside>
  );
}
