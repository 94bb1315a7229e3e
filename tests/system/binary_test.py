#!/usr/bin/python3
"""The binary dialect (docs/binary.md), spoken by a client that knows nothing but that page."""
import asyncio
import time

from support.binary import ANSWER, DUPLICATE, ERROR, GAP, MESSAGE, PUBLISHED, SNAPSHOT, Binary, publish_record
from support.native import Native, open_socket
from support.node import Node
from support.runner import case, equal, main, require, scaled

BYTES = '[[namespace]]\nmatch = "bytes.>"\npayload = "binary"\n'


@case("a message travels as a record with everything that was said about it, on one shard and across two")
async def _():
    for shards in (1, 2):
        async with Node(shards=shards) as node, Binary(node) as reader, Binary(node, "/ws") as writer:
            for i in range(8):  # some of them live on the other shard
                channel = f"orders.{i}"
                joined = (await reader.subscribe(channel))[channel]
                before = time.time_ns()
                published = await writer.publish(channel, b'{"order_id": 17}', request=99, event="order_update",
                                                 message_id="7f3c")
                equal((published.seq, published.epoch, published.channel_id, published.flags),
                      (1, int(joined["epoch"], 16), joined["channel_id"], 0), "the acknowledgement")
                message = await reader.record()
                equal((message.kind, message.flags, message.channel_id, message.seq, message.event, message.message_id,
                       message.data),
                      (MESSAGE, 0, joined["channel_id"], 1, "order_update", "7f3c", b'{"order_id": 17}'), "the message")
                require(before <= message.time_ns <= time.time_ns(), f"it has its time; got {message.time_ns}")
                again = await writer.publish(channel, b"{}", request=100, message_id="7f3c")
                equal((again.seq, again.flags), (1, DUPLICATE), "the answer to a duplicate")


@case("ids of channels are node-wide: different channels differ on every shard, one channel is the same for everybody")
async def _():
    async with Node(shards=2) as node:
        names, seen = [f"c{i}" for i in range(40)], {}
        for _ in range(4):  # connections of both shards
            async with Binary(node) as client:
                for name, entry in (await client.subscribe(*names)).items():
                    equal(seen.setdefault(name, entry["channel_id"]), entry["channel_id"], f"the id of {name}")
        equal(len(set(seen.values())), len(names), "different ids")
        require(0 not in seen.values(), "0 is no id")


@case("many records in one message are taken in order, and answered in as few messages as can be")
async def _():
    async with Node() as node, Binary(node) as reader, Binary(node) as writer:
        await reader.subscribe("many")
        await writer.send(*[publish_record("many", b"%d" % i, i, ANSWER) for i in range(1, 1001)])
        answers, messages = 0, 0
        while answers < 1000:
            data = await asyncio.wait_for(writer.socket.recv(), scaled(5))
            messages += 1
            answers += len(data) // 48
            equal(len(data) % 48, 0, "whole answers of 48 bytes each")
        require(messages <= 4, f"1,000 answers fit a few messages; they came in {messages}")
        for i in range(1, 1001):
            record = await reader.record()
            equal((record.seq, record.data), (i, b"%d" % i), "the next message")


@case("JSON and binary clients read each other's messages; bytes are for the binary dialect alone")
async def _():
    async with Node(config=BYTES) as node, Binary(node) as binary, Native(node) as native:
        await binary.subscribe("mixed", "bytes.a")
        await native.subscribe("mixed")
        await native.publish("mixed", {"from": "json"})
        equal((await native.receive())["data"], {"from": "json"}, "its own message")
        equal((await binary.record()).data, b'{"from":"json"}', "the payload, byte for byte")
        await binary.publish("mixed", b' {"from" : "binary"}\n')
        await native.receive()
        require('"data":{"from" : "binary"}}' in native.text, f"the payload, byte for byte; got {native.text}")
        equal((await binary.record()).data, b'{"from" : "binary"}', "its own, without the white space around it")

        blob = bytes(range(256)) * 4
        await binary.publish("bytes.a", blob)
        equal((await binary.record()).data, blob, "bytes")
        answer = await native.request(type="subscribe", id=1, channels=["bytes.a"])
        equal((answer["type"], answer["code"]), ("error", "not_supported"), "a JSON reader")
        answer = await native.request(type="publish", id=2, channel="bytes.a", data=1)
        equal((answer["type"], answer["code"]), ("error", "not_supported"), "a JSON publisher")
        stream = await open_socket(node, "/ws/bytes.a")
        require("not_supported" in await asyncio.wait_for(stream.recv(), scaled(5)), "a stream of the exchange dialect")
        await stream.close()


@case("what is wrong with a record is answered by a record, and the connection goes on")
async def _():
    async with Node(config="[rate]\nerrors_max = 0\n") as node, Binary(node) as client:
        good = publish_record("c", b"1", 7, ANSWER)
        bad = [(b"", 0, 1), (good[:31], 0, 1), (good[:-1], 7, 1), (publish_record("c", b"1", 7, version=2), 0, 12),
               (publish_record("c", b"1", 7, kind=MESSAGE), 7, 1), (publish_record("c", b"1", 7, 0x4000), 7, 1),
               (publish_record("c", b"1", 7, channel_id=1), 7, 1), (publish_record("", b"1", 7), 7, 1),
               (publish_record("c", b"1", 7, payload_bytes=2**32 - 1), 7, 1), (publish_record("c", b"{", 7), 7, 1),
               (publish_record("c", b"1", 7, as_of=3), 7, 1), (publish_record("$sys", b"1", 7), 7, 3)]
        for record, request, code in bad:
            await client.send(record)
            error = await client.record()
            equal((error.kind, error.request, error.code), (ERROR, request, code), f"the answer to {record[:40]!r}")
            require(len(error.data) > 10, "an error says what is wrong")
        published = await client.publish("c", b"1", 8)
        equal(published.seq, 1, "nothing of all that was sequenced")


@case("a binary client that leaves and comes back resumes by epoch and seq")
async def _():
    async with Node() as node, Binary(node) as writer, Binary(node) as keeper:
        await keeper.subscribe("r")
        async with Binary(node) as reader:
            joined = (await reader.subscribe("r"))["r"]
            await writer.publish("r", b"1")
            equal((await reader.record()).seq, 1, "the first message")
        for i in range(2, 6):
            await writer.publish("r", b"%d" % i)
        async with Binary(node) as reader:
            again = (await reader.subscribe("r", resume={"r": {"epoch": joined["epoch"], "seq": 1}}))["r"]
            equal((again["recovered"], again["channel_id"]), (True, joined["channel_id"]), "the answer")
            equal([(await reader.record()).seq for _ in range(4)], [2, 3, 4, 5], "what it had missed")


@case("a slow binary reader of a channel that conflates is told by a record what it missed")
async def _():
    config = '[[namespace]]\nmatch = "latest.>"\nslow = "conflate"\nlag = { messages = 5 }\n'
    async with Node(config=config) as node, Binary(node, max_queue=1) as reader, Binary(node) as writer:
        await reader.subscribe("latest.a")
        big, count = b'"' + b"x" * 60000 + b'"', 400
        for i in range(count):
            await writer.send(publish_record("latest.a", big))
        await writer.publish("latest.a", b"0", 1)
        expected, told = 1, 0
        while expected <= count + 1:
            record = await reader.record()
            equal(record.seq, expected, "each record begins where the last one ended")
            if record.kind == GAP:
                equal(record.reason, 1, "the reason: conflated")
                told += record.to - record.seq + 1
                expected = record.to + 1
            else:
                expected += 1
        require(told > 0, "it was told of a gap")


@case("a publisher that leaves its answers unread is held back, loses nothing, and disturbs nobody")
async def _():
    patient = '[[namespace]]\nmatch = "deaf"\nlag = { messages = 100000, time = "1m" }\n'  # readers here are slow
    async with Node(config=patient) as node, Binary(node) as reader, Binary(node) as other, \
            Binary(node, max_queue=1) as writer:
        await reader.subscribe("deaf")
        total, batch = 60000, 2000

        async def flood():
            for first in range(1, total, batch):
                await writer.send(*[publish_record("deaf", b"%d" % i, i, ANSWER) for i in range(first, first + batch)])
        flooding = asyncio.create_task(flood())
        for i in range(1, batch + 1):
            equal((await reader.record()).data, b"%d" % i, "the next message")
        await other.publish("other", b"1")

        async def answers():
            for i in range(1, total + 1):
                answer = await writer.record(30)
                equal((answer.kind, answer.request, answer.seq), (PUBLISHED, i, i), "the next answer")

        async def messages():
            for i in range(batch + 1, total + 1):
                equal((await reader.record(30)).data, b"%d" % i, "the next message")
        await asyncio.gather(flooding, answers(), messages())


@case("a snapshot says that it is one in both dialects")
async def _():
    async with Node() as node, Binary(node) as binary, Native(node) as native:
        await binary.subscribe("book")
        await native.subscribe("book")
        await binary.send(publish_record("book", b"[]"))
        await binary.send(publish_record("book", b"[1]", 2, ANSWER | SNAPSHOT, as_of=1))
        records = [await binary.record() for _ in range(3)]
        messages = [record.flags for record in records if record.kind == MESSAGE]
        equal((messages, sorted(record.kind for record in records)), ([0, SNAPSHOT], [MESSAGE, MESSAGE, PUBLISHED]),
              "the records: answers go ahead of messages that wait")
        await native.receive()
        equal((await native.receive())["state"], "snapshot", "the state that a JSON reader is told")


main()
