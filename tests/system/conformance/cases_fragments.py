"""5.4: fragmented messages. The numbers begin with 6."""
import time

from cases import add, case, on_open_connection
from cases_framing import fails
from peer import BINARY, CONTINUATION, PING, PONG, TEXT, frame


def in_fragments(parts, opcode=TEXT):
    return [frame(opcode if i == 0 else CONTINUATION, part, fin=i == len(parts) - 1) for i, part in enumerate(parts)]


def comes_back(parts, opcode=TEXT, chop=0, pause=0.0):
    def body(peer):
        frames = in_fragments(parts, opcode)
        if chop:
            peer.send_chopped(b"".join(frames), chop, pause=0.0005)
        elif pause:
            for each in frames:
                peer.send(each)
                time.sleep(pause)
        else:
            peer.send(b"".join(frames))
        peer.expect(opcode, b"".join(parts))
        peer.close_normally()
    return lambda target: on_open_connection(target, body)


PARTS = [
    ("two", [b"frag", b"ment"]),
    ("three", [b"a", b"b", b"c"]),
    ("an empty first", [b"", b"text"]),
    ("an empty last", [b"text", b""]),
    ("only empty", [b"", b"", b""]),
    ("empty ones between", [b"a", b"", b"", b"b", b""]),
    ("two of 65536 bytes", [b"x" * 65536, b"y" * 65536]),
    ("a hundred of one byte", [b"z"] * 100),
]
for i, (what, parts) in enumerate(PARTS):
    for kind, opcode in ((1, TEXT), (2, BINARY)):
        name = "text" if opcode == TEXT else "binary"
        add(f"6.{kind}.{i + 1}.1", f"a {name} in fragments ({what}) comes back as one", "5.4",
            comes_back(parts, opcode))
        if sum(map(len, parts)) < 1000:
            add(f"6.{kind}.{i + 1}.2", f"the same ({what}), sent byte by byte", "5.4",
                comes_back(parts, opcode, chop=1))
            if len(parts) < 10:
                add(f"6.{kind}.{i + 1}.3", f"the same ({what}), a frame at a time", "5.4",
                    comes_back(parts, opcode, pause=0.01))


def with_pings(chop=0, wait=False):
    def body(peer):
        if wait:
            peer.send_frame(TEXT, b"frag", fin=False)
            peer.send_frame(PING, b"between")
            peer.expect(PONG, b"between")  # answered at once, not when the message ends
            peer.expect_silence()
            peer.send_frame(CONTINUATION, b"ment")
        else:
            data = frame(TEXT, b"frag", fin=False) + frame(PING, b"between") + frame(CONTINUATION, b"ment")
            peer.send_chopped(data, chop or len(data), pause=0.0005)
            peer.expect(PONG, b"between")
        peer.expect(TEXT, b"fragment")
        peer.close_normally()
    return lambda target: on_open_connection(target, body)


add("6.3.1", "a ping amid a fragmented text is answered before it", "5.4", with_pings())
add("6.3.2", "the same, sent byte by byte", "5.4", with_pings(chop=1))
add("6.3.3", "the pong does not wait for the message's end", "5.4", with_pings(wait=True))


@case("6.3.4", "pings of 0 to 125 bytes and pongs amid fragments leave the message whole", "5.4")
def _(peer):
    sizes = list(range(0, 126, 5))
    data = frame(TEXT, b"begin", fin=False)
    for size in sizes:
        data += frame(PING, b"p" * size) + frame(PONG, b"ignored") + frame(CONTINUATION, b"|%d" % size, fin=False)
    peer.send_chopped(data + frame(CONTINUATION, b"end"), 50)
    for size in sizes:
        peer.expect(PONG, b"p" * size)
    peer.expect(TEXT, b"begin" + b"".join(b"|%d" % size for size in sizes) + b"end")
    peer.close_normally()


@case("6.3.5", "two rounds of fragments, pauses and pings", "5.4")
def _(peer):
    for _ in range(2):
        peer.send_frame(TEXT, b"fragment1", fin=False)
        peer.send_frame(CONTINUATION, b"fragment2", fin=False)
        peer.send_frame(PING, b"pongme 1")
        peer.expect(PONG, b"pongme 1")
        time.sleep(0.1)
        peer.send_frame(CONTINUATION, b"fragment3", fin=False)
        peer.send_frame(PING, b"pongme 2")
        peer.expect(PONG, b"pongme 2")
        peer.send_frame(CONTINUATION, b"fragment4")
        peer.expect(TEXT, b"fragment1fragment2fragment3fragment4")
    peer.close_normally()


@case("6.3.6", "a whole message right behind a fragmented one comes back behind it", "5.4")
def _(peer):
    peer.send(frame(BINARY, b"a", fin=False) + frame(CONTINUATION, b"b") + frame(TEXT, b"c"))
    peer.expect(BINARY, b"ab")
    peer.expect(TEXT, b"c")
    peer.close_normally()


@case("6.3.7", "a large ping-riddled message in fragments of one byte comes back", "5.4")
def _(peer):
    text = b"0123456789" * 50
    frames = in_fragments([text[i:i + 1] for i in range(len(text))])
    peer.send(b"".join(each + (frame(PING, b"%d" % i) if i % 50 == 0 and i < len(frames) - 1 else b"")
                       for i, each in enumerate(frames)))
    for i in range(0, len(frames) - 1, 50):
        peer.expect(PONG, b"%d" % i)
    peer.expect(TEXT, text)
    peer.close_normally()


for i, fin in enumerate((True, False)):
    state = "final" if fin else "not final"
    add(f"6.4.{i + 1}", f"a continuation of nothing ({state}) fails the connection", "5.4",
        fails(frame(CONTINUATION, b"stray", fin=fin), 1002))
    add(f"6.4.{i + 3}", f"a continuation of nothing ({state}) behind a good message fails it after that came back",
        "5.4",
        fails(frame(CONTINUATION, b"stray", fin=fin) + frame(TEXT, b"late"), 1002, before=[(TEXT, b"good")]))
    add(f"6.4.{i + 5}", f"a continuation of nothing ({state}), empty, byte by byte, fails the connection", "5.4",
        fails(frame(CONTINUATION, b"", fin=fin), 1002, chopped=True))
    for opcode, name, number in ((TEXT, "text", 7), (BINARY, "binary", 9)):
        add(f"6.4.{i + number}", f"a new {name} ({state}) within a fragmented text fails the connection", "5.4",
            fails(frame(TEXT, b"frag", fin=False) + frame(opcode, b"new", fin=fin), 1002))
add("6.4.11", "a new text within a text of empty fragments fails the connection", "5.4",
    fails(frame(TEXT, b"", fin=False) + frame(CONTINUATION, b"", fin=False) + frame(TEXT, b""), 1002))
add("6.4.12", "a continuation behind the end of a fragmented message fails the connection", "5.4",
    fails(lambda: frame(BINARY, b"a", fin=False) + frame(CONTINUATION, b"b", fin=False) + frame(TEXT, b"x"), 1002))


@case("6.4.13", "a continuation behind a fragmented message that came back fails the connection", "5.4")
def _(peer):
    peer.send(frame(TEXT, b"a", fin=False) + frame(CONTINUATION, b"b") + frame(CONTINUATION, b"c"))
    peer.expect(TEXT, b"ab")
    peer.expect_failed(1002)


@case("6.4.14", "an error amid fragments is told even while the message is incomplete", "5.4")
def _(peer):
    peer.send(frame(TEXT, b"a" * 1000, fin=False))
    peer.expect_silence()
    peer.send(b"\x91")  # one byte: a text with a reserved bit
    peer.expect_failed(1002)
