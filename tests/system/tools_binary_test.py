#!/usr/bin/python3
"""pub, sub and load in the binary dialect against a real node (docs/binary.md)."""
import asyncio
import base64
import json
import pathlib
import tempfile

from support.binary import Binary
from support.native import Native
from support.node import Node, run_program
from support.programs import Proxy, Subscriber, url
from support.runner import case, equal, eventually, main, require, table

BYTES = '[[namespace]]\nmatch = "bytes.>"\npayload = "binary"\n'
# On a busy machine a subscriber may fall behind; what it then misses is not what is measured here.
PATIENT = """[[namespace]]
match = "load.>"
slow = "disconnect"
lag = { messages = 1000000, bytes = "256MiB", time = "5m" }
history = { messages = 1000000, bytes = "256MiB", age = "10m" }
"""


@case("what pub --binary publishes, sub --binary prints, and clients that nobody here wrote read, byte for byte")
async def _():
    blob = bytes(range(256)) * 3
    with tempfile.TemporaryDirectory() as directory:
        file = pathlib.Path(directory) / "blob"
        file.write_bytes(blob)
        async with Node(shards=2, config=BYTES) as node, Binary(node) as other:
            await other.subscribe("bytes.a")
            async with Subscriber(node, "--binary", "bytes.a") as reader:
                await reader.is_subscribed(node, "bytes.a", "--binary")
                status, out, err = await run_program("pub", "--url", url(node), "--binary", "bytes.a", "--file", file,
                                                     "--event", "blob", "--message-id", "m-1")
                equal((status, err), (0, ""), "status and diagnostics of pub")
                seq = int(out)
                record = await other.record()
                while record.seq < seq:
                    record = await other.record()
                equal((record.seq, record.event, record.message_id, record.data), (seq, "blob", "m-1", blob),
                      "the record that another client reads")
                await other.publish("bytes.a", b"plain text", request=9)
                wanted = [f"bytes.a {seq} blob base64:{base64.b64encode(blob).decode()}",
                          f"bytes.a {seq + 1} plain text"]
                await eventually(lambda: reader.lines[-2:] == wanted, "sub prints both")


@case("pub --binary and sub --json --binary on a channel of JSON: as in the native dialect, to the letter")
async def _():
    async with Node(shards=2) as node, Native(node) as native:
        await native.subscribe("orders")
        async with Subscriber(node, "--binary", "--json", "orders") as reader:
            await reader.is_subscribed(node, "orders")
            status, out, _ = await run_program("pub", "--url", url(node), "--binary", "orders", '{"order_id" : 17}',
                                               "--state", "snapshot", "--as-of-seq", "1", "--event", "e\u00e9")
            equal(status, 0, "the status of pub")
            texts = []
            while not texts or json.loads(texts[-1])["seq"] != int(out):
                await native.receive()
                texts.append(native.text)

            def messages():
                return [line for line in reader.lines if '"type":"message"' in line]
            await eventually(lambda: messages() and messages()[-1] == texts[-1], "the same message in the same words")
            require('"state":"snapshot","as_of_seq":1,"data":{"order_id" : 17}}' in texts[-1], f"in full: {texts[-1]}")
            status, _, err = await run_program("pub", "--url", url(node), "--binary", "orders", "no JSON")
            equal(status, 1, "the status of a refused publish")
            require("refused: invalid_message: " in err, f"it says why; it said {err}")


@case("sub --binary resumes after each lost connection, on two channels, without a gap or a double")
async def _():
    async with Node(shards=2) as node, Proxy(node) as proxy:
        async with Subscriber(proxy, "--binary", "a", "b") as reader:
            await reader.is_subscribed(node, "a")
            await reader.is_subscribed(node, "b")
            connections = proxy.accepted
            for part in range(3):
                lines = b"".join(b"%d\n" % (part * 100 + i) for i in range(100))
                for channel in ("a", "b"):
                    await run_program("pub", "--quiet", "--url", url(node), channel, stdin=lines)
                proxy.cut()
                await eventually(lambda: proxy.accepted > connections, "it connects again", 20)
                connections = proxy.accepted

            def numbers(channel):
                return [int(line.split()[2]) for line in reader.lines
                        if line.startswith(channel + " ") and "probe" not in line]
            await eventually(lambda: len(numbers("a")) >= 300 and len(numbers("b")) >= 300, "all arrive", 20)
            for channel in ("a", "b"):
                equal(numbers(channel), list(range(300)), f"what arrived of {channel}")
        equal(reader.status, 0, f"its status; it remarked {reader.remarks}")


@case("sub --binary follows a channel into its next epoch when the node is restarted", seconds=40)
async def _():
    async with Node() as node:
        async with Subscriber(node, "--binary", "c") as reader:
            await reader.is_subscribed(node, "c")
            await node.stop()
            before = len(reader.lines)
            async with Node(port=node.port, name=node.name) as successor:
                async def arrived():
                    await run_program("pub", "--quiet", "--url", url(successor), "--binary", "c", '"again"')
                    return any("again" in line for line in reader.lines[before:])
                await eventually(arrived, "it is subscribed at the new one", 25)
                require(any("could not go on from" in remark for remark in reader.remarks),
                        f"it says that it could not resume; it said {reader.remarks}")


@case("a reader of JSON is told that a channel of bytes is not for it, and sub ends with status 1")
async def _():
    async with Node(config=BYTES) as node:
        status, out, err = await run_program("sub", "--url", url(node), "bytes.a")
        equal((status, out), (1, ""), "status and output of sub")
        require("bytes.a: not_supported: " in err, f"it says why; it said {err}")
        status, _, err = await run_program("pub", "--url", url(node), "bytes.a", "1")
        equal(status, 1, "the status of pub")
        require("not_supported" in err, f"it says why; it said {err}")


LOADS = [
    ("200 subscribers of one channel", PATIENT, ["--connections", "200", "--rate", "200"]),
    ("50 channels with 10 subscribers each", PATIENT, ["--connections", "500", "--channels", "50", "--rate", "1000"]),
    ("several channels a subscriber", PATIENT, ["--connections", "20", "--channels", "60", "--rate", "500"]),
    ("a channel of bytes", PATIENT + 'payload = "binary"\n', ["--connections", "50", "--rate", "500"]),
    ("subscribers that drop and resume", PATIENT,
     ["--connections", "50", "--channels", "10", "--rate", "500", "--churn", "30", "--resume", "--away", "0.3"]),
]


async def nothing_is_lost(config, arguments):
    with tempfile.TemporaryDirectory() as directory:
        result = pathlib.Path(directory) / "result.json"
        async with Node(shards=2, config=config) as node:
            status, out, err = await run_program(
                "load", "--url", url(node), "--binary", *arguments, "--duration", "2", "--warmup", "0.5", "--ledger",
                node.name, "--pid", node.pid, "--json", result, seconds=60)
        equal(status, 0, f"the status of load; it said {out}{err}")
        equal(json.loads(result.read_text())["wire"], "binary", "the wire")

table("load --binary finds nothing lost, doubled or reordered, and the ledger closed, with", LOADS, nothing_is_lost,
      seconds=90)


@case("load and pub --binary hear what is published to the user that their URL names, and go on", seconds=60)
async def _():
    async with Node(shards=2, config=PATIENT) as node, Native(node) as writer:
        user = url(node) + "?user=alice"
        writing = True

        async def write():
            while writing:
                await writer.send(type="publish", channel="user:alice", data=17)
                await asyncio.sleep(0.01)
        task = asyncio.create_task(write())
        status, out, err = await run_program("load", "--url", user, "--binary", "--connections", "20", "--rate", "200",
                                             "--duration", "1", "--warmup", "0.3", seconds=40)
        writing = False
        await task
        equal(status, 0, f"the status of load; it said {out}{err}")
        status, out, err = await run_program("pub", "--url", user, "--binary", "user:alice", stdin=b"17\n" * 200)
        equal((status, err, len(out.split())), (0, "", 200), "status, diagnostics and seqs of pub, which hears itself")


if __name__ == "__main__":
    main()
