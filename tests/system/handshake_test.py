#!/usr/bin/python3
"""The data port before it speaks WebSocket: requests that are refused, and those that are not (docs/protocol.md)."""
import asyncio
import time

from support import raw
from support.native import Native
from support.node import Node
from support.raw import RawClient, handshake_text
from support.runner import case, equal, eventually, main, require, table

GOOD = handshake_text()


def without(name):
    return handshake_text(**{name: None})


def with_header_block_of(size):
    """A request whose head, with its last empty line, has exactly this many bytes."""
    bare = len(handshake_text(X=""))
    return handshake_text(X="x" * (size - bare))


def with_fields(count):
    """A request with exactly this many header fields."""
    own = 5
    return handshake_text(**{f"X{i}": "1" for i in range(count - own)})


KIBI = 1024
REFUSED = [
    # sentence, request, status, fields that the answer must have
    ("a version that we do not speak", handshake_text(Sec_WebSocket_Version="12"), 426, {"sec-websocket-version": "13"}),
    ("a version that is none", handshake_text(Sec_WebSocket_Version="thirteen"), 426, {"sec-websocket-version": "13"}),
    ("no version", without("Sec_WebSocket_Version"), 400, {}),
    ("no key", without("Sec_WebSocket_Key"), 400, {}),
    ("a key of 15 bytes", handshake_text(Sec_WebSocket_Key="AAAAAAAAAAAAAAAAAAAA"), 400, {}),
    ("a key that is not base64", handshake_text(Sec_WebSocket_Key="!" * 24), 400, {}),
    ("no Host", without("Host"), 400, {}),
    ("two Hosts", GOOD[:-2] + b"Host: localhost\r\n\r\n", 400, {}),
    ("two keys", GOOD[:-2] + b"Sec-WebSocket-Key: " + raw.KEY.encode() + b"\r\n\r\n", 400, {}),
    ("Connection without upgrade", handshake_text(Connection="keep-alive"), 400, {}),
    ("an ordinary page request", b"GET /ws HTTP/1.1\r\nHost: localhost\r\n\r\n", 426, {"upgrade": "websocket"}),
    ("POST", GOOD.replace(b"GET", b"POST", 1), 405, {"allow": "GET"}),
    ("HTTP/1.0", GOOD.replace(b"HTTP/1.1", b"HTTP/1.0", 1), 400, {}),
    ("a body", GOOD[:-2] + b"Content-Length: 5\r\n\r\nhello", 400, {}),
    ("no HTTP at all", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400, {}),
    ("a line that is folded", GOOD[:-2] + b"X: a\r\n b\r\n\r\n", 400, {}),
    ("a zero byte in a field", GOOD[:-2] + b"X: a\0b\r\n\r\n", 400, {}),
    ("a blank before a colon", GOOD[:-2] + b"X : a\r\n\r\n", 400, {}),
    ("a path that does not exist", handshake_text("/nowhere"), 404, {}),
    ("/echo on a node without --echo", handshake_text("/echo"), 404, {}),
    ("a header block of 16 KiB and a byte", with_header_block_of(16 * KIBI + 1), 431, {}),
    ("101 header fields", with_fields(101), 431, {}),
    ("a header block without an end", b"GET /ws HTTP/1.1\r\nX: " + b"x" * (64 * KIBI), 431, {}),
    ("the Origin of a web page", handshake_text(Origin="https://evil.example"), 403, {}),
    ("the Origin null of a file or sandbox", handshake_text(Origin="null"), 403, {}),
    ("an Origin that begins like ours", handshake_text(Origin="http://localhost.evil.example"), 403, {}),
    ("a Host that was made to point here", handshake_text(host="rebound.example"), 403, {}),
    ("a Host that begins like ours", handshake_text(host="127.0.0.1.evil.example"), 403, {}),
]


async def is_refused(text, status, fields):
    async with Node() as node:
        got_status, got_fields, body = await asyncio.to_thread(raw.request, node.port, text)
        equal(got_status, status, f"the status; the body says {body!r}")
        for name, value in fields.items():
            require(value in got_fields.get(name, ""), f"{name} says {value}; it has {got_fields.get(name)!r}")
        async with Native(node):  # and the next one is served
            pass

table("a request is refused for", REFUSED, is_refused)

ACCEPTED = [
    ("a header block of exactly 16 KiB", with_header_block_of(16 * KIBI)),
    ("100 header fields", with_fields(100)),
    ("the node's own Origin", handshake_text(host="localhost:9", Origin="http://localhost:9")),
    ("Host 127.0.0.1 with a port", handshake_text(host="127.0.0.1:9001")),
    ("Host ::1", handshake_text(host="[::1]:9001")),
    ("names of fields in other letters", GOOD.replace(b"Upgrade:", b"uPGRADE:").replace(b"websocket", b"WebSocket")),
    ("keep-alive beside upgrade", handshake_text(Connection="keep-alive, Upgrade")),
    ("an offer of permessage-deflate that nobody understands", handshake_text(
        Sec_WebSocket_Extensions="permessage-deflate; client_max_window_bits=99")),
    ("subprotocols that nobody knows, none of which is chosen", handshake_text(Sec_WebSocket_Protocol="a, b")),
]


async def is_accepted(text):
    async with Node() as node:
        def exchange():
            with raw.connect(node.port) as sock:
                sock.sendall(text)
                return raw.read_head(sock)[0]
        head = await asyncio.to_thread(exchange)
        require(head.startswith("HTTP/1.1 101 "), f"an upgrade; got {head}")
        require("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in head, "the key is answered as RFC 6455 section 1.3 computes it")
        require("permessage-deflate" not in head, "such compression is declined")
        require("sec-websocket-protocol" not in head.lower(), "no subprotocol is chosen that was not known")

table("a request is accepted with", ACCEPTED, is_accepted)


@case("a configured Origin and Host are let in, and only they")
async def _():
    config = '[access]\norigins = ["https://desk.example"]\nhosts = ["feed.example"]\n'
    async with Node(config=config) as node:
        for fields, accepted in [({"Origin": "https://desk.example"}, True), ({"Origin": "http://desk.example"}, False),
                                 ({"Origin": "https://desk.example:8443"}, False), ({"host": "feed.example:80"}, True),
                                 ({"host": "Feed.Example"}, True), ({"host": "feed.example.org"}, False)]:
            def status():
                with raw.connect(node.port) as sock:
                    sock.sendall(handshake_text(**fields))
                    return raw.read_head(sock)[0].split()[1]
            equal(await asyncio.to_thread(status), "101" if accepted else "403", f"the status for {fields}")


@case("the subprotocol ringcast.v1.json is chosen when offered, and is native from the start")
async def _():
    async with Node() as node:
        def exchange():
            with RawClient(node.port, "/ws", Sec_WebSocket_Protocol="other, ringcast.v1.json") as client:
                require("ringcast.v1.json" in client.head, "the subprotocol is named in the answer")
                return client.receive()[1]
        require(b'"type":"welcome"' in await asyncio.to_thread(exchange), "the welcome comes at once")


@case("a handshake that arrives a byte at a time is a handshake")
async def _():
    async with Node() as node:
        def exchange():
            with raw.connect(node.port) as sock:
                for i in range(len(GOOD)):
                    sock.sendall(GOOD[i:i + 1])
                    if i % 16 == 0:
                        time.sleep(0.001)
                return raw.read_head(sock)[0]
        require((await asyncio.to_thread(exchange)).startswith("HTTP/1.1 101 "), "an upgrade")


@case("messages sent right behind the handshake, in the same packet, are answered")
async def _():
    async with Node() as node:
        def exchange():
            with raw.connect(node.port) as sock:
                sock.sendall(GOOD + raw.frame(raw.TEXT, '{"type":"ping","id":1}') +
                             raw.frame(raw.TEXT, '{"type":"ping","id":2}'))
                _, rest = raw.read_head(sock)
                while b'"id":2' not in rest:
                    piece = sock.recv(4096)
                    require(piece != b"", f"both pongs; got {rest!r}")
                    rest += piece
                return rest
        answer = await asyncio.to_thread(exchange)
        require(answer.index(b'"welcome"') < answer.index(b'"id":1') < answer.index(b'"id":2'), "in order")


@case("a connection above the limit gets 503 with Retry-After, and a place that becomes free is given away")
async def _():
    async with Node("--limits-connections", "3") as node:
        clients = []
        for _ in range(3):
            client = Native(node)
            await client.__aenter__()
            clients.append(client)
        status, fields, _ = await asyncio.to_thread(raw.request, node.port, GOOD)
        equal(status, 503, "the status at capacity")
        require(fields.get("retry-after", "").isdigit(), f"Retry-After has seconds; got {fields}")
        for client in clients:
            require(await client.is_quiet(), "those who are in stay in")
        await clients.pop().__aexit__()

        async def gets_in():
            with await asyncio.to_thread(raw.connect, node.port) as sock:
                await asyncio.to_thread(sock.sendall, GOOD)
                return "101" in (await asyncio.to_thread(raw.read_head, sock))[0].split("\r\n")[0]
        await eventually(gets_in, "a new connection gets the free place")
        for client in clients:
            await client.__aexit__()


@case("a request that does not become complete is given up after the handshake time")
async def _():
    async with Node("--limits-handshake-time", "300ms") as node:
        def hold(text):
            with raw.connect(node.port) as sock:
                sock.sendall(text)
                return raw.read_to_end(sock)  # fails by its time limit unless the node ends the connection
        for text in (b"", b"GET", GOOD[:-1]):
            answer = await asyncio.to_thread(hold, text)
            require(answer == b"" or answer.startswith(b"HTTP/1.1 4"), f"nothing or a refusal; got {answer!r}")


if __name__ == "__main__":
    main()
