"""The table of scenarios: name, what runs it, and about how long it takes."""
import dataclasses
import typing

from harness import cost, feeds, headline, held, latency, overload, rates


@dataclasses.dataclass(frozen=True)
class Scenario:
    name: str
    run: typing.Callable  # (bench, systems, known results) -> Outcome
    seconds: float  # once, whatever the repeats
    seconds_a_repeat: float
    seconds_a_peer: float = 0
    seconds_a_peer_repeat: float = 0

    def estimate(self, repeats, peers):
        return (self.seconds + self.seconds_a_repeat * repeats +
                peers * (self.seconds_a_peer + self.seconds_a_peer_repeat * repeats))


def rate(scenario):
    return lambda bench, systems, known: rates.run(bench, systems, known, scenario)


SCENARIOS = (
    Scenario("W1", rate(rates.W1), 20, 5.5, 10, 3.5),
    Scenario("W2", rate(rates.W2), 20, 5.5, 10, 3.5),
    Scenario("W1-10ms", rate(rates.W1_10MS), 30, 8),
    Scenario("W2-10ms", rate(rates.W2_10MS), 30, 8),
    Scenario("W3", rate(rates.W3), 25, 7, 18, 5),
    Scenario("CPU", cost.run_cpu, 0, 33),
    Scenario("W4", held.run_idle, 30, 2.5, 30, 3),
    Scenario("W5", latency.run_quiet, 0, 16, 0, 6.5),
    Scenario("W6", feeds.run, 45, 12),
    Scenario("W7", latency.run_slow, 0, 15, 25, 4),
    Scenario("W8", held.run_storm, 0, 1.5, 0, 1.5),
    Scenario("W9", cost.run_shards, 0, 11),
    Scenario("headline", headline.run, 0, 8),
    Scenario("flood", overload.run, 42, 0),
)
NAMES = tuple(scenario.name for scenario in SCENARIOS)
