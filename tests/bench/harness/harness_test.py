#!/usr/bin/python3
"""What bench/system/harness makes of runs: medians, the ladder, which rate holds, what failed."""
import contextlib
import io
import pathlib
import tempfile
import tomllib
import unittest

from made_up import sample
from harness import __main__ as command
from harness import compression, features, headline, held, ladder, machine, measure, outcome as outcomes, overload
from harness import process, rates, scenarios, summary, systems, tls


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

    def test_a_no_by_far_is_not_asked_again(self):
        rungs, asked = ladder.rungs(50, 5_000), []

        def verdict(rate):
            asked.append(rate)
            return ladder.HOLDS if rate <= 300 else ladder.OVER_BY_FAR
        self.assertEqual(rungs[ladder.search(rungs, ladder.nearest(rungs, 300), verdict)], 300)
        self.assertEqual(asked, [300, 600, 500, 400])

        def late(rate):
            asked.append(rate)
            return ladder.LATE_BY_FAR
        asked.clear()
        self.assertIsNone(ladder.search(ladder.rungs(50, 100_000), 3, late))
        self.assertEqual(asked, [100, 200, 50], "nor is it looked for far above")

    def test_who_is_not_judged_is_asked_once(self):
        rungs, asked = ladder.rungs(50, 5_000), []

        def verdict(rate):
            asked.append(rate)
            return ladder.HOLDS if rate <= 300 else ladder.OVER
        self.assertEqual(rungs[ladder.search(rungs, ladder.nearest(rungs, 300), verdict, again=False)], 300)
        self.assertEqual(asked, [300, 600, 500, 400])

    def test_a_server_that_is_late_in_between_is_found_above(self):
        rungs = ladder.rungs(50, 50_000)

        def verdict(rate):
            if rate > 3_000:
                return ladder.OVER
            return ladder.LATE if 250 < rate < 1_500 else ladder.HOLDS
        for start in (50, 250, 300, 500, 1_000):
            self.assertEqual(rungs[ladder.search(rungs, ladder.nearest(rungs, start), verdict)], 3_000)

    def test_what_is_confirmed_is_the_highest_of_the_rungs_that_were_not_passed_over(self):
        for sentence, start, holds, asked, held in (
                ("at once", 20, {20}, [20], 20),
                ("one below", 20, {19}, [20, 19], 19),
                ("the way down is longer each time", 20, {14}, [20, 19, 17, 14, 16, 15], 14),
                ("those passed over are asked", 20, {14, 15, 16}, [20, 19, 17, 14, 16], 16),
                ("and of two the higher first", 20, {14, 15}, [20, 19, 17, 14, 16, 15], 15),
                ("the lowest is asked", 2, {0}, [2, 1, 0], 0),
                ("and nothing below it", 2, set(), [2, 1, 0], None),
                ("nor for ever", 30, set(), [30, 29, 27, 24, 21, 18], None)):
            confirmation, told = ladder.Confirmation(start), []
            while confirmation.index is not None:
                told.append(confirmation.index)
                confirmation.tell(confirmation.index in holds)
            self.assertEqual((told, confirmation.held), (asked, held), sentence)

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

    def test_by_far_is_what_no_disturbance_explains(self):
        slow = {"expected": 5_000, "published": 500}
        for more, said in (({"p50": 6.1, "p99": 9}, ladder.LATE_BY_FAR), ({"p50": 5.9, "p99": 9}, ladder.LATE),
                           ({**slow, "deliveries_per_second": 790}, ladder.OVER_BY_FAR),
                           ({**slow, "deliveries_per_second": 810}, ladder.OVER),
                           ({**slow, "deliveries_per_second": 810, "p50": 6.1}, ladder.OVER_BY_FAR),
                           ({"ok": False, "p50": 6.1}, ladder.OVER)):
            self.assertEqual(measure.verdict(sample(**more)), said, more)
        self.assertEqual(measure.verdict(sample(p50=600, p99=900), None), ladder.HOLDS)

    def test_some_have_fewer_repeats_and_the_others_go_on_in_turn(self):
        order = []

        def job(name):
            return lambda: order.append(name) or sample(p50=0.5)
        with tempfile.TemporaryDirectory() as base:
            bench = measure.Bench(pathlib.Path(base), measure.QUICK, base, 0, lambda _: None)
            some = bench.in_turn({name: job(name) for name in "abc"}, 3, at_most={"b": 1})
        self.assertEqual("".join(order), "abcacac")
        self.assertEqual({name: len(runs) for name, runs in some.items()}, {"a": 3, "b": 1, "c": 3})

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
                ("nothing was late", [], 0.0),
                ("late before the end only", [(9.9, late)], 0.0),
                ("late in the third quarter", [(10.1, late), (10.6, late), (10.6, late)], 0.75),
                ("one of three in a quarter is no trend", [(10.0, normal), (10.1, late), (10.2, normal)], 0.0)):
            calm = [(10.05 + 0.25 * part, normal) for part in range(8)]
            self.assertEqual(overload.seconds_to_normal(calm + probes, 10.0, 12.0, 2.0), seconds, sentence)

    def test_a_quarter_of_a_second_without_an_answer_is_late(self):
        probes = [(10.05 + 0.25 * part, 0.001) for part in (0, 1, 2, 4, 5, 6)]
        self.assertEqual(overload.seconds_to_normal(probes, 10.0, 11.75, 2.0), 1.0, "the fourth is missing")
        self.assertEqual(overload.seconds_to_normal([], 10.0, 12.0, 2.0), 2.0, "nobody answered any more")

    def test_a_flood_in_which_nothing_was_published_is_none(self):
        told = {"counters": {"errors_sent": {"overloaded": 2}, "publishes_parked": 3, "messages_published": 40},
                "ledger": {"closed": True, "offered": 100, "sent": 75}, "memory": {"accounted": 5e6}}
        probes = [(at / 10, 0.001) for at in range(100)]
        flood = overload.judged(told, 7e6, probes, (0.0, 2.0, 5.0, 9.0), {"published": 60, "publish_seconds": 2}, 100)
        self.assertEqual([flood[key] for key in ("offered", "handed_over", "taken", "carried", "skipped", "refused",
                                                 "parked", "ledger", "to_normal")],
                         [100, 30, 20, 37.5, 25, 2, 3, 1, 0.0])
        for published, samples in ((0, probes), (60, [])):
            self.assertRaises(process.BenchError, overload.judged, told, 7e6, samples, (0.0, 2.0, 5.0, 9.0),
                              {"published": published}, 100)


    def test_repeats_last_for_a_thousand_messages_within_reason(self):
        pace = measure.Pace(repeat_seconds=2.0, repeat_seconds_max=3.0)
        for rate, seconds in ((100, 3.0), (250, 3.0), (400, 2.5), (500, 2.0), (10_000, 2.0)):
            self.assertEqual(rates.repeat_seconds(rate, pace), seconds)
        self.assertEqual(rates.repeat_seconds(100, measure.QUICK), measure.QUICK.repeat_seconds)

    def test_the_peak_is_the_best_median_of_a_rate_and_of_complete_runs(self):
        def points(*rows):
            return [{"rate": rate, "deliveries_per_second": delivered, "ok": ok} for rate, delivered, ok in rows]
        for some, peak in (([], None), (points((1, 10, False)), None), (points((1, 10, True)), 10),
                           (points((1, 10, True), (2, 30, True), (2, 14, True), (2, 13, True)), 14),
                           (points((1, 10, True), (2, 30, False), (2, 8, True)), 10)):
            self.assertEqual(rates.peak_of(some), peak)

    def test_what_a_failed_run_measured_is_in_no_median(self):
        made = outcomes.Outcome("t", "")
        made.row_of("p50", "p50", "ms", "lower", {"ringcast": [{"ok": True, "p50": 1}, {"ok": False, "p50": 9}]}, "p50")
        self.assertEqual(made.rows[0]["cells"]["ringcast"]["runs"], [1, None])

    def test_failures_are_in_the_notes_and_in_the_data(self):
        made = outcomes.Outcome("t", "")
        made.tell(["bun: why", "bun: why"], ["ws: so"])
        self.assertEqual(made.as_data()["notes"], ["failed run: bun: why (2 times)", "not complete: ws: so"])
        self.assertEqual(made.as_data()["failures"], ["bun: why", "bun: why"])

    def test_the_exit_status_tells_failures_and_what_was_not_run(self):
        for failures, skipped, status in (([], [], 0), (["one"], [], 1), (["one"], ["W9"], 1), ([], ["W9"], 3)):
            self.assertEqual(command.exit_status(failures, skipped), status)

    def test_an_error_nobody_foresaw_costs_one_run_or_one_scenario(self):
        class Broken:
            wire = "raw"

            def start(self, *_):
                raise KeyError("port")

        with tempfile.TemporaryDirectory() as base:
            bench = measure.Bench(pathlib.Path(base), measure.QUICK, base, 0, lambda _: None)
            told = bench.measure(Broken(), measure.Load(connections=1))
            self.assertEqual((told["ok"], told["complaints"]), (False, ["KeyError: 'port'"]))

            def run(*_):
                raise ZeroDivisionError("so")
            made = command.outcome_of(scenarios.Scenario("W1", run), bench, [], {}).as_data()
            self.assertEqual((made["failed"], made["failures"]),
                             ("ZeroDivisionError: so", ["the scenario: ZeroDivisionError: so"]))

    def test_scenarios_bear_runs_that_all_fail_and_runs_that_all_hold(self):
        good = sample(p50=1.0, p90=1.0, mean=1.0, cpu_ns=500, cpu_seconds=0.1, rss=2e7, rss_start=1e7, rss_max=2e7,
                      connections=10_000, connect_rate=9_000, deliveries_per_second=10**12, expected=900, delivered=900,
                      published=1, curve=[[0.0, 1.0], [1.0, 1.0]], client_share=0.5)

        class Pretended(measure.Bench):
            polling_options = staticmethod(lambda: ())

            def measure(self, _system, load, *_, **__):
                failed = measure.failed("so it is", load)
                return {**good, "rate": load.rate} if self.well else failed

            def server(self, *_, **__):
                raise process.BenchError("no server here")

        with tempfile.TemporaryDirectory() as base:
            build = pathlib.Path(base)
            pretended = Pretended(build, measure.QUICK, base, 0, lambda _: None)
            both = [systems.Ringcast(build), systems.Limit(build)]
            for pretended.well in (True, False):
                for scenario in scenarios.SCENARIOS:
                    made = command.outcome_of(scenario, pretended, both, {"scenarios": {}}).as_data()
                    self.assertNotIn("failed", made, f"{scenario.name}: {made.get('failed')}")
                    self.assertTrue(made["rows"], scenario.name)
                    told = [row["cells"]["ringcast"]["value"] for row in made["rows"] if "ringcast" in row["cells"]]
                    if pretended.well and scenario.name != "flood":
                        self.assertTrue(any(told), scenario.name)
                    if not pretended.well:
                        self.assertFalse(any(told) and scenario.name not in ("W8",), f"{scenario.name}: {told}")

    def test_the_limit_of_tls_is_a_plain_send_and_a_share_of_a_record(self):
        self.assertEqual(tls.sealed(sample(cpu_ns=100), 640, 32)["cpu_ns"], 120)
        self.assertFalse(tls.sealed(sample(cpu_ns=100), None, 32)["ok"])
        self.assertFalse(tls.sealed(measure.failed("so it is"), 640, 32)["ok"])
        for agreed, cipher in (("TLSv1.3 TLS_AES_128_GCM_SHA256", "AES-128-GCM"), ("", "AES-256-GCM"),
                               ("TLSv1.3 TLS_CHACHA20_POLY1305_SHA256", "ChaCha20-Poly1305")):
            self.assertEqual(tls.cipher_of([sample(tls=agreed)]), cipher)

    def test_a_system_over_tls_is_told_its_certificate_and_so_is_the_client(self):
        class Server:
            name, title, wire = "bun", "Bun", "bun"

            def start(self, _work, _cpus, _load, extra):
                self.told = extra
                return systems.Running(None, 9, 1)
        server = Server()
        secure = systems.OverTls(server, "c.pem", "k.pem")
        self.assertEqual(secure.start(None, [], None, ("--more",)).url, "wss://127.0.0.1:9")
        self.assertEqual(server.told, ("--certificate", "c.pem", "--key", "k.pem", "--more"))
        self.assertEqual((secure.name, secure.client), ("bun", ("--ca", "c.pem")))

    def test_bytes_are_saved_of_what_the_plain_readers_get(self):
        plain, packed = sample(wire_bytes_per_delivery=200), sample(wire_bytes_per_delivery=150)
        self.assertEqual(compression.saved(plain, packed), 25)
        self.assertIsNone(compression.saved(plain, measure.failed("so it is")))

    def test_a_run_without_the_compression_that_was_asked_for_has_failed(self):
        for kind, told, good in ((compression.SHIPPED, {"connections": 1000}, True), (compression.PLAIN, None, True),
                                 (compression.SHIPPED, {"connections": 999}, False)):
            self.assertEqual(compression.agreed(sample(deflate=told), kind, 1000)["ok"], good)

    def test_on_one_core_one_thread_publishes_and_receives(self):
        self.assertEqual(measure.threads_on([1], measure.Load(connections=1)), ("--one-thread",))
        self.assertEqual(measure.threads_on([1, 2], measure.Load(connections=1)), ())
        self.assertEqual(measure.threads_on([1], measure.Load(connections=1, connect_only=True)), ())

    def test_everything_fits_its_time_with_and_without_peers(self):
        for pace, peers, minutes in ((command.PACE, 0, command.MINUTES),
                                     (command.PACE_WITH_PEERS, len(systems.PEER_NAMES), command.MINUTES_WITH_PEERS)):
            usual = command.to_run(command.arguments_of([]), peers)
            self.assertLess(sum(scenario.estimate(pace, peers) for scenario in usual), 60 * minutes)
        self.assertGreaterEqual(command.PACE_WITH_PEERS.repeats, 5, "what is judged with peers")

    def test_after_a_long_build_runs_are_shorter_and_then_fewer(self):
        usual = command.to_run(command.arguments_of([]), 0)
        full = sum(scenario.estimate(command.PACE, 0) for scenario in usual)
        for seconds, repeats, length in ((full, 3, 1.0), (full - 1, 3, 0.8), (0.8 * full, 2, 0.8), (1, 1, 0.6)):
            pace = command.fitted(command.PACE, usual, 0, seconds, 1)
            self.assertEqual(pace.repeats, repeats, seconds)
            self.assertAlmostEqual(pace.repeat_seconds, length * command.PACE.repeat_seconds)
            self.assertTrue(seconds == 1 or sum(scenario.estimate(pace, 0) for scenario in usual) <= seconds)

    def test_with_peers_there_are_five_repeats_however_long_it_took_to_build(self):
        peers = len(systems.PEER_NAMES)
        usual = command.to_run(command.arguments_of(["--with-peers"]), peers)
        pace = command.fitted(command.PACE_WITH_PEERS, usual, peers, 60, command.REPEATS_MIN_WITH_PEERS)
        self.assertEqual(pace.repeats, 5)
        in_time = command.fitted(command.PACE_WITH_PEERS, usual, peers, 33 * 60, command.REPEATS_MIN_WITH_PEERS)
        self.assertEqual(in_time, command.PACE_WITH_PEERS, "what is additional is left out first")

    def test_a_machine_is_another_one_by_its_kernels_release_not_by_who_built_it(self):
        one = {"cpu": "A", "cores": 2, "kernel": "6.18.44-fc-v857"}
        self.assertEqual(machine.identity(one), machine.identity({**one, "kernel": "6.18.44-fc-v657"}))
        for other in ({"kernel": "6.18.45-fc-v857"}, {"cpu": "B"}, {"cores": 4}):
            self.assertNotEqual(machine.identity(one), machine.identity({**one, **other}))

    def test_what_is_additional_comes_last(self):
        required = [not (scenario.on_request or scenario.with_peers_only) for scenario in scenarios.SCENARIOS]
        self.assertEqual(required, sorted(required, reverse=True))

    def test_a_pair_with_a_failed_run_has_no_ratio(self):
        good, bad = sample(cpu_ns=100), measure.failed("so it is")
        ours, others = features.sampled([good, bad, good, good]), features.sampled([good, good, bad, sample(cpu_ns=50)])
        self.assertEqual(features.in_pairs(ours, others), [1.0, None, None, 2.0])

    def test_a_feature_is_one_namespace_for_all_channels(self):
        with tempfile.TemporaryDirectory() as base:
            for feature in (features.PLAIN, *features.FEATURES):
                flag, path = feature.arguments(pathlib.Path(base))
                told = tomllib.loads(path.read_text(encoding="utf-8"))
                self.assertEqual((flag, len(told["namespace"]), told["namespace"][0]["match"]), ("--config", 1, ">"))

    def test_another_build_is_compared_only_if_it_is_named(self):
        self.assertEqual(command.arguments_of(["--before", "x"]).only, ["before"])
        self.assertEqual(command.arguments_of(["--before", "x", "--only", "W1"]).only, ["W1"])
        with self.assertRaises(SystemExit), contextlib.redirect_stderr(io.StringIO()):
            command.arguments_of(["--only", "before"])

    def test_a_server_that_does_not_answer_is_ended(self):
        class Silent:
            pid, stopped = 1, False

            def wait_for_port(self, _port):
                raise process.BenchError("no answer")

            def stop(self):
                self.stopped = True
        server = Silent()
        self.assertRaises(process.BenchError, systems.started, server, 1)
        self.assertTrue(server.stopped)

    def test_cpu_that_nobody_measured_is_not_zero(self):
        for one, share in (({"ok": True}, None), ({"ok": False, "cpu_seconds": 1}, None),
                           ({"ok": True, "cpu_seconds": 0.5}, 25), ({"ok": True, "cpu_seconds": 0.0}, 0)):
            self.assertEqual(held.cpu_share(one, 2), share)

    def test_subscriptions_are_counted_by_the_node_itself(self):
        class Node:
            def statistics(self, _running):
                return {"counters": {"subscriptions_total": 4_999}}
        self.assertRaises(process.BenchError, held.subscribed(Node(), 5_000, seconds=0), None)
        held.subscribed(Node(), 4_999, seconds=0)(None)


if __name__ == "__main__":
    unittest.main()
