/** Who looks at this page, and what they may do. The token is the browser's to keep: no script can read it. */
import * as v from 'valibot';
import { create } from 'zustand';
import { whyNot } from './problem';

const PATH = '/api/v1/session';
const ANSWER_WITHIN_MS = 10_000;

const Session = v.object({
  required: v.boolean(),
  signed_in: v.boolean(),
  name: v.optional(v.string()),
  role: v.optional(v.string()),
  may_view: v.boolean(),
  may_operate: v.boolean(),
});
export type Session = v.InferOutput<typeof Session>;

/** Until the daemon has answered: most ask nobody for a token, and nothing is to wait for that answer. */
export const UNKNOWN: Session = {
  required: false,
  signed_in: false,
  may_view: true,
  may_operate: true,
};

export const useSession = create<Session>(() => UNKNOWN);

/** Why somebody is still outside. */
export type Refusal =
  | { why: 'unknown' | 'expired' | 'unreachable' }
  | { why: 'too_many'; seconds: number }
  | { why: 'other'; detail: string };

async function send(method: string, body?: object): Promise<Response | undefined> {
  try {
    return await fetch(PATH, {
      method,
      headers: { accept: 'application/json', 'content-type': 'application/json' },
      body: body && JSON.stringify(body),
      signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
    });
  } catch {
    return undefined;
  }
}

async function learn(answer: Response | undefined): Promise<boolean> {
  const session = v.safeParse(Session, await answer?.json().catch(() => undefined));
  if (session.success) useSession.setState(session.output, true);
  return session.success;
}

/** Asks anew; a daemon that does not answer, or is older, changes nothing. */
export async function askWhoIAm(): Promise<void> {
  const answer = await send('GET');
  if (answer?.ok) await learn(answer);
}

/** `undefined` when it opened the door. */
export async function signIn(token: string): Promise<Refusal | undefined> {
  const answer = await send('POST', { token });
  if (!answer) return { why: 'unreachable' };
  if (answer.ok) return (await learn(answer)) ? undefined : { why: 'unreachable' };
  if (answer.status === 429) {
    return { why: 'too_many', seconds: Number(answer.headers.get('retry-after')) || 10 };
  }
  const problem = v.safeParse(
    v.object({ code: v.string() }),
    await answer
      .clone()
      .json()
      .catch(() => undefined),
  );
  const code = problem.success ? problem.output.code : undefined;
  if (code === 'token_unknown') return { why: 'unknown' };
  if (code === 'token_expired') return { why: 'expired' };
  return { why: 'other', detail: await whyNot(answer) };
}

export async function signOut(): Promise<void> {
  await send('DELETE');
  await askWhoIAm();
}
