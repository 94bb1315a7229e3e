// bench/system/peers/ws/server.js: node and `ws`: for each client of the channel, client.send(data).
//
// A subscriber opens /sub/<channel> and is told "joined" once its subscription stands; a publisher opens /pub and sends
// `<channel>\n<payload>`. Usage: node server.js PORT
"use strict";
const { WebSocketServer, WebSocket } = require("ws");

const kHeartbeatMilliseconds = 30_000; // as in the library's README
const port = Number(process.argv[2]);
if (!Number.isInteger(port) || port < 1 || port > 65535) {
  console.error("usage: node server.js PORT");
  process.exit(2);
}

const channels = new Map(); // name -> Set of clients
const server = new WebSocketServer({ host: "127.0.0.1", port, perMessageDeflate: false, backlog: 4096 });

function subscribe(socket, channel) {
  let clients = channels.get(channel);
  if (clients === undefined) channels.set(channel, (clients = new Set()));
  clients.add(socket);
  socket.on("close", () => {
    clients.delete(socket);
    if (clients.size === 0 && channels.get(channel) === clients) channels.delete(channel);
  });
  socket.send("joined");
}

function publish(message) {
  const end = message.indexOf(10); // '\n'; a Buffer, so that the text is not decoded and encoded again
  if (end <= 0) return;
  const clients = channels.get(message.toString("latin1", 0, end));
  if (clients === undefined) return;
  const payload = message.subarray(end + 1);
  for (const client of clients) {
    if (client.readyState === WebSocket.OPEN) client.send(payload, { binary: false });
  }
}

function markAlive() {
  this.isAlive = true;
}

server.on("connection", (socket, request) => {
  socket.isAlive = true;
  socket.on("pong", markAlive);
  socket.on("error", () => {}); // "close" follows
  if (request.url.startsWith("/sub/")) {
    subscribe(socket, request.url.slice("/sub/".length));
  } else if (request.url === "/pub") {
    socket.on("message", publish);
  } else {
    socket.close(1008, "no such path");
  }
});

setInterval(() => {
  for (const socket of server.clients) {
    if (!socket.isAlive) {
      socket.terminate();
      continue;
    }
    socket.isAlive = false;
    socket.ping();
  }
}, kHeartbeatMilliseconds);
