#!/usr/bin/python3
"""The pure parts of bench/system/harness: medians, the ladder, merging, targets, tables, charts, documents."""
import copy
import json
import pathlib
import sys
import tempfile
import unittest
import xml.etree.ElementTree as xml

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "bench" / "system"))

from harness import charts, headline, ladder, markdown, measure, overload, page, rates, results  # noqa: E402
from harness import scenarios, summary, tables, targets  # noqa: E402

MACHINE = {"cpu": "a processor", "cores": 2, "memory_gib": 4.0, "kernel": "6.1", "descriptors_max": 1024,
           "compiler": "g++", "network": "loopback"}
RUN = {"date": "2026-01-02T03:04:05Z", "commit": "abc", "repeats": 3, "quick": False}
TITLES = {"ringcast": {"title": "ringcast", "version": "1"}, "bun": {"title": "Bun", "version": "2"}}


def outcome(cells, curves=None, distributions=None):
    """A scenario's data with one row, `rate`."""
    made = {system: summary.cell(runs) for system, runs in cells.items()}
    return {"title": "A scenario", "text": "What it is.", "notes": [], "curves": curves or {},
            "distributions": distributions or {},
            "rows": [{"name": "rate", "title": "highest rate", "unit": "msg/s", "better": "higher", "cells": made}]}


def merged(known, name, cells, scenario="W1", **more):
    systems = {system: TITLES.get(system, {"title": system, "version": ""}) for system in cells}
    return results.merge(known, name, {**RUN, "commit": name}, systems, scenario, outcome(cells, **more))


def sample(**more):
    return {"ok": True, "complaints": [], "held_back": 0.0, "p99": 1.0, "rate": 100, **more}


class Summary(unittest.TestCase):
    def test_the_median_is_the_middle_or_between_the_two_middle_ones(self):
        for numbers, middle in (([3], 3), ([5, 1, 3], 3), ([4, 1, 3, 2], 2.5), ([1, 1, 100], 1)):
            self.assertEqual(summary.median(numbers), middle)
        self.assertRaises(ValueError, summary.median, [])

    def test_a_cell_keeps_every_run_and_its_extremes(self):
        self.assertEqual(summary.cell([3, None, 1, 2]), {"value": 2, "low": 1, "high": 3, "runs": [3, None, 1, 2]})
        self.assertEqual(summary.cell([], "why")["note"], "why")
        self.assertIsNone(summary.cell([None])["value"])

    def test_the_spread_is_the_distance_of_the_extremes_over_the_median(self):
        self.assertEqual(summary.spread(summary.cell([8, 10, 12])), 0.4)
        for runs in ([10], [], [0, 0, 0]):
            self.assertIsNone(summary.spread(summary.cell(runs)))

    def test_the_median_run_is_one_that_happened(self):
        runs = [{"p99": 4}, {"p99": 1}, {"p99": None}, {"p99": 3}, {"p99": 2}]
        self.assertEqual(summary.median_run(runs, "p99"), {"p99": 2})
        self.assertIsNone(summary.median_run([{"p99": None}], "p99"))

    def test_numbers_show_three_digits_that_matter(self):
        for value, text in ((0, "0"), (1234567, "1,234,567"), (0.01234, "0.0123"), (12.345, "12.3"), (999.6, "1,000"),
                            (None, "–"), (-2.5, "-2.50"), (123.4, "123")):
            self.assertEqual(summary.number(value), text)


class Ladder(unittest.TestCase):
    def test_rungs_are_at_most_a_third_apart_and_within_their_bounds(self):
        rungs = ladder.rungs(50, 2_000_000)
        self.assertEqual((rungs[0], rungs[-1]), (50, 2_000_000))
        for lower, upper in zip(rungs, rungs[1:]):
            self.assertTrue(1.15 < upper / lower < 1.34, (lower, upper))

    def test_the_nearest_rung_is_not_above(self):
        for rate, rung in ((10, 50), (50, 50), (59, 50), (60, 60), (10_000_000, 2_000_000)):
            rungs = ladder.rungs(50, 2_000_000)
            self.assertEqual(rungs[ladder.nearest(rungs, rate)], rung)

    def test_the_search_finds_every_limit_from_every_start(self):
        rungs = ladder.rungs(50, 5_000)
        for limit in [0, *rungs]:
            for start in range(len(rungs)):
                asked = []

                def verdict(rate):
                    asked.append(rate)
                    return ladder.HOLDS if rate <= limit else ladder.OVER
                found = ladder.search(rungs, start, verdict)
                self.assertEqual(limit, 0 if found is None else rungs[found], f"from {rungs[start]}")
                self.assertLessEqual(len(set(asked)), 11, "few probes, from everywhere")

    def test_from_the_right_start_the_search_asks_for_three_rungs_more(self):
        rungs, asked = ladder.rungs(50, 5_000), []

        def verdict(rate):
            asked.append(rate)
            return ladder.HOLDS if rate <= 300 else ladder.OVER
        self.assertEqual(rungs[ladder.search(rungs, ladder.nearest(rungs, 300), verdict)], 300)
        self.assertEqual(asked, [300, 600, 600, 500, 500, 400, 400])

    def test_a_single_no_is_asked_again(self):
        rungs, disturbed = ladder.rungs(50, 5_000), set()

        def verdict(rate):
            if rate not in disturbed:
                disturbed.add(rate)
                return ladder.OVER
            return ladder.HOLDS if rate <= 1_000 else ladder.OVER
        self.assertEqual(rungs[ladder.search(rungs, 3, verdict)], 1_000)

    def test_a_server_that_is_late_in_between_is_found_above(self):
        rungs = ladder.rungs(50, 50_000)

        def verdict(rate):
            if rate > 3_000:
                return ladder.OVER
            return ladder.LATE if 250 < rate < 1_500 else ladder.HOLDS
        for start in (50, 250, 300, 500, 1_000):
            self.assertEqual(rungs[ladder.search(rungs, ladder.nearest(rungs, start), verdict)], 3_000)

    def test_a_server_that_is_always_late_costs_few_probes_and_has_none(self):
        asked = []

        def verdict(rate):
            asked.append(rate)
            return ladder.LATE
        self.assertIsNone(ladder.search(ladder.rungs(50, 100_000), 3, verdict))
        self.assertLessEqual(len(asked), 10)


class Verdicts(unittest.TestCase):
    ROWS = (("complete and in time", {}, True),
            ("something was lost", {"ok": False}, False),
            ("p99 at the limit", {"p99": 5.0}, False),
            ("p99 below it", {"p99": 4.99}, True),
            ("held back by one percent", {"held_back": 0.01}, True),
            ("held back by more", {"held_back": 0.011}, False),
            ("nothing was measured", {"p99": None}, False),
            ("nearly all came in time",
             {"expected": 5_000, "published": 500, "deliveries_per_second": 970}, True),
            ("a backlog grew behind the server",
             {"expected": 5_000, "published": 500, "deliveries_per_second": 960}, False))

    def test_a_run_holds_its_rate(self):
        for sentence, more, held in self.ROWS:
            self.assertEqual(measure.holds(sample(**more)), held, sentence)
        self.assertTrue(measure.holds(sample(p99=50), None), "without a limit the latency does not count")

    def test_too_slow_is_late_and_everything_else_is_over(self):
        for more, said in (({}, ladder.HOLDS), ({"p99": 50}, ladder.LATE), ({"ok": False, "p99": 50}, ladder.OVER),
                           ({"held_back": 0.5}, ladder.OVER), ({"held_back": 0.5, "p99": 50}, ladder.OVER)):
            self.assertEqual(measure.verdict(sample(**more)), said)

    def test_more_than_half_of_the_repeats_must_hold(self):
        good, bad = sample(), sample(ok=False)
        for some, held in (([good, good, bad], True), ([good, bad, bad], False), ([good, bad], False), ([], False)):
            self.assertEqual(rates.enough_hold(some, 5), held)

    def test_a_rate_that_has_failed_is_not_measured_to_the_end(self):
        good, bad = sample(), sample(ok=False)
        for some, goes_on in (([], True), ([bad, bad], True), ([bad, bad, bad], False), ([good, bad, good, bad], True)):
            self.assertEqual(rates.undecided(some, 5, 5), goes_on)

    def test_the_load_clients_report_is_flattened(self):
        flat = measure.flat({"ok": True, "latency_ms": {"p50": 1, "p99.9": 3}, "latency_curve": [[0.5, 1]],
                             "server": {"cpu_ns_per_delivery": 7, "rss_start_bytes": 1, "rss_bytes": 2}})
        self.assertEqual((flat["p50"], flat["p99.9"], flat["curve"], flat["cpu_ns"], flat["rss_start"], flat["rss"]),
                         (1, 3, [[0.5, 1]], 7, 1, 2))
        self.assertIsNone(measure.flat({"ok": False})["p99"], "a run that never began has no latency")

    def test_the_mean_of_a_distribution_is_the_area_under_it(self):
        self.assertAlmostEqual(headline.mean_of_curve([[0.0, 1.0], [0.5, 1.0], [1.0, 1.0]]), 1.0)
        self.assertAlmostEqual(headline.mean_of_curve([[0.0, 0.0], [1.0, 2.0]]), 1.0)
        self.assertIsNone(headline.mean_of_curve([]))

    def test_the_time_to_normal_ends_with_the_last_late_quarter_of_a_second(self):
        late, normal = 0.5, 0.001
        for sentence, probes, seconds in (
                ("nothing was late", [(10.1, normal), (11.0, normal)], 0.0),
                ("late before the end only", [(9.9, late), (10.1, normal)], 0.0),
                ("late in the third quarter", [(10.1, late), (10.6, late), (10.8, normal)], 0.75),
                ("one of three in a quarter is no trend", [(10.0, normal), (10.1, late), (10.2, normal)], 0.0)):
            self.assertEqual(overload.seconds_to_normal(probes, 10.0, 2.0), seconds, sentence)


class Results(unittest.TestCase):
    def test_what_was_measured_replaces_and_the_rest_stays_with_its_run(self):
        known = merged(results.empty(MACHINE), "old", {"ringcast": [1], "bun": [2]})
        known = merged(known, "new", {"ringcast": [3]})
        cells = known["scenarios"]["W1"]["rows"][0]["cells"]
        self.assertEqual({system: (one["value"], one["run"]) for system, one in cells.items()},
                         {"ringcast": (3, "new"), "bun": (2, "old")})
        self.assertEqual(set(known["runs"]), {"old", "new"})

    def test_other_scenarios_stay_and_runs_that_nothing_names_go(self):
        known = merged(results.empty(MACHINE), "first", {"ringcast": [1]}, "W1")
        known = merged(known, "second", {"ringcast": [2]}, "W2")
        self.assertEqual(results.value(known, "W1", "rate", "ringcast"), 1)
        known = merged(known, "third", {"ringcast": [4]}, "W1")
        self.assertEqual((results.value(known, "W1", "rate", "ringcast"), set(known["runs"])), (4, {"second", "third"}))

    def test_curves_and_distributions_of_systems_that_were_not_measured_stay(self):
        known = merged(results.empty(MACHINE), "old", {"ringcast": [1], "bun": [2]},
                       curves={"ringcast": ["a"], "bun": ["b"]}, distributions={"shape": {"ringcast": 1, "bun": 2}})
        known = merged(known, "new", {"ringcast": [1]}, curves={"ringcast": ["c"]},
                       distributions={"shape": {"ringcast": 3}})
        scenario = known["scenarios"]["W1"]
        self.assertEqual(scenario["curves"], {"ringcast": ["c"], "bun": ["b"]})
        self.assertEqual(scenario["distributions"], {"shape": {"ringcast": 3, "bun": 2}})

    def test_a_system_that_was_measured_and_gave_nothing_has_no_old_number(self):
        known = merged(results.empty(MACHINE), "old", {"ringcast": [1], "bun": [2]})
        known = merged(known, "new", {"ringcast": [1], "bun": []})
        self.assertIsNone(results.value(known, "W1", "rate", "bun"))

    def test_merging_changes_nothing_that_it_was_given(self):
        known = merged(results.empty(MACHINE), "old", {"ringcast": [1], "bun": [2]})
        before = copy.deepcopy(known)
        merged(known, "new", {"ringcast": [3]})
        self.assertEqual(known, before)

    def test_the_file_comes_back_as_it_was_and_another_machine_begins_anew(self):
        known = merged(results.empty(MACHINE), "old", {"ringcast": [1.23456789], "bun": [2]})
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory) / "deep" / "newest.json"
            results.save(path, known)
            self.assertEqual(results.to_extend(path, MACHINE), results.rounded(known))
            self.assertEqual(results.to_extend(path, {**MACHINE, "cores": 4})["scenarios"], {})
            self.assertEqual(list(path.parent.iterdir()), [path], "nothing is left beside it")
            self.assertIsNone(results.read(path.parent / "other.json"))

    def test_numbers_are_kept_to_six_digits(self):
        self.assertEqual(results.rounded({"a": [1.23456789, {"b": 123456789.0}], "c": "1.23456789"}),
                         {"a": [1.23457, {"b": 123457000.0}], "c": "1.23456789"})


class Targets(unittest.TestCase):
    def judged(self, text, **cells):
        known = merged(results.empty(MACHINE), "run", {name: runs for name, runs in cells.items()})
        return {target.text: (reached, met) for target, reached, met in targets.judged(known)}[text]

    def test_a_ratio_is_met_at_its_bound_and_missed_below(self):
        text = "at least 5 × the rate of Bun"
        self.assertEqual(self.judged(text, ringcast=[1500], bun=[300])[1], True)
        self.assertEqual(self.judged(text, ringcast=[1499], bun=[300])[1], False)

    def test_what_was_not_measured_is_neither_met_nor_missed(self):
        text = "at least 5 × the rate of Bun"
        self.assertEqual(self.judged(text, ringcast=[1500]), ("bun not measured", None))
        self.assertEqual(self.judged(text, bun=[300]), ("not measured", None))

    def test_a_peer_that_holds_no_rate_at_all_is_beaten(self):
        self.assertEqual(self.judged("at least 5 × the rate of Bun", ringcast=[50], bun=[]), ("bun has none", True))

    def test_of_several_conditions_one_that_is_missed_decides(self):
        for verdicts, met in (((True, True), True), ((True, None), None), ((None, False), False)):
            judges = [lambda _known, one=one: ("text", one) for one in verdicts]
            self.assertEqual(targets.all_of(*judges)({})[1], met)

    def test_every_target_names_a_scenario_that_there_is(self):
        self.assertLessEqual({target.scenario for target in targets.TARGETS}, set(scenarios.NAMES))

    def test_no_target_fails_on_results_that_lack_its_numbers(self):
        known = results.empty(MACHINE)
        for name in scenarios.NAMES:
            known = merged(known, "run", {"ringcast": []}, name)
        for target, _, met in targets.judged(known):
            self.assertNotEqual(met, True, target.text)


class Pages(unittest.TestCase):
    def known(self):
        points = [{"rate": rate, "p50": 1, "p99": 2 + rate / 100, "ok": rate < 300, "held_back": 0,
                   "deliveries_per_second": rate * 1000} for rate in (100, 200, 300)]
        distribution = {"ringcast": {"rate": 100, "points": [[0.0, 0.1], [0.5, 1.0], [0.99, 2.0], [1.0, 3.0]]}}
        known = merged(results.empty(MACHINE), "old", {"ringcast": [100, 200, 300], "bun": [5]},
                       curves={"ringcast": points, "bun": points[:1]}, distributions={"<shape>": distribution})
        return merged(known, "new", {"ringcast": [100, 200, 300]}, curves={"ringcast": points},
                      distributions={"<shape>": distribution})

    def test_a_table_shows_median_and_spread_and_marks_another_runs_numbers(self):
        heads, rows = tables.table_of(self.known()["scenarios"]["W1"], {"bun": "Bun"})
        self.assertEqual(heads, ["", "ringcast", "Bun"])
        self.assertEqual(rows, [["highest rate [msg/s]", "200 ±50%", "5.00†"]])

    def test_a_system_without_a_number_says_why(self):
        self.assertEqual(tables.cell_text(summary.cell([], "not even 50"), "run"), "not even 50")
        self.assertEqual(tables.cell_text(summary.cell([]), "run"), "none")
        self.assertEqual(tables.cell_text(None, "run"), "")

    def test_columns_of_the_terminal_are_aligned(self):
        self.assertEqual(tables.aligned(["", "b"], [["long", "1"], ["x", "100"]]),
                         ["        b", "long    1", "x     100"])

    def test_the_document_keeps_what_people_wrote_around_its_generated_part(self):
        text = f"# Title\n\nbefore\n{markdown.BEGIN}\nold\n{markdown.END}\nafter\n"
        made = markdown.replaced(text, markdown.part(self.known(), ["W1", "W2"]))
        self.assertTrue(made.startswith(f"# Title\n\nbefore\n{markdown.BEGIN}\n"))
        self.assertTrue(made.endswith(f"\n{markdown.END}\nafter\n"))
        self.assertNotIn("\nold\n", made)
        self.assertIn("| highest rate [msg/s] | 200 ±50% | 5.00† |", made)
        self.assertEqual(markdown.replaced(made, markdown.part(self.known(), ["W1", "W2"])), made)

    def test_a_document_without_its_markers_is_left_alone(self):
        begin, end = markdown.BEGIN, markdown.END
        for text in ("nothing", begin, f"{end}\n{begin}", 2 * (begin + end)):
            self.assertRaises(ValueError, markdown.replaced, text, [])

    def test_the_page_stands_alone_and_its_charts_are_sound(self):
        made = page.page(self.known(), ["W1"])
        self.assertNotIn("http", made)
        self.assertNotIn("<shape>", made)
        pictures = made.split("<svg")[1:]
        self.assertEqual(len(pictures), 3)
        for picture in pictures:
            root = xml.fromstring("<svg" + picture.split("</svg>")[0] + "</svg>")
            corners = [pair.split(",") for one in root.iter("polyline") for pair in one.get("points").split()]
            corners += [(one.get("cx"), one.get("cy")) for one in root.iter("circle")]
            self.assertGreater(len(corners), 2)
            for x, y in corners:
                self.assertTrue(charts.LEFT <= float(x) <= charts.WIDTH - charts.RIGHT, picture[:80])
                self.assertTrue(charts.TOP <= float(y) <= charts.HEIGHT - charts.BOTTOM, picture[:80])

    def test_a_chart_of_nothing_is_nothing(self):
        self.assertEqual(charts.curve_chart("t", {"bun": []}, "p99", "ms"), "")
        self.assertEqual(charts.distribution_chart("t", {"bun": {"points": []}}), "")

    def test_ticks_lie_within_their_axis(self):
        self.assertEqual(charts.log_ticks(1, 10), [1, 2, 5, 10])
        self.assertEqual(charts.log_ticks(3, 3_000_000), [10, 100, 1_000, 10_000, 100_000, 1_000_000])

    def test_the_peers_descriptors_are_complete(self):
        folder = ROOT / "bench" / "system" / "peers"
        for name in ("bun", "ws", "gorilla", "nchan", "nats"):
            told = json.loads((folder / name / "peer.json").read_text(encoding="utf-8"))
            self.assertLessEqual({"title", "wire", "needs", "version", "command", "measured"}, set(told), name)
            self.assertIn(told["measured"], ("process", "child"))


if __name__ == "__main__":
    unittest.main()
