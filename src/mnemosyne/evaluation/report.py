"""The report of a run: one self-contained HTML page (and, in `markdown`, the same as Markdown).

Everything on it comes from run.json, so that a report can be made again at any time.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from importlib import resources
from pathlib import Path
from typing import Any

from mnemosyne.evaluation import plots
from mnemosyne.evaluation.diagnosis import CATEGORIES, WITHOUT_ANSWER
from mnemosyne.evaluation.pages import figure_cell, result_table, svg, table
from mnemosyne.evaluation.reference import REFERENCE, Theirs
from mnemosyne.evaluation.running import write_whole
from mnemosyne.evaluation.tables import difference, parts, tie_lines

Record = dict[str, Any]


def write_report(record: Record, folder: Path) -> None:
    """Write report.html, report.md and its plots into the run's folder. Raises MissingExtra without matplotlib."""
    from mnemosyne.evaluation.markdown import markdown

    drawings = draw(record)
    for name, drawing in drawings.items():
        write_whole(folder / "plots" / f"{name}.svg", '<?xml version="1.0" encoding="utf-8"?>\n' + drawing)
    write_whole(folder / "report.md", markdown(record, drawings))
    write_whole(folder / "report.html", html(record, drawings))


def draw(record: Record) -> dict[str, str]:
    """Name to SVG of every plot that this run has data for."""
    systems = record["systems"]
    labels = [system["label"] for system in systems]
    quoted = quoted_rows(record)
    rows = labels + list(dict.fromkeys(f"{theirs.model} (theirs)" for theirs in quoted))
    drawings = {
        "metrics": plots.facets(rows, list(record["metrics"]), _metric_bars(systems, quoted), set(rows[len(labels) :]))
    }
    for kind in ("tier", "hardness"):
        names = list(dict.fromkeys(name for system in systems for name in system["figures"][kind]))
        if names:
            bars = _slice_bars(systems, kind, drawn_metric(record), quoted)
            drawn = [row for row in rows if any((row, name) in bars for name in names)]
            drawings[kind] = plots.facets(drawn, names, bars, set(rows[len(labels) :]))
    if any(system["errors"] for system in systems):
        totals = dict.fromkeys(labels, record["bench"]["n"])
        drawings["errors"] = plots.errors(labels, {s["label"]: s["errors"] for s in systems}, totals)
    if any(max(system["cost"]["seconds_quantiles"], default=0) > 0 for system in systems):
        drawings["latency"] = plots.latency(labels, {s["label"]: s["cost"]["seconds_quantiles"] for s in systems})
    voted = {system["label"]: system["reliability"] for system in systems if system["reliability"]}
    if voted:
        bins = {label: [{"said": b["agreement"], **b} for b in found] for label, found in voted.items()}
        drawings["reliability"] = plots.reliability(list(bins), bins)
    return drawings


def main_metric(record: Record) -> str:
    """The metric of slices and pairs: TS where there are several populations, else the first (EX, or ABS)."""
    return "TS" if "TS" in record["metrics"] else next(iter(record["metrics"]))


def drawn_metric(record: Record) -> str:
    """The metric of the plots by slice: the one that the reference printed by tier, else the main one."""
    return "EX" if any(theirs.slice != "all" for theirs in quoted_rows(record)) else main_metric(record)


def slice_tables(record: Record, kind: str) -> list[tuple[str, list[str], list[list[Record | None]]]]:
    """(metric, names, figures by system) for every table of one kind of slice: the drawn metric, then the main one."""
    names = list(dict.fromkeys(name for s in record["systems"] for name in s["figures"][kind]))
    return [
        (metric, names, [[s["figures"][kind].get(name, {}).get(metric) for name in names] for s in record["systems"]])
        for metric in dict.fromkeys((drawn_metric(record), main_metric(record)))
    ]


def quoted_rows(record: Record) -> tuple[Theirs, ...]:
    """What the reference printed for this kind of bench."""
    return REFERENCE.get(record["bench"]["name"], ())


def _metric_bars(systems: Sequence[Record], quoted: Sequence[Theirs]) -> dict[tuple[str, str], plots.Bar]:
    bars = {
        (system["label"], metric): plots.Bar(figure["value"], figure["low"], figure["high"])
        for system in systems
        for metric, figure in system["figures"]["all"].get("all", {}).items()
    }
    return bars | {(f"{t.model} (theirs)", t.metric): plots.Bar(t.value) for t in quoted if t.slice == "all"}


def _slice_bars(
    systems: Sequence[Record], kind: str, metric: str, quoted: Sequence[Theirs]
) -> dict[tuple[str, str], plots.Bar]:
    bars = {
        (system["label"], name): plots.Bar(row[metric]["value"], row[metric]["low"], row[metric]["high"])
        for system in systems
        for name, row in system["figures"][kind].items()
        if metric in row
    }
    return bars | {(f"{t.model} (theirs)", t.slice): plots.Bar(t.value) for t in quoted if t.metric == metric}


# The page --------------------------------------------------------------------------------------------------------


def html(record: Record, drawings: dict[str, str]) -> str:
    """The whole page."""
    bench = record["bench"]
    css = (resources.files("mnemosyne.evaluation") / "report.css").read_text(encoding="utf-8")
    sections = (
        _cards(record),
        _results(record, drawings),
        _sliced(record, drawings),
        _pairs(record),
        _errors(record, drawings),
        _cost(record, drawings),
        _reliability(drawings),
        _worst(record),
        _tags(record),
        _recipe(record),
    )
    populations = f" on {bench['populations']} populations" if bench["populations"] > 1 else ""
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>Mnemosyne: {escape(bench['name'])}</title>"
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{css}</style></head><body>'
        f'<header><div><div class="eyebrow">Mnemosyne evaluation · {escape(record["metric"])}</div>'
        f"<h1>{escape(bench['name'])}</h1>"
        f'<p class="lead"><b>{bench["n"]}</b> questions{populations}, executed on <b>{escape(bench["engine"])}</b>, '
        f"today frozen at <b>{bench['today']}</b>. {_self_test(record)}</p></div></header>"
        f"<main>{''.join(sections)}"
        f"<footer>Made {escape(record['made'])} with mnemosyne {escape(record['version'])}, metric "
        f"{escape(record['metric'])}, seed {record['seed']}. Intervals are 95 % percentile bootstrap.</footer>"
        "</main></body></html>\n"
    )


def _self_test(record: Record) -> str:
    test = record["self_test"]
    if not test:
        return "No question has an answer; the right thing is to abstain."
    engines = ", ".join(test["engines"])
    empty = f" Without rows on any population: {len(test['empty'])}." if test["empty"] else ""
    ties = f" Golds whose LIMIT cuts a tie: {len(test['ties'])}." if test.get("ties") else ""
    passed = f'<span class="pass">Self-test passed:</span> {test["golds"]} of {test["golds"]} golds, {engines}.'
    return passed + empty + ties


def _cards(record: Record) -> str:
    metric = next(iter(record["metrics"]))
    cards = []
    for system in record["systems"]:
        figure = system["figures"]["all"].get("all", {}).get(metric)
        if figure:
            cards.append(
                f'<div class="card"><div class="name">{escape(system["label"])}</div>'
                f'<div class="figure">{figure["value"]:.1f}<small> % {metric}</small></div>'
                f'<div class="range">95 %: {figure["low"]:.1f} to {figure["high"]:.1f}</div></div>'
            )
    cards += [
        f'<div class="card theirs"><div class="name">{escape(theirs.model)}, as its model card prints it</div>'
        f'<div class="figure">{theirs.value:.1f}<small> % EX</small></div>'
        f'<div class="range">theirs, n = {theirs.n}, no interval</div></div>'
        for theirs in quoted_rows(record)
        if theirs.slice == "all" and theirs.metric == "EX"
    ]
    return f'<div class="cards">{"".join(cards)}</div>'


def _results(record: Record, drawings: dict[str, str]) -> str:
    metrics = list(record["metrics"])
    rows = [
        [escape(s["label"]), *(figure_cell(s["figures"]["all"].get("all", {}).get(m)) for m in metrics)]
        for s in record["systems"]
    ]
    ours = len(rows)
    for model in dict.fromkeys(t.model for t in quoted_rows(record)):
        values = {t.metric: t.value for t in quoted_rows(record) if t.model == model and t.slice == "all"}
        rows.append([f"{escape(model)} (theirs)", *(f"{values[m]:.1f}" if m in values else "–" for m in metrics)])
    meaning = "; ".join(f"<b>{escape(name)}</b> {escape(text)}" for name, text in record["metrics"].items())
    note = ""
    if quoted_rows(record):
        note = (
            "<p class='muted'>Rows marked “theirs” are quoted from the reference's model card: its own questions or "
            "draw of questions, PostgreSQL golds executed on SQLite. They are a landmark, not a paired comparison.</p>"
        )
    return (
        f"<h2>Results</h2><p>Percent of the questions. {meaning}.</p>"
        + svg(drawings["metrics"], "Every metric with its 95 % interval. Dashed bars are what the reference printed.")
        + table(["model", *map(escape, metrics)], rows, theirs=range(ours, len(rows)))
        + "".join(f"<p>{escape(line)}</p>" for line in tie_lines(record))
        + note
    )


def _sliced(record: Record, drawings: dict[str, str]) -> str:
    parts = []
    for kind, title in (("tier", "By tier"), ("hardness", "By hardness of the gold (Spider's levels)")):
        if kind not in drawings:
            continue
        parts.append(f"<h2>{title}</h2>{svg(drawings[kind], f'{drawn_metric(record)} in percent.')}")
        for metric, names, figures in slice_tables(record, kind):
            sizes = [next(f"{cell['n']}" for row in figures if (cell := row[place])) for place in range(len(names))]
            rows = [
                [escape(system["label"]), *map(figure_cell, row)]
                for system, row in zip(record["systems"], figures, strict=True)
            ]
            theirs = [[escape(cell) for cell in row] for row in their_slices(record, names, metric)]
            heads = [f"{escape(name)}<br>n = {size}" for name, size in zip(names, sizes, strict=True)]
            marked = range(len(rows), len(rows) + len(theirs))
            parts.append(table([f"{escape(metric)}, model", *heads], rows + theirs, theirs=marked))
    return "".join(parts)


def their_slices(record: Record, names: Sequence[str], metric: str) -> list[list[str]]:
    """What the reference printed of these slices: a row a model, its name and a figure or a dash for each."""
    quoted = [t for t in quoted_rows(record) if t.metric == metric and t.slice in names]
    rows = []
    for model in dict.fromkeys(theirs.model for theirs in quoted):
        values = {t.slice: t.value for t in quoted if t.model == model}
        rows.append([f"{model} (theirs)", *(f"{values[n]:.1f}" if n in values else "–" for n in names)])
    return rows


def _pairs(record: Record) -> str:
    if not record["pairs"]:
        return ""
    rows = [
        [
            escape(pair["second"]),
            escape(pair["first"]),
            escape(pair["metric"]),
            escape(name or "all"),
            f"<b>{difference(row)}</b>",
            str(row["only_second"]),
            str(row["only_first"]),
            f"{row['p']:.2g}",
        ]
        for pair in record["pairs"]
        for name, row in parts(pair)
    ]
    head = ["model", "against", "metric", "questions", "difference in points", "only it is right", "only the other"]
    return (
        "<h2>Question by question</h2><p>Two models on the same questions: difference with its paired bootstrap "
        "interval, and the two-sided exact McNemar test, each row tested alone.</p>"
        + table([*head, "McNemar p"], rows, text=4)
    )


def _errors(record: Record, drawings: dict[str, str]) -> str:
    if "errors" not in drawings:
        return ""
    meanings = CATEGORIES | WITHOUT_ANSWER
    seen = [c for c in meanings if any(c in system["errors"] for system in record["systems"])]
    rows = [[c, escape(meanings[c]), *(str(s["errors"].get(c, 0)) for s in record["systems"])] for c in seen]
    heads = ["category", "meaning", *(escape(system["label"]) for system in record["systems"])]
    return (
        "<h2>What goes wrong</h2><p>One main category per wrong answer, found by comparing outcome and clauses.</p>"
        + svg(drawings["errors"], "Wrong answers by main category, percent of all questions.")
        + table(heads, rows, text=2)
    )


def _cost(record: Record, drawings: dict[str, str]) -> str:
    rows = []
    for system in record["systems"]:
        cost = system["cost"]
        rows.append(
            [
                escape(system["label"]),
                f"{cost['seconds_median']:.2f}",
                f"{cost['seconds_p95']:.2f}",
                f"{cost['wall_seconds']:.0f}" if cost["wall_seconds"] else "–",
                f"{cost['tokens']:,}",
                f"{cost['prompt_tokens']:,}",
                str(cost["cut"]),
                str(cost["refused"]),
                str(cost["failed"]),
                f"{cost['repaired']} ({cost['repairs']})",
                str(cost["votes"]),
            ]
        )
    head = [
        "model",
        "s median",
        "s 95 %",
        "wall s",
        "tokens out",
        "tokens in",
        "cut",
        "refused",
        "failed",
        "repaired",
        "votes",
    ]
    drawing = (
        svg(drawings["latency"], "Share of the questions answered within a time.") if "latency" in drawings else ""
    )
    return (
        "<h2>Cost</h2><p>Latency is from question to answer with as many questions side by side as the engine has "
        "slots. Refused: the guard let nothing run. Failed: the database rejected it or it took too long. Repaired: "
        "questions that needed further drafts (drafts).</p>" + drawing + table(head, rows)
    )


def _reliability(drawings: dict[str, str]) -> str:
    if "reliability" not in drawings:
        return ""
    return (
        "<h2>Reliability of votes</h2><p>If agreement were a probability, every point would lie on the dashed line. "
        "Numbers are questions.</p>"
        + svg(drawings["reliability"], "Share right by agreement of the candidates.").replace(
            "<figure>", '<figure style="max-width:520px">'
        )
    )


def _worst(record: Record) -> str:
    if not record["worst"]:
        return ""
    cases = "".join(_case(case, record["bench"]["populations"]) for case in record["worst"])
    return (
        f"<h2>The worst {len(record['worst'])}</h2><p>Wrong answers that are hardest to excuse: easy questions first, "
        f"then those that other models get right.</p>{cases}"
    )


def _case(case: Record, populations: int) -> str:
    where = f" · population {case['population']}" if populations > 1 else ""
    sides = ""
    if case["gold"]:
        sides = (
            f'<div class="pair"><div><h4 class="gold">Gold</h4><pre>{escape(case["gold"])}</pre>'
            f'{result_table(case["gold_rows"])}</div><div><h4 class="answer">Answer</h4>'
            f"<pre>{escape(case['answer']) or '(no SQL)'}</pre>"
            f"{result_table(case['answer_rows'], case['why'])}</div></div>"
        )
    else:
        sides = f"<pre>{escape(case['answer']) or '(no SQL)'}</pre>"
    return (
        f'<div class="case"><span class="chip">{escape(case["category"])}</span>'
        f'<span class="meta">{escape(case["id"])} · '
        f"{escape(case['tier'])} · {escape(case['system'])}{where}</span>"
        f'<p class="question">{escape(case["question"])}</p>{sides}</div>'
    )


def _tags(record: Record) -> str:
    metric = main_metric(record)
    names = list(dict.fromkeys(name for system in record["systems"] for name in system["figures"]["tag"]))
    rows = []
    for name in sorted(names):
        cells = [system["figures"]["tag"].get(name, {}).get(metric) for system in record["systems"]]
        size = next(cell["n"] for cell in cells if cell)
        if size >= 3:
            rows.append([f"<code>{escape(name)}</code>", *map(figure_cell, cells), str(size)])
    if not rows:
        return ""
    head = ["tag", *(escape(system["label"]) for system in record["systems"]), "n"]
    title = f"{len(rows)} tags of three questions or more, {metric}"
    return f"<h2>By tag</h2><details><summary>{title}</summary>{table(head, rows)}</details>"


def _recipe(record: Record) -> str:
    bench, machine = record["bench"], record["machine"]
    entries = {
        "metric": record["metric"],
        "bench": f"{bench['name']}, {bench['n']} questions",
        "data fingerprint": f"{bench['fingerprint']} (with engine, clock and populations: {bench['identity']})",
        "engine": f"{bench['engine']}, {bench['populations']} population(s) a schema, today = {bench['today']}",
        "seed": str(record["seed"]),
        "machine": f"{machine['processor']}, {machine['cores']} cores, {machine['system']}",
        "software": f"mnemosyne {record['version']}, Python {machine['python']}",
    }
    for system in record["systems"]:
        known = ", ".join(f"{name} {value}" for name, value in system["weights"].items())
        entries[system["label"]] = known or "weights unknown: remote, or answers made elsewhere"
    if record["self_test"] and record["self_test"]["empty"]:
        entries["golds that return nothing"] = ", ".join(record["self_test"]["empty"])
    if record["self_test"] and record["self_test"].get("ties"):
        entries["golds whose LIMIT cuts a tie"] = ", ".join(record["self_test"]["ties"])
    if bench.get("contents"):
        entries["contents of the databases"] = bench["contents"]
    items = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in entries.items())
    return f"<h2>Recipe</h2><dl>{items}</dl>"
