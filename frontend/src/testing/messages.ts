/** The daemon's side of a story: messages as they are on the wire, for tests. */
import type { StreamState } from '@/data/wire';

export const NOON = Date.parse('2026-11-23T12:00:00.000Z');

export function at(second: number): string {
  return new Date(NOON + second * 1000).toISOString();
}

export function stream(channel_id: string, rest: Partial<StreamState> = {}): StreamState {
  return {
    channel_id,
    sources: ['radio-1'],
    session: 's1',
    state: 'live',
    started_at: at(-600),
    listeners: 3,
    listeners_known: true,
    queue_size: 5,
    current_track: undefined,
    auto_end: { phase: 'watching' },
    ...rest,
  };
}

export const STATS = {
  active_streams: 2,
  total_listeners: 23,
  queue_items: 12,
  cpu_percent: 12.4,
  memory_percent: 41.8,
  uptime_seconds: 193_800,
};

export function wire(type: string, data: object, second = 0): string {
  return JSON.stringify({ type, timestamp: at(second), data });
}
