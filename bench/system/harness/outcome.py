"""What a scenario gives: rows of a table, and points and distributions for charts. Plain data, ready for JSON."""
from harness.summary import cell, median_run


class Outcome:
    def __init__(self, title, text):
        self.title, self.text = title, text
        self.rows, self.curves, self.distributions, self.notes = [], {}, {}, []

    def row(self, name, title, unit, better, runs, notes=None):
        """runs: system -> the numbers of its runs (None for a run without one). better: higher, lower or none."""
        notes = notes or {}
        cells = {system: cell(numbers, notes.get(system, "")) for system, numbers in runs.items()}
        self.rows.append({"name": name, "title": title, "unit": unit, "better": better, "cells": cells})

    def row_of(self, name, title, unit, better, samples, key, scale=1.0, notes=None):
        """A row of one member of samples: system -> samples."""
        runs = {system: [None if one.get(key) is None else one[key] * scale for one in some]
                for system, some in samples.items()}
        self.row(name, title, unit, better, runs, notes)

    def distribution(self, label, samples):
        """The latency distribution of the median run (by p99) of each system."""
        chosen = {system: median_run([one for one in some if one.get("curve")], "p99")
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
                    "held_back": one["held_back"], "deliveries_per_second": one["deliveries_per_second"]})

    def as_data(self):
        return {"title": self.title, "text": self.text, "rows": self.rows, "curves": self.curves,
                "distributions": self.distributions, "notes": self.notes}
