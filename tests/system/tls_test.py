#!/usr/bin/python3
"""TLS on the data port: with python's ssl, with openssl s_client, with the tools, and with what a peer may do wrong."""
import asyncio
import json
import signal
import socket
import ssl

import websockets

from support.certificates import Certificates, tls_flags, trusting
from support.native import Native
from support.node import Node, run_program
from support.raw import handshake_text
from support.runner import case, equal, eventually, main, require, scaled, table


class SecureNode(Node):
    def url(self, path="/ws/connect"):
        return f"wss://localhost:{self.port}{path}"


async def counter(node, label):
    status, out, err = await run_program("stat", "--name", node.name, "--once", "--json")
    equal(status, 0, f"the status of stat; it said {err}")
    return json.loads(out)["counters"][label]


async def counted(node, label, reason, at_least=1):
    async def is_there():
        value = await counter(node, label)
        return (value.get(reason, 0) if isinstance(value, dict) else value) >= at_least
    await eventually(is_there, f"{label}{{{reason}}} counts it", 5)


VERSIONS = [("TLS 1.2", ssl.TLSVersion.TLSv1_2), ("TLS 1.3", ssl.TLSVersion.TLSv1_3)]


async def is_served(version):
    certificates = Certificates()
    async with SecureNode(*tls_flags(certificates.make("localhost")), shards=2) as node:
        context = trusting(certificates, minimum_version=version, maximum_version=version)
        async with Native(node, ssl=context, compression="deflate") as reader, Native(node, ssl=context) as writer:
            chosen = reader.socket.transport.get_extra_info("ssl_object")
            equal(chosen.version(), {ssl.TLSVersion.TLSv1_2: "TLSv1.2"}.get(version, "TLSv1.3"), "the version")
            require(await reader.subscribe("c"), "a subscription")
            for size in (1, 1000, 16000, 17000, 100000, 900000):
                await writer.publish("c", "x" * size)
                equal(len((await reader.receive())["data"]), size, "a message of that size")
            for i in range(500):
                await writer.send(type="publish", channel="c", data=i)
            for i in range(500):
                equal((await reader.receive())["data"], i, "the messages in order")

table("a client is served by", VERSIONS, is_served)


@case("the client's server name chooses the certificate")
async def _():
    certificates = Certificates()
    pairs = [certificates.make("first.example"),
             certificates.make("second.example", "second.example", "*.wild.example")]
    async with SecureNode(*tls_flags(*pairs)) as node:
        for asked, got in [("first.example", "first.example"), ("second.example", "second.example"),
                           ("a.wild.example", "second.example"), ("unknown.example", "first.example")]:
            context = trusting(certificates, check_hostname=False)

            def names():
                with socket.create_connection(("127.0.0.1", node.port)) as plain, \
                        context.wrap_socket(plain, server_hostname=asked) as secure:
                    return [name for _, name in secure.getpeercert()["subjectAltName"]]
            require(got in await asyncio.to_thread(names), f"who asks for {asked} gets {got}")


@case("openssl s_client verifies, resumes its session, and is given http/1.1")
async def _():
    certificates = Certificates()
    async with SecureNode(*tls_flags(certificates.make("localhost"))) as node:
        saved = certificates.path / "session"
        for first, version in [(True, "-tls1_3"), (False, "-tls1_3"), (True, "-tls1_2"), (False, "-tls1_2")]:
            process = await asyncio.create_subprocess_exec(
                "openssl", "s_client", "-connect", f"127.0.0.1:{node.port}", "-servername", "localhost", "-CAfile",
                str(certificates.ca), "-verify_return_error", "-alpn", "h2,http/1.1", version,
                "-sess_out" if first else "-sess_in", str(saved), stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT)
            process.stdin.write(b"GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await process.stdin.drain()
            out, _ = await asyncio.wait_for(process.communicate(), scaled(10))
            text = out.decode(errors="replace")
            for words in ("Verification: OK", "ALPN protocol: http/1.1", "HTTP/1.1 404", "New" if first else "Reused"):
                require(words in text, f"s_client {version} says {words!r}; it said: {text[-2500:]}")
        equal(await counter(node, "tls_resumed"), 2, "resumed handshakes")


@case("SIGHUP reads the certificates anew, and no connection is dropped")
async def _():
    certificates = Certificates()
    certificate, key = certificates.make("localhost")
    async with SecureNode(*tls_flags((certificate, key)), shards=2) as node:
        async with Native(node, ssl=trusting(certificates)) as old_one:
            await old_one.subscribe("c")
            other = certificates.make("other", "localhost", "new.example")
            certificate.write_bytes(other[0].read_bytes())
            key.write_bytes(other[1].read_bytes())
            node._process.send_signal(signal.SIGHUP)

            async def names_are_new():
                async with Native(node, ssl=trusting(certificates)) as new_one:
                    peer = new_one.socket.transport.get_extra_info("ssl_object").getpeercert()
                    return "new.example" in [name for _, name in peer["subjectAltName"]]
            await eventually(names_are_new, "new connections get the new certificate", 10)
            await old_one.publish("c", "still here")
            equal((await old_one.receive())["data"], "still here", "the old connection's message")
            # Files that are wrong change nothing.
            key.write_text("nonsense")
            node._process.send_signal(signal.SIGHUP)
            await eventually(lambda: "config_refused" in node.log(), "the log says that nothing was taken", 5)
            require("config_problem text=\"tls: " in node.log(), "the log says what is wrong with the key")
            require(await names_are_new(), "the certificate before it stays in use")


WRONG = [
    ("a plain WebSocket request", b"GET /ws HTTP/1.1\r\nHost: localhost\r\n\r\n", "not_tls", b"HTTP/1.1 400"),
    ("noise", bytes(range(255, 0, -1)), "not_tls", b""),
    ("a record that is too long", b"\x16\x03\x01\xff\xff" + bytes(64), "record", b"\x15\x03"),
]


async def is_refused(sent, reason, answer):
    certificates = Certificates()
    async with SecureNode(*tls_flags(certificates.make("localhost"))) as node:
        def exchange():
            with socket.create_connection(("127.0.0.1", node.port), timeout=5) as plain:
                plain.sendall(sent)
                return plain.recv(4096)
        got = await asyncio.to_thread(exchange)
        require(got.startswith(answer), f"the answer begins with {answer}; got {got[:60]}")
        await counted(node, "tls_failed", reason)
        async with Native(node, ssl=trusting(certificates)):  # and the next one is served
            pass

table("a connection is refused and counted for", WRONG, is_refused)


@case("a record that the connection's end cuts short is counted, one that is whole is taken")
async def _():
    certificates = Certificates()
    async with SecureNode(*tls_flags(certificates.make("localhost"))) as node:
        def request(how_much):
            context = trusting(certificates)
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            secure = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
            with socket.create_connection(("127.0.0.1", node.port), timeout=5) as plain:
                while True:
                    try:
                        secure.do_handshake()
                        break
                    except ssl.SSLWantReadError:
                        plain.sendall(outgoing.read())
                        incoming.write(plain.recv(1 << 16))
                plain.sendall(outgoing.read())
                secure.write(b"GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n")
                record = outgoing.read()
                plain.sendall(record[:int(len(record) * how_much)])
                plain.shutdown(socket.SHUT_WR)
                got = b""
                try:
                    while data := plain.recv(1 << 16):
                        incoming.write(data)
                        try:
                            got += secure.read(1 << 16)
                        except (ssl.SSLWantReadError, ssl.SSLZeroReturnError):
                            pass
                except ConnectionResetError:
                    pass
                return got
        require((await asyncio.to_thread(request, 1)).startswith(b"HTTP/1.1 404"), "a whole request is answered")
        equal(await counter(node, "tls_handshakes"), 1, "handshakes")
        equal(await asyncio.to_thread(request, 0.5), b"", "the answer to half a record")
        await counted(node, "tls_failed", "truncated")


@case("renegotiation is refused and counted")
async def _():
    certificates = Certificates()
    async with SecureNode(*tls_flags(certificates.make("localhost"))) as node:
        process = await asyncio.create_subprocess_exec(
            "openssl", "s_client", "-connect", f"127.0.0.1:{node.port}", "-tls1_2", stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL)
        try:
            async def is_open():
                return await counter(node, "tls_handshakes") == 1
            await eventually(is_open, "s_client's handshake is done", 10)
            process.stdin.write(b"R\n")
            await process.stdin.drain()
            await counted(node, "tls_failed", "renegotiation")
            await asyncio.wait_for(process.wait(), scaled(10))
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


@case("old versions and weak ciphers are refused")
async def _():
    certificates = Certificates()
    async with SecureNode(*tls_flags(certificates.make("localhost"))) as node:
        def fails(prepare):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            prepare(context)
            try:
                with socket.create_connection(("127.0.0.1", node.port), timeout=5) as plain, context.wrap_socket(plain):
                    return False
            except ssl.SSLError:
                return True

        def old(context):
            context.set_ciphers("ALL:@SECLEVEL=0")
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1_1

        def weak(context):
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            context.set_ciphers("AES128-SHA")
        for prepare, reason in [(old, "version"), (weak, "parameters")]:
            require(await asyncio.to_thread(fails, prepare), f"{prepare.__name__} is refused")
            await counted(node, "tls_failed", reason)


@case("where clients must show a certificate, only the right one lets them in")
async def _():
    certificates = Certificates()
    certificates.stranger()
    right, wrong = certificates.make("alice"), certificates.make("mallory", ca="stranger")
    flags = tls_flags(certificates.make("localhost"), client_ca=certificates.ca)
    async with SecureNode(*flags) as node:
        for pair, good in [(right, True), (wrong, False), (None, False)]:
            context = trusting(certificates)
            if pair is not None:
                context.load_cert_chain(*map(str, pair))
            try:
                async with Native(node, ssl=context):
                    require(good, f"{pair} does not get in")
            except (OSError, EOFError, websockets.exceptions.WebSocketException) as error:
                require(not good, f"{pair} gets in; {error!r}")
        await counted(node, "tls_failed", "certificate", 2)


@case("who does not finish the handshake is cut off, and counted")
async def _():
    certificates = Certificates()
    async with SecureNode(*tls_flags(certificates.make("localhost")), "--limits-handshake-time", "300ms") as node:
        def silence(first):
            with socket.create_connection(("127.0.0.1", node.port), timeout=scaled(5)) as plain:
                plain.sendall(first)
                try:
                    return plain.recv(100)
                except ConnectionResetError:
                    return b""
        for first in (b"", b"\x16\x03\x01", b"\x16\x03\x01\x02\x00\x01\x00"):
            equal(await asyncio.to_thread(silence, first), b"", "nothing is said in the clear")
        equal(await counter(node, "tls_unfinished"), 3, "handshakes that were not finished")


@case("a proxy that passes TLS through says for whom in front of it; nobody else is believed")
async def _():
    certificates = Certificates()
    flags = ["--limits-connections-per-address", "1", "--access-trusted-proxies", "127.0.0.2"]
    async with SecureNode(*tls_flags(certificates.make("localhost")), *flags) as node:
        def ask(before, source="127.0.0.2"):
            plain = socket.create_connection(("127.0.0.1", node.port), timeout=scaled(5), source_address=(source, 0))
            plain.sendall(before)
            secure = trusting(certificates).wrap_socket(plain, server_hostname="localhost")
            secure.sendall(handshake_text("/ws"))
            return int(secure.recv(100).split(b" ")[1]), secure

        def ask_all():
            kept = [ask(b"PROXY TCP4 192.0.2.1 127.0.0.1 1 2\r\n"), ask(b"PROXY TCP4 192.0.2.1 127.0.0.1 1 2\r\n"),
                    ask(b"PROXY TCP4 192.0.2.2 127.0.0.1 1 2\r\n"),
                    ask(b"PROXY TCP4 192.0.2.3 127.0.0.1 1 2\r\n", "127.0.0.3")]
            for _, sock in kept:
                sock.close()
            return [status for status, _ in kept]
        equal(await asyncio.to_thread(ask_all), [101, 429, 101, 400], "statuses")
        await counted(node, "proxy_headers", "accepted", 3)
        await counted(node, "proxy_headers", "untrusted")


@case("handshakes beyond tls.handshakes_max wait, and all are served")
async def _():
    certificates = Certificates()
    flags = tls_flags(certificates.make("localhost"), handshakes_max=2)
    async with SecureNode(*flags) as node:
        context = trusting(certificates)
        clients = [Native(node, ssl=context) for _ in range(30)]
        await asyncio.gather(*(client.__aenter__() for client in clients))
        equal(await counter(node, "tls_handshakes"), 30, "handshakes")
        await asyncio.gather(*(client.__aexit__() for client in clients))


@case("plain: keeps an address in the clear beside one that speaks TLS")
async def _():
    certificates = Certificates()
    async with SecureNode(*tls_flags(certificates.make("localhost"))) as probe:
        port = probe.port
    plain_port = port + 1 if port < 31999 else port - 1
    flags = tls_flags(certificates.make("again", "localhost"))
    async with SecureNode(*flags, "--listen", f"plain:127.0.0.1:{plain_port}", port=port) as node:
        plain = Node(port=plain_port)
        async with Native(node, ssl=trusting(certificates)) as reader, Native(plain) as writer:
            await reader.subscribe("c")
            await writer.publish("c", 1)
            equal((await reader.receive())["data"], 1, "the message")


TOOLS_TRUST = [("--ca", "--ca", True), ("--insecure", "--insecure", True), ("nothing", "nothing", False)]


async def tool_connects(how, good):
    certificates = Certificates()
    async with SecureNode(*tls_flags(certificates.make("localhost", "localhost", "127.0.0.1"))) as node:
        trust = {"--ca": ["--ca", certificates.ca], "--insecure": ["--insecure"], "nothing": []}[how]
        for url in (f"wss://localhost:{node.port}", f"wss://127.0.0.1:{node.port}"):
            status, _, err = await run_program("pub", "--url", url, *trust, "orders", "17")
            equal(status == 0, good, f"whether pub publishes with {how}; it said {err}")
            require(good or "certificate verify failed" in err, f"it says why not; it said {err}")

table("ringcast pub over wss with", TOOLS_TRUST, tool_connects)


@case("ringcast sub and pub speak wss, sub with compression, too")
async def _():
    certificates = Certificates()
    async with SecureNode(*tls_flags(certificates.make("localhost"))) as node:
        url, trust = f"wss://localhost:{node.port}", ["--ca", certificates.ca]
        async with Native(node, ssl=trusting(certificates)) as watcher:
            readers = [asyncio.create_task(run_program("sub", "--url", url, *trust, *more, "--count", 2, "orders"))
                       for more in ([], ["--compress"])]

            async def both_read():
                return await counter(node, "subscriptions") == 2
            await eventually(both_read, "both subscribe", 10)
            for payload in ("1", json.dumps("y" * 50000)):
                equal((await run_program("pub", "--url", url, *trust, "orders", payload))[0], 0, "the status of pub")
            for reader in readers:
                status, out, err = await reader
                equal(status, 0, f"the status of sub; it said {err}")
                require("y" * 50000 in out, "the large message is printed")
            require(await watcher.is_quiet(), "nobody else is told")
        require(await counter(node, "messages_deflated") >= 1, "the compressed reader's message was packed")


@case("ringcast load loses nothing over wss, slow readers and churn included", seconds=90)
async def _():
    certificates = Certificates()
    async with SecureNode(*tls_flags(certificates.make("localhost")), shards=2) as node:
        for more in ([], ["--compress", "--payload", "3000"], ["--slow", "10", "--churn", "5"]):
            status, out, err = await run_program(
                "load", "--url", f"ws://localhost:{node.port}", "--tls", "--ca", certificates.ca, "--connections", 40,
                "--channels", 4, "--rate", 400, "--duration", 3, *more, seconds=60)
            equal(status, 0, f"the status of load {more}; it said {out} {err}")


WRONG_FILES = [
    ("a certificate that is not there", lambda c, pair: tls_flags(("/nowhere.pem", pair[1])), "/nowhere.pem"),
    ("a key of another certificate", lambda c, pair: tls_flags((pair[0], c.make("other")[1])), "does not belong"),
    ("fewer keys than certificates", lambda c, pair: ["--tls-certificate", str(pair[0])], "need as many keys"),
    ("an authority without certificates", lambda c, pair: ["--tls-client-ca", str(c.ca)], "tls.certificate"),
]


async def is_no_start(flags, words):
    certificates = Certificates()
    pair = certificates.make("localhost")
    status, _, err = await run_program("serve", "--listen", "127.0.0.1:0", *flags(certificates, pair))
    require(status in (1, 2), f"the node does not start; its status is {status}")
    require(words in err, f"it says {words!r}; it said {err}")

table("a node does not start with", WRONG_FILES, is_no_start)

if __name__ == "__main__":
    main()
