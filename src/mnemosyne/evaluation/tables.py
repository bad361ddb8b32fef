"""The figures of a run as tables for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from mnemosyne.evaluation.reference import REFERENCE, Theirs


def console(record: dict[str, Any]) -> None:
    """Print the figures of a run, the reference's beside them."""
    out = Console()
    bench = record["bench"]
    quoted = REFERENCE.get(bench["name"], ())
    table = Table(
        title=f"{bench['name']}, {bench['n']} questions on {bench['engine']}",
        caption=f"{record['metric']}, 95 % bootstrap intervals",
        caption_justify="left",
    )
    table.add_column("model", min_width=18, overflow="fold")
    for head in record["metrics"]:
        table.add_column(head, justify="right", no_wrap=True)
    for system in record["systems"]:
        figures = system["figures"]["all"].get("all", {})
        cells = [_two_lines(figures.get(metric)) for metric in record["metrics"]]
        table.add_row(system["label"], *cells)
    for model in dict.fromkeys(theirs.model for theirs in quoted):
        values = {t.metric: t.value for t in quoted if t.model == model and t.slice == "all"}
        cells = [f"{values[metric]:.1f}" if metric in values else "" for metric in record["metrics"]]
        table.add_row(f"{model} (theirs)", *cells, style="dim")
    out.print(table)
    for metric in [name for name in ("EX", "TS") if name in record["metrics"]]:
        _console_tiers(record, metric, quoted, out)
    for system in record["systems"]:
        cost = system["cost"]
        counts = ", ".join(f"{cost[name]} {name}" for name in ("refused", "failed", "repaired", "abstained", "missing"))
        out.print(
            f"{system['label']}: {counts}, {cost['tokens']:,} tokens, {cost['seconds_median']:.1f} s a question",
            highlight=False,
        )
    for line in tie_lines(record):
        out.print(line, highlight=False)
    for pair in record["pairs"]:
        for name, row in parts(pair):
            out.print(
                f"{pair['second']} against {pair['first']}, {pair['metric']}{f' {name}' if name else ''}: "
                f"{difference(row)}, McNemar p = {row['p']:.3g} ({row['only_second']} gained, {row['only_first']} lost)"
            )


def _console_tiers(record: dict[str, Any], metric: str, quoted: Sequence[Theirs], out: Console) -> None:
    """One metric by tier (or by hardness, where there are no tiers)."""
    kind = "tier" if any(system["figures"]["tier"] for system in record["systems"]) else "hardness"
    names = list(dict.fromkeys(name for system in record["systems"] for name in system["figures"][kind]))
    if not names:
        return
    table = Table(title=f"{metric} by {kind}", title_justify="left")
    table.add_column("model", min_width=18, overflow="fold")
    for name in names:
        size = next(s["figures"][kind][name][metric]["n"] for s in record["systems"] if name in s["figures"][kind])
        table.add_column(f"{name} ({size})", justify="right", no_wrap=True)
    for system in record["systems"]:
        table.add_row(
            system["label"], *(_two_lines(system["figures"][kind].get(name, {}).get(metric)) for name in names)
        )
    if metric == "EX" and kind == "tier":
        for model in dict.fromkeys(theirs.model for theirs in quoted if theirs.slice in names):
            values = {t.slice: t.value for t in quoted if t.model == model}
            table.add_row(f"{model} (theirs)", *(f"{values[n]:.1f}" if n in values else "" for n in names), style="dim")
    out.print(table)


def _two_lines(value: dict[str, Any] | None) -> str:
    """A figure with its interval below it, empty for none."""
    return f"{value['value']:.1f}\n{value['low']:.1f}–{value['high']:.1f}" if value else ""


def console_comparison(found: dict[str, Any]) -> None:
    """Print what `comparing.compare` found."""
    out = Console()
    for pair in found["pairs"]:
        table = Table(title=f"{found['bench']['name']}: {found['measure']} ({found['metric']})", title_justify="left")
        table.caption, table.caption_justify = f"{pair['second']} against {pair['first']}", "left"
        for name in ("questions", "difference", "McNemar p", "gained", "lost", "n"):
            table.add_column(name, justify="left" if name == "questions" else "right")
        for name, row in parts(pair):
            table.add_row(
                name or "all", difference(row), f"{row['p']:.3g}",
                str(row["only_second"]), str(row["only_first"]), str(row["n"]),
            )  # fmt: skip
        out.print(table)
        for kind in ("gained", "lost"):
            if pair[kind]:
                more = f" and {len(pair[kind]) - 12} more" if len(pair[kind]) > 12 else ""
                out.print(f"{kind}: {', '.join(pair[kind][:12])}{more}")


def parts(pair: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """A comparison over all questions (without a name), then by tier or hardness, which earlier records lack."""
    return [("", pair), *pair.get("slices", {}).items()]


def tie_lines(record: dict[str, Any]) -> list[str]:
    """A line per model: EX without the golds whose LIMIT cuts a tie. Nothing where there are none."""
    ties = len((record["self_test"] or {}).get("ties", ()))
    return [
        f"{system['label']}: EX without the {ties} golds whose LIMIT cuts a tie, {figure(system['ex_without_ties'])}"
        for system in record["systems"]
        if "ex_without_ties" in system
    ]


def figure(value: dict[str, Any]) -> str:
    """A figure with its interval."""
    return f"{value['value']:.1f} [{value['low']:.1f}, {value['high']:.1f}]"


def difference(pair: dict[str, Any]) -> str:
    """A difference with its interval, in percentage points."""
    return f"{pair['difference']:+.1f} [{pair['low']:+.1f}, {pair['high']:+.1f}]"
