import type { Stream } from '@/data/store';
import { useText } from '@/i18n';
import { FirstStreamer } from './FirstStreamer';
import { StreamCard } from './StreamCard';

interface Props {
  streams: Stream[];
  /** False until the first snapshot: no streams and not knowing are two things. */
  isKnown: boolean;
}

export function ActiveStreamsGrid({ streams, isKnown }: Props) {
  const { t } = useText();
  if (!isKnown) return <p className="py-16 text-center text-soft">{t('streams.waiting')}</p>;
  if (streams.length === 0) return <FirstStreamer />;
  return (
    <section aria-labelledby="streams-title" className="flex flex-col gap-3">
      <div className="flex items-baseline gap-3">
        <h2 id="streams-title" className="text-lg font-semibold tracking-tight">
          {t('streams.title')}
        </h2>
        <p className="text-sm text-soft">{t('streams.count', { count: streams.length })}</p>
      </div>
      <ul className="grid grid-cols-[repeat(auto-fill,minmax(min(100%,21rem),1fr))] gap-4">
        {streams.map((stream) => (
          <StreamCard key={stream.channel_id} stream={stream} />
        ))}
      </ul>
    </section>
  );
}
