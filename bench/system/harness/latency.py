"""W5: latency at little load; W7: one in ten readers stalled."""
from harness import results
from harness.measure import Load
from harness.outcome import Outcome
from harness.rates import W1
from harness.systems import Limit, PEER_NAMES, PEER_REPEATS_MAX, Ringcast

SHAPES = (("1000", 1000, 100), ("1", 1, 1000))  # name, subscribers, messages a second

SLOW = ", slow readers"  # behind a system's name
SLOW_PEER_REPEATS_MAX = 2


def run_quiet(bench, systems, _known):
    outcome = Outcome("Latency at little load", "From the instant at which a message was due to its receipt. The load "
                      "client looks at its sockets every 100 µs; with a polling shard it polls as well.")
    for name, subscribers, rate in SHAPES:
        load = Load(connections=subscribers, rate=rate, duration=bench.pace.repeat_seconds,
                    warmup=bench.pace.warmup_seconds)
        samples = bench.in_turn({system.name: lambda system=system, load=load: bench.measure(system, load)
                                 for system in systems}, bench.pace.repeats,
                                at_most=dict.fromkeys(PEER_NAMES, PEER_REPEATS_MAX))
        shape = f"{rate:,} msg/s × {subscribers:,}"
        outcome.row_of(f"p50_{name}", f"p50, {shape}", "ms", "lower", samples, "p50")
        outcome.row_of(f"p99_{name}", f"p99, {shape}", "ms", "lower", samples, "p99")
        outcome.distribution(shape, samples)
    polling(bench, systems, outcome)
    return outcome


def polling(bench, systems, outcome):
    """Nobody sleeps: the shard, the limit program, the client."""
    spinning = {"ringcast": Ringcast(bench.build, arguments=("--shards", "1", "--shards-spin", "1s")),
                "limit": Limit(bench.build)}
    present = {system.name for system in systems}
    load = Load(connections=1, rate=1000, duration=bench.pace.repeat_seconds, warmup=bench.pace.warmup_seconds,
                more=bench.polling_options())
    extras = {"ringcast": (), "limit": ("--wait", "spin")}
    samples = bench.in_turn({name: lambda name=name: bench.measure(spinning[name], load, extras[name])
                             for name in spinning if name in present}, bench.pace.repeats)
    outcome.row_of("p50_poll", "p50, 1,000 msg/s × 1, all polling", "ms", "lower", samples, "p50")
    outcome.row_of("p99_poll", "p99, 1,000 msg/s × 1, all polling", "ms", "lower", samples, "p99")
    outcome.distribution("1,000 msg/s × 1, all polling", samples)


def run_slow(bench, systems, known):
    """W7. The same rate without and with slow readers; what counts is what the others notice."""
    outcome = Outcome("One in ten readers stalled", "One channel, 1,000 subscribers, at the rate that each holds in "
                      "W1: 100 of them never read, or 2 KiB every 50 ms. The numbers are those of the 900 others, and "
                      "without slow readers of all 1,000.")
    jobs, shares = {}, {}
    for system in systems:
        rate = results.value(known, "W1", "rate", system.name)
        if rate is None:  # nothing holds on this host
            rate = W1.starts[system.name]
        if isinstance(system, Limit) or not rate:
            continue
        for slow in (0, 10):
            load = Load(connections=1000, rate=rate, slow=slow, duration=bench.pace.slow_seconds,
                        warmup=bench.pace.warmup_seconds)
            jobs[system.name + (SLOW if slow else "")] = lambda system=system, load=load: bench.measure(system, load)
    samples = bench.in_turn(jobs, bench.pace.repeats, at_most={
        name: SLOW_PEER_REPEATS_MAX for name in jobs if name.removesuffix(SLOW) in PEER_NAMES})
    with_slow = {name.removesuffix(SLOW): some for name, some in samples.items() if name.endswith(SLOW)}
    without = {name: some for name, some in samples.items() if not name.endswith(SLOW)}
    for name, some in with_slow.items():
        shares[name] = [100 * (one.get("delivered") or 0) / one["expected"] if one.get("expected") else 0
                        for one in some]
    outcome.row("arrived", "what the 900 others were due and received", "%", "higher", shares)
    for key in ("p50", "p99"):
        outcome.row_of(f"{key}_without", f"{key} without slow readers", "ms", "lower", without, key)
        outcome.row_of(f"{key}_with", f"{key} of the others with slow readers", "ms", "lower", with_slow, key)
    outcome.row("rss", "resident memory at most, with slow readers", "MB", "lower", {
        name: [None if one.get("rss_max") is None or not one["ok"] else one["rss_max"] / 1e6 for one in some]
        for name, some in with_slow.items()})
    outcome.distribution("one in ten stalled: the others", with_slow)
    return outcome
