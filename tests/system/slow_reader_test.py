#!/usr/bin/python3
"""Readers that do not read: what becomes of them, and that nobody else notices (design.md, "Slow readers")."""
import asyncio
import json
import time

from support import raw
from support.native import Native
from support.node import Node
from support.runner import case, equal, main, require, scaled

CONFIG = """
[[namespace]]
match = "quotes>"
slow = "conflate"
lag = { messages = 200, bytes = "4MiB", time = "1h" }

[[namespace]]
match = "log>"
slow = "drop_oldest"
lag = { messages = 200, bytes = "4MiB", time = "1h" }

[[namespace]]
match = "trades>"
slow = "disconnect"
lag = { messages = 200, bytes = "4MiB", time = "1h" }

[[namespace]]
match = "timed>"
slow = "disconnect"
lag = { messages = 1000000, bytes = "4MiB", time = "500ms" }

[[namespace]]
match = "roomy>"
lag = { messages = 1000000, bytes = "64MiB", time = "1h" }
"""
MESSAGES = 12_000
PADDING = "x" * 1000  # 12 MB in all: more than any socket buffer holds


def stuck_reader(node, channel, path="/ws/connect"):
    """Subscribes and reads no more; its receive buffer is as small as the kernel allows."""
    client = raw.RawClient(node.port, path, receive_buffer=2048)
    if path == "/ws/connect":
        client.send_text(json.dumps({"type": "subscribe", "id": 1, "channels": [channel]}))
        while b'"subscribed"' not in client.receive()[1]:
            pass
    return client


async def flood(node, channel, readers):
    """Publishes MESSAGES messages, as fast as the readers that do read get them."""
    async def write():
        async with Native(node) as writer:
            for i in range(1, MESSAGES + 1):
                await writer.send(type="publish", channel=channel, data=[i, PADDING])
                if i % 100 == 0:  # a reader that reads must not fall behind only because this machine is busy
                    await asyncio.wait_for(progress[i].wait(), scaled(30))
            require(await writer.is_quiet(), "every publish was accepted")

    progress = {i: asyncio.Event() for i in range(100, MESSAGES + 1, 100)}

    async def read(reader, leads):
        for i in range(1, MESSAGES + 1):
            message = await reader.receive(30)
            equal((message["type"], message.get("seq")), ("message", i), "the next message of a reader that reads")
            equal(message["data"][0], i, "its data")
            if leads and i in progress:
                progress[i].set()
    await asyncio.gather(write(), *(read(reader, index == 0) for index, reader in enumerate(readers)))


async def open_readers(node, channel, count):
    readers = [Native(node) for _ in range(count)]
    for reader in readers:
        await reader.__aenter__()
        await reader.subscribe(channel)
    return readers


def read_run(client, last):
    """Reads a native stream until seq `last`: every seq in order, once, or named by a gap. (messages, gaps)."""
    expected, messages, gaps = 1, 0, []
    while expected <= last:
        received = client.receive()
        require(received is not None, f"the stream goes on until {last}; it ended before {expected}")
        if received[0] != raw.TEXT:
            continue
        message = json.loads(received[1])
        if message["type"] == "gap":
            equal(message["from"], expected, "a gap begins where the stream broke off")
            require(message["to"] >= message["from"], "a gap has an extent")
            gaps.append(message)
            expected = message["to"] + 1
        elif message["type"] == "message":
            equal(message["seq"], expected, "the next seq, or a gap notice before it")
            equal(message["data"][0], expected, "the data of that seq")
            messages += 1
            expected += 1
    return messages, gaps


@case("a reader that stops changes nothing for others; with conflate it gets a gap notice and the newest", seconds=120)
async def _():
    async with Node(config=CONFIG) as node:
        readers = await open_readers(node, "quotes.a", 5)
        stuck = await asyncio.to_thread(stuck_reader, node, "quotes.a")
        before = node.resident_bytes()
        await flood(node, "quotes.a", readers)
        grown = node.resident_bytes() - before
        require(grown < 48 << 20 or scaled(1) > 1, f"memory stays bounded; it grew by {grown >> 20} MiB")
        with stuck:
            messages, gaps = await asyncio.to_thread(read_run, stuck, MESSAGES)
        require(gaps, "it was told what it missed")
        require(all(gap["reason"] == "conflated" for gap in gaps), f"the reason; got {gaps[:3]}")
        missed = sum(gap["to"] - gap["from"] + 1 for gap in gaps)
        equal(messages + missed, MESSAGES, "messages and missed messages together")
        for reader in readers:
            require(await reader.is_quiet(), "the readers that read got nothing twice")
            await reader.__aexit__()


@case("with drop_oldest it is moved to the oldest that is kept, and told so", seconds=120)
async def _():
    async with Node(config=CONFIG) as node:
        readers = await open_readers(node, "log.a", 1)
        stuck = await asyncio.to_thread(stuck_reader, node, "log.a")
        await flood(node, "log.a", readers)
        with stuck:
            messages, gaps = await asyncio.to_thread(read_run, stuck, MESSAGES)
        require(gaps and all(gap["reason"] == "dropped" for gap in gaps), f"the reason; got {gaps[:3]}")
        require(messages > 1, "more than the newest is left")
        await readers[0].__aexit__()


@case("with disconnect it is closed with 4008, and others get everything", seconds=120)
async def _():
    async with Node(config=CONFIG) as node:
        readers = await open_readers(node, "trades.a", 2)
        stuck = await asyncio.to_thread(stuck_reader, node, "trades.a")
        await flood(node, "trades.a", readers)

        def read_to_close():
            with stuck:
                expected = 1
                while True:
                    received = stuck.receive()
                    if received is None:
                        return expected, None
                    if received[0] == raw.CLOSE:
                        return expected, int.from_bytes(received[1][:2], "big")
                    if received[0] == raw.TEXT:
                        equal(json.loads(received[1])["seq"], expected, "what it does get is unbroken")
                        expected += 1
        reached, code = await asyncio.to_thread(read_to_close)
        require(reached < MESSAGES, "it did not get everything")
        require(code in (4008, None), f"the close code, which is best effort; got {code}")
        for reader in readers:
            await reader.__aexit__()


@case("a reader of the exchange dialect, which has no gap notice, is closed and never skips silently", seconds=120)
async def _():
    config = CONFIG.replace('slow = "drop_oldest"', 'slow = "disconnect"')
    async with Node(config=config) as node:
        readers = await open_readers(node, "trades.a", 1)
        stuck = await asyncio.to_thread(stuck_reader, node, "trades.a", "/ws/trades.a")
        await flood(node, "trades.a", readers)

        def read_to_close():
            with stuck:
                expected = 1
                while (received := stuck.receive()) is not None and received[0] != raw.CLOSE:
                    if received[0] == raw.TEXT:
                        equal(json.loads(received[1])[0], expected, "what it does get is unbroken")
                        expected += 1
                return expected
        require(await asyncio.to_thread(read_to_close) < MESSAGES, "it was closed before the end")
        await readers[0].__aexit__()


@case("a lag in time is noticed although nothing more is published", seconds=60)
async def _():
    async with Node(config=CONFIG) as node:
        stuck = await asyncio.to_thread(stuck_reader, node, "timed.a")
        async with Native(node) as writer:  # 3 MB: more than the kernel takes for it, less than the bound in bytes
            for i in range(1, 3001):
                await writer.send(type="publish", channel="timed.a", data=[i, PADDING])
            require(await writer.is_quiet(), "every publish was accepted")
        await asyncio.sleep(scaled(2))

        def ends():
            with stuck:
                began = time.monotonic()
                count = 0
                while (received := stuck.receive()) is not None and received[0] != raw.CLOSE:
                    count += received[0] == raw.TEXT
                return count, time.monotonic() - began
        count, _ = await asyncio.to_thread(ends)
        require(count < 3000, f"it was closed before it could read all; it read {count}")


@case("a publisher that leaves its acknowledgements unread is held back, not cut off, and loses nothing", seconds=60)
async def _():
    async with Node(config=CONFIG) as node, Native(node) as reader:
        await reader.subscribe("roomy")  # the case is about the publisher, however slow its reader
        count = 30_000

        def publish_unread():
            client = raw.RawClient(node.port, receive_buffer=2048)
            client.sock.settimeout(scaled(1))
            frames = [raw.frame(raw.TEXT, json.dumps({"type": "publish", "id": i, "channel": "roomy", "data": i}))
                      for i in range(1, count + 1)]
            data, sent = b"".join(frames), 0
            paused = False
            while sent < len(data):
                try:
                    sent += client.sock.send(data[sent:sent + 65536])
                except TimeoutError:  # the node reads no more until we read its answers
                    paused = True
                    break
            answered, word, tail = 0, b'"published"', b""
            client.sock.setblocking(False)
            end = time.monotonic() + scaled(40)
            while answered < count and time.monotonic() < end:
                try:
                    if sent < len(data):
                        sent += client.sock.send(data[sent:sent + 65536])
                except BlockingIOError:
                    pass
                try:
                    piece = client.sock.recv(65536)
                    require(piece != b"", "the connection stays")
                    answered += (tail + piece).count(word)
                    tail = (tail + piece)[1 - len(word):]  # a word may be in two pieces
                except BlockingIOError:
                    time.sleep(0.001)
            client.sock.close()
            return paused, answered
        work = asyncio.create_task(asyncio.to_thread(publish_unread))
        for i in range(1, count + 1):
            message = await reader.receive(40)
            equal((message["seq"], message["data"]), (i, i), "the next message")
        _, answered = await work
        equal(answered, count, "the acknowledgements that come once they are read")


if __name__ == "__main__":
    main()
