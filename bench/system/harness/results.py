"""The results file: merged scenario by scenario and system by system, each number with the run that it is from.

{"machine": {...}, "runs": {run: {date, commit, repeats, quick}}, "systems": {name: {title, version}},
 "scenarios": {W1: {run, title, text, rows: [{name, ..., cells: {system: {value, low, high, runs, run}}}], ...}}}
"""
import json
import os
import pathlib

from harness.machine import identity

SCHEMA = 1


def empty(machine):
    return {"schema": SCHEMA, "machine": machine, "runs": {}, "systems": {}, "scenarios": {}}


def read(path):
    """What the file holds, whoever wrote it; None without a file or where its form is another one."""
    try:
        known = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return known if known.get("schema") == SCHEMA else None


def to_extend(path, machine):
    """What the file holds and new numbers may stand beside: an empty result where another machine wrote it."""
    known = read(path)
    return known if known is not None and identity(known["machine"]) == identity(machine) else empty(machine)


def merge(known, run_name, run, systems, scenario_name, outcome):
    """`known` with one scenario's outcome: what was measured replaces, what was not stays and says its run.

    systems: name -> {title, version}. A system whose version changed loses its numbers of other scenarios only by being
    measured again; the run beside each number tells.
    """
    merged = {**known, "runs": {**known["runs"], run_name: run}, "systems": {**known["systems"], **systems},
              "scenarios": dict(known["scenarios"])}
    before = known["scenarios"].get(scenario_name, {"rows": [], "curves": {}, "distributions": {}})
    old_rows = {row["name"]: row for row in before["rows"]}
    rows = []
    for row in outcome["rows"]:
        fresh = {system: {**one, "run": run_name} for system, one in row["cells"].items()}
        kept = {system: one for system, one in old_rows.get(row["name"], {"cells": {}})["cells"].items()
                if system not in systems}
        rows.append({**row, "cells": {**kept, **fresh}})
    distributions = {}
    for label, curves in outcome["distributions"].items():
        kept = {name: one for name, one in before["distributions"].get(label, {}).items() if name not in systems}
        distributions[label] = {**kept, **curves}
    kept_curves = {name: one for name, one in before["curves"].items() if name not in systems}
    merged["not_run"] = [name for name in known.get("not_run", []) if name != scenario_name]
    merged["scenarios"][scenario_name] = {
        **outcome, "run": run_name, "rows": rows, "distributions": distributions,
        "curves": {**kept_curves, **outcome["curves"]}}
    return without_unused_runs(merged)


def without_unused_runs(known):
    used = {scenario["run"] for scenario in known["scenarios"].values()}
    for scenario in known["scenarios"].values():
        used |= {one["run"] for row in scenario["rows"] for one in row["cells"].values()}
    return {**known, "runs": {name: run for name, run in known["runs"].items() if name in used}}


def row_of(known, scenario, row):
    """One row of a scenario's table, or None."""
    return next((one for one in known["scenarios"].get(scenario, {"rows": []})["rows"] if one["name"] == row), None)


def cell_of(known, scenario, row, system):
    """One cell; None if that system was not measured there. Its value is None if it was and gave no number."""
    found = row_of(known, scenario, row)
    return None if found is None else found["cells"].get(system)


def value(known, scenario, row, system):
    """The median of one cell, or None."""
    found = cell_of(known, scenario, row, system)
    return None if found is None else found["value"]


def counted_runs(row):
    """Of how many runs the numbers of a row are that counts runs; None for every other row."""
    unit = row["unit"]
    return int(unit[3:]) if unit.startswith("of ") and unit[3:].isdigit() else None


def rounded(data):
    """Numbers to six digits that matter: what is beyond is noise, and the file is committed."""
    if isinstance(data, float):
        return float(f"{data:.6g}")
    if isinstance(data, dict):
        return {key: rounded(one) for key, one in data.items()}
    if isinstance(data, list):
        return [rounded(one) for one in data]
    return data


def _text(data, indent=0):
    """JSON with a line for each row and curve, so that a difference can be read."""
    flat_text = json.dumps(data, ensure_ascii=False, sort_keys=False)
    if len(flat_text) + indent <= 118 or not isinstance(data, (dict, list)) or \
            (isinstance(data, list) and not any(isinstance(one, dict) for one in data)):
        return flat_text
    pad = " " * (indent + 1)
    if isinstance(data, dict):
        parts = [f"{pad}{json.dumps(key, ensure_ascii=False)}: {_text(one, indent + 1)}" for key, one in data.items()]
        return "{\n" + ",\n".join(parts) + "\n" + " " * indent + "}"
    return "[\n" + ",\n".join(pad + _text(one, indent + 1) for one in data) + "\n" + " " * indent + "]"


def save(path, known):
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".new")
    beside.write_text(_text(rounded(known)) + "\n", encoding="utf-8")
    os.replace(beside, path)  # never half a file
