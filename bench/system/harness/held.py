"""W4: connections that are only held; W8: many at once."""
import dataclasses
import time

from harness.measure import Load
from harness.outcome import Outcome
from harness.process import BenchError
from harness.systems import Limit, PEER_NAMES, PEER_REPEATS_MAX

SHORT_HOLD_SECONDS = 1.5


def of_connections(systems):
    """The limit program holds nothing but sockets: it is no floor for a server's memory, nor for its handshakes."""
    return [system for system in systems if not isinstance(system, Limit)]


def bytes_each(sample):
    if not sample["ok"] or not sample.get("rss") or not sample.get("rss_start"):
        return None
    return (sample["rss"] - sample["rss_start"]) / sample["connections"]


def cpu_share(sample, seconds):
    """Of a core, in percent; None where nobody measured it."""
    if not sample["ok"] or sample.get("cpu_seconds") is None:
        return None
    return 100 * sample["cpu_seconds"] / seconds


def subscribed(ours, count, seconds=2.0):
    """A check of a run: the node itself has counted so many subscriptions; its counters may be a moment behind."""
    def check(running):
        deadline = time.monotonic() + seconds
        while (told := ours.statistics(running)["counters"]["subscriptions_total"]) != count:
            if time.monotonic() > deadline:
                raise BenchError(f"the node's own statistics say {told} subscriptions, not {count}")
            time.sleep(0.05)
    return check


def run_idle(bench, systems, _known):
    outcome = Outcome("Idle connections", "Connected and subscribed, heartbeats on, no messages. Memory is the "
                      "resident memory of the server's process beyond what it had empty, after one connection that "
                      f"came and went; the CPU is taken over {bench.pace.idle_seconds:.0f} s of ringcast (it pings "
                      f"each every 20 s), {bench.pace.idle_seconds_others:.0f} s of the others.")
    short = Load(connections=10_000, connect_only=True, duration=SHORT_HOLD_SECONDS)
    many = dataclasses.replace(short, connections=19_000)
    systems = of_connections(systems)

    hold = {system.name: bench.pace.idle_seconds if system.name == "ringcast" else bench.pace.idle_seconds_others
            for system in systems}

    def jobs(load):
        return {system.name: lambda system=system: bench.measure(system, load, warm=True) for system in systems}
    held_long = bench.in_turn({system.name: lambda system=system: bench.measure(
        system, dataclasses.replace(short, duration=hold[system.name]), warm=True) for system in systems}, 1)
    held_short = bench.in_turn(jobs(short), bench.pace.repeats - 1,
                               at_most=dict.fromkeys(PEER_NAMES, PEER_REPEATS_MAX - 1))
    held = {name: some + held_short.get(name, []) for name, some in held_long.items()}
    held_many = bench.in_turn(jobs(many), 1)
    outcome.row("bytes", "memory a connection at 10,000", "bytes", "lower",
                {name: [bytes_each(one) for one in some] for name, some in held.items()})
    outcome.row("bytes_many", "memory a connection at 19,000", "bytes", "lower",
                {name: [bytes_each(one) for one in some] for name, some in held_many.items()})
    outcome.row("cpu", "CPU with 10,000 idle connections, of a core", "%", "lower",
                {name: [cpu_share(one, hold[name]) for one in some] for name, some in held_long.items()})
    outcome.row("rss", "resident memory with 10,000 connections", "MB", "lower",
                {name: [one["rss"] / 1e6 if one["ok"] and one.get("rss") else None for one in some]
                 for name, some in held.items()})
    return outcome


def run_storm(bench, systems, _known):
    outcome = Outcome("Connect storm", "5,000 connections opened and subscribed as fast as the server takes them, 64 "
                      "of them in flight at a time. ringcast's own statistics must count 5,000 subscriptions.")
    load = Load(connections=5_000, connect_only=True, duration=0.2)
    samples = bench.in_turn({system.name: lambda system=system: bench.measure(
        system, load, check=subscribed(system, load.connections) if system.name == "ringcast" else None)
        for system in of_connections(systems)}, bench.pace.repeats)
    outcome.row("rate", "connected and subscribed", "/s", "higher",
                {name: [one["connect_rate"] if one["ok"] else None for one in some] for name, some in samples.items()})
    outcome.row("failed", "runs with a failure", "", "lower",
                {name: [sum(not one["ok"] for one in some)] for name, some in samples.items()}, of=bench.pace.repeats)
    return outcome
