/** What an operator asks of the daemon. A refusal becomes an error with the daemon's own words. */
import * as v from 'valibot';
import { refusalIn, Unreachable } from './problem';
import { askWhoIAm } from './session';
import { dispatch } from './store';
import type { Action } from './stream';
import { AutoEnd } from './wire';

export const EXTEND_SECONDS = 300;
const ANSWER_WITHIN_MS = 10_000;

/** A yes may come with the stream's state; nothing depends on it. */
const Told = v.object({
  auto_end: AutoEnd,
  /** False while the store fails: a restart would forget what was done. */
  durable: v.optional(v.boolean(), true),
});
export type Told = v.InferOutput<typeof Told>;

export interface Wish {
  action: Action;
  /** Stop although somebody hears it, or nobody knows: only after a person has said so. */
  force?: boolean;
  /** How much longer, for `extend`. */
  seconds?: number;
  /** Who is to be forgotten. */
  source?: string;
}

/** Does it, and says what the daemon told of it. */
export async function act(
  channelId: string,
  { action, force, seconds = EXTEND_SECONDS, source }: Wish,
): Promise<Told | undefined> {
  const stream = `/api/v1/streams/${encodeURIComponent(channelId)}`;
  const isOfStream = action === 'stop' || action === 'forget';
  const path = isOfStream ? `${stream}/${action}` : `${stream}/auto-end/${action}`;
  const body = bodyOf({ action, force, seconds, source });
  let answer: Response;
  try {
    answer = await fetch(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
    });
  } catch (cause) {
    throw new Unreachable('no answer', { cause });
  }
  if (answer.status === 401 || answer.status === 403) void askWhoIAm();
  if (!answer.ok) throw await refusalIn(answer);
  const told = v.safeParse(Told, await answer.json().catch(() => undefined));
  const answered = told.success ? told.output : undefined;
  const auto_end = answered?.auto_end;
  dispatch({ type: 'acted', channel_id: channelId, action, auto_end, at: Date.now() });
  return answered;
}

function bodyOf({ action, force, seconds, source }: Wish): object {
  switch (action) {
    case 'extend':
      return { seconds };
    case 'forget':
      return { source };
    default:
      return force ? { force: true } : {};
  }
}
