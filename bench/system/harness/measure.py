"""One run: a fresh server on its core, the load client on the others, and what came of it. And runs in turn."""
import contextlib
import dataclasses
import json
import pathlib
import subprocess
import time

from harness import ladder
from harness.machine import ROOT, usable_cpus
from harness.process import BenchError, Process
from harness.systems import Limit, work_directory

PAYLOAD_BYTES = 136  # a frame of 140 bytes, header included
P99_MAX_MS = 5.0
HELD_BACK_MAX = 0.01
LATE_BY_FAR = 1.2  # times the bound of p99, and p50 is above it: no disturbance of the host's makes half of all late
OVER_BY_FAR = 0.8  # kept up with less than this
CLIENT_SHARE_MAX = 0.75  # of a core: beyond it the client's own queueing is part of what it measures
KEPT_UP_MIN = 0.97  # of what was published in the measured time; the rest is what its last moments still owe


@dataclasses.dataclass(frozen=True)
class Load:
    """What the load client is asked to do."""
    connections: int
    rate: float = 100.0
    channels: int = 1
    duration: float = 2.5
    warmup: float = 0.5
    burst: int = 1
    payload: int = PAYLOAD_BYTES
    publishers: int = 1
    slow: int = 0
    connect_only: bool = False
    feeds: tuple = ()
    speed: str = "1"
    wire: str = ""  # empty: the system's own
    drain: float = 3.0
    more: tuple = ()
    limit_batch: int = 0  # the limit program's: 0 sends whatever is due when a connection's turn comes
    limit_closed_loop: bool = False

    @property
    def limit_rate(self):
        return 0 if self.limit_closed_loop else self.rate

    def options(self):
        if self.feeds:
            made = ["--connections", self.connections, "--speed", self.speed, "--drain", self.drain]
            for feed in self.feeds:
                made += ["--feed", feed]
            return [*made, *self.more]
        made = ["--connections", self.connections, "--channels", self.channels, "--payload", self.payload,
                "--duration", self.duration, "--drain", self.drain, "--publishers", self.publishers]
        if self.connect_only:
            made.append("--connect-only")
        else:
            made += ["--rate", self.rate, "--warmup", self.warmup, "--burst", self.burst]
        if self.slow:
            made += ["--slow", self.slow]
        return [*made, *self.more]

    @property
    def seconds_max(self):
        """After this the run is ended and counts as failed; twice the server's capacity takes twice the time."""
        return 15 + self.connections / 1000 + 4 * (self.duration + self.warmup)


@dataclasses.dataclass(frozen=True)
class Pace:
    """How long and how often. `quick` only shows that everything works; its numbers are noise."""
    repeats: int = 5
    probe_seconds: float = 1.5
    repeat_seconds: float = 2.5
    repeat_seconds_max: float = 3.0  # where messages are few
    warmup_seconds: float = 0.5
    slow_seconds: float = 8.0
    idle_seconds: float = 45.0  # ringcast's: two heartbeats of each connection are in it
    idle_seconds_others: float = 10.0
    flood_seconds: float = 30.0
    quick: bool = False


QUICK = Pace(repeats=1, probe_seconds=0.6, repeat_seconds=0.8, warmup_seconds=0.2, slow_seconds=2.0, idle_seconds=2.0,
             idle_seconds_others=1.0, flood_seconds=4.0, quick=True)


class Bench:
    """Where runs take place: programs, cores, a directory for files, a pace, a deadline."""

    def __init__(self, build, pace, base, deadline, say):
        cpus = usable_cpus()
        self.build, self.pace, self.base, self.deadline, self.say = build, pace, pathlib.Path(base), deadline, say
        self.cpus = cpus
        self.server_cpus = cpus[:1]
        self.load_cpus = cpus[1:] or cpus
        self.failures = []  # sentences, of a scenario: runs that should have been complete
        self.answers = []  # sentences: runs whose failure is what was asked for, such as beyond saturation

    @property
    def load_program(self):
        return self.build / "bench" / "system" / "bench_load"

    def polling_options(self):
        """What makes the load client poll its sockets instead of looking every 100 µs; nothing where it cannot."""
        options = subprocess.run([self.load_program, "--help"], capture_output=True, text=True, timeout=10, check=False)
        return ("--poll",) if "--poll" in options.stdout else ()

    def limit_output(self, options, seconds=20):
        """What the limit program says that serves nobody, on the server's core."""
        done = subprocess.run(["taskset", "-c", ",".join(map(str, self.server_cpus)),
                               self.build / "bench" / "system" / "limit_server", *map(str, options)],
                              capture_output=True, text=True, timeout=seconds, check=False)
        if done.returncode != 0:
            raise BenchError(f"the limit program failed: {done.stderr.strip()[:400]}")
        return done.stdout

    @contextlib.contextmanager
    def server(self, system, load, extra=(), cpus=None):
        running = system.start(work_directory(self.base), cpus or self.server_cpus, load, extra)
        try:
            yield running
        finally:
            running.stop()

    def start_load(self, running, wire, load, name="load", cpus=None):
        """The load client, and the file that it will write."""
        report = self.base / f"{name}.json"
        report.unlink(missing_ok=True)
        cpus = cpus or self.load_cpus
        command = [self.load_program, "--url", running.url, "--wire", load.wire or wire, *load.options(),
                   *threads_on(cpus, load), "--pid", running.pid, "--json", report]
        return Process(command, cpus, self.base / f"{name}.log", cwd=ROOT), report

    def load(self, running, wire, load, name="load", cpus=None):
        client, report = self.start_load(running, wire, load, name, cpus)
        try:
            client.wait(load.seconds_max)
        finally:
            client.stop()
        return read_report(client, report)

    def measure(self, system, load, extra=(), cpus=None, load_cpus=None, warm=False, check=None):
        """One run from start to end, as a flat dictionary; a failed one has ok = False and its reason.

        warm: one connection comes and goes before. check(running) raises BenchError if the server itself disagrees.
        """
        try:
            with self.server(system, load, extra, cpus) as running:
                if warm:
                    self.load(running, system.wire, THROWAWAY, "throwaway")
                sample = self.load(running, system.wire, load, cpus=load_cpus)
                if check is not None:
                    check(running)
                if isinstance(system, Limit):
                    own = system.own_report(running)
                    sample["cpu_ns"] = own["cpu_ns_per_delivery"]
                    sample["frames_per_send"] = own.get("frames_per_send")
                    if load.limit_closed_loop:
                        sample["deliveries_per_second"] = own["deliveries_per_second"]
                return sample
        except Exception as error:  # whatever it is, it costs this run and no other
            return failed(reason_of(error), load)

    def in_turn(self, jobs, repeats, keep_on=None, failing_answers=False, at_most=None):
        """Runs A B C A B C ...; jobs are name -> a call that gives a sample. keep_on(samples) may end one early.

        at_most: name -> so many repeats of this one, the first.
        failing_answers: a run that fails is an answer (so much was too much), and no fault of the measurement.
        """
        samples = {name: [] for name in jobs}
        for number in range(repeats):
            for name, job in jobs.items():
                if number >= (at_most or {}).get(name, repeats):
                    continue
                if keep_on is not None and not keep_on(samples[name], repeats):
                    continue
                sample = job()
                samples[name].append(sample)
                self.say(f"    {name} {number + 1}/{repeats}: {sentence_of(sample)}")
                if not sample["ok"]:
                    told = self.answers if failing_answers else self.failures
                    told.append(f"{name}: {'; '.join(sample['complaints'])[:300]}")
        return samples

    def time_left(self):
        return self.deadline - time.monotonic()


def threads_on(cpus, load):
    """On one core one thread publishes and receives: two would take it from each other, thousands of times a second."""
    return ("--one-thread",) if len(cpus) == 1 and not load.connect_only else ()


THROWAWAY = Load(connections=1, connect_only=True, duration=0.1)


def reason_of(error):
    return str(error) if isinstance(error, BenchError) else f"{type(error).__name__}: {error}"


def failed(reason, load=None):
    return {"ok": False, "complaints": [reason], "rate": load.rate if load else None, "held_back": None}


def read_report(client, report):
    try:
        told = json.loads(report.read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError):
        raise BenchError(f"the load client failed: {client.said(400)}") from None
    return flat(told)


def flat(told):
    """The load client's JSON, as far as the harness uses it, in one level."""
    latency, server = told.get("latency_ms", {}), told.get("server", {})
    sample = {key: told.get(key) for key in (
        "ok", "complaints", "rate", "published", "scheduled", "refused", "lost", "delivered", "expected", "held_back",
        "connect_rate", "connect_seconds", "deliveries_per_second", "publish_seconds", "publish_late_max_ms", "slow",
        "duplicated", "reordered", "altered", "connections", "tls", "deflate", "wire_bytes_per_delivery")}
    if "feed" in told:
        sample["rate"] = None  # a feed has its own
    for key in ("p50", "p90", "p99", "p99.9", "max", "mean"):
        sample[key] = latency.get(key) if latency.get("count") != 0 else None
    sample["curve"] = told.get("latency_curve", [])
    client = told.get("client", {})
    client_ns = (client.get("user_ns_per_delivery") or 0) + (client.get("system_ns_per_delivery") or 0)
    sample["client_share"] = client_ns * (told.get("deliveries_per_second") or 0) / 1e9  # of a core; receiving alone
    counted, a_second = latency.get("count"), told.get("deliveries_per_second")
    sample["measured_seconds"] = counted / a_second if counted and a_second else None
    sample["cpu_ns"] = server.get("cpu_ns_per_delivery")
    sample["cpu_seconds"] = server.get("cpu_seconds")
    sample["rss_start"], sample["rss"] = server.get("rss_start_bytes"), server.get("rss_bytes")
    sample["rss_max"] = server.get("rss_max_bytes")
    return sample


def kept_up(sample):
    """The share of the offered deliveries that came in the measured time: less than all, and a backlog grows."""
    offered = (sample.get("rate") or 0) * (sample.get("expected") or 0) / (sample.get("published") or 1)
    if not offered or sample.get("deliveries_per_second") is None:
        return 1.0
    return sample["deliveries_per_second"] / offered


def holds(sample, p99_max_ms=P99_MAX_MS):
    """Whether a run kept its rate: everything arrived, no backlog grew before or behind the server, and in time."""
    if not sample["ok"] or (sample["held_back"] or 0) > HELD_BACK_MAX or kept_up(sample) < KEPT_UP_MIN:
        return False
    return p99_max_ms is None or (sample["p99"] is not None and sample["p99"] < p99_max_ms)


def verdict(sample, p99_max_ms=P99_MAX_MS):
    """The ladder's question: whether the rate holds, and if not, whether only the latency says no, and by how much."""
    if holds(sample, p99_max_ms):
        return ladder.HOLDS
    late_by_far = p99_max_ms is not None and (sample.get("p50") or 0) > LATE_BY_FAR * p99_max_ms
    if holds(sample, None):
        return ladder.LATE_BY_FAR if late_by_far else ladder.LATE
    over_by_far = sample["ok"] and (late_by_far or kept_up(sample) < OVER_BY_FAR)
    return ladder.OVER_BY_FAR if over_by_far else ladder.OVER


def sentence_of(sample):
    if not sample["ok"]:
        return "FAILED: " + "; ".join(sample["complaints"])[:160]
    parts = []
    if sample.get("rate") is not None and sample.get("p99") is not None:
        parts.append(f"{sample['rate']:,.0f} msg/s")
    if sample.get("p99") is not None:
        parts.append(f"p50 {sample['p50']:.3f} p99 {sample['p99']:.3f} ms")
    if sample.get("deliveries_per_second"):
        parts.append(f"{sample['deliveries_per_second']:,.0f} deliveries/s")
    if sample.get("cpu_ns"):
        parts.append(f"{sample['cpu_ns']:.0f} ns each")
    if (sample.get("held_back") or 0) > HELD_BACK_MAX:
        parts.append(f"held back {100 * sample['held_back']:.1f} %")
    if (sample.get("client_share") or 0) > CLIENT_SHARE_MAX:
        parts.append(f"the client itself {100 * sample['client_share']:.0f} % busy")
    if kept_up(sample) < KEPT_UP_MIN:
        parts.append(f"only {100 * kept_up(sample):.0f} % of it in time")
    if not sample.get("p99") and sample.get("connect_rate"):
        parts.append(f"{sample['connect_rate']:,.0f} connects/s")
    return ", ".join(parts) or "ok"
