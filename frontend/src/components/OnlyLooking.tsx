import { useSession } from '@/data/session';
import { useText } from '@/i18n';
import { Icon } from './Icon';

/** A quiet word to whoever misses the buttons; on a phone the eye alone. */
export function OnlyLooking() {
  const { t } = useText();
  const mayOperate = useSession((session) => session.may_operate);
  if (mayOperate) return null;
  return (
    <p
      title={t('session.viewer_long')}
      className="inline-flex items-center gap-1.5 rounded-full bg-sunk px-2.5 py-1.5 text-sm text-soft"
    >
      <Icon name="eye" />
      <span className="sr-only md:not-sr-only">{t('session.viewer')}</span>
    </p>
  );
}
