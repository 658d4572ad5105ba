/** Writes docs/images/: every page on the real daemon with simulated streams, as the README shows it. */
import { mkdirSync, statSync } from 'node:fs';
import type { BrowserContextOptions, Page } from 'playwright-core';
import { Daemon, launch, open, pass } from './stage';

const IMAGES = new URL('../../docs/images/', import.meta.url).pathname;
const LIMIT_BYTES = 200 * 1024;
const CHANNELS = 14;
const LISTENERS_A_SECOND = 6;
/** Until there is a line, a countdown and a track that has changed. */
const STORY_MS = 75_000;
/** Quick enough for warnings to be seen, slow enough for none to be over at once. */
const SETTINGS = `
[auto_end]
timeout = "2m"
never_joined_timeout = "2m"
`;
const LAPTOP = { width: 1280, height: 800 };
const PHONE = { width: 390, height: 844 };

const SHOTS: readonly {
  name: string;
  path: string;
  options: BrowserContextOptions;
  /** What must be there before it is taken. */
  ready: (page: Page) => Promise<unknown>;
}[] = [
  { name: 'monitoring-light', path: '', options: { colorScheme: 'light' }, ready: hasCards },
  { name: 'monitoring-dark', path: '', options: { colorScheme: 'dark' }, ready: hasCards },
  { name: 'monitoring-ru', path: '', options: { locale: 'ru-RU' }, ready: hasCards },
  { name: 'phone', path: '', options: { viewport: PHONE, colorScheme: 'light' }, ready: hasCards },
  {
    name: 'stream',
    path: '/streams/morning-ragas',
    options: { viewport: { width: 1280, height: 1000 } },
    ready: async (page) => {
      await page.getByRole('button', { name: '5 min', exact: true }).click();
      await page.getByRole('region', { name: 'By track' }).waitFor();
    },
  },
  {
    name: 'reports',
    path: '/reports',
    options: {},
    ready: (page) => page.getByRole('region', { name: 'By stream' }).waitFor(),
  },
  {
    name: 'wall',
    path: '/wall',
    options: { colorScheme: 'dark' },
    ready: (page) =>
      page
        .getByRole('listitem')
        .nth(CHANNELS / 2)
        .waitFor(),
  },
];

async function hasCards(page: Page) {
  await page.getByRole('article').nth(2).waitFor();
  // The hour before, of the five figures that have one.
  await page.locator('dl path[d^="M"]').nth(4).waitFor({ state: 'attached' });
}

export async function run(): Promise<void> {
  mkdirSync(IMAGES, { recursive: true });
  const browser = await launch();
  const daemon = await Daemon.start(SETTINGS);
  try {
    daemon.simulate(CHANNELS, LISTENERS_A_SECOND);
    await pass(STORY_MS);
    for (const { name, path, options, ready } of SHOTS) {
      const settings = { viewport: LAPTOP, colorScheme: 'light' as const, ...options };
      const { page, complaints } = await open(browser, `${daemon.url}/monitoring${path}`, settings);
      await ready(page);
      // What was recorded is drawn a moment after what is live.
      await page.waitForLoadState('networkidle');
      const file = `${IMAGES}${name}.png`;
      await page.screenshot({ path: file });
      const { size } = statSync(file);
      process.stdout.write(`${name}.png ${(size / 1024).toFixed(0)} KiB\n`);
      if (size > LIMIT_BYTES) throw new Error(`${file} is larger than ${LIMIT_BYTES / 1024} KiB`);
      if (complaints.length > 0) throw new Error(`${name}: ${complaints.join('; ')}`);
      await page.context().close();
    }
  } finally {
    await browser.close();
    await daemon.stop();
  }
}
