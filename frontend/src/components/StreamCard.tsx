import { memo } from 'react';
import type { Stream } from '@/data/store';
import type { Phase, Track } from '@/data/wire';
import { useText } from '@/i18n';
import { AutoEndStatus } from './AutoEndStatus';
import { ListenerCount } from './ListenerCount';
import { StreamActions } from './StreamActions';

/** What needs a person is seen from across the room. */
const EDGES: Partial<Record<Phase, string>> = {
  counting: 'border-amber-line',
  frozen: 'border-amber-line',
  stop_failed: 'border-red-solid',
};

export const cardId = (channelId: string) => `stream-${encodeURIComponent(channelId)}`;

/** Drawn again only when its own stream has changed. */
export const StreamCard = memo(function StreamCard({ stream }: { stream: Stream }) {
  const { t, number } = useText();
  const { channel_id, queue_size, ended_ms } = stream;
  const ended = ended_ms !== undefined;
  return (
    <li
      id={cardId(channel_id)}
      className={`card flex scroll-mt-4 flex-col target:outline-2 target:outline-jade ${ended ? 'opacity-60' : (EDGES[stream.auto_end.phase] ?? '')}`}
    >
      <article aria-label={channel_id} className="flex grow flex-col border-inherit">
        <div className="flex grow flex-col gap-4 p-5">
          <header className="flex items-center gap-2.5">
            <h3 className="min-w-0 grow truncate font-semibold" title={channel_id}>
              {channel_id}
            </h3>
            <StateBadge stream={stream} />
          </header>
          <NowPlaying track={stream.current_track} />
          <div className="mt-auto flex flex-wrap items-baseline justify-between gap-x-6 gap-y-1">
            <ListenerCount stream={stream} />
            {queue_size === undefined ? (
              <p className="text-sm text-soft">{t('stream.queue_unknown')}</p>
            ) : (
              <p className="text-sm text-soft">
                <span className="text-lg font-semibold text-ink tabular-nums">
                  {number(queue_size)}
                </span>{' '}
                {t('stream.queue')}
              </p>
            )}
          </div>
        </div>
        {!ended && <AutoEndStatus autoEnd={stream.auto_end} />}
        {!ended && <StreamActions stream={stream} />}
      </article>
    </li>
  );
});

function StateBadge({ stream }: { stream: Stream }) {
  const { t, lookUp, clock } = useText();
  const ended = stream.ended_ms !== undefined;
  const onAir = stream.state === 'live' && !ended;
  const label = ended ? t('stream.ended') : lookUp(`state.${stream.state}`, stream.state);
  const since = stream.started_at && t('stream.on_air_since', { time: clock(stream.started_at) });
  return (
    <span
      title={since || undefined}
      className={`inline-flex items-center gap-1.5 text-sm ${onAir ? 'text-jade' : 'text-soft'}`}
    >
      <span
        className={`size-2 rounded-full ${onAir ? 'bg-jade' : 'border-2 border-current'}`}
        aria-hidden="true"
      />
      {label}
    </span>
  );
}

function NowPlaying({ track }: { track?: Track }) {
  const { t } = useText();
  if (!track) return <p className="min-h-11 text-sm text-soft italic">{t('stream.no_track')}</p>;
  return (
    <p className="min-h-11">
      <span className="block truncate" title={track.title}>
        {track.title}
      </span>
      {track.artist && (
        <span className="block truncate text-sm text-soft" title={track.artist}>
          {track.artist}
        </span>
      )}
    </p>
  );
}
