"""WebSocket by hand over a plain socket: for what a well-behaved client would never send, or never read.

Blocking, with a time limit on every call; a case that needs others at the same time runs it in asyncio.to_thread.
"""
import os
import socket
import struct

from support.runner import require, scaled

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
KEY = "dGhlIHNhbXBsZSBub25jZQ=="  # RFC 6455 section 1.3
REPLY_SECONDS = 5


def connect(port, receive_buffer=None):
    sock = socket.socket()
    sock.settimeout(scaled(REPLY_SECONDS))
    if receive_buffer is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    sock.connect(("127.0.0.1", port))
    return sock


def read_to_end(sock, bytes_max=1 << 20):
    """Everything until the other side closes; a reset ends it as well."""
    data = b""
    while len(data) < bytes_max:
        try:
            piece = sock.recv(65536)
        except ConnectionResetError:
            return data
        if not piece:
            return data
        data += piece
    return data


def read_head(sock):
    """The head of a response, with its empty line, and what came behind it."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = sock.recv(65536)
        require(piece != b"", f"a whole response head; got {data!r}")
        data += piece
    head, _, rest = data.partition(b"\r\n\r\n")
    return head.decode("latin-1"), rest


def request(port, text):
    """Sends a request that is refused; (status, fields with lower-case names, body)."""
    with connect(port) as sock:
        sock.sendall(text)
        return parse_response(read_to_end(sock))


def parse_response(data):
    require(data.startswith(b"HTTP/1.1 "), f"an HTTP response; got {data[:200]!r}")
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    fields = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        fields[name.lower()] = value.strip()
    return int(lines[0].split()[1]), fields, body


def handshake_text(path="/ws/connect", host="localhost", **fields):
    """An upgrade request. A field of None leaves a default out; `_` in a name stands for `-`."""
    all_fields = {"Host": host, "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": KEY,
                  "Sec-WebSocket-Version": "13"}
    for name, value in fields.items():
        all_fields[name.replace("_", "-")] = value
    lines = [f"GET {path} HTTP/1.1"] + [f"{name}: {value}" for name, value in all_fields.items() if value is not None]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def frame(opcode, payload=b"", final=True, masked=True, reserved=0, length_bytes=None):
    """One frame; `length_bytes` forces a longer form of the length than needed."""
    if isinstance(payload, str):
        payload = payload.encode()
    first = (0x80 if final else 0) | (reserved << 4) | opcode
    size, mask_bit = len(payload), 0x80 if masked else 0
    if length_bytes == 8 or (length_bytes is None and size > 0xFFFF):
        head = struct.pack("!BBQ", first, mask_bit | 127, size)
    elif length_bytes == 2 or (length_bytes is None and size > 125):
        head = struct.pack("!BBH", first, mask_bit | 126, size)
    else:
        head = struct.pack("!BB", first, mask_bit | size)
    if not masked:
        return head + payload
    mask = os.urandom(4)
    return head + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))


class RawClient:
    """A connection after its handshake, frame by frame."""

    def __init__(self, port, path="/ws/connect", receive_buffer=None, **fields):
        self.sock = connect(port, receive_buffer)
        self._data = b""
        self.sock.sendall(handshake_text(path, **fields))
        self.head, self._data = read_head(self.sock)
        require(self.head.startswith("HTTP/1.1 101 "), f"an upgrade; got {self.head}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send(self, *frames):
        self.sock.sendall(b"".join(frames))

    def send_text(self, text):
        self.send(frame(TEXT, text))

    def _take(self, count):
        while len(self._data) < count:
            try:
                piece = self.sock.recv(65536)
            except ConnectionResetError:
                piece = b""
            if not piece:
                return None
            self._data += piece
        taken, self._data = self._data[:count], self._data[count:]
        return taken

    def receive(self):
        """(opcode, payload) of the next frame, or None once the connection is over."""
        head = self._take(2)
        if head is None:
            return None
        require(head[0] & 0x70 == 0, "a server sets no reserved bits")
        require(head[1] & 0x80 == 0, "a server's frames are not masked")
        size = head[1] & 0x7F
        if size == 126:
            size = struct.unpack("!H", self._take(2))[0]
            require(size > 125, "a length has its shortest form")
        elif size == 127:
            size = struct.unpack("!Q", self._take(8))[0]
            require(size > 0xFFFF, "a length has its shortest form")
        payload = self._take(size) if size else b""
        return None if payload is None else (head[0] & 0x0F, payload)

    def receive_until(self, opcode):
        """The payload of the next frame with this opcode; others are skipped. None if the connection ends before."""
        while True:
            received = self.receive()
            if received is None or received[0] == opcode:
                return None if received is None else received[1]

    def close_code(self):
        """The code of the server's close frame; 1005 if it has none, None if there was no close frame."""
        payload = self.receive_until(CLOSE)
        if payload is None:
            return None
        return struct.unpack("!H", payload[:2])[0] if len(payload) >= 2 else 1005
