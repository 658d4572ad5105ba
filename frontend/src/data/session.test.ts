import { beforeEach, describe, expect, test, vi } from 'vitest';
import { askWhoIAm, keepAskingWhoIAm, OPEN, signIn, signOut, UNKNOWN, useSession } from './session';

const outside = { required: true, signed_in: false, may_view: false, may_operate: false };
const anna = { ...outside, signed_in: true, name: 'anna', role: 'viewer', may_view: true };
const daemon = vi.fn<typeof fetch>();
const now = () => useSession.getState();
const methods = () => daemon.mock.calls.map(([, init]) => init?.method);

/** An answer that comes when the test wants. */
function later() {
  let answer: (response: Response) => void = () => {};
  daemon.mockImplementationOnce(
    () =>
      new Promise((resolve) => {
        answer = resolve;
      }),
  );
  return (body: object) => answer(Response.json(body));
}

const says = (body: object, status = 200) =>
  daemon.mockImplementationOnce(async () => Response.json(body, { status }));
const isAway = () => daemon.mockRejectedValueOnce(new TypeError('Failed to fetch'));

beforeEach(() => {
  daemon.mockReset();
  vi.stubGlobal('fetch', daemon);
  useSession.setState(UNKNOWN, true);
});

describe('who looks', () => {
  test('is nobody before the daemon has been asked', () => {
    expect(now()).toMatchObject({ may_view: false, may_operate: false });
  });

  test('is what the daemon says; null and left out mean the same', async () => {
    says({ ...outside, name: null, role: null });
    await askWhoIAm();
    expect(now()).toEqual(outside);
  });

  test.each([
    ['is away', isAway],
    ['is older and has no such thing', () => says({ code: 'not_found' }, 404)],
    ['says what cannot be read', () => says({ may_view: 'yes' })],
  ])('is let in by the page where the daemon %s: it can still say no', async (_, happens) => {
    happens();
    await askWhoIAm();
    expect(now()).toBe(OPEN);
  });

  test.each([
    ['is away', isAway],
    ['cannot say', () => says({ code: 'starting' }, 503)],
  ])('stays what was known while the daemon %s', async (_, happens) => {
    useSession.setState(outside, true);
    happens();
    await askWhoIAm();
    expect(now()).toEqual(outside);
  });

  test('is asked once for all who want to know at the same time', async () => {
    const answer = later();
    const all = Promise.all([askWhoIAm(), askWhoIAm(), askWhoIAm()]);
    await vi.waitFor(() => expect(daemon).toHaveBeenCalled());
    answer(anna);
    await all;
    expect(methods()).toEqual(['GET']);
    says(outside);
    await askWhoIAm();
    expect(now()).toEqual(outside);
  });

  test('is asked again when somebody comes back to this tab', async () => {
    says(anna);
    keepAskingWhoIAm();
    await vi.waitFor(() => expect(now()).toEqual(anna));
    says(outside);
    document.dispatchEvent(new Event('visibilitychange'));
    await vi.waitFor(() => expect(now()).toEqual(outside));
  });
});

test('whoever stays signed in for weeks is asked for each day', async () => {
  vi.useFakeTimers();
  daemon.mockImplementation(async () => Response.json(anna));
  keepAskingWhoIAm();
  await vi.advanceTimersByTimeAsync(3 * 86_400_000);
  expect(methods()).toEqual(['GET', 'GET', 'GET', 'GET']);
  vi.useRealTimers();
});

describe('signing in', () => {
  test('is not undone by an answer from before it', async () => {
    const before = later();
    const asked = askWhoIAm();
    const signed = signIn('sattva_abc');
    await vi.waitFor(() => expect(daemon).toHaveBeenCalledTimes(1));
    says(anna);
    says(anna);
    before(outside);
    await asked;
    expect(await signed).toBeUndefined();
    expect(methods()).toEqual(['GET', 'POST', 'GET']);
    expect(now()).toEqual(anna);
  });

  test('is no use in a browser that keeps no cookie, and that is said', async () => {
    useSession.setState(outside, true);
    says(anna);
    says(outside);
    expect(await signIn('sattva_abc')).toEqual({ why: 'no_cookie' });
    expect(now()).toEqual(outside);
  });

  test('opens nothing when the daemon goes away in the middle', async () => {
    useSession.setState(outside, true);
    says(anna);
    isAway();
    expect(await signIn('sattva_abc')).toEqual({ why: 'unreachable' });
    expect(now()).toEqual(outside);
  });
});

describe('signing out', () => {
  test('is done when the daemon has taken the cookie back', async () => {
    useSession.setState(anna, true);
    daemon.mockResolvedValueOnce(new Response(null, { status: 204 }));
    expect(await signOut()).toBe(true);
    expect(now()).toEqual(outside);
  });

  test('is not said to be done where the daemon could not be told', async () => {
    useSession.setState(anna, true);
    isAway();
    expect(await signOut()).toBe(false);
    expect(now()).toEqual(anna);
  });
});
