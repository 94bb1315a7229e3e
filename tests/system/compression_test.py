#!/usr/bin/python3
"""permessage-deflate with python3-websockets, and what the node says about it. conformance/ has the rest."""
import asyncio
import gzip
import json
import pathlib

from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

from support.native import Native
from support.node import Node, run_program
from support.runner import case, equal, eventually, main, require, table

CAPTURE = pathlib.Path(__file__).parent.parent / "data" / "btcusdt-spot.gz"


async def counter(node, label):
    status, out, err = await run_program("stat", "--name", node.name, "--once", "--json")
    equal(status, 0, f"the status of stat; it said {err}")
    return json.loads(out)["counters"][label]


def offering(**how):
    return {"compression": None, "extensions": [ClientPerMessageDeflateFactory(**how)]}


OFFERS = [
    ("the default of the library", {"compression": "deflate"}),
    ("a server that is to forget", offering(server_no_context_takeover=True)),
    ("a client that forgets", offering(client_no_context_takeover=True)),
    ("windows of 12 bits", offering(server_max_window_bits=12, client_max_window_bits=12)),
    ("windows of 9 bits", offering(server_max_window_bits=9, client_max_window_bits=9)),
]


async def is_served(options):
    """Publishes and receives messages around every threshold, packed by the library."""
    async with Node(shards=2) as node, Native(node, **options) as reader, Native(node, **options) as writer:
        names = [extension.name for extension in reader.socket.extensions]
        equal(names, ["permessage-deflate"], "the extensions agreed on")
        await reader.subscribe("c")
        for size in (1, 900, 1100, 4000, 5000, 40000, 400000):
            data = [i * 7919 % 10007 for i in range(size // 5 + 1)]
            await writer.publish("c", data)
            equal((await reader.receive())["data"], data, f"a message of about {size} bytes")

table("a client of python3-websockets gets its messages with", OFFERS, is_served)


@case("the real feed's depth updates arrive as they were captured, a fraction of their size")
async def _():
    lines = [line.split(" ", 1)[1] for line in gzip.open(CAPTURE, "rt")]
    depth = [message for message in map(json.loads, lines) if "@depth" in message.get("stream", "")][:400]
    async with Node() as node, Native(node, compression="deflate") as reader, Native(node) as plain, \
            Native(node) as writer:
        for client in (reader, plain):
            await client.subscribe("depth")
        for message in depth:
            await writer.socket.send(json.dumps({"type": "publish", "channel": "depth", "data": message["data"]}))
        for client in (reader, plain):
            for message in depth:
                equal((await client.receive())["data"], message["data"], "a depth update")
        large = sum(len(json.dumps(message["data"])) > 1200 for message in depth)
        deflated, saved = await counter(node, "messages_deflated"), await counter(node, "deflate_saved_bytes")
        require(deflated >= large > 0, f"at least the {large} large ones are packed, once each; {deflated} were")
        require(saved > 500 * deflated, f"most of their bytes are saved; {saved} were")


@case("with compression.enabled = false nobody gets it, and all are served")
async def _():
    async with Node(config="[compression]\nenabled = false\n") as node, Native(node, compression="deflate") as reader:
        equal(list(reader.socket.extensions), [], "the extensions agreed on")
        await reader.subscribe("c")
        await reader.publish("c", "x" * 5000)
        equal((await reader.expect(type="message"))["data"], "x" * 5000, "the message")


@case("compression.threshold says what is packed")
async def _():
    async with Node(config='[compression]\nthreshold = "100KiB"\n') as node, \
            Native(node, compression="deflate") as reader:
        await reader.subscribe("c")
        for size in (50_000, 150_000):
            await reader.publish("c", "x" * size)
            await reader.expect(type="message")

        async def one_is_packed():
            return await counter(node, "messages_deflated") == 1
        await eventually(one_is_packed, "one of two messages is packed", 5)

if __name__ == "__main__":
    main()
