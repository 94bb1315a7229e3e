#!/usr/bin/python3
"""Order books of the real captures, rebuilt by subscribers that come and go (docs/nothing-missed.md).

`replay --snapshots` publishes three captures, spot and futures. Subscribers join at random moments; some lose their
connection again and again, some stop reading until they are closed. Each keeps its book from snapshot and deltas alone.
At the end all books are, byte for byte, the one that is built from the capture without a network; and so was every
snapshot at its time. PROOF_SEED repeats the random choices of a run, which prints it; PROOF_SPEED below 1 slows feeds
down, for longer runs.
"""
import asyncio
import json
import os
import pathlib
import random
import socket

import websockets

from support.book import Book, Missing, build, digest
from support.native import open_socket
from support.node import Node, run_program
from support.runner import case, equal, main, require, scaled

DATA = pathlib.Path(__file__).resolve().parent.parent / "data"
# The lag bound is small, so that a reader that stalls is closed; history is short, so that some come back too late.
CONFIG = """
[[namespace]]
match = "*.*@depth>"
state = "snapshot+delta"
slow = "disconnect"
history = { messages = 150, bytes = "4MiB", age = "5m" }
lag = { messages = 60, bytes = "1MiB", time = "1m" }
"""
SEED = int(os.environ.get("PROOF_SEED", random.randrange(1 << 32)))
SPEED = float(os.environ.get("PROOF_SPEED", "1"))
# prefix, capture, how many times its own speed: each takes some 25 s
FEEDS = [("s.", "btcusdt-spot.gz", 9), ("s.", "ethusdt-spot.gz", 9), ("f.", "btcusdt-usdm.gz", 2)]
RETRY_SECONDS = 0.1


class Reader:
    """One subscriber of one channel: keeps the book, and where it is in the channel."""

    def __init__(self, node, channel, manner, seed):
        self._node, self.channel, self.manner = node, channel, manner
        self._random = random.Random(seed)
        self._epoch = self._due = None  # the next seq that must come
        self._state_may_come = False  # a snapshot out of that order
        self.book = None
        self._lost = 0  # while there is no book: up to this seq, messages are missing
        self._held = []  # and those behind it, for the snapshot that will come
        self.snapshots = {}  # what was received: last id -> digest
        self.counts = dict.fromkeys(("joined", "resumed", "anew", "cut", "gaps", "updates"), 0)

    def complete(self, last):
        return self.book is not None and self.book.last == last

    async def run(self, over, last):
        """Reads until the book is complete, once `over` is set."""
        if self.manner in ("joins", "leaves", "stalls"):
            await asyncio.sleep(self._random.uniform(0, 15) / SPEED)
        while not (over.is_set() and self.complete(last)):
            try:
                await self._connection(over, last)
            except (OSError, websockets.ConnectionClosed, asyncio.IncompleteReadError):
                self.counts["cut"] += 1
                await asyncio.sleep(RETRY_SECONDS)

    async def _connection(self, over, last):
        # As little as possible lies in buffers on the way, so that a reader that stalls is soon behind.
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 << 10)
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", self._node.port))
        stream = await open_socket(self._node, sock=sock, max_queue=1, read_limit=4096)
        leaves_at = self._after(0.3, 4) if self.manner == "leaves" else None
        stalls_at = self._after(0.3, 3) if self.manner == "stalls" else None
        try:
            await stream.send(json.dumps(self._subscribe()))
            while not (over.is_set() and self.complete(last)):
                now = asyncio.get_running_loop().time()
                if stalls_at is not None and now > stalls_at and not over.is_set():
                    await asyncio.sleep(self._random.uniform(0.5, 3))
                    stalls_at = self._after(1, 3)
                if leaves_at is not None and now > leaves_at and not over.is_set():
                    break
                try:
                    text = await asyncio.wait_for(stream.recv(), 0.25)
                except asyncio.TimeoutError:
                    continue
                self._take(text)
        finally:
            if self._random.random() < 0.5:
                stream.transport.abort()  # without a word
            else:
                await stream.close()
        if leaves_at is not None:
            await asyncio.sleep(self._random.uniform(0, 2))

    def _after(self, least, most):
        return asyncio.get_running_loop().time() + self._random.uniform(least, most)

    def _subscribe(self):
        command = {"type": "subscribe", "id": 1, "channels": [self.channel]}
        if self._due is not None and not self._state_may_come:
            command["resume"] = {self.channel: {"epoch": self._epoch, "seq": self._due - 1}}
        return command

    # ---- what comes ----

    def _take(self, text):
        message = json.loads(text)
        if message["type"] == "subscribed":
            self._joined(message["channels"][0])
        elif message["type"] == "gap":
            self.counts["gaps"] += 1
            equal(message["from"], self._due, f"{self}: where a gap begins, {text}")
            self._begins_behind(message["to"], message["reason"] == "expired")
        elif message["type"] == "message" and message.get("state") == "snapshot":
            self._snapshot(message, text)
        elif message["type"] == "message":
            self._follows(message["seq"])
            if self.book is None:
                self._held.append((message["seq"], message["data"]))
            else:
                self._apply(message["seq"], message["data"])
        else:
            equal(message["type"], "welcome", f"{self}: what else may come, {text[:200]}")

    def _joined(self, entry):
        self.counts["joined"] += 1
        if entry.get("recovered"):
            self.counts["resumed"] += 1
            equal(entry["epoch"], self._epoch, f"{self}: the epoch that it resumed in")
            return
        self.counts["anew"] += "recovered" in entry
        self._epoch = entry["epoch"]
        require(entry.get("state") in ("snapshot", "none"), f"{self}: it is told whether there is a snapshot: {entry}")
        if entry["state"] == "snapshot":
            self._begins_behind(entry["as_of_seq"] - 1, True)
        else:
            self._begins_behind(entry["seq"], False)

    def _begins_behind(self, seq, state_may_come):
        self.book, self._held, self._lost = None, [], seq
        self._due, self._state_may_come = seq + 1, state_may_come

    def _snapshot(self, message, text):
        data = text[text.index('"data":') + len('"data":'):-1]
        self.snapshots[message["data"]["lastUpdateId"]] = digest(data)
        as_of = message.get("as_of_seq", message["seq"])
        if self._state_may_come and message["seq"] != self._due:
            require(as_of in (self._due, self._due + 1), f"{self}: a snapshot as of {as_of} where {self._due} was due")
            self._due, self._lost = as_of, as_of - 1
        else:
            self._follows(message["seq"])
        self._state_may_come = False
        if self.book is not None or as_of <= self._lost:
            return  # not needed, or from before what is missing
        self.book = Book(message["data"])
        for seq, update in self._held:
            if seq >= as_of:
                self._apply(seq, update)
        self._held = []

    def _follows(self, seq):
        equal(seq, self._due, f"{self}: the next seq")
        self._due += 1
        self._state_may_come = False

    def _apply(self, seq, update):
        self.counts["updates"] += 1
        try:
            self.book.follow(update)  # by the exchange's own ids: none is missing, and none comes twice
        except Missing as missing:
            raise AssertionError(f"{self}: seq {seq}: {missing}") from missing

    def __str__(self):
        return f"a reader of {self.channel} that {self.manner} ({self.counts})"


def offline(path, wanted):
    """The final book of a capture, as text, and those of `wanted` ids, as digests."""
    digests, book = {}, None
    for _, book in build(path):
        if book.last in wanted:
            digests[book.last] = digest(book.text())
    return book.text(), digests


@case("books rebuilt from snapshots and deltas are the capture's, byte for byte, however their readers came and went",
      seconds=150)
async def _():
    print(f"PROOF_SEED={SEED}")
    rng = random.Random(SEED)
    streams, final = {}, {}
    for prefix, capture, _ in FEEDS:
        for stream, book in build(DATA / capture):
            pass
        streams[capture] = prefix + stream
        final[capture] = book.last
    async with Node(shards=2, config=CONFIG) as node:
        over = asyncio.Event()
        readers = []
        for _, capture, _ in FEEDS:
            manners = ["stays"] * 2 + ["joins"] * 3 + ["leaves"] * 3 + ["stalls"] * 3
            readers += [(capture, Reader(node, streams[capture], manner, rng.random())) for manner in manners]
        reading = [asyncio.create_task(reader.run(over, final[capture])) for capture, reader in readers]
        replays = [run_program("replay", DATA / capture, "--url", f"ws://127.0.0.1:{node.port}", "--prefix", prefix,
                               "--speed", speed * SPEED, "--snapshots", 5, seconds=110)
                   for prefix, capture, speed in FEEDS]
        for status, out, err in await asyncio.gather(*replays):
            equal(status, 0, f"the status of replay; it said {out}{err}")
            require("1 of 1 complete to the end" in out, f"the capture has a whole book; replay said {out}")
        over.set()
        late = [(capture, Reader(node, streams[capture], "comes late", rng.random())) for _, capture, _ in FEEDS]
        reading += [asyncio.create_task(reader.run(over, final[capture])) for capture, reader in late]
        readers += late
        done, pending = await asyncio.wait(reading, timeout=scaled(20))
        for task in pending:
            task.cancel()
        for task in done:
            task.result()
        behind = [f"{reader} is at {reader.book and reader.book.last} of {final[capture]}"
                  for capture, reader in readers if not reader.complete(final[capture])]
        require(not behind, f"every book is complete: {behind}")

    total = {name: sum(reader.counts[name] for _, reader in readers) for name in readers[0][1].counts}
    print(total)
    for prefix, capture, _ in FEEDS:
        own = [reader for of, reader in readers if of == capture]
        wanted = {last for reader in own for last in reader.snapshots}
        text, digests = offline(DATA / capture, wanted)
        for reader in own:
            require(reader.book.text() == text, f"{reader}: its book is the capture's")
            for last, received in reader.snapshots.items():
                equal(received, digests.get(last), f"{reader}: the snapshot as of update {last}")
    require(total["resumed"] > 5 and total["anew"] > 0 and total["cut"] > 0,
            f"readers came back in time, too late, and after having been closed: {total}")


if __name__ == "__main__":
    main()
