#!/usr/bin/python3
"""Subscriptions to patterns (docs/protocol.md section 3): what they bind, also later, and that nobody waits."""
import asyncio
import json
import time

from support.native import Native
from support.node import Node, run_program
from support.runner import TIME_FACTOR, case, equal, eventually, main, require

MANY = 100_000
SUBSCRIPTIONS = 1_024  # limits.subscriptions
# How long another client's ping may take while a pattern is looked up among all channels. The longest turn is what it
# bounds; what is measured is this machine's scheduling too, so the bound is wide and the median is printed.
PING_SECONDS_MAX = 0.25

CONFIG = """
[limits]
channels = 110000
[[namespace]]
match = ">"
history = { messages = 10, bytes = "4KiB", age = "10m" }
"""


class PatternReader:
    """Keeps what one connection is told about a pattern, and checks that every channel is told before its messages."""

    def __init__(self, client):
        self.client = client
        self.seqs = {}      # channel: the last seq
        self.errors = []
        self.messages = 0

    async def subscribe(self, pattern, **more):
        await self.client.send(type="subscribe", id="p", channels=[pattern], **more)
        answer = await self.client.receive(60)
        equal((answer["type"], answer.get("id")), ("subscribed", "p"), "the answer to the pattern")
        entry = answer["channels"][0]
        equal((entry["channel"], entry["pattern"]), (pattern, True), "its entry")
        return entry["matched"]

    def take(self, message):
        if message["type"] == "subscribed":
            for entry in message["channels"]:
                require(entry["channel"] not in self.seqs, f"{entry['channel']} is told once")
                self.seqs[entry["channel"]] = entry["seq"]
        elif message["type"] == "message":
            require(message["channel"] in self.seqs, f"{message['channel']} is told before its first message")
            equal(message["seq"], self.seqs[message["channel"]] + 1, f"the next seq of {message['channel']}")
            self.seqs[message["channel"]] = message["seq"]
            self.messages += 1
        elif message["type"] == "error":
            self.errors.append((message["code"], message.get("channel"), message.get("id")))
        else:
            raise AssertionError(f"not expected: {message}")

    async def take_until(self, holds, what, seconds=60):
        end = time.monotonic() + seconds * TIME_FACTOR
        while not holds():
            require(time.monotonic() < end, what)
            self.take(await self.client.receive(60))


async def fill(node, count, stem):
    """Publishes one message to each of `count` channels."""
    async with Native(node) as writer:
        for first in range(0, count, 1000):
            for number in range(first, min(first + 1000, count)):
                await writer.send(type="publish", channel=f"{stem}.{number}", data=number)
            await writer.send(type="ping", id=first)
            while (await writer.receive(60))["type"] != "pong":
                pass


async def statistics(node):
    status, out, err = await run_program("stat", "--name", node.name, "--once", "--json")
    equal(status, 0, f"ringcast stat --once --json; it said {err}")
    return json.loads(out)


@case(f"a pattern that matches {MANY} channels binds its bound, and nobody else waits for it", seconds=240)
async def _():
    async with Node(shards=2, config=CONFIG) as node:
        await fill(node, MANY, "many")
        async with Native(node) as other, Native(node) as client:
            reader = PatternReader(client)
            latencies = []
            done = False

            async def ping():
                while not done:
                    began = time.monotonic()
                    await other.send(type="ping", id=1)
                    await other.receive(60)
                    latencies.append(time.monotonic() - began)
                    await asyncio.sleep(0)
            pinging = asyncio.create_task(ping())
            began = time.monotonic()
            matched = await reader.subscribe("many.*")
            took = time.monotonic() - began
            await reader.take_until(lambda: len(reader.seqs) == SUBSCRIPTIONS and reader.errors,
                                    "all are told, and the limit")
            # One that matches none of them looks at all of them.
            looked = time.monotonic()
            nothing = PatternReader(client)
            equal(await nothing.subscribe("many.*.none"), 0, "what matches the other")
            looked = time.monotonic() - looked
            done = True
            await pinging
            equal(matched, SUBSCRIPTIONS, "matched")
            equal(reader.errors, [("too_many_subscriptions", "many.*", None)], "what is said about the limit")
            latencies.sort()
            print(f"{MANY} channels: bound to {matched} in {took * 1e3:.0f} ms, looked through in "
                  f"{looked * 1e3:.0f} ms; "
                  f"{len(latencies)} pings meanwhile, median {latencies[len(latencies) // 2] * 1e3:.2f} ms, "
                  f"longest {latencies[-1] * 1e3:.1f} ms")
            require(latencies[-1] < PING_SECONDS_MAX * TIME_FACTOR, f"no ping waited for it: {latencies[-1]:.3f} s")
            counters = (await statistics(node))["counters"]
            equal(counters["pattern_bindings"], SUBSCRIPTIONS, "bindings counted")
            equal(counters["patterns"], 2, "patterns counted")


@case("channels that begin later deliver their first message, on every shard, to many readers", seconds=60)
async def _():
    count = 500
    async with Node(shards=3) as node:
        clients = [Native(node) for _ in range(10)]
        readers = []
        for client in clients:
            await client.__aenter__()
            readers.append(PatternReader(client))
            equal(await readers[-1].subscribe("later.>"), 0, "matched")
        await fill(node, count, "later")
        await fill(node, count, "later")
        for reader in readers:
            await reader.take_until(lambda: reader.messages == 2 * count, "every message of every channel")
            equal(len(reader.seqs), count, "channels")
            equal(set(reader.seqs.values()), {2}, "their seqs")
            equal(reader.errors, [], "errors")
        for client in clients:
            await client.__aexit__()

        async def nothing_left():
            counters = (await statistics(node))["counters"]
            return counters["patterns"] == 0 and counters["pattern_bindings"] == 0 and counters["subscriptions"] == 0
        await eventually(nothing_left, "nothing is left of them", 10)


@case("a reader that comes back goes on where it was, channel by channel", seconds=60)
async def _():
    async with Node(shards=2) as node:
        async with Native(node) as client:
            reader = PatternReader(client)
            await reader.subscribe("back.*")
            await fill(node, 50, "back")
            await reader.take_until(lambda: reader.messages == 50, "every message")
            async with Native(node) as probe:
                entries = await probe.subscribe(*[f"back.{number}" for number in range(50)])
            resume = {name: {"epoch": entry["epoch"], "seq": 1} for name, entry in entries.items()}
        await fill(node, 60, "back")  # ten of them are new
        async with Native(node) as client:
            await client.send(type="subscribe", id="p", channels=["back.*"], resume=resume)
            equal((await client.receive())["channels"][0]["matched"], 60, "matched")
            told, got = {}, {}
            while len(told) < 60 or len(got) < 50:
                message = await client.receive()
                if message["type"] == "subscribed":
                    told.update({entry["channel"]: entry.get("recovered") for entry in message["channels"]})
                else:
                    equal(message["seq"], 2, f"what {message['channel']} missed")
                    got[message["channel"]] = message["data"]
            equal({name for name, recovered in told.items() if recovered}, set(resume), "those that were resumed")
            equal(got, {f"back.{number}": number for number in range(50)}, "what was missed")


@case("an idle channel that only patterns read expires, and its next message is its first", seconds=60)
async def _():
    config = """
[limits]
channel_idle_time = "1s"
[[namespace]]
match = ">"
history = { messages = 10, bytes = "4KiB", age = "500ms" }
"""
    async with Node(shards=2, config=config) as node, Native(node) as client, Native(node) as writer:
        reader = PatternReader(client)
        await reader.subscribe("idle.*")
        for number in range(10):
            await writer.publish(f"idle.{number}", 1)
        await reader.take_until(lambda: reader.messages == 10, "the first messages")
        let_go = set()
        while len(let_go) < 10:
            message = await client.receive(30)
            equal((message["type"], message["pattern"]), ("unsubscribed", "idle.*"), "what is said about silence")
            let_go.update(message["channels"])

        async def expired():
            return (await statistics(node))["counters"]["channels_home"] == 0
        await eventually(expired, "every channel has expired", 30)
        await writer.publish("idle.3", 2)
        message = await client.expect(type="subscribed", pattern="idle.*")
        equal((message["channels"][0]["channel"], message["channels"][0]["seq"]), ("idle.3", 0), "what is told")
        equal((await client.expect(type="message", channel="idle.3"))["seq"], 1, "its seq")


if __name__ == "__main__":
    main()
