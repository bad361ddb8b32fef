"""The rows of the laboratory, in blocks of bounded size. Pure numpy: no database here.

`batches` yields (table, columns) in an order that satisfies every foreign key. A block is a stretch of
samples in the order of their collection, with their results and worksheets; block k draws from the random
stream (seed, 1, k), so memory is bounded by the block however large the laboratory is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from mnemosyne.lims import words
from mnemosyne.lims import world as worlds
from mnemosyne.lims.contract import determinands, methods
from mnemosyne.lims.results import Results, draw_results
from mnemosyne.lims.worksheets import draw_worksheets
from mnemosyne.lims.world import WINDOW_DAYS, Days, Ints, Objects, World

Columns = dict[str, NDArray[np.generic]]
"""Column name to values: ints and bools plain, floats with NaN for NULL, datetime64[D] with NaT for NULL, texts as
objects with None for NULL."""

SAMPLES = 3_000
"""Samples at scale 1."""

BLOCK = 30_000
"""Samples of a block at most."""


def batches(seed: int, scale: float, today: date) -> Iterator[tuple[str, Columns]]:
    """(table, columns) after (table, columns), references before what refers to them."""
    world = worlds.build(seed, scale, today)
    yield "clients", _clients(world)
    yield "analysts", _analysts(world)
    yield "methods", _methods()
    yield "determinands", _determinands()
    position = Position()
    for k, days in enumerate(_blocks(world, seed, max(1, round(SAMPLES * scale)))):
        rng = np.random.default_rng([seed, 1, k])
        samples = _draw_samples(rng, world, days, first=k == 0)
        results = draw_results(rng, world, samples)
        sample_id = position.number(samples.collected)
        yield "samples", _samples(world, samples, results, sample_id)
        yield "results", results.columns(sample_id, position.results)
        sheets, lines = draw_worksheets(rng, world, results, sample_id, position.worksheets)
        yield "worksheets", sheets
        yield "worksheet_samples", lines
        position.results += len(results.sample)
        position.worksheets += len(sheets["worksheet_id"])


@dataclass(slots=True)
class Position:
    """Where the numbering stands between two blocks."""

    results: int = 0
    """Results so far."""
    worksheets: int = 0
    """Worksheets so far."""
    year: int = 0
    """Year of the last sample."""
    in_year: int = 0
    """Samples of that year so far."""

    def number(self, collected: Days) -> Objects:
        """`S-2026-00042`: the year and the running number in it. Days never go back."""
        ids = []
        for year in (collected.astype("datetime64[Y]").astype(np.int64) + 1970).tolist():
            self.in_year = self.in_year + 1 if year == self.year else 1
            self.year = year
            ids.append(f"S-{year}-{self.in_year:05d}")
        return np.array(ids, dtype=object)


@dataclass(frozen=True, slots=True)
class Samples:
    """A block of samples, one element each."""

    client: Ints
    """Index of the client."""
    matrix: Ints
    """Index into `words.MATRICES`."""
    point: Objects
    """Sampling point, None for some."""
    collected: Days
    """Never goes back."""
    received: Days
    """Not before `collected`, not after today."""
    urgent: NDArray[np.bool_]
    """Priority."""
    cancelled: NDArray[np.bool_]
    """Cancelled samples are never reported."""
    stuck: NDArray[np.bool_]
    """Samples whose report somebody forgot."""


def _blocks(world: World, seed: int, count: int) -> Iterator[Days]:
    """The collection days of all samples, in order, BLOCK at a time."""
    per_day = np.random.default_rng([seed, 2]).multinomial(count, world.day_weights)
    if count >= 1_000:
        per_day[-8:] = np.maximum(per_day[-8:], 2)  # today and each of the last seven days have samples
    days = world.today - np.arange(WINDOW_DAYS, -1, -1)
    ends = np.cumsum(per_day)
    for start in range(0, int(ends[-1]), BLOCK):
        numbers = np.arange(start, min(start + BLOCK, int(ends[-1])))
        yield days[np.searchsorted(ends, numbers, side="right")]


def _draw_samples(rng: np.random.Generator, world: World, collected: Days, *, first: bool) -> Samples:
    count = len(collected)
    clients = world.clients
    client = rng.choice(len(clients.share), count, p=clients.share)
    absent = (clients.registered[client] > collected) | (clients.left[client] < collected)
    always = np.flatnonzero((clients.share > 0) & np.isnat(clients.left) & (clients.registered < collected.min()))
    client[absent] = rng.choice(always, int(absent.sum()))
    if first:  # the client with exactly one sample
        eligible = np.flatnonzero(clients.registered[clients.single] <= collected)
        client[eligible[rng.integers(len(eligible))]] = clients.single

    wheel = world.matrix_mix.cumsum(axis=1)[clients.type[client]]
    matrix = np.minimum((rng.random((count, 1)) > wheel).sum(axis=1), len(words.MATRICES) - 1)
    month = collected.astype("datetime64[M]").astype(np.int64) % 12 + 1
    off_season = (matrix == words.MATRICES.index("Bathing Water")) & ((month < 5) | (month > 9))
    matrix[off_season & (rng.random(count) < 0.8)] = words.MATRICES.index("Drinking Water")

    point = np.empty(count, dtype=object)
    for i, choices in enumerate(world.points):
        rows = np.flatnonzero(matrix == i)
        point[rows] = choices[np.minimum(rng.geometric(0.4, len(rows)), len(choices)) - 1]
    point[rng.random(count) < 0.06] = None

    delay = rng.choice(np.array([0, 1, 2, 3, 5]), count, p=[0.66, 0.22, 0.07, 0.03, 0.02])
    return Samples(
        client=client,
        matrix=matrix,
        point=point,
        collected=collected,
        received=np.minimum(collected + delay, world.today),
        urgent=rng.random(count) < 0.12,
        cancelled=rng.random(count) < 0.025,
        stuck=rng.random(count) < 0.012,
    )


def _samples(world: World, samples: Samples, results: Results, sample_id: Objects) -> Columns:
    reported = results.reported
    status = np.full(len(sample_id), "In Progress", dtype=object)
    status[~results.started] = "Received"
    status[results.complete] = "Completed"
    status[~np.isnat(reported)] = "Reported"
    status[samples.cancelled] = "Cancelled"
    return {
        "sample_id": sample_id,
        "client_id": samples.client + 1,
        "matrix": np.array(words.MATRICES, dtype=object)[samples.matrix],
        "sampling_point": samples.point,
        "collection_date": samples.collected,
        "received_date": samples.received,
        "reported_date": reported,
        "status": status,
        "priority": np.where(samples.urgent, "Urgent", "Routine").astype(object),
    }


def _clients(world: World) -> Columns:
    clients = world.clients
    return {
        "client_id": np.arange(1, len(clients.name) + 1),
        "client_name": clients.name,
        "client_type": np.array(words.CLIENT_TYPES, dtype=object)[clients.type],
        "city": clients.city,
        "country": clients.country,
        "contact_email": clients.email,
        "registered_date": clients.registered,
        "active": np.isnat(clients.left),
    }


def _analysts(world: World) -> Columns:
    analysts = world.analysts
    return {
        "analyst_id": np.arange(1, len(analysts.name) + 1),
        "analyst_name": analysts.name,
        "department": analysts.department,
        "job_title": analysts.title,
        "hire_date": analysts.hired,
        "active": np.isnat(analysts.left),
    }


def _methods() -> Columns:
    rows = methods()
    return {
        "method_id": np.arange(1, len(rows) + 1),
        "method_code": np.array([row.code for row in rows], dtype=object),
        "method_name": np.array([row.name for row in rows], dtype=object),
        "technique": np.array([row.technique for row in rows], dtype=object),
        "accredited": np.array([row.accredited for row in rows]),
        "turnaround_days": np.array([row.turnaround_days for row in rows]),
    }


def _determinands() -> Columns:
    rows = determinands()
    code = {row.code: i for i, row in enumerate(methods(), start=1)}
    return {
        "determinand_id": np.arange(1, len(rows) + 1),
        "determinand_name": np.array([row.name for row in rows], dtype=object),
        "category": np.array([row.category for row in rows], dtype=object),
        "unit": np.array([row.unit for row in rows], dtype=object),
        "method_id": np.array([code[row.method] for row in rows]),
        "detection_limit": np.array([row.detection_limit for row in rows], dtype=np.float64),
        "limit_value": np.array([row.limit for row in rows], dtype=np.float64),
    }
