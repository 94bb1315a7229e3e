"""Made-up results for the tests of bench/system/harness; importing this makes the harness importable."""
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "bench" / "system"))

from harness import results, summary  # noqa: E402

MACHINE = {"cpu": "a processor", "cores": 2, "memory_gib": 4.0, "kernel": "6.1", "descriptors_max": 1024,
           "compiler": "g++", "network": "loopback"}
RUN = {"date": "2026-01-02T03:04:05Z", "commit": "abc", "repeats": 3, "quick": False}
TITLES = {"ringcast": {"title": "ringcast", "version": "1"}, "bun": {"title": "Bun", "version": "2"}}


def outcome(cells, curves=None, distributions=None, row="rate"):
    """A scenario's data with one row."""
    made = {system: summary.cell(runs) for system, runs in cells.items()}
    return {"title": "A scenario", "text": "What it is.", "notes": [], "curves": curves or {},
            "distributions": distributions or {},
            "rows": [{"name": row, "title": "highest rate", "unit": "msg/s", "better": "higher", "cells": made}]}


def merged(known, name, cells, scenario="W1", **more):
    systems = {system: TITLES.get(system, {"title": system, "version": ""}) for system in cells}
    return results.merge(known, name, {**RUN, "commit": name}, systems, scenario, outcome(cells, **more))


def sample(**more):
    return {"ok": True, "complaints": [], "held_back": 0.0, "p99": 1.0, "rate": 100, **more}
