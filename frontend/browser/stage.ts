/** The real daemon, streamers that do as they are told, and Chromium: what a story about the page needs. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';

const target = process.env.CARGO_TARGET_DIR ?? new URL('../../target', import.meta.url).pathname;
/** The page under test is the one built into this binary. */
const binary = () => process.env.SATTVA_MONITOR ?? join(target, 'debug', 'sattva-monitor');
const READY_WITHIN_MS = 10_000;
const LOOK_EVERY_MS = 50;
const REPORT_EVERY_MS = 1_000;

export class Daemon {
  #process?: ChildProcess;
  readonly #children: ChildProcess[] = [];

  private constructor(
    readonly port: number,
    readonly folder: string,
  ) {}

  /** `settings` is the daemon's configuration, in TOML. */
  static async start(settings: string): Promise<Daemon> {
    const daemon = new Daemon(await freePort(), await mkdtemp(join(tmpdir(), 'sattva-page-')));
    await writeFile(join(daemon.folder, 'config.toml'), settings);
    await daemon.run();
    return daemon;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async run(): Promise<void> {
    const { folder, port } = this;
    const config = join(folder, 'config.toml');
    const place = ['--listen', `127.0.0.1:${port}`, '--state-dir', join(folder, 'state')];
    this.#process = spawn(binary(), ['serve', '--config', config, ...place], { stdio: 'ignore' });
    this.#process.on('error', (error) => {
      throw new Error(`${binary()} does not run (${error.message}): cargo build`);
    });
    const late = Date.now() + READY_WITHIN_MS;
    while (!(await isReady(`${this.url}/readyz`))) {
      if (Date.now() > late) throw new Error(`the daemon on port ${port} is not ready in time`);
      await pass(LOOK_EVERY_MS);
    }
  }

  reload(): void {
    this.#process?.kill('SIGHUP');
  }

  async kill(): Promise<void> {
    await ended(this.#process, 'SIGKILL');
  }

  simulate(channels: number, rate: number): void {
    const story = ['--channels', String(channels), '--rate', String(rate), '--seed', '1'];
    this.#children.push(
      spawn(binary(), ['simulate', '--url', this.url, ...story], { stdio: 'ignore' }),
    );
  }

  async stop(): Promise<void> {
    for (const child of this.#children) await ended(child, 'SIGKILL');
    await ended(this.#process, 'SIGTERM');
    await rm(this.folder, { recursive: true, force: true });
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }
}

/** The file of a daemon's tokens. */
export class TokenDesk {
  private constructor(readonly folder: string) {}

  static async open(): Promise<TokenDesk> {
    return new TokenDesk(await mkdtemp(join(tmpdir(), 'sattva-tokens-')));
  }

  get settings(): string {
    return `[access]\ntokens_file = "${join(this.folder, 'tokens.toml')}"\n`;
  }

  create(name: string, role: string, ...more: string[]): string {
    return this.#run('create', '--name', name, '--role', role, ...more);
  }

  revoke(name: string): void {
    this.#run('revoke', name);
  }

  async close(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }

  #run(...words: string[]): string {
    const file = ['--file', join(this.folder, 'tokens.toml')];
    const { status, stdout, stderr } = spawnSync(binary(), ['token', ...words, ...file], {
      encoding: 'utf8',
    });
    if (status !== 0) throw new Error(stderr);
    return stdout.trim();
  }
}

/** One stream that reports each second, and ends when it is told to. */
export class Streamer {
  listeners = 0;
  joins = 0;
  track = 'So What';
  readonly stops: string[] = [];
  #seq = 0;
  #live = true;
  readonly #timer: NodeJS.Timeout;

  constructor(
    readonly daemon: Daemon,
    readonly channel: string,
    listeners: number,
    /** Where the daemon wants to know who reports. */
    readonly token?: string,
  ) {
    this.listeners = listeners;
    this.joins = listeners;
    this.#timer = setInterval(() => void this.report().catch(() => {}), REPORT_EVERY_MS);
  }

  /** How many listen from now on; resolves when the daemon knows. */
  async has(listeners: number): Promise<void> {
    this.joins += Math.max(0, listeners - this.listeners);
    this.listeners = listeners;
    await this.report();
  }

  async report(): Promise<void> {
    this.#seq += 1;
    const report = {
      channel_id: this.channel,
      session: 'first',
      seq: this.#seq,
      state: this.#live ? 'live' : 'stopped',
      listeners: this.listeners,
      joins: this.joins,
      queue_size: 5,
      interval_seconds: 1,
      track: { title: this.track, artist: 'Miles Davis' },
    };
    const answer = await fetch(`${this.daemon.url}/api/v1/ingest`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(this.token && { authorization: `Bearer ${this.token}` }),
      },
      body: JSON.stringify({ source: `studio-${this.channel}`, reports: [report] }),
    });
    const { commands = [] } = (await answer.json()) as { commands?: { id: string }[] };
    if (commands.length === 0 || !this.#live) return;
    this.stops.push(...commands.map(({ id }) => id));
    this.leave();
    await this.report();
  }

  leave(): void {
    this.#live = false;
    clearInterval(this.#timer);
  }

  silence(): void {
    clearInterval(this.#timer);
  }
}

export function launch(): Promise<Browser> {
  const executablePath =
    process.env.CHROMIUM ?? spawnSync('which', ['chromium'], { encoding: 'utf8' }).stdout.trim();
  return chromium.launch({ executablePath });
}

/** A page whose complaints are kept: a story ends with none. */
export async function open(
  browser: Browser,
  address: string,
  options: BrowserContextOptions = {},
): Promise<{ page: Page; complaints: string[] }> {
  const context = await browser.newContext({
    locale: 'en-GB',
    timezoneId: 'UTC',
    viewport: { width: 1280, height: 800 },
    reducedMotion: 'reduce',
    ...options,
  });
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (line) => {
    if (line.type() === 'error' || line.type() === 'warning') complaints.push(line.text());
  });
  await page.goto(address);
  return { page, complaints };
}

export const pass = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function isReady(url: string): Promise<boolean> {
  return fetch(url).then(
    (answer) => answer.ok,
    () => false,
  );
}

async function ended(child: ChildProcess | undefined, signal: NodeJS.Signals): Promise<void> {
  if (!child || child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill(signal);
  await gone;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port is free');
  return address.port;
}
