import { Link, useLocation } from 'wouter';
import { AutoEndStatus } from '@/components/AutoEndStatus';
import { Commands } from '@/components/Commands';
import { Evidence } from '@/components/Evidence';
import { Icon } from '@/components/Icon';
import { Journal } from '@/components/Journal';
import { ListenerCount } from '@/components/ListenerCount';
import { PageFrame } from '@/components/PageFrame';
import { StreamReport } from '@/components/ReportCard';
import { Rules } from '@/components/Rules';
import { Said } from '@/components/Said';
import { pressByKey, StreamActions } from '@/components/StreamActions';
import { EDGES, NowPlaying, QueueSize, StateBadge } from '@/components/StreamCard';
import { Timeline } from '@/components/Timeline';
import { cameFromHere, LIST } from '@/data/address';
import { isOver } from '@/data/listing';
import { type Stream as Known, useMonitorStore } from '@/data/store';
import type { StreamState } from '@/data/wire';
import { useExplanation } from '@/hooks/useExplanation';
import { useKeys } from '@/hooks/useKeys';
import { useNow } from '@/hooks/useNow';
import { useText } from '@/i18n';

/** One stream: what it is, why it does or does not count down, and what has been decided about it. */
export function Stream({ channelId }: { channelId: string }) {
  const { t } = useText();
  const { isConnected, staleSince, error } = useMonitorStore();
  const stream = useMonitorStore((state) => state.streams[channelId]);
  const { explanation, gone, failure } = useExplanation(channelId, stream?.auto_end);
  const now = useNow();
  const goBack = useWayBack();
  const press = (key: string) => () => pressByKey(key, document.querySelector('main'));
  useKeys({
    Escape: goBack,
    p: press('p'),
    e: press('e'),
    a: press('a'),
    s: press('s'),
  });
  const shown = stream ?? lastKnown(explanation?.state, isConnected);
  const decisions = explanation?.decisions ?? [];

  return (
    <PageFrame isConnected={isConnected} staleSince={staleSince} error={error}>
      <nav>
        <Link
          href={LIST}
          className="inline-flex items-center gap-1.5 rounded text-sm text-soft underline-offset-4 hover:underline"
          onClick={(event) => {
            event.preventDefault();
            goBack();
          }}
        >
          <Icon name="back" />
          {t('page.back')}
        </Link>
      </nav>
      {gone && !stream && (
        <Missing title={t(explanation ? 'detail.gone' : 'detail.never', { channel: channelId })} />
      )}
      {failure !== undefined && (
        <p
          role="alert"
          className="rounded-xl border border-amber-line bg-amber-wash px-4 py-3 text-sm text-amber"
        >
          {t('detail.unexplained', { detail: failure })}
        </p>
      )}
      <div
        className={`grid items-start gap-4 ${shown ? 'lg:grid-cols-[minmax(0,24rem)_minmax(0,1fr)]' : ''}`}
      >
        <div className="flex min-w-0 flex-col gap-4 empty:hidden">
          {shown && <Now stream={shown} now={now} />}
          {explanation && (
            <section aria-labelledby="why-title" className="card flex flex-col gap-2 p-4">
              <h2 id="why-title" className="font-semibold">
                {t('detail.why')}
              </h2>
              <p className="leading-relaxed">
                <Said sentence={explanation.why} />
              </p>
              <Rules policy={explanation.auto_end.policy} />
            </section>
          )}
        </div>
        <div className="flex min-w-0 flex-col gap-4">
          <Timeline channelId={channelId} stream={stream} decisions={decisions} />
          <StreamReport channelId={channelId} />
          {explanation && <Evidence channelId={channelId} reporters={explanation.evidence} />}
          {explanation && <Commands commands={explanation.commands} now={now} />}
          {explanation?.journal_error && (
            <p role="alert" className="card border-amber-line px-4 py-3 text-sm text-amber">
              {t('detail.journal_failed', { detail: explanation.journal_error })}
            </p>
          )}
          {explanation && <Journal decisions={decisions} now={now} />}
        </div>
      </div>
    </PageFrame>
  );
}

/**
 * Live messages are newer than an answer, but tell nothing of what has ended. An answer does for a day; while
 * we are connected, what is not live is over.
 */
function lastKnown(state: StreamState | undefined, isConnected: boolean): Known | undefined {
  return isConnected && state ? { ...state, state: 'stopped' } : state;
}

function Now({ stream, now }: { stream: Known; now: number }) {
  const { t, uptime } = useText();
  const { channel_id, started_at, sources, session, auto_end } = stream;
  const ended = isOver(stream);
  return (
    <section
      aria-labelledby="stream-title"
      className={`card overflow-hidden ${EDGES[auto_end.phase] ?? ''}`}
    >
      <div className="flex flex-col gap-3 p-4">
        <div className="flex items-start gap-3">
          <h2 id="stream-title" className="grow text-xl font-semibold tracking-tight wrap-anywhere">
            {channel_id}
          </h2>
          <span className="mt-1">
            <StateBadge stream={stream} />
          </span>
        </div>
        <NowPlaying track={stream.current_track} />
        <div className="flex items-end justify-between gap-4">
          <ListenerCount stream={stream} />
          <QueueSize size={stream.queue_size} />
        </div>
        <dl className="grid grid-cols-[auto_minmax(0,1fr)] gap-x-4 gap-y-1 text-sm">
          <dt className="text-soft">{t('detail.sources')}</dt>
          <dd className="wrap-anywhere">{sources.join(', ') || '–'}</dd>
          <dt className="text-soft">{t('detail.session')}</dt>
          <dd className="truncate" title={session}>
            {session ?? '–'}
          </dd>
        </dl>
        {started_at && !ended && (
          <p className="text-sm text-soft">
            {t('detail.on_air', {
              duration: uptime(Math.max(0, (now - Date.parse(started_at)) / 1000)),
            })}
          </p>
        )}
      </div>
      {!ended && (
        <div className="flex min-h-12 border-t border-line py-1.5">
          <AutoEndStatus autoEnd={auto_end} />
        </div>
      )}
      {!ended && (
        <div className="border-t border-line p-3">
          <StreamActions stream={stream} />
        </div>
      )}
    </section>
  );
}

function Missing({ title }: { title: string }) {
  const { t } = useText();
  return (
    <section className="card flex flex-col gap-2 px-5 py-8 text-center">
      <h2 className="text-lg font-semibold wrap-anywhere">{title}</h2>
      <p className="text-soft">{t('detail.gone_hint')}</p>
    </section>
  );
}

/** Back to the list as it was left, filters and place; to a plain one for who came straight here. */
function useWayBack(): () => void {
  const [, goTo] = useLocation();
  return () => {
    if (cameFromHere()) window.history.back();
    else goTo(LIST);
  };
}
