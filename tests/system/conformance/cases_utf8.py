"""8.1: text must be UTF-8, and what is not is refused at the first byte that proves it. The numbers begin with 8."""
from cases import add, on_open_connection
from peer import CONTINUATION, PING, PONG, TEXT, frame

KOSME = "κόσμε".encode()

GOOD = [
    ("letters of two, two and three bytes", KOSME),
    ("the first code point of one byte", b"\x00"),
    ("the first code point of two bytes", b"\xc2\x80"),
    ("the first code point of three bytes", b"\xe0\xa0\x80"),
    ("the first code point of four bytes", b"\xf0\x90\x80\x80"),
    ("the last code point of one byte", b"\x7f"),
    ("the last code point of two bytes", b"\xdf\xbf"),
    ("the last code point of three bytes", b"\xef\xbf\xbf"),
    ("the last code point of all", b"\xf4\x8f\xbf\xbf"),
    ("the code point before the surrogates", b"\xed\x9f\xbf"),
    ("the code point behind the surrogates", b"\xee\x80\x80"),
    ("the replacement character", b"\xef\xbf\xbd"),
    ("noncharacters", b"\xef\xbf\xbe\xf0\x9f\xbf\xbf\xf3\xbf\xbf\xbe"),
    ("a byte order mark", b"\xef\xbb\xbfx"),
    ("emoji", "😀🎉👨‍👩‍👧".encode()),
    ("a mixture", "Hello-µ@ßöäüàá-UTF-8!!".encode()),
]

# (what, bytes, how many of them prove it); None: only the message's end does
BAD = [
    ("a continuation byte alone (80)", b"\x80", 1),
    ("a continuation byte alone (BF)", b"\xbf", 1),
    ("two continuation bytes", b"\x80\xbf", 1),
    ("a continuation byte too many", b"\xc2\x80\x80", 3),
    ("every continuation byte", bytes(range(0x80, 0xC0)), 1),
    ("a lead of two without its second byte, then a space", b"\xc3 ", 2),
    ("a lead of three without its third byte, then a letter", b"\xe2\x82x", 3),
    ("a lead of four without its fourth byte, then a letter", b"\xf0\x9f\x98x", 4),
    ("a lead instead of a continuation", b"\xe2\xe2\x82\xac", 2),
    ("half a character at the end (1 of 2)", b"\xc3", None),
    ("half a character at the end (1 of 3)", b"\xe2", None),
    ("half a character at the end (2 of 3)", b"\xe2\x82", None),
    ("half a character at the end (1 of 4)", b"\xf0", None),
    ("half a character at the end (2 of 4)", b"\xf0\x9f", None),
    ("half a character at the end (3 of 4)", b"\xf0\x9f\x98", None),
    ("FE", b"\xfe", 1),
    ("FF", b"\xff", 1),
    ("F8, five bytes of old", b"\xf8\x88\x80\x80\x80", 1),
    ("FC, six bytes of old", b"\xfc\x84\x80\x80\x80\x80", 1),
    ("F5", b"\xf5\x80\x80\x80", 1),
    ("F7", b"\xf7\xbf\xbf\xbf", 1),
    ("overlong slash of two bytes", b"\xc0\xaf", 1),
    ("overlong slash of three bytes", b"\xe0\x80\xaf", 2),
    ("overlong slash of four bytes", b"\xf0\x80\x80\xaf", 2),
    ("the largest overlong of two bytes", b"\xc1\xbf", 1),
    ("the largest overlong of three bytes", b"\xe0\x9f\xbf", 2),
    ("the largest overlong of four bytes", b"\xf0\x8f\xbf\xbf", 2),
    ("overlong NUL", b"\xc0\x80", 1),
    ("the first surrogate", b"\xed\xa0\x80", 2),
    ("the last high surrogate", b"\xed\xaf\xbf", 2),
    ("the first low surrogate", b"\xed\xb0\x80", 2),
    ("the last surrogate", b"\xed\xbf\xbf", 2),
    ("a pair of surrogates", b"\xed\xa0\x80\xed\xb0\x80", 2),
    ("just above U+10FFFF", b"\xf4\x90\x80\x80", 2),
    ("far above U+10FFFF", b"\xf4\xbf\xbf\xbf", 2),
]


def good_at_every_split(text):
    """One connection: whole, byte by byte in one frame, and in two fragments cut at each place, a ping between."""
    def body(peer):
        peer.send_frame(TEXT, text)
        peer.expect(TEXT, text)
        peer.send_chopped(frame(TEXT, text), 1, pause=0.0003)
        peer.expect(TEXT, text)
        for cut in range(len(text) + 1):
            peer.send(frame(TEXT, text[:cut], fin=False) + frame(PING, b"?") + frame(CONTINUATION, text[cut:]))
            peer.expect(PONG, b"?")
            peer.expect(TEXT, text)
        peer.send(b"".join(frame(TEXT if i == 0 else CONTINUATION, text[i:i + 1], fin=i == len(text) - 1)
                           for i in range(len(text))))
        peer.expect(TEXT, text)
        # Across the edges of the blocks in which fast validators read.
        for before in (13, 14, 15, 16, 29, 30, 31, 32, 61, 62, 63, 64):
            padded = b"x" * before + text + b"y" * 70
            peer.send_frame(TEXT, padded)
            peer.expect(TEXT, padded)
        peer.close_normally()
    return lambda target: on_open_connection(target, body)


def refused(data, chopped=False):
    def body(peer):
        if chopped:
            peer.send_chopped(data, 1, pause=0.0003)
        else:
            peer.send(data)
        peer.expect_failed(1007)
    return lambda target: on_open_connection(target, body)


def refused_at_every_split(text):
    def run(target):
        for cut in range(len(text) + 1):
            data = frame(TEXT, text[:cut], fin=False) + frame(CONTINUATION, text[cut:])
            on_open_connection(target, lambda peer, data=data: (peer.send(data), peer.expect_failed(1007)))
    return run


def refused_at_every_block_edge(text):
    def run(target):
        for before in (15, 16, 30, 31, 32, 33, 63, 64):
            data = frame(TEXT, b"x" * before + text + b"y" * 70)
            on_open_connection(target, lambda peer, data=data: (peer.send(data), peer.expect_failed(1007)))
    return run


def refused_at_its_proof(text, proof, incomplete_frame):
    """Nothing is said one byte before the proof, and everything with it, though frame and message are incomplete."""
    def body(peer):
        start = KOSME + text
        shown = len(KOSME) + proof
        if incomplete_frame:
            data = frame(TEXT, start + b"and much more that never comes" * 10)
            at = len(data) - len(start) - 300 + shown
            peer.send(data[:at - 1])
            peer.expect_silence()
            peer.send(data[at - 1:at])
        else:
            peer.send_frame(TEXT, start[:shown - 1], fin=False)
            peer.expect_silence()
            peer.send_frame(CONTINUATION, start[shown - 1:shown], fin=False)
        peer.expect_failed(1007)
    return lambda target: on_open_connection(target, body)


for i, (what, text) in enumerate(GOOD):
    add(f"8.1.{i + 1}", f"{what}: comes back at every split", "8.1", good_at_every_split(text))
for i, (what, text, proof) in enumerate(BAD):
    n = i + 1
    add(f"8.2.{n}.1", f"{what}: refused", "8.1", refused(frame(TEXT, text)))
    add(f"8.2.{n}.2", f"{what}, behind good letters: refused", "8.1", refused(frame(TEXT, KOSME + text)))
    add(f"8.2.{n}.3", f"{what}, byte by byte: refused", "8.1", refused(frame(TEXT, KOSME + text), chopped=True))
    add(f"8.2.{n}.4", f"{what}, in two fragments cut anywhere: refused", "8.1", refused_at_every_split(b"a" + text))
    if proof is not None:
        add(f"8.2.{n}.5", f"{what}, before good letters: refused", "8.1", refused(frame(TEXT, text + b"edited")))
        add(f"8.2.{n}.6", f"{what}, at the edges of blocks: refused", "8.1", refused_at_every_block_edge(text))
        add(f"8.3.{n}.1", f"{what}: refused at its {proof}. byte, the frame incomplete", "8.1, 7.1.7",
            refused_at_its_proof(text, proof, incomplete_frame=True))
        add(f"8.3.{n}.2", f"{what}: refused at its {proof}. byte, the message incomplete", "8.1, 7.1.7",
            refused_at_its_proof(text, proof, incomplete_frame=False))


def good_half_then_waits(peer):
    data = frame(TEXT, KOSME)
    peer.send(data[:-1])
    peer.expect_silence()
    peer.send(data[-1:])
    peer.expect(TEXT, KOSME)
    peer.send_frame(TEXT, KOSME[:3], fin=False)
    peer.expect_silence()
    peer.send_frame(CONTINUATION, KOSME[3:])
    peer.expect(TEXT, KOSME)
    peer.close_normally()


add("8.4.1", "half a character is no error while more may come", "8.1",
    lambda target: on_open_connection(target, good_half_then_waits))


def binary_is_free(peer):
    for _, text, _ in BAD:
        peer.send_frame(2, text)
        peer.expect(2, text)
    peer.send(frame(2, b"\xff", fin=False) + frame(CONTINUATION, b"\xfe"))
    peer.expect(2, b"\xff\xfe")
    peer.send_frame(TEXT, KOSME)
    peer.expect(TEXT, KOSME)
    peer.close_normally()


add("8.4.2", "binary messages need not be UTF-8", "5.6", lambda target: on_open_connection(target, binary_is_free))
