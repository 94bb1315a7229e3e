"""W6: real feeds to 1,000 subscribers. At their own speed, fifty times faster, and as fast as the node takes them."""
import gzip

from harness.machine import ROOT
from harness.measure import Load
from harness.outcome import Outcome

FEEDS = ("btcusdt-spot.gz", "ethusdt-spot.gz")
SUBSCRIBERS = 1000
FAST, FLAT_OUT = "50", "100000"  # at 100,000 times everything is due at once: back pressure sets the pace


def cut(source, target, seconds):
    """The beginning of a capture, by its own clock: whole lines, `<receive time in ns> <message>`."""
    with gzip.open(source, "rb") as lines, gzip.open(target, "wb", compresslevel=1) as out:
        end = None
        for line in lines:
            received = int(line.split(b" ", 1)[0])
            end = received + seconds * 1_000_000_000 if end is None else end
            if received > end:
                break
            out.write(line)


def run(bench, systems, _known):
    seconds = 3 if bench.pace.quick else 20
    outcome = Outcome("Real feeds", f"Captured BTCUSDT and ETHUSDT streams to {SUBSCRIBERS:,} subscribers of one or "
                      "two streams each; every message compared with the capture, byte for byte. ringcast only: the "
                      "others do not speak it.")
    ours = next((system for system in systems if system.name == "ringcast"), None)
    if ours is None:
        return outcome
    whole = [ROOT / "tests" / "data" / name for name in FEEDS]
    slices = [bench.base / f"slice-{name}" for name in FEEDS]
    for source, target in zip(whole, slices):
        cut(source, target, seconds)

    def load(feeds, speed, duration):
        return Load(connections=SUBSCRIBERS, feeds=tuple(feeds), speed=speed, duration=duration)
    for name, title, made, repeats in (
            ("own", f"a slice of {seconds} s at its own speed", load(slices, "1", seconds), min(2, bench.pace.repeats)),
            ("fast", f"all of it at {FAST} times", load(whole, FAST, 5), bench.pace.repeats),
            ("flat_out", "all of it as fast as it goes", load(whole, FLAT_OUT, 10), bench.pace.repeats)):
        samples = bench.in_turn({"ringcast": lambda made=made: bench.measure(ours, made)}, repeats)
        outcome.row(f"{name}_verified", f"{title}: runs in which everybody had everything", f"of {repeats}",
                    "higher", {"ringcast": [sum(bool(one["ok"]) for one in samples["ringcast"])]})
        outcome.row_of(f"{name}_deliveries", f"{title}: deliveries", "/s", "higher", samples, "deliveries_per_second")
        if name != "flat_out":
            outcome.row_of(f"{name}_p50", f"{title}: p50", "ms", "lower", samples, "p50")
            outcome.row_of(f"{name}_p99", f"{title}: p99", "ms", "lower", samples, "p99")
            outcome.distribution(title, samples)
        outcome.row_of(f"{name}_cpu", f"{title}: CPU a delivery", "ns", "lower", samples, "cpu_ns")
    return outcome
