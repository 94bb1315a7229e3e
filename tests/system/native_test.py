#!/usr/bin/python3
"""The native JSON dialect (docs/protocol.md section 3), spoken by python3-websockets."""
import asyncio
import json
import re

from support import raw
from support.native import Native, open_socket
from support.node import Node
from support.runner import case, equal, main, require, table

EPOCH = re.compile(r"[0-9a-f]{16}")
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


@case("a client of /ws/connect is welcomed at once")
async def _():
    async with Node() as node, Native(node) as client, Native(node) as other:
        welcome = client.welcome
        require(welcome["connection_id"] != other.welcome["connection_id"], "each connection has an id of its own")
        require(welcome["server"].startswith("ringcast/"), "the server says what it is")
        equal(welcome["heartbeat_ms"], 30000, "the heartbeat")
        equal(welcome["auth"], "anonymous", "without authentication")


@case("on plain /ws the first message chooses the dialect, and the welcome comes before its answer")
async def _():
    async with Node() as node:
        native, exchange = await open_socket(node, "/ws"), await open_socket(node, "/ws")
        try:
            await asyncio.wait_for(native.recv(), 0.3)
            require(False, "nothing comes before the first message")
        except asyncio.TimeoutError:
            pass
        await native.send('{"type":"ping","id":1}')
        equal(json.loads(await native.recv())["type"], "welcome", "the first message")
        equal(json.loads(await native.recv()), {"type": "pong", "id": 1}, "the answer")
        await exchange.send('{"method":"LIST_SUBSCRIPTIONS","id":1}')
        equal(json.loads(await exchange.recv()), {"result": [], "id": 1}, "the answer in the exchange dialect")
        await native.close()
        await exchange.close()


@case("a message travels from publisher to subscriber with everything that was said about it")
async def _():
    async with Node() as node, Native(node) as reader, Native(node) as writer:
        joined = (await reader.subscribe("orders"))["orders"]
        require(EPOCH.fullmatch(joined["epoch"]), f"an epoch has 16 hexadecimal digits; got {joined}")
        equal(joined["seq"], 0, "the seq of a channel without messages")
        published = await writer.publish("orders", {"order_id": 17}, event="order_update", message_id="7f3c")
        equal(published, {"type": "published", "id": "p", "channel": "orders", "epoch": joined["epoch"], "seq": 1,
                          "duplicate": False}, "the acknowledgement")
        message = await reader.receive()
        require(TIMESTAMP.fullmatch(message.pop("timestamp")), f"a timestamp to the microsecond; got {reader.text}")
        equal(message, {"type": "message", "channel": "orders", "seq": 1, "event": "order_update", "message_id": "7f3c",
                        "data": {"order_id": 17}}, "the message")


PAYLOADS = [
    ("blanks", '{ "a" : [ 1 , 2 ] }'),
    ("numbers as they were written", '[1.0,1e5,1E+05,-0,0.1000,12345678901234567890123]'),
    ("escapes as they were written", r'"A\/\n\ud83d\ude00"'),
    ("other alphabets", '"Żółć 測試 😀"'),
    ("a lone text", '"x"'),
    ("a lone number", "0"),
    ("null", "null"),
    ("an empty object", "{}"),
    ("a duplicate member of its own", '{"a":1,"a":2}'),
    ("members named like ours", '{"type":"message","channel":"x","seq":1}'),
]


async def arrives_byte_for_byte(data):
    async with Node() as node, Native(node) as reader, Native(node) as writer:
        await reader.subscribe("c")
        await writer.socket.send('{"type":"publish","id":1,"channel":"c","data":' + data + "}")
        await writer.expect(type="published")
        await reader.expect(type="message")
        require(reader.text.endswith('"data":' + data + "}"), f"{data} is relayed as it came; got {reader.text}")

table("a payload arrives byte for byte:", PAYLOADS, arrives_byte_for_byte)


@case("a publish without an id is not acknowledged")
async def _():
    async with Node() as node, Native(node) as reader, Native(node) as writer:
        await reader.subscribe("c")
        await writer.send(type="publish", channel="c", data=1)
        require(await writer.is_quiet(), "no acknowledgement came before the pong")
        await reader.expect(type="message", seq=1, data=1)


@case("ids of requests are echoed as they were sent", seconds=10)
async def _():
    async with Node() as node, Native(node) as client:
        for request_id in (1, 0, -7, 1.5, "", "abc", "é\"\\"):
            equal(await client.request(type="ping", id=request_id), {"type": "pong", "id": request_id}, "the answer")
        equal(await client.request(type="ping"), {"type": "pong"}, "the answer to a request without id")


@case("a repeated message id is a duplicate with the first one's seq, and is delivered once")
async def _():
    async with Node() as node, Native(node) as reader, Native(node) as writer, Native(node) as other:
        await reader.subscribe("c")
        first = await writer.publish("c", 1, message_id="a")
        again = await writer.publish("c", 2, message_id="a")
        equal((again["duplicate"], again["seq"]), (True, first["seq"]), "the answer to the duplicate")
        equal((await writer.publish("c", 3, message_id="b"))["seq"], 2, "the next seq")
        equal((await writer.publish("d", 4, message_id="a"))["duplicate"], False, "the same id on another channel")
        equal((await other.publish("c", 5, message_id="a"))["duplicate"], False, "another publisher's same id")
        for seq, data in ((1, 1), (2, 3), (3, 5)):
            await reader.expect(type="message", channel="c", seq=seq, data=data)
        require(await reader.is_quiet(), "nothing was delivered twice")


@case("what is unsubscribed is not delivered any more, and can be subscribed again")
async def _():
    async with Node() as node, Native(node) as reader, Native(node) as writer:
        await reader.subscribe("a", "b")
        await writer.publish("a", 1)
        await reader.expect(type="message", channel="a", seq=1)
        answer = await reader.request(type="unsubscribe", id=2, channels=["a"])
        equal((answer["type"], answer["id"]), ("unsubscribed", 2), "the answer")
        await writer.publish("a", 2)
        await writer.publish("b", 3)
        await reader.expect(type="message", channel="b", data=3)
        equal((await reader.subscribe("a"))["a"]["seq"], 2, "the seq when it is subscribed again")
        await writer.publish("a", 4)
        await reader.expect(type="message", channel="a", seq=3, data=4)


@case("subscribing twice is no second subscription, and unsubscribing what was not subscribed does no harm")
async def _():
    async with Node() as node, Native(node) as reader, Native(node) as writer:
        await reader.subscribe("c")
        await reader.subscribe("c")
        await reader.subscribe("c", "c")
        await writer.publish("c", 1)
        await reader.expect(type="message", seq=1)
        require(await reader.is_quiet(), "one message comes once")
        answer = await reader.request(type="unsubscribe", id=1, channels=["never"])
        require(answer["type"] in ("unsubscribed", "error"), f"an answer; got {answer}")
        await writer.publish("c", 2)
        await reader.expect(type="message", seq=2)


@case("a subscribe that names good and bad channels is answered for each")
async def _():
    async with Node() as node, Native(node) as client:
        await client.send(type="subscribe", id=1, channels=["good", "$sys/stats", "also-good"])
        answers = [await client.receive() for _ in range(2)]
        granted = next(answer for answer in answers if answer["type"] == "subscribed")
        equal([entry["channel"] for entry in granted["channels"]], ["good", "also-good"], "the channels granted")
        refused = next(answer for answer in answers if answer["type"] == "error")
        equal((refused["id"], refused["channel"], refused["code"]), (1, "$sys/stats", "unauthorized"), "the refusal")


WRONG = [
    # sentence, text, code, id that must be echoed
    ("no JSON", "hello", "invalid_message", None),
    ("nothing", "", "invalid_message", None),
    ("a word that is no value", '{"type":"publish","id":1,"channel":"c","data":nonsense}', "invalid_message", None),
    ("nearly JSON inside the data", '{"type":"publish","id":1,"channel":"c","data":{"a":nonsense 12}}',
     "invalid_message", None),
    ("a bad escape in the data", r'{"type":"publish","id":1,"channel":"c","data":"\x"}', "invalid_message", None),
    ("a lone surrogate in the data", r'{"type":"publish","id":1,"channel":"c","data":"\ud800"}', "invalid_message", None),
    ("a control character in the data", '{"type":"publish","id":1,"channel":"c","data":"\u0001"}', "invalid_message",
     None),
    ("a trailing comma", '{"type":"ping","id":1,}', "invalid_message", None),
    ("bytes behind the object", '{"type":"ping","id":1} x', "invalid_message", None),
    ("two objects", '{"type":"ping","id":1}{"type":"ping","id":2}', "invalid_message", None),
    ("a number with a leading zero", '{"type":"publish","id":1,"channel":"c","data":012}', "invalid_message", None),
    ("a single quote", "{'type':'ping'}", "invalid_message", None),
    ("an array", "[]", "invalid_message", None),
    ("a text", '"ping"', "invalid_message", None),
    ("an object without a type", '{"id":1}', "invalid_message", 1),
    ("a type that is not known", '{"type":"shout","id":1}', "invalid_message", 1),
    ("a type that is a number", '{"type":1,"id":1}', "invalid_message", 1),
    ("an id that is an object", '{"type":"ping","id":{}}', "invalid_message", None),
    ("type twice", '{"type":"ping","type":"ping","id":1}', "invalid_message", None),
    ("data twice", '{"type":"publish","id":1,"channel":"c","data":1,"data":2}', "invalid_message", None),
    ("channel twice, once with an escape", r'{"type":"publish","id":1,"channel":"c","\u0063hannel":"d","data":1}',
     "invalid_message", None),
    ("an unknown member twice", '{"type":"ping","id":1,"x":1,"x":2}', "invalid_message", None),
    ("a publish without a channel", '{"type":"publish","id":1,"data":1}', "invalid_message", 1),
    ("a publish without data", '{"type":"publish","id":1,"channel":"c"}', "invalid_message", 1),
    ("an empty channel", '{"type":"publish","id":1,"channel":"","data":1}', "invalid_message", 1),
    ("a channel with a control character", r'{"type":"publish","id":1,"channel":"a\nb","data":1}', "invalid_message", 1),
    ("a channel of 256 bytes", '{"type":"publish","id":1,"channel":"' + "c" * 256 + '","data":1}', "invalid_message", 1),
    ("a channel that is a number", '{"type":"publish","id":1,"channel":5,"data":1}', "invalid_message", 1),
    ("a publish to the server's channels", '{"type":"publish","id":1,"channel":"$sys/stats","data":1}',
     "unauthorized", 1),
    ("a subscribe without channels", '{"type":"subscribe","id":1}', "invalid_message", 1),
    ("a subscribe to no channel", '{"type":"subscribe","id":1,"channels":[]}', "invalid_message", 1),
    ("channels that are a text", '{"type":"subscribe","id":1,"channels":"c"}', "invalid_message", 1),
    ("a channel that is null", '{"type":"subscribe","id":1,"channels":[null]}', "invalid_message", 1),
    ("no pattern", '{"type":"subscribe","id":1,"channels":["*>@trade"]}', "invalid_message", 1),
    ("history", '{"type":"history","id":1,"channel":"c","limit":5}', "unknown_channel", 1),
    ("presence of a channel that has none", '{"type":"presence","id":1,"channel":"c"}', "not_supported", 1),
    ("presence of nothing", '{"type":"presence","id":1}', "invalid_message", 1),
    ("ack", '{"type":"ack","id":1,"channel":"user:42","seq":17}', "unknown_channel", 1),
    ("auth", '{"type":"auth","id":1,"token":"eyJ"}', "not_supported", 1),
]


async def is_an_error(text, code, request_id):
    async with Node() as node, Native(node) as client:
        await client.socket.send(text)
        answer = await client.expect(type="error", code=code)
        require(answer["message"], "an error says what is wrong in words")
        if request_id is not None:
            equal(answer.get("id"), request_id, f"the id in {answer}")
        equal((await client.request(type="ping", id=9))["type"], "pong", "the connection goes on")

table("is answered with an error:", WRONG, is_an_error)


@case("names at both ends of their limit are channels")
async def _():
    async with Node() as node, Native(node) as client, Native(node) as writer:
        for name in ("c", "c" * 255, "é" * 127 + "c", "a b", "測試", 'with "quotes" and \\'):
            await client.subscribe(name)
            await writer.publish(name, 1)
            await client.expect(type="message", channel=name)


@case("the older forms of subscribe and unsubscribe are understood")
async def _():
    async with Node() as node, Native(node) as client, Native(node) as writer:
        await client.send(type="subscription", data={"action": "subscribe", "project_id": "X"})
        await client.expect(type="subscribed")
        await client.send(type="subscribe", data={"bill_id": 123})
        await client.expect(type="subscribed")
        await writer.publish("project:X", 1)
        await client.expect(type="message", channel="project:X")
        await writer.publish("bill:123", 2)
        await client.expect(type="message", channel="bill:123")
        await client.send(type="subscription", data={"action": "unsubscribe", "project_id": "X"})
        await client.expect(type="unsubscribed")
        await writer.publish("project:X", 3)
        require(await client.is_quiet(), "nothing comes any more")


@case("a client with too many errors is closed with 4003")
async def _():
    async with Node("--rate-errors-max", "3") as node, Native(node) as client:
        for _ in range(4):
            await client.socket.send("nonsense")
        equal(await client.close_code(), 4003, "the close code")


@case("a message above the limit is closed with 1009, one at the limit is not")
async def _():
    async with Node("--limits-message-bytes", "1000") as node, Native(node) as client:
        frame = '{"type":"publish","id":1,"channel":"c","data":"%s"}'
        await client.socket.send(frame % ("x" * (1000 - len(frame) + 2)))
        await client.expect(type="published")
        await client.socket.send(frame % ("x" * (1001 - len(frame) + 2)))
        equal(await client.close_code(), 1009, "the close code")


@case("a message of one megabyte arrives whole")
async def _():
    async with Node() as node, Native(node) as reader, Native(node) as writer:
        await reader.subscribe("c")
        data = "x" * ((1 << 20) - 100)
        await writer.publish("c", data)
        equal((await reader.receive())["data"], data, "the data")


@case("a connection has at most so many subscriptions")
async def _():
    async with Node("--limits-subscriptions", "3") as node, Native(node) as client:
        await client.subscribe("a", "b", "c")
        await client.subscribe("a")  # what one has is no new subscription
        answer = await client.request(type="subscribe", id=1, channels=["d"])
        equal((answer["type"], answer["code"], answer["id"]), ("error", "too_many_subscriptions", 1), "the answer")
        await client.request(type="unsubscribe", id=2, channels=["b"])
        await client.subscribe("d")


@case("a node has at most so many channels")
async def _():
    async with Node("--limits-channels", "5") as node, Native(node) as client:
        answers = []
        for i in range(10):
            answers.append(await client.request(type="publish", id=i, channel=f"c{i}", data=1))
        kinds = [answer["type"] for answer in answers]
        equal((kinds.count("published"), kinds.count("error")), (5, 5), "channels made and refused")
        equal({answer["code"] for answer in answers if answer["type"] == "error"}, {"overloaded"}, "the code")


@case("a binary message is no message of the native dialect: 1003")
async def _():
    async with Node() as node, Native(node) as client:
        await client.socket.send(b'{"type":"ping"}')
        equal(await client.close_code(), 1003, "the close code")


@case("ten thousand messages arrive in order, none missing, none twice", seconds=60)
async def _():
    # Eight readers in one process are slower than the node: their lag is not what this case is about.
    config = '[[namespace]]\nmatch = ">"\nlag = { messages = 20000, bytes = "64MiB", time = "1m" }\n'
    async with Node(shards=2, config=config) as node, Native(node) as writer:
        readers = [Native(node) for _ in range(8)]
        for reader in readers:
            await reader.__aenter__()
            await reader.subscribe("c")

        async def write():
            for i in range(10_000):
                await writer.send(type="publish", channel="c", data=i)

        async def read(reader):
            for i in range(10_000):
                message = await reader.receive(30)
                equal((message["type"], message["seq"], message["data"]), ("message", i + 1, i), "the next message")
        await asyncio.gather(write(), *map(read, readers))
        for reader in readers:
            await reader.__aexit__()


@case("channels of both shards reach subscribers of both shards", seconds=30)
async def _():
    async with Node(shards=2) as node:
        clients = [Native(node) for _ in range(12)]
        channels = [f"channel-{i}" for i in range(12)]
        for client in clients:
            await client.__aenter__()
            equal(set(await client.subscribe(*channels)), set(channels), "the channels subscribed")
        for i, client in enumerate(clients):
            await client.send(type="publish", channel=channels[i], data=i)
        for client in clients:
            messages = [await client.receive() for _ in channels]
            equal(sorted(message["data"] for message in messages), list(range(12)), "one message of each channel")
        for client in clients:
            await client.__aexit__()


FRAMES = [
    # sentence, frames, close code
    ("a frame without a mask", raw.frame(raw.TEXT, "{}", masked=False), 1002),
    ("a reserved opcode", raw.frame(3, "{}"), 1002),
    ("a reserved control opcode", raw.frame(11, ""), 1002),
    ("a reserved bit", raw.frame(raw.TEXT, "{}", reserved=4), 1002),
    ("a continuation of nothing", raw.frame(raw.CONTINUATION, "{}"), 1002),
    ("a message inside a message", raw.frame(raw.TEXT, "{", final=False) + raw.frame(raw.TEXT, "}"), 1002),
    ("a ping in two pieces", raw.frame(raw.PING, "a", final=False), 1002),
    ("a ping of 126 bytes", raw.frame(raw.PING, "a" * 126), 1002),
    ("a length longer than it need be", raw.frame(raw.TEXT, "{}", length_bytes=8), 1002),
    ("a length of two bytes for 125", raw.frame(raw.TEXT, "x" * 125, length_bytes=2), 1002),
    ("text that is not UTF-8", raw.frame(raw.TEXT, b'{"type":"\xff"}'), 1007),
    ("text that is not UTF-8, cut where it is", raw.frame(raw.TEXT, b'"\xf0\x9f', final=False) +
     raw.frame(raw.CONTINUATION, b'\xff\xff"'), 1007),
    ("text that ends inside a character", raw.frame(raw.TEXT, b'"\xf0\x9f\x98'), 1007),
    ("a close code that may not be sent", raw.frame(raw.CLOSE, b"\x03\xed"), 1002),
    ("a close frame of one byte", raw.frame(raw.CLOSE, b"\x03"), 1002),
    ("a close reason that is not UTF-8", raw.frame(raw.CLOSE, b"\x03\xe8\xff"), 1007),
    ("a frame far above every limit", b"\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00", 1009),
    ("a length with its highest bit set", b"\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00", 1002),
]


async def is_closed(frames, code):
    async with Node() as node, Native(node) as neighbour:
        await neighbour.subscribe("c")

        def exchange():
            with raw.RawClient(node.port) as client:
                client.send(frames)
                return client.close_code()
        equal(await asyncio.to_thread(exchange), code, "the close code")
        async with Native(node) as writer:
            await writer.publish("c", 1)
        await neighbour.expect(type="message", seq=1)

table("closes that connection and no other:", FRAMES, is_closed)


@case("every split of a message's bytes is the same message")
async def _():
    async with Node() as node:
        def exchange():
            text = '{"type":"ping","id":"測試 😀"}'.encode()
            whole = raw.frame(raw.TEXT, text)
            with raw.RawClient(node.port) as client:
                client.receive()  # welcome
                for cut in range(1, len(whole)):
                    client.send(whole[:cut])
                    client.send(whole[cut:])
                    equal(client.receive()[1].decode(), '{"type":"pong","id":"測試 😀"}', f"the answer, cut at {cut}")
                for cut in range(len(text) + 1):
                    client.send(raw.frame(raw.TEXT, text[:cut], final=False), raw.frame(raw.PING, b"p"),
                                raw.frame(raw.CONTINUATION, text[cut:]))
                    equal(client.receive(), (raw.PONG, b"p"), "the pong that came between")
                    equal(client.receive()[1].decode(), '{"type":"pong","id":"測試 😀"}', f"the answer, in two at {cut}")
        await asyncio.to_thread(exchange)


if __name__ == "__main__":
    main()
