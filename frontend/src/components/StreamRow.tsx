import { memo } from 'react';
import { AutoEndStatus } from './AutoEndStatus';
import { ListenerCount } from './ListenerCount';
import { StreamSparkline } from './Sparkline';
import { StreamActions } from './StreamActions';
import { EDGES, NowPlaying, type Placed, QueueSize, StateBadge, StreamLink } from './StreamCard';

/** The same as a card, in one line; in two where the page is narrow. */
export const StreamRow = memo(function StreamRow({ stream, place, total }: Placed) {
  const { channel_id, ended_ms } = stream;
  const ended = ended_ms !== undefined;
  return (
    <article
      data-channel={channel_id}
      aria-label={channel_id}
      aria-posinset={place}
      aria-setsize={total}
      className={`mb-1 grid grid-cols-[minmax(0,1fr)_auto] items-center gap-x-3 overflow-hidden rounded-lg border bg-card pl-3 xl:pl-4 [@media(min-width:60rem)]:grid-cols-[minmax(0,11rem)_minmax(0,1fr)_11rem_5.5rem_minmax(0,22rem)] ${ended ? 'border-line opacity-60' : (EDGES[stream.auto_end.phase] ?? 'border-line')}`}
    >
      <div className="flex min-w-0 items-center gap-2">
        <h3 className="min-w-0 grow truncate font-semibold" title={channel_id}>
          <StreamLink channelId={channel_id} />
        </h3>
        <StateBadge stream={stream} />
      </div>
      <div className="hidden min-w-0 [@media(min-width:60rem)]:block">
        <NowPlaying track={stream.current_track} />
      </div>
      <div className="flex min-w-0 items-center gap-3 pr-3 [@media(min-width:60rem)]:pr-0">
        <div className="hidden h-6 min-w-0 grow [@media(min-width:60rem)]:block">
          <StreamSparkline channelId={channel_id} />
        </div>
        <ListenerCount stream={stream} small />
      </div>
      <div className="hidden justify-self-end [@media(min-width:60rem)]:block">
        <QueueSize size={stream.queue_size} />
      </div>
      <div className="col-span-full flex h-9 min-w-0 border-t border-line [@media(min-width:60rem)]:col-span-1 [@media(min-width:60rem)]:h-full [@media(min-width:60rem)]:border-t-0 [@media(min-width:60rem)]:border-l">
        {!ended && <AutoEndStatus autoEnd={stream.auto_end} />}
        {!ended && <StreamActions stream={stream} compact />}
      </div>
    </article>
  );
});
