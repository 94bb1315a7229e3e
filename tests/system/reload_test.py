#!/usr/bin/python3
"""A configuration that is loaded again while a node runs: what it changes, what it cannot, and that nobody notices."""
import asyncio
import json
import os

import websockets

from support.native import Native, connected, open_socket
from support.node import Node, run_program
from support.runner import case, equal, main, require, scaled, table

BASE = "log.level = \"info\"\n"


async def statistics(node):
    status, out, err = await run_program("stat", "--name", node.name, "--once", "--json")
    equal((status, err), (0, ""), "status and diagnostics of stat")
    return json.loads(out)


async def counter(node, label):
    return (await statistics(node))["counters"][label]


@case("SIGHUP changes a limit for those who are there, and says so in log and statistics")
async def _():
    async with Node(shards=2, config=BASE + "limits.subscriptions = 1\n") as node, Native(node) as client:
        await client.subscribe("a")
        answer = await client.request(type="subscribe", id=1, channels=["b"])
        equal(answer.get("code"), "too_many_subscriptions", "the limit of before")
        outcome, said = await node.reload(BASE + "limits.subscriptions = 2\n")
        equal(outcome, "config_reloaded", "the outcome")
        require("config_changed key=limits.subscriptions before=1 after=2 effect=live" in said, f"it names it: {said}")
        require("changes=1 kept=0 text=SIGHUP" in said, f"it counts: {said}")
        await client.subscribe("b")
        equal(await counter(node, "config_reloads"), 1, "the counter")


@case("what needs a restart is named, stays as it is, and the rest is taken")
async def _():
    async with Node(config=BASE) as node, Native(node) as client:
        outcome, said = await node.reload(BASE + "shards.spin = \"1ms\"\necho = true\n")
        equal(outcome, "config_reloaded", "the outcome")
        require('config_kept key=shards.spin before="\\"50us\\"" after="\\"1ms\\"" effect=restart' in said, said)
        require("config_changed key=echo" in said, said)
        echo = await open_socket(node, "/echo")
        await echo.send("hello")
        equal(await echo.recv(), "hello", "what /echo sends back")
        await echo.close()
        require(await client.is_quiet(), "who was there goes on")


BAD = [
    # sentence, what the file is afterwards, what the log must say
    ("an unknown key", b"limits.subscriptions = 2\nlimits.conections = 5\n",
     "node.toml:2: limits.conections: unknown key"),
    ("an empty file", b"", "node.toml: is empty"),
    ("half a file", b"limits.subscriptions = 2\n[limits", "node.toml:2: "),
    ("bytes that are no text", b"\x7fELF\x02\0\0", "node.toml:1: has a zero byte"),
    ("text that is not UTF-8", b"name = \"\xff\"\n", "node.toml:1: "),
    ("a file that includes itself", b"include = \"node.toml\"\n", "nothing is included"),
    ("a file without end", b"#" * (1 << 20) + b"\n", "node.toml: is larger than 1MiB"),
    ("a contradiction", b"limits.subscriptions = 2\n[[namespace]]\nmatch = \"a\"\nbatch_max = 5\n",
     "node.toml:4: namespace.batch_max: nothing waits"),
]


async def is_refused(content, said):
    async with Node(config=BASE + "limits.subscriptions = 1\n") as node, Native(node) as client:
        node.configuration.write_bytes(content)
        outcome, log = await node.reload()
        equal(outcome, "config_refused", "the outcome")
        require(said in log, f"the log says {said!r}: {log}")
        await client.subscribe("a")
        answer = await client.request(type="subscribe", id=1, channels=["b"])
        equal(answer.get("code"), "too_many_subscriptions", "what was in force still is")
        equal(await counter(node, "config_reloads_refused"), 1, "the counter")
        outcome, _ = await node.reload(BASE + "limits.subscriptions = 2\n")
        equal(outcome, "config_reloaded", "and the next one")
        await client.subscribe("b")

table("nothing changes with", BAD, is_refused)


@case("a configuration that is gone, or has become a pipe, does not hold the node up")
async def _():
    async with Node(config=BASE) as node, Native(node) as client:
        node.configuration.unlink()
        outcome, said = await node.reload()
        equal((outcome, "No such file" in said), ("config_refused", True), f"gone: {said}")
        os.mkfifo(node.configuration)
        outcome, said = await node.reload()
        equal((outcome, "no regular file" in said), ("config_refused", True), f"a pipe: {said}")
        require(await client.is_quiet(), "the node goes on")


@case("a node without a file reads its environment and flags again, and nothing changes")
async def _():
    async with Node() as node, Native(node) as client:
        outcome, said = await node.reload()
        equal((outcome, "changes=0 kept=0" in said), ("config_reloaded", True), said)
        require(await client.is_quiet(), "the node goes on")


@case("flags stand above what was loaded again")
async def _():
    async with Node("--limits-subscriptions", "1", config=BASE) as node, Native(node) as client:
        await node.reload(BASE + "limits.subscriptions = 5\n")
        await client.subscribe("a")
        answer = await client.request(type="subscribe", id=1, channels=["b"])
        equal(answer.get("code"), "too_many_subscriptions", "the flag is in force")


@case("who may connect, and from which pages, is decided by what was loaded last")
async def _():
    async def status(node, origin):
        try:
            client = await open_socket(node, origin=origin)
        except websockets.InvalidStatusCode as refused:
            return refused.status_code
        await client.close()
        return 101

    async with Node(config=BASE) as node:
        equal(await status(node, origin="https://desk.example"), 403, "a foreign page")
        await node.reload(BASE + 'access.origins = ["https://desk.example"]\n')
        equal(await status(node, origin="https://desk.example"), 101, "a page on the list")
        await node.reload(BASE)
        equal(await status(node, origin="https://desk.example"), 403, "taken off the list")


@case("the log's level changes while the node runs")
async def _():
    async with Node(config=BASE) as node:
        await node.reload('log.level = "debug"\n')
        said = len(node.log())
        outcome, log = await node.reload('log = { level = "info", format = "json" }\n')
        equal(outcome, "config_reloaded", "the outcome")
        await node.reload('log = { level = "info", format = "json" }\n')
        lines = [line for line in node.log()[said:].splitlines() if line.startswith("{")]
        require(any(json.loads(line)["event"] == "config_reloaded" for line in lines), f"JSON now: {log}")


READERS, SECONDS_BETWEEN, RELOADS, RATE = 24, 0.5, 10, 250  # 6,000 deliveries a second: Python can read that much


def configuration(number):
    """Another one each time: limits, heartbeat, bounds of channels that are being read, rules that come and go."""
    rules = f"""
[[namespace]]
match = "load.*"
history = {{ messages = {1_000 + 500 * (number % 3)}, bytes = "{1 + number % 3}MiB" }}
lag = {{ messages = {20_000 + 1_000 * (number % 5)}, bytes = "{8 + number % 4}MiB", time = "{20 + number % 7}s" }}
priority = "{'high' if number % 2 else 'normal'}"
state = "{'last' if number % 3 == 0 else 'none'}"
"""
    extra = f'\n[[namespace]]\nmatch = "other.{number}"\n' if number % 2 else ""
    return f"""
limits = {{ connections = {500 + number}, subscriptions = {100 + number}, message_bytes = "{64 + number}KiB" }}
heartbeat.interval = "{2 + number % 5}s"
compression.threshold = "{1 + number % 2}KiB"
rate.errors_max = {5 + number}
memory.budget = "{256 + number}MiB"
log.level = "info"
{extra}{rules}"""


@case("under load ten reloads cost nobody his connection, or a message", 120)
async def _():
    async with Node(shards=2, config=configuration(0)) as node:
        channels = [f"load.{i}" for i in range(4)]
        ready, done = asyncio.Event(), asyncio.Event()
        waiting = READERS
        counts = {channel: 0 for channel in channels}

        async def read(index):
            nonlocal waiting
            compression = "deflate" if index % 3 == 0 else None
            path = "/stream?streams=" + "/".join(channels) if index % 4 == 3 else "/ws/connect"
            async with connected(node, path, compression=compression) as socket:
                if path.startswith("/ws"):
                    await socket.recv()
                    await socket.send(json.dumps({"type": "subscribe", "id": 1, "channels": channels}))
                    equal(json.loads(await socket.recv())["type"], "subscribed", "the answer")
                waiting -= 1
                if waiting == 0:
                    ready.set()
                next_of = {channel: 0 for channel in channels}
                while not (done.is_set() and next_of == counts):
                    message = json.loads(await asyncio.wait_for(socket.recv(), scaled(20)))
                    channel = message.get("channel", message.get("stream"))
                    require(channel in next_of, f"a message and nothing else: {message}")
                    equal(message["data"]["n"], next_of[channel], f"the next of {channel} for reader {index}")
                    next_of[channel] += 1

        async def publish():
            await ready.wait()
            loop = asyncio.get_running_loop()
            async with connected(node) as socket:
                await socket.recv()
                began, sent = loop.time(), 0
                while not done.is_set():
                    due = int((loop.time() - began) * RATE)
                    while sent < due:
                        channel = channels[sent % len(channels)]
                        await socket.send(json.dumps({"type": "publish", "channel": channel,
                                                      "data": {"n": counts[channel], "pad": "x" * (sent % 700)}}))
                        counts[channel] += 1
                        sent += 1
                    await asyncio.sleep(0.002)
                for channel in channels:  # the last word: everybody who waits sees that it is over
                    await socket.send(json.dumps({"type": "publish", "channel": channel,
                                                  "data": {"n": counts[channel]}}))
                    counts[channel] += 1
                await asyncio.sleep(0.5)

        async def reload():
            await ready.wait()
            for number in range(1, RELOADS + 1):
                await asyncio.sleep(SECONDS_BETWEEN)
                outcome, said = await node.reload(configuration(number), seconds=15)
                equal((outcome, "config_kept" in said), ("config_reloaded", False), f"reload {number}: {said}")
            await asyncio.sleep(SECONDS_BETWEEN)
            done.set()

        everybody = [*(read(index) for index in range(READERS)), publish(), reload()]
        tasks = [asyncio.create_task(task) for task in everybody]
        finished, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        for task in finished:
            task.result()
        require(sum(counts.values()) > 1_000, f"there was a load: {counts}")
        equal(await counter(node, "config_reloads"), RELOADS, "the reloads")
        for label in ("slow_disconnects", "heartbeat_timeouts", "config_reloads_refused"):
            equal(await counter(node, label), 0, label)


if __name__ == "__main__":
    main()
