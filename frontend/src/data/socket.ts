/**
 * The one connection to the daemon, shared by everything on the page. It reconnects by itself,
 * backing off, for as long as somebody holds it, and while whoever looks at the page may.
 */
import ReconnectingWebSocket from 'partysocket/ws';
import { askWhoIAm, useSession } from './session';
import { dispatch, forgetAll, type Happening } from './store';
import { readMessage } from './wire';

const RECONNECT_AFTER_MS = { min: 500, jitter: 1_000, max: 15_000, factor: 1.7 };
const CONNECT_WITHIN_MS = 10_000;
/** Silence after which the connection counts as dead: where it is not known yet how often the daemon speaks, and at least. */
export const DEAD_AFTER_MS = 40_000;
export const DEAD_AFTER_LEAST_MS = 10_000;
/** So many figures that do not come are no accident. */
const MISSED_MAX = 3;
const CHECK_EVERY_MS = 1_000;
/** What comes within this after something was drawn is drawn together: nobody reads faster. */
export const DRAW_EVERY_MS = 200;
/** More waits for no timer: a page in the background has slow ones. */
const WAITING_MAX = 2_000;

let holders = 0;
let close: (() => void) | undefined;

/** Keeps the connection open until the returned function is called. */
export function holdConnection(): () => void {
  holders += 1;
  if (holders === 1) close = open(statsAddress(window.location));
  let held = true;
  return () => {
    if (!held) return;
    held = false;
    holders -= 1;
    if (holders === 0) close?.();
  };
}

const mayView = () => useSession.getState().may_view;

export function statsAddress({ protocol, host }: Pick<Location, 'protocol' | 'host'>): string {
  return `${protocol === 'https:' ? 'wss' : 'ws'}://${host}/ws/stats`;
}

function open(address: string): () => void {
  const socket = new ReconnectingWebSocket(address, [], {
    // Jitter, so that a restarted daemon is not met by every page in the same instant.
    minReconnectionDelay: RECONNECT_AFTER_MS.min + Math.random() * RECONNECT_AFTER_MS.jitter,
    maxReconnectionDelay: RECONNECT_AFTER_MS.max,
    reconnectionDelayGrowFactor: RECONNECT_AFTER_MS.factor,
    connectionTimeout: CONNECT_WITHIN_MS,
    maxEnqueuedMessages: 0,
    startClosed: !mayView(),
  });
  let lastHeard = Date.now();
  let lastStats: number | undefined;
  /** When the daemon was asked for a sign of life, in this silence. */
  let askedAt: number | undefined;
  let deadAfter = DEAD_AFTER_MS;
  const heard = together();

  socket.addEventListener('open', () => {
    lastHeard = Date.now();
    lastStats = askedAt = undefined;
    // Whoever stays for weeks has a token that is renewed by asking, and rights that may have changed.
    void askWhoIAm();
  });
  socket.addEventListener('message', ({ data }) => {
    lastHeard = Date.now();
    askedAt = undefined;
    try {
      const message = readMessage(String(data));
      if (message) heard.add({ ...message, at: lastHeard });
      if (message?.type === 'stats') {
        if (lastStats !== undefined) deadAfter = patience(lastHeard - lastStats);
        lastStats = lastHeard;
      }
    } catch (problem) {
      const detail = problem instanceof Error ? problem.message : String(problem);
      heard.add({ type: 'unreadable', detail, at: lastHeard });
    }
  });
  socket.addEventListener('close', () => {
    heard.add({ type: 'disconnected', at: Date.now() });
    heard.draw();
    // A browser does not say why: perhaps the daemon wants a token, or this one's is gone.
    if (mayView()) void askWhoIAm();
  });
  // Whoever may not look is not to knock every few seconds, and leaves nothing of what was seen.
  const watching = useSession.subscribe(({ may_view }, before) => {
    if (may_view === before.may_view) return;
    if (may_view) return socket.reconnect();
    socket.close();
    forgetAll();
  });

  // A cable that is pulled closes nothing: a browser would show old figures as live for minutes.
  const watchdog = setInterval(() => {
    if (socket.readyState !== WebSocket.OPEN) return;
    const now = Date.now();
    if (askedAt === undefined) {
      if (now - lastHeard < deadAfter / 2) return;
      askedAt = now;
      // Asked before it is given up: this page may have slept, and not the daemon.
      socket.send('{"type":"ping"}');
    } else if (now - askedAt >= deadAfter / 2) giveUp();
  }, CHECK_EVERY_MS);

  function giveUp() {
    // What is shown is from then, not from now.
    heard.add({ type: 'disconnected', at: lastHeard });
    heard.draw();
    socket.reconnect();
  }
  const offline = () => socket.readyState === WebSocket.OPEN && giveUp();
  window.addEventListener('offline', offline);

  return () => {
    clearInterval(watchdog);
    window.removeEventListener('offline', offline);
    watching();
    socket.close();
    heard.draw();
  };
}

/** An interval is whatever the daemon's operator likes; the answers to our asking come in any case. */
const patience = (interval: number) =>
  Math.min(DEAD_AFTER_MS, Math.max(DEAD_AFTER_LEAST_MS, interval * MISSED_MAX));

/** The first is drawn at once, what follows closely is drawn together. */
function together() {
  let waiting: Happening[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  function draw() {
    clearTimeout(timer);
    timer = undefined;
    const happenings = waiting;
    waiting = [];
    dispatch(...happenings);
  }
  function add(happening: Happening) {
    waiting.push(happening);
    if (waiting.length >= WAITING_MAX) return draw();
    if (timer !== undefined) return;
    draw();
    timer = setTimeout(() => {
      timer = undefined;
      if (waiting.length > 0) draw();
    }, DRAW_EVERY_MS);
  }
  return { add, draw };
}
