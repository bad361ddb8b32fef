"""The published figures: finished runs, made small, as JSON beside a page whose tables are made from them.

    python -m mnemosyne.evaluation.published docs/results.md RUN…

A run goes to `docs/results/NAME.json` without its worst answers and tags, and everything between the two
marks of the page is written again from all files there. Nobody types a figure.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mnemosyne.errors import EvaluationError
from mnemosyne.evaluation import record
from mnemosyne.evaluation.reference import REFERENCE
from mnemosyne.evaluation.running import write_whole
from mnemosyne.evaluation.tables import difference, figure, tie_lines
from mnemosyne.evaluation.tables import parts as comparisons

BEGIN = "<!-- figures: begin. Made by mnemosyne.evaluation.published; do not edit. -->"
END = "<!-- figures: end -->"

Record = dict[str, Any]


def small(run: Record) -> Record:
    """A run without what a page of figures does not need."""
    systems = [
        system | {"figures": {kind: rows for kind, rows in system["figures"].items() if kind != "tag"}}
        for system in run["systems"]
    ]
    return {name: value for name, value in run.items() if name != "worst"} | {"systems": systems}


def publish(page: Path, runs: Sequence[Path]) -> None:
    """Add finished runs to the page. Raises EvaluationError."""
    home = page.with_suffix("")
    for folder in runs:
        file = home / f"{folder.name}.json"
        run = small(record.load(folder))
        if file.exists():
            run = with_earlier(run, json.loads(file.read_text(encoding="utf-8")))
        write_whole(file, json.dumps(run, ensure_ascii=False, indent=1) + "\n")
    write_whole(page, renewed(page))


def with_earlier(run: Record, earlier: Record) -> Record:
    """The run with the rows of an earlier one that it does not measure again; nothing of another bench or metric."""
    if any(run["bench"][key] != earlier["bench"][key] for key in ("fingerprint", "identity")):
        return run
    again = {system["label"] for system in run["systems"]}
    kept = [
        {"made": earlier["made"]} | system
        for system in earlier["systems"]
        if system["label"] not in again and run["metric"] == earlier["metric"]
    ]
    labels = {system["label"] for system in kept}
    pairs = [pair for pair in earlier["pairs"] if {pair["first"], pair["second"]} <= labels]
    return run | {"systems": [*kept, *run["systems"]], "pairs": [*pairs, *run["pairs"]]}


def renewed(page: Path) -> str:
    """The page with its figures made again from the files beside it. Raises EvaluationError without the marks."""
    text = page.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise EvaluationError(f"{page} has no place for figures.", hint=f"Write {BEGIN} and {END} into it.")
    files = sorted(page.with_suffix("").glob("*.json"))
    parts = [section(json.loads(file.read_text(encoding="utf-8")), file.name) for file in files]
    return f"{before}{BEGIN}\n\n" + "\n\n".join(parts) + f"\n\n{END}{after}"


def section(run: Record, name: str) -> str:
    """One run: its figures, by tier or hardness, its comparisons and its recipe."""
    bench = run["bench"]
    populations = f", {bench['populations']} populations" if bench["populations"] > 1 else ""
    parts = [
        f"## {bench['name']}, {bench['n']} questions",
        f"On {bench['engine']}{populations}, today frozen at {bench['today']}. Percent, with 95 % bootstrap intervals; "
        f"metric `{run['metric']}`.",
        _table(["model", *run["metrics"]], _overall(run)),
    ]
    kind = "tier" if any(system["figures"]["tier"] for system in run["systems"]) else "hardness"
    for metric in [name for name in ("EX", "TS") if name in run["metrics"]]:
        names = list(dict.fromkeys(name for system in run["systems"] for name in system["figures"][kind]))
        if names:
            heads = [f"{name} (n = {_size(run, kind, name)})" for name in names]
            parts.append(_table([f"{metric} by {kind}", *heads], _sliced(run, kind, names, metric)))
    measures = dict.fromkeys(pair["metric"] for pair in run["pairs"])
    parts += [_pairs([pair for pair in run["pairs"] if pair["metric"] == metric]) for metric in measures]
    parts.append(_costs(run))
    parts.append(_recipe(run, name))
    return "\n\n".join(parts)


def _overall(run: Record) -> list[list[str]]:
    rows = []
    for system in run["systems"]:
        figures = system["figures"]["all"].get("all", {})
        rows.append([system["label"], *(figure(figures[m]) if m in figures else "–" for m in run["metrics"])])
    quoted = REFERENCE.get(run["bench"]["name"], ())
    for model in dict.fromkeys(theirs.model for theirs in quoted):
        values = {t.metric: t.value for t in quoted if t.model == model and t.slice == "all"}
        cells = [f"*{values[m]:.1f}*" if m in values else "–" for m in run["metrics"]]
        rows.append([f"*{model} (theirs, n = {quoted[0].n})*", *cells])
    return rows


def _sliced(run: Record, kind: str, names: Sequence[str], metric: str) -> list[list[str]]:
    rows = []
    for system in run["systems"]:
        cells = [system["figures"][kind].get(name, {}).get(metric) for name in names]
        rows.append([system["label"], *(figure(cell) if cell else "–" for cell in cells)])
    quoted = [t for t in REFERENCE.get(run["bench"]["name"], ()) if t.metric == metric and t.slice in names]
    for model in dict.fromkeys(theirs.model for theirs in quoted):
        values = {t.slice: t.value for t in quoted if t.model == model}
        rows.append([f"*{model} (theirs)*", *(f"*{values[n]:.1f}*" if n in values else "–" for n in names)])
    return rows


def _size(run: Record, kind: str, name: str) -> int:
    return next(int(s["figures"][kind][name]["EX"]["n"]) for s in run["systems"] if name in s["figures"][kind])


def _pairs(pairs: Sequence[Record]) -> str:
    """Comparisons by one metric; by tier or hardness, too, where the run has them."""
    sliced = any(pair.get("slices") for pair in pairs)
    head = ["model", "against", f"{pairs[0]['metric']}, points", "gained", "lost", "McNemar p"]
    rows = []
    for pair in pairs:
        for name, row in comparisons(pair):
            named = [pair["second"], pair["first"], *([name or "all"] if sliced else [])]
            counts = [str(row["only_second"]), str(row["only_first"])]
            rows.append([*named, difference(row), *counts, f"{row['p']:.2g}"])
    return _table([*head[:2], *(["questions"] if sliced else []), *head[2:]], rows)


def _costs(run: Record) -> str:
    rows = []
    for system in run["systems"]:
        cost, n = system["cost"], run["bench"]["n"]
        worst = sorted(system["errors"].items(), key=lambda item: -item[1])[:4]
        rows.append(
            [
                system["label"],
                str(cost["refused"]),
                str(cost["failed"]),
                str(cost["repaired"]),
                f"{cost['tokens'] / n:.0f}",
                ", ".join(f"{name} {count}" for name, count in worst) or "–",
            ]
        )
    return _table(["model", "refused", "failed", "repaired", "tokens a question", "most frequent faults"], rows)


def _recipe(run: Record, name: str) -> str:
    bench, machine, test = run["bench"], run["machine"], run["self_test"]
    lines = [
        f"- [`{name}`](results/{name}), made {run['made'][:10]} with mnemosyne {run['version']}, seed {run['seed']}",
        f"- questions `{bench['fingerprint']}`, with engine, clock and populations `{bench['identity']}`",
        f"- {machine['processor']}, {machine['cores']} cores, {machine['system']}",
    ]
    if test:
        lines.append(f"- self-test: {test['golds']} of {test['golds']} golds on {', '.join(test['engines'])}")
        if test.get("empty"):
            lines.append(f"- golds without a row on every population: {', '.join(test['empty'])}")
    lines += [f"- {line}" for line in tie_lines(run)]
    for made in dict.fromkeys(system["made"][:10] for system in run["systems"] if "made" in system):
        labels = [system["label"] for system in run["systems"] if system.get("made", "")[:10] == made]
        lines.append(f"- measured earlier, {made}: {'; '.join(labels)}")
    for system in run["systems"]:
        shas = ", ".join(f"{what} `{value}`" for what, value in system["weights"].items() if what != "base")
        lines.append(f"- {system['label']}: {shas or 'weights unknown'}")
    return "\n".join(lines)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


if __name__ == "__main__":
    publish(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]])
