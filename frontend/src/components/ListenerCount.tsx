import type { Stream } from '@/data/store';
import { useText } from '@/i18n';

interface Props {
  stream: Stream;
  small?: boolean;
}

/** A count that is not known is never a plain number: "? (last known 3)". */
export function ListenerCount({ stream, small }: Props) {
  const { t, number } = useText();
  const { listeners, listeners_known } = stream;
  const size = small ? 'text-lg' : 'text-3xl';
  if (listeners_known && listeners !== undefined) {
    return (
      <p className="whitespace-nowrap">
        <span className={`leading-none font-semibold tracking-tight tabular-nums ${size}`}>
          {number(listeners)}
        </span>{' '}
        <span className={small ? 'sr-only' : 'text-sm text-soft'}>
          {t('stream.listeners', { count: listeners })}
        </span>
      </p>
    );
  }
  return (
    <p className="whitespace-nowrap">
      <span className={`leading-none font-semibold text-amber ${size}`} aria-hidden="true">
        ?
      </span>{' '}
      <span className="sr-only">{t('stream.listeners_unknown')}</span>
      {listeners !== undefined && (
        <span className="text-sm text-soft">{t('stream.last_known', { count: listeners })}</span>
      )}
    </p>
  );
}
