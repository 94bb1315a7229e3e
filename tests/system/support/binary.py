"""A client of the binary dialect on python3-websockets; records are read and written by `struct`, as docs/binary.md
says."""
import asyncio
import json
import struct

from support.native import REPLY_SECONDS, open_socket
from support.runner import equal, require, scaled

HEADER = struct.Struct("<BBHIQQIBBBB")
MESSAGE, GAP, PUBLISHED, ERROR, PUBLISH = 1, 2, 3, 4, 64
SNAPSHOT, ANSWER, HIGH, DUPLICATE = 1, 2, 4, 8
SUBPROTOCOL = "ringcast.v1.bin"


def publish_record(channel, data, request=0, flags=0, event="", message_id="", as_of=None, **header):
    """One publish. `header` overrides fields: version, kind, channel_id, time_ns, payload_bytes."""
    channel, event, message_id = channel.encode(), event.encode(), message_id.encode()
    extra = b"" if as_of is None else struct.pack("<Q", as_of)
    payload = extra + channel + event + message_id + data
    return HEADER.pack(header.get("version", 1), header.get("kind", PUBLISH), flags, header.get("channel_id", 0),
                       request, header.get("time_ns", 0), header.get("payload_bytes", len(payload)), len(channel),
                       len(event), len(message_id), len(extra)) + payload


class Record:
    """One record that was received."""

    def __init__(self, data, at):
        require(len(data) - at >= HEADER.size, "a whole header")
        fields = HEADER.unpack_from(data, at)
        version, self.kind, self.flags, self.channel_id, self.seq, self.time_ns, size, *parts = fields
        equal(version, 1, "the version of a record")
        channel_bytes, event_bytes, message_id_bytes, extra_bytes = parts
        at += HEADER.size
        self.end = at + size
        require(self.end <= len(data), "a whole record")
        self.extra, at = data[at:at + extra_bytes], at + extra_bytes
        self.channel, at = data[at:at + channel_bytes].decode(), at + channel_bytes
        self.event, at = data[at:at + event_bytes].decode(), at + event_bytes
        self.message_id, at = data[at:at + message_id_bytes].decode(), at + message_id_bytes
        self.data = data[at:self.end]
        if self.kind == PUBLISHED:
            self.request, self.epoch = struct.unpack("<QQ", self.extra)
        elif self.kind == ERROR:
            self.request, self.code, self.retry_after_ms = struct.unpack("<QII", self.extra)
        elif self.kind == GAP:
            self.to, self.epoch, self.reason, _ = struct.unpack("<QQII", self.extra)


class Binary:
    """One connection. Records that come in one message are kept, and given one by one."""

    def __init__(self, node, path="/ws/connect", **options):
        self._node, self._path = node, path
        self._options = {"subprotocols": [SUBPROTOCOL], **options}
        self.socket = None
        self._records = []

    async def __aenter__(self):
        self.socket = await open_socket(self._node, self._path, **self._options)
        equal(self.socket.subprotocol, SUBPROTOCOL, "the subprotocol that was chosen")
        equal((await self.reply())["type"], "welcome", "the first message")
        return self

    async def __aexit__(self, *_):
        await self.socket.close()

    async def send(self, *records):
        await self.socket.send(b"".join(records))

    async def command(self, **members):
        await self.socket.send(json.dumps(members))
        return await self.reply()

    async def reply(self):
        """The next message, which must be JSON text."""
        text = await asyncio.wait_for(self.socket.recv(), scaled(REPLY_SECONDS))
        require(isinstance(text, str), f"replies to commands are text; got {text!r}")
        return json.loads(text)

    async def record(self, seconds=REPLY_SECONDS):
        """The next record."""
        if not self._records:
            message = await asyncio.wait_for(self.socket.recv(), scaled(seconds))
            require(isinstance(message, bytes), f"records come in binary messages; got {message!r}")
            at = 0
            while at < len(message):
                self._records.append(Record(message, at))
                at = self._records[-1].end
        return self._records.pop(0)

    async def subscribe(self, *channels, **more):
        answer = await self.command(type="subscribe", id="s", channels=list(channels), **more)
        equal(answer.get("type"), "subscribed", f"the answer to a subscribe, {answer}")
        return {entry["channel"]: entry for entry in answer["channels"]}

    async def publish(self, channel, data, request=1, **more):
        """Publishes and waits for the acknowledgement, which is the next record to arrive."""
        await self.send(publish_record(channel, data, request, ANSWER, **more))
        published = await self.record()
        equal((published.kind, published.request), (PUBLISHED, request), "the answer to a publish")
        return published
