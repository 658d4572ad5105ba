// A peer of the fan-out figures: native topics, as Bun's documentation has it. What is posted, a message a line, is
// published to everybody. usage: bun bun_fanout.ts deflate|plain PORT
const deflate = process.argv[2] === "deflate";
// Whoever publishes may pause while everything is delivered.
const idleTimeout = 120;

Bun.serve({
  hostname: "127.0.0.1",
  port: Number(process.argv[3]),
  idleTimeout,
  async fetch(request, server) {
    if (new URL(request.url).pathname === "/ws/stats") {
      return server.upgrade(request) ? undefined : new Response("not a WebSocket", { status: 400 });
    }
    for (const message of (await request.text()).split("\n")) server.publish("stats", message, deflate);
    return new Response(null, { status: 204 });
  },
  websocket: {
    perMessageDeflate: deflate,
    idleTimeout,
    open(socket) {
      socket.subscribe("stats");
    },
    message() {},
  },
});
