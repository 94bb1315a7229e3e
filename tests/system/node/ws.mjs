// tests/system/node/ws.mjs: what ws_test.py runs with the `ws` package: one named case against one node.
//
//   node ws.mjs CASE PORT
//
// Ends with status 0 if the case holds, else with 1 and the reason on stderr. ws_test.py bounds it in time.
import assert from 'node:assert/strict';
import WebSocket from 'ws';

const [, , name, port] = process.argv;
const url = (path) => `ws://127.0.0.1:${port}${path}`;

// A connection with a queue of what has arrived.
class Client {
  constructor(path, protocols, options) {
    this.socket = new WebSocket(url(path), protocols, options);
    this.arrived = [];
    this.waiting = [];
    this.pings = 0;
    this.closed = new Promise((resolve) => {
      this.socket.on('close', (code, reason) => resolve({ code, reason: String(reason) }));
    });
    this.opened = new Promise((resolve, reject) => {
      this.socket.on('open', resolve);
      this.socket.on('error', reject);
    });
    this.socket.on('ping', () => { this.pings += 1; });
    this.socket.on('message', (data, isBinary) => {
      const text = isBinary ? data : data.toString();
      const next = this.waiting.shift();
      if (next) next(text); else this.arrived.push(text);
    });
  }
  static async open(path = '/ws/connect', protocols = [], options = {}) {
    const client = new Client(path, protocols, options);
    await client.opened;
    if (path === '/ws/connect') assert.equal((await client.receive()).type, 'welcome');
    return client;
  }
  text() {
    if (this.arrived.length > 0) return Promise.resolve(this.arrived.shift());
    return new Promise((resolve) => this.waiting.push(resolve));
  }
  async receive() { return JSON.parse(await this.text()); }
  send(message) { this.socket.send(typeof message === 'string' ? message : JSON.stringify(message)); }
  async request(message) { this.send(message); return this.receive(); }
  close() { this.socket.close(1000); return this.closed; }
}

const cases = {
  async native() {
    const reader = await Client.open();
    const writer = await Client.open();
    assert.equal((await reader.request({ type: 'subscribe', id: 1, channels: ['c'] })).type, 'subscribed');
    const published = await writer.request({ type: 'publish', id: 'x', channel: 'c', data: { a: [1, 2, null] } });
    assert.deepEqual([published.type, published.id, published.seq], ['published', 'x', 1]);
    const message = await reader.receive();
    assert.deepEqual([message.seq, message.data], [1, { a: [1, 2, null] }]);
    assert.equal((await reader.close()).code, 1000);
    assert.equal((await writer.close()).code, 1000);
  },

  async compression() {
    // ws offers permessage-deflate of its own accord, and packs what it sends from 1 KiB on.
    const client = await Client.open('/ws/connect', [], { perMessageDeflate: true });
    assert.equal(client.socket.extensions, 'permessage-deflate');
    await client.request({ type: 'subscribe', id: 1, channels: ['c'] });
    for (const size of [1, 500, 5000, 500000]) {
      const text = 'price 17.5 '.repeat(size).slice(0, size);
      client.send({ type: 'publish', channel: 'c', data: text });
      assert.equal((await client.receive()).data, text);
    }
    await client.close();
  },

  async compression_with_a_small_window() {
    for (const serverMaxWindowBits of [8, 9, 12, 15]) {
      const client = await Client.open('/ws/connect', [], { perMessageDeflate: { serverMaxWindowBits, threshold: 0 } });
      assert.equal(client.socket.extensions, 'permessage-deflate');
      await client.request({ type: 'subscribe', id: 1, channels: [`w${serverMaxWindowBits}`] });
      for (const size of [1, 2000, 20000]) {
        const data = Array.from({ length: size / 10 + 1 }, (_, i) => (i * 7919) % 1000);
        client.send({ type: 'publish', channel: `w${serverMaxWindowBits}`, data });
        assert.deepEqual((await client.receive()).data, data);
      }
      await client.close();
    }
  },

  async a_bomb() {
    const client = await Client.open('/ws/connect', [], { perMessageDeflate: { threshold: 0 } });
    client.socket.send('a'.repeat(4 * 1024 * 1024));
    assert.equal((await client.closed).code, 1009);
  },

  async subprotocol() {
    const client = new Client('/ws', ['something', 'ringcast.v1.json']);
    assert.equal((await client.receive()).type, 'welcome');
    assert.equal(client.socket.protocol, 'ringcast.v1.json');
    await client.close();
  },

  async exchange() {
    const combined = await Client.open('/stream?streams=btcusdt@trade/ethusdt@depth');
    const raw = await Client.open('/ws/btcusdt@trade');
    for (const client of [combined, raw]) {
      const answer = await client.request({ method: 'LIST_SUBSCRIPTIONS', id: 1 });
      assert.ok(answer.result.includes('btcusdt@trade'));
    }
    const writer = await Client.open();
    await writer.request({ type: 'publish', id: 1, channel: 'btcusdt@trade', data: { p: 1 } });
    await writer.request({ type: 'publish', id: 2, channel: 'ethusdt@depth', data: { u: 2 } });
    assert.equal(await raw.text(), '{"p":1}');
    assert.equal(await combined.text(), '{"stream":"btcusdt@trade","data":{"p":1}}');
    assert.equal(await combined.text(), '{"stream":"ethusdt@depth","data":{"u":2}}');
    await Promise.all([combined.close(), raw.close(), writer.close()]);
  },

  async ping_and_pong() {
    const client = await Client.open();
    const pong = new Promise((resolve) => client.socket.on('pong', resolve));
    client.socket.ping('hello');
    assert.equal((await pong).toString(), 'hello');
    while (client.pings < 3) await new Promise((resolve) => setTimeout(resolve, 20));  // ws answers them by itself
    assert.equal((await client.request({ type: 'ping', id: 1 })).type, 'pong');
    await client.close();
  },

  async fragments() {
    const client = await Client.open();
    const text = JSON.stringify({ type: 'ping', id: 'in pieces' });
    for (let i = 0; i < text.length; i += 1) client.socket.send(text[i], { fin: i === text.length - 1 });
    assert.deepEqual(await client.receive(), { type: 'pong', id: 'in pieces' });
    await client.close();
  },

  async close_codes() {
    for (const code of [1000, 1001, 3000, 4999]) {
      const client = await Client.open();
      client.socket.close(code, 'bye');
      assert.equal((await client.closed).code, code, 'a close frame is answered with its own code');
    }
    const client = await Client.open();
    client.socket.send(Buffer.from([1, 2, 3]));
    assert.equal((await client.closed).code, 1003);
  },

  async foreign_origin() {
    const client = new Client('/ws/connect', [], { origin: 'https://evil.example' });
    await assert.rejects(client.opened, /403/);
  },

  async a_hundred_clients() {
    const clients = await Promise.all(Array.from({ length: 100 }, () => Client.open()));
    await Promise.all(clients.map((client, i) => (
      client.request({ type: 'subscribe', id: i, channels: ['all', `own-${i}`] }))));
    const writer = await Client.open();
    for (let i = 0; i < 200; i += 1) writer.send({ type: 'publish', channel: 'all', data: i });
    for (let i = 0; i < 100; i += 1) writer.send({ type: 'publish', channel: `own-${i}`, data: i });
    await Promise.all(clients.map(async (client, i) => {
      let next = 0;
      for (let count = 0; count < 201; count += 1) {
        const message = await client.receive();
        if (message.channel === 'all') {
          assert.deepEqual([message.seq, message.data], [next + 1, next]);
          next += 1;
        } else {
          assert.deepEqual([message.channel, message.data], [`own-${i}`, i]);
        }
      }
      await client.close();
    }));
    await writer.close();
  },

  async a_megabyte() {
    const client = await Client.open();
    await client.request({ type: 'subscribe', id: 1, channels: ['c'] });
    const data = 'é'.repeat(500000);
    client.send({ type: 'publish', channel: 'c', data });
    assert.equal((await client.receive()).data, data);
    await client.close();
  },
};

if (!Object.hasOwn(cases, name)) {
  console.error(`no case '${name}'; there are: ${Object.keys(cases).join(', ')}`);
  process.exit(2);
}
try {
  await cases[name]();
  process.exit(0);
} catch (error) {
  console.error(error);
  process.exit(1);
}
