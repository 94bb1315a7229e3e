"""A node: the real program, on a free port of 127.0.0.1, under a name of its own.

    async with Node(shards=2, config="[limits]\nconnections = 5\n") as node:
        ... node.port, node.url("/ws"), node.pid, node.log()

Leaving the block asks the node to end and fails the case if it does not end by itself with status 0, or if its log has
the traces of a broken invariant or a sanitizer. A node that the case itself stopped or killed is left as it is.
"""
import asyncio
import ctypes
import itertools
import os
import pathlib
import random
import re
import signal
import socket
import tempfile

from support.runner import Settings, equal, eventually, require, scaled

FAULTS = re.compile(r"invariant broken|AddressSanitizer|LeakSanitizer|ThreadSanitizer|runtime error:|terminate called")
SEGMENTS = pathlib.Path("/dev/shm")
_count = itertools.count(1)


LIBC = ctypes.CDLL(None, use_errno=True)
PR_SET_PDEATHSIG = 1


def die_with_parent():
    """In the child: a test that is killed leaves no node behind."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def free_port():
    """A port that is free now, below those that the kernel gives to outgoing connections."""
    while True:
        port = random.randrange(20000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def is_free(port):
    """May a listener be bound? The kernel takes a killed process's rings, and their sockets, apart a moment later."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen()
            return True
        except OSError:
            return False


def unique_name():
    return f"test-{os.getpid()}-{next(_count)}"


CONFIGURES = re.compile("RINGCAST_|WEBSOCKET_|MEMORY_.*_THRESHOLD$|MESSAGE_BATCH_|DEDUPE_CACHE_SIZE$|JWT_SECRET$")


def environment(**more):
    """Ours without anything that configures a node."""
    kept = {key: value for key, value in os.environ.items() if not CONFIGURES.match(key)}
    return {**kept, **more}


async def run_program(*arguments, seconds=10, stdin=None, **more):
    """Runs the program to its end; (exit status, stdout, stderr)."""
    process = await asyncio.create_subprocess_exec(
        Settings.ringcast, *map(str, arguments), stdin=asyncio.subprocess.PIPE if stdin is not None else
        asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env=environment(**more), preexec_fn=die_with_parent)
    try:
        out, err = await asyncio.wait_for(process.communicate(stdin), scaled(seconds))
    except BaseException:
        process.kill()
        await process.wait()
        raise
    return process.returncode, out.decode(errors="replace"), err.decode(errors="replace")


class Node:
    def __init__(self, *flags, shards=1, config="", port=None, name=None, variables=None, before_exec=None,
                 admin="off"):
        self.port = port or free_port()
        self.name = name or unique_name()
        self.pid = None
        self._flags = ["--name", self.name, "--listen", f"127.0.0.1:{self.port}", "--admin", admin,
                       "--shards", str(shards), *flags]
        self._config = config
        self._variables = variables or {}
        self._before_exec = before_exec
        self._process = None
        self._directory = tempfile.TemporaryDirectory(prefix="ringcast-system-")
        self._log = pathlib.Path(self._directory.name) / "log"
        self.configuration = pathlib.Path(self._directory.name) / "node.toml"

    def url(self, path="/ws/connect"):
        return f"ws://127.0.0.1:{self.port}{path}"

    def log(self):
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def segment(self):
        return SEGMENTS / f"ringcast.{self.name}"

    def resident_bytes(self):
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"^VmRSS:\s+(\d+) kB", status, re.M).group(1)) * 1024

    def threads_and_descriptors(self):
        process = pathlib.Path(f"/proc/{self.pid}")
        return len(list((process / "task").iterdir())), len(list((process / "fd").iterdir()))

    def processor_seconds(self):
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")  # utime and stime

    async def launch(self):
        """Starts the program and does not wait for it to be ready."""
        flags = list(self._flags)
        if self._config:
            self.configuration.write_text(self._config)
            flags += ["--config", str(self.configuration)]

        def before_exec():
            die_with_parent()
            if self._before_exec is not None:
                self._before_exec()
        with self._log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                Settings.ringcast, "serve", *flags, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
                env=environment(**self._variables), preexec_fn=before_exec)
        self.pid = self._process.pid

    async def start(self):
        await self.launch()

        def listens():
            require(self._process.returncode is None, f"the node starts; it said: {self.log()}")
            return "listening on " in self.log()
        try:
            await eventually(listens, "the node says that it listens", 15)
        except BaseException:
            self.kill_now()
            raise

    async def wait(self, seconds=15):
        """Waits for the node to end by itself; its exit status."""
        try:
            return await asyncio.wait_for(self._process.wait(), scaled(seconds))
        except asyncio.TimeoutError:
            raise AssertionError(f"the node ends within {seconds} s; its log: {self.log()[-2000:]}") from None

    async def stop(self, with_signal=signal.SIGTERM, seconds=15):
        """Asks the node to end; it must do so by itself, with status 0."""
        self._process.send_signal(with_signal)
        status = await self.wait(seconds)
        equal(status, 0, f"the exit status of a node that was asked to end; its log: {self.log()[-2000:]}")

    def write_config(self, text):
        """As a whole: nobody reads half of it."""
        beside = self.configuration.with_suffix(".new")
        beside.write_text(text)
        beside.rename(self.configuration)

    async def reload(self, text=None, seconds=5):
        """Writes the configuration anew and asks the node to read it again: 'config_reloaded' or 'config_refused', and
        what it said about it."""
        if text is not None:
            self.write_config(text)
        said = len(self.log())
        self._process.send_signal(signal.SIGHUP)
        outcome = await eventually(lambda: re.search(r"config_reloaded|config_refused", self.log()[said:]),
                                   "the node says what became of the reload", seconds)
        return outcome.group(), self.log()[said:]

    async def kill(self):
        """kill -9."""
        self._process.kill()
        await self._process.wait()

    def kill_now(self):
        if self._process is not None and self._process.returncode is None:
            self._process.kill()

    @property
    def running(self):
        return self._process is not None and self._process.returncode is None

    async def __aenter__(self):
        await self.start()
        return self

    async def __aexit__(self, kind, error, trace):
        try:
            if self.running and kind is None:
                await self.stop()
            elif kind is None and self._process.returncode not in (0, -signal.SIGKILL):
                raise AssertionError(f"the node ended with {self._process.returncode}: {self.log()[-4000:]}")
            fault = FAULTS.search(self.log())
            if fault and kind is None:
                raise AssertionError(f"the node's log is clean; it has: {self.log()[fault.start():][:4000]}")
        finally:
            if self.running:
                self._process.kill()
                await self._process.wait()
            if kind is not None and self.log():
                print(f"the log of node {self.name}:\n{self.log()[-3000:]}")
            self.segment().unlink(missing_ok=True)  # what a killed node leaves behind
            self._directory.cleanup()
        return False
