"""A scenario as rows of text: what terminal, page and document share. Pure functions."""
from harness.results import counted_runs
from harness.summary import number, spread

COLUMNS = ("ringcast", "before", "limit", "bun", "ws", "gorilla", "nchan", "nats")
OTHER_RUN = "†"


def columns_of(scenario):
    present = {system for row in scenario["rows"] for system in row["cells"]}
    return [system for system in COLUMNS if system in present]


def cell_text(made, scenario_run, with_spread=True):
    """The median, its spread where there is one, a mark where it is from another run than the rest."""
    if made is None:
        return ""
    if made["value"] is None:
        return made.get("note") or "none"
    text, width = number(made["value"]), spread(made)
    if with_spread and width is not None and width >= 0.005:
        text += f" ±{50 * width:.0f}%"
    return text + (OTHER_RUN if made.get("run", scenario_run) != scenario_run else "")


def held_text(row, made):
    """How many of the repeats held the rate that a cell shows."""
    if row["name"] != "rate" or row["unit"] != "msg/s" or made is None or made["value"] is None:
        return ""
    return f" (held in {sum(run is not None for run in made['runs'])} of {len(made['runs'])})"


def count_text(row):
    """How many runs a row is taken from; from the fewest to the most where its systems differ."""
    counted = counted_runs(row)
    counts = sorted({len(made["runs"]) for made in row["cells"].values() if made["runs"]})
    if counted is not None or not counts:
        return "" if counted is None else str(counted)
    return str(counts[0]) if len(counts) == 1 else f"{counts[0]}–{counts[-1]}"


def title_of(row):
    return row["title"] + (f" [{row['unit']}]" if row["unit"] else "")


def table_of(scenario, titles):
    """(heads, rows of texts); titles: system -> what its column is called."""
    columns = columns_of(scenario)
    heads = ["", "n", *(titles.get(system, system) for system in columns)]
    rows = [[title_of(row), count_text(row),
             *(cell_text(row["cells"].get(system), scenario["run"]) + held_text(row, row["cells"].get(system))
               for system in columns)] for row in scenario["rows"]]
    return heads, rows


def not_run_sentence(known):
    names = known.get("not_run", [])
    return f"Not run, no time was left: {', '.join(names)}." if names else ""


def verdict(met):
    return {True: "met", False: "missed", None: "–"}[met]


def aligned(heads, rows):
    """Columns of equal width, the first to the left, the others to the right."""
    table = [heads, *rows]
    widths = [max(len(line[index]) for line in table) for index in range(len(heads))]
    return ["  ".join(text.ljust(width) if index == 0 else text.rjust(width)
                      for index, (text, width) in enumerate(zip(line, widths))).rstrip() for line in table]


def titles_of(known):
    return {name: system["title"] for name, system in known["systems"].items()}
