/** Asks the daemon something, and checks its answer at the door. */
import * as v from 'valibot';
import { refusalIn, Unreachable } from './problem';
import { askWhoIAm } from './session';

const ANSWER_WITHIN_MS = 10_000;

/** `undefined` where there is no such thing. */
export async function ask<const S extends v.GenericSchema>(
  path: string,
  schema: S,
  signal: AbortSignal,
): Promise<v.InferOutput<S> | undefined> {
  let answer: Response;
  try {
    answer = await fetch(path, {
      headers: { accept: 'application/json' },
      signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_WITHIN_MS)]),
    });
  } catch (cause) {
    throw new Unreachable('no answer', { cause });
  }
  if (answer.status === 404) return undefined;
  if (answer.status === 401 || answer.status === 403) void askWhoIAm();
  if (!answer.ok) throw await refusalIn(answer);
  return v.parse(schema, await answer.json());
}
