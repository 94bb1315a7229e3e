#!/usr/bin/python3
"""The exchange dialect (docs/protocol.md section 4), spoken by python3-websockets."""
import asyncio
import json
from urllib.parse import quote

import websockets

from support import raw
from support.native import Native, open_socket
from support.node import Node
from support.runner import case, equal, main, require, scaled, table

TRADE = '{"e":"trade","E":1,"s":"BTCUSDT","p":"1.50"}'


class Exchange:
    """One connection; messages are compared as text, since clients of exchanges see exactly that."""

    def __init__(self, node, path):
        self._node, self._path = node, path
        self.socket = None

    async def __aenter__(self):
        self.socket = await open_socket(self._node, self._path)
        return self

    async def __aexit__(self, *_):
        await self.socket.close()

    async def text(self):
        return await asyncio.wait_for(self.socket.recv(), scaled(5))

    async def request(self, method, params=None, request_id=1):
        message = {"method": method, "id": request_id}
        if params is not None:
            message["params"] = params
        await self.socket.send(json.dumps(message))
        return json.loads(await self.text())

    async def is_quiet(self):
        """True if nothing is on its way: it would have come before the answer."""
        return "result" in await self.request("LIST_SUBSCRIPTIONS")


async def publish(node, channel, text):
    """Publishes the text as it stands; returns its seq."""
    async with Native(node) as writer:
        await writer.socket.send('{"type":"publish","id":1,"channel":' + json.dumps(channel) + ',"data":' + text + "}")
        return (await writer.expect(type="published"))["seq"]


STREAMS = [
    # sentence, path, channel that is published to, text published, text that arrives
    ("a raw stream is the payload itself", "/ws/btcusdt@trade", "btcusdt@trade", TRADE, TRADE),
    ("of two raw streams each is the payload itself", "/ws/a@trade/btcusdt@trade", "btcusdt@trade", TRADE, TRADE),
    ("a combined stream wraps the payload", "/stream?streams=btcusdt@trade", "btcusdt@trade", TRADE,
     '{"stream":"btcusdt@trade","data":' + TRADE + "}"),
    ("of two combined streams each is named", "/stream?streams=a@trade/btcusdt@trade", "a@trade", "1",
     '{"stream":"a@trade","data":1}'),
    ("a stream's name may be percent-encoded", "/stream?streams=" + quote("btcusdt@trade", safe=""), "btcusdt@trade",
     "1", '{"stream":"btcusdt@trade","data":1}'),
    ("parameters that we do not know are ignored", "/stream?timeUnit=MICROSECOND&streams=a@trade&x", "a@trade", "1",
     '{"stream":"a@trade","data":1}'),
    ("a payload that is a combined envelope of its channel is unwrapped", "/ws/a@trade", "a@trade",
     '{"stream":"a@trade","data":{"x": 1}}', '{"x": 1}'),
    ("and is wrapped once in a combined stream", "/stream?streams=a@trade", "a@trade",
     '{"stream":"a@trade","data":{"x": 1}}', '{"stream":"a@trade","data":{"x": 1}}'),
    ("an envelope that names another channel is data like any other", "/stream?streams=a@trade", "a@trade",
     '{"stream":"b@trade","data":1}', '{"stream":"a@trade","data":{"stream":"b@trade","data":1}}'),
    ("numbers and blanks stay as they were written", "/ws/a@depth", "a@depth", '{ "u" : 1.50e3 }', '{ "u" : 1.50e3 }'),
]


async def arrives(path, channel, text, wanted):
    async with Node() as node, Exchange(node, path) as client:
        require(await client.is_quiet(), "the subscription is in place once a request behind it is answered")
        await publish(node, channel, text)
        equal(await client.text(), wanted, "the message")

table("", STREAMS, arrives)


@case("streams are subscribed, listed and unsubscribed by requests")
async def _():
    async with Node() as node, Exchange(node, "/ws") as client:
        equal(await client.request("SUBSCRIBE", ["a@trade", "b@trade"], 1), {"result": None, "id": 1}, "the answer")
        equal(await client.request("SUBSCRIBE", ["a@trade"], 2), {"result": None, "id": 2}, "the answer to a second")
        listed = await client.request("LIST_SUBSCRIPTIONS", None, 3)
        equal((sorted(listed["result"]), listed["id"]), (["a@trade", "b@trade"], 3), "the list")
        await publish(node, "a@trade", "1")
        equal(await client.text(), "1", "the message")
        require(await client.is_quiet(), "it comes once")
        equal(await client.request("UNSUBSCRIBE", ["a@trade"], 4), {"result": None, "id": 4}, "the answer")
        equal(await client.request("UNSUBSCRIBE", ["never@trade"], 5), {"result": None, "id": 5},
              "the answer for a stream that was not subscribed, as the exchange gives it")
        await publish(node, "a@trade", "2")
        await publish(node, "b@trade", "3")
        equal(await client.text(), "3", "the next message")
        equal((await client.request("LIST_SUBSCRIPTIONS"))["result"], ["b@trade"], "the list")


@case("the property combined changes between raw and wrapped, from one message to the next")
async def _():
    async with Node() as node, Exchange(node, "/ws/a@trade") as client:
        equal(await client.request("GET_PROPERTY", ["combined"], 1), {"result": False, "id": 1}, "the property of /ws")
        await publish(node, "a@trade", "1")
        equal(await client.text(), "1", "a raw message")
        equal(await client.request("SET_PROPERTY", ["combined", True], 2), {"result": None, "id": 2}, "the answer")
        equal(await client.request("GET_PROPERTY", ["combined"], 3), {"result": True, "id": 3}, "the property")
        await publish(node, "a@trade", "2")
        equal(await client.text(), '{"stream":"a@trade","data":2}', "a wrapped message")
        equal(await client.request("SET_PROPERTY", ["combined", False], 4), {"result": None, "id": 4}, "the answer")
        await publish(node, "a@trade", "3")
        equal(await client.text(), "3", "a raw message again")
    async with Node() as node, Exchange(node, "/stream?streams=a@trade") as client:
        equal(await client.request("GET_PROPERTY", ["combined"], 1), {"result": True, "id": 1}, "that of /stream")


ERRORS = [
    # sentence, text, code, id
    ("no JSON", "hello", 3, None),
    ("nearly JSON", '{"method":"SUBSCRIBE","params":["a"],"id":1,}', 3, None),
    ("an array", "[]", 2, None),
    ("no method", '{"id":1,"params":[]}', 2, 1),
    ("a method that is not known", '{"method":"EXPLODE","id":1}', 2, 1),
    ("no id", '{"method":"SUBSCRIBE","params":["a"]}', 2, None),
    ("an id that is an object", '{"method":"SUBSCRIBE","params":["a"],"id":{}}', 2, None),
    ("params that are a text", '{"method":"SUBSCRIBE","params":"a","id":1}', 2, 1),
    ("a stream that is a number", '{"method":"SUBSCRIBE","params":[1],"id":1}', 2, 1),
    ("a stream without a name", '{"method":"SUBSCRIBE","params":[""],"id":1}', 2, 1),
    ("a stream of the server's own", '{"method":"SUBSCRIBE","params":["$sys/stats"],"id":1}', 2, 1),
    ("a property that is not known", '{"method":"SET_PROPERTY","params":["colour",true],"id":1}', 0, 1),
    ("a property with a value of the wrong type", '{"method":"SET_PROPERTY","params":["combined",1],"id":1}', 1, 1),
    ("method twice", '{"method":"SUBSCRIBE","method":"SUBSCRIBE","params":["a"],"id":1}', None, None),
]


async def is_an_error(text, code, request_id):
    async with Node() as node, Exchange(node, "/ws/a@trade") as client:
        await client.socket.send(text)
        answer = json.loads(await client.text())
        require(isinstance(answer["error"]["msg"], str) and answer["error"]["msg"], f"an error in words; got {answer}")
        if code is not None:
            equal(answer["error"]["code"], code, f"the code in {answer}")
        equal(answer["id"], request_id, f"the id in {answer}")
        await publish(node, "a@trade", "1")
        equal(await client.text(), "1", "the connection goes on")

table("is answered with an error:", ERRORS, is_an_error)


@case("the server pings, and the id of a request may be a text")
async def _():
    async with Node("--heartbeat-interval-exchange", "150ms") as node:
        def pinged():
            with raw.RawClient(node.port, "/ws/a@trade") as client:
                first = client.receive_until(raw.PING)
                client.send(raw.frame(raw.PONG, first))
                return first is not None and client.receive_until(raw.PING) is not None
        require(await asyncio.to_thread(pinged), "a ping, and after its pong another")
        async with Exchange(node, "/ws/a@trade") as client:
            answer = await client.request("LIST_SUBSCRIPTIONS", None, "abc")
            equal(answer, {"result": ["a@trade"], "id": "abc"}, "the answer")


@case("/stream without streams is combined from the start and has none yet")
async def _():
    for path in ("/stream", "/stream?streams="):
        async with Node() as node, Exchange(node, path) as client:
            equal(await client.request("LIST_SUBSCRIPTIONS"), {"result": [], "id": 1}, f"the list of {path}")
            await client.request("SUBSCRIBE", ["a@trade"])
            await publish(node, "a@trade", "1")
            equal(await client.text(), '{"stream":"a@trade","data":1}', "the message")


REFUSED_PATHS = [
    ("a stream has no name", "/stream?streams=a//b"),
    ("percent encoding is broken", "/stream?streams=%zz"),
    ("a name has a control character", "/ws/a%0ab"),
    ("a stream is the server's own", "/ws/$sys%2Fstats"),
    ("there are more streams than a connection may have", "/stream?streams=" + "/".join(f"s{i}" for i in range(6))),
]


async def is_refused(path):
    async with Node("--limits-subscriptions", "5") as node:
        try:
            socket = await open_socket(node, path)
        except websockets.InvalidStatusCode as refused:
            require(400 <= refused.status_code < 500, f"a refusal is the client's fault; got {refused.status_code}")
            return
        try:  # or it is let in and told at once
            first = json.loads(await asyncio.wait_for(socket.recv(), scaled(5)))
            require("error" in first, f"an error; got {first}")
        except websockets.ConnectionClosed:
            pass
        await socket.close()

table("a path is refused when", REFUSED_PATHS, is_refused)


@case("a subscriber of each of 200 streams gets that stream and no other", seconds=40)
async def _():
    async with Node(shards=2) as node:
        clients = []
        for i in range(200):
            client = Exchange(node, f"/ws/s{i}@trade")
            clients.append(client)
        await asyncio.gather(*(client.__aenter__() for client in clients))
        for client in clients:
            require(await client.is_quiet(), "subscribed")
        async with Native(node) as writer:
            for round_ in range(3):
                for i in range(200):
                    await writer.send(type="publish", channel=f"s{i}@trade", data=[i, round_])
        for i, client in enumerate(clients):
            for round_ in range(3):
                equal(json.loads(await client.text()), [i, round_], f"message {round_} of stream {i}")
            require(await client.is_quiet(), "nothing else came")
        await asyncio.gather(*(client.__aexit__() for client in clients))


if __name__ == "__main__":
    main()
