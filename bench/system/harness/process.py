"""Processes that are measured: started pinned, ended by pid whatever happens."""
import atexit
import os
import pathlib
import random
import signal
import socket
import subprocess
import time

READY_SECONDS_MAX = 15
STOP_SECONDS_MAX = 8

_alive = set()  # of Process, until each is ended


class BenchError(Exception):
    """A sentence about what went wrong with one run; the others go on."""


def free_port():
    """A port of 127.0.0.1 that was free a moment ago; not one that the kernel gives to the thousands who connect."""
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as line:
        given_from = int(line.read().split()[0])
    below = range(10_000, given_from) if given_from > 11_000 else [0]  # 0: any, where there is no room below
    for _ in range(100):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", random.choice(below)))
            except OSError:
                continue
            return probe.getsockname()[1]
    raise BenchError("there is no free port")


def is_listening(port):
    """Whether somebody listens there, without connecting: a server may count its connections."""
    with open("/proc/net/tcp", encoding="ascii") as lines:
        next(lines)
        for line in lines:
            _, local, _, state, *_ = line.split()
            if state != "0A":
                return False  # those that listen come first
            if int(local.split(":")[1], 16) == port:
                return True
    return False


class Process:
    """One program on given cores, with its output in a file. A session of its own, so that its children end with it."""

    def __init__(self, command, cpus, log, environment=None, cwd=None):
        self.command, self.log = [str(part) for part in command], pathlib.Path(log)
        pinned = ["taskset", "-c", ",".join(map(str, cpus)), *self.command]
        with open(self.log, "wb") as sink:
            self.popen = subprocess.Popen(pinned, stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT,
                                          start_new_session=True, cwd=cwd,
                                          env=None if environment is None else dict(os.environ, **environment))
        self.pid = self.popen.pid  # taskset becomes the program: the pid stays
        _alive.add(self)

    def running(self):
        return self.popen.poll() is None

    def said(self, bytes_max=2000):
        try:
            return self.log.read_bytes()[-bytes_max:].decode("utf-8", "replace").strip()
        except OSError:
            return ""

    def wait_for_port(self, port):
        deadline = time.monotonic() + READY_SECONDS_MAX
        while time.monotonic() < deadline:
            if not self.running():
                raise BenchError(f"{self.command[0]} ended at once: {self.said()}")
            if is_listening(port):
                return
            time.sleep(0.02)
        raise BenchError(f"{self.command[0]} does not answer on port {port}: {self.said()}")

    def wait(self, seconds):
        """Its exit status; ends it and raises if that takes longer."""
        try:
            status = self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            self.stop(STOP_SECONDS_MAX)
            raise BenchError(f"{pathlib.Path(self.command[0]).name} did not end within {seconds:.0f} s") from None
        self._forget()
        return status

    def signal(self, which):
        if self.running():
            os.kill(self.pid, which)

    def stop(self, patience=STOP_SECONDS_MAX):
        """Politely, then for good; then whatever is left of its session."""
        if self.running():
            self.popen.terminate()
            try:
                self.popen.wait(patience)
            except subprocess.TimeoutExpired:
                pass
        self._forget()

    def _forget(self):
        try:
            os.killpg(self.pid, signal.SIGKILL)  # the session is its own; gone already in the ordinary case
        except (ProcessLookupError, PermissionError):
            pass
        self.popen.wait(STOP_SECONDS_MAX)
        _alive.discard(self)


def end_all():
    for process in list(_alive):
        process.stop(patience=2)


def child_of(pid):
    """The only child of a process that has one, as a master and its worker; a master listens before it has one."""
    deadline = time.monotonic() + 2
    while True:
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
        if len(children) == 1:
            return int(children[0])
        if time.monotonic() > deadline:
            raise BenchError(f"process {pid} has {len(children)} children, not one")
        time.sleep(0.02)


def cpu_seconds(pid):
    """CPU time of all threads of another process, to the nanosecond: by its clock, see clock_getcpuclockid(3)."""
    return time.clock_gettime((~pid << 3) | 2)


def resident_bytes(pid):
    return int(pathlib.Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def install_handlers():
    """SIGTERM and SIGHUP end the run as Ctrl-C does, which a shell's background job would ignore: by cleaning up."""
    def interrupt(_number, _frame):
        raise KeyboardInterrupt
    for which in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(which, interrupt)
    atexit.register(end_all)
