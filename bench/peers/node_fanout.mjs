// A peer of the fan-out figures: a broadcast as the documentation of `ws` has it, with its heartbeat. What is posted,
// a message a line, is sent to everybody. usage: node node_fanout.mjs deflate|plain PORT
import { createServer } from "node:http";
import { WebSocket, WebSocketServer } from "ws";

const HEARTBEAT = 30_000;
// Whoever publishes may pause while everything is delivered.
const KEEP_ALIVE = 120_000;
const perMessageDeflate =
  process.argv[2] === "deflate" && { serverNoContextTakeover: true, clientNoContextTakeover: true, threshold: 0 };

const sockets = new WebSocketServer({ noServer: true, perMessageDeflate });
sockets.on("connection", (socket) => {
  socket.isAlive = true;
  socket.on("error", () => {});
  socket.on("pong", () => {
    socket.isAlive = true;
  });
});
setInterval(() => {
  for (const socket of sockets.clients) {
    if (!socket.isAlive) socket.terminate();
    socket.isAlive = false;
    socket.ping();
  }
}, HEARTBEAT);

const server = createServer((request, response) => {
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", () => {
    for (const message of Buffer.concat(parts).toString().split("\n")) {
      const bytes = Buffer.from(message);
      for (const socket of sockets.clients) {
        if (socket.readyState === WebSocket.OPEN) socket.send(bytes, { binary: false });
      }
    }
    response.writeHead(204).end();
  });
});
server.keepAliveTimeout = KEEP_ALIVE;
server.on("upgrade", (request, socket, head) => {
  sockets.handleUpgrade(request, socket, head, (client) => sockets.emit("connection", client, request));
});
server.listen({ host: "127.0.0.1", port: Number(process.argv[3]), backlog: 4096 });
