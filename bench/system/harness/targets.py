"""What is to be reached, and whether it is: made from the results file alone, so that it can be made again."""
import dataclasses
import typing

from harness.results import value
from harness.summary import number


@dataclasses.dataclass(frozen=True)
class Target:
    scenario: str
    text: str
    judge: typing.Callable  # known -> (what was reached, met: True, False or None where it cannot be said)


def ratio(scenario, row, above, below, wanted, at_least):
    """One system's number over another's, wanted at least or at most so large."""
    def judge(known):
        ours, theirs = value(known, scenario, row, above), value(known, scenario, row, below)
        if ours is None:
            return "not measured", None
        if theirs is None:
            absent = known["scenarios"].get(scenario, {"rows": []})
            measured = any(below in one["cells"] for one in absent["rows"] if one["name"] == row)
            return (f"{below} has none", True) if measured else (f"{below} not measured", None)
        if theirs == 0:
            return f"{number(ours)} against 0", None
        reached = ours / theirs
        met = reached >= wanted if at_least else reached <= wanted
        return f"{reached:.2f} × ({number(ours)} : {number(theirs)})", met
    return judge


def bound(scenario, row, wanted, unit, at_least=False):
    """Our own number, at least or at most so large."""
    def judge(known):
        ours = value(known, scenario, row, "ringcast")
        if ours is None:
            return "not measured", None
        return f"{number(ours)} {unit}".strip(), ours >= wanted if at_least else ours <= wanted
    return judge


def all_of(*judges):
    """Met if all are; missed if one is missed."""
    def judge(known):
        told = [one(known) for one in judges]
        verdicts = [met for _, met in told]
        met = False if False in verdicts else None if None in verdicts else True
        return "; ".join(dict.fromkeys(text for text, _ in told)), met
    return judge


def others_unharmed(known):
    """W7: everything arrived at the 900, and their median latency is that of a run without slow readers."""
    rows = ("arrived", "p50_with", "p50_without")
    arrived, with_slow, without = (value(known, "W7", row, "ringcast") for row in rows)
    if None in (arrived, with_slow, without):
        return "not measured", None
    return (f"{number(arrived)} % arrived, p50 {with_slow / without:.2f} ×",
            arrived >= 95 and with_slow <= 1.05 * without)


def scaling(shape):
    def judge(known):
        reached = value(known, "W9", f"{shape}_scaling", "ringcast")
        if reached is not None:
            return f"{number(reached)} ×", reached >= 1.8
        one, two = (value(known, "W9", f"{shape}_cpu_{count}", "ringcast") for count in ("one", "two"))
        if None in (one, two):
            return "not measured", None
        return f"the load shares the cores; CPU a delivery {number(two)} ns, one shard {number(one)} ns", None
    return judge


def held_back_or_refused(known):
    refused, late = value(known, "flood", "refused", "ringcast"), value(known, "flood", "held_back_ms", "ringcast")
    if None in (refused, late):
        return "not measured", None
    return f"{number(refused)} refused, held back by up to {number(late)} ms", refused > 0 or late > 100


TARGETS = (
    Target("W1", "at least 5 × the rate of Bun", ratio("W1", "rate", "ringcast", "bun", 5, True)),
    Target("W2", "at least 3 × the rate of Bun", ratio("W2", "rate", "ringcast", "bun", 3, True)),
    Target("W1-10ms", "the same with p99 < 10 ms", ratio("W1-10ms", "rate", "ringcast", "bun", 5, True)),
    Target("W2-10ms", "the same with p99 < 10 ms", ratio("W2-10ms", "rate", "ringcast", "bun", 3, True)),
    Target("W3", "at least 1.5 × the rate of Bun", ratio("W3", "rate", "ringcast", "bun", 1.5, True)),
    Target("W3", "past saturation within 10 % of the peak", bound("W3", "past", 90, "%", at_least=True)),
    *(Target("CPU", f"K = {burst}: at most 1.15 × the limit program",
             ratio("CPU", f"below_{burst}", "ringcast", "limit", 1.15, False)) for burst in (1, 8, 32)),
    *(Target("CPU", f"K = {burst}, at saturation: at most 1.15 × the limit program",
             ratio("CPU", f"at_{burst}", "ringcast", "limit", 1.15, False)) for burst in (1, 8, 32)),
    Target("W4", "at most 512 bytes of memory a connection", bound("W4", "bytes", 512, "bytes")),
    Target("W4", "19,000 connections on one shard, the same", bound("W4", "bytes_many", 512, "bytes")),
    Target("W4", "10,000 idle connections: under 1 % of a core", bound("W4", "cpu", 1, "%")),
    Target("W5", "p50 at most 1.1 × the limit program's (× 1,000)",
           ratio("W5", "p50_1000", "ringcast", "limit", 1.1, False)),
    Target("W5", "p99 at most 1.1 × the limit program's (× 1,000)",
           ratio("W5", "p99_1000", "ringcast", "limit", 1.1, False)),
    Target("W5", "one subscriber, polling shard: p50 under 20 µs", bound("W5", "p50_poll", 0.020, "ms")),
    Target("W7", "the 900 others within 5 % of W1", others_unharmed),
    Target("W8", "connects at least at Bun's rate, no failure", all_of(
        ratio("W8", "rate", "ringcast", "bun", 1, True), bound("W8", "failed", 0, "failed runs"))),
    Target("W9", "W1: two shards at least 1.8 × one", scaling("W1")),
    Target("W9", "W2: two shards at least 1.8 × one", scaling("W2")),
    Target("headline", "50,000 msg/s, 10,000 held: average latency < 5 ms", bound("headline", "mean", 5, "ms")),
    Target("headline", "1,000 connections: < 100 MB", bound("headline", "rss", 100, "MB")),
    Target("headline", "1,000 × 10 msg/s: CPU < 10 %", bound("headline", "cpu", 10, "%")),
    Target("flood", "memory under its budget", bound("flood", "rss_most_mb", 256 * 2**20 / 1e6, "MB")),
    Target("flood", "the ledger closes", bound("flood", "ledger", 1, "", at_least=True)),
    Target("flood", "publishers are refused or held back", held_back_or_refused),
    Target("flood", "normal within 2 s after it", bound("flood", "to_normal", 2, "s")),
)


def judged(known):
    """(target, what was reached, met) of every target whose scenario was measured."""
    return [(target, *target.judge(known)) for target in TARGETS if target.scenario in known["scenarios"]]
