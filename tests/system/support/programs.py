"""The product's own programs in the background, and what may stand between them and a node."""
import asyncio
import signal

from support.node import die_with_parent, environment, run_program
from support.runner import Settings, eventually, scaled


def url(node):
    return f"ws://127.0.0.1:{node.port}"


class Subscriber:
    """`ringcast sub` in the background; what it printed so far is in `lines`, what it remarked in `remarks`."""

    def __init__(self, node, *arguments, query=""):
        self._arguments = ["sub", "--url", url(node) + query, *map(str, arguments)]
        self.lines, self.remarks, self.status = [], [], None

    async def __aenter__(self):
        self._process = await asyncio.create_subprocess_exec(
            Settings.ringcast, *self._arguments, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE, env=environment(), preexec_fn=die_with_parent)
        self._reading = asyncio.gather(self._read(self._process.stdout, self.lines),
                                       self._read(self._process.stderr, self.remarks), self._wait())
        return self

    @staticmethod
    async def _read(stream, into):
        async for line in stream:
            into.append(line.decode(errors="replace").rstrip("\n"))

    async def _wait(self):
        self.status = await self._process.wait()

    async def __aexit__(self, *_):
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(self._reading, scaled(10))

    async def is_subscribed(self, node, channel, *flags):
        """Publishes until something arrives; what was published before that is not counted on."""
        async def arrived():
            await run_program("pub", "--quiet", "--url", url(node), channel, '"probe"', *flags)
            return self.lines
        await eventually(arrived, "the subscriber has subscribed", 15)


class Proxy:
    """Stands before a node, in the place of one: a port that passes everything on, and can cut what goes through it."""

    def __init__(self, node):
        self._node = node
        self._writers = []
        self._tasks = set()
        self._held = False
        self.accepted = 0
        self.port = None

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self._server.close()
        self.cut()
        for task in list(self._tasks):
            task.cancel()
        await self._server.wait_closed()

    def hold(self):
        """Nobody gets through any more."""
        self._held = True

    def release(self):
        self._held = False

    def cut(self):
        """Every connection is gone, without a word."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _serve(self, reader, writer):
        if self._held:
            writer.transport.abort()
            return
        self.accepted += 1
        self._tasks.add(asyncio.current_task())
        try:
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._node.port)
        except OSError:
            writer.transport.abort()
            return
        self._writers += [writer, there_writer]
        await asyncio.gather(self._pass(reader, there_writer), self._pass(there_reader, writer))
        self._tasks.discard(asyncio.current_task())

    @staticmethod
    async def _pass(reader, writer):
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        writer.close()
