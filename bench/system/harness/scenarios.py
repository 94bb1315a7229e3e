"""The table of scenarios: name, what runs it, and about how long it takes."""
import dataclasses
import typing

from harness import cost, features, feeds, headline, held, latency, overload, rates


@dataclasses.dataclass(frozen=True)
class Scenario:
    name: str
    run: typing.Callable  # (bench, systems, known results) -> Outcome
    seconds: float  # once, whatever the repeats
    seconds_a_repeat: float
    seconds_a_peer: float = 0
    seconds_a_peer_repeat: float = 0
    with_peers_only: bool = False  # unless it is asked for by name
    on_request: bool = False  # only if it is asked for by name

    def estimate(self, repeats, peers):
        return (self.seconds + self.seconds_a_repeat * repeats +
                peers * (self.seconds_a_peer + self.seconds_a_peer_repeat * repeats))


def rate(scenario):
    return lambda bench, systems, known: rates.run(bench, systems, known, scenario)


SCENARIOS = (
    Scenario("W1", rate(rates.W1), 48, 8, 15, 3.6),
    Scenario("W2", rate(rates.W2), 50, 9, 30, 5.2),
    Scenario("W3", rate(rates.W3), 30, 8, 18, 5.5),
    Scenario("CPU", cost.run_cpu, 0, 35),
    Scenario("W4", held.run_idle, 52, 3, 24, 3),
    Scenario("W5", latency.run_quiet, 0, 16, 0, 6),
    Scenario("W6", feeds.run, 30, 10),
    Scenario("W7", latency.run_slow, 0, 14, 20, 4),
    Scenario("W8", held.run_storm, 0, 1.3, 0, 1.1),
    Scenario("W9", cost.run_shards, 0, 11.6),
    Scenario("headline", headline.run, 0, 7),
    Scenario("flood", overload.run, 42, 0),
    Scenario("W1-10ms", rate(rates.W1_10MS), 70, 13, with_peers_only=True),
    Scenario("W2-10ms", rate(rates.W2_10MS), 75, 13, with_peers_only=True),
    Scenario("features", features.run_features, 0, 75, on_request=True),
    Scenario("before", features.run_before, 240, 0, on_request=True),
)
NAMES = tuple(scenario.name for scenario in SCENARIOS)
