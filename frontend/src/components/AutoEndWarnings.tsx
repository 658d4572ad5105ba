import { Link } from 'wouter';
import { FROM_HERE, streamAddress } from '@/data/address';
import type { Stream, Warning } from '@/data/store';
import { useText } from '@/i18n';
import { StopFailure } from './AutoEndStatus';
import { Countdown } from './Countdown';
import { Icon } from './Icon';

/** More lines than this push the streams themselves off the screen. */
const SHOWN_AT_MOST = 6;

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
    <>
      <Spoken warnings={soon} failed={failed} />
      {lines.length > 0 && (
        <section aria-labelledby="warnings-title" className="flex flex-col gap-2">
          <h2 id="warnings-title" className="text-sm font-semibold text-soft">
            {t('warnings.title')}
          </h2>
          <ul className="grid gap-2 sm:grid-cols-2 xl:grid-cols-3">
            {lines.slice(0, SHOWN_AT_MOST)}
          </ul>
          {hidden > 0 && (
            <p className="text-sm text-soft">{t('warnings.more', { count: hidden })}</p>
          )}
        </section>
      )}
    </>
  );
}

/** Said once per warning, from places that are always there: a live region that appears is not heard. */
function Spoken({ warnings, failed }: { warnings: Warning[]; failed: Stream[] }) {
  const { t } = useText();
  return (
    <div className="sr-only">
      <div role="log" aria-live="polite" aria-relevant="additions text">
        {warnings.map(({ channel_id, seconds_remaining }) => (
          <p key={channel_id}>
            {t('warnings.spoken', { channel: channel_id, count: seconds_remaining })}
          </p>
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

function EndsSoon({ warning }: { warning: Warning }) {
  const { t } = useText();
  return (
    <li className="flex items-center gap-3 rounded-xl border border-amber-line bg-amber-wash px-4 py-2 text-sm text-amber">
      <Icon name="clock" />
      <div className="min-w-0 grow">
        <ToStream channelId={warning.channel_id} />
        <p>{t('warnings.ends_in')}</p>
      </div>
      <span className="text-2xl">
        <Countdown endsAt={warning.ends_at} />
      </span>
    </li>
  );
}

function FailedStop({ stream }: { stream: Stream }) {
  const { t } = useText();
  const { ends_at, reason } = stream.auto_end;
  return (
    <li className="flex items-center gap-3 rounded-xl border border-red-solid bg-red-solid px-4 py-2 text-sm text-white">
      <Icon name="alert" />
      <div className="min-w-0 grow">
        <ToStream channelId={stream.channel_id} />
        <p>
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
