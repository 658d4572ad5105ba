import { fireEvent, render, screen, waitFor } from '@testing-library/react';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { StreamActions } from '@/components/StreamActions';
import { askWhoIAm, UNKNOWN, useSession } from '@/data/session';
import { stream } from '@/testing/messages';
import { SignIn } from './SignIn';

const outside = { required: true, signed_in: false, may_view: false, may_operate: false };
const viewer = { ...outside, signed_in: true, name: 'anna', role: 'viewer', may_view: true };
const daemon = vi.fn<typeof fetch>();

beforeEach(() => {
  daemon.mockReset();
  vi.stubGlobal('fetch', daemon);
  useSession.setState(UNKNOWN, true);
});

function present(token: string) {
  fireEvent.change(screen.getByLabelText('Token'), { target: { value: token } });
  fireEvent.click(screen.getByRole('button', { name: 'Sign in' }));
}

const problem = (status: number, code: string, headers = {}) =>
  Response.json({ code, detail: 'in its own words' }, { status, headers });

describe('whoever is outside', () => {
  test('comes in with a token, which is sent once and kept nowhere', async () => {
    daemon.mockResolvedValue(Response.json(viewer));
    render(<SignIn />);
    present('  sattva_abc ');
    await waitFor(() => expect(useSession.getState()).toEqual(viewer));
    const [[path, init]] = daemon.mock.calls as [[string, RequestInit]];
    expect([path, init.method, init.body]).toEqual([
      '/api/v1/session',
      'POST',
      '{"token":"sattva_abc"}',
    ]);
    expect(JSON.stringify(localStorage)).not.toContain('sattva_abc');
  });

  test.each([
    [problem(401, 'token_unknown'), /no such token/],
    [problem(401, 'token_expired'), /has expired/],
    [problem(429, 'too_many_requests', { 'retry-after': '6' }), /again in 6 s/],
    [problem(503, 'stopping'), /in its own words/],
  ])('is told why not (%#)', async (answer, words) => {
    daemon.mockResolvedValue(answer);
    render(<SignIn />);
    present('sattva_abc');
    expect((await screen.findByRole('alert')).textContent).toMatch(words);
  });

  test('is told when nobody answers', async () => {
    daemon.mockRejectedValue(new TypeError('offline'));
    render(<SignIn />);
    present('sattva_abc');
    expect((await screen.findByRole('alert')).textContent).toMatch(/does not answer/);
  });
});

describe('who one is', () => {
  test('is what the daemon says, and nothing else is believed', async () => {
    daemon.mockResolvedValueOnce(Response.json(outside));
    await askWhoIAm();
    expect(useSession.getState()).toEqual(outside);
    daemon.mockResolvedValueOnce(Response.json({ may_view: 'yes' }));
    await askWhoIAm();
    daemon.mockRejectedValueOnce(new TypeError('offline'));
    await askWhoIAm();
    daemon.mockResolvedValueOnce(problem(404, 'not_found'));
    await askWhoIAm();
    expect(useSession.getState()).toEqual(outside);
  });

  test('decides what is offered: a viewer has nothing to press', () => {
    useSession.setState(viewer, true);
    render(<StreamActions stream={stream('jazz', { auto_end: { phase: 'watching' } })} />);
    expect(screen.queryByRole('button')).toBeNull();
    expect(screen.getByText(/not operate it/)).toBeTruthy();
  });
});
