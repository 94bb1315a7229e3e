"""2 pings and pongs, 7 the closing handshake, 5.5 and 7.4."""
import socket
import struct

from cases import add, case, on_open_connection
from cases_framing import fails
from peer import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, close_payload, frame

# -- 2 pings and pongs --

for i, (payload, what) in enumerate([(b"", "without payload"), (b"hello", "with text"),
    (b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff", "with bytes that are no text"),
                                     (b"\xfe" * 125, "of 125 bytes")]):
    def answered(peer, payload=payload):
        peer.send_frame(PING, payload)
        peer.expect(PONG, payload)
        peer.close_normally()
    case(f"2.{i + 1}", f"a ping {what} is answered with the same payload", "5.5.2")(answered)
add("2.5", "a ping of 126 bytes fails the connection", "5.5", fails(frame(PING, b"x" * 126, length_form=16), 1002))
add("2.6", "a ping that promises 65536 bytes fails the connection from its first two bytes", "5.5",
    fails(b"\x89\xff", 1002))


@case("2.7", "an unsolicited pong is ignored", "5.5.3")
def _(peer):
    for payload in (b"", b"unsolicited", b"x" * 125):
        peer.send_frame(PONG, payload)
    peer.expect_silence()
    peer.send_frame(PING, b"now")
    peer.expect(PONG, b"now")
    peer.close_normally()


@case("2.8", "a ping of 125 bytes sent byte by byte is answered", "5.5.2")
def _(peer):
    peer.send_chopped(frame(PING, bytes(range(125))), 1, pause=0.0005)
    peer.expect(PONG, bytes(range(125)))
    peer.close_normally()


@case("2.9", "pong, ping, pong: one answer", "5.5.3")
def _(peer):
    peer.send(frame(PONG, b"a") + frame(PING, b"b") + frame(PONG, b"c"))
    peer.expect(PONG, b"b")
    peer.expect_silence()
    peer.close_normally()


@case("2.10", "ten pings sent at once are answered in order", "5.5.2")
def _(peer):
    peer.send(b"".join(frame(PING, f"payload-{i}".encode()) for i in range(10)))
    for i in range(10):
        peer.expect(PONG, f"payload-{i}".encode())
    peer.close_normally()


@case("2.11", "ten pings sent byte by byte are answered in order", "5.5.2")
def _(peer):
    peer.send_chopped(b"".join(frame(PING, f"payload-{i}".encode()) for i in range(10)), 1)
    for i in range(10):
        peer.expect(PONG, f"payload-{i}".encode())
    peer.close_normally()


@case("2.12", "pings among messages are answered in their place", "5.5.2")
def _(peer):
    peer.send(frame(TEXT, b"1") + frame(PING, b"2") + frame(BINARY, b"3") + frame(PING, b"4"))
    for opcode, payload in ((TEXT, b"1"), (PONG, b"2"), (BINARY, b"3"), (PONG, b"4")):
        peer.expect(opcode, payload)
    peer.close_normally()


add("2.13", "a pong of 126 bytes fails the connection", "5.5", fails(frame(PONG, b"x" * 126, length_form=16), 1002))
add("2.14", "a ping in fragments fails the connection", "5.5",
    fails(frame(PING, b"a", fin=False) + frame(CONTINUATION, b"b"), 1002))
add("2.15", "a pong in fragments fails the connection", "5.5",
    fails(frame(PONG, b"a", fin=False) + frame(CONTINUATION, b"b"), 1002))
add("2.16", "a ping behind a message that failed the connection is not answered", "5.5",
    fails(frame(3) + frame(PING, b"late"), 1002))

# -- 7 the closing handshake --


def closes(payload, *codes, more=b"", before=b"", chopped=False):
    def body(peer):
        data = before + frame(CLOSE, payload) + more
        if chopped:
            peer.send_chopped(data, 1, pause=0.0005)
        else:
            peer.send(data)
        peer.expect_failed(*codes)
    return lambda target: on_open_connection(target, body)


add("7.1.1", "a close without a code is answered, and the server ends the connection", "5.5.1, 7.1.1",
    closes(b"", None, 1000))
add("7.1.2", "a close with 1000 is answered with it", "5.5.1", closes(close_payload(1000), 1000))
add("7.1.3", "a second close is not answered", "5.5.1",
    closes(close_payload(1000), 1000, more=frame(CLOSE, close_payload(1000))))
add("7.1.4", "a ping behind the close is not answered", "5.5.1",
    closes(close_payload(1000), 1000, more=frame(PING, b"late")))
add("7.1.5", "a message behind the close does not come back", "5.5.1",
    closes(close_payload(1000), 1000, more=frame(TEXT, b"late")))
add("7.1.6", "broken frames behind the close change nothing", "5.5.1",
    closes(close_payload(1000), 1000, more=b"\xff\xff\xff\xff\xff"))
add("7.1.7", "a large message behind the close does not keep the reply from arriving", "5.5.1",
    closes(close_payload(1000), 1000, more=frame(BINARY, bytes(262144))))
add("7.1.8", "a close amid a fragmented message ends it", "5.4",
    closes(close_payload(1000), 1000, before=frame(TEXT, b"part", fin=False)))
add("7.1.9", "a close sent byte by byte is answered", "5.5.1",
    closes(close_payload(1000, b"byte by byte"), 1000, chopped=True))


@case("7.1.10", "a message before the close comes back first", "5.5.1")
def _(peer):
    peer.send(frame(TEXT, b"first") + frame(CLOSE, close_payload(1000)))
    peer.expect(TEXT, b"first")
    peer.expect_failed(1000)


@case("7.1.11", "a large message right before the close comes back first", "5.5.1")
def _(peer):
    payload = bytes(i % 251 for i in range(262144))
    peer.send(frame(BINARY, payload) + frame(CLOSE, close_payload(1000)))
    peer.expect(BINARY, payload)
    peer.expect_failed(1000)


@case("7.1.12", "many messages right before the close come back first", "5.5.1")
def _(peer):
    peer.send(frame(TEXT, b"message") * 300 + frame(CLOSE, close_payload(1000)))
    for _ in range(300):
        peer.expect(TEXT, b"message")
    peer.expect_failed(1000)


add("7.2.1", "a close with a payload of one byte fails the connection", "5.5.1", closes(b"\x03", 1002))
add("7.2.2", "a close with a code and no reason is fine", "5.5.1", closes(close_payload(1000), 1000))
add("7.2.3", "a close with a reason is fine", "5.5.1", closes(close_payload(1000, b"Hello World!"), 1000))
add("7.2.4", "a close with a reason of 123 bytes is fine", "5.5.1", closes(close_payload(1000, b"*" * 123), 1000))
add("7.2.5", "a close with a reason of 124 bytes fails the connection", "5.5",
    fails(frame(CLOSE, close_payload(1000, b"*" * 124), length_form=16), 1002))
add("7.2.6", "a close with a reason in other letters is fine", "5.5.1",
    closes(close_payload(1000, "κόσμε".encode()), 1000))
for i, (reason, what) in enumerate([(b"\xce\xba\xed\xa0\x80", "a surrogate"), (b"\xff", "a byte that never occurs"),
                                    (b"\xc0\xaf", "an overlong slash"), (b"ok \xe2\x82", "half a character"),
                                    (b"\xf4\x90\x80\x80", "a code point above U+10FFFF")]):
    add(f"7.3.{i + 1}", f"a close whose reason contains {what} fails the connection", "5.5.1, 8.1",
        closes(struct.pack("!H", 1000) + reason, 1007))
add("7.3.6", "a close in fragments fails the connection", "5.5", fails(frame(CLOSE, b"", fin=False), 1002))

for code in (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4001, 4999):
    add(f"7.7.{code}", f"the close code {code} is accepted and answered", "7.4",
        closes(close_payload(code), code, 1000))
for code in (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 1999, 2000, 2999, 5000, 32768, 65535):
    add(f"7.9.{code}", f"the close code {code} fails the connection", "7.4", closes(close_payload(code), 1002))
    add(f"7.9.{code}.r", f"the close code {code} with a reason fails the connection", "7.4",
        closes(close_payload(code, b"why"), 1002))


@case("7.13.1", "a client that vanishes without a close does no harm", "7.1.7")
def _(peer):
    peer.send(frame(TEXT, b"half of it")[:7])
    peer.socket.close()
    with type(peer)(peer.target) as other:
        other.upgrade()
        other.send_frame(TEXT, b"still there")
        other.expect(TEXT, b"still there")
        other.close_normally()


@case("7.13.2", "a client that resets amid a message does no harm", "7.1.7")
def _(peer):
    peer.send(frame(BINARY, bytes(100000))[:50000])
    peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.socket.close()
    with type(peer)(peer.target) as other:
        other.upgrade()
        other.close_normally()


@case("7.13.3", "a client that ends its sending after the close still gets the reply", "7.1.1")
def _(peer):
    peer.send_frame(CLOSE, close_payload(1000))
    peer.socket.shutdown(socket.SHUT_WR)
    peer.expect_failed(1000)
