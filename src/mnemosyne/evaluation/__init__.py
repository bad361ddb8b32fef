"""Measuring text-to-SQL so that the figure can be trusted: EX, TS, EM and VLD with intervals.

`bench` says what is asked and of which databases, `predicting` gets a model's answers, `judging`
runs gold and answers and compares them, `workers` (or `cluster`) keeps one bad query from costing
more than itself, `scoring` makes figures, `diagnosis` says what went wrong, `report` shows it all.
docs/evaluation.md explains every metric.
"""

from __future__ import annotations

METRIC = "mnemosyne-ex/1"
"""Name and version of the meaning of "right" (`results.same`, the order rule, the frozen clock). It stands beside
every figure; figures of different versions are not compared."""

__all__ = ["METRIC"]
