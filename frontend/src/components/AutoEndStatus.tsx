import type { AutoEnd, Phase } from '@/data/wire';
import { useText } from '@/i18n';
import { Countdown, Duration } from './Countdown';
import { Icon, type IconName } from './Icon';

const CALM = 'text-soft';
const ATTENTION = 'text-amber bg-amber-wash';
const LOOKS: Record<Phase, [look: string, icon: IconName]> = {
  off: [CALM, 'off'],
  watching: [CALM, 'eye'],
  paused: [CALM, 'pause'],
  unknown: [CALM, 'question'],
  frozen: [ATTENTION, 'question'],
  counting: [ATTENTION, 'clock'],
  stopping: [ATTENTION, 'stop'],
  stop_failed: ['text-white bg-red-solid', 'alert'],
};

interface Props {
  autoEnd: AutoEnd;
}

/** What the daemon will do to this stream by itself, and when. */
export function AutoEndStatus({ autoEnd }: Props) {
  const { t, lookUp } = useText();
  const { phase, ends_at, remaining_seconds, reason, dry_run } = autoEnd;
  const [look, icon] = LOOKS[phase];
  const failed = phase === 'stop_failed';
  return (
    <div className={`flex min-w-0 grow items-center gap-2 px-3 text-xs ${look}`}>
      <Icon name={icon} />
      <p className="line-clamp-2 grow leading-tight">
        {failed ? (
          <StopFailure reason={reason} />
        ) : dry_run && phase === 'counting' ? (
          t('phase.counting.dry')
        ) : (
          lookUp(`phase.${phase}.${reason}`, t(`phase.${phase}`))
        )}
        {failed && ends_at && `. ${t('warnings.retry_in')}`}
      </p>
      <span className="text-base">
        {ends_at && (phase === 'counting' || failed) ? (
          <Countdown endsAt={ends_at} />
        ) : phase === 'frozen' && remaining_seconds !== undefined ? (
          <Duration seconds={remaining_seconds} />
        ) : null}
      </span>
    </div>
  );
}

/** Why the countdown once began says nothing here; why the stop failed does. */
const WHY_IT_COUNTED = new Set(['never_joined', 'all_left', 'operator', 'stop_failed']);

export function StopFailure({ reason }: { reason?: string }) {
  const { t, lookUp } = useText();
  const why = reason && !WHY_IT_COUNTED.has(reason) && lookUp(`failure.${reason}`, reason);
  return why ? `${t('phase.stop_failed')} (${why})` : t('phase.stop_failed');
}
