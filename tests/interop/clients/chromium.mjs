// Chromium as a client: a command per line in, an event per line out (see ../client.rs). A socket is opened by a page
// of the host that it leads to, or of `origin`. usage: chromium.mjs PATH_OF_CHROMIUM
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const browser = await chromium.launch({ executablePath: process.argv[2] });
const context = await browser.newContext();
const tell = (id, what, more) => console.log(JSON.stringify({ id, what, ...more }));
await context.exposeFunction("tell", tell);
const pages = new Map();
/** The page of each socket. */
const pageOf = new Map();

async function visit(origin) {
  const page = await context.newPage();
  await page.goto(`${origin}/healthz`);
  await page.evaluate(() => {
    globalThis.sockets = new Map();
  });
  // A page is not told the status of an answer that opens no socket; who looks over its shoulder is.
  const opening = [];
  const ids = new Map();
  const devtools = await context.newCDPSession(page);
  await devtools.send("Network.enable");
  devtools.on("Network.webSocketCreated", ({ requestId }) => ids.set(requestId, opening.shift()));
  devtools.on("Network.webSocketFrameError", ({ requestId, errorMessage }) => {
    const status = /Unexpected response code: (\d+)/.exec(errorMessage)?.[1];
    if (status) tell(ids.get(requestId), "refused", { status: Number(status), body: null });
    else tell(ids.get(requestId), "error", { error: errorMessage });
  });
  return { page, opening };
}

async function open({ id, url, origin = null }) {
  const from = origin ?? new URL(url).origin.replace("ws", "http");
  if (!pages.has(from)) pages.set(from, await visit(from));
  const { page, opening } = pages.get(from);
  pageOf.set(id, page);
  opening.push(id);
  await page.evaluate(
    ({ id, url }) => {
      const socket = new WebSocket(url);
      globalThis.sockets.set(id, socket);
      let opened = false;
      socket.onopen = () => {
        opened = true;
        tell(id, "opened", { extensions: socket.extensions });
      };
      socket.onmessage = ({ data }) => tell(id, typeof data === "string" ? "message" : "binary", { text: data });
      socket.onclose = ({ code, reason, wasClean }) => {
        if (opened) tell(id, wasClean ? "closed" : "error", { code, reason, error: "not a clean close" });
      };
    },
    { id, url },
  );
}

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  const page = pageOf.get(command.id);
  if (command.do === "open") await open(command);
  if (command.do === "send") {
    await page.evaluate(({ id, text }) => globalThis.sockets.get(id).send(text), command);
  }
  if (command.do === "close") {
    await page.evaluate(({ id, code, reason }) => globalThis.sockets.get(id).close(code, reason), command);
  }
}
await browser.close();
