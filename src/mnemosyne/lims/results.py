"""Results of a block of samples: what is tested, when, by whom, and what was found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mnemosyne.lims import words
from mnemosyne.lims.contract import determinands, methods
from mnemosyne.lims.world import Days, Floats, Ints, World

if TYPE_CHECKING:
    from mnemosyne.lims.population import Samples

Bools = NDArray[np.bool_]
NEVER = np.datetime64("NaT", "D")
COUNTABLE = 100
"""Colonies above this number are not counted: the result is `> 100`."""


@dataclass(frozen=True, slots=True)
class Results:
    """Results of a block, one element each, in the order of their samples, and what they say of the samples."""

    sample: Ints
    """Index of the sample in the block."""
    determinand: Ints
    """Index of the determinand."""
    analyst: Ints
    """Index of the analyst."""
    value: Floats
    """In the determinand's unit; NaN while pending."""
    qualifier: Ints
    """0 none, 1 `<`, 2 `>`."""
    verdict: Ints
    """0 none, 1 `P`, 2 `F`."""
    tested: Days
    """Never after today."""
    approved: Days
    """NaT while unapproved."""
    reported: Days
    """(samples,), NaT for samples that are not reported."""
    started: Bools
    """(samples,), at least one result has a value."""
    complete: Bools
    """(samples,), there are results and all have values."""

    def columns(self, sample_id: NDArray[np.object_], before: int) -> dict[str, NDArray[np.generic]]:
        """The columns of the table `results`, numbered after `before`."""
        return {
            "result_id": np.arange(before + 1, before + 1 + len(self.sample)),
            "sample_id": sample_id[self.sample],
            "determinand_id": self.determinand + 1,
            "analyst_id": self.analyst + 1,
            "numeric_value": self.value,
            "qualifier": np.array([None, "<", ">"], dtype=object)[self.qualifier],
            "pass_fail": np.array([None, "P", "F"], dtype=object)[self.verdict],
            "test_date": self.tested,
            "approved_date": self.approved,
        }


def draw_results(rng: np.random.Generator, world: World, samples: Samples) -> Results:
    """Results of a block of samples."""
    sample, determinand, repeat = _what(rng, world, samples)
    days = np.array([{m.code: m.turnaround_days for m in methods()}[d.method] for d in determinands()])[determinand]
    # A test starts within its turnaround; a repeat starts a few days after the first result.
    lag = rng.integers(0, np.maximum(days - 1, 1) + 1) + repeat * rng.integers(1, 4, len(sample))
    planned = samples.received[sample] + lag
    # Tests that have not started yet are either booked for today, without a value, or not there yet.
    keep = (planned <= world.today) | (rng.random(len(sample)) < 0.5)
    sample, determinand, days, planned = sample[keep], determinand[keep], days[keep], planned[keep]
    pending = (planned > world.today) | (samples.stuck[sample] & (rng.random(len(sample)) < 0.5))
    tested = np.minimum(planned, world.today)

    value, qualifier, verdict = _findings(rng, world, samples, sample, determinand)
    value[pending], qualifier[pending], verdict[pending] = np.nan, 0, 0

    count = len(samples.client)
    some = np.bincount(sample, minlength=count) > 0
    waiting = np.bincount(sample, weights=pending, minlength=count)
    started = np.bincount(sample, weights=~pending, minlength=count) > 0
    complete = some & (waiting == 0)
    reported = _reported(rng, world, samples, sample, tested, complete & ~samples.cancelled & ~samples.stuck)
    return Results(
        sample=sample,
        determinand=determinand,
        analyst=_who(rng, world, determinand, tested),
        value=value,
        qualifier=qualifier,
        verdict=verdict,
        tested=tested,
        approved=_approved(rng, world, tested, pending, reported[sample], samples.stuck[sample]),
        reported=reported,
        started=started,
        complete=complete,
    )


def _what(rng: np.random.Generator, world: World, samples: Samples) -> tuple[Ints, Ints, Ints]:
    """(sample, determinand, repeat): about four determinands a sample, weighted by matrix, none twice; few repeats."""
    weights = world.tested_for[samples.matrix]
    with np.errstate(divide="ignore"):
        keys = np.log(weights) + rng.gumbel(size=weights.shape)  # the largest k keys are a weighted draw of k
    wanted = 1 + rng.binomial(8, 0.385, len(weights))
    silent = samples.cancelled & (rng.random(len(weights)) < 0.7)
    wanted[silent | (rng.random(len(weights)) < 0.01)] = 0
    order = np.argsort(-keys, axis=1)[:, :9]
    chosen = (np.arange(9) < wanted[:, None]) & (np.take_along_axis(weights, order, axis=1) > 0)
    sample, place = np.nonzero(chosen)
    determinand = order[sample, place]
    again = np.flatnonzero(rng.random(len(sample)) < 0.015)
    sample, determinand = np.append(sample, sample[again]), np.append(determinand, determinand[again])
    repeat = np.append(np.zeros(len(sample) - len(again), dtype=np.int64), np.ones(len(again), dtype=np.int64))
    line = np.argsort(sample, kind="stable")
    return sample[line], determinand[line], repeat[line]


def _findings(
    rng: np.random.Generator, world: World, samples: Samples, sample: Ints, determinand: Ints
) -> tuple[Floats, Ints, Ints]:
    """Value, qualifier and verdict of each result, as if none were pending."""
    rows = determinands()
    limit = np.array([row.limit for row in rows], dtype=np.float64)[determinand]
    least = np.array([row.detection_limit for row in rows], dtype=np.float64)[determinand]
    typical = np.array([words.TYPICAL.get(row.name, np.nan) for row in rows])[determinand]
    counted = np.array([row.category == "Microbiology" for row in rows])[determinand]
    presence = np.array([row.unit == "per 25g" for row in rows])[determinand]
    acidity = np.array([row.unit == "pH units" for row in rows])[determinand]

    fails = rng.random(len(sample)) < _failure_chance(world, samples, sample, determinand)
    fails &= ~np.isnan(limit)
    noise = rng.normal(0, 1, len(sample)) * world.spread[determinand]
    forbidden = limit == 0
    # Log-normal below the limit, reflected at it; log-normal above it when the result fails.
    value = np.where(np.isnan(limit), typical, limit * world.level[determinand]) * np.exp(noise)
    value = np.where(value > limit, limit * limit / np.maximum(value, 1e-9), value)
    value = np.where(fails, np.maximum(limit, 1) * 0 + limit * (1.03 + rng.exponential(0.8, len(sample))), value)
    value = np.where(forbidden, np.where(fails, np.ceil(rng.lognormal(2.0, 1.6, len(sample))), 0.0), value)
    value = np.where(presence, fails * 1.0, value)
    value = np.where(acidity, np.where(fails, 9.6 + rng.exponential(0.4, len(sample)), 7.6 + noise * 0.45), value)
    value = np.where(counted, np.ceil(value), _three_digits(value))
    value = np.where(acidity, np.minimum(np.round(value, 2), np.where(fails, 14.0, 9.5)), value)

    # Nothing found: either 0, or "less than the detection limit", by the habit of the bench.
    below = (value < least) & ((value > 0) | (rng.random(len(sample)) < 0.4))
    above = counted & fails & forbidden & ~presence & (value > COUNTABLE)
    value = np.where(below, least, np.where(above, float(COUNTABLE), value))
    verdict = np.where(np.isnan(limit), 0, np.where(fails, 2, 1))
    return value, np.where(below, 1, np.where(above, 2, 0)), verdict


def _failure_chance(world: World, samples: Samples, sample: Ints, determinand: Ints) -> Floats:
    client, day = samples.client[sample], samples.collected[sample]
    chance = world.failure_rate[determinand] * world.clients.risk[client]
    raw = np.isin(samples.matrix[sample], [words.MATRICES.index(m) for m in ("Surface Water", "Waste Water")])
    chance = np.minimum(chance * np.where(raw, 2.2, 1.0), 0.7)
    for outbreak in world.outbreaks:
        hit = (client == outbreak.client) & (determinand == outbreak.determinand)
        chance[hit & (day >= outbreak.first) & (day <= outbreak.last)] = 0.75
    return np.asarray(chance)


def _three_digits(value: Floats) -> Floats:
    """Rounded to three significant digits, as a laboratory reports. Zero stays zero."""
    with np.errstate(divide="ignore", invalid="ignore"):
        digits = np.where(value > 0, 2 - np.floor(np.log10(value)), 0)
    digits = np.nan_to_num(digits, nan=0.0, posinf=0.0, neginf=0.0)
    step = 10.0 ** np.clip(digits, -6, 8)
    return np.asarray(np.round(value * step) / step)


def _who(rng: np.random.Generator, world: World, determinand: Ints, tested: Days) -> Ints:
    """An analyst of the right department (mostly) who worked there on that day."""
    analysts = world.analysts
    chemistry = np.array([row.category != "Microbiology" for row in determinands()])[determinand]
    chemistry ^= rng.random(len(determinand)) < 0.02
    analyst = np.zeros(len(determinand), dtype=np.int64)
    for name, rows in (("Microbiology", np.flatnonzero(~chemistry)), ("Chemistry", np.flatnonzero(chemistry))):
        team = np.flatnonzero(analysts.department == name)
        share = analysts.share[team] / analysts.share[team].sum()
        analyst[rows] = rng.choice(team, len(rows), p=share)
        away = rows[(analysts.hired[analyst[rows]] > tested[rows]) | (analysts.left[analyst[rows]] < tested[rows])]
        veteran = team[np.argmin(np.where(np.isnat(analysts.left[team]), analysts.hired[team].astype(np.int64), 10**9))]
        analyst[away] = veteran
    return analyst


def _reported(
    rng: np.random.Generator, world: World, samples: Samples, sample: Ints, tested: Days, eligible: Bools
) -> Days:
    """A day or more after the last test; some reports are late; none is in the future."""
    last = samples.received.astype(np.int64).copy()
    np.maximum.at(last, sample, tested.astype(np.int64))
    count = len(last)
    delay = (
        1
        + rng.poisson(np.where(samples.urgent, 0.6, 2.0))
        + np.where(rng.random(count) < 0.06, 1, 0) * rng.integers(6, 30, count)
    )
    day = last.astype("datetime64[D]") + delay
    return np.where(eligible & (day <= world.today), day, NEVER)


def _approved(
    rng: np.random.Generator, world: World, tested: Days, pending: Bools, reported: Days, stuck: Bools
) -> Days:
    """After the test and not after the report; a few results are forgotten."""
    day = tested + rng.poisson(1.2, len(tested))
    day = np.where(~np.isnat(reported) & (day > reported), reported, day)
    forgotten = rng.random(len(tested)) < np.where(stuck, 0.7, 0.012)
    return np.where(pending | forgotten | (day > world.today), NEVER, day)
