#!/usr/bin/python3
"""The subcommands against a real node: pub, sub, replay, load (docs/protocol.md sections 1, 7 and 8)."""
import asyncio
import gzip
import json
import pathlib
import tempfile

from support.native import open_socket
from support.node import Node, is_free, run_program
from support.programs import Subscriber, url
from support.runner import case, equal, eventually, main, require, scaled, table

DATA = pathlib.Path(__file__).resolve().parent.parent / "data"
# Clients in Python are slower than a replay at full speed: their lag is not what these cases are about.
PATIENT = """[[namespace]]
match = ">"
slow = "disconnect"
lag = { messages = 1000000, bytes = "256MiB", time = "5m" }
"""


@case("what pub publishes, sub prints, in order; both end with status 0")
async def _():
    async with Node() as node:
        async with Subscriber(node, "--json", "orders") as reader:
            await reader.is_subscribed(node, "orders")
            status, out, err = await run_program("pub", "--url", url(node), "orders", '{"order_id":17}')
            equal((status, err), (0, ""), "status and diagnostics of pub")
            first = int(out)
            status, out, _ = await run_program("pub", "--url", url(node), "orders",
                                               stdin=b"".join(b"%d\n" % i for i in range(2000)))
            equal(status, 0, "the status of pub with lines")
            equal([int(line) for line in out.split()], list(range(first + 1, first + 2001)), "the seqs that it prints")

            def messages():
                parsed = [json.loads(line) for line in reader.lines]
                return [message for message in parsed if message["type"] == "message" and message["data"] != "probe"]
            await eventually(lambda: len(messages()) == 2001, "all messages are printed")
            equal([message["data"] for message in messages()], [{"order_id": 17}, *range(2000)], "the data")


@case("sub ends by itself after --count messages")
async def _():
    async with Node() as node, Subscriber(node, "--count", "3", "c") as reader:
        await reader.is_subscribed(node, "c")
        await run_program("pub", "--url", url(node), "c", stdin=b"1\n2\n3\n4\n")
        await eventually(lambda: reader.status is not None, "it ends")
        equal((reader.status, len(reader.lines)), (0, 3), "status and lines")


@case("sub finds a node again that was killed and restarted", seconds=40)
async def _():
    async with Node() as node:
        async with Subscriber(node, "c") as reader:
            await reader.is_subscribed(node, "c")
            await node.kill()
            before = len(reader.lines)
            await eventually(lambda: is_free(node.port), "the kernel gives the dead node's port back")
            async with Node(port=node.port, name=node.name) as successor:
                async def arrived():
                    await run_program("pub", "--quiet", "--url", url(successor), "c", '"again"')
                    return any("again" in line for line in reader.lines[before:])
                await eventually(arrived, "it is subscribed at the new one", 25)


@case("pub says why when it is refused or nobody is there, with status 1")
async def _():
    async with Node() as node:
        for channel, payload in (("$sys/stats", "1"), ("c", "nonsense"), ("", "1")):
            status, _, err = await run_program("pub", "--url", url(node), channel, payload)
            require(status in (1, 2) and err, f"pub {channel!r} {payload!r} fails with a reason; {status}, {err!r}")
        await node.stop()
        status, _, err = await run_program("pub", "--url", url(node), "c", "1")
        equal(status, 1, "the status without a node")
        require(str(node.port) in err or "refused" in err.lower(), f"it says where it could not connect; {err!r}")


@case("a capture arrives at full speed, message by message, byte for byte", seconds=120)
async def _():
    capture = DATA / "ethusdt-spot.gz"
    wanted = {}
    with gzip.open(capture, "rt", encoding="utf-8") as lines:
        for line in lines:
            text = line.split(" ", 1)[1].rstrip("\n")
            envelope = json.loads(text)
            if "stream" in envelope:
                # The payload's own text: what stands between `"data":` and the last brace.
                wanted.setdefault(envelope["stream"], []).append(text[text.index('"data":') + 7:-1])
    require(len(wanted) >= 3, f"the capture has several streams; it has {list(wanted)}")
    async with Node(shards=2, config=PATIENT) as node:
        sockets = {stream: await open_socket(node, f"/ws/{stream}") for stream in wanted}

        async def read(stream):
            for i, text in enumerate(wanted[stream]):
                got = await asyncio.wait_for(sockets[stream].recv(), scaled(60))
                equal(got, text, f"message {i} of {stream}")
        reading = [asyncio.create_task(read(stream)) for stream in wanted]
        status, _, err = await run_program("replay", capture, "--url", url(node), "--speed", "max", seconds=60)
        equal(status, 0, f"the status of replay; it said {err}")
        await asyncio.gather(*reading)
        for socket in sockets.values():
            await socket.close()


@case("a capture with broken lines and a capture that is cut short are replayed as far as they go, and reported")
async def _():
    with tempfile.TemporaryDirectory() as directory, gzip.open(DATA / "btcusdt-spot.gz", "rb") as whole:
        lines = [whole.readline() for _ in range(200)]
        broken = pathlib.Path(directory) / "broken.txt"
        broken.write_bytes(b"".join(lines[:100]) + b"no capture line\n12 {\"stream\":\n" + b"".join(lines[100:]))
        cut = pathlib.Path(directory) / "cut.gz"
        packed = gzip.compress(b"".join(lines))
        cut.write_bytes(packed[:len(packed) * 2 // 3])
        async with Node(config=PATIENT) as node:
            _, out, err = await run_program("replay", broken, "--url", url(node), "--speed", "max")
            require("2" in out + err and "skip" in (out + err).lower(), f"two lines were skipped; it said {out}{err}")
            status, out, err = await run_program("replay", cut, "--url", url(node), "--speed", "max")
            require(status == 1 and "cut.gz" in err, f"the file that is cut short is named; {status}: {out}{err}")
            status, _, err = await run_program("replay", "/nowhere.gz", "--url", url(node))
            require(status == 1 and "/nowhere.gz" in err, f"a file that is not there is named; it said {err}")


LOADS = [
    ("200 subscribers of one channel", ["--connections", "200", "--channels", "1", "--rate", "200"]),
    ("50 channels with 10 subscribers each", ["--connections", "500", "--channels", "50", "--rate", "1000"]),
    ("subscribers that come and go", ["--connections", "100", "--rate", "200", "--churn", "20"]),
    ("raw streams, and bursts", ["--wire", "raw", "--connections", "100", "--rate", "500", "--burst", "10"]),
    ("one thread that receives and publishes", ["--one-thread", "--connections", "100", "--rate", "2000"]),
    ("nothing but connections", ["--connect-only", "--connections", "300"]),
]


async def nothing_is_lost(arguments):
    # On a machine that others use too a reader may fall behind; what it then misses is not what is measured here.
    with tempfile.TemporaryDirectory() as directory:
        result = pathlib.Path(directory) / "result.json"
        async with Node(shards=2, config=PATIENT) as node:
            status, out, err = await run_program(
                "load", "--url", url(node), *arguments, "--duration", "2", "--warmup", "0.5", "--ledger", node.name,
                "--pid", node.pid, "--json", result, seconds=60)
        equal(status, 0, f"the status of load; it said {out}{err}")
        json.loads(result.read_text())

table("load finds nothing lost, doubled or reordered, and the ledger closed, with", LOADS, nothing_is_lost, seconds=90)


@case("load over captured feeds: every subscriber gets every message of its streams", seconds=90)
async def _():
    async with Node(shards=2, config=PATIENT) as node:
        status, out, err = await run_program(
            "load", "--url", url(node), "--feed", DATA / "btcusdt-spot.gz", "--feed", DATA / "ethusdt-spot.gz",
            "--speed", "100", "--connections", "50", "--ledger", node.name, seconds=80)
        equal(status, 0, f"the status of load; it said {out}{err}")


if __name__ == "__main__":
    main()
