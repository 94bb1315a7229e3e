"""permessage-deflate: the real feed to 1,000 readers who agreed to it, beside 1,000 who did not."""
import dataclasses

from harness.feeds import FEEDS, cut
from harness.features import in_pairs, sampled
from harness.held import bytes_each
from harness.machine import ROOT
from harness.measure import Load, failed
from harness.outcome import Outcome

READERS = 1000
SLICE_SECONDS, SLICE_SECONDS_QUICK, FAST = 5, 1, 50
INFLATE_PERCENT = 5
IDLE = Load(connections=10_000, connect_only=True, duration=1.0)
EVERYTHING_BYTES = 64  # no message of the feed is smaller


@dataclasses.dataclass(frozen=True)
class Kind:
    """How a server is started, and what its readers ask for."""
    name: str
    title: str
    packs: bool = False
    arguments: dict = dataclasses.field(default_factory=dict)  # system -> for its server; who is not here is left out


PLAIN = Kind("plain", "plain", arguments={"ringcast": (), "bun": ()})
SHIPPED = Kind("packed", "compressed as shipped, from 1 KiB up", True, {"ringcast": ()})
EVERYTHING = Kind("all", "every message compressed", True, {
    "ringcast": ("--compression-threshold", str(EVERYTHING_BYTES)), "bun": ("--compress",)})
KINDS = (PLAIN, SHIPPED, EVERYTHING)


def load_of(kind, feeds, speed, duration):
    packed = ("--compress", "--inflate", str(INFLATE_PERCENT)) if kind.packs else ()
    return Load(connections=READERS, feeds=tuple(feeds), speed=str(speed), duration=duration,
                more=("--streams-per-connection", "1", *packed))


def agreed(sample, kind, connections):
    """A run in which a reader got no compression although it asked is none."""
    told = (sample.get("deflate") or {}).get("connections")
    if kind.packs and sample["ok"] and told is not None and told != connections:
        return failed(f"compression was agreed on with {told} of {connections} connections")
    return sample


def measured(bench, system, kind, load, **more):
    # ringcast's raw streams are of the native wire where a feed is replayed; a hub has its own.
    if system.name == "ringcast" and load.feeds:
        load = dataclasses.replace(load, wire="native")
    return agreed(bench.measure(system, load, kind.arguments[system.name], **more), kind, load.connections)


def saved(plain, packed):
    """Percent; None where one of the two is not known."""
    before, after = (one.get("wire_bytes_per_delivery") if one["ok"] else None for one in (plain, packed))
    return 100 * (1 - after / before) if before and after else None


def whole_feed(bench, ours, outcome):
    """What is left of the bytes: the same in every run, so that one of each says it."""
    whole = [ROOT / "tests" / "data" / name for name in FEEDS]
    samples = bench.in_turn({kind.name: lambda kind=kind: measured(
        bench, ours, kind, load_of(kind, whole, FAST, 5)) for kind in KINDS}, 1)
    for kind in KINDS:
        outcome.row_of(f"wire_{kind.name}", f"bytes a delivery on the wire, {kind.title}", "bytes", "lower",
                       {"ringcast": samples[kind.name]}, "wire_bytes_per_delivery")
    for kind in (SHIPPED, EVERYTHING):
        outcome.row(f"saved_{kind.name}", f"saved: {kind.title}", "%", "higher",
                    {"ringcast": [saved(*pair) for pair in zip(samples[PLAIN.name], samples[kind.name])]})


def own_speed(bench, systems, outcome):
    """CPU a delivery at the feed's own speed, which every server carries."""
    seconds = SLICE_SECONDS_QUICK if bench.pace.quick else SLICE_SECONDS
    slices = [bench.base / f"compression-{name}" for name in FEEDS]
    for name, target in zip(FEEDS, slices):
        cut(ROOT / "tests" / "data" / name, target, seconds)
    jobs, unjudged = {}, {}  # a run takes as long as the slice: what is judged beside nobody has few
    for kind in KINDS:
        for system in systems:
            if system.name not in kind.arguments or (kind is PLAIN and system.name != "ringcast"):
                continue
            load = load_of(kind, slices, 1, seconds)
            name = f"{system.name}, {kind.name}"
            jobs[name] = lambda system=system, kind=kind, load=load: measured(bench, system, kind, load)
            if kind is not EVERYTHING or len(systems) == 1:
                unjudged[name] = max(1, bench.pace.repeats // 2)
    samples = bench.in_turn(jobs, bench.pace.repeats, at_most=unjudged)
    for kind in KINDS:
        some = {system.name: samples[f"{system.name}, {kind.name}"] for system in systems
                if f"{system.name}, {kind.name}" in samples}
        outcome.row_of(f"cpu_{kind.name}", f"{seconds} s at its own speed, {kind.title}: CPU a delivery", "ns",
                       "lower", some, "cpu_ns")
        if kind is not PLAIN:
            outcome.row_of(f"p99_{kind.name}", f"{kind.title}: p99", "ms", "lower", some, "p99")
    plain = sampled(samples.get("ringcast, plain", []))
    for kind in (SHIPPED, EVERYTHING):
        ratio = in_pairs(sampled(samples.get(f"ringcast, {kind.name}", [])), plain)
        outcome.row(f"ratio_{kind.name}", f"{kind.title}: CPU a delivery, of plain", "×", "lower", {"ringcast": ratio})


def idle(bench, systems, outcome):
    """What an idle connection holds: nothing of compression, if the server keeps no state for it."""
    for kind in (PLAIN, EVERYTHING):
        load = dataclasses.replace(IDLE, more=("--compress",) if kind.packs else ())
        held = bench.in_turn({system.name: lambda system=system, kind=kind, load=load: measured(
            bench, system, kind, load, warm=True) for system in systems}, 1)
        title = "with permessage-deflate" if kind.packs else "without"
        outcome.row(f"idle_{kind.name}", f"memory an idle connection, 10,000 of them, {title}", "bytes", "lower",
                    {name: [bytes_each(one) for one in some] for name, some in held.items()})


def run(bench, systems, _known):
    outcome = Outcome("Compression", f"The captured BTCUSDT and ETHUSDT streams to {READERS:,} subscribers of one "
                      "stream each, with permessage-deflate and without. Of the compressed messages a sample of "
                      f"readers ({INFLATE_PERCENT} %, some of each stream) unpacks and compares every one; the others "
                      "count them, for the client has one core. What is not compressed everybody compares. Bytes are "
                      f"WebSocket's, headers included: of the whole feed, at {FAST} times its speed.")
    ours = next((system for system in systems if system.name == "ringcast"), None)
    compared = [system for system in systems if system.name in EVERYTHING.arguments]
    if ours is None:
        return outcome
    whole_feed(bench, ours, outcome)
    own_speed(bench, compared, outcome)
    idle(bench, compared, outcome)
    return outcome
