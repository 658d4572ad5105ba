/**
 * What the page costs a browser, with a thousand streams and two hundred updates a second, on the release
 * binary; prints the rows of docs/benchmarks.md, and writes them there with `--write`.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { Browser, CDPSession, Page } from 'playwright-core';
import { Daemon, launch, open, pass } from './stage';

const TARGET = process.env.CARGO_TARGET_DIR ?? new URL('../../target', import.meta.url).pathname;

const DOCUMENT = new URL('../../docs/benchmarks.md', import.meta.url).pathname;
const BEGIN = '<!-- page: begin; written by npm run measure -->';
const END = '<!-- page: end -->';

const CHANNELS = 1_000;
const UPDATES_A_SECOND = 200;
/** After the page has come to rest. */
const SETTLE_MS = 15_000;
const LONG_MS = 50;
const PAINTS = 15;
/** A new window starts pages of the browser's own beside ours: whoever goes to a page has one open already. */
const WINDOW_OPENS_MS = 1_500;
const SAMPLE_MEMORY_MS = 15_000;
/** In its first minutes a browser makes machine code of what runs often; after them only what the page keeps can grow. */
const WARM_UP_MS = 180_000;
/** The page works on meanwhile: what the least of some collections finds is what it keeps. */
const COLLECTIONS = 3;
const BETWEEN_COLLECTIONS_MS = 300;
/** Nothing that is measured changes anything. */
const SETTINGS = '[auto_end]\ndry_run = true\n';

interface Row {
  figure: string;
  measured: string;
  goal: string;
  met: boolean;
}

export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      minutes: { type: 'string', default: '10' },
      seconds: { type: 'string', default: '60' },
      write: { type: 'boolean', default: false },
    },
  });
  const minutes = positive('--minutes', values.minutes);
  const seconds = positive('--seconds', values.seconds);
  process.env.SATTVA_MONITOR ??= `${TARGET}/release/sattva-monitor`;
  const browser = await launch();
  const rows: Row[] = [];
  try {
    const few = await Daemon.start(SETTINGS);
    try {
      few.simulate(20, 4);
      await pass(SETTLE_MS / 3);
      rows.push(await firstPaint('20 streams', () => paint(browser, few.url)));
    } finally {
      await few.stop();
    }
    const daemon = await Daemon.start(SETTINGS);
    try {
      daemon.simulate(CHANNELS, UPDATES_A_SECOND);
      await pass(SETTLE_MS);
      rows.push(await firstPaint(`${CHANNELS} streams`, () => paint(browser, daemon.url)));
      const { page, complaints } = await open(browser, `${daemon.url}/monitoring`, DRAWN);
      await page.getByRole('article').first().waitFor();
      await pass(SETTLE_MS);
      const before = await updatesSent(daemon.url);
      rows.push(...(await work(page, seconds)));
      const rate = ((await updatesSent(daemon.url)) - before) / seconds;
      const gaps = await frameGaps(page, seconds);
      await pass(WARM_UP_MS);
      rows.push(...gaps, ...(await memory(page, minutes)));
      for (const row of rows.slice(2))
        row.figure = `${CHANNELS} streams, ${rate.toFixed(0)} updates/s: ${row.figure}`;
      if (complaints.length > 0) throw new Error(`the page complained: ${complaints.join('; ')}`);
    } finally {
      await daemon.stop();
    }
  } finally {
    await browser.close();
  }
  const table = tableOf(rows);
  process.stdout.write(`${table}\n`);
  if (values.write)
    write(
      `${table}\n\nMade by \`npm run measure -- --minutes ${minutes} --seconds ${seconds} --write\` in \`frontend/\`, ${browserName(browser)}.\n`,
    );
}

const DRAWN = { reducedMotion: 'no-preference' as const };

function positive(name: string, text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new Error(`${name} ${text}: a number above 0 is wanted`);
  return value;
}

const browserName = (browser: Browser) =>
  `Chromium ${browser.version()}, headless, drawn by the CPU`;

// ---- first paint ----

/** From the start of the navigation until the first stream's card has been painted, in milliseconds. */
async function paint(browser: Browser, url: string): Promise<number> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  const page = await context.newPage();
  await page.addInitScript(() => {
    const seen = new MutationObserver(() => {
      if (!document.querySelector('article')) return;
      seen.disconnect();
      // Behind the frame that draws it.
      requestAnimationFrame(() =>
        requestAnimationFrame(() => {
          (globalThis as unknown as { painted: number }).painted = performance.now();
        }),
      );
    });
    seen.observe(document, { childList: true, subtree: true });
  });
  await page.waitForTimeout(WINDOW_OPENS_MS);
  await page.goto(`${url}/monitoring`);
  const painted = await page.waitForFunction(
    () => (globalThis as unknown as { painted?: number }).painted,
  );
  const took = Number(await painted.jsonValue());
  await context.close();
  return took;
}

async function firstPaint(what: string, once: () => Promise<number>): Promise<Row> {
  const took: number[] = [];
  // The first one starts processes of the browser: no page does that every time.
  await once();
  for (let time = 0; time < PAINTS; time += 1) took.push(await once());
  took.sort((a, b) => a - b);
  const [least = 0, middle = 0, most = 0] = [took[0], took[PAINTS >> 1], took.at(-1)];
  return {
    figure: `First paint of live data, ${what}, nothing cached, ${PAINTS} times`,
    measured: `${middle.toFixed(0)} ms (${least.toFixed(0)}–${most.toFixed(0)})`,
    goal: '≤ 500 ms',
    met: middle <= 500,
  };
}

// ---- the main thread ----

interface Event {
  name: string;
  ph: string;
  ts: number;
  dur?: number;
  pid: number;
  tid: number;
  args?: { name?: string };
}

/** The tasks of the page's main thread while it is traced. */
async function work(page: Page, seconds: number): Promise<Row[]> {
  const tracer = await page.context().browser()?.newBrowserCDPSession();
  if (!tracer) throw new Error('the browser is gone');
  // Tasks alone: what is traced in them would be measured with them.
  const categories = ['toplevel', '__metadata'].join(',');
  const events: Event[] = [];
  tracer.on('Tracing.dataCollected', ({ value }) => events.push(...(value as unknown as Event[])));
  const done = new Promise<void>((resolve) => {
    tracer.once('Tracing.tracingComplete', () => resolve());
  });
  await tracer.send('Tracing.start', { categories, transferMode: 'ReportEvents' });
  await page.waitForTimeout(seconds * 1000);
  await tracer.send('Tracing.end');
  await done;
  const tasks = mainThreadTasks(events);
  const busy = tasks.reduce((sum, task) => sum + task, 0) / (seconds * 1000);
  const long = tasks.filter((task) => task > LONG_MS);
  const most = Math.max(0, ...tasks);
  return [
    {
      figure: `main thread busy, traced for ${seconds} s`,
      measured: `${(busy * 100).toFixed(1)} %`,
      goal: '≤ 30 %',
      met: busy <= 0.3,
    },
    {
      figure: `tasks over ${LONG_MS} ms of ${tasks.length}, the longest`,
      measured: `${long.length}, ${most.toFixed(1)} ms`,
      goal: '0',
      met: long.length === 0,
    },
  ];
}

/** Durations in milliseconds, of the busiest renderer: there is one page. */
function mainThreadTasks(events: readonly Event[]): number[] {
  const mains = new Set(
    events
      .filter(({ name, args }) => name === 'thread_name' && args?.name === 'CrRendererMain')
      .map(({ pid, tid }) => `${pid} ${tid}`),
  );
  const threads = new Map<string, number[]>();
  for (const { name, ph, dur, pid, tid } of events) {
    const thread = `${pid} ${tid}`;
    if (ph !== 'X' || dur === undefined || !mains.has(thread) || !name.endsWith('RunTask'))
      continue;
    const tasks = threads.get(thread) ?? [];
    tasks.push(dur / 1000);
    threads.set(thread, tasks);
  }
  const sum = (tasks: number[]) => tasks.reduce((sum, task) => sum + task, 0);
  const [busiest] = [...threads.values()].sort((a, b) => sum(b) - sum(a));
  if (!busiest) throw new Error('the trace has no task of a page: is this Chromium?');
  return busiest;
}

/** What lies between two frames while every frame is asked for. */
async function frameGaps(page: Page, seconds: number): Promise<Row[]> {
  const gaps = await page.evaluate(
    (ms) =>
      new Promise<number[]>((resolve) => {
        const gaps: number[] = [];
        const begin = performance.now();
        let last = begin;
        const frame = (now: number) => {
          gaps.push(now - last);
          last = now;
          if (now - begin < ms) requestAnimationFrame(frame);
          else resolve(gaps.slice(1));
        };
        requestAnimationFrame(frame);
      }),
    seconds * 1000,
  );
  const long = gaps.filter((gap) => gap > LONG_MS);
  gaps.sort((a, b) => a - b);
  const p99 = gaps[Math.floor(gaps.length * 0.99)] ?? 0;
  return [
    {
      figure: `frames over ${LONG_MS} ms of ${gaps.length}, every one asked for; the longest`,
      measured: `${long.length}, ${(gaps.at(-1) ?? 0).toFixed(1)} ms (p99 ${p99.toFixed(1)})`,
      goal: '0',
      met: long.length === 0,
    },
  ];
}

// ---- memory ----

/** What the page keeps, sampled over some minutes. */
async function memory(page: Page, minutes: number): Promise<Row[]> {
  const session = await page.context().newCDPSession(page);
  await session.send('HeapProfiler.enable');
  await session.send('Performance.enable');
  const used: number[] = [];
  const end = Date.now() + minutes * 60_000;
  do {
    used.push(await heap(session));
    await page.waitForTimeout(Math.min(SAMPLE_MEMORY_MS, Math.max(0, end - Date.now())));
  } while (Date.now() < end);
  used.push(await heap(session));
  const third = Math.max(1, Math.floor(used.length / 3));
  const mean = (some: number[]) => some.reduce((sum, each) => sum + each, 0) / some.length;
  const [first, last] = [mean(used.slice(0, third)), mean(used.slice(-third))];
  const growth = last / first - 1;
  return [
    {
      figure: `heap, the least after ${COLLECTIONS} collections, over ${minutes} min of a warm page: mean of the first third, of the last third`,
      measured: `${first.toFixed(1)} MB, ${last.toFixed(1)} MB (${growth >= 0 ? '+' : ''}${(growth * 100).toFixed(1)} %; ${Math.min(...used).toFixed(1)}–${Math.max(...used).toFixed(1)})`,
      goal: 'flat: ≤ +5 %',
      met: growth <= 0.05,
    },
  ];
}

async function heap(session: CDPSession): Promise<number> {
  const used: number[] = [];
  while (used.length < COLLECTIONS) {
    if (used.length > 0) await pass(BETWEEN_COLLECTIONS_MS);
    await session.send('HeapProfiler.collectGarbage');
    const { metrics } = await session.send('Performance.getMetrics');
    used.push(metrics.find(({ name }) => name === 'JSHeapUsedSize')?.value ?? Number.NaN);
  }
  return Math.min(...used) / 1e6;
}

// ---- what was sent, and what is told ----

async function updatesSent(url: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const lines = text.matchAll(
    /^sattva_websocket_messages_sent_total\{[^}]*type="stream_update"[^}]*\} (\d+)/gm,
  );
  return [...lines].reduce((sum, [, count]) => sum + Number(count), 0);
}

function tableOf(rows: readonly Row[]): string {
  const lines = rows.map(
    ({ figure, measured, goal, met }) =>
      `| ${figure} | ${measured} | ${goal} | ${met ? 'yes' : '**no**'} |`,
  );
  return ['| Figure | Measured | Goal | Met |', '|---|---|---|---|', ...lines].join('\n');
}

function write(text: string): void {
  const document = readFileSync(DOCUMENT, 'utf8');
  const [before, rest] = document.split(BEGIN);
  const after = rest?.split(END)[1];
  if (before === undefined || after === undefined)
    throw new Error(`${DOCUMENT} has no place for it`);
  writeFileSync(DOCUMENT, `${before}${BEGIN}\n\n${text}\n${END}${after}`);
}
