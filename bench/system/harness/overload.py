"""The flood: ten times what the node can carry, and what becomes of memory, ledger, publishers and latency."""
import json
import signal
import threading
import time

from harness import results
from harness.measure import Load, read_report
from harness.outcome import Outcome
from harness.process import BenchError
from harness.summary import median
from harness.websocket import Client

CHANNELS, SUBSCRIBERS, PUBLISHERS = 100, 1000, 8
BUDGET_MIB = 256
PROBE_INTERVAL_SECONDS = 0.02
CALM_SECONDS = 2.0
PART_SECONDS = 0.25
CARRIED_MIN = 100_000  # what W2 holds on any machine that is not busy with something else
NORMAL_FACTOR, NORMAL_MS = 3.0, 2.0  # "back to normal": within this of the latency before, or below this


class Probe:
    """A message every 20 ms on a channel of its own, and when it came back. Has threads of its own."""

    def __init__(self, port):
        self.subscriber, self.publisher = Client(port, "/ws/bench.probe"), Client(port, "/ws/connect")
        self.samples, self.failure = [], ""  # (sent at, seconds until received)
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=run, daemon=True)
                        for run in (self._publish, self._receive, self._drain)]

    def start(self):
        for thread in self.threads:
            thread.start()

    def stop(self):
        self.stopping.set()
        time.sleep(0.2)
        for client in (self.subscriber, self.publisher):
            client.close()
        for thread in self.threads:
            thread.join(2)

    def _guarded(self, step):
        try:
            while not self.stopping.is_set():
                step()
        except (OSError, BenchError, ValueError) as error:
            if not self.stopping.is_set():
                self.failure = self.failure or f"{type(error).__name__}: {error}"

    def _publish(self):
        def step():
            text = json.dumps({"type": "publish", "channel": "bench.probe", "data": {"at": time.monotonic_ns()}})
            self.publisher.send(text.encode())
            self.stopping.wait(PROBE_INTERVAL_SECONDS)
        self._guarded(step)

    def _receive(self):
        def step():
            told = json.loads(self.subscriber.receive())
            if "at" in told:
                self.samples.append((told["at"] / 1e9, time.monotonic() - told["at"] / 1e9))
        self._guarded(step)

    def _drain(self):
        self._guarded(self.publisher.receive)  # welcome, refusals: read, so that the node is not held up


def latency_between(samples, begin, end):
    return [1e3 * latency for sent, latency in samples if begin <= sent < end]


def seconds_to_normal(samples, ended, until, normal_ms):
    """From the end of the flood to the end of the last quarter of a second whose probes were late, by their median.

    A quarter without any probe that was sent in it and came back is late as well.
    """
    parts = {part: [] for part in range(int((until - ended) / PART_SECONDS))}
    for sent, latency in samples:
        part = int((sent - ended) / PART_SECONDS)
        if sent >= ended and part in parts:
            parts[part].append(1e3 * latency)
    late = [part for part, latencies in parts.items() if not latencies or median(latencies) > normal_ms]
    return PART_SECONDS * (max(late) + 1) if late else 0.0


def watch(running, seconds, client, statistics):
    """The node's own numbers, once a second, until the flood has lasted its time: the most memory that it had."""
    deadline, most = time.monotonic() + seconds, 0
    while time.monotonic() < deadline and client.running():
        most = max(most, statistics(running)["memory"]["rss"])
        time.sleep(min(1.0, max(0.05, deadline - time.monotonic())))
    return most


def flood(bench, ours, rate):
    """One flood: the flat result of it."""
    load = Load(connections=SUBSCRIBERS, channels=CHANNELS, rate=rate, publishers=PUBLISHERS,
                duration=bench.pace.flood_seconds * 4, warmup=0.1)
    with bench.server(ours, load, ("--memory-budget", f"{BUDGET_MIB}MiB")) as running:
        probe = Probe(running.port)
        probe.start()
        try:
            began = time.monotonic()
            time.sleep(CALM_SECONDS)
            client, report = bench.start_load(running, "native", load, "flood")
            try:
                flooding = time.monotonic() + 2  # its subscribers connect first
                most = watch(running, bench.pace.flood_seconds + 2, client, ours.statistics)
                if not client.running():
                    raise BenchError(f"the load client ended before the flood did: {client.said(300)}")
                client.signal(signal.SIGINT)
                ended = time.monotonic()
                client.wait(20)
            finally:
                client.stop()
            time.sleep(CALM_SECONDS + 2)
            until = time.monotonic() - 0.25  # what was sent since may still be on its way
            told = ours.statistics(running)
        finally:
            probe.stop()
        if probe.failure:
            raise BenchError(f"the probe failed: {probe.failure}")
        return judged(told, most, probe.samples, (began, flooding, ended, until), read_report(client, report),
                      rate)


def judged(told, most, samples, times, load, rate):
    """What came of a flood; told: the node's statistics after it. Pure."""
    began, flooding, ended, until = times
    if not load["published"]:
        raise BenchError("the load client published nothing")
    calm = latency_between(samples, began + 0.2, began + CALM_SECONDS)
    if not calm:
        raise BenchError("the probe had no answer before the flood")
    counters, ledger = told["counters"], told["ledger"]
    seconds = load.get("publish_seconds") or ended - flooding
    normal_ms = max(NORMAL_MS, NORMAL_FACTOR * median(calm))
    during, after = latency_between(samples, flooding, ended), latency_between(samples, ended + 2, ended + 100)
    return {
        "ok": True, "complaints": [], "rss_most_mb": most / 1e6, "accounted_mb": told["memory"]["accounted"] / 1e6,
        "ledger": int(bool(ledger["closed"])), "offered": rate, "handed_over": load["published"] / seconds,
        "taken": counters["messages_published"] / seconds, "carried": ledger["sent"] / seconds,
        "skipped": 100 * (1 - ledger["sent"] / ledger["offered"]) if ledger["offered"] else None,
        "refused": counters["errors_sent"]["overloaded"], "parked": counters["publishes_parked"],
        "before_ms": median(calm), "during_ms": median(during) if during else None,
        "after_ms": median(after) if after else None, "to_normal": seconds_to_normal(samples, ended, until, normal_ms)}


ROWS = (("rss_most_mb", f"resident memory at most (budget {BUDGET_MIB} MiB)", "MB", "lower"),
        ("offered", "offered, by the schedule", "msg/s", "none"),
        ("handed_over", "handed over by the publishers", "msg/s", "none"),
        ("taken", "taken by the node", "msg/s", "none"),
        ("carried", "carried: deliveries sent", "/s", "none"),
        ("skipped", "due to a subscriber and skipped by its rule", "%", "none"),
        ("refused", "refused with `overloaded`", "messages", "none"),
        ("parked", "held back by the node (publishes_parked)", "messages", "none"),
        ("before_ms", "latency of the probe before (median)", "ms", "lower"),
        ("during_ms", "during", "ms", "none"),
        ("after_ms", "from 2 s after the end on", "ms", "lower"),
        ("to_normal", "until the latency was normal again", "s", "lower"),
        ("ledger", "the ledger closes (1: yes)", "", "higher"))


def run(bench, systems, known):
    carried = max(results.value(known, "W2", "rate", "ringcast") or 0, CARRIED_MIN)
    seconds = bench.pace.flood_seconds
    outcome = Outcome("Flood", f"Ten times what W2 holds, or ten times {CARRIED_MIN:,} msg/s where it holds less "
                      f"({10 * carried:,.0f} msg/s offered, {PUBLISHERS} "
                      f"publishers, {CHANNELS} channels, {SUBSCRIBERS:,} subscribers) for {seconds:.0f} s, with a "
                      f"memory budget of {BUDGET_MIB} MiB. A probe sends a message every 20 ms throughout.")
    ours = next((system for system in systems if system.name == "ringcast"), None)
    if ours is None:
        return outcome
    try:
        result = flood(bench, ours, 10 * carried)
        bench.say(f"    flood: {result}")
    except BenchError as error:
        bench.failures.append(f"flood: {error}")
        result = {}
    for name, title, unit, better in ROWS:
        outcome.row(name, title, unit, better, {"ringcast": [result.get(name)]})
    return outcome
