"""A client of the native JSON dialect on python3-websockets, which nobody here wrote."""
import asyncio
import contextlib
import json

import websockets

from support.runner import equal, require, scaled

REPLY_SECONDS = 5


async def open_socket(node, path="/ws/connect", **options):
    """A connection as websockets makes it, without its own pings and size limits."""
    options.setdefault("ping_interval", None)
    options.setdefault("compression", None)
    options.setdefault("max_size", None)
    options.setdefault("max_queue", None)
    options.setdefault("open_timeout", scaled(REPLY_SECONDS * 2))
    options.setdefault("close_timeout", scaled(REPLY_SECONDS))
    return await websockets.connect(node.url(path), **options)


@contextlib.asynccontextmanager
async def connected(node, path="/ws/connect", **options):
    """The same, closed at the end."""
    socket = await open_socket(node, path, **options)
    try:
        yield socket
    finally:
        await socket.close()


class Native:
    """One connection; `await Native.open(node)` or `async with Native(node) as client`."""

    def __init__(self, node, path="/ws/connect", **options):
        self._node, self._path, self._options = node, path, options
        self.socket = None
        self.welcome = None
        self.text = None  # the last message, as it came

    async def __aenter__(self):
        self.socket = await open_socket(self._node, self._path, **self._options)
        if self._path.startswith("/ws/connect"):
            self.welcome = await self.expect(type="welcome")
        return self

    async def __aexit__(self, *_):
        await self.socket.close()

    async def send(self, **members):
        await self.socket.send(json.dumps(members, separators=(",", ":")))

    async def receive(self, seconds=REPLY_SECONDS):
        self.text = await asyncio.wait_for(self.socket.recv(), scaled(seconds))
        require(isinstance(self.text, str), "the native dialect speaks in text messages")
        return json.loads(self.text)

    async def expect(self, **members):
        """The next message, which must have these members."""
        message = await self.receive()
        for name, value in members.items():
            equal(message.get(name), value, f"member {name} of {self.text}")
        return message

    async def request(self, **members):
        await self.send(**members)
        return await self.receive()

    async def subscribe(self, *channels):
        answer = await self.request(type="subscribe", id="s", channels=list(channels))
        equal(answer.get("type"), "subscribed", f"the answer to a subscribe, {self.text}")
        return {entry["channel"]: entry for entry in answer["channels"]}

    async def publish(self, channel, data, **more):
        """Publishes and waits for the acknowledgement, which is the next message to arrive."""
        await self.send(type="publish", id="p", channel=channel, data=data, **more)
        return await self.expect(type="published", channel=channel)

    async def is_quiet(self):
        """True if nothing is on its way: what was caused before this ping would have come before its pong."""
        await self.send(type="ping", id="quiet")
        return (await self.receive()).get("type") == "pong"

    async def close_code(self, seconds=REPLY_SECONDS):
        """Reads to the end of the connection; the code of the server's close frame."""
        async def drain():
            try:
                while True:
                    await self.socket.recv()
            except websockets.ConnectionClosed as closed:
                return closed.rcvd.code if closed.rcvd else None
        return await asyncio.wait_for(drain(), scaled(seconds))
