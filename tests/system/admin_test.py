#!/usr/bin/python3
"""The admin port (docs/admin.md): every path and its document, every refusal; and nothing of it is felt elsewhere."""
import asyncio
import base64
import hashlib
import hmac
import json
import pathlib
import re
import resource
import socket
import ssl
import tempfile
import time

from support.admin import API, DOCUMENT, JSON, Admin
from support.certificates import Certificates, tls_flags, trusting
from support.native import Native, open_socket
from support.node import Node, free_port, run_program, unique_name
from support.runner import case, equal, eventually, main, require, scaled

ANY = "127.0.0.1:0"


def node_with_admin(*flags, **more):
    return Node(*flags, admin=ANY, **more)


@case("every path answers as docs/openapi.json says, and the document is served", seconds=30)
async def _():
    async with node_with_admin(shards=2) as node, Native(node) as client:
        admin = Admin(node)
        await client.subscribe("project:7", "a/b")
        await client.publish("a/b", {"n": 1})
        for path in ("/", "/healthz", "/readyz", "/metrics", "/metrics?format=json", "/ws/stats", f"{API}/stats",
                     f"{API}/stats?shards=1&channels=1&connections=1&events=1&histograms=1", f"{API}/metrics",
                     f"{API}/metrics?format=prometheus", f"{API}/health", f"{API}/connections",
                     f"{API}/connections?slow=1", f"{API}/connections?channel=project:7&user=x",
                     f"{API}/connections/count", f"{API}/projects/7/connections/count",
                     f"{API}/users/42/connections/count", f"{API}/channels", f"{API}/channels/a%2Fb",
                     f"{API}/channels/a%2Fb/subscribers", f"{API}/channels/a%2Fb/history"):
            await admin.get(path)
        equal((await admin.get("/api/v1/openapi.json")).json, DOCUMENT, "the document that is served")
        message = {"data": {"x": [1, None, "é"]}, "event": "note", "message_id": "m"}
        await admin.post(f"{API}/channels/a%2Fb/publish", message)
        await admin.post(f"{API}/users/42/message", message)
        await admin.post(f"{API}/projects/7/message", message)
        await admin.post(f"{API}/broadcast", {"channels": ["c1", "c2", "$no"], **message})
        await admin.post(f"{API}/users/42/disconnect")
        await admin.post(f"{API}/projects/none/disconnect")
        await admin.post(f"{API}/memory/analyze")
        await admin.post(f"{API}/streams/cleanup")
        equal((await admin.post(f"{API}/config/reload")).json,
              {"loaded": True, "changed": [], "needs_restart": [], "problems": []}, "a reload without changes")
        rows = (await admin.get(f"{API}/connections")).json["connections"]
        await admin.post(f"{API}/connections/{rows[0]['id']}/disconnect")
        await admin.post(f"{API}/drain", status=202)
        wanted = {(method.upper(), path) for path, methods in DOCUMENT["paths"].items() for method in methods}
        equal(wanted - admin.seen, set(), "what was not asked")
        equal(await node.wait(), 0, "the exit status of a node that was drained")


@case("the numbers are those of ringcast stat")
async def _():
    async with node_with_admin() as node, Native(node) as client:
        admin = Admin(node)
        await client.publish("c", 1)
        health = (await admin.get("/healthz")).json
        equal((health["status"], health["isHealthy"]), ("healthy", True), "the health")
        document = (await admin.get("/ws/stats")).json
        equal(document["activeConnections"], 1, "open connections")
        _, out, _ = await run_program("stat", "--name", node.name, "--once", "--json")
        require(set(json.loads(out)) <= set(document), "all that stat shows is there")
        text = (await admin.get("/metrics")).text
        require("\nringcast_connections_open{" in text and "\nringcast_admin_requests_total{" in text, "a metric")


@case("connections come in pages over all shards, each once")
async def _():
    async with node_with_admin(shards=2) as node:
        admin = Admin(node)
        clients = [await Native(node).__aenter__() for _ in range(25)]
        for client in clients[:10]:
            await client.subscribe("project:9")
        rows, pages = await admin.pages(f"{API}/connections", "connections", 4)
        equal(len({row["id"] for row in rows}), 25, "different connections")
        equal({row["id"] for row in rows}, {client.welcome["connection_id"] for client in clients}, "their ids")
        require(7 <= pages <= 9, f"25 rows in pages of 4; it took {pages}")
        rows, _ = await admin.pages(f"{API}/channels/project:9/subscribers", "subscribers", 3)
        equal({row["id"] for row in rows}, {client.welcome["connection_id"] for client in clients[:10]}, "readers")
        rows = (await admin.get(f"{API}/channels/project:9/subscribers?channel=other")).json["subscribers"]
        equal(len(rows), 10, "the readers of the path's channel, whatever the query says")
        equal((await admin.get(f"{API}/connections/count")).json, {"count": 25}, "the count")
        equal((await admin.get(f"{API}/projects/9/connections/count")).json, {"project": "9", "count": 10}, "the count")
        equal((await admin.get(f"{API}/channels/project:9")).json["readers"], 10, "readers on all shards")
        for client in clients:
            await client.__aexit__()


@case("channels come in pages, and a history is what a client is sent")
async def _():
    async with node_with_admin(shards=2) as node, Native(node) as client:
        admin = Admin(node)
        names = {f"c{i}" for i in range(30)}
        for name in sorted(names):
            await client.publish(name, name)
        rows, _ = await admin.pages(f"{API}/channels", "channels", 7)
        equal(sorted(row["channel"] for row in rows), sorted(names), "the channels")
        for n in range(5):
            await client.publish("c0", n)
        asked = await client.request(type="history", channel="c0", limit=3)
        equal((await admin.get(f"{API}/channels/c0/history?limit=3")).json, asked, "the history")
        after = f"{asked['epoch']}:4"
        page = (await admin.get(f"{API}/channels/c0/history?after={after}&limit=1")).json
        equal([each["seq"] for each in page["messages"]], [5], "what comes behind it")
        equal((page["more"], page["recovered"]), (True, True), "and what is said of the rest")


@case("what an administrator publishes is sequenced like anything else, once, and its sender is in the log")
async def _():
    async with node_with_admin(shards=2) as node, Native(node) as reader:
        admin = Admin(node)
        await reader.subscribe("orders", "project:1", "other")
        first = (await admin.post(f"{API}/channels/orders/publish", '{"data": {"a" : 1.50}, "message_id":"k"}')).json
        message = await reader.expect(type="message", channel="orders", seq=1)
        require('"data":{"a" : 1.50}' in reader.text, f"the payload is relayed as it was sent; got {reader.text}")
        equal((first["epoch"] != "", first["seq"], first["duplicate"]), (True, message["seq"], False), "the answer")
        again = (await admin.post(f"{API}/channels/orders/publish", {"data": 2, "message_id": "k"})).json
        equal((again["seq"], again["duplicate"]), (1, True), "the answer to a duplicate")
        await admin.post(f"{API}/projects/1/message", {"data": "p"})
        await reader.expect(type="message", channel="project:1", data="p")
        result = (await admin.post(f"{API}/broadcast", {"channels": ["orders", "other", "bad*"], "data": "all"})).json
        outcomes = [each.get("seq") or each["error"]["code"] for each in result["results"]]
        equal(outcomes, [2, 1, "invalid_parameter"], "what became of each")
        received = {(await reader.expect(type="message", data="all"))["channel"] for _ in range(2)}
        equal(received, {"orders", "other"}, "where it came")
        noted = re.compile(r"127\.0\.0\.1:\d+: publish to orders")
        await eventually(lambda: noted.search(node.log()), "the log says who did what")


BAD_BODIES = [
    ("", "invalid_message"), ("[]", "invalid_message"), ("{", "invalid_message"), ("{}", "invalid_message"),
    ('{"data":1,"data":2}', "invalid_message"), ('{"data":1,"channel":"b"}', "invalid_message"),
    ('{"data":1,"type":"subscribe"}', "invalid_message"), ('{"data":1,"event":7}', "invalid_message"),
    ('{"data":1,"message_id":"' + "x" * 300 + '"}', "invalid_message"), ('{"data":tru}', "invalid_message"),
    ('{"data":1,"state":"snapshot","as_of_seq":99}', "invalid_message"),
]


@case("a body that is wrong is refused as a client's message is")
async def _():
    async with node_with_admin() as node:
        admin = Admin(node)
        for body, code in BAD_BODIES:
            answer = await admin.post(f"{API}/channels/c/publish", body, status=400)
            equal(answer.code, code, f"the code for {body!r}")
        answer = await admin.post(f"{API}/channels/$sys%2Fstats/publish", {"data": 1}, status=403)
        equal(answer.code, "unauthorized", "a channel of the server")
        for path in ("channels/a*/publish", "channels/a%01b/publish", f"users/{'x' * 300}/message",
                     "channels/user:/publish", "users/a*/message"):
            equal((await admin.post(f"{API}/{path}", {"data": 1}, status=400)).code, "invalid_parameter", path)
        for named in ({}, {"channel": 5}, {"channels": []}, {"channels": ["a", 1]}, {"channel": "a", "channels": ["b"]},
                      {"channels": ["a"] * 101}):
            answer = await admin.post(f"{API}/broadcast", {"data": 1, **named}, status=400)
            equal(answer.code, "invalid_message", f"{named}"[:80])
        rows = (await admin.get(f"{API}/channels")).json["channels"]
        equal([row["channel"] for row in rows if row["seq"] != 0], [], "where something was published")


@case("whoever is disconnected is told 4010, and nobody else")
async def _():
    async with node_with_admin(shards=2) as node:
        admin = Admin(node)
        async with Native(node) as one, Native(node) as two, Native(node) as stays:
            for client in (one, two, stays):
                await client.subscribe("a")
            await two.subscribe("project:5")
            answer = await admin.post(f"{API}/connections/{one.welcome['connection_id']}/disconnect")
            equal(answer.json, {"disconnected": 1}, "the answer")
            equal(await one.close_code(), 4010, "the close code")
            equal((await admin.post(f"{API}/projects/5/disconnect")).json, {"disconnected": 1}, "the answer")
            equal(await two.close_code(), 4010, "the close code")
            require(await stays.is_quiet(), "who was not meant stays")
            equal((await admin.post(f"{API}/connections/{one.welcome['connection_id']}/disconnect", status=404)).code,
                  "unknown_connection", "a connection that has gone")
            for bad in ("7", "x" * 16, "0" * 16):
                answer = await admin.post(f"{API}/connections/{bad}/disconnect", status=400)
                equal(answer.code, "invalid_parameter", bad)
        await eventually(lambda: node.log().count("disconnect ") >= 2, "the log says who was disconnected")


BAD_QUERIES = [
    "connections?limit=0", "connections?limit=1001", "connections?limit=x", "connections?cursor=x",
    "connections?cursor=9-0", "connections?cursor=0-", "connections?slow=maybe", f"connections?channel={'x' * 256}",
    "channels?limit=-1", "channels/c/history?after=1", "channels/c/history?after=0123456789abcdef:x",
    "metrics?format=xml", "stats?events=perhaps", "connections?user=%zz", "connections?user=%FF",
    f"connections?user={'x' * 1100}",
]


@case("a path or a query that is wrong is refused")
async def _():
    async with node_with_admin() as node:
        admin = Admin(node)
        for query in BAD_QUERIES:
            equal((await admin.get(f"{API}/{query}", status=400)).code, "invalid_parameter", query)
        for path in ("/nothing", "/healthz/", "//healthz", f"{API}", f"{API}/channels/", "/metrics/../healthz"):
            equal((await admin.get(path, status=404)).code, "not_found", path)
        for path in ("channels/nowhere", "channels/nowhere/history", "channels/nowhere/subscribers", "channels/a%00"):
            equal((await admin.get(f"{API}/{path}", status=404)).code, "unknown_channel", path)
        answer = await admin.ask("DELETE", f"{API}/drain", checked=False)
        equal((answer.status, answer.code, answer.headers["Allow"]), (405, "method_not_allowed", "POST"), "a method")
        equal((await admin.ask("GET", f"{API}/drain", checked=False)).status, 405, "reading what is done")
        require(node.running, "the node runs")


def text(method="GET", path="/metrics", host="127.0.0.1", fields="", body=""):
    length = f"Content-Length: {len(body)}\r\nContent-Type: application/json\r\n" if method == "POST" else ""
    return f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{length}{fields}\r\n{body}"


DRAIN = f"{API}/drain"
CLOSE = "Host: localhost\r\nConnection: close\r\n"
LONG = "99999999999999999"
REFUSALS = [
    # sentence, request, status, code
    ("a page from elsewhere", text(fields="Origin: https://evil.example\r\n"), 403, "foreign_origin"),
    ("a page from elsewhere that posts", text("POST", DRAIN, fields="Origin: http://evil.example\r\n", body="{}"), 403,
     "foreign_origin"),
    ("a page from elsewhere that asks for health", text(path="/healthz", fields="Origin: null\r\n"), 403,
     "foreign_origin"),
    ("a name that was made to point here", text(host="evil.example"), 403, "unknown_host"),
    ("a proxy on this host", text(fields="X-Forwarded-For: 10.1.2.3\r\n"), 403, "forwarded"),
    ("a proxy of the standard's kind", text("POST", DRAIN, fields="Forwarded: for=10.1.2.3\r\n", body="{}"), 403,
     "forwarded"),
    ("a POST without a content type", f"POST {DRAIN} HTTP/1.1\r\n{CLOSE}Content-Length: 2\r\n\r\n{{}}", 415,
     "unsupported_media_type"),
    ("a form", f"POST {DRAIN} HTTP/1.1\r\n{CLOSE}Content-Length: 2\r\nContent-Type: text/plain\r\n\r\n{{}}", 415,
     "unsupported_media_type"),
    ("two content types", text("POST", DRAIN, fields="Content-Type: text/plain\r\n", body="{}"), 415,
     "unsupported_media_type"),
    ("a packed body", text("POST", DRAIN, fields="Content-Encoding: gzip\r\n", body="{}"), 415,
     "unsupported_media_type"),
    ("a body that is too large", f"POST {DRAIN} HTTP/1.1\r\n{CLOSE}Content-Length: 1048577\r\n\r\n", 413,
     "body_too_large"),
    ("a body beyond all counting", f"POST {DRAIN} HTTP/1.1\r\n{CLOSE}Content-Length: {LONG}\r\n\r\n", 413,
     "body_too_large"),
    ("length and chunks", text("POST", DRAIN, fields="Transfer-Encoding: chunked\r\n", body="0\r\n\r\n"), 400,
     "malformed_request"),
    ("two lengths", text("POST", DRAIN, fields="Content-Length: 2\r\n", body="{}"), 400, "malformed_request"),
    ("two lengths that differ", text("POST", DRAIN, fields="Content-Length: 40\r\n", body="{}"), 400,
     "malformed_request"),
    ("a list of lengths", f"POST {DRAIN} HTTP/1.1\r\n{CLOSE}Content-Length: 2, 2\r\n\r\n{{}}", 400,
     "malformed_request"),
    ("a signed length", f"POST {DRAIN} HTTP/1.1\r\n{CLOSE}Content-Length: +2\r\n\r\n{{}}", 400, "malformed_request"),
    ("chunks", f"POST {DRAIN} HTTP/1.1\r\n{CLOSE}Transfer-Encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n", 411,
     "length_required"),
    ("an encoding that is not quite one", f"POST {DRAIN} HTTP/1.1\r\n{CLOSE}Transfer-Encoding: xchunked\r\n\r\n", 400,
     "malformed_request"),
    ("a space before a colon", "GET /metrics HTTP/1.1\r\nHost : localhost\r\n\r\n", 400, "malformed_request"),
    ("a folded field", f"GET /metrics HTTP/1.1\r\n{CLOSE} X: y\r\n\r\n", 400, "malformed_request"),
    ("bare line feeds", "GET /metrics HTTP/1.1\nHost: localhost\n\n", 400, "malformed_request"),
    ("no host", "GET /metrics HTTP/1.1\r\n\r\n", 400, "malformed_request"),
    ("two hosts", f"GET /metrics HTTP/1.1\r\n{CLOSE}Host: evil.example\r\n\r\n", 400, "malformed_request"),
    ("a GET with a body", f"GET /metrics HTTP/1.1\r\n{CLOSE}Content-Length: 3\r\n\r\nabc", 400, "malformed_request"),
    ("another version", f"GET /metrics HTTP/2.0\r\n{CLOSE}\r\n", 505, "http_version"),
    ("garbage", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, "malformed_request"),
    ("a head that does not end", text(fields="X: " + "x" * 17000 + "\r\n"), 431, "head_too_large"),
    ("too many fields", text(fields="".join(f"X{i}: y\r\n" for i in range(101))), 431, "head_too_large"),
    ("a target that does not end", text(path="/" + "x" * 3000), 414, "target_too_long"),
    ("a method that is none of ours", f"TRACE /metrics HTTP/1.1\r\n{CLOSE}\r\n", 405, "method_not_allowed"),
    ("a path that is not there", text(path="/etc/passwd"), 404, "not_found"),
]


@case("what is refused has a status, a code, a counter and an event, and does nothing", seconds=60)
async def _():
    async with node_with_admin() as node:
        admin = Admin(node)
        counted = (await admin.counters())["admin_refused"]
        for sentence, request, status, code in REFUSALS:
            got, head, body = await asyncio.to_thread(admin.raw, request)
            equal(got, status, f"the status for {sentence}; it was answered {head}")
            equal(json.loads(body)["error"]["code"], code, f"the code for {sentence}")
            counted[code] += 1

            async def is_counted():
                return (await admin.counters())["admin_refused"][code] == counted[code]
            await eventually(is_counted, f"the counter {code} goes up after {sentence}")
        require(node.running, "nothing was done")

        async def events():
            document = (await admin.get(f"{API}/stats?events=1")).json
            told = " ".join(each.get("text", "") for each in document["events"] if each["event"] == "admin_refused")
            return "foreign_origin 127.0.0.1:" in told
        await eventually(events, "the flight recorder has it")


@case("a request may ask for many things over one connection, and may come in pieces")
async def _():
    async with node_with_admin() as node:
        admin = Admin(node)

        def talk():
            connection = admin.connection()
            connection.connect()
            sock = connection.sock
            for path in ("/healthz", "/nothing", "/metrics", f"{API}/channels", "/healthz"):
                admin.exchange(connection, "GET", path)
                require(connection.sock is sock, f"the connection stays behind {path}")
            answer = admin.exchange(connection, "HEAD", "/metrics")
            equal((answer.status, answer.text), (200, ""), "an answer without its body")
            require(int(answer.headers["Content-Length"]) > 1000, "and its length")
            large = admin.exchange(connection, "POST", f"{API}/channels/c/publish", {"data": "x" * 500_000})
            equal((large.status, connection.sock is sock), (200, True), "a large body, over the same connection")
            connection.close()
            with socket.create_connection(("127.0.0.1", admin.port), timeout=scaled(10)) as slow:
                for byte in text("POST", f"{API}/channels/c/publish", body='{"data":1}').encode():
                    slow.sendall(bytes([byte]))
                require(b" 200 " in slow.recv(100), "a request in single bytes is answered")
            with socket.create_connection(("127.0.0.1", admin.port), timeout=scaled(10)) as waits:
                waits.sendall(text("POST", f"{API}/channels/c/publish", fields="Expect: 100-continue\r\n",
                                   body='{"data":1}').encode()[:-10])
                equal(waits.recv(100), b"HTTP/1.1 100 Continue\r\n\r\n", "it is told to go on")
                waits.sendall(b'{"data":1}')
                require(b" 200 " in waits.recv(100), "and answered")
        await asyncio.to_thread(talk)


@case("clients that say nothing, or half of something, keep nobody from being answered", seconds=40)
async def _():
    async with node_with_admin() as node:
        admin = Admin(node)
        idlers = [socket.create_connection(("127.0.0.1", admin.port)) for _ in range(20)]
        for sock in idlers[::2]:
            sock.sendall(b"GET /metrics HTTP/1.1\r\nHost: loc")
        began = time.monotonic()
        await admin.get("/healthz")
        require(time.monotonic() - began < scaled(8), "they are given up for others")

        def last():
            sock = idlers[0]
            sock.settimeout(scaled(30))
            return sock.recv(1000)
        require(b" 408 " in await asyncio.to_thread(last), "who sent half a request is told")
        for sock in idlers:
            sock.close()
        for _ in range(3):
            await admin.get("/healthz")


@case("more clients than there is room for are told so at once")
async def _():
    async with node_with_admin() as node:
        admin = Admin(node)
        crowd = [socket.create_connection(("127.0.0.1", admin.port)) for _ in range(120)]

        def told():
            for sock in crowd[70:]:
                sock.settimeout(0.5)
                try:
                    if b" 503 " in sock.recv(1000):
                        return True
                except OSError:
                    pass
            return False
        require(await asyncio.to_thread(told), "one of them gets 503")
        for sock in crowd:
            sock.close()

        async def answers():
            try:
                return (await admin.ask("GET", "/healthz")).status == 200
            except OSError:
                return False
        await eventually(answers, "then everything is as before", 20)
        require((await admin.counters())["admin_refused"]["busy"] >= 1, "who was told so is counted")


@case("with two thousand connections the admin port still answers", seconds=60)
async def _():
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(limit[1], 4096), limit[1]))
    async with node_with_admin("--heartbeat-interval", "0s") as node:
        admin = Admin(node)
        sockets = []
        for _ in range(40):
            sockets += await asyncio.gather(*[open_socket(node) for _ in range(50)])
        await admin.get("/healthz")
        equal((await admin.get(f"{API}/connections/count")).json["count"], 2000, "the count")
        rows, _ = await admin.pages(f"{API}/connections", "connections", 1000)
        equal(len({row["id"] for row in rows}), 2000, "the rows")
        await asyncio.gather(*[sock.close() for sock in sockets])


@case("questions without end are not felt by a reader", seconds=60)
async def _():
    async with node_with_admin(shards=2) as node, Native(node) as reader, Native(node) as writer:
        admin = Admin(node)
        await reader.subscribe("c")
        going = True

        async def pester():
            asked = 0
            while going:
                for path in ("connections", "channels", "channels/c", "channels/c/history?limit=1000", "stats"):
                    await admin.get(f"{API}/{path}")
                    asked += 1
            return asked
        pesterers = [asyncio.create_task(pester()) for _ in range(3)]
        for n in range(3000):
            await writer.send(type="publish", channel="c", data=n)
            if n % 50 == 0:
                await asyncio.sleep(0)
        for n in range(3000):
            message = await reader.receive(10)
            equal((message["type"], message["data"]), ("message", n), "the next message")
        going = False
        require(sum(await asyncio.gather(*pesterers)) > 10, "many questions were asked meanwhile")
        ledger = (await admin.get("/ws/stats")).json["ledger"]
        require(ledger["closed"], f"the ledger is closed: {ledger}")


@case("a user's connections are counted, listed and closed on all shards")
async def _():
    async with node_with_admin(shards=2) as node:
        admin = Admin(node)
        ann = [await Native(node, "/ws/connect?user=ann").__aenter__() for _ in range(6)]
        async with Native(node, "/ws/connect?user=bob") as bob:
            count = (await admin.get(f"{API}/users/ann/connections/count")).json
            equal(count, {"user": "ann", "count": 6}, "the count")
            rows, _ = await admin.pages(f"{API}/connections?user=ann", "connections", 4)
            equal({row["id"] for row in rows}, {one.welcome["connection_id"] for one in ann}, "her connections")
            equal({row["user"] for row in rows}, {"ann"}, "whose they are")
            await bob.expect(type="subscribed")  # to his own channel
            await admin.post(f"{API}/users/bob/message", {"data": "hello"})
            await bob.expect(type="message", channel="user:bob", data="hello")
            equal((await admin.post(f"{API}/users/ann/disconnect")).json, {"disconnected": 6}, "the answer")
            for one in ann:
                equal(await one.close_code(), 4010, "the close code")
            require(await bob.is_quiet(), "others stay")


SECRET = "0123456789abcdef0123456789abcdef"


def token(user, **claims):
    """Signed with SECRET by Python's own tools; good for a minute."""
    def part(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=")
    said = {"sub": user, "exp": int(time.time()) + 60, "subscribe": [">"], "publish": [">"], **claims}
    text = part(b'{"alg":"HS256"}') + b"." + part(json.dumps(said).encode())
    return (text + b"." + part(hmac.new(SECRET.encode(), text, hashlib.sha256).digest())).decode()


@case("where keys are configured only an administrator's token opens a path, and its user is in the log")
async def _():
    async with node_with_admin(shards=2, variables={"JWT_SECRET": SECRET}) as node:
        admin = Admin(node)
        await admin.get("/healthz")
        await admin.get("/api/v1/openapi.json")
        for path in ("/metrics", f"{API}/connections", "/ws/stats"):
            answer = await admin.get(path, status=401)
            equal((answer.code, answer.headers["WWW-Authenticate"]), ("auth_required", "Bearer"), "without a token")
            for bad in ("x", token("eve", admin=True)[:-2], token("eve", admin=True, exp=1)):
                answer = await admin.get(path, status=401, headers={"Authorization": f"Bearer {bad}"})
                equal(answer.code, "auth_failed", f"with {bad}")
            answer = await admin.get(path, status=403, headers={"Authorization": f"Bearer {token('bob')}"})
            equal(answer.code, "unauthorized", "with the token of somebody else")
        alice = {"Authorization": f"Bearer {token('alice', admin=True)}"}
        for more in ({}, {"Origin": "https://elsewhere.example"}, {"Via": "1.1 a"}, {"Host": "a.example"}):
            await admin.get("/metrics", headers={**alice, **more})
        async with Native(node, f"/ws/connect?token={token('carol')}") as carol, \
                Native(node, f"/ws/connect?token={token('dave')}") as dave:
            await dave.expect(type="subscribed")  # to his own channel
            await carol.subscribe("c")
            rows = (await admin.get(f"{API}/connections?user=carol", headers=alice)).json["connections"]
            equal([row["id"] for row in rows], [carol.welcome["connection_id"]], "her connection")
            equal(rows[0]["user"], "carol", "whose it is")
            count = (await admin.get(f"{API}/users/carol/connections/count", headers=alice)).json
            equal(count, {"user": "carol", "count": 1}, "the count")
            await admin.post(f"{API}/users/carol/disconnect", headers={**alice, **JSON})
            equal(await carol.close_code(), 4010, "the close code")
            require(await dave.is_quiet(), "others stay")
        await eventually(lambda: "alice: disconnect user carol" in node.log(), "the log says who did it")
        require(SECRET not in node.log() and alice["Authorization"][7:] not in node.log(), "no token is in the log")


@case("the configuration is read again on request, as a whole or not at all, and the answer says what became of it")
async def _():
    async with node_with_admin(config="limits.subscriptions = 1\n") as node, Native(node) as client:
        admin = Admin(node)
        await client.subscribe("a")
        answer = await client.request(type="subscribe", id=1, channels=["b"])
        equal(answer.get("code"), "too_many_subscriptions", "the limit of before")
        node.write_config("limits.subscriptions = 2\nshards.spin = \"1ms\"\n"
                          "access.origins = [\"https://desk.example\"]\n")
        equal((await admin.post(f"{API}/config/reload")).json,
              {"loaded": True, "changed": ["limits.subscriptions", "access.origins"], "needs_restart": ["shards.spin"],
               "problems": []}, "the answer")
        await client.subscribe("b")
        await admin.get("/metrics", headers={"Origin": "https://desk.example"})
        node.write_config("limits.subscriptions = 0x\nlimits.nonsense = 1\n")
        said = (await admin.post(f"{API}/config/reload")).json
        equal((said["loaded"], said["changed"], len(said["problems"]) > 0), (False, [], True), "of a wrong file")
        require("config_refused" in node.log(), "the log says so as well")
        require(await client.is_quiet(), "who was there goes on")


@case("a drained node says so, sends what it owes, and ends with 0")
async def _():
    async with node_with_admin("--shutdown-deadline", "5s") as node, Native(node) as client:
        admin = Admin(node)
        await client.subscribe("c")
        equal((await admin.post(DRAIN, status=202)).json, {"draining": True}, "the answer")
        equal(await client.close_code(), 1001, "the close code")
        equal(await node.wait(), 0, "the exit status")
        require("drain" in node.log(), "the log says who wanted it")


@case("a port that is taken is a start-up error that says so; a node can do without one")
async def _():
    async with node_with_admin() as node:
        port = Admin(node).port
        status, _, err = await run_program("serve", "--name", unique_name(), "--listen", f"127.0.0.1:{free_port()}",
                                           "--admin", f"127.0.0.1:{port}")
        equal(status, 1, f"the status; it said {err}")
        require(f"admin: cannot listen on 127.0.0.1:{port}" in err, f"what it said: {err}")
    async with Node() as node:
        require("admin on" not in node.log(), "a node without an admin port says nothing of one")
    status, _, err = await run_program("serve", "--name", unique_name(), "--listen", ANY, "--admin", "0.0.0.0:0")
    require(status in (1, 2), f"a status of failure or bad usage; got {status}: {err}")
    require("reachable from other hosts" in err, f"what it said: {err}")


# ---- what is stored first ----

def durable(directory, more=""):
    return (f'[offline]\npath = "{pathlib.Path(directory) / "store.db"}"\n{more}\n'
            '[[namespace]]\nmatch = "acked.>"\nack = true\n[[namespace]]\nmatch = "user:*"\nack = true\n')


@case("what an administrator publishes to a durable channel is stored when it is answered, and survives a crash")
async def _():
    with tempfile.TemporaryDirectory(prefix="ringcast-admin-") as directory:
        async with node_with_admin(shards=2, config=durable(directory)) as node:
            admin = Admin(node)
            path = f"{API}/channels/acked.a/publish"
            async with Native(node) as reader:
                await reader.subscribe("acked.a")
                first = (await admin.post(path, {"data": 1, "message_id": "m"})).json
                equal((first["seq"], first["duplicate"]), (1, False), "the answer")
                await reader.expect(type="message", channel="acked.a", seq=1, data=1)
            again = (await admin.post(path, {"data": 1, "message_id": "m"})).json
            equal((again["epoch"], again["seq"], again["duplicate"]), (first["epoch"], 1, True), "of a duplicate")
            said = (await admin.post(f"{API}/users/ann/message", {"data": "you were away"})).json
            equal((said["channel"], said["seq"]), ("user:ann", 1), "the answer")
            named = {"channels": ["acked.a", "acked.b", "plain"], "data": 2}
            result = (await admin.post(f"{API}/broadcast", named)).json
            equal([each["seq"] for each in result["results"]], [2, 1, 1], "what became of each")
            await node.kill()
        async with node_with_admin(shards=2, config=durable(directory)) as node:
            admin = Admin(node)
            history = (await admin.get(f"{API}/channels/acked.a/history")).json
            equal([(each["seq"], each["data"]) for each in history["messages"]], [(1, 1), (2, 2)], "what was stored")
            equal(history["epoch"], first["epoch"], "the channel goes on")
            async with Native(node, "/ws/connect?user=ann") as ann:
                await ann.expect(type="subscribed")
                await ann.expect(type="message", channel="user:ann", seq=1, data="you were away", stored=True)


@case("what the store cannot keep is refused, and other channels are published to", seconds=60)
async def _():
    with tempfile.TemporaryDirectory(prefix="ringcast-admin-") as directory:
        async with node_with_admin(config=durable(directory, 'disk = "1MiB"')) as node:
            admin = Admin(node)
            path = f"{API}/channels/acked.a/publish"
            stored = 0
            while (answer := await admin.ask("POST", path, {"data": "x" * 20000})).status == 200:
                stored += 1
                require(stored < 100, "it is full at some time")
            equal((answer.status, answer.code), (503, "not_stored"), "the refusal")
            require("Retry-After" in answer.headers, "it may be tried again")
            history = (await admin.get(f"{API}/channels/acked.a")).json
            equal(history["seq"], stored, "what was refused has no seq")
            equal((await admin.post(f"{API}/channels/plain/publish", {"data": 1})).json["seq"], 1, "of other channels")
            require((await admin.counters())["admin_refused"]["not_stored"] >= 1, "it is counted")


# ---- TLS ----

def secure_node(certificates, *flags, **more):
    pair = certificates.make("localhost", "localhost", "127.0.0.1")
    return node_with_admin(*tls_flags(pair), "--tls-admin", *flags, **more)


@case("over TLS the admin port is what it is in the clear", seconds=60)
async def _():
    certificates = Certificates()
    async with secure_node(certificates, shards=2) as node:
        admin = Admin(node, trusting(certificates))
        await admin.get("/healthz")
        large = await admin.post(f"{API}/channels/c/publish", {"data": "x" * 900_000})
        equal(large.json["seq"], 1, "a large body")
        kept = (await admin.get(f"{API}/channels/c/history")).json["messages"]
        equal(len(kept[0]["data"]), 900_000, "a large answer")
        for sentence, request, status, code in REFUSALS[::4]:
            got, head, body = await asyncio.to_thread(admin.raw, request)
            equal((got, json.loads(body)["error"]["code"]), (status, code), f"the refusal of {sentence}: {head}")

        def over_one_connection():
            connection = admin.connection()
            connection.connect()
            sock = connection.sock
            equal(sock.version(), "TLSv1.3", "the version")
            for path in ("/healthz", "/nothing", "/metrics", f"{API}/channels"):
                admin.exchange(connection, "GET", path)
                require(connection.sock is sock, f"the connection stays behind {path}")
            connection.close()
        await asyncio.to_thread(over_one_connection)
        require((await admin.counters())["tls_handshakes"] >= 4, "handshakes are counted")


NOT_TLS = [
    ("plain HTTP", b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", "not_tls", b"HTTP/1.1 400"),
    ("noise", bytes(range(255, 0, -1)), "not_tls", b""),
    ("a record that is too long", b"\x16\x03\x01\xff\xff" + bytes(64), "record", b"\x15\x03"),
]


@case("what is no TLS, or too old, is refused by the admin port, counted and noted, and the next one is served")
async def _():
    certificates = Certificates()
    async with secure_node(certificates) as node:
        admin = Admin(node, trusting(certificates))

        async def failed(reason):
            return (await admin.counters())["tls_failed"][reason]

        def sent(request):
            with socket.create_connection(("127.0.0.1", admin.port), timeout=scaled(10)) as plain:
                plain.sendall(request)
                return plain.recv(1000)
        for sentence, request, reason, answer in NOT_TLS:
            before = await failed(reason)
            got = await asyncio.to_thread(sent, request)
            require(got.startswith(answer), f"the answer to {sentence} begins with {answer}; got {got[:60]}")

            async def counted():
                return await failed(reason) == before + 1
            await eventually(counted, f"tls_failed{{{reason}}} counts {sentence}")

        def old():
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            context.set_ciphers("ALL:@SECLEVEL=0")
            context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
            try:
                plain = socket.create_connection(("127.0.0.1", admin.port), timeout=scaled(5))
                with plain, context.wrap_socket(plain):
                    return False
            except ssl.SSLError:
                return True
        require(await asyncio.to_thread(old), "TLS 1.1 is refused")

        async def counts_old():
            return await failed("version") == 1
        await eventually(counts_old, "and counted")
        noted = re.compile(r"tls_failed.*admin port, 127\.0\.0\.1:\d+")
        await eventually(lambda: noted.search(node.log()), "the log says from where it came")


@case("handshakes that are not finished keep nobody from being answered", seconds=60)
async def _():
    certificates = Certificates()
    async with secure_node(certificates) as node:
        admin = Admin(node, trusting(certificates))
        idlers = [socket.create_connection(("127.0.0.1", admin.port)) for _ in range(20)]
        for sock in idlers[::2]:
            sock.sendall(b"\x16\x03\x01\x02")
        began = time.monotonic()
        await admin.get("/healthz")
        require(time.monotonic() - began < scaled(8), "they are given up for others")

        def heard():
            said = b""
            for sock in idlers:
                sock.settimeout(scaled(30))
                try:
                    said += sock.recv(1000)
                except ConnectionResetError:
                    pass
                sock.close()
            return said
        equal(await asyncio.to_thread(heard), b"", "what is said to who has not shaken hands")

        async def counted():
            return (await admin.counters())["tls_unfinished"] >= 20
        await eventually(counted, "they are counted")


@case("a reload gives the admin port the new certificates, too, and drops no connection")
async def _():
    certificates = Certificates()
    certificate, key = certificates.make("localhost", "localhost", "127.0.0.1")
    other = certificates.make("other", "localhost", "127.0.0.1", "new.example")
    async with node_with_admin(*tls_flags((certificate, key)), "--tls-admin") as node:
        admin = Admin(node, trusting(certificates))
        old = admin.connection()
        await asyncio.to_thread(admin.exchange, old, "GET", "/healthz")
        sock = old.sock
        certificate.write_bytes(other[0].read_bytes())
        key.write_bytes(other[1].read_bytes())
        equal((await admin.post(f"{API}/config/reload")).json["loaded"], True, "the certificates are taken")

        def names():
            with admin.open() as fresh:
                return [name for _, name in fresh.getpeercert()["subjectAltName"]]
        require("new.example" in await asyncio.to_thread(names), "a new connection gets the new certificate")
        await asyncio.to_thread(admin.exchange, old, "GET", "/healthz")
        require(old.sock is sock, "the old connection goes on")
        old.close()
        key.write_text("nonsense")
        said = (await admin.post(f"{API}/config/reload")).json
        equal((said["loaded"], [each.startswith("tls: ") for each in said["problems"]]), (False, [True]), "a wrong key")
        require("new.example" in await asyncio.to_thread(names), "the certificate before it stays in use")


@case("where clients must show a certificate they must show it to the admin port as well")
async def _():
    certificates = Certificates()
    alice = certificates.make("alice")
    async with secure_node(certificates, "--tls-client-ca", str(certificates.ca)) as node:
        context = trusting(certificates)
        context.load_cert_chain(*map(str, alice))
        admin = Admin(node, context)
        await admin.get("/healthz")
        try:
            await Admin(node, trusting(certificates)).ask("GET", "/healthz")
            raise AssertionError("who shows none does not get in")
        except OSError:  # by an alert, or by the end of the connection
            pass

        async def counted():
            return (await admin.counters())["tls_failed"]["certificate"] >= 1
        await eventually(counted, "it is counted")


@case("the admin port speaks TLS only where it is told to, and needs certificates for it")
async def _():
    certificates = Certificates()
    async with node_with_admin(*tls_flags(certificates.make("localhost"))) as node:
        await Admin(node).get("/healthz")  # in the clear, beside a data port that speaks TLS
    status, _, err = await run_program("serve", "--listen", ANY, "--admin", ANY, "--tls-admin")
    require(status in (1, 2), f"a status of failure or bad usage; got {status}: {err}")
    require("tls.admin: the admin port speaks TLS with the node's certificates" in err, f"what it said: {err}")


if __name__ == "__main__":
    main()
