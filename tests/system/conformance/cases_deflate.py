"""RFC 7692: permessage-deflate. The numbers begin with D."""
import json
import random
import zlib

from cases import add, deflate_case, on_deflate_connection, raw_case
from peer import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Failure, Peer, frame, pack

NAME = "permessage-deflate"


def feed(size, seed=1):
    """Text like a market's, exactly `size` bytes."""
    numbers = random.Random(seed)
    parts, length = [], 0
    while length < size:
        part = json.dumps({"u": numbers.randrange(10**9), "b": f"{numbers.uniform(1, 9):.4f}", "s": "BTCUSDT"})
        parts.append(part)
        length += len(part)
    return "".join(parts).encode()[:size]


def noise(size, seed=2):
    return random.Random(seed).randbytes(size)


def send_packed(peer, opcode, message, *, fragment=0, window_bits=15, **how):
    """One packed message, in fragments of `fragment` bytes if that is not 0."""
    packed = pack(message, window_bits, **how)
    pieces = [packed[at:at + fragment] for at in range(0, len(packed), fragment)] if fragment else [packed]
    last = len(pieces) - 1
    peer.send(b"".join(frame(opcode if i == 0 else CONTINUATION, piece, fin=i == last, rsv=4 if i == 0 else 0)
                       for i, piece in enumerate(pieces)))


# -- 1 negotiation --

def agreed(number, sentence, offer, check=lambda answer: None, section="RFC 7692 7.1"):
    def run(target):
        with Peer(target) as peer:
            answer = peer.offer_deflate(offer)
            if answer is None:
                raise Failure(f"the server declined {offer!r}")
            for name in ("server_no_context_takeover", "client_no_context_takeover"):
                if name not in answer:
                    raise Failure(f"{name} is not in the answer {answer}")
            check(answer)
            send_packed(peer, TEXT, b"works " * 30)
            peer.expect(TEXT, b"works " * 30)
            peer.close_normally()
    add(number, sentence, section, run)


def window_is(bits):
    def check(answer):
        if answer.get("server_max_window_bits") != str(bits):
            raise Failure(f"server_max_window_bits is {answer.get('server_max_window_bits')}, not {bits}")
    return check


def no_window(answer):
    if "server_max_window_bits" in answer or "client_max_window_bits" in answer:
        raise Failure(f"nobody asked for a window, and the answer is {answer}")


AGREED = [
    ("the bare offer", NAME, no_window),
    ("a client that takes a limit to its window, as browsers do", f"{NAME}; client_max_window_bits", no_window),
    ("a client that says its window", f"{NAME}; client_max_window_bits=10",
     lambda answer: None if answer.get("client_max_window_bits") in ("8", "9", "10", None) else no_window(answer)),
    ("a server that is to forget", f"{NAME}; server_no_context_takeover", no_window),
    ("a client that can forget", f"{NAME}; client_no_context_takeover", no_window),
    ("everything at once", f"{NAME}; server_no_context_takeover; client_no_context_takeover; "
     "server_max_window_bits=12; client_max_window_bits=12", window_is(12)),
    ("a quoted value", f'{NAME}; server_max_window_bits="11"', window_is(11)),
    ("no blanks", f"{NAME};server_max_window_bits=11;client_no_context_takeover", window_is(11)),
    ("a second offer, the first being declined", f"{NAME}; server_max_window_bits=99, {NAME}; server_max_window_bits=9",
     window_is(9)),
    ("the first of two offers", f"{NAME}; server_max_window_bits=10, {NAME}", window_is(10)),
    ("an offer behind other extensions", f"x-foo; a=b, {NAME}, x-bar", no_window),
]
for i, (sentence, offer, check) in enumerate(AGREED):
    agreed(f"D.1.1.{i + 1}", f"agreed: {sentence}", offer, check)
for bits in range(8, 16):
    agreed(f"D.1.1.{bits + 10}", f"agreed: a window of {bits} bits", f"{NAME}; server_max_window_bits={bits}",
           window_is(bits), "RFC 7692 7.1.2.1")

DECLINED = [
    ("an unknown parameter", "x"), ("an unknown parameter with a value", "x=1"),
    ("a window of 7 bits", "server_max_window_bits=7"), ("a window of 16 bits", "server_max_window_bits=16"),
    ("a window with a leading zero", "server_max_window_bits=010"), ("a window without bits", "server_max_window_bits"),
    ("a window of words", "server_max_window_bits=ten"), ("a client's window of 7 bits", "client_max_window_bits=7"),
    ("a client's window of 16 bits", "client_max_window_bits=16"),
    ("a value where none belongs", "server_no_context_takeover=1"),
    ("another value where none belongs", "client_no_context_takeover=true"),
    ("a window twice", "server_max_window_bits=10; server_max_window_bits=10"),
    ("forgetting twice", "client_no_context_takeover; client_no_context_takeover"),
]
for i, (sentence, parameters) in enumerate(DECLINED):
    @raw_case(f"D.1.2.{i + 1}", f"declined, and the connection opens without: {sentence}", "RFC 7692 7")
    def _(peer, parameters=parameters):
        if peer.offer_deflate(f"{NAME}; {parameters}") is not None:
            raise Failure("it was accepted")
        peer.send_frame(TEXT, b"plain")
        peer.expect(TEXT, b"plain")
        send_packed(peer, TEXT, b"packed")
        peer.expect_failed(1002)

# -- 2 messages of every size, in every packing (Autobahn 12 and 13) --

SIZES = [0, 1, 16, 64, 125, 126, 256, 1024, 4096, 8192, 16384, 32768, 65535, 65536, 131072]
OFFERS = [NAME, f"{NAME}; server_no_context_takeover", f"{NAME}; client_max_window_bits",
          f"{NAME}; server_max_window_bits=15; client_max_window_bits=15", f"{NAME}; server_max_window_bits=9",
          f"{NAME}; server_max_window_bits=8; client_max_window_bits=9",
          f"{NAME}; server_max_window_bits=12; client_no_context_takeover"]


def sizes_come_back(offer, opcode, fragment, level):
    def body(peer):
        window_bits = 9 if "client_max_window_bits=9" in offer else 15
        for size in SIZES:
            message = feed(size, seed=size) if opcode == TEXT else noise(size)
            for _ in range(2):  # a second time: nobody remembers the first
                send_packed(peer, opcode, message, fragment=fragment, window_bits=window_bits, level=level)
                peer.expect(opcode, message)
        peer.close_normally()
    return lambda target: on_deflate_connection(target, body, offer)


for i, offer in enumerate(OFFERS):
    for j, (opcode, kind) in enumerate(((TEXT, "text"), (BINARY, "noise"))):
        for k, fragment in enumerate((0, 128, 1)):
            if fragment == 1 and i > 0:
                continue
            how = {0: "whole", 128: "in frames of 128 bytes", 1: "in frames of a byte"}[fragment]
            if fragment == 1:
                def small(peer, opcode=opcode):
                    for size in (0, 1, 300):
                        message = feed(size) if opcode == TEXT else noise(size)
                        send_packed(peer, opcode, message, fragment=1)
                        peer.expect(opcode, message)
                    peer.close_normally()
                add(f"D.2.{i + 1}.{j + 1}.{k + 1}", f"packed {kind} {how} comes back ({offer})", "RFC 7692 6.2",
                    lambda target, small=small: on_deflate_connection(target, small))
                continue
            add(f"D.2.{i + 1}.{j + 1}.{k + 1}", f"packed {kind} of each size, {how}, comes back ({offer})",
                "RFC 7692 6.2", sizes_come_back(offer, opcode, fragment, 6))
for level in (0, 1, 9):
    add(f"D.2.9.{level + 1}", f"a client that packs at level {level} is understood", "RFC 7692 7.2.1",
        sizes_come_back(NAME, TEXT, 0, level))

# -- 3 negotiated and used are two facts --


@deflate_case("D.3.1", "a plain message although deflate is negotiated comes back")
def _(peer):
    peer.send_frame(TEXT, b"plain")
    peer.expect(TEXT, b"plain")
    peer.send_frame(BINARY, noise(70000))
    peer.expect(BINARY, noise(70000))
    peer.close_normally()


@deflate_case("D.3.2", "packed and plain messages take turns")
def _(peer):
    for i in range(20):
        message = feed(50 + 100 * i, seed=i)
        if i % 3:
            send_packed(peer, TEXT, message)
        else:
            peer.send_frame(TEXT, message)
        peer.expect(TEXT, message)
    peer.close_normally()


@deflate_case("D.3.3", "control frames amid a packed message are answered at once", section="RFC 7692 6.1")
def _(peer):
    packed = pack(feed(5000))
    peer.send_frame(TEXT, packed[:100], fin=False, rsv=4)
    peer.send_frame(PING, b"amid")
    peer.expect(PONG, b"amid")
    peer.send_frame(CONTINUATION, packed[100:200], fin=False)
    peer.send_frame(PONG, b"unasked")
    peer.send_frame(CONTINUATION, packed[200:])
    peer.expect(TEXT, feed(5000))
    peer.close_normally()


for i, (sentence, frames) in enumerate([
        ("RSV1 on a continuation", [frame(TEXT, pack(b"hello")[:3], fin=False, rsv=4),
                                    frame(CONTINUATION, pack(b"hello")[3:], rsv=4)]),
        ("RSV1 on the continuation of a plain message", [frame(TEXT, b"a", fin=False), frame(CONTINUATION, b"b", rsv=4)]),
        ("RSV1 on a ping", [frame(PING, b"", rsv=4)]), ("RSV1 on a pong", [frame(PONG, b"", rsv=4)]),
        ("RSV1 on a close", [frame(CLOSE, b"\x03\xe8", rsv=4)]), ("RSV2", [frame(TEXT, pack(b"hello"), rsv=6)]),
        ("RSV3", [frame(TEXT, pack(b"hello"), rsv=5)]), ("RSV2 alone", [frame(TEXT, b"hello", rsv=2)])]):
    @deflate_case(f"D.3.4.{i + 1}", f"{sentence} fails the connection")
    def _(peer, frames=frames):
        peer.send(b"".join(frames))
        peer.expect_failed(1002)


@deflate_case("D.3.5", "a packed message that is split at every byte of the wire comes back")
def _(peer):
    message = feed(400)
    peer.send_chopped(frame(TEXT, pack(message), rsv=4), 1, pause=0.0005)
    peer.expect(TEXT, message)
    peer.close_normally()


@deflate_case("D.3.6", "many packed messages behind one another, unread meanwhile, come back in order")
def _(peer):
    messages = [feed(2000, seed=i) for i in range(100)]
    for message in messages:
        send_packed(peer, TEXT, message)
    for message in messages:
        peer.expect(TEXT, message)
    peer.close_normally()


@deflate_case("D.3.7", "packed text of several bytes a character, cut between frames within one, comes back")
def _(peer):
    message = "κόσμε€😀".encode() * 500
    send_packed(peer, TEXT, message, fragment=7)
    peer.expect(TEXT, message)
    peer.close_normally()


@deflate_case("D.3.8", "the server packs what gains by it")
def _(peer):
    peer.send_frame(TEXT, feed(4000))
    peer.expect(TEXT, feed(4000))
    if peer.packed_messages != 1:
        raise Failure("it came back unpacked")
    peer.close_normally()


@deflate_case("D.3.9", "what the server packs stays within the client's window", f"{NAME}; server_max_window_bits=8",
              "RFC 7692 7.1.2.1")
def _(peer):
    repeated = noise(3000) * 3  # the copies lie 3,000 bytes apart
    for message in (b"x" * 250, repeated):
        peer.send_frame(BINARY, message)
        peer.expect(BINARY, message)
    peer.close_normally()


# -- 4 streams of every shape --

STREAMS = [
    ("7.2.3.1 one block", "f248cdc9c90700", b"Hello"),
    ("7.2.3.3 a block without compression", "000500faff48656c6c6f00", b"Hello"),
    ("7.2.3.4 a final block", "f348cdc9c9070000", b"Hello"),
    ("7.2.3.5 two blocks", "f248050000 00ffffcac9c90700", b"Hello"),
    ("7.2.3.6 an empty message", "00", b""),
]
for i, (sentence, stream, message) in enumerate(STREAMS):
    @deflate_case(f"D.4.1.{i + 1}", f"the standard's example: {sentence[sentence.index(' ') + 1:]}",
                  section=f"RFC 7692 {sentence.split()[0]}")
    def _(peer, stream=bytes.fromhex(stream), message=message):
        for _ in range(2):
            peer.send_frame(TEXT, stream, rsv=4)
            peer.expect(TEXT, message)
        peer.close_normally()


@deflate_case("D.4.2", "a message in a final block and one in ordinary ones take turns", section="RFC 7692 7.2.3.4")
def _(peer):
    for i in range(6):
        message = feed(3000, seed=i)
        send_packed(peer, TEXT, message, final=i % 2 == 0)
        peer.expect(TEXT, message)
    peer.close_normally()


BROKEN = [
    ("a reserved block type", bytes.fromhex("06")), ("a distance before the beginning", bytes.fromhex("020400")),
    ("a stored block whose length is wrong", bytes.fromhex("000500fafe48656c6c6f00")),
    ("a message cut short", pack(feed(2000))[:-20]), ("plain text", b'{"type":"ping"}'),
    ("a stream of gzip", zlib.compress(b"hello", wbits=31)), ("a stream of zlib", zlib.compress(b"hello")),
    ("noise", b"\xff" + noise(2000)), ("nothing at all", b""),
]
for i, (sentence, stream) in enumerate(BROKEN):
    @deflate_case(f"D.4.3.{i + 1}", f"fails the connection: {sentence}", section="RFC 7692 7.2.2")
    def _(peer, stream=stream):
        send_packed(peer, TEXT, b"before")
        peer.expect(TEXT, b"before")
        peer.send_frame(BINARY, stream, rsv=4)
        peer.expect_failed(1007, 1002)


@deflate_case("D.4.4", "what a client remembers from its last message is not there any more",
              section="RFC 7692 7.1.1.2")
def _(peer):
    deflate = zlib.compressobj(6, zlib.DEFLATED, -15)
    first, second = [(deflate.compress(feed(2000)) + deflate.flush(zlib.Z_SYNC_FLUSH))[:-4] for _ in range(2)]
    peer.send_frame(TEXT, first, rsv=4)
    peer.expect(TEXT, feed(2000))
    peer.send_frame(TEXT, second, rsv=4)
    peer.expect_failed(1007, 1002)


@deflate_case("D.4.5", "packed text that is not UTF-8 fails the connection", section="8.1")
def _(peer):
    send_packed(peer, TEXT, b"\xce\xba\xe1\xbd\xb9\xed\xa0\x80edited")
    peer.expect_failed(1007)


# -- 5 bounds --

def as_large_as_may_be(target):
    def body(peer):
        message = feed(target.message_bytes_max)
        send_packed(peer, TEXT, message)
        peer.expect(TEXT, message)
        peer.close_normally()
    on_deflate_connection(target, body)


def too_large(more):
    def run(target):
        def body(peer):
            send_packed(peer, BINARY, b"a" * (target.message_bytes_max + more), level=9)
            peer.expect_failed(1009)
        on_deflate_connection(target, body)
    return run


add("D.5.1", "a message that unpacks to the largest size comes back", "protocol.md 1", as_large_as_may_be)
add("D.5.2", "one byte more closes with 1009", "protocol.md 1", too_large(1))
add("D.5.3", "a bomb of 200 MB in 200 KB closes with 1009", "protocol.md 1", too_large(200_000_000))


def bombs_in_fragments(target):
    def body(peer):
        send_packed(peer, BINARY, b"\0" * (8 * target.message_bytes_max), fragment=500)
        peer.expect_failed(1009)
    on_deflate_connection(target, body)


add("D.5.4", "a bomb in fragments closes with 1009", "protocol.md 1", bombs_in_fragments)
