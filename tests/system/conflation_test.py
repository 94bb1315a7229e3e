#!/usr/bin/python3
"""Readers that cannot or will not take everything: every trade, the newest quote, and an exact account of the rest.

The first case keeps its own time, that of the feed: a slice of it is published, then the limited reader reads what its
line would have carried meanwhile, then comes the next slice. A host that is busy with other things makes all of it
slower and nothing of it different; no clock of this machine decides whether the case holds.
"""
import asyncio
import gzip
import json
import pathlib
import re
import struct
import time

from support import raw
from support.native import Native
from support.node import Node, run_program
from support.runner import case, equal, eventually, main, require, scaled

DATA = pathlib.Path(__file__).resolve().parent.parent / "data"
CAPTURES = [DATA / "btcusdt-spot.gz", DATA / "ethusdt-spot.gz"]
TRADES = ["btcusdt@trade", "ethusdt@trade"]
QUOTES = ["btcusdt@bookTicker", "ethusdt@bookTicker"]

SPEED = 30              # 218 s of feed in a little more than 7 s of the case's own time
SLICE_SECONDS = 0.02    # of that: what is published before the readers read again
SHARE = 0.25            # of the bytes, for the reader that is limited
QUOTE_SECONDS_MAX = 2   # a quote it is given is not older
ENVELOPE = len('{"type":"message","channel":"","seq":,"timestamp":"2024-08-08T23:54:13.937085Z","data":}') + 4

# What a trade may lag behind in the node's time depends on the host, so that bound is out of the way, and so are pings
# that nobody answers; the bounds in messages and bytes are as shipped. Quotes have the shipped rule.
PATIENT = """[heartbeat]
interval = "1h"

[[namespace]]
match = "*@trade"
slow = "disconnect"
lag = { time = "10m" }
"""


def feed_of(channels):
    """The captures' messages of these channels in the order of their receipt: (own time, channel, payload)."""
    line = re.compile(rb'^(\d+) \{"stream":"([^"]*)","data":(.*)\}$')
    messages = []
    for capture in CAPTURES:
        with gzip.open(capture) as lines:
            for text in lines:
                found = line.match(text.rstrip(b"\n"))
                if found and found[2].decode() in channels:  # it is no snapshot of the order book
                    messages.append((int(found[1]), found[2].decode(), found[3]))
    messages.sort(key=lambda message: message[0])
    first = messages[0][0]
    return [((received - first) / 1e9 / SPEED, channel, data) for received, channel, data in messages]


class Stream:
    """Takes a native stream apart, checks that nothing is missing in silence, and keeps the account."""

    def __init__(self):
        self.data = b""
        self.bytes = 0
        self.next = {}       # seq to come, by channel
        self.messages = {}
        self.missed = {}
        self.gaps = 0

    def feed(self, piece):
        """The messages in what came: (channel, seq)."""
        self.bytes += len(piece)
        self.data += piece
        at, arrived = 0, []
        while len(self.data) - at >= 4:
            opcode, size = self.data[at] & 15, self.data[at + 1] & 127
            head = 2
            if size == 126:
                size, head = struct.unpack_from("!H", self.data, at + 2)[0], 4
            elif size == 127:
                require(len(self.data) - at >= 10, "a long frame's head comes whole")
                size, head = struct.unpack_from("!Q", self.data, at + 2)[0], 10
            if len(self.data) - at < head + size:
                break
            if opcode == raw.TEXT:
                self._take(json.loads(self.data[at + head:at + head + size]), arrived)
            at += head + size
        self.data = self.data[at:]
        return arrived

    def _take(self, message, arrived):
        kind = message["type"]
        require(kind in ("welcome", "subscribed", "message", "gap"), f"nothing is refused; got {message}")
        if kind == "subscribed":
            for entry in message["channels"]:
                self.next[entry["channel"]] = entry["seq"] + 1
                self.messages[entry["channel"]] = self.missed[entry["channel"]] = 0
        elif kind == "message":
            channel = message["channel"]
            equal(message["seq"], self.next[channel], f"the next seq of {channel}, or a gap notice before it")
            self.next[channel] += 1
            self.messages[channel] += 1
            arrived.append((channel, message["seq"]))
        elif kind == "gap":
            channel = message["channel"]
            equal(message["reason"], "conflated", "the reason for a gap")
            equal(message["from"], self.next[channel], "a gap begins where the stream broke off")
            require(message["to"] >= message["from"], "a gap has an extent")
            self.missed[channel] += message["to"] - message["from"] + 1
            self.next[channel] = message["to"] + 1
            self.gaps += 1


def open_reader(node, receive_buffer, *subscribes):
    client = raw.RawClient(node.port, receive_buffer=receive_buffer)
    for number, subscribe in enumerate(subscribes):
        client.send_text(json.dumps({"type": "subscribe", "id": number, **subscribe}))
    stream = Stream()
    client.sock.settimeout(scaled(20))
    wanted = sum(len(subscribe["channels"]) for subscribe in subscribes)
    while len(stream.next) < wanted:
        stream.feed(client._data or client.sock.recv(4096))
        client._data = b""
    return client.sock, stream


class Publisher:
    """Publishes slice by slice, and knows when the node has sequenced all of one."""

    def __init__(self, node):
        self._client = raw.RawClient(node.port)
        self.published = dict.fromkeys(TRADES + QUOTES, 0)

    def publish(self, messages):
        """Messages of one channel keep their order, so the answer to its last one is the answer to all."""
        last = {channel: at for at, (_, channel, _) in enumerate(messages)}
        frames = []
        for at, (_, channel, data) in enumerate(messages):
            self.published[channel] += 1
            asks = b'"id":1,' if last[channel] == at else b""
            frames.append(unmasked(b'{"type":"publish",%b"channel":"%b","data":%b}' % (asks, channel.encode(), data)))
        self._client.send(*frames)
        waiting = dict(self.published.items() & {(channel, self.published[channel]) for channel in last})
        while waiting:
            received = self._client.receive()
            require(received is not None, "the publisher is not closed")
            opcode, payload = received
            answer = json.loads(payload) if opcode == raw.TEXT else {"type": "control"}
            require(answer["type"] in ("welcome", "published", "control"), f"nothing is refused; got {answer}")
            if answer["type"] == "published":
                equal(answer["seq"], waiting.pop(answer["channel"]), f"the seq of {answer['channel']}")

    def close(self):
        self._client.sock.close()


def unmasked(payload):
    """A client's frame whose mask changes nothing: masking 20 MB in Python would take longer than all the rest."""
    size = len(payload)
    head = struct.pack("!BB", 0x81, 0x80 | size) if size < 126 else struct.pack("!BBH", 0x81, 0x80 | 126, size)
    return head + b"\0\0\0\0" + payload


def has_all(stream, published):
    return all(stream.next[channel] == count + 1 for channel, count in published.items())


def read_all(sock, stream, published):
    """Until the reader has, or was told that it will not get, all that was published."""
    while not has_all(stream, published):
        piece = sock.recv(1 << 18)
        require(piece != b"", "the reader that reads is not closed")
        stream.feed(piece)


class Limited:
    """A line that carries so many bytes a second of the case's time. What it cannot take stays with the server: the
    socket's window is small, as a slow line's is."""

    def __init__(self, sock, stream, bytes_a_second):
        self._sock, self._stream, self._rate = sock, stream, bytes_a_second
        self._before = stream.bytes
        self.idle = 0.0      # bytes that it could have carried when there was nothing
        self.oldest = {}     # the age of the oldest quote that it was given, by channel

    def read_until(self, now, published, times):
        """Reads what the line carries until `now`. times: when each message was published, by channel, seq - 1."""
        while True:
            allowed = int(now * self._rate - self.idle) - (self._stream.bytes - self._before)
            if allowed <= 0:
                return
            if has_all(self._stream, published):  # nothing is on its way: that part of the line's time is lost
                self.idle += allowed
                return
            piece = self._sock.recv(min(allowed, 16384))
            require(piece != b"", "the limited reader is not closed")
            for channel, seq in self._stream.feed(piece):
                if channel in QUOTES:
                    self.oldest[channel] = max(self.oldest.get(channel, 0), now - times[channel][seq - 1])


def replay_in_slices(node):
    """Publishes the captures and reads them with both readers; says what came of it."""
    feed = feed_of(TRADES + QUOTES)
    size = sum(ENVELOPE + len(channel) + 5 + len(data) for _, channel, data in feed)
    times = {channel: [at for at, name, _ in feed if name == channel] for channel in TRADES + QUOTES}
    rate = SHARE * size / feed[-1][0]
    slow_sock, slow = open_reader(node, 16384, {"channels": TRADES},
                                  {"channels": QUOTES, "options": {"conflate": True}})
    full_sock, full = open_reader(node, 1 << 20, {"channels": TRADES + QUOTES})
    limited, publisher = Limited(slow_sock, slow, rate), Publisher(node)
    at, now = 0, 0.0
    while at < len(feed):
        begin, now = at, now + SLICE_SECONDS
        while at < len(feed) and feed[at][0] < now:
            at += 1
        publisher.publish(feed[begin:at])
        read_all(full_sock, full, publisher.published)
        limited.read_until(now, publisher.published, times)
    carried = slow.bytes / (rate * now)
    while not has_all(slow, publisher.published):  # the line goes on, though nothing new comes
        now += SLICE_SECONDS
        limited.read_until(now, publisher.published, times)
    publisher.close()
    return publisher.published, slow, full, limited, carried, rate * now, (slow_sock, full_sock)


@case("a reader with a quarter of the bandwidth sees every trade, no old quote, and notices that account for the rest",
      seconds=90)
async def _():
    async with Node(shards=2, config=PATIENT) as node:
        counts, slow, full, limited, carried, could, sockets = await asyncio.to_thread(replay_in_slices, node)
        for channel in TRADES:
            equal(slow.messages[channel], counts[channel], f"what the limited reader got of {channel}")
            equal(slow.missed[channel], 0, f"what it was told it missed of {channel}")
        for channel in QUOTES:
            got, missed = slow.messages[channel], slow.missed[channel]
            equal(got + missed, counts[channel], f"quotes and missed quotes of {channel}")
            require(got > 0 and missed > counts[channel] / 2, f"most quotes of {channel} collapse; got {got}")
            require(limited.oldest[channel] <= QUOTE_SECONDS_MAX,
                    f"no quote of {channel} is old; one was {limited.oldest[channel]:.2f} s")
        for channel, count in counts.items():
            equal(full.messages[channel], count, f"what the reader without a limit got of {channel}")
        require(slow.bytes <= could + 4096, f"the limited reader is limited; {slow.bytes} of {could:.0f} bytes")
        require(carried > 0.5, f"and it used what it has; {carried:.0%} of it")

        async def ledger_agrees():
            ledger = json.loads((await run_program("stat", "--name", node.name, "--once", "--json"))[1])["ledger"]
            return ledger["conflated"] == sum(slow.missed.values()) and ledger["queued"] == 0 and ledger["dropped"] == 0
        await eventually(ledger_agrees, "the node's ledger has what the notices told")
        quotes = sum(counts[channel] for channel in QUOTES)
        print(f"the limited reader used {carried:.0%} of its line; of {quotes} quotes it got "
              f"{sum(slow.messages[channel] for channel in QUOTES)}, the oldest {max(limited.oldest.values()):.2f} s")
        for sock in sockets:
            sock.close()


@case("a limited rate is kept, its last message comes by itself, and other channels of the connection do not wait")
async def _():
    async with Node(shards=2) as node, Native(node) as reader, Native(node) as writer:
        await reader.send(type="subscribe", id=1, channels=["btcusdt@bookTicker"], options={"max_rate": 5})
        await reader.expect(type="subscribed")
        await reader.subscribe("btcusdt@trade")
        began = time.monotonic()
        count = 100
        for i in range(1, count + 1):
            await writer.send(type="publish", channel="btcusdt@bookTicker", data=i)
            await writer.send(type="publish", channel="btcusdt@trade", data=i)
            await asyncio.sleep(0.01)
        require(await writer.is_quiet(), "every publish was accepted")
        quotes, trades, next_quote = 0, 0, 1
        while next_quote <= count or trades < count:
            message = await reader.receive()
            if message["type"] == "gap":
                equal((message["channel"], message["from"]), ("btcusdt@bookTicker", next_quote), "a gap in the quotes")
                next_quote = message["to"] + 1
            elif message["channel"] == "btcusdt@trade":
                trades += 1
                equal(message["seq"], trades, "the next trade")
            else:
                equal(message["seq"], next_quote, "the next quote, or a gap notice before it")
                next_quote += 1
                quotes += 1
        took = time.monotonic() - began
        require(2 <= quotes <= 5 * took + 2, f"the rate; {quotes} quotes in {took:.2f} s")


@case("what a namespace does not allow is refused by name, and nothing is subscribed")
async def _():
    async with Node() as node, Native(node) as reader:
        for options in ({"conflate": True}, {"max_rate": 10}):
            await reader.send(type="subscribe", id=1, channels=["btcusdt@trade"], options=options)
            error = await reader.expect(type="error", id=1, code="not_supported", channel="btcusdt@trade")
            require("does not conflate" in error["message"], f"it says why; it said {error['message']}")
            await reader.publish("btcusdt@trade", 1)
            require(await reader.is_quiet(), "nothing is subscribed")
        subscribed = await reader.request(type="subscribe", id=2, channels=["btcusdt@trade", "btcusdt@bookTicker"],
                                          options={"conflate": True})
        equal([entry["channel"] for entry in subscribed["channels"]], ["btcusdt@bookTicker"], "what was granted")
        await reader.expect(type="error", code="not_supported", channel="btcusdt@trade")


if __name__ == "__main__":
    main()
