"""W6: real feeds to 1,000 subscribers. At their own speed, fifty times faster, and as fast as nobody is lost."""
import gzip

from harness import ladder
from harness.machine import ROOT
from harness.measure import Load, sentence_of
from harness.outcome import Outcome

FEEDS = ("btcusdt-spot.gz", "ethusdt-spot.gz")
SUBSCRIBERS = 1000
FAST = 50
SPEEDS = ladder.rungs(50, 20_000)  # the search for the highest; at the last all of it is due within 11 ms
SPEED_START = 500


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
        return Load(connections=SUBSCRIBERS, feeds=tuple(feeds), speed=str(speed), duration=duration, wire="native")
    slow_repeats = max(1, bench.pace.repeats // 2)  # each takes as long as the slice
    jobs = [("own", f"a slice of {seconds} s at its own speed", load(slices, 1, seconds), slow_repeats),
            ("fast", f"all of it at {FAST} times", load(whole, FAST, 5), bench.pace.repeats)]
    highest = highest_speed(bench, ours, lambda speed: load(whole, speed, 5))
    if highest is not None:
        jobs.append(("most", f"all of it at {highest:,} times", load(whole, highest, 5), bench.pace.repeats))
    outcome.row("speed", "highest speed at which everybody had everything", "× its own", "higher",
                {"ringcast": [highest]})
    for name, title, made, repeats in jobs:
        samples = bench.in_turn({"ringcast": lambda made=made: bench.measure(ours, made)}, repeats)
        verified = [sum(bool(one["ok"]) for one in samples["ringcast"])]
        outcome.row(f"{name}_verified", f"{title}: runs in which everybody had everything", "", "higher",
                    {"ringcast": verified}, of=repeats)
        outcome.row_of(f"{name}_deliveries", f"{title}: deliveries", "/s", "higher", samples,
                       "deliveries_per_second")
        outcome.row_of(f"{name}_p50", f"{title}: p50", "ms", "lower", samples, "p50")
        outcome.row_of(f"{name}_p99", f"{title}: p99", "ms", "lower", samples, "p99")
        outcome.row_of(f"{name}_cpu", f"{title}: CPU a delivery", "ns", "lower", samples, "cpu_ns")
        outcome.distribution(title, samples)
    return outcome


def highest_speed(bench, ours, load_at):
    """Faster, and readers fall behind: by the shipped rules book tickers then skip, and trades disconnect."""
    def verdict(speed):
        sample = bench.measure(ours, load_at(speed))
        bench.say(f"    {speed:,} times: {sentence_of(sample)}")
        return ladder.HOLDS if sample["ok"] else ladder.OVER
    index = ladder.search(SPEEDS, ladder.nearest(SPEEDS, SPEED_START), verdict)
    return None if index is None else SPEEDS[index]
