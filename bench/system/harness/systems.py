"""The systems that are compared: ringcast, the limit program, the peers; how each is started."""
import functools
import itertools
import json
import os
import pathlib
import shutil
import subprocess
import tempfile

from harness.machine import ROOT, output_of
from harness.process import BenchError, Process, child_of, free_port

PEERS = ROOT / "bench" / "system" / "peers"
PEER_NAMES = ("bun", "ws", "gorilla", "nchan", "nats")  # the order of the columns
PEER_REPEATS_MAX = 3  # of what is not judged beside a peer: the time is better spent on what is
START_AFTER_MS = 200  # the limit program's: the load client settles for 100 ms
_numbers = itertools.count(1)


class Running:
    """A started server: where it listens and which process is measured."""

    def __init__(self, process, port, pid, name=""):
        self.process, self.port, self.pid, self.name = process, port, pid, name
        self.scheme = "ws"

    @property
    def url(self):
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def stop(self):
        self.process.stop()


def started(process, port, name="", measured=lambda process: process.pid):
    """A server that answers; one that does not is ended."""
    try:
        process.wait_for_port(port)
        return Running(process, port, measured(process), name)
    except BaseException:
        process.stop()
        raise


class Ringcast:
    """One node. `arguments` are added to every start, e.g. another number of shards."""
    wire = "raw"

    def __init__(self, build, name="ringcast", title="ringcast", arguments=("--shards", "1")):
        self.name, self.title, self.arguments = name, title, list(arguments)
        self.program = build / "tools" / "ringcast"

    def missing(self):
        return [] if self.program.exists() else [str(self.program)]

    def version(self):
        return output_of([self.program, "--version"])

    def start(self, work, cpus, _load, extra=()):
        port, node = free_port(), f"bench-{os.getpid()}-{next(_numbers)}"
        process = Process([self.program, "serve", "--name", node, "--listen", f"127.0.0.1:{port}",
                           *self.without_admin, "--limits-connections", "20000", *self.arguments, *extra],
                          cpus, work / "server.log")
        return started(process, port, node)

    @functools.cached_property
    def without_admin(self):
        """Several nodes run at a time, and the admin port has one number. Older builds have none to turn off."""
        with tempfile.NamedTemporaryFile("w", suffix=".toml", encoding="utf-8") as nothing:
            nothing.write("# as shipped\n")
            nothing.flush()
            printed = subprocess.run([self.program, "config", "print", nothing.name], timeout=10, capture_output=True,
                                     text=True, check=False).stdout
        return ["--admin", "off"] if "\nadmin = " in printed else []

    def statistics(self, running):
        text = subprocess.run([self.program, "stat", "--name", running.name, "--once", "--json"], timeout=10,
                              capture_output=True, text=True, check=False).stdout
        return json.loads(text)


class Limit:
    """The bare loop. It makes the messages itself, so it is told what the load client expects."""
    name, title, wire = "limit", "limit", "limit"

    def __init__(self, build):
        self.program = build / "bench" / "system" / "limit_server"

    def missing(self):
        return [] if self.program.exists() else [str(self.program)]

    def version(self):
        return ""

    def start(self, work, cpus, load, extra=()):
        port = free_port()
        self.report = work / "limit.json"
        options = ["--connections", load.connections, "--channels", load.channels, "--rate", load.limit_rate,
                   "--burst", load.burst, "--payload", load.payload, "--seconds", load.duration + load.warmup,
                   "--batch", load.limit_batch, "--start-after", START_AFTER_MS, "--json", self.report]
        process = Process([self.program, "--port", port, *options, *extra], cpus, work / "server.log")
        return started(process, port)

    def own_report(self, running, seconds=15):
        """What it says at its end, which comes when its readers have left."""
        status = running.process.wait(seconds)
        if status != 0 or not self.report.exists():
            raise BenchError(f"the limit program failed: {running.process.said()}")
        return json.loads(self.report.read_text(encoding="utf-8"))


class Peer:
    """A server of bench/system/peers, as its peer.json describes it."""

    def __init__(self, name, build):
        self.name, self.here = name, PEERS / name
        self.description = json.loads((self.here / "peer.json").read_text(encoding="utf-8"))
        self.title, self.wire = self.description["title"], self.description["wire"]
        self.words = {"here": str(self.here), "peers": str(PEERS), "build": str(build / "bench" / "peers")}

    def _filled(self, text, **more):
        for word, value in {**self.words, **more}.items():
            text = text.replace("{" + word + "}", str(value))
        return text

    def missing(self):
        return [need for need in map(self._filled, self.description["needs"]) if not pathlib.Path(need).exists()]

    def version(self):
        command = [self._filled(part) for part in self.description["version"]]
        return output_of(command).removeprefix("nats-server: v")

    def prepare(self):
        if "build" not in self.description:
            return
        pathlib.Path(self.words["build"]).mkdir(parents=True, exist_ok=True)
        environment = {key: self._filled(value) for key, value in self.description.get("environment", {}).items()}
        done = subprocess.run([self._filled(part) for part in self.description["build"]], capture_output=True,
                              text=True, timeout=300, check=False, env=dict(os.environ, **environment))
        if done.returncode != 0:
            raise BenchError(f"{self.name} cannot be built: {done.stderr.strip()}")

    def start(self, work, cpus, _load, extra=()):
        port = free_port()
        for file in self.description.get("files", []):
            text = self._filled((self.here / file).read_text(encoding="utf-8"), port=port, work=work)
            (work / file).write_text(text, encoding="utf-8")
        command = [self._filled(part, port=port, work=work) for part in self.description["command"]]
        process = Process([*command, *extra], cpus, work / "server.log")
        return started(process, port, measured=lambda process: child_of(process.pid)
                       if self.description["measured"] == "child" else process.pid)


class OverTls:
    """Another system by TLS, with a certificate and its key in PEM files. `client` is what the load client is told."""
    FLAGS = {"ringcast": ("--tls-certificate", "--tls-key"), "bun": ("--certificate", "--key")}

    def __init__(self, system, certificate, key):
        self.system, self.name, self.title, self.wire = system, system.name, system.title, system.wire
        flags = self.FLAGS[system.name]
        self.arguments = (flags[0], str(certificate), flags[1], str(key))
        self.client = ("--ca", str(certificate))

    def start(self, work, cpus, load, extra=()):
        running = self.system.start(work, cpus, load, (*self.arguments, *extra))
        running.scheme = "wss"
        return running


def certificate_in(base):
    """(certificate, key): PEM files for 127.0.0.1, signed by themselves; P-256, as docs/tls.md advises."""
    certificate, key = base / "certificate.pem", base / "key.pem"
    if not key.exists():
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                        "-nodes", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2",
                        "-keyout", key, "-out", certificate], check=True, capture_output=True, timeout=20)
    return certificate, key


def peers(build):
    """(those that can run here, name -> why another cannot)"""
    usable, absent = [], {}
    for name in PEER_NAMES:
        try:
            peer = Peer(name, build)
            missing = peer.missing()
            if not missing:
                peer.prepare()
                usable.append(peer)
                continue
            reason = f"{', '.join(missing)} is missing"
        except (BenchError, OSError, subprocess.SubprocessError, ValueError, KeyError) as error:
            reason = f"{type(error).__name__}: {error}"
        absent[name] = reason
    return usable, absent


def work_directory(base):
    """A fresh, empty directory for the files of one run."""
    work = base / "run"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    return work
