"""W4: connections that are only held; W8: many at once."""
import dataclasses

from harness.measure import Load
from harness.outcome import Outcome
from harness.systems import Limit

SHORT_HOLD_SECONDS = 1.5


def of_connections(systems):
    """The limit program holds nothing but sockets: it is no floor for a server's memory, nor for its handshakes."""
    return [system for system in systems if not isinstance(system, Limit)]


def bytes_each(sample):
    if not sample["ok"] or not sample.get("rss") or not sample.get("rss_start"):
        return None
    return (sample["rss"] - sample["rss_start"]) / sample["connections"]


def run_idle(bench, systems, _known):
    outcome = Outcome("Idle connections", "Connected and subscribed, heartbeats on, no messages. Memory is the "
                      "resident memory of the server's process beyond what it had empty; the CPU is taken over "
                      f"{bench.pace.idle_seconds:.0f} s.")
    short = Load(connections=10_000, connect_only=True, duration=SHORT_HOLD_SECONDS)
    long = dataclasses.replace(short, duration=bench.pace.idle_seconds)
    many = dataclasses.replace(short, connections=19_000)
    systems = of_connections(systems)

    def jobs(load):
        return {system.name: lambda system=system: bench.measure(system, load) for system in systems}
    held_long = bench.in_turn(jobs(long), 1)
    held_short = bench.in_turn(jobs(short), bench.pace.repeats - 1) if bench.pace.repeats > 1 else {}
    held = {name: some + held_short.get(name, []) for name, some in held_long.items()}
    held_many = bench.in_turn(jobs(many), 1)
    outcome.row("bytes", "memory a connection at 10,000", "bytes", "lower",
                {name: [bytes_each(one) for one in some] for name, some in held.items()})
    outcome.row("bytes_many", "memory a connection at 19,000", "bytes", "lower",
                {name: [bytes_each(one) for one in some] for name, some in held_many.items()})
    outcome.row("cpu", "CPU with 10,000 idle connections, of a core", "%", "lower",
                {name: [None if not one["ok"] else 100 * (one.get("cpu_seconds") or 0) / long.duration for one in some]
                 for name, some in held_long.items()})
    outcome.row("rss", "resident memory with 10,000 connections", "MB", "lower",
                {name: [one["rss"] / 1e6 if one["ok"] else None for one in some] for name, some in held.items()})
    for number, samples in (("10,000", held), ("19,000", held_many)):
        for name, some in samples.items():
            if not all(one["ok"] for one in some):
                reason = next(one["complaints"] for one in some if not one["ok"])
                outcome.notes.append(f"{name} at {number} connections: {'; '.join(reason)[:200]}")
    return outcome


def run_storm(bench, systems, _known):
    outcome = Outcome("Connect storm", "5,000 connections opened and subscribed as fast as the server takes them.")
    load = Load(connections=5_000, connect_only=True, duration=0.2)
    samples = bench.in_turn({system.name: lambda system=system: bench.measure(system, load)
                             for system in of_connections(systems)}, bench.pace.repeats)
    outcome.row("rate", "connected and subscribed", "/s", "higher",
                {name: [one["connect_rate"] if one["ok"] else None for one in some] for name, some in samples.items()})
    outcome.row("failed", "runs with a failure", "", "lower",
                {name: [sum(not one["ok"] for one in some)] for name, some in samples.items()})
    return outcome
