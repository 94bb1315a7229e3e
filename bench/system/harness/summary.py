"""Medians, spreads, and numbers as people read them. Pure functions."""
import math


def median(numbers):
    """The middle one; the mean of the two middle ones of an even count."""
    ordered = sorted(numbers)
    if not ordered:
        raise ValueError("the median of nothing")
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def cell(runs, note=""):
    """What a table holds of one system: the median, the extremes, every run. Runs that gave no number count as none."""
    numbers = [number for number in runs if number is not None]
    made = {"value": None, "low": None, "high": None, "runs": list(runs)}
    if numbers:
        made.update(value=median(numbers), low=min(numbers), high=max(numbers))
    if note:
        made["note"] = note
    return made


def spread(made):
    """(highest - lowest) / median of a cell, or None where that says nothing."""
    if made is None or made["value"] in (None, 0) or len(made["runs"]) < 2:
        return None
    return (made["high"] - made["low"]) / abs(made["value"])


def median_run(runs, key):
    """The run whose `key` is the (lower) median: its details stand for all."""
    known = sorted((run for run in runs if run.get(key) is not None), key=lambda run: run[key])
    return known[(len(known) - 1) // 2] if known else None


def number(value, digits=3):
    """At least `digits` digits that matter, thousands separated; a dash for nothing."""
    if value is None:
        return "–"
    if value == 0:
        return "0"
    places = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:,.{places}f}" if abs(value) < 10 ** digits else f"{round(value):,}"


def seconds_text(seconds):
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
