"""docs/benchmarks.md: the part between the markers is made here; the prose around it is people's."""
import pathlib

from harness import tables, targets
from harness.machine import identity

BEGIN = "<!-- results: made by scripts/bench, do not edit -->"
END = "<!-- end of results -->"


def escaped(text):
    return text.replace("|", "\\|")


def table(heads, rows):
    lines = ["| " + " | ".join(map(escaped, heads)) + " |", "|" + " --- |" + " ---: |" * (len(heads) - 1)]
    return lines + ["| " + " | ".join(map(escaped, row)) + " |" for row in rows]


def part(known, names):
    """The generated part, in lines, without its markers."""
    machine = known["machine"]
    lines = [f"Measured on {identity(machine)}, {machine['memory_gib']} GiB, {machine['compiler']}, over loopback."]
    versions = [f"{system['title']} {system['version']}" for name, system in known["systems"].items()
                if system["version"] and name != "ringcast"]
    if versions:
        lines += ["", "Versions: " + ", ".join(versions) + "."]
    lines += ["", tables.not_run_sentence(known)] if tables.not_run_sentence(known) else []
    judged = targets.judged(known)
    if judged:
        lines += ["", "### Targets", ""]
        lines += table(["target", "reached", ""], [[f"{target.scenario}: {target.text}", reached, tables.verdict(met)]
                                                   for target, reached, met in judged])
    titles = tables.titles_of(known)
    for name in names:
        scenario = known["scenarios"].get(name)
        if scenario is None:
            continue
        run = known["runs"][scenario["run"]]
        lines += ["", f"### {name}: {scenario['title']}", "", scenario["text"], ""]
        lines += table(*tables.table_of(scenario, titles))
        lines += ["", *(f"- {note}" for note in scenario["notes"])] if scenario["notes"] else []
        quick = ", quick: these numbers are noise" if run["quick"] else ""
        lines += ["", f"*{run['date'][:10]}, commit {run['commit']}, medians of n runs{quick}.*"]
    return lines


def replaced(text, lines):
    """`text` with its generated part replaced; an error where the markers are not there exactly once, in order."""
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise ValueError(f"the document needs the line {BEGIN} and, after it, {END}, once each")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    return before + BEGIN + "\n" + "\n".join(lines) + "\n" + END + after


def update(path, known, names):
    path = pathlib.Path(path)
    path.write_text(replaced(path.read_text(encoding="utf-8"), part(known, names)), encoding="utf-8")
