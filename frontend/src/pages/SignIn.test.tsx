import { fireEvent, render, screen, waitFor } from '@testing-library/react';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { useSession } from '@/data/session';
import { TextContext, textIn } from '@/i18n';
import { SignIn } from './SignIn';

const outside = { required: true, signed_in: false, may_view: false, may_operate: false };
const viewer = { ...outside, signed_in: true, name: 'anna', role: 'viewer', may_view: true };
const daemon = vi.fn<typeof fetch>();

beforeEach(() => {
  daemon.mockReset();
  vi.stubGlobal('fetch', daemon);
  useSession.setState(outside, true);
});

const field = () => screen.getByLabelText<HTMLInputElement>('Token');
function present(token: string) {
  fireEvent.change(field(), { target: { value: token } });
  fireEvent.click(screen.getByRole('button', { name: 'Sign in' }));
}

const problem = (status: number, code: string, headers = {}) =>
  Response.json({ code, detail: 'in its own words' }, { status, headers });

describe('whoever is outside', () => {
  test('has one field, which has the focus, shows nothing, and is known to password managers', () => {
    render(<SignIn />);
    expect(field()).toHaveFocus();
    expect(field()).toHaveAttribute('type', 'password');
    expect(field()).toHaveAttribute('autocomplete', 'current-password');
    expect(screen.getByText(/token create --name NAME --role viewer/)).toBeVisible();
    expect(document.title).toBe('Sattva Monitor');
  });

  test('comes in with a token, which is sent once and kept nowhere', async () => {
    daemon.mockImplementation(async () => Response.json(viewer));
    render(<SignIn />);
    present('  sattva_abc ');
    await waitFor(() => expect(useSession.getState()).toEqual(viewer));
    const sent = daemon.mock.calls.map(([path, init]) => [path, init?.method, init?.body]);
    expect(sent).toEqual([
      ['/api/v1/session', 'POST', '{"token":"sattva_abc"}'],
      ['/api/v1/session', 'GET', undefined],
    ]);
    expect(JSON.stringify([localStorage, sessionStorage]) + document.cookie).not.toContain('abc');
  });

  test.each([
    [problem(401, 'token_unknown'), /no such token/],
    [problem(401, 'token_expired'), /has expired/],
    [problem(429, 'too_many_requests', { 'retry-after': '6' }), /again in 6 s/],
    [problem(503, 'stopping'), /in its own words/],
  ])('is told why not (%#), and types it anew', async (answer, words) => {
    daemon.mockResolvedValue(answer);
    render(<SignIn />);
    present('sattva_abc');
    await waitFor(() => expect(screen.getByRole('alert')).toHaveTextContent(words));
    expect(field()).toBeInvalid();
    expect(field()).toHaveAccessibleDescription(words);
    expect([field().selectionStart, field().selectionEnd]).toEqual([0, 'sattva_abc'.length]);
    fireEvent.change(field(), { target: { value: 's' } });
    expect(screen.getByRole('alert')).toBeEmptyDOMElement();
    expect(field()).toBeValid();
  });

  test('is told when nobody answers', async () => {
    daemon.mockRejectedValue(new TypeError('Failed to fetch'));
    render(<SignIn />);
    present('sattva_abc');
    await waitFor(() => expect(screen.getByRole('alert')).toHaveTextContent(/does not answer/));
  });

  test('asks nothing of the daemon with an empty field', () => {
    render(<SignIn />);
    present('   ');
    expect(daemon).not.toHaveBeenCalled();
  });

  test('reads it in Russian', async () => {
    daemon.mockResolvedValue(problem(429, 'too_many_requests', { 'retry-after': '60' }));
    render(
      <TextContext value={textIn('ru')}>
        <SignIn />
      </TextContext>,
    );
    fireEvent.change(screen.getByLabelText('Токен'), { target: { value: 'sattva_abc' } });
    fireEvent.click(screen.getByRole('button', { name: 'Войти' }));
    await waitFor(() => expect(screen.getByRole('alert')).toHaveTextContent('через 60 с'));
  });
});

describe('whoever has a token for something else', () => {
  test('is told so, and can give it back for another one', async () => {
    useSession.setState({ ...outside, signed_in: true, name: 'radio-1', role: 'streamer' }, true);
    daemon.mockResolvedValue(new Response(null, { status: 204 }));
    render(<SignIn />);
    expect(screen.getByText(/radio-1 \(streamer\) is not for looking/)).toBeVisible();
    fireEvent.click(screen.getByRole('button', { name: 'Sign out' }));
    await waitFor(() => expect(screen.queryByText(/radio-1/)).toBeNull());
    expect(useSession.getState()).toEqual(outside);
  });
});
