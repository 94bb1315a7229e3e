"""The report: one HTML page that needs nothing but itself."""
import html
import pathlib

from harness import charts, tables, targets
from harness.measure import P99_MAX_MS

STYLE = pathlib.Path(__file__).with_name("page.css").read_text(encoding="utf-8")


def facts_of(known):
    machine = known["machine"]
    systems = ", ".join(f"{system['title']} {system['version']}".strip() for system in known["systems"].values())
    return (f"<p class='facts'>{html.escape(machine['cpu'])}, {machine['cores']} cores, {machine['memory_gib']} GiB, "
            f"Linux {html.escape(machine['kernel'])}, {html.escape(machine['compiler'])}, {machine['network']}; "
            f"{machine['descriptors_max']:,} descriptors a process.<br>{html.escape(systems)}</p>")


def targets_of(known):
    judged = targets.judged(known)
    if not judged:
        return ""
    rows = "".join(f"<tr><td>{target.scenario}</td><td>{html.escape(target.text)}</td><td>{html.escape(reached)}</td>"
                   f"<td class='{tables.verdict(met)}'>{tables.verdict(met)}</td></tr>"
                   for target, reached, met in judged)
    heads = "<tr><th></th><th>target</th><th>reached</th><th></th></tr>"
    return f"<h2>Targets</h2><table class='targets'>{heads}{rows}</table>"


def not_run_of(known):
    sentence = tables.not_run_sentence(known)
    return f"<p><b>{html.escape(sentence)}</b></p>" if sentence else ""


def table_of(scenario, titles):
    columns = tables.columns_of(scenario)
    heads, rows = tables.table_of(scenario, titles)
    ours = ["" if system != "ringcast" else " class='ours'" for system in ["", "", *columns]]
    made = "<tr>" + "".join(f"<th{mark}>{html.escape(head)}</th>" for head, mark in zip(heads, ours)) + "</tr>"
    for texts, row in zip(rows, scenario["rows"]):
        made += "<tr>"
        for text, mark, system in zip(texts, ours, ["", "", *columns]):
            runs = row["cells"].get(system, {}).get("runs")
            title = f" title='{html.escape(', '.join(f'{run:g}' for run in runs if run is not None))}'" if runs else ""
            made += f"<td{mark}{title}>{html.escape(text)}</td>"
        made += "</tr>"
    return f"<table>{made}</table>"


def charts_of(name, scenario, titles):
    made = []
    mark = P99_MAX_MS if name in ("W1", "W2") else None
    if scenario["curves"]:
        made.append(charts.curve_chart(f"{name}: p99 by rate", scenario["curves"], "p99", "p99, ms", mark))
        made.append(charts.curve_chart(f"{name}: deliveries by rate", scenario["curves"], "deliveries_per_second",
                                       "deliveries a second"))
    for label, curves in scenario["distributions"].items():
        made.append(charts.distribution_chart(f"{name}: latency, {label}", curves))
    drawn = {*scenario["curves"], *(system for curves in scenario["distributions"].values() for system in curves)}
    if not any(made):
        return ""
    systems = [system for system in tables.COLUMNS if system in drawn]
    hollow = " hollow dots: something was lost or late, or the publisher was held back." if scenario["curves"] else ""
    return (f"<div>{charts.legend(systems, titles)}<span class='run'>{hollow}</span></div>"
            f"<div class='charts'>{''.join(made)}</div>")


def scenario_of(name, scenario, known, titles):
    run = known["runs"][scenario["run"]]
    notes = "".join(f"<li>{html.escape(note)}</li>" for note in scenario["notes"])
    text = table_of(scenario, titles)
    dagger = f" {tables.OTHER_RUN}: from another run." if tables.OTHER_RUN in text else ""
    quick = " <b>Quick run: these numbers are noise.</b>" if run["quick"] else ""
    return (f"<h2 id='{name}'>{name}: {html.escape(scenario['title'])}</h2><p>{html.escape(scenario['text'])}</p>{text}"
            f"{'<ul>' + notes + '</ul>' if notes else ''}<p class='run'>{run['date']}, commit "
            f"{html.escape(run['commit'])}; medians of n runs; ± is half the distance of the extremes."
            f"{dagger}{quick}</p>"
            f"{charts_of(name, scenario, titles)}")


def page(known, names):
    titles = tables.titles_of(known)
    scenarios = "".join(scenario_of(name, known["scenarios"][name], known, titles)
                        for name in names if name in known["scenarios"])
    return ("<!doctype html><html lang='en'><head><meta charset='utf-8'><title>ringcast: benchmarks</title>"
            f"<style>{STYLE}</style></head><body><h1>ringcast: benchmarks</h1>{facts_of(known)}{not_run_of(known)}"
            f"{targets_of(known)}"
            f"{scenarios}</body></html>\n")


def write(path, known, names):
    pathlib.Path(path).write_text(page(known, names), encoding="utf-8")
