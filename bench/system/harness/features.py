"""What a feature costs: nothing while it is off (beside a build from before it), and what it does when it is on."""
import dataclasses

from harness.held import bytes_each
from harness.measure import Load
from harness.outcome import Outcome
from harness.rates import W3_CONFIG

BEFORE = "before"  # the column, and the scenario, of the other build
PAIRS = 9  # what is looked for is 3 %, and a run varies by as much
LAG = 'lag = { messages = 1000000, bytes = "16MiB", time = "10s" }\n'  # as in w3.toml


@dataclasses.dataclass(frozen=True)
class Shape:
    """A rate below saturation: what is compared is the CPU a delivery."""
    name: str
    title: str
    connections: int
    channels: int
    rate: float
    burst: int = 1
    arguments: tuple = ()

    def load(self, pace, **more):
        return Load(connections=self.connections, channels=self.channels, rate=self.rate, burst=self.burst,
                    duration=pace.repeat_seconds, warmup=pace.warmup_seconds, **more)


W1 = Shape("W1", "W1 at 1,000 msg/s", 1000, 1, 1_000)
W2 = Shape("W2", "W2 at 20,000 msg/s", 1000, 100, 20_000)
W3 = Shape("W3", "W3 at 200,000 msg/s", 10, 1, 200_000, arguments=("--config", W3_CONFIG))


@dataclasses.dataclass(frozen=True)
class Feature:
    """A node with something on. `rule` stands in its one namespace, `config` in front of it."""
    name: str
    title: str
    rule: str = ""
    config: str = ""
    wire: str = ""
    more: tuple = ()  # for the load client

    def arguments(self, base):
        path = base / f"{self.name}.toml"
        path.write_text(f'{self.config}\n[[namespace]]\nmatch = ">"\n{LAG}{self.rule}\n', encoding="utf-8")
        return ("--config", path)


PLAIN = Feature("plain", "nothing but what is shipped")
FEATURES = (
    Feature("native", "readers of the native dialect", wire="native"),
    Feature("no_history", "without history", "history = { messages = 0 }"),
    Feature("long_history", "100,000 messages of history", 'history = { messages = 100000, bytes = "64MiB" }'),
    Feature("by_payload", "duplicates found by payload", 'dedupe = { by = "payload" }'),
    Feature("last", "the last value kept", 'state = "last"'),
    Feature("snapshots", "snapshot and delta", 'state = "snapshot+delta"'),
    Feature("conflate", "readers may be conflated", 'slow = "conflate"'),
    Feature("high", "a channel of high priority", 'priority = "high"'),
    Feature("batch", "batches of 5 ms", 'batch_delay = "5ms"'),
)


def sampled(numbers, key="cpu_ns"):
    return [one[key] if one["ok"] and one.get(key) is not None else None for one in numbers]


def in_pairs(above, below):
    """Each run over the one beside it in time, which the host disturbed alike."""
    return [one / other if one and other else None for one, other in zip(above, below)]


def run_before(bench, systems, _known):
    """This build and another in turn, at W1 to W3, everything as it is shipped; and what an idle connection takes."""
    outcome = Outcome("This build beside one from before", "CPU a delivery at rates far below saturation, everything "
                      "as it is shipped; in pairs, one right after the other. The ratio is the median of the pairs.")
    both = {system.name: system for system in systems if system.name in ("ringcast", BEFORE)}
    if BEFORE not in both:
        outcome.notes.append("there is no other build: --before names its directory")
    pairs = 1 if bench.pace.quick else max(bench.pace.repeats, PAIRS)
    for shape in (W1, W2, W3):
        samples = bench.in_turn({name: lambda system=system, shape=shape: bench.measure(
            system, shape.load(bench.pace), shape.arguments) for name, system in both.items()}, pairs)
        outcome.row_of(f"{shape.name}_cpu", f"{shape.title}: CPU a delivery", "ns", "lower", samples, "cpu_ns")
        outcome.row_of(f"{shape.name}_p99", f"{shape.title}: p99", "ms", "lower", samples, "p99")
        if BEFORE in both and "ringcast" in both:
            outcome.row(f"{shape.name}_ratio", f"{shape.title}: CPU a delivery, of the other's", "×", "lower",
                        {"ringcast": in_pairs(sampled(samples["ringcast"]), sampled(samples[BEFORE]))})
    idle = Load(connections=10_000, connect_only=True, duration=1.0)
    held = bench.in_turn({name: lambda system=system: bench.measure(system, idle, warm=True)
                          for name, system in both.items()}, min(pairs, 3))
    outcome.row("W4_bytes", "W4: memory a connection at 10,000", "bytes", "lower",
                {name: [bytes_each(one) for one in some] for name, some in held.items()})
    return outcome


FAN_OUT = Shape("fan", "1,000 readers, 8 messages at a time", 1000, 1, 800, burst=8)
MESSAGES = Shape("message", "10 readers, 200,000 msg/s", 10, 1, 200_000)


def run_features(bench, systems, _known):
    """Each feature after the plain node, in turn."""
    outcome = Outcome("What a feature costs when it is on", "CPU a delivery of a node with one thing changed, over "
                      "that of a plain node right before it: the median of the pairs. With 1,000 readers the kernel's "
                      "sending outweighs all else; with 10 readers and 200,000 msg/s it is the message's own path.")
    ours = next((system for system in systems if system.name == "ringcast"), None)
    if ours is None:
        return outcome
    for shape in (FAN_OUT, MESSAGES):
        def job(feature, shape=shape):
            load = shape.load(bench.pace, wire=feature.wire, more=feature.more)
            return lambda: bench.measure(ours, load, feature.arguments(bench.base))
        samples = bench.in_turn({feature.name: job(feature) for feature in (PLAIN, *FEATURES)}, bench.pace.repeats)
        plain = sampled(samples[PLAIN.name])
        outcome.row(f"{shape.name}_plain", f"{shape.title}: {PLAIN.title}", "ns", "lower", {"ringcast": plain})
        for feature in FEATURES:
            outcome.row(f"{shape.name}_{feature.name}", f"{shape.title}: {feature.title}", "× plain", "none",
                        {"ringcast": in_pairs(sampled(samples[feature.name]), plain)})
    return outcome
