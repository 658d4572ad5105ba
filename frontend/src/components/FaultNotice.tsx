import { dispatch } from '@/data/store';
import type { Fault } from '@/data/wire';
import { useText } from '@/i18n';
import { Icon } from './Icon';

export function FaultNotice({ fault }: { fault: Fault }) {
  const { t } = useText();
  const unreadable = fault.code === 'unreadable_message';
  return (
    <div
      role="alert"
      className="flex items-start gap-2.5 rounded-xl border border-amber-line bg-amber-wash px-4 py-3 text-sm text-amber"
    >
      <span className="mt-0.5">
        <Icon name="alert" />
      </span>
      <p className="mr-auto leading-relaxed wrap-anywhere">
        {unreadable
          ? t('fault.unreadable', { detail: fault.message })
          : `${t('fault.title')}: ${fault.message} (${fault.code})`}
      </p>
      <button
        type="button"
        className="cursor-pointer rounded font-medium underline underline-offset-2"
        onClick={() => dispatch({ type: 'fault_dismissed', at: Date.now() })}
      >
        {t('fault.dismiss')}
      </button>
    </div>
  );
}
