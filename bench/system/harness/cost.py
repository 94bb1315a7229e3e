"""CPU a delivery beside the limit program's, frames coalesced K at a time; and W9, one shard beside two."""
from harness import results
from harness.measure import Load
from harness.outcome import Outcome
from harness.systems import Limit, Ringcast

BURSTS = (1, 8, 32)
CONNECTIONS = 1000
BURSTS_A_SECOND = 100  # 100,000 sends a second: about a third of a core


def burst_load(pace, burst, **more):
    return Load(connections=CONNECTIONS, rate=BURSTS_A_SECOND * burst, burst=burst, duration=pace.repeat_seconds,
                warmup=pace.warmup_seconds, limit_batch=burst, **more)


def run_cpu(bench, systems, _known):
    """Both at the same rate, below saturation; then the limit as fast as it goes, and ringcast offered as much."""
    outcome = Outcome("CPU a delivery", f"One channel, {CONNECTIONS:,} subscribers, {BURSTS_A_SECOND} times a second K "
                      "messages at the same instant. At saturation: the limit program in a closed loop, K frames a "
                      "send; ringcast offered what that delivered; "
                      "for information.")
    both = [system for system in systems if system.name in ("ringcast", "limit")]
    for burst in BURSTS:
        samples = bench.in_turn({system.name: lambda system=system, burst=burst: bench.measure(
            system, burst_load(bench.pace, burst)) for system in both}, bench.pace.repeats)
        outcome.row_of(f"below_{burst}", f"K = {burst}, below saturation", "ns", "lower", samples, "cpu_ns")
    for burst in BURSTS:
        saturate(bench, both, burst, outcome)
    return outcome


def saturate(bench, both, burst, outcome):
    samples = {system.name: [] for system in both}
    limit = next((system for system in both if isinstance(system, Limit)), None)
    if limit is None:
        return
    for _ in range(max(1, bench.pace.repeats // 2)):  # for information
        floor = bench.in_turn({"limit": lambda: bench.measure(limit, burst_load(
            bench.pace, burst, limit_closed_loop=True))}, 1)["limit"][0]
        samples["limit"].append(floor)
        if not floor["ok"] or "ringcast" not in samples:
            continue
        offered = floor["deliveries_per_second"] / CONNECTIONS
        ours = next(system for system in both if system.name == "ringcast")
        load = Load(connections=CONNECTIONS, rate=round(offered, 1), burst=burst, duration=bench.pace.repeat_seconds,
                    warmup=bench.pace.warmup_seconds)
        samples["ringcast"] += bench.in_turn({"ringcast": lambda load=load: bench.measure(ours, load)}, 1)["ringcast"]
    outcome.row_of(f"at_{burst}", f"K = {burst}, at saturation", "ns", "lower", samples, "cpu_ns")
    outcome.row_of(f"at_{burst}_deliveries", f"K = {burst}, at saturation: deliveries", "/s", "higher", samples,
                   "deliveries_per_second")


def run_shards(bench, systems, known):
    """W9. Where the load has no cores of its own beside two shards, only the CPU a delivery says something."""
    one = next((system for system in systems if system.name == "ringcast"), None)
    outcome = Outcome("One shard beside two", "At half the rate that one shard holds in W1 and in W2.")
    if one is None:
        return outcome
    two = Ringcast(bench.build, title="two shards", arguments=("--shards", "2"))
    own_cores = len(bench.cpus) >= 4
    if not own_cores:
        outcome.notes.append(f"{len(bench.cpus)} cores: two shards share them with the load, so that a rate would "
                             "measure the sharing; the CPU a delivery is given instead.")
    two_cpus, two_load = bench.cpus[:2], bench.cpus[2:] if own_cores else bench.cpus
    for scenario, channels, fallback in (("W1", 1, 1_000), ("W2", 100, 50_000)):
        rate = (results.value(known, scenario, "rate", "ringcast") or fallback) / 2
        load = Load(connections=CONNECTIONS, channels=channels, rate=rate, duration=bench.pace.repeat_seconds,
                    warmup=bench.pace.warmup_seconds)
        samples = bench.in_turn({
            "one": lambda load=load: bench.measure(one, load),
            "two": lambda load=load: bench.measure(two, load, cpus=two_cpus, load_cpus=two_load)}, bench.pace.repeats)
        for count, some in samples.items():
            where = f"{scenario} at {rate:,.0f} msg/s, {count} shard{'s' if count == 'two' else ''}"
            outcome.row_of(f"{scenario}_cpu_{count}", f"{where}: CPU a delivery", "ns", "lower", {"ringcast": some},
                           "cpu_ns")
            outcome.row_of(f"{scenario}_p99_{count}", f"{where}: p99", "ms", "lower", {"ringcast": some}, "p99")
        if own_cores:
            twice_the_rate(bench, two, scenario, channels, 2 * rate, two_cpus, two_load, outcome)
    return outcome


def twice_the_rate(bench, two, scenario, channels, rate, cpus, load_cpus, outcome):
    """The rate of one shard times 1 to 2: how much of the second core arrives."""
    held = {"ringcast": []}
    for factor in (2.0, 1.9, 1.8, 1.6, 1.4, 1.2, 1.0):
        load = Load(connections=CONNECTIONS, channels=channels, rate=rate * factor,
                    duration=bench.pace.repeat_seconds, warmup=bench.pace.warmup_seconds)
        samples = bench.in_turn({"two": lambda load=load: bench.measure(two, load, cpus=cpus, load_cpus=load_cpus)},
                                bench.pace.repeats)["two"]
        if 2 * sum(bool(one["ok"]) and (one["p99"] or 9) < 5 for one in samples) > len(samples):
            held["ringcast"] = [factor]
            break
    outcome.row(f"{scenario}_scaling", f"{scenario}: rate of two shards, of one's", "×", "higher", held)
