import { memo } from 'react';
import { isOver } from '@/data/listing';
import { AutoEndStatus } from './AutoEndStatus';
import { ListenerCount } from './ListenerCount';
import { StreamSparkline } from './Sparkline';
import { StreamActions } from './StreamActions';
import { EDGES, NowPlaying, type Placed, QueueSize, StateBadge, StreamLink } from './StreamCard';

/** The same as a card, in one line; in two where the page is narrow. */
export const StreamRow = memo(function StreamRow({ stream, place, total }: Placed) {
  const { channel_id } = stream;
  const ended = isOver(stream);
  return (
    <article
      data-channel={channel_id}
      aria-label={channel_id}
      aria-posinset={place}
      aria-setsize={total}
      className={`mb-1 grid grid-cols-[minmax(0,1fr)_auto] items-center gap-x-3 overflow-hidden rounded-lg border pl-3 xl:pl-4 wide:grid-cols-[minmax(0,15rem)_minmax(0,1fr)_9rem_6.5rem_minmax(0,22rem)] ${ended ? 'border-line bg-sunk text-soft' : `bg-card ${EDGES[stream.auto_end.phase] ?? 'border-line'}`}`}
    >
      <div className="flex min-w-0 items-center gap-2">
        <h3 className="min-w-0 grow truncate font-semibold" title={channel_id}>
          <StreamLink channelId={channel_id} />
        </h3>
        <StateBadge stream={stream} />
      </div>
      <div className="order-1 col-span-full min-w-0 pr-3 wide:order-none wide:col-span-1 wide:pr-0">
        <NowPlaying track={stream.current_track} />
      </div>
      <div className="flex min-w-0 items-center gap-3 pr-3 wide:pr-0">
        <div className="hidden h-6 min-w-0 flex-1 wide:block">
          <StreamSparkline channelId={channel_id} />
        </div>
        <ListenerCount stream={stream} small />
      </div>
      <div className="hidden justify-self-end wide:block">
        <QueueSize size={stream.queue_size} />
      </div>
      <div className="order-1 col-span-full flex h-9 min-w-0 border-t border-line wide:order-none wide:col-span-1 wide:h-full wide:border-t-0 wide:border-l">
        {!ended && <AutoEndStatus autoEnd={stream.auto_end} />}
        {!ended && <StreamActions stream={stream} compact />}
      </div>
    </article>
  );
});
