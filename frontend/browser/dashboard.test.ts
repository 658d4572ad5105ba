import axe from 'axe-core';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { Daemon, launch, open, pass, Streamer, TokenDesk } from './stage';

/** A countdown that a test can wait for, with a warning on its way. */
const QUICK = `
[auto_end]
timeout = 8
never_joined_timeout = 8
warnings = [6]
`;
/** None that ends while a test looks. */
const PATIENT = `
[auto_end]
timeout = 300
warnings = [60, 30, 10]
`;

/** Whoever knocks in vain would have knocked again by now. */
const KNOCKING_SEEN_MS = 3_000;

let browser: Browser;
let daemon: Daemon;
const streamers: Streamer[] = [];

beforeAll(async () => {
  browser = await launch();
  daemon = await Daemon.start(PATIENT);
});
afterAll(async () => {
  for (const streamer of streamers) streamer.silence();
  await browser.close();
  await daemon.stop();
});

async function streams(channel: string, listeners: number, on = daemon): Promise<Streamer> {
  const streamer = new Streamer(on, channel, listeners);
  streamers.push(streamer);
  onTestFinished(() => streamer.leave());
  await streamer.report();
  return streamer;
}

/** What a browser itself complains of where a story wants a daemon to be away or to say no. */
const EXPECTED = {
  away: /ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|ERR_INTERNET_DISCONNECTED|WebSocket connection/,
  refusal: /status of 4\d\d/,
} as const;

/** A page that has complained of nothing by the end of its story, but of what belongs to it. */
async function visit(
  path: string,
  {
    at = daemon,
    complains = [],
    ...options
  }: Parameters<typeof open>[2] & { at?: Daemon; complains?: (keyof typeof EXPECTED)[] } = {},
) {
  const opened = await open(browser, `${at.url}${path}`, options);
  onTestFinished(async () => {
    await opened.page.context().close();
    const unexpected = opened.complaints.filter(
      (line) => !complains.some((kind) => EXPECTED[kind].test(line)),
    );
    expect(unexpected).toEqual([]);
  });
  return opened;
}

const card = (page: Page, channel: string) => page.getByRole('article', { name: channel });
const press = (page: Page, name: string) => page.getByRole('button', { name }).click();
const seen = (page: Page, text: string | RegExp) =>
  page.getByText(text).first().waitFor({ timeout: 5_000 });

/** An answer of the daemon, once it is as wanted: samples are taken every 5 s. */
// biome-ignore lint/suspicious/noExplicitAny: it is the test that knows what it asks for.
async function recorded(path: string, wanted: (answer: any) => boolean): Promise<any> {
  // biome-ignore lint/suspicious/noExplicitAny: as above.
  let answer: any;
  const ask = async () => {
    const response = await fetch(`${daemon.url}${path}`);
    answer = response.ok ? await response.json() : {};
    return wanted(answer);
  };
  await expect.poll(ask, { timeout: 15_000, interval: 250 }).toBe(true);
  return answer;
}

/** Whatever axe finds wrong, in words. */
async function flaws(page: Page): Promise<string[]> {
  // Evaluated over the debugger: the page itself may run no such script.
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate(() =>
    (globalThis as unknown as { axe: typeof axe }).axe.run(document),
  );
  return violations.map(
    ({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(' | ')}`,
  );
}

describe('the dashboard', () => {
  test('shows what is live, and each change as it happens', async () => {
    const jazz = await streams('jazz', 3);
    const { page } = await visit('/monitoring');
    await card(page, 'jazz').getByText('3 listeners').waitFor();
    await page.getByRole('status').getByText('Live').waitFor();
    await jazz.has(4);
    await card(page, 'jazz').getByText('4 listeners').waitFor();
    jazz.track = 'Blue in Green';
    await jazz.report();
    await card(page, 'jazz').getByText('Blue in Green').waitFor();
  });

  test('counts an empty stream down to its end, and says that it ended', async () => {
    const quick = await Daemon.start(QUICK);
    onTestFinished(() => quick.stop());
    const lonely = await streams('lonely', 0, quick);
    const { page } = await visit('/monitoring', { at: quick });
    const timer = card(page, 'lonely').getByRole('timer');
    await timer.waitFor();
    const first = Number((await timer.textContent())?.slice(-2));
    expect(first).toBeGreaterThan(0);
    // A second more than its time: the last warning must have gone by in full.
    expect(first).toBeLessThanOrEqual(9);
    await page
      .getByRole('region', { name: 'Needs attention' })
      .getByRole('link', { name: 'lonely' })
      .waitFor();
    await page.getByText('lonely: ended, nobody listened').waitFor({ timeout: 15_000 });
    expect(lonely.stops).toHaveLength(1);
  });

  test('does what an operator asks, and shows what came of it', async () => {
    await streams('quiet', 0);
    const { page } = await visit('/monitoring');
    await card(page, 'quiet').getByRole('timer').waitFor();
    await press(page, '+5 min: quiet');
    await seen(page, /^quiet: now ends at/);
    await press(page, 'Pause auto-end: quiet');
    await seen(page, 'quiet: auto-end is paused');
    await card(page, 'quiet').getByText('Auto-end paused by an operator').waitFor();
    await press(page, 'Resume auto-end: quiet');
    await card(page, 'quiet').getByRole('timer').waitFor();
    await press(page, 'Keep alive: quiet');
    await card(page, 'quiet').getByText('Kept alive until someone has joined').waitFor();
  });

  test('asks before it stops a stream, and stops a heard one only on a second thought', async () => {
    const heard = await streams('heard', 2);
    const { page } = await visit('/monitoring');
    await press(page, 'Stop: heard');
    const question = page.getByRole('dialog', { name: 'Stop heard?' });
    await question.getByText('2 people hear it').waitFor();
    await press(page, 'Let it play');
    await question.waitFor({ state: 'hidden' });
    expect(heard.stops).toEqual([]);
    await press(page, 'Stop: heard');
    await press(page, 'Stop it anyway');
    await seen(page, /^heard: stop ordered/);
    await card(page, 'heard').getByText('Ended').waitFor({ timeout: 5_000 });
    expect(heard.stops).toHaveLength(1);
  });

  test('opens what has not been opened before, while the daemon is away', async () => {
    const mortal = await Daemon.start(PATIENT);
    onTestFinished(() => mortal.stop());
    await streams('phoenix', 5, mortal);
    const { page } = await visit('/monitoring', { at: mortal, complains: ['away'] });
    await card(page, 'phoenix').getByText('5 listeners').waitFor();
    await page.waitForLoadState('networkidle');
    await mortal.kill();
    await page
      .getByRole('status')
      .getByText(/Offline since/)
      .waitFor();
    await page.getByRole('link', { name: 'Report', exact: true }).click();
    await page.getByRole('region', { name: 'Report' }).waitFor();
  });

  test('keeps the question before a stop while the list changes around it', async () => {
    await streams('wanted', 1);
    const { page } = await visit('/monitoring?sort=listeners');
    await press(page, 'Stop: wanted');
    const question = page.getByRole('dialog', { name: 'Stop wanted?' });
    await question.waitFor();
    await streams('wider', 50);
    await card(page, 'wider').waitFor();
    await question.getByText('1 person hears it').waitFor();
    await press(page, 'Let it play');
  });

  test('says that it is offline while the daemon is away, and comes back by itself', async () => {
    const mortal = await Daemon.start(PATIENT);
    onTestFinished(() => mortal.stop());
    await streams('phoenix', 5, mortal);
    const { page } = await visit('/monitoring', { at: mortal, complains: ['away'] });
    await card(page, 'phoenix').getByText('5 listeners').waitFor();
    await mortal.kill();
    await page
      .getByRole('status')
      .getByText(/Offline since/)
      .waitFor();
    const paleness = () => page.getByRole('main').evaluate((main) => getComputedStyle(main).filter);
    await expect.poll(paleness).toBe('grayscale(1)');
    expect(await flaws(page)).toEqual([]);
    await mortal.run();
    await page.getByRole('status').getByText('Live').waitFor({ timeout: 20_000 });
    await card(page, 'phoenix').getByText('5 listeners').waitFor({ timeout: 10_000 });
    await expect.poll(paleness).toBe('none');
  });

  test('draws of a thousand streams only those in sight, and finds any of them', async () => {
    const large = await Daemon.start(PATIENT);
    onTestFinished(() => large.stop());
    large.simulate(1_000, 50);
    const { page } = await visit('/monitoring', { at: large });
    // Some of them are off the air at any time.
    const many = /^(9\d\d|1,000) streams$/;
    await page.getByText(many).waitFor();
    expect(await page.getByRole('article').count()).toBeLessThan(100);
    const last = page.locator('[aria-posinset="900"]');
    expect(await last.count()).toBe(0);
    await page.keyboard.press('End');
    // The very last is there, at its place, and the first is not drawn any more.
    const places = () =>
      page
        .getByRole('article')
        .evaluateAll((cards) =>
          cards.map((each) => ['aria-posinset', 'aria-setsize'].map((a) => each.getAttribute(a))),
        );
    await expect
      .poll(async () => (await places()).some(([place, total]) => place === total))
      .toBe(true);
    expect((await places()).some(([place]) => place === '1')).toBe(false);
    expect((await places()).length).toBeLessThan(100);
    await page.keyboard.press('Home');
    await page.keyboard.press('/');
    await page.keyboard.type('channel-777');
    await card(page, 'channel-777').waitFor();
    await seen(page, /^1 of (9\d\d|1,000) streams$/);
    expect(new URL(page.url()).searchParams.get('search')).toBe('channel-777');
    await page.keyboard.type(' nowhere');
    await seen(page, 'No stream matches.');
    await press(page, 'Show all streams');
    await page.getByText(many).waitFor();
  });

  test('is worked by the keyboard alone', async () => {
    await streams('alto', 1);
    await streams('bass', 0);
    const { page } = await visit('/monitoring?search=studio');
    await card(page, 'bass').waitFor();
    await page.keyboard.press('j');
    await expect.poll(() => page.evaluate(() => document.activeElement?.textContent)).toBe('alto');
    await page.keyboard.press('j');
    await expect.poll(() => page.evaluate(() => document.activeElement?.textContent)).toBe('bass');
    await page.keyboard.press('p');
    await seen(page, 'bass: auto-end is paused');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'bass', level: 2 }).waitFor();
    await page.keyboard.press('Escape');
    await card(page, 'alto').waitFor();
    expect(page.url()).toContain('search=studio');
  });
});

describe('the page of a stream', () => {
  test('has an address of its own, and tells why it counts and what was decided', async () => {
    await streams('empty', 0);
    const { page } = await visit('/monitoring/streams/empty');
    await seen(page, /^Counting down: nobody has joined/);
    await page.getByRole('img', { name: /^empty: listeners now 0/ }).waitFor();
    const journal = page.getByRole('region', { name: 'Decision journal' });
    await journal.getByRole('row', { name: /Countdown started/ }).waitFor();
    await press(page, '+30 min: empty');
    await journal.getByRole('row', { name: /End moved an operator gave it more time/ }).waitFor();
    await page
      .getByRole('region', { name: 'Evidence' })
      .getByRole('row', { name: /studio-empty/ })
      .waitFor();
  });

  test('draws what was recorded before it was opened, with its tracks, over an hour or a year', async () => {
    const known = await streams('recorded', 7);
    const { rows } = await recorded(`/api/v1/reports?channel_id=recorded`, ({ rows }) => {
      return rows?.[0]?.peak === 7 && rows[0].sessions === 1;
    });
    expect(rows).toHaveLength(1);
    // A second later than in the report: a step is told of when it has begun before the moment of the question.
    await recorded('/api/v1/history?metric=listeners&channel_id=recorded', ({ points }) =>
      points?.some(([, , , most]: (number | null)[]) => most === 7),
    );
    await known.has(2);
    const { page } = await visit('/monitoring/streams/recorded');
    const chart = page.getByRole('img', { name: 'recorded: listeners now 2, most 7' });
    await chart.waitFor();
    await page
      .getByTitle(/So What – Miles Davis$/)
      .first()
      .waitFor();
    await press(page, '1 y');
    await chart.waitFor();
    const report = page.getByRole('region', { name: 'Report' });
    await report.getByRole('row', { name: /^So What Miles Davis 1 / }).waitFor();
    const download = page.waitForEvent('download');
    await report.getByRole('link', { name: 'CSV by track' }).click();
    expect((await download).suggestedFilename()).toMatch(/^report-recorded-.*\.csv$/);
  });

  test('lets an operator forget a source that is silent for good, after a question', async () => {
    const leaves = await streams('left-behind', 1);
    leaves.silence();
    const { page } = await visit('/monitoring/streams/left-behind');
    await press(page, 'Forget: studio-left-behind');
    const question = page.getByRole('dialog', { name: 'Forget studio-left-behind?' });
    await question.getByRole('button', { name: 'Keep it' }).click();
    await question.waitFor({ state: 'hidden' });
    await press(page, 'Forget: studio-left-behind');
    await question.getByRole('button', { name: 'Forget' }).click();
    await seen(page, 'left-behind: the source is forgotten');
    await expect
      .poll(async () => {
        const answer = await fetch(`${daemon.url}/api/v1/streams/left-behind/explain`);
        const { evidence = [] } = answer.ok ? await answer.json() : {};
        return evidence.length;
      })
      .toBe(0);
  });

  test('says so where there is no such stream', async () => {
    const { page } = await visit('/monitoring/streams/nobody', { complains: ['refusal'] });
    await seen(page, 'There is no stream nobody');
  });
});

describe('the reports', () => {
  test('tell of every stream what it amounted to, and lead to it', async () => {
    await streams('reported', 4);
    await recorded('/api/v1/reports?channel_id=reported', ({ rows }) => rows?.[0]?.peak === 4);
    const { page } = await visit('/monitoring');
    // There is a line before this page has heard a second sample: what was recorded.
    const line = page.getByTitle('Listeners, the last hour').locator('path[d^="M"]');
    await line.waitFor({ state: 'attached' });
    await page.getByRole('link', { name: 'Report', exact: true }).click();
    await page.getByRole('row', { name: /^reported / }).waitFor();
    await page.getByRole('link', { name: 'reported', exact: true }).click();
    await page.getByRole('heading', { name: 'reported', level: 2 }).waitFor();
  });
});

describe('everybody', () => {
  test('reads it in Russian, with the right plurals', async () => {
    await streams('rock-21', 21);
    const { page } = await visit('/monitoring', { locale: 'ru-RU' });
    await page.getByText('слушатель', { exact: true }).first().waitFor();
    await page.getByRole('status').getByText('На связи').waitFor();
    expect(await page.locator('html').getAttribute('lang')).toBe('ru');
  });

  test('chooses colours, language and time zone, and the browser remembers', async () => {
    await streams('clock', 1);
    const { page } = await visit('/monitoring/wall');
    const hour = async () =>
      Number((await page.locator('time').first().textContent())?.slice(0, 2));
    const hereHour = await hour();
    await page.goto(`${daemon.url}/monitoring`);
    await press(page, 'Settings');
    await page.getByLabel('Colours').selectOption('dark');
    await page.getByLabel('Time zone').selectOption('Asia/Tokyo');
    await page.getByLabel('Language').selectOption('ru');
    await page.reload();
    await page.getByRole('status').getByText('На связи').waitFor();
    const paper = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    expect(await paper()).toBe('rgb(13, 18, 17)');
    // Tokyo is nine hours ahead of the UTC that this browser lives in.
    await page.goto(`${daemon.url}/monitoring/wall`);
    await page.locator('time').first().waitFor();
    expect([(hereHour + 9) % 24, (hereHour + 10) % 24]).toContain(await hour());
  });

  test.each([
    ['/monitoring', 'light'],
    ['/monitoring?group=condition', 'dark'],
    ['/monitoring/streams/reachable', 'light'],
    ['/monitoring/streams/reachable', 'dark'],
    ['/monitoring/reports', 'light'],
    ['/monitoring/reports', 'dark'],
    ['/monitoring/wall', 'light'],
    ['/monitoring/wall', 'dark'],
  ] as const)(
    'can use %s in %s: axe finds nothing, on a phone nothing sticks out',
    async (path, colorScheme) => {
      await streams('reachable', 0);
      await streams('loud', 3);
      const { page } = await visit(path, { colorScheme });
      if (path === '/monitoring/reports') {
        await recorded('/api/v1/reports', ({ rows }) => {
          return rows?.some((row: { channel_id: string }) => row.channel_id === 'reachable');
        });
        await page.reload();
      }
      await page.getByRole('main').getByText('reachable', { exact: true }).first().waitFor();
      await page.getByRole('status').getByText('Live').waitFor();
      expect(await flaws(page)).toEqual([]);
      await page.setViewportSize({ width: 390, height: 844 });
      const tooWide = () =>
        page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
      await expect.poll(tooWide).toBe(false);
      expect(await flaws(page)).toEqual([]);
    },
  );

  test('can use rows, the question before a stop and what is told in passing: axe finds nothing', async () => {
    await streams('rowed', 2);
    const { page } = await visit('/monitoring?search=rowed');
    await press(page, 'Rows');
    await card(page, 'rowed').waitFor();
    expect(await flaws(page)).toEqual([]);
    await press(page, 'Stop: rowed');
    await page.getByRole('dialog', { name: 'Stop rowed?' }).waitFor();
    expect(await flaws(page)).toEqual([]);
    await press(page, 'Let it play');
    await press(page, 'Pause auto-end: rowed');
    await seen(page, 'rowed: auto-end is paused');
    expect(await flaws(page)).toEqual([]);
    // On a phone a row still says what plays.
    await page.setViewportSize({ width: 390, height: 844 });
    await card(page, 'rowed').getByText('So What').waitFor();
    expect(await flaws(page)).toEqual([]);
  });

  test('is served under a policy that lets no script in but its own', async () => {
    const policy = (await fetch(`${daemon.url}/monitoring`)).headers.get('content-security-policy');
    const rules = new Map(
      policy?.split(';').map((rule): [string, string] => {
        const [name = '', ...values] = rule.trim().split(' ');
        return [name, values.join(' ')];
      }),
    );
    expect(rules.get('script-src') ?? rules.get('default-src')).toBe("'self'");
    expect(rules.get('default-src')).not.toContain('unsafe-inline');
  });

  test('comes packed to whoever takes that, and plain to the others', async () => {
    const html = await (await fetch(`${daemon.url}/monitoring`)).text();
    const files = [...html.matchAll(/(?:src|href)="(\/monitoring\/assets\/[^"]+)"/g)];
    expect(files.length).toBeGreaterThan(2);
    for (const [, path] of files) {
      const ask = (encoding: string) =>
        fetch(daemon.url + path, { headers: { 'accept-encoding': encoding } });
      const [packed, plain] = [await ask('gzip, br'), await ask('identity')];
      expect(packed.headers.get('content-encoding')).toBe('gzip');
      expect(plain.headers.get('content-encoding')).toBeNull();
      expect(packed.headers.get('vary')).toBe('accept-encoding');
      expect(packed.headers.get('content-type')).toMatch(/^text\/(javascript|css)$/);
      // `fetch` unpacks what it is told is packed.
      expect(await packed.text()).toBe(await plain.text());
    }
  });

  test('is taught by an empty page how to connect the first streamer', async () => {
    const fresh = await Daemon.start(PATIENT);
    onTestFinished(() => fresh.stop());
    const { page } = await visit('/monitoring', { at: fresh });
    await page.getByText(/^curl -X POST/).waitFor();
    expect(await flaws(page)).toEqual([]);
    await streams('my-radio', 3, fresh);
    await card(page, 'my-radio').waitFor();
  });
});

describe('a daemon that knows its callers', () => {
  async function closed() {
    const desk = await TokenDesk.open();
    const radio = desk.create('radio', 'streamer', '--source', '*');
    desk.create('somebody', 'viewer');
    const house = await Daemon.start(`${desk.settings}[websocket]\nheartbeat = "1s"\n`);
    onTestFinished(async () => {
      await house.stop();
      await desk.close();
    });
    const jazz = new Streamer(house, 'jazz', 3, radio);
    onTestFinished(() => jazz.leave());
    await jazz.report();
    return { desk, house };
  }

  async function signIn(page: Page, token: string) {
    await page.getByLabel('Token').fill(token);
    await press(page, 'Sign in');
  }

  test('asks for a token, shows everything to whoever has one, and nothing after that', async () => {
    const { desk, house } = await closed();
    const token = desk.create('anna', 'operator');
    house.reload();
    const { page } = await visit('/monitoring', { at: house, complains: ['refusal', 'away'] });
    const opened: string[] = [];
    page.on('websocket', (socket) => opened.push(socket.url()));
    await page.reload();
    await page.getByLabel('Token').waitFor();
    await pass(KNOCKING_SEEN_MS);
    expect(opened).toEqual([]);

    await signIn(page, 'sattva_wrong');
    await page.getByRole('alert').getByText('no such token').waitFor();
    await page.keyboard.type(token);
    await page.keyboard.press('Enter');
    await card(page, 'jazz').getByText('3 listeners').waitFor();
    expect(opened).toHaveLength(1);
    await page.getByRole('button', { name: 'Stop: jazz' }).waitFor();
    // It is the browser's to keep, whatever the page does.
    expect(await page.evaluate(() => document.cookie + JSON.stringify(localStorage))).not.toContain(
      'sattva_',
    );
    await page.reload();
    await card(page, 'jazz').getByText('3 listeners').waitFor();

    await press(page, 'Settings');
    await page.getByText('Signed in as anna (operator)').waitFor();
    expect(await flaws(page)).toEqual([]);
    await press(page, 'Sign out');
    await page.getByLabel('Token').waitFor();
    expect(await page.getByText('jazz').count()).toBe(0);
    opened.length = 0;
    await pass(KNOCKING_SEEN_MS);
    expect(opened).toEqual([]);
  });

  test('tells every tab of a browser that somebody has signed out', async () => {
    const { desk, house } = await closed();
    const token = desk.create('anna', 'viewer');
    house.reload();
    const { page } = await visit('/monitoring', { at: house, complains: ['refusal', 'away'] });
    await signIn(page, token);
    await card(page, 'jazz').waitFor();
    const other = await page.context().newPage();
    await other.goto(`${house.url}/monitoring`);
    await press(other, 'Settings');
    await press(other, 'Sign out');
    await other.getByLabel('Token').waitFor();
    // A headless browser hides no tab; this is what coming back to one looks like.
    await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
    await page.getByLabel('Token').waitFor();
  });

  test('offers a viewer nothing to press, and shows whoever is revoked the door', async () => {
    const { desk, house } = await closed();
    const token = desk.create('guest', 'viewer');
    house.reload();
    const { page } = await visit('/monitoring', { at: house, complains: ['refusal', 'away'] });
    await signIn(page, token);
    await card(page, 'jazz').getByText('3 listeners').waitFor();
    expect(await page.getByRole('button', { name: /: jazz$/ }).count()).toBe(0);
    await seen(page, 'view only');
    await page.goto(`${house.url}/monitoring/streams/jazz`);
    await seen(page, 'You may look at this stream, not operate it.');
    expect(await page.getByRole('button', { name: /: (studio-)?jazz$/ }).count()).toBe(0);

    // Here nothing is asked for anew: it is the live connection that ends.
    await page.goto(`${house.url}/monitoring/wall`);
    await page.getByRole('listitem').getByText('jazz').waitFor();
    desk.revoke('guest');
    house.reload();
    await page.getByLabel('Token').waitFor({ timeout: 10_000 });
    expect(await page.getByText('jazz').count()).toBe(0);
  });

  test.each([
    ['light', 'en-GB'],
    ['dark', 'ru-RU'],
  ] as const)('lets everybody in by the same door: %s, %s', async (colorScheme, locale) => {
    const { house } = await closed();
    const { page } = await visit('/monitoring', {
      colorScheme,
      locale,
      at: house,
      complains: ['refusal', 'away'],
    });
    await page.locator('input').fill('sattva_wrong');
    await page.keyboard.press('Enter');
    await page.getByRole('alert').locator('p').waitFor();
    expect(await flaws(page)).toEqual([]);
    await page.setViewportSize({ width: 320, height: 640 });
    const tooWide = () =>
      page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
    await expect.poll(tooWide).toBe(false);
    expect(await flaws(page)).toEqual([]);
  });
});
