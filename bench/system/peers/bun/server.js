// bench/system/peers/bun/server.js: Bun's built-in WebSocket publish, the way its documentation shows it.
//
// A subscriber opens /sub/<channel> and is told "joined" once its subscription stands; a publisher opens /pub and sends
// `<channel>\n<payload>`. Usage: bun server.js PORT [--certificate FILE --key FILE] [--compress]
import { parseArgs } from "node:util";

const { positionals, values: options } = parseArgs({
  args: process.argv.slice(2),
  allowPositionals: true,
  options: { certificate: { type: "string" }, key: { type: "string" }, compress: { type: "boolean", default: false } },
});
const port = Number(positionals[0]);
if (!Number.isInteger(port) || port < 1 || port > 65535) {
  console.error("usage: bun server.js PORT [--certificate FILE --key FILE] [--compress]");
  process.exit(2);
}
const tls = options.certificate && { cert: Bun.file(options.certificate), key: Bun.file(options.key) };

const server = Bun.serve({
  hostname: "127.0.0.1",
  port,
  tls,
  fetch(request, server) {
    const { pathname } = new URL(request.url);
    const channel = pathname.startsWith("/sub/") ? pathname.slice("/sub/".length) : undefined;
    if (channel === undefined && pathname !== "/pub") return new Response("no such path", { status: 404 });
    if (server.upgrade(request, { data: { channel } })) return undefined;
    return new Response("a WebSocket is expected", { status: 400 });
  },
  websocket: {
    perMessageDeflate: options.compress,
    idleTimeout: 120, // with sendPings, on by default: the heartbeat
    open(socket) {
      if (socket.data.channel === undefined) return;
      socket.subscribe(socket.data.channel);
      socket.send("joined");
    },
    message(socket, message) {
      if (socket.data.channel !== undefined) return;
      const end = message.indexOf("\n");
      if (end > 0) server.publish(message.slice(0, end), message.slice(end + 1), options.compress);
    },
  },
});
