"""The figures of a run as tables for a terminal."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from mnemosyne.evaluation.reference import REFERENCE


def console(record: dict[str, Any]) -> None:
    """Print the figures of a run, the reference's beside them."""
    out = Console()
    bench = record["bench"]
    title = f"{bench['name']}, {bench['n']} questions on {bench['engine']}"
    table = Table(title=title, caption=f"{record['metric']}, 95 % bootstrap intervals", caption_justify="left")
    table.add_column("model")
    for metric in record["metrics"]:
        table.add_column(metric, justify="right")
    table.add_column("refused", justify="right")
    table.add_column("s median", justify="right")
    for system in record["systems"]:
        figures = system["figures"]["all"].get("all", {})
        cells = [figure(figures[metric]) if metric in figures else "" for metric in record["metrics"]]
        cost = system["cost"]
        table.add_row(system["label"], *cells, str(cost["refused"]), f"{cost['seconds_median']:.2f}")
    for model in dict.fromkeys(theirs.model for theirs in REFERENCE.get(bench["name"], ())):
        values = {t.metric: t.value for t in REFERENCE[bench["name"]] if t.model == model and t.slice == "all"}
        cells = [f"{values[metric]:.1f}" if metric in values else "" for metric in record["metrics"]]
        table.add_row(f"{model} (theirs)", *cells, "", "", style="dim")
    out.print(table)
    for pair in record["pairs"]:
        out.print(
            f"{pair['second']} against {pair['first']}, {pair['metric']}: {difference(pair)}, "
            f"McNemar p = {pair['p']:.3g} ({pair['only_second']} gained, {pair['only_first']} lost)"
        )


def console_comparison(found: dict[str, Any]) -> None:
    """Print what `comparing.compare` found."""
    out = Console()
    for pair in found["pairs"]:
        table = Table(title=f"{found['bench']['name']}: {found['measure']} ({found['metric']})", title_justify="left")
        for name in ("first", "second", "difference", "McNemar p", "gained", "lost", "n"):
            table.add_column(name, justify="left" if name in ("first", "second") else "right")
        table.add_row(
            pair["first"], pair["second"], difference(pair), f"{pair['p']:.3g}",
            str(pair["only_second"]), str(pair["only_first"]), str(pair["n"]),
        )  # fmt: skip
        out.print(table)
        for kind in ("gained", "lost"):
            if pair[kind]:
                more = f" and {len(pair[kind]) - 12} more" if len(pair[kind]) > 12 else ""
                out.print(f"{kind}: {', '.join(pair[kind][:12])}{more}")


def figure(value: dict[str, Any]) -> str:
    """A figure with its interval."""
    return f"{value['value']:.1f} [{value['low']:.1f}, {value['high']:.1f}]"


def difference(pair: dict[str, Any]) -> str:
    """A difference with its interval, in percentage points."""
    return f"{pair['difference']:+.1f} [{pair['low']:+.1f}, {pair['high']:+.1f}]"
