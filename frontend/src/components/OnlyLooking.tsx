import { useSession } from '@/data/session';
import { useText } from '@/i18n';
import { Icon } from './Icon';

/** A quiet word to whoever misses the buttons. */
export function OnlyLooking() {
  const { t } = useText();
  const mayOperate = useSession((session) => session.may_operate);
  if (mayOperate) return null;
  return (
    <p
      title={t('session.viewer_long')}
      className="inline-flex items-center gap-1.5 text-sm whitespace-nowrap text-soft"
    >
      <Icon name="eye" />
      {t('session.viewer')}
    </p>
  );
}
