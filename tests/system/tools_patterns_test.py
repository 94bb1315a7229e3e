#!/usr/bin/python3
"""`ringcast sub` and channels that it did not name: a pattern's, its user's own (docs/protocol.md section 3)."""
import json

from support.node import Node, run_program
from support.programs import Proxy, Subscriber, url
from support.runner import case, equal, eventually, main, require, table


async def publish(node, channel, first, count, *flags):
    """The numbers from `first` on, one a message."""
    lines = b"".join(b"%d\n" % number for number in range(first, first + count))
    status, _, err = await run_program("pub", "--quiet", "--url", url(node), channel, *flags, stdin=lines)
    equal(status, 0, f"the status of pub; it said {err}")


async def is_answered(reader):
    """With --json: every channel that there was has been bound."""
    await eventually(lambda: any('"pattern":true' in line for line in reader.lines), "the pattern is answered", 10)


def json_numbers(reader, channel):
    messages = [json.loads(line) for line in reader.lines if '"type":"message"' in line]
    return [message["data"] for message in messages if message["channel"] == channel]


async def follows(*flags):
    async with Node(shards=2) as node:
        await publish(node, "orders.a", 0, 3)
        async with Subscriber(node, *flags, "--json", "orders.*") as reader:
            await is_answered(reader)
            for channel, first in (("orders.a", 3), ("orders.b", 0), ("orders.c", 0)):  # two of them are new
                await publish(node, channel, first, 100)
            await publish(node, "orders.a.deep", 0, 1)
            await publish(node, "others", 0, 1)
            await publish(node, "orders.last", 0, 1)
            await eventually(lambda: json_numbers(reader, "orders.last"), "the last is printed", 10)
            for channel, first, count in (("orders.a", 3, 100), ("orders.b", 0, 100), ("orders.c", 0, 100)):
                await eventually(lambda: len(json_numbers(reader, channel)) >= count, f"all of {channel}", 10)
                equal(json_numbers(reader, channel), list(range(first, first + count)), f"what came of {channel}")
            channels = {json.loads(line)["channel"] for line in reader.lines if '"type":"message"' in line}
            equal(channels, {"orders.a", "orders.b", "orders.c", "orders.last"}, "what the pattern matches")
        equal(reader.status, 0, f"nothing was silent; it remarked {reader.remarks}")

table("sub follows every channel that a pattern matches, new ones from their first message on,", [
    ("in JSON",), ("in records", "--binary")], follows)


@case("sub prints the channel's name in front of what a pattern brings, and says when nothing matches yet")
async def _():
    async with Node() as node:
        async with Subscriber(node, "btcusdt@*") as reader:
            await eventually(lambda: any("btcusdt@*: no channel matches yet" in line for line in reader.remarks),
                             "it says that there is nothing yet", 10)
            await publish(node, "btcusdt@trade", 1, 2)
            await publish(node, "btcusdt@depth", 7, 1)
            await eventually(lambda: len(reader.lines) == 3, "three messages", 10)
            equal(sorted(reader.lines), ["btcusdt@depth 1 7", "btcusdt@trade 1 1", "btcusdt@trade 2 2"], "the lines")


async def resumes(*flags):
    async with Node(shards=2) as node, Proxy(node) as proxy:
        names = [f"orders.{i}" for i in range(8)]
        for name in names:
            await publish(node, name, 0, 1)
        async with Subscriber(proxy, *flags, "--json", "orders.>") as reader:
            await is_answered(reader)
            connections = proxy.accepted
            for part in range(3):
                for name in names:
                    await publish(node, name, 1 + part * 20, 10)
                proxy.cut()
                for name in names:  # some of it while it is away
                    await publish(node, name, 11 + part * 20, 10)
                await eventually(lambda: proxy.accepted > connections, "it connects again", 20)
                connections = proxy.accepted
            for name in names:
                await eventually(lambda: len(json_numbers(reader, name)) >= 60, f"all of {name}", 20)
                equal(json_numbers(reader, name), list(range(1, 61)), f"what came of {name}")
        equal(reader.status, 0, f"nothing was silent; it remarked {reader.remarks}")

table("sub resumes each channel of a pattern after each lost connection,", [
    ("in JSON",), ("in records", "--binary")], resumes, seconds=90)


@case("sub says that a channel began while it was away, and goes on with it")
async def _():
    async with Node() as node, Proxy(node) as proxy:
        await publish(node, "orders.a", 0, 1)
        async with Subscriber(proxy, "--json", "orders.*") as reader:
            await is_answered(reader)
            connections = proxy.accepted
            proxy.hold()
            proxy.cut()
            await publish(node, "orders.new", 0, 5)
            proxy.release()
            await eventually(lambda: proxy.accepted > connections, "it connects again", 20)
            await eventually(lambda: any("orders.new: began while the connection was lost; what came up to 5 is missing"
                                         in remark for remark in reader.remarks), "it says so", 10)
            await publish(node, "orders.new", 5, 5)
            await eventually(lambda: len(json_numbers(reader, "orders.new")) == 5, "it goes on", 10)
            equal(json_numbers(reader, "orders.new"), list(range(5, 10)), "with what is new")
        equal(reader.status, 0, "the server was not silent")


@case("a channel that a pattern let go comes back where it was, and nothing is missing between the two")
async def _():
    config = '[limits]\nchannel_idle_time = "300ms"\n\n[[namespace]]\nmatch = ">"\nhistory = { age = "200ms" }\n'
    async with Node(shards=2, config=config) as node:
        async with Subscriber(node, "--json", "orders.*") as reader:
            await is_answered(reader)
            for part in range(3):
                await publish(node, "orders.a", part * 10, 10)
                await eventually(lambda: len(json_numbers(reader, "orders.a")) == (part + 1) * 10, "they come", 10)
                await eventually(lambda: sum('"type":"unsubscribed"' in line for line in reader.lines) > part,
                                 "the pattern lets it go", 20)
            equal(json_numbers(reader, "orders.a"), list(range(30)), "what came")
        equal(reader.status, 0, f"nothing was silent; it remarked {reader.remarks}")


@case("a pattern that matches more than a connection may have is told about, and what it has goes on")
async def _():
    async with Node(config="[limits]\nsubscriptions = 3\n") as node:
        for i in range(5):
            await publish(node, f"orders.{i}", 0, 1)
        async with Subscriber(node, "--json", "orders.*") as reader:
            await is_answered(reader)
            await eventually(lambda: any("orders.*: too_many_subscriptions: " in remark for remark in reader.remarks),
                             "it says that it met a limit", 10)
            for i in range(5):
                await publish(node, f"orders.{i}", 1, 3)

            def came():
                return [i for i in range(5) if json_numbers(reader, f"orders.{i}") == [1, 2, 3]]
            await eventually(lambda: len(came()) == 3, "three channels go on", 10)
        equal(reader.status, 0, "it was not ended by that")


@case("options of a pattern are those of the channels that allow them")
async def _():
    async with Node() as node:
        async with Subscriber(node, "--json", "--max-rate", "2", "a@*") as reader:
            await is_answered(reader)
            await publish(node, "a@trade", 0, 200)
            await publish(node, "a@bookTicker", 0, 200)
            await eventually(lambda: json_numbers(reader, "a@bookTicker")[-1:] == [199], "the newest quote", 10)
            await eventually(lambda: len(json_numbers(reader, "a@trade")) == 200, "every trade", 10)
            require(len(json_numbers(reader, "a@bookTicker")) < 100, "most quotes are left out")
        equal(reader.status, 0, f"nothing was silent; it remarked {reader.remarks}")


async def own_channel_goes_on(*flags):
    async with Node(shards=2) as node, Proxy(node) as proxy:
        async with Subscriber(proxy, *flags, "--json", "orders", query="?user=7") as reader:
            await eventually(lambda: any("orders" in line for line in reader.lines), "it has subscribed", 10)
            for part in range(3):
                await publish(node, "user:7", part * 20, 10)
                connections = proxy.accepted
                proxy.hold()
                proxy.cut()
                await publish(node, "user:7", part * 20 + 10, 10)
                proxy.release()
                await eventually(lambda: proxy.accepted > connections, "it connects again", 20)
            await eventually(lambda: len(json_numbers(reader, "user:7")) >= 60, "all arrive", 20)
            equal(json_numbers(reader, "user:7"), list(range(60)), "what came of it")
        equal(reader.status, 0, f"nothing was silent; it remarked {reader.remarks}")

table("sub resumes its user's own channel as well,", [
    ("in JSON",), ("in records", "--binary")], own_channel_goes_on, seconds=60)


if __name__ == "__main__":
    main()
