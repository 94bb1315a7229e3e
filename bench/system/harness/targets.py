"""What is to be reached, and whether it is: made from the results file alone, so that it can be made again."""
import dataclasses
import typing

from harness.results import cell_of, counted_runs, row_of, value
from harness.summary import number

REPEATS_MIN = 5  # a ratio of medians of fewer is no verdict
RATE_SCENARIOS = ("W1", "W2", "W1-10ms", "W2-10ms", "W3", "tls")


@dataclasses.dataclass(frozen=True)
class Target:
    scenario: str
    text: str
    judge: typing.Callable  # known -> (what was reached, met: True, False or None where it cannot be said)


def own_cell(known, scenario, row, system="ringcast"):
    """(the cell, None), or where it has no number (None, what that means): a run of ours that failed is a miss."""
    cell = cell_of(known, scenario, row, system)
    if cell is None:
        return None, ("not measured", None)
    if cell["value"] is None:
        return None, (f"{system} has none", False)
    return cell, None


def why_no_verdict(known, *cells):
    """Why the numbers of these cells are not compared; empty if they may be."""
    names = {cell["run"] for cell in cells}
    if len(names) > 1:
        return "different runs"
    if any(known["runs"].get(name, {}).get("quick") for name in names):
        return "a quick run"
    fewest = min((len(cell["runs"]) for cell in cells if cell["runs"]), default=0)
    return "" if fewest >= REPEATS_MIN else f"of {fewest} repeats only"


def had_a_complete_probe(known, scenario, system):
    return any(point["ok"] for point in known["scenarios"][scenario]["curves"].get(system, []))


def ratio(scenario, row, above, below, wanted, at_least):
    """One system's number over another's, wanted at least or at most so large."""
    def judge(known):
        ours, missing = own_cell(known, scenario, row, above)
        if missing:
            return missing
        theirs = cell_of(known, scenario, row, below)
        if theirs is None:
            return f"{below} not measured", None
        doubt = why_no_verdict(known, ours, theirs)
        if theirs["value"] is None:  # no rate of the ladder held, or its runs failed: only the first says something
            beaten = row == "rate" and scenario in RATE_SCENARIOS and had_a_complete_probe(known, scenario, below)
            if not beaten:
                return f"{below} has none: not comparable", None
            return f"{below} holds none" + (f" ({doubt})" if doubt else ""), None if doubt else True
        if theirs["value"] == 0:
            return f"{number(ours['value'])} against 0", None
        reached = ours["value"] / theirs["value"]
        text = f"{reached:.2f} × ({number(ours['value'])} : {number(theirs['value'])})"
        if doubt:
            return f"{text}, {doubt}", None
        return text, reached >= wanted if at_least else reached <= wanted
    return judge


def bound(scenario, row, wanted, unit, at_least=False):
    """Our own number, at least or at most so large."""
    def judge(known):
        ours, missing = own_cell(known, scenario, row)
        if missing:
            return missing
        return (f"{number(ours['value'])} {unit}".strip(),
                ours["value"] >= wanted if at_least else ours["value"] <= wanted)
    return judge


def every_run(scenario, row, what):
    """A row that counts runs counts all of them."""
    def judge(known):
        ours, missing = own_cell(known, scenario, row)
        if missing:
            return missing
        wanted = counted_runs(row_of(known, scenario, row))
        if wanted is None:
            return "not measured", None
        return f"{ours['value']:.0f} of {wanted} {what}", ours["value"] >= wanted
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
    """W7: everything arrived at the 900, in every run, and their p99 is in time or that without slow readers."""
    found = [own_cell(known, "W7", row) for row in ("arrived", "p99_with", "p99_without")]
    missing = next((why for _, why in found if why), None)
    if missing:
        return missing
    arrived, with_slow, without = (cell for cell, _ in found)
    late = with_slow["value"] / without["value"]
    return (f"{number(arrived['low'], 4)} % arrived, p99 {number(with_slow['value'])} ms, {late:.2f} ×",
            arrived["low"] >= 100 and (with_slow["value"] < 5 or late <= 1.05))


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


def ratio_of_bytes(known):
    """Memory hardly varies, so that fewer runs than a ratio of speeds needs say it."""
    cells = [own_cell(known, "before", "W4_bytes", system) for system in ("ringcast", "before")]
    missing = next((why for _, why in cells if why), None)
    if missing:
        return missing
    ours, theirs = (cell["value"] for cell, _ in cells)
    return f"{ours / theirs:.2f} × ({number(ours)} : {number(theirs)})", ours <= 1.03 * theirs


def compressed_idle(known):
    """That permessage-deflate was agreed on costs an idle connection nothing. Memory hardly varies: one run says it."""
    cells = [own_cell(known, "compression", row) for row in ("idle_all", "idle_plain")]
    missing = next((why for _, why in cells if why), None)
    if missing:
        return missing
    compressed, plain = (cell["value"] for cell, _ in cells)
    return f"{number(compressed)} bytes, {number(plain)} without", compressed <= 1.03 * plain


def saved_bytes(known):
    """What the feed gives, so that there is nothing to reach."""
    cells = [own_cell(known, "compression", row) for row in ("saved_packed", "saved_all")]
    missing = next((why for _, why in cells if why), None)
    if missing:
        return missing
    shipped, everything = (cell["value"] for cell, _ in cells)
    return f"{number(shipped)} % as shipped, {number(everything)} % with every message compressed", None


def held_back_or_refused(known):
    """By what the node itself says; that the load client was late may be the client's own doing."""
    found = [own_cell(known, "flood", row) for row in ("refused", "parked")]
    missing = next((why for _, why in found if why), None)
    if missing:
        return missing
    refused, parked = (cell["value"] for cell, _ in found)
    return f"{number(refused)} refused, {number(parked)} held back", refused > 0 or parked > 0


TARGETS = (
    Target("W1", "at least 5 × the rate of Bun", ratio("W1", "rate", "ringcast", "bun", 5, True)),
    Target("W2", "at least 3 × the rate of Bun", ratio("W2", "rate", "ringcast", "bun", 3, True)),
    Target("W1-10ms", "additional: the same with p99 < 10 ms", ratio("W1-10ms", "rate", "ringcast", "bun", 5, True)),
    Target("W2-10ms", "additional: the same with p99 < 10 ms", ratio("W2-10ms", "rate", "ringcast", "bun", 3, True)),
    Target("W3", "at least 1.5 × the rate of Bun", ratio("W3", "rate", "ringcast", "bun", 1.5, True)),
    Target("W3", "past saturation within 10 % of the peak", bound("W3", "past", 90, "%", at_least=True)),
    *(Target("CPU", f"K = {burst}: at most 1.15 × the limit program",
             ratio("CPU", f"below_{burst}", "ringcast", "limit", 1.15, False)) for burst in (1, 8, 32)),
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
    Target("headline", "50,000 msg/s, 10,000 held: average latency < 5 ms", all_of(
        bound("headline", "mean", 5, "ms"), every_run("headline", "complete", "without loss"),
        every_run("headline", "held", "at the full rate"))),
    Target("headline", "1,000 connections: < 100 MB", bound("headline", "rss", 100, "MB")),
    Target("headline", "1,000 × 10 msg/s: CPU < 10 %", bound("headline", "cpu", 10, "%")),
    Target("tls", "at least the rate of Bun by TLS", ratio("tls", "rate", "ringcast", "bun", 1, True)),
    *(Target("tls", f"K = {burst}: CPU at most 1.5 × a plain send and AES-GCM",
             ratio("tls", f"cpu_{burst}", "ringcast", "limit", 1.5, False)) for burst in (1, 32)),
    *(Target("tls", f"K = {burst}: no more CPU than Bun by TLS",
             ratio("tls", f"cpu_{burst}", "ringcast", "bun", 1, False)) for burst in (1, 32)),
    Target("compression", "bytes of the real feed that are saved", saved_bytes),
    Target("compression", "every message compressed: no more CPU than Bun, compressing",
           ratio("compression", "cpu_all", "ringcast", "bun", 1, False)),
    Target("compression", "an idle connection holds nothing for it", compressed_idle),
    *(Target("before", f"{shape}: at most 3 % more CPU a delivery", bound("before", f"{shape}_ratio", 1.03, "×"))
      for shape in ("W1", "W2", "W3")),
    Target("before", "W4: at most 3 % more memory a connection", ratio_of_bytes),
    Target("flood", "memory under its budget", bound("flood", "rss_most_mb", 256 * 2**20 / 1e6, "MB")),
    Target("flood", "the ledger closes", bound("flood", "ledger", 1, "", at_least=True)),
    Target("flood", "publishers are refused or held back", held_back_or_refused),
    Target("flood", "normal within 2 s after it", bound("flood", "to_normal", 2, "s")),
)


def judged(known):
    """(target, what was reached, met) of every target whose scenario was measured."""
    return [(target, *judge_one(known, target)) for target in TARGETS if target.scenario in known["scenarios"]]


def judge_one(known, target):
    return ("failed", False) if known["scenarios"][target.scenario].get("failed") else target.judge(known)
