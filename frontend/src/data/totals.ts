/** What is behind the daemon's totals, which add up what is known: a 0 may be that nobody knows. Pure. */
import { isOver } from './listing';
import type { Stream } from './store';

export interface Behind {
  /** Streams whose listeners are not in the total. */
  unknown: number;
  /** Not one count is in it. */
  noCount: boolean;
  /** Nobody reports a queue. */
  noQueue: boolean;
}

export function behind(streams: readonly Stream[]): Behind {
  const live = streams.filter((stream) => !isOver(stream));
  const unknown = live.filter((stream) => !stream.listeners_known).length;
  const isAny = live.length > 0;
  return {
    unknown,
    noCount: isAny && unknown === live.length,
    noQueue: isAny && live.every((stream) => stream.queue_size === undefined),
  };
}
