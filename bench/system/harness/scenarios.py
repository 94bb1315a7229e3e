"""The table of scenarios: name, what runs it, and about how long it takes."""
import dataclasses
import typing

from harness import compression, cost, features, feeds, headline, held, latency, overload, rates, tls

RUN_SECONDS = 0.55  # a run's own, beside what it measures: starting, connecting, settling, leaving


def nothing(_pace, _peers):
    return 0


@dataclasses.dataclass(frozen=True)
class Scenario:
    """Runs as they were counted on the host of docs/benchmarks.md; a host that finds its rates elsewhere has others."""
    name: str
    run: typing.Callable  # (bench, systems, known results) -> Outcome
    probes: float = 0  # of a search
    runs: float = 0  # a repeat
    peer_probes: float = 0  # of each peer
    peer_runs: float = 0
    peer_repeats_max: int = 100
    seconds: typing.Callable = nothing  # (pace, peers): what is no such run
    with_peers_only: bool = False  # additional: unless it is asked for by name
    on_request: bool = False  # only if it is asked for by name

    def estimate(self, pace, peers):
        """Seconds, with so many peers."""
        probe = pace.probe_seconds + pace.warmup_seconds + RUN_SECONDS
        run = pace.repeat_seconds + pace.warmup_seconds + RUN_SECONDS
        peer_repeats = min(pace.repeats, self.peer_repeats_max)
        return (self.seconds(pace, peers) + probe * (self.probes + peers * self.peer_probes) +
                run * (self.runs * pace.repeats + peers * self.peer_runs * peer_repeats))


def rate(scenario):
    return lambda bench, systems, known: rates.run(bench, systems, known, scenario)


def idle_seconds(pace, peers):
    """A long hold, one of 19,000, and the others: 10,000 connect in a second or two."""
    return (pace.idle_seconds + 7 + 5 * (pace.repeats - 1) +
            peers * (pace.idle_seconds_others + 7 + 5 * (min(pace.repeats, 3) - 1)))


def feed_seconds(pace, _peers):
    return 10 + 21.5 * max(1, pace.repeats // 2) + 6.5 * pace.repeats


def slow_seconds(pace, peers):
    runs = 2 * pace.repeats + peers * 2 * min(pace.repeats, latency.SLOW_PEER_REPEATS_MAX)
    return runs * (pace.slow_seconds + pace.warmup_seconds + 1.3)


def storm_seconds(pace, peers):
    return pace.repeats * (1.3 + 1.6 * peers)


def compression_seconds(pace, peers):
    few, systems = max(1, pace.repeats // 2), 2 if peers else 1
    own_speed = 2.2 if pace.quick else 6.2
    return 18 + own_speed * (2 * few + (2 * pace.repeats if peers else few)) + 8 * systems


# Of the peers, tls and compression take Bun alone.
SCENARIOS = (
    Scenario("W1", rate(rates.W1), 28, 2.5, 5.6, 1),
    Scenario("W2", rate(rates.W2), 26, 4, 6.5, 0.9),
    Scenario("W3", rate(rates.W3), 14, 3.5, 4, 1.2, seconds=lambda pace, peers: 10 + 3 * peers),
    Scenario("CPU", cost.run_cpu, runs=8.4),
    Scenario("W4", held.run_idle, seconds=idle_seconds),
    Scenario("W5", latency.run_quiet, runs=6, peer_runs=2, peer_repeats_max=3),
    Scenario("W6", feeds.run, seconds=feed_seconds),
    Scenario("W7", latency.run_slow, seconds=slow_seconds),
    Scenario("W8", held.run_storm, seconds=storm_seconds),
    Scenario("W9", cost.run_shards, runs=4),
    Scenario("headline", headline.run, runs=2, seconds=lambda pace, peers: 2 * pace.repeats),
    Scenario("flood", overload.run, seconds=lambda pace, peers: pace.flood_seconds + 10),
    Scenario("tls", tls.run, 6, 5.5, 1.2, 0.6, seconds=lambda pace, peers: 15 + 3 * peers),
    Scenario("compression", compression.run, seconds=compression_seconds),
    Scenario("W1-10ms", rate(rates.W1_10MS), 26, 5, 2, 0.5, with_peers_only=True),
    Scenario("W2-10ms", rate(rates.W2_10MS), 26, 5, 2, 0.5, with_peers_only=True),
    Scenario("features", features.run_features, runs=20, on_request=True),
    Scenario("before", features.run_before, runs=11, seconds=lambda pace, peers: 130, on_request=True),
)
NAMES = tuple(scenario.name for scenario in SCENARIOS)
