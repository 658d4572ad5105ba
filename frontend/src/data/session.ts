/** Who looks at this page, and what they may do. The token is the browser's to keep: no script can read it. */
import * as v from 'valibot';
import { create } from 'zustand';
import { refusalIn } from './problem';
import { maybe } from './wire';

const PATH = '/api/v1/session';
const ANSWER_WITHIN_MS = 10_000;
/** Where the daemon does not say how long. */
const TRY_AGAIN_AFTER_SECONDS = 10;

/** `GET /api/v1/session`, checked at the door like the live messages. */
export const Session = v.object({
  required: v.boolean(),
  signed_in: v.boolean(),
  name: maybe(v.string()),
  role: maybe(v.string()),
  may_view: v.boolean(),
  may_operate: v.boolean(),
});
export type Session = v.InferOutput<typeof Session>;

/** The daemon has not been asked yet: nothing is shown, and nothing is opened. */
export const UNKNOWN: Session = {
  required: false,
  signed_in: false,
  may_view: false,
  may_operate: false,
};
/**
 * An open house. It is also what is thought of a daemon that cannot say, being away or older: it lets nobody
 * in whom it would not.
 */
export const OPEN: Session = { ...UNKNOWN, may_view: true, may_operate: true };
const OUTSIDE: Session = { ...UNKNOWN, required: true };

export const useSession = create<Session>(() => UNKNOWN);

/** Why somebody is still outside. */
export type Refusal =
  | { why: 'unknown' | 'expired' | 'unreachable' | 'no_cookie' }
  | { why: 'too_many'; seconds: number }
  | { why: 'other'; detail: string };

/** Often enough to renew a token that lasts for weeks, on a screen that nobody touches. */
const ASK_EVERY_MS = 86_400_000;

/** At the start, each day, and when somebody comes back to this tab: in another one they may have signed in or out. */
export function keepAskingWhoIAm(): void {
  void askWhoIAm();
  setInterval(askWhoIAm, ASK_EVERY_MS);
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible') void askWhoIAm();
  });
}

let asking: Promise<void> | undefined;

/** Asks anew, once for all who want to know; an answer that does not come changes nothing. */
export function askWhoIAm(): Promise<void> {
  asking ??= inTurn(async () => {
    const session = await read(await send('GET'));
    if (session) useSession.setState(session, true);
    else if (useSession.getState() === UNKNOWN) useSession.setState(OPEN, true);
  }).finally(() => {
    asking = undefined;
  });
  return asking;
}

/** `undefined` when it opened the door. */
export function signIn(token: string): Promise<Refusal | undefined> {
  return inTurn(async () => {
    const answer = await send('POST', { token });
    if (!answer) return { why: 'unreachable' };
    if (!answer.ok) return refusalOf(answer);
    const given = await read(answer);
    // What was given is worth what the browser sends along from now on.
    const kept = await read(await send('GET'));
    if (!given || !kept) return { why: 'unreachable' };
    if (given.signed_in && !kept.signed_in) return { why: 'no_cookie' };
    useSession.setState(kept, true);
    return undefined;
  });
}

/** False where the daemon could not be told: the browser still has its token. */
export function signOut(): Promise<boolean> {
  return inTurn(async () => {
    const answer = await send('DELETE');
    if (!answer?.ok) return false;
    useSession.setState(OUTSIDE, true);
    return true;
  });
}

let turn: Promise<unknown> = Promise.resolve();

/** One after another: an answer from before a sign-in must not undo it. */
function inTurn<T>(request: () => Promise<T>): Promise<T> {
  const mine = turn.then(request);
  turn = mine.catch(() => {});
  return mine;
}

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

async function read(answer: Response | undefined): Promise<Session | undefined> {
  if (!answer?.ok) return undefined;
  const session = v.safeParse(Session, await answer.json().catch(() => undefined));
  return session.success ? session.output : undefined;
}

async function refusalOf(answer: Response): Promise<Refusal> {
  if (answer.status === 429) {
    const seconds = Number(answer.headers.get('retry-after')) || TRY_AGAIN_AFTER_SECONDS;
    return { why: 'too_many', seconds };
  }
  const { code, message } = await refusalIn(answer);
  switch (code) {
    case 'token_unknown':
      return { why: 'unknown' };
    case 'token_expired':
      return { why: 'expired' };
    default:
      return { why: 'other', detail: message };
  }
}
