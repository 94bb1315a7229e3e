#!/usr/bin/python3
"""What bench/system/harness makes of results: merging, targets, tables, charts, documents."""
import copy
import json
import pathlib
import tempfile
import unittest
import xml.etree.ElementTree as xml

from made_up import MACHINE, ROOT, RUN, TITLES, merged, outcome
from harness import charts, markdown, page, results, scenarios, summary, tables, targets


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
        self.assertEqual(self.judged(text, ringcast=5 * [1500], bun=5 * [300])[1], True)
        self.assertEqual(self.judged(text, ringcast=5 * [1499], bun=5 * [300])[1], False)

    def test_what_was_not_measured_is_neither_met_nor_missed(self):
        text = "at least 5 × the rate of Bun"
        self.assertEqual(self.judged(text, ringcast=[1500]), ("bun not measured", None))
        self.assertEqual(self.judged(text, bun=[300]), ("not measured", None))

    def test_our_own_failure_is_a_miss(self):
        self.assertEqual(self.judged("at least 5 × the rate of Bun", ringcast=[None], bun=[300])[1], False)
        self.assertEqual(targets.bound("W1", "rate", 1, "")(self.known(ringcast=[None])), ("ringcast has none", False))
        failed = self.known(ringcast=[1])
        failed["scenarios"]["W1"]["failed"] = "why"
        self.assertEqual(targets.judged(failed)[0][1:], ("failed", False))

    def test_a_peer_without_a_rate_is_beaten_only_where_one_of_its_probes_was_complete(self):
        judge = targets.ratio("W1", "rate", "ringcast", "bun", 5, True)
        for sentence, points, met in (("a complete probe, too slow", [{"ok": True}], True),
                                      ("every run failed", [{"ok": False}], None), ("it never ran", [], None)):
            known = self.known(curves={"bun": points}, ringcast=5 * [50], bun=[])
            self.assertEqual(judge(known)[1], met, sentence)
        for scenario, row in (("W8", "rate"), ("W1", "other")):
            known = merged(results.empty(MACHINE), "run", {"ringcast": 5 * [50], "bun": [None]}, scenario,
                           curves={"bun": [{"ok": True}]})
            known["scenarios"][scenario]["rows"][0]["name"] = row
            self.assertIsNone(targets.ratio(scenario, row, "ringcast", "bun", 5, True)(known)[1])

    def test_what_does_not_belong_together_is_not_judged(self):
        judge = targets.ratio("W1", "rate", "ringcast", "bun", 5, True)
        self.assertEqual(judge(self.known(ringcast=4 * [50], bun=5 * [1])),
                         ("50.00 × (50.0 : 1.00), of 4 repeats only", None))
        apart = merged(self.known(ringcast=[1], bun=5 * [1]), "later", {"ringcast": 5 * [50]})
        self.assertEqual(judge(apart), ("50.00 × (50.0 : 1.00), different runs", None))
        quick = self.known(ringcast=5 * [50], bun=5 * [1])
        quick["runs"]["run"]["quick"] = True
        self.assertEqual(judge(quick), ("50.00 × (50.0 : 1.00), a quick run", None))

    def known(self, curves=None, **cells):
        return merged(results.empty(MACHINE), "run", dict(cells), curves=curves)

    def rows(self, scenario, **rows):
        """Results of one scenario: row -> (unit, the runs of ringcast)."""
        made = outcome({})
        made["rows"] = [{"name": name, "title": name, "unit": unit, "better": "none",
                         "cells": {"ringcast": summary.cell(runs)}} for name, (unit, runs) in rows.items()]
        return results.merge(results.empty(MACHINE), "run", RUN, TITLES, scenario, made)

    def test_the_headline_needs_every_run_complete_and_at_the_full_rate(self):
        judge = {target.text: target for target in targets.TARGETS}[
            "50,000 msg/s, 10,000 held: average latency < 5 ms"].judge
        for mean, complete, held_runs, met in ((4, 5, 5, True), (6, 5, 5, False), (4, 4, 5, False), (4, 5, 3, False),
                                               (None, 0, 0, False)):
            known = self.rows("headline", mean=("ms", [mean]), complete=("of 5", [complete]),
                              held=("of 5", [held_runs]))
            self.assertEqual(judge(known)[1], met)

    def test_the_others_are_unharmed_when_all_arrived_in_time_or_no_later_than_without_slow_readers(self):
        for arrived, with_slow, without, met in (([100, 100], 4.9, 1, True), ([100, 100], 20.9, 20, True),
                                                 ([100, 100], 21.1, 20, False), ([100, 99.9999, 100], 1, 1, False)):
            known = self.rows("W7", arrived=("%", arrived), p99_with=("ms", [with_slow]), p99_without=("ms", [without]))
            self.assertEqual(targets.others_unharmed(known)[1], met, (arrived, with_slow, without))

    def test_held_back_is_what_the_node_says(self):
        for refused, parked, met in ((0, 0, False), (1, 0, True), (0, 1, True), (None, None, False)):
            known = self.rows("flood", refused=("", [refused]), parked=("", [parked]), held_back_ms=("ms", [500]))
            self.assertEqual(targets.held_back_or_refused(known)[1], met)
        self.assertIsNone(targets.held_back_or_refused(self.rows("flood", refused=("", [0])))[1], "an older file")

    def test_an_idle_connection_takes_as_much_as_before_or_3_percent_more(self):
        for ours, theirs, met in ((103, 100, True), (104, 100, False), (None, 100, False)):
            known = merged(results.empty(MACHINE), "run", {"ringcast": [ours], "before": [theirs]}, "before",
                           row="W4_bytes")
            self.assertEqual(targets.ratio_of_bytes(known)[1], met)

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
        self.assertEqual(heads, ["", "n", "ringcast", "Bun"])
        self.assertEqual(rows, [["highest rate [msg/s]", "1–3", "200 ±50% (held in 3 of 3)",
                                 "5.00† (held in 1 of 1)"]])

    def test_a_rate_says_in_how_many_of_its_repeats_it_held(self):
        for name, unit, runs, text in (("rate", "msg/s", [None, 250, 250, None, 250], " (held in 3 of 5)"),
                                       ("rate", "/s", [250], ""), ("p50", "ms", [1, None], ""),
                                       ("rate", "msg/s", [], "")):
            self.assertEqual(tables.held_text({"name": name, "unit": unit}, summary.cell(runs)), text)

    def test_a_row_says_how_many_runs_it_is_taken_from(self):
        for unit, runs, text in (("ms", [[1, 2, 3], [4, 5, None]], "3"), ("ms", [[1] * 5, [1] * 3], "3–5"),
                                 ("of 5", [[4]], "5"), ("ms", [[]], ""), ("ms", [[1, 2], []], "2")):
            row = {"unit": unit, "cells": {str(at): summary.cell(one) for at, one in enumerate(runs)}}
            self.assertEqual(tables.count_text(row), text)

    def test_what_was_not_run_is_told_until_it_is(self):
        known = {**self.known(), "not_run": ["W2"]}
        for made in (page.page(known, ["W1"]), "\n".join(markdown.part(known, ["W1"]))):
            self.assertIn("Not run, no time was left: W2.", made)
        self.assertEqual(merged(known, "third", {"ringcast": [1]}, "W2")["not_run"], [])

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
        self.assertIn("| highest rate [msg/s] | 1–3 | 200 ±50% (held in 3 of 3) | 5.00† (held in 1 of 1) |", made)
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
