"""A WebSocket client for testing servers: it can break every rule itself, and forgives the server nothing.

Everything is RFC 6455, and 7692 where a case asks for it, by hand over a blocking socket. `Peer` sends frames exactly
as told, right or wrong, and reads the server's answer strictly: a masked frame, a reserved bit, a length that is not
minimal, bad UTF-8 or a stray continuation in what the server sends is a `Failure`, whatever the case was about.
"""
import base64
import hashlib
import os
import socket
import ssl
import struct
import time
import zlib

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
ANSWER_SECONDS = 10.0    # how long a server may take to answer; generous, the machine may be busy
SILENCE_SECONDS = 0.15   # how long we listen to make sure that it says nothing


class Failure(Exception):
    """The server broke a rule."""


def accept_of(key):
    return base64.b64encode(hashlib.sha1(key + GUID).digest())


def frame(opcode, payload=b"", *, fin=True, rsv=0, masked=True, key=None, length_form=None, length=None):
    """One client frame. length_form: 7, 16 or 64 forces a form, right or wrong; length: what it says instead."""
    length = len(payload) if length is None else length
    form = length_form or (7 if length < 126 else 16 if length < 65536 else 64)
    first = (0x80 if fin else 0) | rsv << 4 | opcode
    mask_bit = 0x80 if masked else 0
    if form == 7:
        head = struct.pack("!BB", first, mask_bit | length)
    elif form == 16:
        head = struct.pack("!BBH", first, mask_bit | 126, length)
    else:
        head = struct.pack("!BBQ", first, mask_bit | 127, length)
    if not masked:
        return head + payload
    key = os.urandom(4) if key is None else key
    return head + key + masked_bytes(payload, key)


def masked_bytes(payload, key):
    size = len(payload)
    wide = (key * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(wide, "big")).to_bytes(size, "big")


def close_payload(code=None, reason=b""):
    return b"" if code is None else struct.pack("!H", code) + reason


class Response:
    """An HTTP response head, and what follows it."""

    def __init__(self, head, rest):
        lines = head.decode("latin-1").split("\r\n")
        version, _, status = lines[0].partition(" ")
        if not version.startswith("HTTP/1."):
            raise Failure(f"the status line is {lines[0]!r}")
        self.version = version
        self.status = int(status[:3])
        self.fields = []
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            if not colon or name != name.strip() or not name:
                raise Failure(f"the response has a malformed field {line!r}")
            self.fields.append((name.lower(), value.strip()))
        self.rest = rest

    def all(self, name):
        return [value for key, value in self.fields if key == name.lower()]

    def one(self, name):
        values = self.all(name)
        if len(values) != 1:
            raise Failure(f"the response has {len(values)} {name} fields, not 1")
        return values[0]

    def tokens(self, name):
        return [token.strip().lower() for value in self.all(name) for token in value.split(",")]


class TlsBytes:
    """TLS over a blocking socket, which stays at hand for what TLS does not know: half an end, a reset."""

    def __init__(self, sock, context):
        self.socket = sock
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.object = context.wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")
        while True:
            try:
                self.object.do_handshake()
                self.socket.sendall(self.outgoing.read())
                return
            except ssl.SSLWantReadError:
                self.socket.sendall(self.outgoing.read())
                data = self.socket.recv(1 << 16)
                if not data:
                    raise Failure("the server ended the TLS handshake") from None
                self.incoming.write(data)

    def sendall(self, data):
        if data:
            self.object.write(data)
            self.socket.sendall(self.outgoing.read())

    def recv(self, size):
        while True:
            try:
                return self.object.read(size)
            except ssl.SSLZeroReturnError:
                return b""
            except ssl.SSLWantReadError:
                data = self.socket.recv(size)
                if not data:
                    raise Failure("the server ended without saying so in TLS") from None
                self.incoming.write(data)


class Peer:
    """One connection. Use as a context manager: the socket is closed at its end."""

    def __init__(self, target):
        self.target = target
        self.socket = socket.create_connection((target.host, target.port), timeout=ANSWER_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.bytes = TlsBytes(self.socket, target.tls) if target.tls else self.socket
        self.buffer = b""
        self.ended = False  # the server closed, or reset
        self.deflate = None  # what was agreed: {parameter: value}
        self.packed_messages = 0  # that came from the server with RSV1

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    # -- bytes --

    def send(self, data):
        """Sends all of it. A server that has closed meanwhile is no failure of sending: the reading will tell."""
        try:
            self.socket.settimeout(ANSWER_SECONDS)
            self.bytes.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass
        except TimeoutError:
            raise Failure(f"the server took no more input for {ANSWER_SECONDS:.0f} s") from None

    def send_chopped(self, data, size, pause=0.0):
        """Sends `size` bytes at a time, so that the server meets every kind of partial read."""
        for at in range(0, len(data), size):
            self.send(data[at:at + size])
            if pause:
                time.sleep(pause)

    def fill(self, deadline):
        """Reads more into the buffer; False when the server has closed. Failure when nothing comes in time."""
        if self.ended:
            return False
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self.socket.settimeout(left)
        try:
            data = self.bytes.recv(1 << 18)
        except ConnectionResetError:
            data = b""
        self.ended = not data
        self.buffer += data
        return bool(data)

    def read_exactly(self, size, deadline):
        while len(self.buffer) < size:
            if not self.fill(deadline):
                raise Failure(f"the connection ended in the middle of a frame, {size - len(self.buffer)} bytes early"
                              if self.buffer else "the connection ended where a frame was expected")
        taken, self.buffer = self.buffer[:size], self.buffer[size:]
        return taken

    # -- the handshake --

    def request(self, changes=(), *, line=None, path=None, key=b"dGhlIHNhbXBsZSBub25jZQ=="):
        """A good upgrade request, except for `changes`: (name, value) replaces or adds, (name, None) leaves out."""
        fields = {"Host": self.target.authority(), "Upgrade": "websocket", "Connection": "Upgrade",
                  "Sec-WebSocket-Key": key.decode("latin-1"), "Sec-WebSocket-Version": "13"}
        for name, value in changes:
            fields[name] = value
        lines = [line or f"GET {path or self.target.path} HTTP/1.1"]
        for name, value in fields.items():
            for each in value if isinstance(value, list) else [value]:
                if each is not None:
                    lines.append(f"{name}: {each}")
        return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"

    def read_response(self, seconds=ANSWER_SECONDS):
        deadline = time.monotonic() + seconds
        try:
            while b"\r\n\r\n" not in self.buffer:
                if not self.fill(deadline):
                    raise Failure("the connection ended before a whole response head" if self.buffer
                                  else "the connection was closed without any response")
        except TimeoutError:
            raise Failure(f"no response within {seconds:.0f} s") from None
        head, _, rest = self.buffer.partition(b"\r\n\r\n")
        self.buffer = rest
        return Response(head, rest)

    def upgrade(self, changes=(), **more):
        """The whole opening handshake, checked."""
        key = base64.b64encode(os.urandom(16))
        self.send(self.request(changes, key=key, **more))
        response = self.read_response()
        check_upgraded(response, key)
        return response

    def offer_deflate(self, offer="permessage-deflate"):
        """The opening handshake with an offer; what was agreed, None if it was declined."""
        key = base64.b64encode(os.urandom(16))
        self.send(self.request([("Sec-WebSocket-Extensions", offer)], key=key))
        response = self.read_response()
        self.deflate = deflate_answer(response, offer)
        response.fields = [(name, value) for name, value in response.fields if name != "sec-websocket-extensions"]
        check_upgraded(response, key)
        return self.deflate

    def unpack(self, payload):
        """Strictly: within the window that was agreed (zlib forgets what lies before it once it is called again)."""
        window_bits = int(self.deflate.get("server_max_window_bits", 15))
        inflate = zlib.decompressobj(-window_bits)
        parts = []
        try:
            for piece in (payload, b"\x00\x00\xff\xff"):
                while piece and not inflate.eof:
                    parts.append(inflate.decompress(piece, 16 if window_bits < 15 else 1 << 20))
                    piece = inflate.unconsumed_tail
            message = b"".join(parts)
        except zlib.error as error:
            raise Failure(f"what the server packed does not unpack: {error}") from None
        if inflate.eof and inflate.unused_data not in (b"", b"\x00"):
            raise Failure("the server packed more than one stream into a message")
        return message

    # -- frames --

    def send_frame(self, opcode, payload=b"", **how):
        self.send(frame(opcode, payload, **how))

    def read_frame(self, seconds=ANSWER_SECONDS):
        """(fin, opcode, payload); None when the server closed the connection between two frames."""
        deadline = time.monotonic() + seconds
        try:
            if not self.buffer and not self.fill(deadline):
                return None
            first, second = self.read_exactly(2, deadline)
            fin, opcode, length = bool(first & 0x80), first & 0x0F, second & 0x7F
            self.packed = bool(first & 0x40)
            if first & 0x70 and not (self.deflate is not None and first & 0x70 == 0x40 and opcode in (TEXT, BINARY)):
                raise Failure(f"the server set reserved bits: first byte {first:#04x}")
            if opcode not in (CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG):
                raise Failure(f"the server used the reserved opcode {opcode:#x}")
            if second & 0x80:
                raise Failure("the server masked a frame")
            if opcode >= 8 and (not fin or length > 125):
                raise Failure("the server sent a control frame that is fragmented or longer than 125 bytes")
            if length == 126:
                length = struct.unpack("!H", self.read_exactly(2, deadline))[0]
                if length < 126:
                    raise Failure(f"the server wrote the length {length} in 16 bits")
            elif length == 127:
                length = struct.unpack("!Q", self.read_exactly(8, deadline))[0]
                if length < 65536 or length >> 63:
                    raise Failure(f"the server wrote the length {length} in 64 bits")
            return fin, opcode, self.read_exactly(length, deadline)
        except TimeoutError:
            raise Failure(f"nothing came from the server within {seconds:.0f} s") from None

    def read_message(self, seconds=ANSWER_SECONDS):
        """The next (opcode, payload), its fragments joined; control frames between them wait in `set_aside`.
        None at the connection's end."""
        parts, begun, packed = [], None, False
        while True:
            got = self.read_frame(seconds)
            if got is None:
                if begun is not None:
                    raise Failure("the connection ended within a fragmented message")
                return None
            fin, opcode, payload = got
            if opcode >= 8:
                if begun is not None:
                    raise Failure("the server put a control frame amid its fragments; this suite does not expect that")
                return opcode, payload
            if (opcode == CONTINUATION) != (begun is not None):
                raise Failure("the server broke the order of fragments")
            if begun is None:
                begun, packed = opcode, self.packed
            parts.append(payload)
            if fin:
                whole = b"".join(parts)
                if packed:
                    self.packed_messages += 1
                    whole = self.unpack(whole)
                if begun == TEXT:
                    try:
                        whole.decode("utf-8")
                    except UnicodeDecodeError:
                        raise Failure("the server sent text that is not UTF-8") from None
                return begun, whole

    # -- expectations --

    def expect(self, opcode, payload):
        got = self.read_message()
        if got is None:
            raise Failure(f"the connection ended; {describe(opcode, payload)} was expected")
        if got != (opcode, payload):
            raise Failure(f"got {describe(*got)}; {describe(opcode, payload)} was expected")

    def expect_silence(self, seconds=SILENCE_SECONDS):
        try:
            if self.buffer or self.fill(time.monotonic() + seconds):
                raise Failure(f"the server spoke too soon: {self.buffer[:40]!r}")
        except TimeoutError:
            return
        raise Failure("the server closed the connection too soon")

    def expect_close(self, *codes):
        """A close frame with one of the codes (None: an empty one), then the end of the connection."""
        got = self.read_message()
        if got is None:
            raise Failure(f"the connection ended without a close frame; {wanted(codes)} was expected")
        opcode, payload = got
        if opcode != CLOSE:
            raise Failure(f"got {describe(opcode, payload)}; a close frame with {wanted(codes)} was expected")
        if len(payload) == 1:
            raise Failure("the server's close frame has a payload of one byte")
        code = struct.unpack("!H", payload[:2])[0] if payload else None
        try:
            reason = payload[2:].decode("utf-8")
        except UnicodeDecodeError:
            raise Failure("the reason in the server's close frame is not UTF-8") from None
        if code not in codes:
            raise Failure(f"closed with {code} ({reason!r}); {wanted(codes)} was expected")
        return reason

    def expect_end(self):
        got = self.read_frame()
        if got is not None:
            raise Failure(f"got {describe(got[1], got[2])} after the close frame")

    def expect_failed(self, *codes):
        """The server fails the connection: close frame, end; whatever we still send changes nothing."""
        self.expect_close(*codes)
        self.expect_end()

    def close_normally(self):
        """Ends a case that went well: our close, its reply, the end."""
        self.send_frame(CLOSE, close_payload(1000))
        self.expect_failed(1000)


def check_upgraded(response, key):
    if response.status != 101:
        raise Failure(f"the handshake was answered {response.status}, not 101")
    if response.version != "HTTP/1.1":
        raise Failure(f"101 came in {response.version}")
    if response.tokens("Upgrade") != ["websocket"]:
        raise Failure(f"Upgrade is {response.all('Upgrade')}")
    if "upgrade" not in response.tokens("Connection"):
        raise Failure(f"Connection is {response.all('Connection')}")
    if response.one("Sec-WebSocket-Accept").encode() != accept_of(key):
        raise Failure("Sec-WebSocket-Accept does not fit the key")
    if response.all("Sec-WebSocket-Extensions"):
        raise Failure("the server uses an extension")
    if response.all("Content-Length") or response.all("Transfer-Encoding"):
        raise Failure("101 announces a body")  # RFC 9110 section 8.6 and RFC 9112 section 6.1


def deflate_answer(response, offer):
    """What the server agreed to, judged by RFC 7692 section 7.1; None: it declined."""
    answers = [element.strip() for value in response.all("Sec-WebSocket-Extensions") for element in value.split(",")]
    if not answers:
        return None
    name, *rest = [part.strip() for part in answers[0].split(";")]
    if len(answers) > 1 or name != "permessage-deflate":
        raise Failure(f"the server answered {answers} to an offer of permessage-deflate")
    agreed = {}
    for part in rest:
        key, equals, value = [text.strip() for text in part.partition("=")]
        if key in agreed:
            raise Failure(f"the server repeats {key}")
        agreed[key] = value if equals else None
        if key.endswith("_no_context_takeover"):
            good = not equals
        else:
            good = key in ("server_max_window_bits", "client_max_window_bits") and value in map(str, range(8, 16))
        if not good:
            raise Failure(f"the server answered with {part!r}")
    if "client_max_window_bits" in agreed and "client_max_window_bits" not in offer:
        raise Failure("the server limits a window that was not offered to be limited")
    return agreed


def pack(message, window_bits=15, level=6, final=False):
    """A message as a client packs it: without the last four bytes, or in a final block."""
    deflate = zlib.compressobj(level, zlib.DEFLATED, -window_bits)
    if final:
        return deflate.compress(message) + deflate.flush(zlib.Z_FINISH) + b"\x00"
    return (deflate.compress(message) + deflate.flush(zlib.Z_SYNC_FLUSH))[:-4]


def describe(opcode, payload):
    name = {0: "a continuation", 1: "a text", 2: "a binary", 8: "a close", 9: "a ping", 10: "a pong"}[opcode]
    shown = payload[:32]
    return f"{name} of {len(payload)} bytes {shown!r}{'…' if len(payload) > 32 else ''}"


def wanted(codes):
    return " or ".join("no code" if code is None else str(code) for code in codes)
