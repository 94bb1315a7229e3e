"""A WebSocket client of the fewest lines: text messages over a blocking socket, for the probe of the flood."""
import base64
import os
import socket
import struct

from harness.process import BenchError


class Client:
    def __init__(self, port, path):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall((f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
                             "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                             f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n").encode())
        while b"\r\n\r\n" not in self.buffer:
            self._more()
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        if not head.startswith(b"HTTP/1.1 101"):
            raise BenchError(f"the probe was refused: {head.splitlines()[0].decode('latin-1')}")
        self.socket.settimeout(None)  # from here on close() ends what waits

    def _more(self):
        data = self.socket.recv(65536)
        if not data:
            raise BenchError("the probe's connection was closed")
        self.buffer += data

    def _take(self, count):
        while len(self.buffer) < count:
            self._more()
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def send(self, payload, opcode=1):
        """One masked frame; the probe's are short."""
        mask = os.urandom(4)
        if len(payload) > 125:
            raise ValueError("the probe sends short messages only")
        masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
        self.socket.sendall(struct.pack("!BB", 0x80 | opcode, 0x80 | len(payload)) + mask + masked)

    def receive(self):
        """The next text message; pings are answered on the way."""
        while True:
            first, second = self._take(2)
            length = second & 0x7F
            if length == 126:
                length = struct.unpack("!H", self._take(2))[0]
            elif length == 127:
                length = struct.unpack("!Q", self._take(8))[0]
            payload = self._take(length)
            if first & 0x0F == 1:
                return payload
            if first & 0x0F == 9:
                self.send(payload, opcode=10)
            if first & 0x0F == 8:
                raise BenchError("the probe's connection was closed by the node")

    def close(self):
        """Also from another thread: whoever waits to receive or send gets an error."""
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()
