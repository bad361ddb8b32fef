"""The plots of a report as SVG text: bars with intervals, errors, latency, reliability of votes."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mnemosyne.errors import need

PALETTE = ("#1f6f8b", "#d98e04", "#5b7f3a", "#8a5a9e", "#b3432b", "#3d5a80", "#7a6a53", "#c06c84")
"""One colour a system, told apart by people with any kind of colour vision, in this order."""

THEIRS = "#9aa7b3"
"""The colour of what the reference printed."""

INK, SOFT, LINE = "#1d2733", "#5c6b7a", "#dfe5ea"


@dataclass(frozen=True, slots=True)
class Bar:
    """One figure to draw, percent."""

    value: float
    """Length of the bar."""
    low: float | None = None
    """Lower end of its interval, None for a figure without one."""
    high: float | None = None
    """Upper end of its interval."""


def facets(rows: Sequence[str], columns: Sequence[str], bars: Mapping[tuple[str, str], Bar], theirs: set[str]) -> str:
    """Horizontal bars with intervals: a row per system, a panel per metric or slice. `theirs` are drawn hollow."""
    width = len(columns)
    figure = _figure(10.0, 0.62 + 0.42 * len(rows))
    axes = figure.subplots(1, width, sharey=True, squeeze=False)[0]
    for axis, column in zip(axes, columns, strict=True):
        for place, row in enumerate(rows):
            bar = bars.get((row, column))
            if bar is not None:
                _bar(axis, place, bar, THEIRS if row in theirs else PALETTE[place % len(PALETTE)], row in theirs)
        axis.set_title(column, loc="left", fontsize=10, fontweight="bold", color=INK)
        axis.set_xlim(0, 118)
        axis.set_xticks([0, 25, 50, 75, 100])
        axis.grid(axis="x", color=LINE, linewidth=0.8)
        axis.set_axisbelow(True)
        _frame(axis)
    axes[0].set_yticks(range(len(rows)), [_short(row) for row in rows])
    axes[0].set_ylim(len(rows) - 0.4, -0.6)
    return _svg(figure, "facets" + "".join(columns))


def _bar(axis: Any, place: int, bar: Bar, color: str, hollow: bool) -> None:
    fill = {"facecolor": "white", "edgecolor": color, "linestyle": (0, (3, 2))} if hollow else {"color": color}
    axis.barh(place, bar.value, height=0.56, linewidth=1.1, **fill)
    end = bar.value
    if bar.low is not None and bar.high is not None:
        axis.plot([bar.low, bar.high], [place, place], color=INK, linewidth=1.3, solid_capstyle="butt")
        for edge in (bar.low, bar.high):
            axis.plot([edge, edge], [place - 0.13, place + 0.13], color=INK, linewidth=1.3)
        end = max(end, bar.high)
    axis.text(end + 2.5, place, f"{bar.value:.1f}", va="center", fontsize=8.5, color=SOFT if hollow else INK)


def errors(rows: Sequence[str], counts: Mapping[str, Mapping[str, int]], totals: Mapping[str, int]) -> str:
    """Wrong answers by category, percent of the questions, systems side by side."""
    categories = sorted({c for row in rows for c in counts[row]}, key=lambda c: -sum(counts[r].get(c, 0) for r in rows))
    figure = _figure(10.0, 0.75 + (0.16 + 0.17 * len(rows)) * max(1, len(categories)))
    axis = figure.subplots()
    height = 0.8 / max(1, len(rows))
    for number, row in enumerate(rows):
        places = [place + (number - (len(rows) - 1) / 2) * height for place in range(len(categories))]
        values = [100 * counts[row].get(category, 0) / max(1, totals[row]) for category in categories]
        axis.barh(places, values, height=height * 0.88, color=PALETTE[number % len(PALETTE)], label=_short(row))
        for place, value in zip(places, values, strict=True):
            if value:
                axis.text(value + 0.3, place, f"{value:.1f}", va="center", fontsize=8, color=SOFT)
    axis.set_yticks(range(len(categories)), categories)
    axis.set_ylim(len(categories) - 0.4, -0.6)
    axis.set_xlabel("% of the questions")
    axis.grid(axis="x", color=LINE, linewidth=0.8)
    axis.set_axisbelow(True)
    _frame(axis)
    if len(rows) > 1:
        axis.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=4, fontsize=9)
    return _svg(figure, "errors")


def latency(rows: Sequence[str], quantiles: Mapping[str, Sequence[float]]) -> str:
    """Share of the questions answered within a time; `quantiles` are evenly spaced from 0 to 100 %."""
    figure = _figure(10.0, 2.9)
    axis = figure.subplots()
    for number, row in enumerate(rows):
        values = quantiles[row]
        if len(values) > 1 and values[-1] > 0:
            shares = [100 * i / (len(values) - 1) for i in range(len(values))]
            axis.plot(values, shares, color=PALETTE[number % len(PALETTE)], linewidth=2, label=_short(row))
    axis.set_xlabel("seconds from question to answer")
    axis.set_ylabel("% answered")
    axis.set_ylim(0, 101)
    axis.set_xlim(left=0)
    axis.grid(color=LINE, linewidth=0.8)
    _frame(axis)
    if axis.lines:
        axis.legend(frameon=False, loc="lower right", fontsize=9)
    return _svg(figure, "latency")


def reliability(
    rows: Sequence[str],
    bins: Mapping[str, Sequence[Mapping[str, float]]],
    *,
    said: str = "agreement of the candidates, %",
) -> str:
    """How often an answer is right of which so much is `said`; on the diagonal it can be read as a probability.

    A bin holds `said` and `right` in percent, and `n` answers.
    """
    figure = _figure(5.2, 4.2)
    axis = figure.subplots()
    axis.plot([0, 100], [0, 100], color=SOFT, linewidth=1, linestyle=(0, (4, 3)))
    for number, row in enumerate(rows):
        color = PALETTE[number % len(PALETTE)]
        points = bins[row]
        if not points:
            continue
        axis.plot([p["said"] for p in points], [p["right"] for p in points], "o-", color=color, label=_short(row))
        for point in points:
            label = f"{point['n']:.0f}"
            axis.annotate(label, (point["said"], point["right"]), textcoords="offset points",
                          xytext=(6, -10), fontsize=8, color=SOFT)  # fmt: skip
    axis.set_xlim(0, 104)
    axis.set_ylim(0, 104)
    axis.set_xlabel(said)
    axis.set_ylabel("right, %")
    axis.grid(color=LINE, linewidth=0.8)
    axis.legend(frameon=False, loc="upper left", fontsize=9)
    _frame(axis)
    return _svg(figure, "reliability")


def require() -> None:
    """See that plots can be drawn, before the work that they are to show. Raises MissingExtra."""
    need("evaluate", "A report with plots", "matplotlib")


def _figure(width: float, height: float) -> Any:
    """An empty figure, sizes in inches. Raises MissingExtra."""
    require()
    import matplotlib as mpl
    from matplotlib.figure import Figure

    mpl.rcParams.update(
        {
            "svg.fonttype": "none",
            "text.parse_math": False,  # a model's name may hold a dollar
            "font.family": "sans-serif",
            "font.sans-serif": ["DejaVu Sans"],
            "font.size": 9.5,
            "text.color": INK,
            "axes.labelcolor": SOFT,
            "xtick.color": SOFT,
            "ytick.color": INK,
        }
    )
    return Figure(figsize=(width, height), layout="constrained")


def _frame(axis: Any) -> None:
    axis.tick_params(length=0)
    for side in ("top", "right", "left"):
        axis.spines[side].set_visible(False)
    axis.spines["bottom"].set_color(LINE)


def _short(label: str) -> str:
    """A label that fits beside a plot: the way it was used on a second line."""
    name, bracket, way = label.partition(" (")
    name = name if len(name) <= 30 else f"{name[:14]}…{name[-15:]}"
    return f"{name}\n{way.removesuffix(')')}" if bracket else name


def _svg(figure: Any, salt: str) -> str:
    """The figure as an `<svg>` element to paste into a page; the same figure gives the same text."""
    import matplotlib as mpl

    buffer = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": salt}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    return re.sub(r"\s*<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
