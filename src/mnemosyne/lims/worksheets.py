"""Worksheets of a block: samples that one analyst tests together by one method."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mnemosyne.lims.contract import determinands, methods
from mnemosyne.lims.results import Results
from mnemosyne.lims.world import World

Columns = dict[str, NDArray[np.generic]]
LINES = 12
"""Samples on a worksheet at most."""


def draw_worksheets(
    rng: np.random.Generator, world: World, results: Results, sample_id: NDArray[np.object_], before: int
) -> tuple[Columns, Columns]:
    """Columns of `worksheets`, numbered after `before`, and of `worksheet_samples`: one worksheet for 20 results."""
    code = {row.code: i for i, row in enumerate(methods())}
    method_of = np.array([code[row.method] for row in determinands()])[results.determinand]
    day = results.tested.astype(np.int64)
    # Within (method, week), each sample once: its first result there.
    week = (day + 3) // 7
    order = np.lexsort((day, results.sample, week, method_of))
    same = _repeats(method_of[order], week[order], results.sample[order])
    line = order[~same]
    group_start = ~_repeats(method_of[line], week[line])
    place = np.arange(len(line)) - np.maximum.accumulate(np.where(group_start, np.arange(len(line)), 0))
    starts = np.flatnonzero(place % LINES == 0)
    sizes = np.diff(np.append(starts, len(line)))

    empty = max(1, round(len(results.sample) / 2400))
    wanted = min(len(starts), max(1, round(len(results.sample) / 20) - empty))
    keep = np.sort(rng.choice(len(starts), wanted, replace=False, p=sizes / sizes.sum()))
    starts, sizes = starts[keep], sizes[keep]
    sheet = np.repeat(np.arange(len(starts)), sizes)
    rows = line[np.repeat(starts, sizes) + _counter(sizes)]

    first = np.full(len(starts), np.iinfo(np.int64).max)
    np.minimum.at(first, sheet, day[rows])
    by_day = np.argsort(first, kind="stable")
    rank = np.empty_like(by_day)
    rank[by_day] = np.arange(len(by_day))
    leader = results.analyst[line[starts]]

    newest = results.tested.max() if len(results.tested) else world.today
    # Worksheets that were opened and have no samples yet.
    method = np.append(method_of[line[starts]][by_day], rng.integers(0, len(methods()), empty))
    analyst = np.append(leader[by_day], rng.choice(results.analyst, empty))
    dates = np.append(first[by_day].astype("datetime64[D]"), np.full(empty, newest))
    status = _status(rng, (world.today - dates).astype(np.int64))
    status[len(starts) :] = "Open"
    lines = np.argsort(rank[sheet], kind="stable")
    return (
        {
            "worksheet_id": before + 1 + np.arange(len(method)),
            "method_id": method + 1,
            "analyst_id": analyst + 1,
            "worksheet_date": dates,
            "status": status,
        },
        {
            "worksheet_id": before + 1 + rank[sheet][lines],
            "sample_id": sample_id[results.sample[rows[lines]]],
            "position": _counter(sizes[by_day]) + 1,
        },
    )


def _repeats(*keys: NDArray[np.int64]) -> NDArray[np.bool_]:
    """True where all sorted keys equal those of the row before."""
    same = np.ones(len(keys[0]), dtype=bool)
    same[:1] = False
    for key in keys:
        same[1:] &= key[1:] == key[:-1]
    return same


def _counter(sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """0, 1, … within each of the groups of these sizes."""
    total = int(sizes.sum())
    return np.arange(total) - np.repeat(np.cumsum(sizes) - sizes, sizes)


def _status(rng: np.random.Generator, age_days: NDArray[np.int64]) -> NDArray[np.object_]:
    """Old worksheets are approved, new ones open; the years between are a mixture."""
    names = np.array(["Open", "In Progress", "Complete", "Approved"], dtype=object)
    progress = age_days / 7 + rng.normal(0, 0.6, len(age_days))
    status = names[np.clip(progress + 0.6, 0, 3).astype(np.int64)]
    late = rng.random(len(age_days))
    status[(late < 0.05) & (age_days > 7)] = "Complete"
    status[(late > 0.99) & (age_days > 7)] = "In Progress"
    return status
