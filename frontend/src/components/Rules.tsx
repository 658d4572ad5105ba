import type { Policy } from '@/data/explanation';
import { useText } from '@/i18n';

/** By which rules auto-end decides about one stream. */
export function Rules({ policy }: { policy: Policy }) {
  const { t, duration, list } = useText();
  const { enabled, dry_run, timeout_seconds, never_joined_timeout_seconds, warning_seconds } =
    policy;
  if (!enabled) return <p className="text-sm text-soft">{t('detail.policy_off')}</p>;
  const timeout = duration(timeout_seconds);
  return (
    <div className="flex flex-col gap-1 text-sm text-soft">
      <p>{t('detail.policy_on', { timeout, warnings: list(warning_seconds.map(String)) })}</p>
      {never_joined_timeout_seconds !== undefined &&
        never_joined_timeout_seconds !== timeout_seconds && (
          <p>
            {t('detail.policy_never_joined', { timeout: duration(never_joined_timeout_seconds) })}
          </p>
        )}
      {dry_run && <p className="text-amber">{t('detail.policy_dry')}</p>}
    </div>
  );
}
