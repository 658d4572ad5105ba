import { render, screen } from '@testing-library/react';
import { expect, test, vi } from 'vitest';
import { at } from '@/testing/messages';
import { AllReport, StreamReport } from './ReportCard';

const figures = {
  listener_minutes: 0,
  average: 1,
  peak: 1,
  known_minutes: 1,
  unknown_minutes: 0,
  minutes_without_listeners: 0,
  sessions: 1,
  auto_ends: 0,
  minutes_saved: 0,
};
const report = { from: at(-3600), to: at(0), step_seconds: 60, total: figures };
const daemonSays = (body: object, status = 200) =>
  vi.stubGlobal('fetch', async () => Response.json(body, { status }));

test('a report names first whoever was heard most', async () => {
  const row = (channel_id: string, listener_minutes: number) => ({
    ...figures,
    channel_id,
    listener_minutes,
  });
  daemonSays({ ...report, rows: [row('alto', 5), row('bass', 500), row('cello', 50)] });
  render(<AllReport />);
  await screen.findByText('bass');
  const names = screen.getAllByRole('link', { name: /^(alto|bass|cello)$/ });
  expect(names.map((link) => link.textContent)).toEqual(['bass', 'cello', 'alto']);
  expect(screen.getByText('CSV by day (UTC)')).toBeVisible();
});

test('a report of no tracks says how they come', async () => {
  daemonSays({ ...report, rows: [] });
  render(<StreamReport channelId="jazz" />);
  expect(await screen.findByText(/^No track in this time/)).toBeVisible();
});

test('a report that cannot be read does not say that something else is shown', async () => {
  daemonSays({ code: 'history_unavailable', detail: 'the disk is full' }, 503);
  render(<AllReport />);
  const said = await screen.findByRole('alert');
  expect(said).toHaveTextContent('The report could not be read (the disk is full). Trying again.');
});
