"""The command line: which scenarios, of which systems, how often, and where the results go."""
import argparse
import dataclasses
import pathlib
import sys
import tempfile
import time

from harness import features, machine, markdown, page, process, results, tables, targets
from harness.machine import ROOT
from harness.measure import QUICK, Bench, Pace, reason_of
from harness.outcome import Outcome
from harness.scenarios import NAMES, SCENARIOS
from harness.summary import seconds_text
from harness.systems import PEER_NAMES, Limit, Ringcast, peers

RESULTS = ROOT / "bench" / "system" / "results"
DOCUMENT = ROOT / "docs" / "benchmarks.md"
PACE = Pace(repeats=3, probe_seconds=0.7, repeat_seconds=1.0, repeat_seconds_max=2.0, warmup_seconds=0.2,
            slow_seconds=3.0, idle_seconds=20.0)
PACE_WITH_PEERS = Pace(repeats=5, probe_seconds=1.0, repeat_seconds=2.0, warmup_seconds=0.4, slow_seconds=4.0)
MINUTES, MINUTES_WITH_PEERS = 9.7, 39.5  # of the whole command; no scenario is begun that would not fit
REPEATS_MIN_WITH_PEERS = 5  # what the targets are judged by
SHORTER = (1.0, 0.8, 0.6)  # times a run: tried in this order, with all repeats, then with one less, and so on


def names_of(text, known, what):
    chosen = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in chosen if name.lower() not in {one.lower() for one in known}]
    if unknown or not chosen:
        raise argparse.ArgumentTypeError(f"{what} are {', '.join(known)}; not {text!r}")
    return [one for one in known if one.lower() in {name.lower() for name in chosen}]


def arguments_of(argv):
    parser = argparse.ArgumentParser(prog="scripts/bench",
                                     description="Measures ringcast beside the limit program, and the peers.")
    parser.add_argument("--with-peers", action="store_true", help="the peers as well; installs them first")
    parser.add_argument("--only", type=lambda text: names_of(text, NAMES, "the scenarios"), metavar="W1,W3",
                        help="these scenarios: " + ", ".join(NAMES))
    parser.add_argument("--systems", metavar="NAME,...", type=lambda text: names_of(
        text, ("ringcast", "limit", *PEER_NAMES), "the systems"), help="these systems only")
    parser.add_argument("--repeats", type=int, help="runs that a median is taken of (3; 5 with peers)")
    parser.add_argument("--minutes", type=float,
                        help="of the whole command, install and build included: the runs are made shorter and fewer "
                        "until they fit, and no scenario is begun that would not end by then (9.7; 39.5 with peers)")
    parser.add_argument("--quick", action="store_true",
                        help="shows that everything works, in a few minutes; numbers are noise")
    parser.add_argument("--output", type=pathlib.Path,
                        help="a directory for the results instead of bench/system/results")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build", help="the build directory")
    parser.add_argument("--before", type=pathlib.Path, metavar="DIRECTORY",
                        help="the build directory of an older ringcast: measures `before`, what has become slower")
    parser.add_argument("--elapsed", type=float, default=0, metavar="SECONDS",
                        help="what installing and building took before: part of the minutes")
    parser.add_argument("--render", action="store_true",
                        help="measure nothing: table, page and document from the results")
    chosen = parser.parse_args(argv)
    if chosen.repeats is not None and not 1 <= chosen.repeats <= 100:
        parser.error("--repeats is 1 to 100")
    if chosen.before is not None and chosen.only is None:
        chosen.only = [features.BEFORE]
    if chosen.before is None and features.BEFORE in (chosen.only or ()):
        parser.error("`before` needs --before DIRECTORY, the build that this one is compared with")
    return chosen


def pace_of(chosen):
    if chosen.quick:
        pace = QUICK
    else:
        pace = PACE_WITH_PEERS if chosen.with_peers else PACE
    return pace if chosen.repeats is None else Pace(**{**pace.__dict__, "repeats": chosen.repeats})


def to_run(chosen, peer_count):
    """The scenarios that were asked for, in their order."""
    if chosen.only is not None:
        return [scenario for scenario in SCENARIOS if scenario.name in chosen.only]
    return [scenario for scenario in SCENARIOS
            if not scenario.on_request and (peer_count or not scenario.with_peers_only)]


def fitted(pace, scenarios, peer_count, seconds, repeats_min):
    """The longest runs and most repeats with which the scenarios end within so many seconds; if none do, the least.

    Additional scenarios do not count: they are left out for want of time.
    """
    required = [scenario for scenario in scenarios if not scenario.with_peers_only] or scenarios
    tried = pace
    for repeats in range(pace.repeats, min(pace.repeats, repeats_min) - 1, -1):
        for factor in SHORTER:
            tried = dataclasses.replace(pace, repeats=repeats, probe_seconds=factor * pace.probe_seconds,
                                        repeat_seconds=factor * pace.repeat_seconds,
                                        slow_seconds=factor * pace.slow_seconds)
            if sum(scenario.estimate(tried, peer_count) for scenario in required) <= seconds:
                return tried
    return tried


def systems_of(chosen, build):
    systems = [Ringcast(build), Limit(build)]
    if chosen.before is not None:
        systems.append(Ringcast(chosen.before.resolve(), features.BEFORE, "before"))
    missing = [file for system in systems for file in system.missing()]
    if missing:
        raise process.BenchError("not built: " + ", ".join(missing))
    if chosen.with_peers:
        usable, absent = peers(build)
        systems += usable
        for name, reason in absent.items():
            print(f"   {name} is left out: {reason}")
    if chosen.systems is not None:
        systems = [system for system in systems if system.name in chosen.systems]
    return systems


def render(known, output, document):
    output.mkdir(parents=True, exist_ok=True)
    page.write(output / "report.html", known, NAMES)
    if document is not None and document.exists():
        markdown.update(document, known, NAMES)


def print_scenario(name, known):
    scenario = known["scenarios"][name]
    print(f"\n{name}: {scenario['title']}")
    for line in tables.aligned(*tables.table_of(scenario, tables.titles_of(known))):
        print("  " + line)
    for note in scenario["notes"]:
        print("  note: " + note)
    print(flush=True)


def print_targets(known, names):
    rows = [[f"{target.scenario}: {target.text}", reached, tables.verdict(met)]
            for target, reached, met in targets.judged(known) if target.scenario in names]
    if rows:
        print("\nTargets")
        for line in tables.aligned(["", "reached", ""], rows):
            print("  " + line)


def outcome_of(scenario, bench, systems, known):
    """What one scenario gave. An error that nobody foresaw costs this scenario and no other."""
    bench.failures, bench.answers = [], []
    try:
        outcome = scenario.run(bench, systems, known)
    except Exception as error:
        outcome = Outcome(scenario.name, "It failed.")
        outcome.failed = reason_of(error)
        bench.failures.append(f"the scenario: {outcome.failed}")
    outcome.tell(bench.failures, bench.answers)
    return outcome


FAILED, NOT_ALL_RUN = 1, 3  # exit statuses


def exit_status(failures, skipped):
    return FAILED if failures else NOT_ALL_RUN if skipped else 0


def measure(chosen, output, document):
    """Measures what was chosen; the results are written after each scenario. The exit status."""
    pace, began = pace_of(chosen), time.monotonic()
    minutes = chosen.minutes or (MINUTES_WITH_PEERS if chosen.with_peers else MINUTES)
    build = chosen.build.resolve()
    systems = systems_of(chosen, build)
    count = sum(system.name in PEER_NAMES for system in systems)
    scenarios = to_run(chosen, count)
    seconds_left = 60 * minutes - chosen.elapsed
    if chosen.repeats is None and not chosen.quick:
        full = pace
        pace = fitted(full, scenarios, count, seconds_left, REPEATS_MIN_WITH_PEERS if chosen.with_peers else 1)
        if pace != full:
            print(f"== {seconds_text(seconds_left)} are left to measure in: {pace.repeats} of {full.repeats} repeats, "
                  f"of {pace.repeat_seconds:.1f} instead of {full.repeat_seconds:.1f} s")
    run = {"date": machine.now(), "commit": machine.commit(), "repeats": pace.repeats, "quick": pace.quick,
           "kernel": machine.facts()["kernel"]}
    run_name = f"{run['date']} {run['commit']}"
    known = results.to_extend(output / "newest.json", machine.facts())
    there = results.read(output / "newest.json")
    if there is not None and there["scenarios"] and not known["scenarios"]:
        print(f"== the results that are there are another machine's, and go: {', '.join(there['scenarios'])}")
    described = {system.name: {"title": system.title, "version": system.version()} for system in systems}
    print(f"== {len(systems)} systems: {', '.join(described)}; {pace.repeats} repeats; commit {run['commit']}")
    skipped, failures, required_skipped = [], [], False
    with tempfile.TemporaryDirectory(prefix="ringcast-bench.") as base:
        bench = Bench(build, pace, base, began + seconds_left, lambda text: print(text, flush=True))
        for scenario in scenarios:
            seconds = scenario.estimate(pace, count)
            if seconds > bench.time_left():
                skipped.append(scenario.name)
                required_skipped = required_skipped or not scenario.with_peers_only
                continue
            print(f"== {scenario.name} (about {seconds_text(seconds)})", flush=True)
            started = time.monotonic()
            compared = [system for system in systems
                        if system.name != features.BEFORE or scenario.name == features.BEFORE]
            outcome = outcome_of(scenario, bench, compared, known)
            failures += [f"{scenario.name}: {sentence}" for sentence in outcome.failures]
            known = results.rounded(results.merge(known, run_name, run, described, scenario.name, outcome.as_data()))
            results.save(output / "newest.json", known)
            print_scenario(scenario.name, known)
            print(f"   {scenario.name} took {seconds_text(time.monotonic() - started)}", flush=True)
    known["not_run"] = [name for name in NAMES if name in (*skipped, *known.get("not_run", []))]
    results.save(output / "newest.json", known)
    render(known, output, document)
    print_targets(known, [scenario.name for scenario in scenarios if scenario.name not in skipped])
    for sentence in dict.fromkeys(failures):
        print(f"failed run: {sentence}")
    if skipped:
        print(f"not run, no time was left: {', '.join(skipped)}; --minutes gives more, --only chooses")
    took = time.monotonic() - began
    print(f"== {output / 'newest.json'}, {output / 'report.html'}")
    print(f"== installing and building took {seconds_text(chosen.elapsed)}, measuring {seconds_text(took)}; together "
          f"{seconds_text(took + chosen.elapsed)} of the {minutes:g} min that it may take")
    return exit_status(failures, required_skipped)


def main(argv):
    chosen = arguments_of(argv)
    output = chosen.output or (chosen.build / "bench" / "quick" if chosen.quick else RESULTS)
    document = DOCUMENT if output.resolve() == RESULTS.resolve() else None
    process.install_handlers()
    try:
        if chosen.render:
            known = results.read(output / "newest.json")
            if known is None:
                raise process.BenchError(f"there are no results in {output}")
            render(known, output, document)
            for name in known["scenarios"]:
                print_scenario(name, known)
            print_targets(known, NAMES)
            return 0
        return measure(chosen, output, document)
    except process.BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bench: interrupted; what was finished is in the results", file=sys.stderr)
        return 130
    finally:
        process.end_all()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
