#!/usr/bin/python3
"""A browser that nobody here wrote: pages that connect, subscribe and receive the real feed, and pages that may not.

A page comes from a small server of its own on 127.0.0.1, as a desk's page comes from the desk's server: for the node
it has a foreign origin, which is on its list or is not. The cases over TLS and with tokens are skipped by a version
that has neither.
"""
import asyncio
import base64
import functools
import gzip
import hashlib
import http.server
import json
import pathlib
import subprocess
import sys
import tempfile
import threading

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "system")]

from browser import Browser, program  # noqa: E402
from support.native import Native  # noqa: E402
from support.node import Node, run_program  # noqa: E402
from support.runner import Skip, case, equal, main, require, table  # noqa: E402

CAPTURE = HERE.parent / "data" / "btcusdt-spot.gz"
TRADES, BOOK = "btcusdt@trade", "btcusdt@depth@100ms"
CASE_SECONDS = 120
# A browser on a busy machine may be slower than a replay at full speed: its lag is not what these cases are about.
PATIENT = """
compression.threshold = "100B"
[[namespace]]
match = ">"
lag = { messages = 1000000, bytes = "512MiB", time = "10m" }
history = { messages = 10, bytes = "1MiB", age = "1m" }
"""
JSON_DIALECT, BINARY_DIALECT = "ringcast.v1.json", "ringcast.v1.bin"
RECORD_HEADER_BYTES = 32  # docs/binary.md


class PageServer:
    """Serves the page on a port of its own, and so under an origin of its own."""

    def __init__(self):
        class Quiet(http.server.SimpleHTTPRequestHandler):
            def log_message(self, *_):
                pass
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0),
                                                       functools.partial(Quiet, directory=str(HERE)))
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def origin(self):
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def page(self):
        return f"{self.origin}/page.html"

    def __enter__(self):
        program()  # or the case is skipped
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


async def counters(node):
    status, out, err = await run_program("stat", "--name", node.name, "--once", "--json")
    equal((status, err), (0, ""), "status and diagnostics of stat")
    return json.loads(out)["counters"]


def captured(stream):
    """The payloads of a stream, as the exchange sent them."""
    marker = f'{{"stream":"{stream}","data":'
    with gzip.open(CAPTURE, "rt", encoding="utf-8") as lines:
        for line in lines:
            envelope = line.split(" ", 1)[1].rstrip("\n")
            if envelope.startswith(marker):
                yield envelope[len(marker):-1]


async def replay(url, *more):
    status, out, err = await run_program("replay", str(CAPTURE), "--url", url, "--speed", "max", *more, seconds=60)
    equal(status, 0, f"the status of replay; it said {out}{err}")


async def opened(page, url, protocols=()):
    answer = await page.call("connect", url, list(protocols))
    require(answer["open"], f"the page connects to {url}: {answer}")
    return answer


async def asked(page, **command):
    """The answer to a command, which is the next message."""
    await page.call("send", json.dumps(command))
    answers = await page.call("take", 1, 10_000)
    require(len(answers) == 1, f"{command} is answered; the end: {await page.call('close_event', 0)}")
    return json.loads(answers[0])


async def greeted(page):
    """Takes the welcome, and for a user what it was joined to: its own channel."""
    welcome = json.loads((await page.call("take", 1, 10_000))[0])
    equal(welcome["type"], "welcome", "the first message")
    if welcome.get("auth") == "ok":
        own = json.loads((await page.call("take", 1, 10_000))[0])
        require(own["channels"][0]["channel"].startswith("user:"), f"its own channel: {own}")
    return welcome


async def receives_the_feed(node, page, url, publish_url, protocols, *publish_flags):
    """The page reads every trade and every change of the book, byte for byte as the exchange sent it."""
    answer = await opened(page, url, protocols)
    require("permessage-deflate" in answer["extensions"], f"compression is agreed: {answer}")
    equal(answer["protocol"], JSON_DIALECT, "the subprotocol")
    await greeted(page)
    granted = await asked(page, type="subscribe", id=1, channels=[TRADES, BOOK])
    equal([entry["channel"] for entry in granted.get("channels", [])], [TRADES, BOOK], f"subscribed: {granted}")
    await replay(publish_url, *publish_flags)
    wanted = {stream: list(captured(stream)) for stream in (TRADES, BOOK)}
    count = sum(len(payloads) for payloads in wanted.values())
    texts = await page.call("take", count, 60_000, seconds=90)
    equal(len(texts), count, f"messages; the end: {await page.call('close_event', 0)}")
    place = {stream: 0 for stream in wanted}
    for text in texts:
        message = json.loads(text)
        stream = message["channel"]
        require(text.endswith('"data":' + wanted[stream][place[stream]] + "}"), f"the next of {stream}: {text[:300]}")
        place[stream] += 1
        equal(message["seq"], place[stream], f"the seq of {stream}")
    counted = await counters(node)
    equal(counted["connections_compressed"], 1, "connections that compress")
    require(counted["messages_deflated"] > 1_000, f"messages were compressed; {counted['messages_deflated']} were")
    require(counted["messages_inflated"] >= 1, "what the page says is compressed as well")


# ---- without TLS and tokens ----------------------------------------------------------------------------------------

def listed(server):
    return f'access.origins = ["{server.origin}"]\n{PATIENT}'


@case("a page on the list connects with compression, subscribes, and receives the real feed", CASE_SECONDS)
async def _():
    with PageServer() as server:
        async with Node(shards=2, config=listed(server)) as node, Browser() as browser:
            page = await browser.open(server.page)
            await receives_the_feed(node, page, node.url(), node.url(), [JSON_DIALECT])


@case("a page speaks the exchange's dialect as it does to the exchange", CASE_SECONDS)
async def _():
    with PageServer() as server:
        async with Node(shards=2, config=listed(server)) as node, Browser() as browser:
            page = await browser.open(server.page)
            await opened(page, node.url(f"/stream?streams={TRADES}"))
            await replay(node.url())
            wanted = [f'{{"stream":"{TRADES}","data":{payload}}}' for payload in captured(TRADES)]
            texts = await page.call("take", len(wanted), 60_000, seconds=90)
            require(texts == wanted, f"every trade, byte for byte; {len(texts)} of {len(wanted)} came")


@case("a page publishes, also what is large, and is told so", CASE_SECONDS)
async def _():
    with PageServer() as server:
        async with Node(shards=2, config=listed(server)) as node, Browser() as browser, Native(node) as reader:
            await reader.subscribe("orders")
            page = await browser.open(server.page)
            await opened(page, node.url(), [JSON_DIALECT])
            await page.call("take", 1, 10_000)
            for number, data in enumerate(({"order": 17}, {"note": "x" * 200_000}), 1):
                answer = await asked(page, type="publish", id=number, channel="orders", data=data)
                equal((answer["type"], answer["seq"]), ("published", number), f"the answer {answer}")
                equal((await reader.receive())["data"], data, "what a subscriber gets")
            require((await counters(node))["messages_inflated"] >= 1, "what the page says is compressed")


@case("a page reads records of the binary dialect", CASE_SECONDS)
async def _():
    with PageServer() as server:
        async with Node(config=listed(server)) as node, Browser() as browser, Native(node) as publisher:
            page = await browser.open(server.page)
            equal((await opened(page, node.url(), [BINARY_DIALECT]))["protocol"], BINARY_DIALECT, "the subprotocol")
            equal(json.loads((await page.call("take", 1, 10_000))[0])["type"], "welcome", "the first message")
            await asked(page, type="subscribe", id=1, channels=["a"])
            await publisher.publish("a", {"n": 1})
            records = await page.call("take", 1, 10_000)
            require(records and isinstance(records[0], list), f"a record of bytes: {records}")
            equal(bytes(records[0])[RECORD_HEADER_BYTES:RECORD_HEADER_BYTES + 7], b'{"n":1}', "its payload")


@case("a browser answers heartbeats, and is told when the node ends", CASE_SECONDS)
async def _():
    with PageServer() as server:
        config = listed(server).replace("[[namespace]]", "heartbeat.interval = \"200ms\"\n[[namespace]]", 1)
        async with Node(config=config) as node, Browser() as browser:
            page = await browser.open(server.page)
            await opened(page, node.url(), [JSON_DIALECT])
            await asyncio.sleep(2)
            counted = await counters(node)
            require(counted["pongs_received"] >= 5, f"pongs; {counted['pongs_received']} came")
            equal(counted["heartbeat_timeouts"], 0, "connections that were given up")
            await node.stop()
            end = await page.call("close_event", 10_000)
            equal((end["code"], end["clean"]), (1001, True), f"the end that the page sees: {end}")


REFUSED_PAGES = [
    # sentence, configuration by the page's server and another one, the reason under which it is counted
    ("nobody's page on the list", lambda server, other: PATIENT, "origin"),
    ("only another page on the list", lambda server, other: listed(other), "origin"),
    ("its host on the list, without the port",
     lambda server, other: 'access.origins = ["http://127.0.0.1"]\n' + PATIENT, "origin"),
    ("its own origin on the list, with another scheme",
     lambda server, other: f'access.origins = ["{server.origin.replace("http", "https", 1)}"]\n' + PATIENT, "origin"),
]


async def is_refused(config, reason):
    with PageServer() as server, PageServer() as other:
        async with Node(config=config(server, other)) as node, Browser() as browser:
            page = await browser.open(server.page)
            answer = await page.call("connect", node.url(), [])  # the browser tells a page only that it failed
            equal((answer["open"], answer.get("code")), (False, 1006), f"the page is refused: {answer}")
            counted = await counters(node)
            equal(counted["messages_received"], 0, "messages that it could send")
            equal(counted["connections_refused"][reason], 1, f"refusals counted under {reason}")
            equal(counted["handshakes_failed"]["403"], 1, "handshakes answered 403")

table("a page is refused with", REFUSED_PAGES, is_refused, CASE_SECONDS)


@case("a page that is taken off the list by a reload stays, and cannot come back", CASE_SECONDS)
async def _():
    with PageServer() as server:
        async with Node(config=listed(server)) as node, Browser() as browser:
            page = await browser.open(server.page)
            await opened(page, node.url(), [JSON_DIALECT])
            await page.call("take", 1, 10_000)
            outcome, said = await node.reload(PATIENT)
            equal(outcome, "config_reloaded", f"the outcome of the reload: {said}")
            equal((await asked(page, type="ping", id=7))["type"], "pong", "the answer to who is there")
            answer = await page.call("connect", node.url(), [JSON_DIALECT])
            equal(answer["open"], False, "whether it comes back")


# ---- with TLS and tokens -------------------------------------------------------------------------------------------

SECRET = "0123456789abcdef0123456789abcdef"


class Secured:
    """A node with a key for tokens and a certificate of its own, and what a browser needs to trust the certificate.
    What this version has not it does without, unless the case is about TLS."""

    def __init__(self, server, needs_tls=False):
        self._server = server
        self._needs_tls = needs_tls
        self.tls = False
        self._directory = tempfile.TemporaryDirectory(prefix="ringcast-web-")
        self._path = pathlib.Path(self._directory.name)
        self.key = self._path / "token.key"
        self.certificate = self._path / "tls.pem"
        self._private = self._path / "tls.key"
        self.node = None

    async def __aenter__(self):
        self.key.write_text(SECRET + "\n")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout",
                        str(self._private), "-out", str(self.certificate)], check=True, capture_output=True)
        tokens = f'auth.key_file = "{self.key}"\n'
        tls = f'tls = {{ certificate = "{self.certificate}", key = "{self._private}" }}\n'
        if not await self._supports(tokens):
            raise Skip("this version has no tokens")
        self.tls = await self._supports(tls)
        if self._needs_tls and not self.tls:
            raise Skip("this version has no TLS")
        self.node = Node(shards=2, config=(tls if self.tls else "") + tokens + listed(self._server))
        await self.node.__aenter__()
        return self

    async def _supports(self, config):
        file = self._path / "probe.toml"
        file.write_text(config)
        _, _, err = await run_program("config", "check", file)
        return "not supported in this version" not in err

    async def __aexit__(self, *what):
        try:
            return await self.node.__aexit__(*what)
        finally:
            self._directory.cleanup()

    def url(self, path="/ws/connect"):
        return f"{'wss' if self.tls else 'ws'}://127.0.0.1:{self.node.port}{path}"

    def trust(self):
        """The flag with which a browser takes this certificate, and no other that no authority signed."""
        public = subprocess.run(["openssl", "x509", "-in", str(self.certificate), "-pubkey", "-noout"], check=True,
                                capture_output=True).stdout
        der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "der"], input=public, check=True,
                             capture_output=True).stdout
        pin = base64.b64encode(hashlib.sha256(der).digest()).decode()
        return f"--ignore-certificate-errors-spki-list={pin}"

    async def token(self, *arguments, ttl="10m"):
        status, out, err = await run_program("token", "--key", self.key, "--ttl", ttl, *arguments)
        equal((status, err), (0, ""), "status and diagnostics of token")
        return out.strip()


@case("over TLS, with a token, a page receives the real feed", CASE_SECONDS)
async def _():
    with PageServer() as server:
        async with Secured(server, needs_tls=True) as secured, Browser(secured.trust()) as browser:
            page = await browser.open(server.page)
            reads = await secured.token("--sub", "desk", "--subscribe", "btcusdt@>")
            writes = await secured.token("--sub", "feed", "--publish", ">")
            await receives_the_feed(secured.node, page, secured.url(), secured.url(),
                                    [JSON_DIALECT, f"bearer.{reads}"], "--ca", str(secured.certificate), "--token",
                                    writes)
            require(reads not in secured.node.log(), "the token is not in the log")


@case("a page is refused what its token does not allow, and stays for the rest", CASE_SECONDS)
async def _():
    with PageServer() as server:
        async with Secured(server) as secured, Browser(secured.trust()) as browser:
            page = await browser.open(server.page)
            token = await secured.token("--sub", "desk", "--subscribe", TRADES)
            await opened(page, secured.url(), [JSON_DIALECT, f"bearer.{token}"])
            equal((await greeted(page))["auth"], "ok", "what it is told of its token")
            refused = await asked(page, type="subscribe", id=1, channels=[BOOK])
            equal((refused["type"], refused["code"]), ("error", "unauthorized"), f"the answer {refused}")
            refused = await asked(page, type="publish", id=2, channel=TRADES, data=1)
            equal((refused["type"], refused["code"]), ("error", "unauthorized"), f"the answer {refused}")
            equal((await asked(page, type="subscribe", id=3, channels=[TRADES]))["type"], "subscribed", "the answer")


async def token_is_refused(make):
    with PageServer() as server:
        async with Secured(server) as secured, Browser(secured.trust()) as browser:
            page = await browser.open(server.page)
            token = await make(secured)
            answer = await page.call("connect", secured.url(), [JSON_DIALECT, f"bearer.{token}"])
            equal((answer["open"], answer.get("code")), (False, 1006), f"the page is refused: {answer}")


async def forged(secured):
    head, claims, signature = (await secured.token("--sub", "desk", "--subscribe", ">")).split(".")
    return f"{head}.{claims}.{signature[::-1]}"


async def unsigned(secured):
    _, claims, _ = (await secured.token("--sub", "desk", "--subscribe", ">")).split(".")
    return base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode() + f".{claims}."


async def garbled(_):
    return "abc"

table("a page is refused with", [
    ("a token with another signature", forged),
    ("a token without a signature", unsigned),
    ("something that is no token", garbled),
], token_is_refused, CASE_SECONDS)


@case("a browser refuses a certificate that it does not trust", CASE_SECONDS)
async def _():
    with PageServer() as server:
        async with Secured(server, needs_tls=True) as secured, Browser() as browser:
            page = await browser.open(server.page)
            answer = await page.call("connect", secured.url(), [])
            equal((answer["open"], answer.get("code")), (False, 1006), f"the browser refuses: {answer}")


@case("a page that expects no TLS is not understood by a node that speaks it", CASE_SECONDS)
async def _():
    with PageServer() as server:
        async with Secured(server, needs_tls=True) as secured, Browser(secured.trust()) as browser:
            page = await browser.open(server.page)
            answer = await page.call("connect", secured.node.url(), [])
            equal((answer["open"], answer.get("code")), (False, 1006), f"the page is refused: {answer}")


if __name__ == "__main__":
    main()
