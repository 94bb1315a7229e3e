"""What the project set out to reach, in one table."""
import time

from harness.held import cpu_share
from harness.measure import Load, failed, holds, reason_of
from harness.outcome import Outcome
from harness.process import BenchError

HELD, ACTIVE, CHANNELS, RATE = 10_000, 1_000, 100, 50_000
SMALL_CONNECTIONS, SMALL_RATE = 1_000, 10


def mean_of_curve(points):
    """The mean of a distribution given as [share, value] pairs, ascending: the area under it, by trapezoids."""
    if not points:
        return None
    area, share_before, value_before = 0.0, 0.0, points[0][1]
    for share, value in points:
        area += (share - share_before) * (value + value_before) / 2
        share_before, value_before = share, value
    return area + (1 - share_before) * value_before


def busy(bench, ours):
    """50,000 messages a second to 1,000 subscribers, while 9,000 more connections are held."""
    idle = Load(connections=HELD - ACTIVE, connect_only=True, duration=120, more=("--prefix", "idle."))
    load = Load(connections=ACTIVE, channels=CHANNELS, rate=RATE, duration=bench.pace.repeat_seconds,
                warmup=bench.pace.warmup_seconds)
    with bench.server(ours, load) as running:
        holder, _ = bench.start_load(running, ours.wire, idle, "holder")
        try:
            deadline = time.monotonic() + 20
            while ours.statistics(running)["activeConnections"] < HELD - ACTIVE:
                if time.monotonic() > deadline or not holder.running():
                    raise BenchError(f"the idle connections did not come about: {holder.said(300)}")
                time.sleep(0.1)
            sample = bench.load(running, ours.wire, load)
            sample["mean"] = sample.get("mean") or mean_of_curve(sample["curve"])
            if not holder.running():
                raise BenchError(f"the idle connections were lost: {holder.said(300)}")
            return sample
        finally:
            holder.stop()


def guarded(call):
    try:
        return call()
    except Exception as error:  # as in Bench.measure
        return failed(reason_of(error))


def run(bench, systems, _known):
    outcome = Outcome("The headline", f"{RATE:,} messages/s in over {CHANNELS} channels of 10 subscribers, with "
                      f"{HELD:,} connections held; and {SMALL_CONNECTIONS:,} subscribers of one channel with "
                      f"{SMALL_RATE} msg/s.")
    ours = next((system for system in systems if system.name == "ringcast"), None)
    if ours is None:
        return outcome
    small = Load(connections=SMALL_CONNECTIONS, rate=SMALL_RATE, duration=max(2.0, bench.pace.repeat_seconds),
                 warmup=bench.pace.warmup_seconds)
    samples = bench.in_turn({"busy": lambda: guarded(lambda: busy(bench, ours)),
                             "small": lambda: bench.measure(ours, small)}, bench.pace.repeats)
    large, few = {"ringcast": samples["busy"]}, {"ringcast": samples["small"]}
    complete = [sum(bool(one["ok"]) for one in samples["busy"])]
    outcome.row("complete", f"{RATE:,} msg/s, {HELD:,} held: runs without loss", "", "higher", {"ringcast": complete},
                of=bench.pace.repeats)
    outcome.row("held", "runs at the full rate: nothing lost or held back, no backlog", "", "higher",
                {"ringcast": [sum(holds(one, None) for one in samples["busy"])]}, of=bench.pace.repeats)
    outcome.row_of("mean", "average latency of it", "ms", "lower", large, "mean")
    outcome.row_of("p99", "p99 of it", "ms", "lower", large, "p99")
    outcome.row_of("rss", f"resident memory with {SMALL_CONNECTIONS:,} connections", "MB", "lower", few, "rss_max",
                   1e-6)
    outcome.row("cpu", f"CPU at {SMALL_CONNECTIONS:,} × {SMALL_RATE} msg/s, of a core", "%", "lower", {
        "ringcast": [cpu_share(one, one.get("measured_seconds") or small.duration) for one in samples["small"]]})
    return outcome
