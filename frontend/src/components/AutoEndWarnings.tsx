import { Link } from 'wouter';
import { FROM_HERE, streamAddress } from '@/data/address';
import type { Stream, Warning } from '@/data/store';
import { useText } from '@/i18n';
import { StopFailure } from './AutoEndStatus';
import { Countdown } from './Countdown';
import { Icon } from './Icon';

/** Nobody looks further; how many more there are is told. */
const SHOWN_AT_MOST = 12;

interface Props {
  warnings: Warning[];
  streams: Stream[];
}

export function AutoEndWarnings({ warnings, streams }: Props) {
  const { t } = useText();
  const failed = streams.filter((s) => s.auto_end.phase === 'stop_failed' && !s.ended_ms);
  // The next try after a failed stop is warned of too; the failure already says so, louder.
  const soon = warnings.filter((w) => !failed.some((s) => s.channel_id === w.channel_id));
  const lines = [
    ...failed.map((stream) => <FailedStop key={stream.channel_id} stream={stream} />),
    ...soon.map((warning) => <EndsSoon key={warning.channel_id} warning={warning} />),
  ];
  const hidden = lines.length - SHOWN_AT_MOST;
  return (
    <section
      aria-labelledby="warnings-title"
      // Always there and always as high: what stands below must not jump as warnings come and go.
      className="flex h-14 min-w-0"
    >
      <h2 id="warnings-title" className="sr-only">
        {t('warnings.title')}
      </h2>
      <Spoken warnings={soon} failed={failed} />
      {lines.length === 0 ? (
        <p className="flex grow items-center gap-2.5 rounded-xl border border-dashed border-line px-4 text-sm text-soft">
          <Icon name="check" />
          {t('warnings.none')}
        </p>
      ) : (
        <ul className="-mx-1 -my-1 flex min-w-0 grow gap-2 overflow-x-auto p-1">
          {lines.slice(0, SHOWN_AT_MOST)}
          {hidden > 0 && (
            <li className="flex shrink-0 items-center px-2 text-sm whitespace-nowrap text-soft">
              {t('warnings.more', { count: hidden })}
            </li>
          )}
        </ul>
      )}
    </section>
  );
}

/** Said once per warning, from places that are always there: a live region that appears is not heard. */
function Spoken({ warnings, failed }: { warnings: Warning[]; failed: Stream[] }) {
  const { t } = useText();
  return (
    <div className="sr-only">
      <div role="log" aria-live="polite" aria-relevant="additions text">
        {warnings.map((warning) => (
          <SpokenWarning key={warning.channel_id} warning={warning} />
        ))}
      </div>
      <div aria-live="assertive">
        {failed.map(({ channel_id }) => (
          <p key={channel_id}>{`${channel_id}: ${t('phase.stop_failed')}`}</p>
        ))}
      </div>
    </div>
  );
}

function SpokenWarning({ warning }: { warning: Warning }) {
  const { t, duration } = useText();
  const { channel_id, seconds_remaining, dry_run } = warning;
  return (
    <p>
      {dry_run
        ? `${channel_id}: ${t('phase.counting.dry')} ${duration(seconds_remaining)}`
        : t('warnings.spoken', { channel: channel_id, count: seconds_remaining })}
    </p>
  );
}

function EndsSoon({ warning }: { warning: Warning }) {
  const { t } = useText();
  return (
    <li className="flex max-w-sm min-w-60 flex-1 items-center gap-3 rounded-xl border border-amber-line bg-amber-wash px-3.5 text-sm leading-tight text-amber">
      <Icon name="clock" />
      <div className="min-w-0 grow">
        <ToStream channelId={warning.channel_id} />
        <p className="truncate">{t(warning.dry_run ? 'phase.counting.dry' : 'warnings.ends_in')}</p>
      </div>
      <span className="text-xl">
        <Countdown endsAt={warning.ends_at} />
      </span>
    </li>
  );
}

function FailedStop({ stream }: { stream: Stream }) {
  const { t } = useText();
  const { ends_at, reason } = stream.auto_end;
  return (
    <li className="flex max-w-sm min-w-60 flex-1 items-center gap-3 rounded-xl border border-red-solid bg-red-solid px-3.5 text-sm leading-tight text-white">
      <Icon name="alert" />
      <div className="min-w-0 grow">
        <ToStream channelId={stream.channel_id} />
        <p className="truncate">
          <StopFailure reason={reason} />
        </p>
      </div>
      {ends_at && (
        <span className="text-right">
          <span className="block text-xs">{t('warnings.retry_in')}</span>
          <span className="text-xl">
            <Countdown endsAt={ends_at} />
          </span>
        </span>
      )}
    </li>
  );
}

function ToStream({ channelId }: { channelId: string }) {
  return (
    <Link
      href={streamAddress(channelId)}
      state={FROM_HERE}
      className="block truncate rounded font-semibold underline-offset-2 outline-current hover:underline"
    >
      {channelId}
    </Link>
  );
}
