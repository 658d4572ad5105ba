/** `GET /api/v1/streams/{channel_id}/explain`, checked at the door like the live messages. */
import * as v from 'valibot';
import { ask } from './question';
import { count, maybe, StreamState, time } from './wire';

export const Reporter = v.object({
  source: v.string(),
  session: v.string(),
  state: v.string(),
  listeners: maybe(count),
  joins: maybe(count),
  age_seconds: maybe(count),
  interval_seconds: maybe(count),
  believed: v.boolean(),
});

export const Command = v.object({
  id: v.string(),
  type: v.string(),
  source: v.string(),
  session: v.string(),
  state: v.string(),
  outcome: maybe(v.string()),
  detail: maybe(v.string()),
  decided_at: time,
  valid_until: maybe(time),
});

export const Decision = v.object({
  seq: v.number(),
  at: time,
  event: v.string(),
  because: v.string(),
  by: maybe(v.string()),
  listeners: maybe(count),
  joins: maybe(count),
  evidence_age_seconds: maybe(count),
  remaining_seconds: maybe(count),
});

const Policy = v.object({
  enabled: v.boolean(),
  timeout_seconds: v.number(),
  never_joined_timeout_seconds: maybe(v.number()),
  warning_seconds: v.optional(v.array(v.number()), []),
  dry_run: v.boolean(),
});

export const Explanation = v.object({
  why: v.string(),
  state: StreamState,
  auto_end: v.object({ policy: Policy, paused: v.boolean() }),
  evidence: v.array(Reporter),
  commands: v.array(Command),
  decisions: v.array(Decision),
  journal_error: maybe(v.string()),
});

export type Reporter = v.InferOutput<typeof Reporter>;
export type Command = v.InferOutput<typeof Command>;
export type Decision = v.InferOutput<typeof Decision>;
export type Policy = v.InferOutput<typeof Policy>;
export type Explanation = v.InferOutput<typeof Explanation>;

/** The daemon's account of a stream; `undefined` where it knows no such stream. */
export function explain(channelId: string, signal: AbortSignal): Promise<Explanation | undefined> {
  return ask(`/api/v1/streams/${encodeURIComponent(channelId)}/explain`, Explanation, signal);
}
