"""4: the opening handshake, and HTTP/1.1 as far as it matters for it. The numbers begin with H."""
import base64
import os
import socket
import time

from cases import raw_case, add
from peer import BINARY, CLOSE, PING, PONG, TEXT, Failure, Peer, accept_of, check_upgraded, close_payload, frame

SAMPLE_KEY = b"dGhlIHNhbXBsZSBub25jZQ=="


def works(peer, text=b"works"):
    peer.send_frame(TEXT, text)
    peer.expect(TEXT, text)
    peer.close_normally()


@raw_case("H.1.1", "the example of the standard is answered with the standard's accept key", "1.3")
def _(peer):
    peer.send(peer.request())
    response = peer.read_response()
    check_upgraded(response, SAMPLE_KEY)
    if response.one("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=":
        raise Failure("the accept key differs from the standard's")
    if response.all("Sec-WebSocket-Protocol"):
        raise Failure("a subprotocol was chosen though none was offered")
    works(peer)


def accepted(number, sentence, changes=(), section="4.2.1", **how):
    def run(target):
        with Peer(target) as peer:
            line = how.get("line")
            peer.send(peer.request(changes, line=line(target) if line else None))
            check_upgraded(peer.read_response(), SAMPLE_KEY)
            works(peer)
    add(number, sentence, section, run)


accepted("H.1.2", "Upgrade in capitals", [("Upgrade", "WEBSOCKET")])
accepted("H.1.3", "Connection in lower case", [("Connection", "upgrade")])
accepted("H.1.4", "Connection among others", [("Connection", "keep-alive, Upgrade")])
accepted("H.1.5", "Connection in two fields", [("Connection", ["keep-alive", "Upgrade"])])
accepted("H.1.6", "Connection in a list with empty elements", [("Connection", ", Upgrade ,,")])
accepted("H.1.7", "Upgrade among others", [("Upgrade", "h2c, websocket")])
accepted("H.1.8", "field names in lower case", [("Upgrade", None), ("upgrade", "websocket"), ("Connection", None),
                                                ("connection", "Upgrade"), ("Sec-WebSocket-Key", None),
                                                ("sec-websocket-key", SAMPLE_KEY.decode()),
                                                ("Sec-WebSocket-Version", None), ("sec-websocket-version", "13")])
accepted("H.1.9", "field names in capitals", [("Sec-WebSocket-Key", None), ("SEC-WEBSOCKET-KEY", SAMPLE_KEY.decode()),
                                              ("Upgrade", None), ("UPGRADE", "websocket")])
accepted("H.1.10", "spaces and tabs around values", [("Upgrade", "  websocket\t "), ("Sec-WebSocket-Version", "\t13 ")])
accepted("H.1.11", "fields that nobody knows",
    [("X-Unknown", "a, b; c=\"d\""), ("Cookie", "a=b"), ("User-Agent", "suite")])
accepted("H.1.12", "an empty field", [("X-Empty", "")])
accepted("H.1.13", "a query behind the path", line=lambda target: f"GET {target.path}?token=a%20b&x=1 HTTP/1.1",
    section="3")
accepted("H.1.14", "an absolute target", line=lambda target: f"GET http://{target.authority()}{target.path} HTTP/1.1",
         section="RFC 9112 3.2.2")
accepted("H.1.15", "bytes above ASCII in a value", [("X-Name", "caf\xe9")], section="RFC 9110 5.5")
accepted("H.1.17", "offers of extensions that nobody knows, with quoted parameters, are declined by not answering them",
    [("Sec-WebSocket-Extensions", "foo;a=\"b\", bar;c=d, baz")], section="9.1")
accepted("H.1.18", "an unknown extension is ignored", [("Sec-WebSocket-Extensions", "x-unknown-extension")],
    section="9.1")
accepted("H.1.19", "as many fields as are allowed", [(f"X-{i}", "1") for i in range(95)], section="protocol.md 1")
accepted("H.1.20", "a head of nearly the largest size", [("X-Large", "x" * 15500)], section="protocol.md 1")


@raw_case("H.1.21", "an unoffered subprotocol is never chosen", "4.2.2")
def _(peer):
    response = peer.upgrade([("Sec-WebSocket-Protocol", "no-such-protocol, another-one")])
    if [name for name in response.all("Sec-WebSocket-Protocol") if name not in ("no-such-protocol", "another-one")]:
        raise Failure("the server chose a subprotocol that was not offered")
    works(peer)


@raw_case("H.1.22", "a subprotocol that the server knows is chosen, exactly as offered", "4.2.2", ringcast_only=True)
def _(peer):
    response = peer.upgrade([("Sec-WebSocket-Protocol", "chat, ringcast.v1.json")], path="/ws")
    if response.all("Sec-WebSocket-Protocol") != ["ringcast.v1.json"]:
        raise Failure(f"Sec-WebSocket-Protocol is {response.all('Sec-WebSocket-Protocol')}")


# -- how the bytes arrive --

@raw_case("H.2.1", "a handshake sent byte by byte is accepted", "4.2.1")
def _(peer):
    peer.send_chopped(peer.request(), 1, pause=0.001)
    check_upgraded(peer.read_response(), SAMPLE_KEY)
    works(peer)


def split_handshakes(target):
    with Peer(target) as peer:
        size = len(peer.request())
    for cut in list(range(1, size, 9)) + [size - 3, size - 2, size - 1]:
        with Peer(target) as peer:
            data = peer.request()
            peer.send(data[:cut])
            time.sleep(0.002)
            peer.send(data[cut:])
            check_upgraded(peer.read_response(), SAMPLE_KEY)


add("H.2.2", "a handshake in two pieces is accepted, wherever it is cut", "4.2.1", split_handshakes)


def pipelined(number, sentence, behind, answers):
    @raw_case(number, sentence, "4.1")
    def _(peer):
        peer.send(peer.request() + behind)
        check_upgraded(peer.read_response(), SAMPLE_KEY)
        for opcode, payload in answers:
            peer.expect(opcode, payload)
        peer.close_normally()


pipelined("H.2.3", "a message right behind the handshake comes back", frame(TEXT, b"eager"), [(TEXT, b"eager")])
pipelined("H.2.4", "many messages right behind the handshake come back", frame(TEXT, b"eager") * 200,
    [(TEXT, b"eager")] * 200)
pipelined("H.2.5", "a ping and a fragmented message right behind the handshake come back",
          frame(PING, b"p") + frame(TEXT, b"a", fin=False) + frame(0, b"b"), [(PONG, b"p"), (TEXT, b"ab")])
pipelined("H.2.6", "200,000 bytes right behind the handshake come back", frame(BINARY, b"x" * 200000),
    [(BINARY, b"x" * 200000)])


@raw_case("H.2.7", "half a message behind the handshake, the rest later", "4.1")
def _(peer):
    data = frame(TEXT, b"in two halves")
    peer.send(peer.request() + data[:9])
    check_upgraded(peer.read_response(), SAMPLE_KEY)
    peer.expect_silence()
    peer.send(data[9:])
    peer.expect(TEXT, b"in two halves")
    peer.close_normally()


@raw_case("H.2.8", "a close right behind the handshake is answered", "4.1")
def _(peer):
    peer.send(peer.request() + frame(CLOSE, close_payload(1000)))
    check_upgraded(peer.read_response(), SAMPLE_KEY)
    peer.expect_failed(1000)


@raw_case("H.2.9", "a broken frame right behind the handshake fails it after the 101", "4.1")
def _(peer):
    peer.send(peer.request() + b"\xff\xff")
    check_upgraded(peer.read_response(), SAMPLE_KEY)
    peer.expect_failed(1002)


@raw_case("H.2.10", "handshake, message and close, byte by byte", "4.1")
def _(peer):
    peer.send_chopped(peer.request() + frame(TEXT, b"slow") + frame(CLOSE, close_payload(1000)), 1)
    check_upgraded(peer.read_response(), SAMPLE_KEY)
    peer.expect(TEXT, b"slow")
    peer.expect_failed(1000)


# -- refusals --

def expect_refused(peer, statuses):
    response = peer.read_response()
    if response.status not in statuses:
        raise Failure(f"answered {response.status}; {' or '.join(map(str, statuses))} was expected")
    if response.status == 426 and "13" not in response.tokens("Sec-WebSocket-Version"):
        raise Failure("426 does not say Sec-WebSocket-Version: 13")
    if response.status == 405 and not response.all("Allow"):
        raise Failure("405 does not say what is allowed")
    if "close" not in response.tokens("Connection") and not response.all("Content-Length"):
        raise Failure("the refusal has neither Connection: close nor Content-Length")
    deadline = time.monotonic() + 10
    try:
        while peer.fill(deadline):
            pass
    except TimeoutError:
        if "close" in response.tokens("Connection"):
            raise Failure("the refusal says close, and the connection stays open") from None
    lengths = response.all("Content-Length")
    if lengths and int(lengths[0]) != len(peer.buffer) and peer.ended:
        raise Failure(f"Content-Length is {lengths[0]}, the body has {len(peer.buffer)} bytes")


def refused(number, sentence, *statuses, changes=(), section="4.2.1", line=None, raw=None, ringcast_only=False):
    def run(target):
        with Peer(target) as peer:
            data = raw(target) if raw else peer.request(changes, line=line and line(target))
            peer.send(data + frame(TEXT, b"this must not come back"))
            expect_refused(peer, statuses)
    add(number, sentence, section, run, ringcast_only)


refused("H.3.1", "no Host", 400, changes=[("Host", None)])
refused("H.3.2", "no Upgrade", 400, 426, changes=[("Upgrade", None)])
refused("H.3.3", "no Connection", 400, 426, changes=[("Connection", None)])
refused("H.3.4", "no key", 400, changes=[("Sec-WebSocket-Key", None)])
refused("H.3.5", "no version", 400, 426, changes=[("Sec-WebSocket-Version", None)])
refused("H.3.6", "another Upgrade", 400, 426, changes=[("Upgrade", "h2c")])
refused("H.3.7", "an Upgrade that only begins like it", 400, 426, changes=[("Upgrade", "websockets")])
refused("H.3.8", "a Connection that does not list upgrade", 400, 426, changes=[("Connection", "keep-alive")])
refused("H.3.9", "a Connection that only contains the word", 400, 426, changes=[("Connection", "no-upgrade")])
refused("H.3.10", "a plain request", 400, 426,
    raw=lambda t: f"GET {t.path} HTTP/1.1\r\nHost: {t.authority()}\r\nConnection: close\r\n\r\n".encode())
for i, version in enumerate(("0", "7", "8", "12", "14", "25", "255", "130", "-13", "x", "13, 8")):
    refused(f"H.4.{i + 1}", f"version {version}", 426, changes=[("Sec-WebSocket-Version", version)], section="4.4")
refused("H.4.12", "an empty version", 400, 426, changes=[("Sec-WebSocket-Version", "")], section="4.4")
refused("H.4.13", "two versions", 400, 426, changes=[("Sec-WebSocket-Version", ["13", "13"])], section="4.4")
KEYS = [("empty", ""), ("too short", "c2hvcnQ="), ("of 15 bytes", base64.b64encode(bytes(15)).decode()),
        ("of 17 bytes", base64.b64encode(bytes(17)).decode()), ("of 24 characters without padding", "A" * 24),
        ("with a foreign character", "dGhlIHNhbXBsZSBub25j*Q=="), ("with a space inside", "dGhlIHNhbXBs ZSBub25jZQ=="),
        ("with padding inside", "dGhl==NhbXBsZSBub25jZQ=="), ("in another alphabet", "dGhlIHNhbXBsZSBub25_-Q==")]
for i, (what, key) in enumerate(KEYS):
    refused(f"H.5.{i + 1}", f"a key {what}", 400, changes=[("Sec-WebSocket-Key", key)])
refused("H.5.10", "two keys", 400, changes=[("Sec-WebSocket-Key", [SAMPLE_KEY.decode()] * 2)])
for i, method in enumerate(("POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "get", "FOO")):
    if method != "HEAD":  # its response has no body, whatever Content-Length says
        refused(f"H.6.{i + 1}", f"the method {method}", 400, 405, 501, line=lambda t,
            m=method: f"{m} {t.path} HTTP/1.1")
refused("H.6.9", "HTTP/1.0", 400, 426, 505, line=lambda t: f"GET {t.path} HTTP/1.0")
refused("H.6.10", "HTTP/0.9", 400, 505, line=lambda t: f"GET {t.path} HTTP/0.9")
refused("H.6.11", "HTTP/2.0", 400, 505, line=lambda t: f"GET {t.path} HTTP/2.0")
refused("H.6.12", "the beginning of HTTP/2", 400, 505, raw=lambda t: b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
refused("H.6.13", "no version in the request line", 400, line=lambda t: f"GET {t.path}")
refused("H.6.14", "two spaces in the request line", 400, line=lambda t: f"GET  {t.path} HTTP/1.1")
refused("H.6.15", "a target without a slash", 400, line=lambda t: "GET echo HTTP/1.1")
refused("H.6.16", "a target with a fragment", 400, line=lambda t: f"GET {t.path}#part HTTP/1.1", section="3")
refused("H.6.17", "a method that is no token", 400, line=lambda t: f"G:T {t.path} HTTP/1.1")
refused("H.6.18", "a path that is not there", 400, 404, line=lambda t: "GET /no/such/path HTTP/1.1")
refused("H.7.1", "two Host fields", 400, changes=[("Host", ["localhost", "localhost"])], section="RFC 9112 3.2")
refused("H.7.2", "a Host with a space in it", 400, changes=[("Host", "local host")], section="RFC 9112 3.2")
refused("H.7.3", "a space before the colon", 400, changes=[("X-Space ", "a")], section="RFC 9112 5.1")
refused("H.7.4", "a folded field", 400, changes=[("X-Folded", "a\r\n b")], section="RFC 9112 5.2")
refused("H.7.5", "a line without a colon", 400, changes=[("X-A", "1\r\nnonsense")], section="RFC 9112 5")
refused("H.7.6", "a field without a name", 400, changes=[("", "a")], section="RFC 9112 5")
refused("H.7.7", "a NUL in a value", 400, changes=[("X-A", "a\0b")], section="RFC 9110 5.5")
refused("H.7.8", "a bare CR in a value", 400, changes=[("X-A", "a\rb")], section="RFC 9112 2.2")
refused("H.7.9", "a bare LF behind a value", 400, changes=[("X-A", "a\nX-B: b")], section="RFC 9112 2.2")
refused("H.7.10", "an escape character in a value", 400, changes=[("X-A", "\x1b[31m")], section="RFC 9110 5.5")
refused("H.7.11", "lines that end with LF alone", 400, section="RFC 9112 2.2",
        raw=lambda t: Peer.request(argless(t)).replace(b"\r\n", b"\n"))
refused("H.7.12", "Content-Length and Transfer-Encoding together", 400, section="RFC 9112 6.1",
        changes=[("Content-Length", "3"), ("Transfer-Encoding", "chunked")])
refused("H.7.13", "two Content-Lengths that differ", 400, changes=[("Content-Length", ["3", "4"])],
    section="RFC 9112 6.3")
refused("H.7.14", "a Content-Length that is no number", 400, changes=[("Content-Length", "3x")], section="RFC 9112 6.3")
refused("H.7.15", "an upgrade with a body", 400, changes=[("Content-Length", "5")], section="4.1")
refused("H.7.16", "a Transfer-Encoding that is not just chunked", 400, 501,
    changes=[("Transfer-Encoding", "chunked, gzip")], section="RFC 9112 6.1")
refused("H.7.17", "a malformed extension", 400, changes=[("Sec-WebSocket-Extensions", "permessage-deflate; =1")],
    section="9.1")
refused("H.7.18", "a subprotocol that is no token", 400, changes=[("Sec-WebSocket-Protocol", "a b")], section="4.1")
refused("H.7.19", "the same subprotocol twice", 400, changes=[("Sec-WebSocket-Protocol", "a, a")], section="4.1")
refused("H.7.20", "bytes of TLS", 400, raw=lambda t: bytes.fromhex("160301020001000001fc0303") + os.urandom(64),
    section="RFC 9112 2.2")
refused("H.8.1", "a field larger than the bound", 431, changes=[("X-Large", "x" * 20000)], section="protocol.md 2")
refused("H.8.2", "a target larger than the bound", 431, 414, line=lambda t: f"GET {t.path}?{'x' * 20000} HTTP/1.1",
    section="protocol.md 2")
refused("H.8.3", "too many fields", 431, changes=[(f"X-{i}", "1") for i in range(96)], section="protocol.md 1")
refused("H.8.4", "far too many fields", 431, changes=[(f"X-{i}", "") for i in range(1000)], section="protocol.md 1")
refused("H.9.1", "a foreign origin", 403, changes=[("Origin", "https://evil.example")], section="protocol.md 1",
    ringcast_only=True)
refused("H.9.2", "the origin null", 403, changes=[("Origin", "null")], section="protocol.md 1", ringcast_only=True)
refused("H.9.3", "a Host that is neither loopback nor configured", 400, 403, 421, changes=[("Host", "evil.example")],
        section="protocol.md 1", ringcast_only=True)


def argless(target):
    """Something that has a target, for Peer.request, without a connection."""
    return type("Unconnected", (), {"target": target})()


@raw_case("H.8.5", "a head that never ends is refused once the bound is passed", "protocol.md 2")
def _(peer):
    peer.send(peer.request([("X-Large", "x" * 17000)])[:-4])
    expect_refused(peer, (431,))


@raw_case("H.8.6", "a request line that never ends is refused once the bound is passed", "protocol.md 2")
def _(peer):
    peer.send(b"GET /" + b"x" * 17000)
    expect_refused(peer, (431, 414))


@raw_case("H.8.7", "the oversize head is refused also when it comes in small pieces", "protocol.md 2")
def _(peer):
    peer.send_chopped(peer.request([("X-Large", "x" * 20000)]), 500, pause=0.0005)
    expect_refused(peer, (431,))


@raw_case("H.9.4", "the node's own origin is welcome", "protocol.md 1", ringcast_only=True)
def _(peer):
    peer.upgrade([("Origin", f"http://{peer.target.authority()}")])
    works(peer)


# -- clients that do not finish --

@raw_case("H.10.1", "a client that connects and says nothing is let go", "protocol.md 1", ringcast_only=True)
def _(peer):
    expect_let_go(peer)


@raw_case("H.10.2", "a client that stops amid its handshake is let go", "protocol.md 1", ringcast_only=True)
def _(peer):
    peer.send(peer.request()[:60])
    expect_let_go(peer)


def expect_let_go(peer):
    """Within the 5 s of protocol.md, and some for a busy machine; a 408 before is fine."""
    deadline = time.monotonic() + 20
    try:
        while peer.fill(deadline):
            pass
    except TimeoutError:
        raise Failure("the server keeps waiting") from None


@raw_case("H.10.3", "clients that leave amid their handshake do no harm", "4.1")
def _(peer):
    for cut in (0, 1, 20, 100):
        with Peer(peer.target) as other:
            other.send(other.request()[:cut])
    with Peer(peer.target) as other:
        other.send(other.request()[:50])
        other.socket.shutdown(socket.SHUT_WR)
    peer.upgrade()
    works(peer)


def accept_key_checks(target):
    for _ in range(20):
        with Peer(target) as peer:
            key = base64.b64encode(os.urandom(16))
            peer.send(peer.request(key=key))
            check_upgraded(peer.read_response(), key)
            assert accept_of(key)


add("H.10.4", "twenty random keys each get their own accept key", "4.2.2", accept_key_checks)
