#!/usr/bin/python3
"""Readers that cannot or will not take everything: every trade, the newest quote, and an exact account of the rest."""
import asyncio
import calendar
import gzip
import json
import pathlib
import re
import select
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

SPEED = 30              # 218 s of feed in a little more than 7 s
SHARE = 0.25            # of the bytes, for the reader that is limited
QUOTE_SECONDS_MAX = 2   # a quote it is given is not older
STALL_SECONDS = 0.05    # between two looks at its socket: longer, and it is this program that was late


def feed_of(channels):
    """From the captures: how many messages each channel has, the bytes of its frames, and how long the feed takes."""
    line = re.compile(rb'^(\d+) \{"stream":"([^"]*)","data":(.*)\}$')
    counts = dict.fromkeys(channels, 0)
    size, first, last = 0, None, 0
    for capture in CAPTURES:
        with gzip.open(capture) as lines:
            for text in lines:
                found = line.match(text.rstrip(b"\n"))
                if not found:
                    continue  # the order book's snapshot
                received, channel = int(found[1]), found[2].decode()
                first = received if first is None else min(first, received)
                last = max(last, received)
                if channel not in counts:
                    continue
                counts[channel] += 1
                envelope = ('{"type":"message","channel":"%s","seq":%d,"timestamp":"2024-08-08T23:54:13.937085Z",'
                            '"data":}' % (channel, counts[channel]))
                size += 4 + len(envelope) + len(found[3])
    return counts, size, (last - first) / 1e9


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
        """The messages in what came: (channel, seconds since the epoch when it was published)."""
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
            whole, fraction = message["timestamp"][:-1].split(".")
            published = calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) + float("0." + fraction)
            arrived.append((channel, published))
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
    client.sock.settimeout(scaled(10))
    wanted = sum(len(subscribe["channels"]) for subscribe in subscribes)
    while len(stream.next) < wanted:
        stream.feed(client._data or client.sock.recv(4096))
        client._data = b""
    client.sock.setblocking(False)
    return client.sock, stream


def channel_total(numbers, channels):
    return sum(numbers[channel] for channel in channels)


class Limited:
    """Reads so many bytes a second, and no more: its socket's window is what the server gets to feel."""

    def __init__(self, sock, stream, bytes_a_second):
        self.sock, self.stream, self.rate = sock, stream, bytes_a_second
        self.began = self.looked = time.monotonic()
        self.bytes_before = stream.bytes
        self.stalls = []     # (until when it counts, how long), where this program was late itself
        self.oldest = {}     # age of the oldest quote that it was given, by channel

    def allowance(self):
        return int((time.monotonic() - self.began) * self.rate) - (self.stream.bytes - self.bytes_before)

    def look(self):
        now = time.monotonic()
        if now - self.looked > STALL_SECONDS:
            self.stalls.append((now + 3, now - self.looked))
        self.looked = now
        self.stalls = [stall for stall in self.stalls if stall[0] > now]
        allowed = self.allowance()
        if allowed < 256:
            return
        try:
            piece = self.sock.recv(min(allowed, 16384))
        except BlockingIOError:
            return
        require(piece != b"", "the limited reader is not closed")
        wall = time.time()
        ours = sum(length for _, length in self.stalls)
        for channel, published in self.stream.feed(piece):
            if channel in QUOTES:
                self.oldest[channel] = max(self.oldest.get(channel, 0), wall - published - ours)


@case("a reader with a quarter of the bandwidth sees every trade, no old quote, and notices that account for the rest",
      seconds=90)
async def _():
    counts, size, feed_seconds = feed_of(TRADES + QUOTES)
    async with Node(shards=2) as node:
        # Its window is small, as a slow line's is: what lies in it is as old as it takes to drain.
        slow_sock, slow = open_reader(node, 16384, {"channels": TRADES},
                                      {"channels": QUOTES, "options": {"conflate": True}})
        full_sock, full = open_reader(node, 1 << 20, {"channels": TRADES + QUOTES})
        rate = SHARE * size / (feed_seconds / SPEED)
        limited = Limited(slow_sock, slow, rate)
        replay = asyncio.create_task(run_program("replay", *CAPTURES, "--url", f"ws://127.0.0.1:{node.port}",
                                                 "--speed", SPEED, seconds=60))

        def look():
            select.select([full_sock], [], [], 0.005)
            try:
                piece = full_sock.recv(1 << 20)
                require(piece != b"", "the reader that reads is not closed")
                full.feed(piece)
            except BlockingIOError:
                pass
            limited.look()

        def has_all(stream):
            return all(stream.next[channel] == count + 1 for channel, count in counts.items())
        before = limited.looked
        while not replay.done():
            look()
            await asyncio.sleep(0)
        during = slow.bytes / (rate * (time.monotonic() - limited.began))
        status, out, err = replay.result()
        equal(status, 0, f"the status of replay; it said {out}{err}")
        end = time.monotonic() + scaled(20)
        while not (has_all(full) and has_all(slow)):
            require(time.monotonic() < end, f"the last message of every channel comes; at {slow.next} and {full.next}")
            look()
        took = time.monotonic() - before

        for channel in TRADES:
            equal(slow.messages[channel], counts[channel], f"what the limited reader got of {channel}")
            equal(slow.missed[channel], 0, f"what it was told it missed of {channel}")
        for channel in QUOTES:
            got, missed = slow.messages[channel], slow.missed[channel]
            equal(got + missed, counts[channel], f"quotes and missed quotes of {channel}")
            require(got > 0 and missed > counts[channel] / 2, f"most quotes of {channel} collapse; got {got}")
            require(limited.oldest[channel] <= scaled(QUOTE_SECONDS_MAX),
                    f"no quote of {channel} is old; one was {limited.oldest[channel]:.2f} s")
        for channel, count in counts.items():
            equal(full.messages[channel], count, f"what the reader without a limit got of {channel}")
        require(slow.bytes <= SHARE * size * took / (feed_seconds / SPEED) + 4096, "the limited reader is limited")
        require(during > 0.5, f"and it used what it has; {during:.0%} of it")

        async def ledger_agrees():
            ledger = json.loads((await run_program("stat", "--name", node.name, "--once", "--json"))[1])["ledger"]
            return ledger["conflated"] == sum(slow.missed.values()) and ledger["queued"] == 0 and ledger["dropped"] == 0
        await eventually(ledger_agrees, "the node's ledger has what the notices told")
        print(f"the limited reader used {during:.0%} of {rate / 1000:.0f} kB/s; of {channel_total(counts, QUOTES)} "
              f"quotes it got {channel_total(slow.messages, QUOTES)}, the oldest {max(limited.oldest.values()):.2f} s")
        slow_sock.close()
        full_sock.close()


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
