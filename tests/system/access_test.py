#!/usr/bin/python3
"""Who may do what on each endpoint of a real node: tokens, permissions, revocation, proxies, limits, the record
(docs/protocol.md section 10). Tokens are made here, by hand, so that bad ones can be made too."""
import asyncio
import base64
import hashlib
import hmac
import json
import os
import pathlib
import re
import signal
import socket
import tempfile
import time

import websockets

from support import raw
from support.admin import DOCUMENT, JSON, Admin
from support.native import Native, open_socket
from support.node import Node, run_program
from support.runner import case, equal, eventually, main, require, scaled, table

SECRET = "0123456789abcdef0123456789abcdef"
KEY = {"JWT_SECRET": SECRET}


def encoded(value):
    data = value if isinstance(value, bytes) else json.dumps(value, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token(sub="alice", lives=600, secret=SECRET, header=None, **claims):
    text = encoded(header or {"alg": "HS256", "typ": "JWT"}) + "." + encoded(
        {"sub": sub, "exp": int(time.time()) + lives, **claims})
    return text + "." + encoded(hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest())


def bearer(text):
    return {"Authorization": f"Bearer {text}"} if text else {}


# -- the matrix ------------------------------------------------------------------------------------------------------

IDENTITIES = {
    "nobody": None,
    "a garbled token": "abc.def.ghi",
    "an expired token": token(lives=-60),
    "an unsigned token": token(header={"alg": "none"}).rsplit(".", 1)[0] + ".",
    "another's key": token(secret=SECRET[::-1]),
    "another audience": token(aud="elsewhere"),
    "an oversize token": token(padding="x" * 8192),
    "a reader": token(subscribe=["orders.*"]),
    "a writer": token(publish=["orders.*"]),
    "a reader of everything": token(subscribe=[">"]),
    "an administrator": token(admin=True),
    "a revoked reader": token(sub="mallory", subscribe=["orders.*"]),
}
# What each gets from each endpoint before the upgrade: a status; 101 is in.
ENDPOINTS = {
    #                         /ws/connect /ws /ws/orders.a /ws/secret /stream a, a and secret, none /echo /nothing
    "nobody":                 (101, 101, 401, 401, 401, 401, 401, 401, 404),
    "a garbled token":        (401, 401, 401, 401, 401, 401, 401, 401, 404),
    "an expired token":       (401, 401, 401, 401, 401, 401, 401, 401, 404),
    "an unsigned token":      (401, 401, 401, 401, 401, 401, 401, 401, 404),
    "another's key":          (401, 401, 401, 401, 401, 401, 401, 401, 404),
    "another audience":       (401, 401, 401, 401, 401, 401, 401, 401, 404),
    "an oversize token":      (401, 401, 401, 401, 401, 401, 401, 401, 404),
    "a reader":               (101, 101, 101, 403, 101, 403, 101, 101, 404),
    "a writer":               (101, 101, 403, 403, 403, 403, 101, 101, 404),
    "a reader of everything": (101, 101, 101, 101, 101, 101, 101, 101, 404),
    "an administrator":       (101, 101, 403, 403, 403, 403, 101, 101, 404),
    "a revoked reader":       (401, 401, 401, 401, 401, 401, 401, 401, 404),
}
PATHS = ("/ws/connect", "/ws", "/ws/orders.a", "/ws/secret", "/stream?streams=orders.a",
         "/stream?streams=orders.a/secret", "/stream", "/echo", "/nothing")
# What each gets from a path of the admin port that is for administrators: a status and a code, or in.
ADMIN = {
    "nobody":                 (401, "auth_required"),
    "a garbled token":        (401, "auth_failed"),
    "an expired token":       (401, "auth_failed"),
    "an unsigned token":      (401, "auth_failed"),
    "another's key":          (401, "auth_failed"),
    "another audience":       (401, "auth_failed"),
    "an oversize token":      (401, "auth_failed"),
    "a reader":               (403, "unauthorized"),
    "a writer":               (403, "unauthorized"),
    "a reader of everything": (403, "unauthorized"),
    "a revoked reader":       (401, "auth_failed"),
    "an administrator":       "in",
}
# What those who are in get for each command of the native dialect: ok, or the code of the error.
Y, N, T = "ok", "unauthorized", "auth_required"
OPERATIONS = {
    # subscribe: orders.a, secret, $sys/x, one's own, another's; publish: orders.a, secret; history: orders.a
    "nobody":                 (T, T, T, T, T, T, T, T),
    "a writer":               (N, N, N, Y, N, Y, N, N),
    "a reader":               (Y, N, N, Y, N, N, N, Y),
    "a reader of everything": (Y, Y, N, Y, N, N, N, Y),
    "an administrator":       (N, N, Y, Y, N, N, N, N),
}
COMMANDS = (
    {"type": "subscribe", "channels": ["orders.a"]}, {"type": "subscribe", "channels": ["secret"]},
    {"type": "subscribe", "channels": ["$sys/x"]}, {"type": "subscribe", "channels": ["user:alice"]},
    {"type": "subscribe", "channels": ["user:bob"]}, {"type": "publish", "channel": "orders.a", "data": 1},
    {"type": "publish", "channel": "secret", "data": 1}, {"type": "history", "channel": "orders.a"})
LENIENT = ["--rate-errors-max", "0", "--rate-messages-per-second", "0", "--echo"]


class Guarded:
    """A node that authenticates, with a revocation list of its own."""

    def __init__(self, *flags, revoked="", **options):
        self._directory = tempfile.TemporaryDirectory()
        self.revocations = pathlib.Path(self._directory.name) / "revoked"
        self.revocations.write_text(revoked)
        self.node = Node("--auth-revocation-file", str(self.revocations), *flags, variables=KEY, **options)

    async def __aenter__(self):
        return await self.node.__aenter__()

    async def __aexit__(self, *what):
        try:
            return await self.node.__aexit__(*what)
        finally:
            self._directory.cleanup()


class Known(Native):
    """One whose token is good from the start. What it is given without asking has arrived, and been read."""

    async def __aenter__(self):
        await super().__aenter__()
        await self.send(type="ping", id="first")
        while (await self.receive()).get("type") != "pong":
            pass
        return self


def handshake(path, fields=""):
    return (f"GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {raw.KEY}\r\n{fields}\r\n").encode()


def status_of(port, path, fields="", before=b""):
    with raw.connect(port) as sock:
        sock.sendall(before + handshake(path, fields))
        head, _ = raw.read_head(sock)
        return int(head.split(" ")[1]), head


@case("each identity gets from each endpoint what the matrix says, by each way of sending a token", seconds=120)
async def _():
    async with Guarded(*LENIENT, revoked="user mallory\n", shards=2) as node:
        def ask_all():
            for who, statuses in ENDPOINTS.items():
                text = IDENTITIES[who]
                for path, wanted in zip(PATHS, statuses):
                    ways = [("", "")] if text is None else [
                        (f"Authorization: Bearer {text}\r\n", ""),
                        (f"Sec-WebSocket-Protocol: ringcast.v1.json, bearer.{text}\r\n", ""),
                        ("", ("&" if "?" in path else "?") + f"token={text}")]
                    for fields, query in ways:
                        got, head = status_of(node.port, path + query, fields)
                        equal(got, wanted, f"{who} at {path}{' with ' + fields[:24] if fields else ''}; {head}")
                        if text is not None:
                            require(text not in head, "the token is not told back")
                        if wanted == 401:
                            require("www-authenticate: bearer" in head.lower(), f"a 401 says what is wanted: {head}")
        await asyncio.to_thread(ask_all)


@case("each identity gets from each path of the admin port what the matrix says", seconds=120)
async def _():
    async with Guarded(*LENIENT, revoked="user mallory\n", shards=2, admin="127.0.0.1:0") as node:
        admin = Admin(node)
        for who, wanted in ADMIN.items():
            for path, methods in DOCUMENT["paths"].items():
                for method, operation in methods.items():
                    if wanted == "in" and path.endswith("/drain"):
                        continue  # it would be the last thing that anybody asks
                    headers = {**bearer(IDENTITIES[who]), **(JSON if method == "post" else {})}
                    answer = await admin.ask(method.upper(), re.sub(r"\{[a-z]+\}", "x", path), {}, headers)
                    if wanted == "in" or operation.get("security") == []:
                        require(answer.status not in (401, 403), f"{who} at {path}: in; got {answer.text[:200]}")
                    else:
                        equal((answer.status, answer.code), wanted, f"{who} at {method} {path}")
        require(node.running, "nobody has ended it")


@case("each identity may carry out what the matrix says", seconds=120)
async def _():
    async with Guarded(*LENIENT, revoked="user mallory\n", shards=2) as node:
        for who, results in OPERATIONS.items():
            async with (Known if IDENTITIES[who] else Native)(node, extra_headers=bearer(IDENTITIES[who])) as client:
                equal(client.welcome["auth"], "ok" if IDENTITIES[who] else "required", "the welcome")
                for number, (command, wanted) in enumerate(zip(COMMANDS, results)):
                    await client.send(id=number, **command)
                    while (answer := await client.receive()).get("id") != number:
                        pass  # what is subscribed arrives in between
                    got = answer.get("code", "ok")
                    equal(got, wanted, f"{who}: {command}; {client.text}")
        counts = await counters(node)
        equal(counts["permissions_refused"]["publish"], 7, "refused publishes")


@case("a pattern binds what the token allows too, also what is created later, and says nothing of other channels")
async def _():
    async with Guarded(*LENIENT, shards=2) as node:
        async with Known(node, extra_headers=bearer(token(sub="bob", publish=[">"]))) as writer, \
                Known(node, extra_headers=bearer(token(subscribe=["orders.*"]))) as reader:
            for channel in ("orders.a", "secret.a"):
                await writer.publish(channel, 1)
            answer = await reader.request(type="subscribe", id=1, channels=[">"])
            equal(answer["channels"], [{"channel": ">", "pattern": True, "matched": 1}], "what it matches here")
            for channel in ("secret.a", "secret.b", "orders.b", "orders.a"):
                await writer.publish(channel, 2)
            got = set()
            while len(got) < 2:
                message = await reader.receive()
                require("secret" not in reader.text, f"nothing of what is not allowed: {reader.text}")
                if message["type"] == "message":
                    got.add((message["channel"], message["data"]))
            equal(got, {("orders.a", 2), ("orders.b", 2)}, "what arrives")
            answer = await reader.request(type="subscribe", id=2, channels=["secret.*"])
            equal(answer.get("code"), "unauthorized", "a pattern with nothing allowed in it")


async def counters(node):
    _, out, _ = await run_program("stat", "--name", node.name, "--once", "--json")
    return json.loads(out)["counters"]


async def is_refused(who, reason):
    async with Guarded(revoked="user mallory\n") as node:
        async with Native(node) as client:
            equal(client.welcome["auth"], "required", "the welcome")
            answer = await client.request(type="auth", id=1, token=IDENTITIES[who])
            equal((answer.get("code"), answer.get("id")), ("auth_failed", 1), f"the answer, {client.text}")
            require(IDENTITIES[who] not in client.text, "the token is not told back")
            equal(await client.close_code(), 4001, "the close code")
        counts = await counters(node)
        equal(counts["tokens_refused"][reason], 1, "the refusal is counted by its reason")
        equal(counts["tokens_received"]["message"], 1, "the token is counted by its way")
        await eventually(lambda: "token_refused" in node.log(), "the log has it")
        require(IDENTITIES[who] not in node.log(), "and not the token")


table("an auth message is refused with 4001 and counted when it has", [
    ("a garbled token", "a garbled token", "malformed"),
    ("an expired token", "an expired token", "expired"),
    ("an unsigned token", "an unsigned token", "unsigned"),
    ("another's key", "another's key", "bad_signature"),
    ("a token for another audience", "another audience", "wrong_audience"),
    ("an oversize token", "an oversize token", "too_large"),
    ("a revoked token", "a revoked reader", "revoked"),
], is_refused)


@case("a client that shows no token in time is closed with 4001")
async def _():
    async with Guarded("--limits-handshake-time", "500ms") as node:
        async with Native(node) as client:
            equal(await client.close_code(), 4001, "the close code")


# -- tokens over time ------------------------------------------------------------------------------------------------

@case("a page in a browser offers its token as a subprotocol, and is answered with ours")
async def _():
    async with Guarded() as node:
        text = token(subscribe=["orders"])
        async with Native(node, subprotocols=[f"bearer.{text}", "ringcast.v1.json"]) as client:
            equal(client.socket.subprotocol, "ringcast.v1.json", "the subprotocol")
            equal(client.welcome["auth"], "ok", "the welcome")
        async with Native(node, subprotocols=[f"bearer.{text}", "ringcast.v1.bin"]) as client:
            equal(client.socket.subprotocol, "ringcast.v1.bin", "the subprotocol of a page that reads records")
            equal(client.welcome["auth"], "ok", "the welcome")


@case("a page of an origin that is not listed is refused, with or without a good token")
async def _():
    async with Guarded("--access-origins", "https://desk.example") as node:
        def ask():
            fields = f"Authorization: Bearer {token()}\r\n"
            return [status_of(node.port, "/ws", fields + origin)[0] for origin in (
                "", "Origin: https://desk.example\r\n", "Origin: https://desk.example.evil\r\n", "Origin: null\r\n")]
        equal(await asyncio.to_thread(ask), [101, 101, 403, 403], "statuses")


@case("a token that expires is announced, and a new one goes on; without one it is 4002", seconds=40)
async def _():
    async with Guarded("--auth-clock-skew", "0s", "--auth-expiry-notice", "2s") as node:
        async with Known(node, extra_headers=bearer(token(lives=4, subscribe=["orders"]))) as client:
            await client.subscribe("orders")
            await client.expect(type="auth_required")
            answer = await client.request(type="auth", id=1, token=token(lives=5, subscribe=["orders"]))
            equal((answer["type"], answer["user"]), ("auth_success", "alice"), "the answer to a new token")
            await client.expect(type="auth_required")
            equal(await client.close_code(), 4002, "the close code")


@case("a newer token that does not allow what is subscribed ends the connection with 1008, and only that")
async def _():
    async with Guarded() as node:
        text = token(subscribe=["orders.*"], publish=["orders.*"])
        async with Known(node, extra_headers=bearer(text)) as client, \
                Known(node, extra_headers=bearer(text)) as other:
            for one in (client, other):
                await one.subscribe("orders.a")
            answer = await client.request(type="auth", id=1, token=token(subscribe=["trades.*"]))
            equal(answer["type"], "auth_success", "the token is good")
            equal(await client.close_code(), 1008, "the close code")
            await other.send(type="publish", channel="orders.a", data=1)
            await other.expect(type="message", channel="orders.a", seq=1)


@case("a line in the revocation file ends the user's connections within seconds, and nobody else's", seconds=40)
async def _():
    guarded = Guarded(shards=2)
    async with guarded as node:
        text = {name: token(sub=name, subscribe=["orders"], jti=name + "-1") for name in ("alice", "mallory")}
        clients = [Known(node, extra_headers=bearer(text[name])) for name in ("alice", "mallory", "alice", "mallory")]
        for client in clients:
            await client.__aenter__()
            await client.subscribe("orders")
        guarded.revocations.write_text("# who is out\nuser mallory\n")
        codes = [await client.close_code(10) for client in (clients[1], clients[3])]
        equal(codes, [1008, 1008], "mallory's close codes")
        for client in (clients[0], clients[2]):
            require(await client.is_quiet(), "alice stays")
        guarded.revocations.write_text("nonsense\n")
        await eventually(lambda: "access_reload_failed" in node.log(), "the log says that the file is broken", 10)
        fields = f"Authorization: Bearer {text['mallory']}\r\n"
        status, _ = await asyncio.to_thread(status_of, node.port, "/ws", fields)
        equal(status, 401, "mallory, while the file is broken")
        guarded.revocations.write_text("token alice-1\n")
        equal(await clients[0].close_code(10), 1008, "the close code of the token that was revoked")
        for client in clients:
            await client.__aexit__()


@case("a token in a URL stands in no log, no event and no message of ours")
async def _():
    async with Guarded("--log-level", "trace") as node:
        good, bad = token(subscribe=["orders"]), token(lives=-100)

        def ask():
            for path in (f"/ws/connect?token={good}", f"/ws?token={bad}", f"/nothing?token={good}",
                         f"/ws/orders?token={bad}&x=%zz", f"/ws?token={good}&token={bad}", f"/ws?token={good[:-3]}%zz"):
                status_of(node.port, path)
            with raw.connect(node.port) as sock:
                sock.sendall(f"GET /ws?token={good} HTTP/9\r\n\r\n".encode())
                raw.read_to_end(sock)
        await asyncio.to_thread(ask)
        _, events, _ = await run_program("stat", "--name", node.name, "--once", "--json", "--events", "--connections")
        await eventually(lambda: "handshake_failed" in node.log(), "the log has the refusals")
        for text in (node.log(), events):
            for secret in (good, bad):
                require(secret[:40] not in text, f"the token is not in {text[:2000]}")


@case("pub and sub come with a token, from a file or the environment, and are told what it does not allow")
async def _():
    async with Guarded() as node:
        with tempfile.NamedTemporaryFile("w") as file:
            file.write(token(publish=["orders.*"]) + "\n")
            file.flush()
            url = ["--url", node.url()]
            status, _, err = await run_program("pub", *url, "--token-file", file.name, "orders.a", "1")
            equal(status, 0, f"the status of a publish that is allowed; {err}")
            status, _, err = await run_program("pub", *url, "--token-file", file.name, "secret", "1")
            require(status != 0 and "may not publish" in err, f"a publish that is not: {err}")
            status, _, err = await run_program("pub", *url, "orders.a", "1")
            require(status != 0, f"a publish of nobody: {err}")
            program = asyncio.create_task(run_program("sub", *url, "--count", "1", "orders.a",
                                                      RINGCAST_TOKEN=token(sub="bob", subscribe=["orders.*"])))

            async def has_arrived():
                await run_program("pub", *url, "--token-file", file.name, "orders.a", "2")
                return program.done()
            await eventually(has_arrived, "the subscriber gets a message", 10)
            status, out, err = await program
            equal((status, out.split()[0], out.split()[-1]), (0, "orders.a", "2"), f"what sub prints; {err}")


@case("an open node takes no notice of tokens")
async def _():
    async with Node() as node:
        async with Native(node, path="/ws/connect?token=x", extra_headers=bearer("nonsense")) as client:
            equal(client.welcome["auth"], "anonymous", "the welcome")
            answer = await client.request(type="auth", id=1, token="x")
            equal(answer["code"], "not_supported", "the answer to auth")


# -- keys ------------------------------------------------------------------------------------------------------------

async def fails_to_start(words, *flags, **variables):
    status, _, err = await run_program("serve", "--name", f"test-{os.getpid()}-x", "--listen", "127.0.0.1:0", *flags,
                                       **variables)
    require(status != 0, "the node does not start")
    require(words in err, f"it says '{words}': {err}")
    require("0123456789" not in err, "it does not say the key")


table("a node does not start with", [
    ("a key file that is not there", "auth.key_file: /nonexistent cannot be read", "--auth-key-file", "/nonexistent"),
    ("a directory for a key", "auth.key_file: /tmp", "--auth-key-file", "/tmp"),
    ("an empty key", "too short", "--auth-key-file", "/dev/null"),
    ("no end of a key", "has more than", "--auth-key-file", "/dev/zero"),
    ("revocations and no key", "means nothing without a key", "--auth-revocation-file", "/dev/null"),
    ("a usage log in no directory", "access.usage_log: /nonexistent/x: cannot be written", "--access-usage-log",
     "/nonexistent/x"),
    ("all addresses and no key", "nobody has to authenticate", "--listen", "0.0.0.0:0"),
], fails_to_start)


@case("a short secret in the environment is refused")
async def _():
    await fails_to_start("too short for HS256", JWT_SECRET="secret")


@case("a node with a key listens off loopback, and answers to any Host")
async def _():
    async with Node("--listen", "0.0.0.0:0", variables=KEY) as node:
        def ask():
            return status_of(node.port, "/ws")[0], raw.request(
                node.port, handshake("/ws/orders").replace(b"Host: localhost", b"Host: feed.example"))[0]
        equal(await asyncio.to_thread(ask), (101, 401), "statuses")


# -- limits ----------------------------------------------------------------------------------------------------------

@case("an address has as many connections as it may have, over all shards")
async def _():
    async with Node("--limits-connections-per-address", "3", shards=2) as node:
        clients = [await open_socket(node) for _ in range(3)]
        got, head = await asyncio.to_thread(status_of, node.port, "/ws")
        equal(got, 429, "the fourth")
        require("retry-after" in head.lower(), f"it says when to try again: {head}")
        await clients.pop().close()

        async def there_is_room():
            return (await asyncio.to_thread(status_of, node.port, "/ws"))[0] == 101
        await eventually(there_is_room, "there is room again")
        for client in clients:
            await client.close()


@case("behind a proxy the client's address counts; nobody else is believed")
async def _():
    async with Node("--limits-connections-per-address", "1", "--access-trusted-proxies", "127.0.0.2") as node:
        def ask(fields="", before=b"", source="127.0.0.2"):
            sock = socket.create_connection(("127.0.0.1", node.port), timeout=scaled(5), source_address=(source, 0))
            sock.sendall(before + handshake("/ws", fields))
            head, _ = raw.read_head(sock)
            return int(head.split(" ")[1]), sock

        def ask_all():
            kept, got = [], []
            for fields, before, source in (
                    ("X-Forwarded-For: 192.0.2.1\r\n", b"", "127.0.0.2"),
                    ("X-Forwarded-For: 192.0.2.1\r\n", b"", "127.0.0.2"),
                    ("X-Forwarded-For: 127.0.0.1, 192.0.2.2\r\n", b"", "127.0.0.2"),
                    ("", b"PROXY TCP4 192.0.2.2 127.0.0.1 1 2\r\n", "127.0.0.2"),
                    ("", b"PROXY TCP4 192.0.2.3 127.0.0.1 1 2\r\n", "127.0.0.2"),
                    ("X-Forwarded-For: 192.0.2.9\r\n", b"", "127.0.0.3"),
                    ("X-Forwarded-For: 192.0.2.8\r\n", b"", "127.0.0.3"),
                    ("", b"PROXY TCP4 192.0.2.7 127.0.0.1 1 2\r\n", "127.0.0.4")):
                status, sock = ask(fields, before, source)
                got.append(status)
                kept.append(sock)
            for sock in kept:
                sock.close()
            return got
        equal(await asyncio.to_thread(ask_all), [101, 429, 101, 429, 101, 101, 429, 400], "statuses")


@case("a client that sends too much is told so and at last closed with 4003")
async def _():
    async with Node("--rate-messages-per-second", "10", "--rate-burst", "5", "--rate-errors-max", "3") as node:
        async with Native(node) as client:
            answers = []
            for number in range(8):
                await client.send(type="ping", id=number)
                answers.append((await client.receive()).get("code", "pong"))
            equal(answers, ["pong"] * 5 + ["rate_limited"] * 3, "the answers")
            await client.send(type="ping", id=9)
            equal(await client.close_code(), 4003, "the close code")


# -- the entitlement record ------------------------------------------------------------------------------------------

@case("the record says who was subscribed to what, from when to when; SIGHUP begins a new file", seconds=40)
async def _():
    with tempfile.TemporaryDirectory() as directory:
        record, old = pathlib.Path(directory) / "usage", pathlib.Path(directory) / "usage.1"

        def lines(file=record):
            found = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
            return [line for line in found if not line["channel"].startswith("user:")]  # those that nobody asked for
        async with Node("--access-usage-log", str(record), variables=KEY, shards=2) as node:
            channels = [f"channel.{i}" for i in range(6)]
            client = Known(node, extra_headers=bearer(token(subscribe=[">"])))
            await client.__aenter__()
            await client.subscribe(*channels)
            await client.request(type="unsubscribe", id=1, channels=channels[:1])
            await eventually(lambda: len(lines()) == 7, "a line for each that began, and for the one that ended")
            record.rename(old)
            os.kill(node.pid, signal.SIGHUP)
            await eventually(record.exists, "a new file", 10)
            await client.__aexit__()
            async with Known(node, extra_headers=bearer(token(sub="bob", subscribe=[">"]))) as other:
                await other.subscribe("x")
            stays = Known(node, extra_headers=bearer(token(sub="carol", subscribe=[">"])))
            await stays.__aenter__()
            await stays.subscribe("y")
        await stays.__aexit__()
        began = [(line["user"], line["channel"]) for line in lines(old) + lines() if line["event"] == "began"]
        ended = [(line["user"], line["channel"]) for line in lines(old) + lines() if line["event"] == "ended"]
        equal(sorted(began), sorted([("alice", channel) for channel in channels] +
                                     [("bob", "x"), ("carol", "y")]), "what began")
        equal(sorted(ended), sorted(began), "what ended, the node's end included")
        for line in lines(old) + lines():
            equal(line["address"], "127.0.0.1", "the address")
            require(line["event"] == "began" or line["since"] <= line["time"], "it ended after it began")
            equal(len(line["connection"]), 16, "digits of the connection")


if __name__ == "__main__":
    main()
