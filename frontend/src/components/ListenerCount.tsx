import type { Stream } from '@/data/store';
import { useText } from '@/i18n';

/** A count that is not known is never a plain number: "? (last known 3)". */
export function ListenerCount({ stream }: { stream: Stream }) {
  const { t, number } = useText();
  const { listeners, listeners_known } = stream;
  if (listeners_known && listeners !== undefined) {
    return (
      <p>
        <span className="text-4xl leading-none font-semibold tracking-tight tabular-nums">
          {number(listeners)}
        </span>{' '}
        <span className="text-sm text-soft">{t('stream.listeners', { count: listeners })}</span>
      </p>
    );
  }
  return (
    <p>
      <span className="text-4xl leading-none font-semibold text-amber" aria-hidden="true">
        ?
      </span>{' '}
      <span className="sr-only">{t('stream.listeners_unknown')}</span>
      {listeners !== undefined && (
        <span className="text-sm text-soft">{t('stream.last_known', { count: listeners })}</span>
      )}
    </p>
  );
}
