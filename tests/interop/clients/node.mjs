// The npm package `ws` as a client: a command per line in, an event per line out (see ../client.rs).
import { createInterface } from "node:readline";
import WebSocket from "ws";

const OFFERS = {
  none: false,
  deflate: { threshold: 0 },
  "small window": { threshold: 0, serverMaxWindowBits: 10 },
};
const sockets = new Map();

function open({ id, url, offer, origin }) {
  const tell = (what, more) => console.log(JSON.stringify({ id, what, ...more }));
  const socket = new WebSocket(url, { perMessageDeflate: OFFERS[offer], origin });
  let extensions = "";
  socket.on("upgrade", ({ headers }) => {
    extensions = headers["sec-websocket-extensions"] ?? "";
  });
  socket.on("open", () => tell("opened", { extensions }));
  socket.on("unexpected-response", async (_, answer) => {
    const body = (await answer.toArray()).join("");
    tell("refused", { status: answer.statusCode, body });
  });
  socket.on("message", (text, binary) => tell(binary ? "binary" : "message", { text: text.toString() }));
  socket.on("pong", (payload) => tell("pong", { payload: payload.toString() }));
  socket.on("close", (code, reason) => tell("closed", { code, reason: reason.toString() }));
  socket.on("error", (error) => tell("error", { error: error.message }));
  sockets.set(id, socket);
}

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  const socket = sockets.get(command.id);
  if (command.do === "open") open(command);
  if (command.do === "send") socket.send(command.text);
  if (command.do === "ping") socket.ping(command.payload);
  if (command.do === "close") socket.close(command.code, command.reason);
}
for (const socket of sockets.values()) socket.terminate();
