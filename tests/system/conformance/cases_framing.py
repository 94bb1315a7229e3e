"""1 sizes and chopping, 3 reserved bits, 4 opcodes, 5 masks and lengths, 9 limits and many messages."""
import time

from cases import add, case, on_open_connection
from peer import BINARY, CONTINUATION, PING, PONG, TEXT, frame

SIZES = [0, 1, 124, 125, 126, 127, 128, 129, 65535, 65536, 65537, 262144]


def pattern(opcode, size):
    return bytes(32 + i % 95 for i in range(size)) if opcode == TEXT else bytes(i % 251 for i in range(size))


def echoes(opcode, size, chop=0):
    def body(peer):
        payload = pattern(opcode, size)
        data = frame(opcode, payload)
        if chop:
            peer.send_chopped(data, chop, pause=0.0005 if len(data) < 400 else 0.0)
        else:
            peer.send(data)
        peer.expect(opcode, payload)
        peer.close_normally()
    return lambda target: on_open_connection(target, body)


for kind, opcode, name in ((1, TEXT, "text"), (2, BINARY, "binary")):
    for i, size in enumerate(SIZES):
        add(f"1.{kind}.{i + 1}", f"a {name} message of {size} bytes comes back", "5.6", echoes(opcode, size))
    for i, (size, chop) in enumerate([(0, 1), (125, 1), (126, 1), (128, 1), (300, 3), (65535, 997), (65536, 997),
                                      (65536, 1460), (262144, 4099)]):
        add(f"1.{kind}.{i + 21}", f"a {name} message of {size} bytes, sent {chop} at a time, comes back", "5.2",
            echoes(opcode, size, chop))


@case("1.3.1", "text, binary and text again come back in order", "5.6")
def _(peer):
    for opcode, payload in ((TEXT, b"one"), (BINARY, b"\x00\xff"), (TEXT, b"three")):
        peer.send_frame(opcode, payload)
        peer.expect(opcode, payload)
    peer.close_normally()


@case("1.3.2", "a header split at every place is understood", "5.2")
def _(peer):
    for size, header in ((5, 6), (300, 8), (70000, 14)):
        payload = pattern(BINARY, size)
        for cut in range(1, header + 1):
            data = frame(BINARY, payload)
            peer.send(data[:cut])
            peer.send_chopped(data[cut:], 65536)
            peer.expect(BINARY, payload)
    peer.close_normally()


# -- 3 reserved bits --

def fails(data, *codes, before=(), chopped=False):
    """Sends good messages that come back, then `data`, and then a ping that must not be answered."""
    def body(peer):
        sent = b"".join(frame(opcode, payload) for opcode, payload in before)
        sent += data() if callable(data) else data
        if chopped:
            peer.send_chopped(sent, 1, pause=0.0005)
        else:
            peer.send(sent)
        for opcode, payload in before:
            peer.expect(opcode, payload)
        peer.expect_failed(*codes)
    return lambda target: on_open_connection(target, body)


for rsv in range(1, 8):
    for i, (opcode, name, payload) in enumerate([(TEXT, "text", b"hello"), (BINARY, "binary", b"\x01"),
                                                 (PING, "ping", b""), (PONG, "pong", b"x"), (8, "close", b"\x03\xe8")]):
        add(f"3.{rsv}.{i + 1}", f"reserved bits {rsv:03b} on a {name} fail the connection", "5.2",
            fails(frame(opcode, payload, rsv=rsv), 1002))
    add(f"3.{rsv}.6", f"reserved bits {rsv:03b} on the second message fail it after the first came back", "5.2",
        fails(frame(TEXT, b"bad", rsv=rsv) + frame(PING), 1002, before=[(TEXT, b"good")]))
    add(f"3.{rsv}.7", f"reserved bits {rsv:03b} on a continuation fail the connection", "5.2",
        fails(frame(TEXT, b"a", fin=False) + frame(CONTINUATION, b"b", rsv=rsv), 1002))
add("3.8.1", "a compressed message where nothing was negotiated fails the connection", "RFC 7692 6",
    fails(frame(TEXT, bytes.fromhex("f248cdc9c90700"), rsv=4), 1002))

# -- 4 opcodes --

for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15):
    kind = 1 if opcode < 8 else 2
    for i, (payload, before, chopped, what) in enumerate([
            (b"", [], False, "empty"),
            (b"reserved", [], False, "with a payload"),
            (b"x", [(TEXT, b"good")], False, "behind a good message"),
            (b"reserved", [(TEXT, b"good")], True, "byte by byte behind a good message")]):
        add(f"4.{kind}.{opcode}.{i + 1}", f"opcode {opcode:#x}, {what}, fails the connection", "5.2",
            fails(frame(opcode, payload) + frame(PING), 1002, before=before, chopped=chopped))
    add(f"4.{kind}.{opcode}.5", f"opcode {opcode:#x} amid a fragmented message fails the connection", "5.2",
        fails(frame(TEXT, b"a", fin=False) + frame(opcode, b"b"), 1002))

# -- 5 masks and lengths --

for i, key in enumerate([b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x01\0\0\0", b"\0\0\0\x80"]):
    def masked_with(peer, key=key):
        payload = pattern(BINARY, 1000)
        peer.send_frame(BINARY, payload, key=key)
        peer.expect(BINARY, payload)
        peer.close_normally()
    case(f"5.1.{i + 1}", f"the mask key {key.hex()} is like any other", "5.3")(masked_with)
for i, (opcode, payload,
    name) in enumerate([(TEXT, b"hello", "text"), (TEXT, b"", "empty text"), (BINARY, b"\0", "binary"),
                                             (PING, b"", "ping"), (PONG, b"", "pong"), (8, b"\x03\xe8", "close")]):
    add(f"5.2.{i + 1}", f"an unmasked {name} fails the connection", "5.1",
        fails(frame(opcode, payload, masked=False), 1002))
add("5.2.7", "an unmasked frame behind a good message fails the connection after the first came back", "5.1",
    fails(frame(TEXT, b"bad", masked=False), 1002, before=[(TEXT, b"good")]))
add("5.2.8", "an unmasked continuation fails the connection", "5.1",
    fails(frame(TEXT, b"a", fin=False) + frame(CONTINUATION, b"b", masked=False), 1002))
add("5.2.9", "two bytes of an unmasked frame are enough to fail it", "5.1", fails(b"\x81\x7f", 1002))
for i, (form, size) in enumerate([(16, 0), (16, 5), (16, 125), (64, 0), (64, 5), (64, 125), (64, 126), (64, 65535)]):
    add(f"5.3.{i + 1}", f"the length {size} written in {form} bits fails the connection", "5.2",
        fails(lambda form=form, size=size: frame(BINARY, bytes(size), length_form=form), 1002))
add("5.3.9", "a ping with its length of 5 in 16 bits fails the connection", "5.5",
    fails(frame(PING, b"12345", length_form=16), 1002))
add("5.3.10", "a close with its length of 2 in 64 bits fails the connection", "5.5",
    fails(frame(8, b"\x03\xe8", length_form=64), 1002))
add("5.3.11", "a length with its highest bit set fails the connection", "5.2",
    fails(b"\x82\xff" + b"\x80" + bytes(6) + b"\x01" + b"mask", 1002, 1009))
add("5.3.12", "a length of 2^63 - 1 fails the connection from the header alone", "5.2",
    fails(b"\x82\xff" + b"\x7f" + b"\xff" * 7 + b"mask", 1009))

# -- 9 limits and many messages --


def at_the_limit(opcode, chop, fragment):
    def run(target):
        def body(peer):
            payload = pattern(opcode, target.message_bytes_max)
            if fragment:
                pieces = [payload[at:at + fragment] for at in range(0, len(payload), fragment)]
                data = b"".join(frame(opcode if i == 0 else CONTINUATION, piece, fin=i == len(pieces) - 1)
                                for i, piece in enumerate(pieces))
            else:
                data = frame(opcode, payload)
            peer.send_chopped(data, chop)
            peer.expect(opcode, payload)
            peer.close_normally()
        on_open_connection(target, body)
    return run


for i, (chop, fragment) in enumerate([(1 << 20, 0), (16384, 0), (1024, 0), (1 << 20, 65536), (1 << 20, 4096),
    (1 << 18, 64)]):
    what = f"in frames of {fragment} bytes" if fragment else f"sent {chop} bytes at a time"
    add(f"9.1.{i + 1}", f"a text of exactly the largest size, {what}, comes back", "10.4",
        at_the_limit(TEXT, chop, fragment))
    add(f"9.2.{i + 1}", f"a binary of exactly the largest size, {what}, comes back", "10.4",
        at_the_limit(BINARY, chop, fragment))


def too_large(build):
    def run(target):
        on_open_connection(target, lambda peer: (peer.send(build(target.message_bytes_max)), peer.expect_failed(1009)))
    return run


add("9.3.1", "a header that promises one byte too many is refused before any payload", "10.4",
    too_large(lambda limit: frame(BINARY, b"", length=limit + 1)))
add("9.3.2", "a text of one byte too many is refused", "10.4", too_large(lambda limit: frame(TEXT, b"x" * (limit + 1))))
add("9.3.3", "fragments that add up to one byte too many are refused from the last one's header", "10.4",
    too_large(lambda limit: frame(BINARY, bytes(limit), fin=False) + frame(CONTINUATION, b"", length=1)))
add("9.3.4", "many small fragments that never end are refused at the limit", "10.4",
    too_large(lambda limit: frame(TEXT, b"x" * 1000, fin=False) + frame(CONTINUATION, b"x" * 1000,
        fin=False) * (limit // 1000)))
add("9.3.5", "a message far above the limit, sent whole, is refused with a close frame that arrives", "10.4",
    too_large(lambda limit: frame(BINARY, bytes(4 * limit))))


@case("9.4.1", "a thousand messages sent at once come back in order", "5.6")
def _(peer):
    messages = [f"message {i} ".encode() * (1 + i % 7) for i in range(1000)]
    peer.send(b"".join(frame(TEXT, message) for message in messages))
    for message in messages:
        peer.expect(TEXT, message)
    peer.close_normally()


@case("9.4.2", "a thousand empty messages and pings sent at once come back in order", "5.6")
def _(peer):
    peer.send((frame(BINARY) + frame(PING, b"p")) * 500)
    for _ in range(500):
        peer.expect(BINARY, b"")
        peer.expect(PONG, b"p")
    peer.close_normally()


@case("9.4.3", "messages of all size classes sent at once, in pieces of 1000 bytes, come back in order", "5.2")
def _(peer):
    messages = [pattern(BINARY, size) for size in SIZES[:-1]]
    peer.send_chopped(b"".join(frame(BINARY, message) for message in messages), 1000)
    for message in messages:
        peer.expect(BINARY, message)
    peer.close_normally()


@case("9.4.4", "a reader that reads only later gets all of it", "5.6")
def _(peer):
    payload = pattern(BINARY, 50000)
    peer.send(frame(BINARY, payload) * 8)  # fits the kernel's buffers both ways
    time.sleep(0.3)
    for _ in range(8):
        peer.expect(BINARY, payload)
    peer.close_normally()
