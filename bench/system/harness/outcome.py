"""What a scenario gives: rows of a table, and points and distributions for charts. Plain data, ready for JSON."""
import collections

from harness.summary import cell, median_run


class Outcome:
    def __init__(self, title, text):
        self.title, self.text = title, text
        self.rows, self.curves, self.distributions, self.notes = [], {}, {}, []
        self.failures = []  # sentences
        self.failed = ""  # why the scenario as a whole came to nothing

    def row(self, name, title, unit, better, runs, notes=None, of=None):
        """runs: system -> the numbers of its runs (None for a run without one). better: higher, lower or none.

        of: the number of runs where the one number of each system counts runs.
        """
        notes = notes or {}
        cells = {system: cell(numbers, notes.get(system, "")) for system, numbers in runs.items()}
        unit = unit if of is None else f"of {of}"
        self.rows.append({"name": name, "title": title, "unit": unit, "better": better, "cells": cells})

    def row_of(self, name, title, unit, better, samples, key, scale=1.0, notes=None):
        """A row of one member of samples: system -> samples. What a failed run measured is not part of a median."""
        runs = {system: [None if one.get(key) is None or not one["ok"] else one[key] * scale for one in some]
                for system, some in samples.items()}
        self.row(name, title, unit, better, runs, notes)

    def distribution(self, label, samples):
        """The latency distribution of the median run (by p99) of each system."""
        chosen = {system: median_run([one for one in some if one["ok"] and one.get("curve")], "p99")
                  for system, some in samples.items()}
        curves = {system: {"rate": run["rate"], "points": run["curve"]} for system, run in chosen.items() if run}
        if curves:
            self.distributions[label] = curves

    def points(self, system, samples):
        """Points of a throughput curve: what was offered, and what came of it."""
        for one in samples:
            if one.get("p99") is not None and one.get("rate"):
                self.curves.setdefault(system, []).append({
                    "rate": one["rate"], "p50": one["p50"], "p99": one["p99"], "ok": bool(one["ok"]),
                    "held_back": one["held_back"], "deliveries_per_second": one["deliveries_per_second"],
                    "client_share": one.get("client_share")})

    def tell(self, failures, answers):
        """Takes the runs that failed into the notes, each sentence once, with how often."""
        self.failures = list(failures)
        for word, sentences in (("failed run", failures), ("not complete", answers)):
            for sentence, times in collections.Counter(sentences).items():
                self.notes.append(f"{word}: {sentence}" + (f" ({times} times)" if times > 1 else ""))

    def as_data(self):
        return {"title": self.title, "text": self.text, "rows": self.rows, "curves": self.curves,
                "distributions": self.distributions, "notes": self.notes,
                **({"failures": self.failures} if self.failures else {}),
                **({"failed": self.failed} if self.failed else {})}
