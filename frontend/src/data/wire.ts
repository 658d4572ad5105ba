/**
 * The messages of `GET /ws/stats` as the daemon sends them, checked at the door.
 *
 * A daemon may be newer than this page: unknown fields are dropped, unknown message types give
 * `undefined`, an unknown phase reads as `unknown`. `null` and "left out" mean the same: not known.
 */
import * as v from 'valibot';

// biome-ignore lint/suspicious/noExplicitAny: valibot's own bound for "any schema" is written so.
export function maybe<const S extends v.BaseSchema<any, any, any>>(schema: S) {
  return v.optional(
    v.pipe(
      v.nullable(schema),
      v.transform((value) => value ?? undefined),
    ),
  );
}

export const count = v.pipe(v.number(), v.minValue(0));
export const time = v.pipe(
  v.string(),
  v.check((text) => !Number.isNaN(Date.parse(text)), 'must be an RFC 3339 time'),
);

export const Track = v.object({
  id: maybe(v.union([v.string(), v.number()])),
  title: v.string(),
  artist: maybe(v.string()),
  url: maybe(v.string()),
  duration_seconds: maybe(count),
  started_at: maybe(time),
});

export const PHASES = [
  'off',
  'watching',
  'counting',
  'frozen',
  'paused',
  'stopping',
  'stop_failed',
] as const;
const phase = v.fallback(v.picklist([...PHASES, 'unknown']), 'unknown');

export const AutoEnd = v.object({
  phase,
  ends_at: maybe(time),
  remaining_seconds: maybe(count),
  reason: maybe(v.string()),
  dry_run: maybe(v.boolean()),
});

export const StreamState = v.object({
  channel_id: v.string(),
  sources: v.optional(v.fallback(v.array(v.string()), []), []),
  session: maybe(v.string()),
  state: v.string(),
  started_at: maybe(time),
  listeners: maybe(count),
  listeners_known: v.boolean(),
  joins: maybe(count),
  queue_size: maybe(count),
  current_track: maybe(Track),
  auto_end: AutoEnd,
});

export const SystemStats = v.object({
  active_streams: count,
  total_listeners: count,
  queue_items: count,
  cpu_percent: maybe(count),
  memory_percent: maybe(count),
  uptime_seconds: count,
});

export const StreamUpdate = v.object({
  channel_id: v.string(),
  event: v.string(),
  /** These three come with `started`. */
  sources: maybe(v.array(v.string())),
  session: maybe(v.string()),
  started_at: maybe(time),
  current_track: maybe(Track),
  listeners: maybe(count),
  listeners_known: v.optional(v.boolean()),
  queue_size: maybe(count),
  state: maybe(v.string()),
});

export const AutoEndEvent = v.object({
  channel_id: v.string(),
  event: v.string(),
  /** Not promised by the contract yet; where it is sent it beats what `event` lets us guess. */
  phase: v.optional(phase),
  ends_at: maybe(time),
  remaining_seconds: maybe(count),
  reason: maybe(v.string()),
  because: maybe(v.string()),
  dry_run: maybe(v.boolean()),
});

export const AutoEndWarning = v.object({
  channel_id: v.string(),
  seconds_remaining: count,
  reason: v.string(),
  ends_at: maybe(time),
});

export const Fault = v.object({ code: v.string(), message: v.string() });

const envelope = { timestamp: time };
const Known = v.variant('type', [
  v.object({
    ...envelope,
    type: v.literal('snapshot'),
    data: v.object({ streams: v.array(StreamState) }),
  }),
  v.object({ ...envelope, type: v.literal('stats'), data: SystemStats }),
  v.object({ ...envelope, type: v.literal('stream_update'), data: StreamUpdate }),
  v.object({ ...envelope, type: v.literal('auto_end'), data: AutoEndEvent }),
  v.object({ ...envelope, type: v.literal('auto_end_warning'), data: AutoEndWarning }),
  v.object({ ...envelope, type: v.literal('error'), data: Fault }),
]);
const KNOWN_TYPES: ReadonlySet<unknown> = new Set(
  Known.options.map((option) => option.entries.type.literal),
);

export type Track = v.InferOutput<typeof Track>;
export type AutoEnd = v.InferOutput<typeof AutoEnd>;
export type Phase = AutoEnd['phase'];
export type StreamState = v.InferOutput<typeof StreamState>;
export type SystemStats = v.InferOutput<typeof SystemStats>;
export type StreamUpdate = v.InferOutput<typeof StreamUpdate>;
export type AutoEndEvent = v.InferOutput<typeof AutoEndEvent>;
export type AutoEndWarning = v.InferOutput<typeof AutoEndWarning>;
export type Fault = v.InferOutput<typeof Fault>;
export type Message = v.InferOutput<typeof Known>;

/** One message, `undefined` for a type this page does not know; throws on a broken one, naming the field. */
export function readMessage(text: string): Message | undefined {
  const raw: unknown = JSON.parse(text);
  const { type } = v.parse(v.object({ type: v.string() }), raw);
  if (!KNOWN_TYPES.has(type)) return undefined;
  const result = v.safeParse(Known, raw);
  if (result.success) return result.output;
  const issue = result.issues[0];
  throw new Error(`${type}: ${v.getDotPath(issue) ?? 'message'}: ${issue.message}`);
}
