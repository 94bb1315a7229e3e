#!/usr/bin/python3
"""Stored messages: kill -9 under load, and a file that is full, deleted, replaced or damaged."""
import asyncio
import json
import os
import pathlib
import random
import tempfile

from websockets.exceptions import WebSocketException

from support.native import Native
from support.node import Node, run_program, unique_name
from support.runner import case, equal, eventually, main, require


GONE = (WebSocketException, OSError, asyncio.TimeoutError)  # the node was killed, perhaps in the middle of a handshake


class Store:
    """A directory for the store, and nodes on it, one after the other."""

    def __init__(self, offline="", shards=2):
        self._directory = tempfile.TemporaryDirectory(prefix="ringcast-store-")
        self.path = pathlib.Path(self._directory.name) / "store.db"
        self._offline, self._shards = offline, shards

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._directory.cleanup()

    def config(self):
        return (f'[offline]\npath = "{self.path}"\n{self._offline}\n'
                '[[namespace]]\nmatch = "acked.>"\nack = true\n'
                '[[namespace]]\nmatch = "away.>"\noffline = true\n'
                '[[namespace]]\nmatch = "user:*"\nack = true\n')

    def node(self):
        return Node(shards=self._shards, config=self.config())


async def everything(client, until):
    """Messages of a client that has just subscribed, up to this seq."""
    messages = []
    while not messages or messages[-1]["seq"] < until:
        message = await client.receive()
        if message["type"] == "message":
            messages.append(message)
        else:
            equal(message["type"], "message", f"what comes after subscribing, {client.text}")
    return messages


class Ledger:
    """What publishers and subscribers of one channel were told, over all lives of the node."""

    def __init__(self, name):
        self.name = name
        self.acknowledges = name.startswith("acked.")
        self.epoch = None
        self.published = {}   # seq -> data: answered `published`
        self.unanswered = set()
        self.done = 0         # nothing up to here may come again: answered `acked`, or given before a graceful end
        self.seen = {}        # seq -> data, as delivered to anybody

    def deliver(self, message):
        seq, data = message["seq"], message["data"]
        equal(self.seen.setdefault(seq, data), data, f"what seq {seq} of {self.name} is")


async def publish_flat_out(node, ledgers, number, stop):
    """Publishes to all channels with a window of unanswered ones, until the node dies."""
    try:
        async with Native(node) as client:
            asked, next_id = {}, 0
            while not stop.is_set():
                while len(asked) < 40:
                    ledger = random.choice(ledgers)
                    next_id += 1
                    data = f"{number}-{os.urandom(4).hex()}-{next_id}"
                    asked[next_id] = (ledger, data)
                    ledger.unanswered.add(data)
                    await client.send(type="publish", id=next_id, channel=ledger.name, data=data)
                answer = await client.receive()
                equal(answer["type"], "published", f"the answer to a publish, {client.text}")
                ledger, data = asked.pop(answer["id"])
                ledger.unanswered.discard(data)
                equal(answer["epoch"], ledger.epoch or answer["epoch"], f"the epoch of {ledger.name}")
                ledger.epoch = answer["epoch"]
                require(answer["seq"] not in ledger.published, f"seq {answer['seq']} of {ledger.name} is given once")
                ledger.published[answer["seq"]] = data
    except GONE:
        pass


async def come_and_go(node, ledgers, stop):
    """Subscribes to a channel for a moment, and acknowledges some of what came; again and again. Nobody comes to the
    channels whose messages are done with when they are sent: their users are away."""
    ledgers = [ledger for ledger in ledgers if ledger.acknowledges]
    while not stop.is_set():
        ledger = random.choice(ledgers)
        try:
            async with Native(node) as client:
                before = ledger.done  # what was confirmed before this join may not come again
                await client.send(type="subscribe", channels=[ledger.name])
                expected = None
                for _ in range(random.randrange(1, 200)):
                    message = await client.receive(1)
                    if message["type"] == "message":
                        require(message["seq"] > before, f"seq {message['seq']} of {ledger.name} was acknowledged")
                        equal(message["seq"], expected or message["seq"], f"the next seq of {ledger.name}")
                        expected = message["seq"] + 1
                        ledger.deliver(message)
                        if random.random() < 0.05:
                            await client.send(type="ack", id="a", channel=ledger.name, seq=message["seq"])
                    elif message["type"] == "acked":
                        ledger.done = max(ledger.done, message["seq"])
                    else:
                        equal(message["type"], "subscribed", f"what else there is to hear, {client.text}")
        except GONE:
            pass


async def return_to(node, ledger):
    """The user of a channel returns after the node was killed, and must be given what its publishers were told is
    stored: in order, once, marked, and nothing that was done with."""
    async with Native(node) as client:
        entry = (await client.subscribe(ledger.name))[ledger.name]
        if not ledger.published:
            return
        equal(entry["epoch"], ledger.epoch, f"the epoch of {ledger.name} after the restart")
        require(entry["seq"] >= max(ledger.published), f"no number of {ledger.name} is forgotten")
        if entry["seq"] == ledger.done:
            return
        messages = await everything(client, entry["seq"])
        first = messages[0]["seq"]
        require(first > ledger.done, f"seq {first} of {ledger.name} was done with, and comes again")
        equal([m["seq"] for m in messages], list(range(first, entry["seq"] + 1)), f"every seq of {ledger.name}, once")
        require(all(m.get("stored") for m in messages), "what was stored is marked")
        for message in messages:
            ledger.deliver(message)
            wanted = ledger.published.get(message["seq"])
            if wanted is not None:
                equal(message["data"], wanted, f"seq {message['seq']} of {ledger.name}")
            else:  # stored, and its publisher died with the node before it heard so
                require(message["data"] in ledger.unanswered, f"{message['data']} was published")
        # An ack whose answer died with the node may have been stored: then only what somebody had may be missing.
        missing = [seq for seq in ledger.published if ledger.done < seq < first and seq not in ledger.seen]
        equal(missing, [], f"messages of {ledger.name} that were published and not delivered")
        if not ledger.acknowledges:  # the node ends in peace: they are done with
            ledger.done = entry["seq"]
            return
        upto = messages[len(messages) // 2]["seq"]
        await client.send(type="ack", id="half", channel=ledger.name, seq=upto)
        await client.expect(type="acked", seq=upto)
        ledger.done = upto


@case("kill -9 under load: what was answered is delivered after the restart, and nothing twice that was acknowledged",
      seconds=240)
async def _():
    limits = "messages = 100000\nbytes = \"256MiB\""
    with Store(limits) as store:
        ledgers = [Ledger(f"acked.{i}") for i in range(5)] + [Ledger(f"away.{i}") for i in range(3)]

        def answered():
            return sum(len(ledger.published) for ledger in ledgers)
        for _ in range(4):
            before = answered()
            async with store.node() as node:
                stop = asyncio.Event()
                tasks = [asyncio.create_task(publish_flat_out(node, ledgers, i, stop)) for i in range(4)]
                tasks += [asyncio.create_task(come_and_go(node, ledgers, stop)) for _ in range(4)]
                await asyncio.sleep(0.5 + random.random())
                await eventually(lambda: answered() >= before + 200, "there is a load", 20)  # also on a busy host
                await node.kill()
                stop.set()
                await asyncio.gather(*tasks)
            async with store.node() as node:
                for ledger in ledgers:
                    await return_to(node, ledger)
        print(f"    {answered()} published over 4 lives", flush=True)


@case("a graceful end: who was away gets it, who was there does not get it again")
async def _():
    with Store() as store:
        async with store.node() as node:
            async with Native(node) as alice, Native(node) as bob:
                await bob.subscribe("away.bob")
                for i in range(1, 4):
                    await alice.publish("away.bob", i)
                    await alice.publish("away.carol", i)
                for i in range(1, 4):
                    equal((await bob.receive())["seq"], i, "bob's messages")
        async with store.node() as node, Native(node) as bob, Native(node) as carol:
            equal((await bob.subscribe("away.bob"))["away.bob"]["seq"], 3, "the channel goes on")
            require(await bob.is_quiet(), "bob had them all")
            await carol.subscribe("away.carol")
            equal([(m["seq"], m.get("stored")) for m in await everything(carol, 3)], [(i, True) for i in range(1, 4)],
                  "carol's messages")


async def returns(node, user, head):
    """A connection of this user, and what its personal channel gives it: (connection, [(seq, data, stored)])."""
    client = Native(node, f"/ws/connect?user={user}")
    await client.__aenter__()
    joined = await client.expect(type="subscribed")
    equal([(entry["channel"], entry["seq"]) for entry in joined["channels"]], [(f"user:{user}", head)],
          "the personal channel is joined")
    await client.send(type="ping", id="all")
    messages = []
    while (message := await client.receive())["type"] != "pong":
        equal(message["type"], "message", f"what a user is given, {client.text}")
        messages.append((message["seq"], message["data"], message.get("stored", False)))
    return client, messages


@case("a user who was away is given what came, on each connection, until one acknowledges; also over kill -9",
      seconds=60)
async def _():
    with Store() as store:
        async with store.node() as node:
            async with Native(node) as alice:
                for number in range(1, 4):
                    equal((await alice.publish("user:42", number))["seq"], number, "the seq of a message to the user")
            await node.kill()
        async with store.node() as node:
            bob, messages = await returns(node, 42, 3)
            equal(messages, [(1, 1, True), (2, 2, True), (3, 3, True)], "what came while the user was away")
            await bob.send(type="ack", id="a", channel="user:42", seq=2)
            await bob.expect(type="acked", id="a", seq=2)
            await node.kill()
        async with store.node() as node, Native(node) as alice:
            phone, messages = await returns(node, 42, 3)
            equal(messages, [(3, 3, True)], "what was not acknowledged comes again")
            desk, messages = await returns(node, 42, 3)
            equal(messages, [(3, 3, True)], "to each connection")
            await alice.publish("user:42", 4)
            for client in (phone, desk):
                message = await client.expect(type="message", seq=4, data=4)
                require("stored" not in message, "a live message has no mark")
            await phone.send(type="ack", id="a", channel="user:42", seq=4)
            await phone.expect(type="acked", id="a", seq=4)
            other, messages = await returns(node, 42, 4)
            equal(messages, [], "any connection acknowledges for all")
            for client in (phone, desk, other):
                await client.socket.close()
        async with store.node() as node:
            bob, messages = await returns(node, 42, 4)
            equal(messages, [], "nothing comes again that was acknowledged")
            await bob.socket.close()


@case("two nodes cannot have one store")
async def _():
    with Store() as store:
        async with store.node():
            config = store.path.with_name("second.toml")
            config.write_text(store.config())
            status, _, err = await run_program("serve", "--name", unique_name(), "--listen", "127.0.0.1:0",
                                               "--config", config)
            equal(status, 1, "the exit status of a node that cannot start")
            require("another process has it open" in err, f"it says why; it said {err!r}")


async def refused(client, channel):
    answer = await client.request(type="publish", id="p", channel=channel, data=0)
    return answer["type"] == "error" and answer["code"] == "processing_error"


@case("a store that may not grow refuses messages, says so, and takes more when some are done with", seconds=60)
async def _():
    with Store('disk = "1MiB"', shards=1) as store:
        async with store.node() as node, Native(node) as alice, Native(node) as bob:
            seq = 0
            while True:
                answer = await alice.request(type="publish", id="p", channel="acked.a", data="x" * 20000)
                if answer["type"] != "published":
                    break
                seq += 1
                require(seq < 100, "it is full at some time")
            equal(answer["code"], "processing_error", f"the refusal, {alice.text}")
            require("full" in answer["message"], f"it says why: {answer['message']}")
            await alice.publish("plain", 1)

            async def says(status_wanted, words):
                status, out, _ = await run_program("stat", "--name", node.name, "--health")
                return status == status_wanted and words in out

            async def says_that_it_is_full():  # it may have had time to try again, on a busy host
                await alice.request(type="publish", id="p", channel="acked.a", data="x" * 20000)
                return await says(1, "the offline store is full")
            await eventually(says_that_it_is_full, "health says so", 20)
            await bob.subscribe("acked.a")
            await everything(bob, seq)
            await bob.send(type="ack", channel="acked.a", seq=seq)

            async def taken():
                return not await refused(alice, "acked.a")
            await eventually(taken, "it takes messages again", 20)
            equal((await bob.receive())["seq"], seq + 1, "the next seq: what was refused left no hole")
            await eventually(lambda: says(0, ""), "health is well again", 20)
            require("offline_store" in node.log(), "the log says what happened")
            _, events, _ = await run_program("stat", "--name", node.name, "--events")
            require("store_state" in events, f"it is among the events, {events}")
            _, out, _ = await run_program("stat", "--name", node.name, "--once", "--json")
            counters = json.loads(out)["counters"]
            require(counters["store_faults"] >= 1 and counters["store_repairs"] >= 1, f"faults are counted, {counters}")
            require(counters["offline_refused"] >= 1, f"refusals are counted, {counters}")


@case("a file that is deleted while it is in use is written down again", seconds=60)
async def _():
    with Store() as store:
        async with store.node() as node, Native(node) as alice:
            await alice.publish("acked.a", "one")
            for path in store.path.parent.iterdir():
                if path.name.startswith(store.path.name):
                    path.unlink()

            async def taken():
                return not await refused(alice, "acked.a")
            await eventually(taken, "it takes messages again", 10)
            require(store.path.exists(), "the file is there again")
            await node.kill()
        async with store.node() as node, Native(node) as bob:
            entry = (await bob.subscribe("acked.a"))["acked.a"]
            messages = await everything(bob, entry["seq"])
            equal(messages[0]["data"], "one", "what was stored before it was deleted")


@case("a damaged file is put aside, and the node starts with an empty one")
async def _():
    with Store() as store:
        async with store.node() as node, Native(node) as alice:
            await alice.publish("acked.a", "one")
        damaged = b"nonsense" * 4096
        store.path.write_bytes(damaged)
        async with store.node() as node, Native(node) as alice:
            equal((await alice.publish("acked.a", "two"))["seq"], 1, "the channel begins anew")
            aside = [path for path in store.path.parent.iterdir() if ".corrupt-" in path.name]
            equal(len(aside), 1, "files put aside")
            equal(aside[0].read_bytes(), damaged, "what is in it")
            await eventually(lambda: "put aside as" in node.log(), "the log says so")


@case("a namespace that keeps messages needs a file to keep them in")
async def _():
    with Store() as store:
        config = store.path.with_name("bad.toml")
        config.write_text('[[namespace]]\nmatch = "user:*"\noffline = true\n')
        status, _, err = await run_program("serve", "--name", unique_name(), "--config", config)
        require(status in (1, 2), f"it does not start, {status}")
        require("bad.toml:3: namespace.offline:" in err, f"file, line and key; it said {err!r}")


if __name__ == "__main__":
    main()
