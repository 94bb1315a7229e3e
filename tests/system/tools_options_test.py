#!/usr/bin/python3
"""The flags of the programs against a real node, each seen in what it does (docs/protocol.md sections 1 and 3)."""
import asyncio
import json
import pathlib
import tempfile

from support.native import Native
from support.node import Node, run_program
from support.programs import Subscriber, url
from support.runner import case, equal, eventually, main, require, table

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl"
DATA = pathlib.Path(__file__).resolve().parent.parent / "data"


# ---- pub ----

PUBLISHES = [
    ("an event", ["--event", "order_update"], {"event": "order_update"}),
    ("an id", ["--message-id", "7f3c"], {"message_id": "7f3c"}),
    ("that it is a snapshot", ["--state", "snapshot"], {"state": "snapshot"}),
    ("what it is the state as of", ["--state", "snapshot", "--as-of-seq", "1"], {"state": "snapshot", "as_of_seq": 1}),
    ("high priority", ["--priority", "high"], {}),
    ("normal priority", ["--priority", "normal"], {}),
]


async def is_said(flags, members):
    for binary in ([], ["--binary"]):
        async with Node() as node, Native(node) as reader:
            await reader.subscribe("c")
            await run_program("pub", "--quiet", "--url", url(node), "c", '"first"')
            await reader.receive()
            status, out, err = await run_program("pub", "--url", url(node), "c", "[1]", *flags, *binary)
            equal((status, out, err), (0, "2\n", ""), "what pub said")
            message = await reader.receive()
            envelope = {name: value for name, value in message.items() if name not in ("type", "channel", "timestamp")}
            equal(envelope, {"seq": 2, "data": [1], **members}, "the message, but for its time")

table("pub says of its message", PUBLISHES, is_said)


@case("a second pub with the same --message-id is told the first one's seq where ids are the channel's")
async def _():
    config = '[[namespace]]\nmatch = ">"\ndedupe = { scope = "channel" }\n'
    async with Node(config=config) as node:
        for binary in ([], ["--binary"]):
            channel = "c" + "".join(binary)
            first = await run_program("pub", "--url", url(node), channel, "1", "--message-id", "x", *binary)
            again = await run_program("pub", "--url", url(node), channel, "1", "--message-id", "x", *binary)
            equal((first, again), ((0, "1\n", ""), (0, "1 duplicate\n", "")), "what both said")


@case("an urgent message goes before what a subscriber of several channels waits for")
async def _():
    async with Node() as node, Native(node, max_queue=1) as reader, Native(node) as writer:
        await reader.subscribe("bulk", "news")
        # More than the sockets between them hold, and not more than a subscription may lag behind.
        for i in range(1, 1001):
            await writer.send(type="publish", channel="bulk", data="x" * 3900)
        require(await writer.is_quiet(), "every publish was accepted")
        status, _, err = await run_program("pub", "--url", url(node), "news", '"stop press"', "--priority", "high")
        equal(status, 0, f"the status of pub; it said {err}")
        before = 0
        while (await reader.receive())["channel"] == "bulk":
            before += 1
        require(before < 1000, f"{before} of 1000 came before it")


# ---- sub ----

@case("sub --max-rate prints the first, some, and the newest; a notice tells of the rest")
async def _():
    async with Node() as node:
        async with Subscriber(node, "--max-rate", "5", "--json", "a@bookTicker") as reader:
            await reader.is_subscribed(node, "a@bookTicker")
            await run_program("pub", "--quiet", "--url", url(node), "a@bookTicker",
                              stdin=b"".join(b"%d\n" % i for i in range(1000)))

            def messages():
                return [json.loads(line) for line in reader.lines if '"type":"message"' in line]
            await eventually(lambda: messages() and messages()[-1]["data"] == 999, "the newest comes by itself", 10)
            require(len(messages()) < 100, f"most are left out; {len(messages())} came")
            joined = json.loads(reader.lines[0])["channels"][0]["seq"]
            gaps = [json.loads(line) for line in reader.lines if '"type":"gap"' in line]
            missed = sum(gap["to"] - gap["from"] + 1 for gap in gaps)
            equal(missed + len(messages()), messages()[-1]["seq"] - joined, "messages, and those that were told of")
        equal(reader.status, 0, f"nothing was silent; it remarked {reader.remarks}")


REFUSED = [
    ("--conflate of a channel whose messages stand for themselves", "a@trade", ["--conflate"]),
    ("--max-rate of such a channel", "a@trade", ["--max-rate", "5"]),
    ("--no-conflate of a channel that has a rate", "limited", ["--no-conflate"]),
]


async def is_refused(channel, flags):
    config = '[[namespace]]\nmatch = "limited"\nslow = "conflate"\nmax_rate = 5\n'
    async with Node(config=config) as node:
        for binary in ([], ["--binary"]):
            status, out, err = await run_program("sub", "--url", url(node), channel, *flags, *binary)
            equal((status, out), (1, ""), "status and output of sub")
            require(f"{channel}: not_supported: " in err, f"it says what was refused; it said {err}")

table("sub is told, and ends with status 1:", REFUSED, is_refused)


@case("sub --conflate and --no-conflate are granted where the channel conflates")
async def _():
    async with Node() as node:
        for flag in ("--conflate", "--no-conflate"):
            async with Subscriber(node, flag, "--count", "2", "a@bookTicker") as reader:
                await reader.is_subscribed(node, "a@bookTicker")
                await run_program("pub", "--quiet", "--url", url(node), "a@bookTicker", "1")
                await eventually(lambda: reader.status is not None, f"sub {flag} ends after two messages")
                equal(reader.status, 0, f"its status; it remarked {reader.remarks}")


@case("sub --no-snapshot begins with the next message, without it with the channel's state")
async def _():
    config = '[[namespace]]\nmatch = "last"\nstate = "last"\n'
    async with Node(config=config) as node:
        async with Native(node) as keeper:
            await keeper.subscribe("last")
            await run_program("pub", "--quiet", "--url", url(node), "last", '"old"')
            status, out, _ = await run_program("sub", "--url", url(node), "last", "--count", "1")
            equal((status, out), (0, 'last 1 "old"\n'), "status and output with the state")
            async with Subscriber(node, "last", "--no-snapshot") as reader:
                await reader.is_subscribed(node, "last")
                equal(reader.lines[0].split()[2], '"probe"', "the first that is printed")


# ---- bad values ----

BAD = [
    ("a priority that there is none", ["pub", "c", "1", "--priority", "urgent"], "--priority"),
    ("a state that there is none", ["pub", "c", "1", "--state", "delta"], "--state"),
    ("an --as-of-seq of no snapshot", ["pub", "c", "1", "--as-of-seq", "4"], "--state"),
    ("an --as-of-seq that is none", ["pub", "c", "1", "--state", "snapshot", "--as-of-seq", "0"], "--as-of-seq"),
    ("one id for many messages", ["pub", "c", "--message-id", "x"], "--message-id is of one message"),
    ("an id that is too long", ["pub", "c", "1", "--message-id", "x" * 256], "at most 255 bytes"),
    ("a payload file that is not there", ["pub", "c", "--file", "/nowhere"], "/nowhere: cannot be read"),
    ("text that is to be bytes", ["pub", "c", "1", "--text", "--binary"], "--binary"),
    ("no rate at all", ["sub", "c", "--max-rate", "0"], "--max-rate"),
    ("both kinds of conflation", ["sub", "c", "--conflate", "--no-conflate"], "--conflate"),
    ("every message and a rate", ["sub", "c", "--no-conflate", "--max-rate", "1"], "--no-conflate"),
    ("two dialects", ["sub", "c", "--exchange", "--binary"], "--binary"),
    ("a pattern with its rest in the middle", ["sub", "a>b"], "'a>b' is no pattern"),
    ("history of a pattern", ["sub", "a*", "--history", "3"], "'a*' is a pattern"),
    ("two wires", ["load", "--binary", "--wire", "raw"], "--binary"),
    ("a feed in the binary dialect", ["load", "--binary", "--feed", "/nowhere"], "--binary"),
    ("an empty token", ["pub", "c", "1", "--token", ""], "the token is empty"),
    ("a token with a space", ["sub", "c", "--token", "a b"], "not a token"),
    ("a token file that is not there", ["load", "--token-file", "/nowhere"], "/nowhere: cannot be read"),
    ("two tokens", ["replay", "x", "--token", "a", "--token-file", "b"], "--token"),
]


async def is_bad_usage(arguments, words):
    status, out, err = await run_program(*arguments)
    equal((status, out), (2, ""), f"status and output; it said {err}")
    require(words in err, f"it says '{words}': {err}")

table("status 2 and a reason for", BAD, is_bad_usage)


# ---- tokens ----

class Porter:
    """Listens as a node does, notes who asks to be let in, and lets nobody."""

    def __init__(self):
        self.heads = []
        self.port = None

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._refuse, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self._server.close()
        await self._server.wait_closed()

    async def _refuse(self, reader, writer):
        self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(b"HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nContent-Length: 9\r\n\r\nwho then?")
        await writer.drain()
        writer.close()


CONNECTING = [
    ("pub", ["pub", "c", "1"]),
    ("pub --binary", ["pub", "c", "1", "--binary"]),
    ("sub", ["sub", "c"]),
    ("sub --binary", ["sub", "c", "--binary"]),
    ("sub --exchange", ["sub", "a@trade", "--exchange"]),
    ("replay", ["replay", DATA / "btcusdt-spot.gz"]),
    ("load", ["load", "--connections", "1"]),
    ("load --binary", ["load", "--connections", "1", "--binary"]),
    ("load --connect-only", ["load", "--connections", "1", "--connect-only"]),
]


async def says_the_token(arguments):
    with tempfile.TemporaryDirectory() as directory:
        file = pathlib.Path(directory) / "token"
        file.write_text(TOKEN + "\n")
        ways = [(["--token", TOKEN], {}), (["--token-file", file], {}), ([], {"RINGCAST_TOKEN": TOKEN})]
        for flags, variables in ways:
            async with Porter() as porter:
                status, out, err = await run_program(*arguments, "--url", url(porter), *flags, **variables)
                equal(status, 1, f"the status of who is not let in; it said {err}")
                require("401" in out + err, f"it says why; it said {out}{err}")
                require(TOKEN not in out + err and "c2lnbmF0dXJl" not in out + err, f"never the token: {out}{err}")
                require(porter.heads, "it asked")
                for head in porter.heads:
                    fields = [line for line in head.split("\r\n") if line.lower().startswith("authorization:")]
                    equal(fields, [f"Authorization: Bearer {TOKEN}"], "what it said")
                    require(TOKEN not in head.split("\r\n")[0], "it is not in the URL")
    async with Porter() as porter:
        await run_program(*arguments, "--url", url(porter))
        require("authorization" not in porter.heads[0].lower(), "without a token nothing is said")

table("its token, from a flag, a file or the variable, is said and not printed by", CONNECTING, says_the_token,
      seconds=40)


@case("a node takes RINGCAST_TOKEN in its environment for no key of its own")
async def _():
    async with Node(variables={"RINGCAST_TOKEN": TOKEN}) as node:
        equal((await run_program("pub", "--url", url(node), "c", "1"))[0], 0, "the status of pub")
        require(TOKEN not in node.log(), "and does not log it")


if __name__ == "__main__":
    main()
