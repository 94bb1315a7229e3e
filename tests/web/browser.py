"""Chromium without a window, steered through the DevTools protocol over a pipe: no port, no driver, no other package.

    async with Browser() as browser:
        page = await browser.open("http://127.0.0.1:8000/page.html")
        await page.call("connect", "ws://127.0.0.1:9001/ws/connect", [])

A profile of its own in a directory that goes with it. The process, and all that it started, is killed at the end of the
block whatever happened, and by the kernel if the test itself dies. It speaks to 127.0.0.1 and to nobody else.
"""
import asyncio
import json
import os
import shutil
import signal
import tempfile

from support.node import die_with_parent
from support.runner import Skip, require, scaled

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
START_SECONDS = 30
CALL_SECONDS = 30
COMMANDS_FD, EVENTS_FD = 3, 4  # --remote-debugging-pipe: where it reads commands, and where it writes
QUIET = (
    "--headless", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--no-default-browser-check",
    "--disable-background-networking", "--disable-component-update", "--disable-default-apps", "--disable-extensions",
    "--disable-sync", "--metrics-recording-only", "--mute-audio", "--no-proxy-server", "--disable-breakpad",
    "--disable-features=Translate,OptimizationHints,MediaRouter,DialMediaRouteProvider",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE localhost",
)


def program():
    for name in PROGRAMS:
        path = shutil.which(name)
        if path is not None:
            return path
    raise Skip("no chromium is installed")


class Page:
    def __init__(self, browser, session):
        self._browser, self._session = browser, session

    async def evaluate(self, expression, seconds=CALL_SECONDS):
        """The value of an expression, awaited if it is a promise."""
        answer = await self._browser.command("Runtime.evaluate", self._session, seconds, expression=expression,
                                             awaitPromise=True, returnByValue=True)
        require("exceptionDetails" not in answer, f"the page evaluates {expression!r}: {answer}")
        return answer["result"].get("value")

    async def call(self, function, *arguments, seconds=CALL_SECONDS):
        return await self.evaluate(f"{function}({', '.join(json.dumps(argument) for argument in arguments)})", seconds)


class Browser:
    def __init__(self, *flags):
        self._flags = flags
        self._process = None
        self._profile = None
        self._number = 0
        self._answers = {}
        self._reader = self._writer = self._reading = None

    async def __aenter__(self):
        path = program()
        self._profile = tempfile.TemporaryDirectory(prefix="ringcast-web-", ignore_cleanup_errors=True)
        try:
            await self._start(path)
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(self, *_):
        await self._end()
        return False

    async def _start(self, path):
        commands_out, commands_in = os.pipe()  # its end, ours
        events_out, events_in = os.pipe()      # ours, its end
        # Out of the way of 3 and 4, which in the child become what it expects.
        ends = [os.dup(commands_out), os.dup(events_in)]
        while min(ends) <= EVENTS_FD:
            ends = [os.dup(end) for end in ends]

        def before_exec():
            die_with_parent()
            os.dup2(ends[0], COMMANDS_FD)
            os.dup2(ends[1], EVENTS_FD)
        root = ["--no-sandbox"] if os.geteuid() == 0 else []  # its sandbox needs a user who is not root
        with open(os.path.join(self._profile.name, "stderr"), "wb") as said:
            self._process = await asyncio.create_subprocess_exec(
                path, *QUIET, *root, *self._flags, f"--user-data-dir={self._profile.name}", "--remote-debugging-pipe",
                "about:blank", stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=said,
                start_new_session=True, preexec_fn=before_exec, pass_fds=(COMMANDS_FD, EVENTS_FD))
        for end in (commands_out, events_in, *ends):
            os.close(end)
        loop = asyncio.get_running_loop()
        self._reader = asyncio.StreamReader(limit=1 << 28)
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(self._reader), os.fdopen(events_out, "rb"))
        transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin,
                                                            os.fdopen(commands_in, "wb"))
        self._writer = asyncio.StreamWriter(transport, protocol, None, loop)
        self._reading = asyncio.create_task(self._read())
        await self.command("Browser.getVersion", seconds=START_SECONDS)

    async def _read(self):
        """Answers end with a zero byte. Events are of no interest here: pages are asked."""
        try:
            while True:
                message = json.loads((await self._reader.readuntil(b"\0"))[:-1])
                waiting = self._answers.pop(message.get("id"), None)
                if waiting is not None and not waiting.done():
                    waiting.set_result(message)
        except asyncio.IncompleteReadError:
            for waiting in self._answers.values():
                if not waiting.done():
                    waiting.set_exception(AssertionError("the browser goes on; it has ended: " + self.said()))

    async def command(self, method, session=None, seconds=CALL_SECONDS, **parameters):
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        answer = self._answers[self._number] = asyncio.get_running_loop().create_future()
        self._writer.write(json.dumps(message).encode() + b"\0")
        try:
            result = await asyncio.wait_for(answer, scaled(seconds))
        except asyncio.TimeoutError:
            raise AssertionError(f"the browser answers {method} within {seconds} s: {self.said()}") from None
        require("error" not in result, f"the browser does {method}: {result.get('error')}")
        return result["result"]

    async def open(self, url):
        """A page of its own, loaded."""
        target = await self.command("Target.createTarget", url=url)
        session = await self.command("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        page = Page(self, session["sessionId"])
        for _ in range(int(scaled(START_SECONDS) * 20)):
            if await page.evaluate("document.readyState === 'complete' && typeof connect === 'function'"):
                return page
            await asyncio.sleep(0.05)
        raise AssertionError(f"the page {url} is loaded: {self.said()}")

    def said(self):
        try:
            with open(os.path.join(self._profile.name, "stderr"), encoding="utf-8", errors="replace") as file:
                return file.read()[-2000:]
        except OSError:
            return ""

    async def _end(self):
        if self._process is not None:
            try:
                os.killpg(self._process.pid, signal.SIGKILL)  # its session: the browser, and what it started
            except ProcessLookupError:
                pass
            await self._process.wait()
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
            self._writer.close()
        self._profile.cleanup()
