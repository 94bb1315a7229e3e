"""W1, W2, W3: the highest rate that holds. Searched on the ladder, confirmed by repeats in turn."""
import dataclasses
import functools
import statistics

from harness import ladder, results
from harness.machine import ROOT
from harness.measure import Load, P99_MAX_MS, holds, sentence_of, verdict
from harness.outcome import Outcome

PAST_REPEATS_MAX = 3
PAST_SYSTEMS = ("ringcast", "bun")
PATIENCE_FOR = ("ringcast", "limit", "bun")  # a target, and what shows it impossible, rests on these
MESSAGES_MIN = 1_000  # a repeat sees so many, unless that takes longer than the pace allows


@dataclasses.dataclass(frozen=True)
class RateScenario:
    name: str
    title: str
    connections: int
    channels: int
    p99_max_ms: float | None
    lowest: int
    highest: int
    starts: dict  # system -> where the search begins without an earlier result
    past: bool = False  # also offer twice the rate that holds
    only: tuple = ()  # the systems that are compared; empty: all
    arguments: dict = dataclasses.field(default_factory=dict)  # system -> more for its server
    note: str = ""

    @property
    def condition(self):
        return "no loss" + ("" if self.p99_max_ms is None else f", p99 < {self.p99_max_ms:g} ms")


W1 = RateScenario("W1", "One channel, 1,000 subscribers", 1000, 1, P99_MAX_MS, 50, 100_000,
                  {"ringcast": 1_500, "limit": 3_000, "bun": 300, "nchan": 250, "gorilla": 200, "ws": 100, "nats": 100})
W2 = RateScenario("W2", "100 channels, 10 subscribers each", 1000, 100, P99_MAX_MS, 500, 2_000_000,
                  {"ringcast": 100_000, "limit": 200_000, "bun": 20_000, "nchan": 20_000, "gorilla": 10_000,
                   "ws": 10_000, "nats": 1_000})
# With 10 ms instead: where one send takes the kernel 4 µs or more, a thousand of them leave no room below 5 ms.
W1_10MS = dataclasses.replace(W1, name="W1-10ms", p99_max_ms=10.0, only=("ringcast", "limit", "bun"),
                              starts={"ringcast": 8_000, "limit": 8_000, "bun": 1_500})
W2_10MS = dataclasses.replace(W2, name="W2-10ms", p99_max_ms=10.0, only=("ringcast", "limit", "bun"),
                              starts={"ringcast": 200_000, "limit": 300_000, "bun": 30_000})
# A reader may be as far behind as Bun lets its readers be, 16 MB: 4,096 messages are 3 ms at these rates.
W3_CONFIG = ROOT / "bench" / "system" / "w3.toml"
W3 = RateScenario("W3", "One channel, 10 subscribers", 10, 1, None, 5_000, 2_000_000,
                  {"ringcast": 300_000, "limit": 1_000_000, "bun": 200_000, "nchan": 30_000, "gorilla": 40_000,
                   "ws": 50_000, "nats": 150_000}, past=True, arguments={"ringcast": ("--config", W3_CONFIG)},
                  note="ringcast runs with bench/system/w3.toml: a reader may be 16 MiB, 1,000,000 messages or 10 s "
                       "behind before it is too slow, as Bun lets its readers be.")


def measure(bench, scenario, system, rate, seconds):
    return bench.measure(system, load_at(scenario, rate, seconds, bench.pace), scenario.arguments.get(system.name, ()))


def repeat_seconds(rate, pace):
    """Long enough for a p99 of messages and not of a few: at least a thousand of them, within reason."""
    if pace.quick:
        return pace.repeat_seconds
    return max(pace.repeat_seconds, min(pace.repeat_seconds_max, MESSAGES_MIN / rate))


def load_at(scenario, rate, seconds, pace):
    return Load(connections=scenario.connections, channels=scenario.channels, rate=rate, duration=seconds,
                warmup=pace.warmup_seconds)


def enough_hold(samples, p99_max_ms):
    """More than half of the runs hold: the median does, and one run that the host disturbed decides nothing."""
    return 2 * sum(holds(one, p99_max_ms) for one in samples) > len(samples)


def undecided(samples, repeats, p99_max_ms):
    """Whether more runs could still change the verdict; a rate that fails is not measured to the end."""
    return 2 * sum(not holds(one, p99_max_ms) for one in samples) < repeats


def find(bench, scenario, system, rungs, start, outcome, measured):
    """The rung that the search ends at; its probes become points of the curve."""
    def probe(rate):
        sample = measured(scenario, system, rate, bench.pace.probe_seconds)
        outcome.points(system.name, [sample])
        said = verdict(sample, scenario.p99_max_ms)
        bench.say(f"    {system.name}, {rate:,} msg/s {said}: {sentence_of(sample)}")
        return said
    return ladder.search(rungs, ladder.nearest(rungs, start), probe, again=system.name in PATIENCE_FOR)


def confirm(bench, scenario, systems, rungs, found, outcome, measured):
    """system -> (rung or None, samples at it): repeated in turn, and another rung where that does not hold."""
    settled = {name: (None, []) for name in found}
    pending = {name: ladder.Confirmation(index) for name, index in found.items() if index is not None}
    while pending:
        jobs = {system.name: lambda rate=rungs[pending[system.name].index], system=system: measured(
            scenario, system, rate, repeat_seconds(rate, bench.pace)) for system in systems if system.name in pending}
        samples = bench.in_turn(jobs, bench.pace.repeats,
                                lambda some, repeats: undecided(some, repeats, scenario.p99_max_ms),
                                failing_answers=True)
        for name, some in samples.items():
            outcome.points(name, some)
            held = enough_hold(some, scenario.p99_max_ms)
            if held:
                settled[name] = (pending[name].index, some)
            pending[name].tell(held)
        pending = {name: one for name, one in pending.items() if one.index is not None}
    return settled


@dataclasses.dataclass
class Settled:
    """What became of the search, by system."""
    rungs: list
    indices: dict  # system -> the rung that holds, or None
    samples: dict  # at it
    rates: dict  # of the runs that held
    notes: dict  # why a system has none


def settle(bench, scenario, systems, known, outcome, measured):
    """Searches for each system, then repeats in turn. measured(scenario, system, rate, seconds) is one run."""
    rungs, found = ladder.rungs(scenario.lowest, scenario.highest), {}
    for system in systems:
        start = results.value(known, scenario.name, "rate", system.name) or scenario.starts.get(system.name, 0)
        found[system.name] = find(bench, scenario, system, rungs, start, outcome, measured)
    settled = confirm(bench, scenario, systems, rungs, found, outcome, measured)
    return Settled(
        rungs, {name: index for name, (index, _) in settled.items()},
        {name: some for name, (_, some) in settled.items()},
        {name: [] if index is None else [one["rate"] if holds(one, scenario.p99_max_ms) else None for one in some]
         for name, (index, some) in settled.items()},
        {name: f"none (from {rungs[0]:,} up)" if found[name] is None else "none was confirmed"
         for name, (index, _) in settled.items() if index is None})


def run(bench, systems, known, scenario):
    outcome = Outcome(scenario.title, f"The highest rate that holds: {scenario.condition}, no backlog before or behind "
                      "the server. All else is measured at that rate.")
    if scenario.note:
        outcome.notes.append(scenario.note)
    systems = [system for system in systems if not scenario.only or system.name in scenario.only]
    settled = settle(bench, scenario, systems, known, outcome, functools.partial(measure, bench))
    samples = settled.samples
    outcome.row("rate", f"highest rate, {scenario.condition}", "msg/s", "higher", settled.rates, settled.notes)
    outcome.row_of("deliveries", "deliveries at it", "/s", "higher", samples, "deliveries_per_second")
    outcome.row_of("p50", "p50 at it", "ms", "lower", samples, "p50")
    outcome.row_of("p99", "p99 at it", "ms", "lower", samples, "p99")
    outcome.row_of("cpu", "CPU of the server a delivery", "ns", "lower", samples, "cpu_ns")
    outcome.row_of("client", "the load client's receiving thread, of its core", "%",
                   "none", samples, "client_share", 100)
    outcome.distribution(scenario.title, samples)
    if scenario.past:
        past_saturation(bench, scenario, systems, settled, outcome)
    return outcome


def peak_of(points):
    """The most that is delivered of any rate: its median, for the best of a few runs is luck, and of complete runs."""
    by_rate = {}
    for point in points:
        if point["ok"]:
            by_rate.setdefault(point["rate"], []).append(point["deliveries_per_second"])
    return max((statistics.median(some) for some in by_rate.values()), default=None)


def past_saturation(bench, scenario, systems, settled, outcome):
    """What is delivered when twice the highest rate is offered, as a share of the peak."""
    jobs = {}
    for system in systems:
        index = settled.indices[system.name]
        if index is not None and system.name in PAST_SYSTEMS:
            jobs[system.name] = lambda system=system, index=index: measure(
                bench, scenario, system, 2 * settled.rungs[index], bench.pace.repeat_seconds)
    samples = bench.in_turn(jobs, min(bench.pace.repeats, PAST_REPEATS_MAX), failing_answers=True)
    shares = {}
    for name, some in samples.items():
        outcome.points(name, some)
        peak = peak_of(outcome.curves[name])
        shares[name] = [100 * (one.get("deliveries_per_second") or 0) / peak if one["ok"] and peak else None
                        for one in some]
    outcome.row("past", "delivered when twice that is offered, of the peak", "%", "higher", shares)
