import { memo } from 'react';
import { Link } from 'wouter';
import { FROM_HERE, streamAddress } from '@/data/address';
import { isOver } from '@/data/listing';
import type { Stream } from '@/data/store';
import type { Phase, Track } from '@/data/wire';
import { useText } from '@/i18n';
import { AutoEndStatus } from './AutoEndStatus';
import { Icon } from './Icon';
import { ListenerCount } from './ListenerCount';
import { StreamSparkline } from './Sparkline';
import { StreamActions } from './StreamActions';

/** What needs a person is seen from across the room. */
export const EDGES: Partial<Record<Phase, string>> = {
  counting: 'border-amber-line',
  frozen: 'border-amber-line',
  stop_failed: 'border-red-solid',
};

export const cardId = (channelId: string) => `stream-${encodeURIComponent(channelId)}`;

export interface Placed {
  stream: Stream;
  place: number;
  total: number;
}

/** Drawn again only when its own stream has changed. */
export const StreamCard = memo(function StreamCard({ stream, place, total }: Placed) {
  const { channel_id } = stream;
  const ended = isOver(stream);
  return (
    <article
      data-channel={channel_id}
      aria-label={channel_id}
      aria-posinset={place}
      aria-setsize={total}
      className={`card flex min-h-0 flex-col overflow-hidden ${ended ? 'bg-sunk text-soft' : (EDGES[stream.auto_end.phase] ?? '')}`}
    >
      <div className="flex min-h-0 grow flex-col px-4 pt-3 pb-2">
        <header className="flex items-center gap-2.5">
          <h3 className="min-w-0 grow truncate font-semibold" title={channel_id}>
            <StreamLink channelId={channel_id} />
          </h3>
          <StateBadge stream={stream} />
        </header>
        <NowPlaying track={stream.current_track} />
        <div className="mt-auto flex items-end gap-3">
          <ListenerCount stream={stream} />
          <div className="h-8 min-w-0 flex-1">
            <StreamSparkline channelId={channel_id} />
          </div>
          <QueueSize size={stream.queue_size} />
        </div>
      </div>
      {!ended && (
        <div className="flex h-13 shrink-0 border-t border-line">
          <AutoEndStatus autoEnd={stream.auto_end} />
          <StreamActions stream={stream} compact />
        </div>
      )}
    </article>
  );
});

export function StreamLink({ channelId }: { channelId: string }) {
  return (
    <Link
      id={cardId(channelId)}
      href={streamAddress(channelId)}
      state={FROM_HERE}
      className="rounded underline-offset-4 hover:underline"
    >
      {channelId}
    </Link>
  );
}

export function QueueSize({ size }: { size?: number }) {
  const { t, number } = useText();
  if (size === undefined) {
    return (
      <p className="text-sm whitespace-nowrap text-soft" title={t('stream.queue_unknown')}>
        <span className="sr-only">{t('stream.queue_unknown')}</span>
        <span aria-hidden="true">–</span>
      </p>
    );
  }
  return (
    <p className="text-sm whitespace-nowrap text-soft">
      <span className="font-semibold text-ink tabular-nums">{number(size)}</span>{' '}
      {t('stream.queue')}
    </p>
  );
}

export function StateBadge({ stream }: { stream: Stream }) {
  const { t, lookUp, moment } = useText();
  const ended = isOver(stream);
  const onAir = stream.state === 'live' && !ended;
  const label = ended ? t('stream.ended') : lookUp(`state.${stream.state}`, stream.state);
  const since =
    stream.started_at && t('stream.on_air_since', { time: moment(stream.started_at, Date.now()) });
  return (
    <span
      title={since || undefined}
      className={`inline-flex shrink-0 items-center gap-1.5 text-sm ${onAir ? 'text-jade' : 'text-soft'}`}
    >
      <span
        className={`size-2 rounded-full ${onAir ? 'bg-jade' : 'border-2 border-current'}`}
        aria-hidden="true"
      />
      {label}
    </span>
  );
}

export function NowPlaying({ track }: { track?: Track }) {
  const { t } = useText();
  if (!track) return <p className="truncate text-sm text-soft italic">{t('stream.no_track')}</p>;
  const { title, artist } = track;
  return (
    <p className="flex min-w-0 items-center gap-1.5 text-sm" title={[title, artist].join(' – ')}>
      <span className="text-soft">
        <Icon name="note" />
      </span>
      <span className="truncate">
        {title}
        {artist && <span className="text-soft"> – {artist}</span>}
      </span>
    </p>
  );
}
