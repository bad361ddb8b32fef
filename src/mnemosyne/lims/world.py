"""The people and the habits of one laboratory: everything that a seed decides before the first sample is drawn.

Two seeds are two different laboratories: other clients and analysts, other shares of matrices, and
a determinand that never fails in one of them often fails in another. A query that is wrong can look
right in one laboratory; it seldom does in three.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from mnemosyne.lims import words
from mnemosyne.lims.contract import determinands

Days = NDArray[np.datetime64]
"""Dates, `datetime64[D]`; NaT is NULL."""
Floats = NDArray[np.float64]
"""Numbers; NaN is NULL."""
Ints = NDArray[np.int64]
Objects = NDArray[np.object_]
"""Texts; None is NULL."""

WINDOW_DAYS = 3 * 365
"""How far the samples reach back from today."""


@dataclass(frozen=True, slots=True)
class Clients:
    """Clients, one element each; a client's id is its index plus 1."""

    name: Objects
    """Unique names."""
    type: Ints
    """Index into `words.CLIENT_TYPES`."""
    city: Objects
    """None for a few."""
    country: Objects
    """Names of countries; at least one country has a single client."""
    email: Objects
    """None for a few."""
    registered: Days
    """Never after the first sample."""
    left: Days
    """The day of the last possible sample; NaT for active clients."""
    share: Floats
    """Share of the samples, sums to 1; 0 for clients without samples."""
    risk: Floats
    """Multiplier of the failure rates; 0 for clients that never fail."""
    single: int
    """Index of the client that has exactly one sample."""


@dataclass(frozen=True, slots=True)
class Analysts:
    """Analysts, one element each; an analyst's id is its index plus 1."""

    name: Objects
    """Unique names."""
    department: Objects
    """`Microbiology`, `Chemistry` or `Sample Reception`."""
    title: Objects
    """Job titles."""
    hired: Days
    """With ties."""
    left: Days
    """The day of the last possible result; NaT for active analysts."""
    share: Floats
    """Weight in the work of their department; 0 in Sample Reception."""


@dataclass(frozen=True, slots=True)
class World:
    """All that blocks of samples are drawn from."""

    today: np.datetime64
    """The last day."""
    clients: Clients
    """Who sends samples."""
    analysts: Analysts
    """Who tests them."""
    matrix_mix: Floats
    """(client types, matrices), rows sum to 1."""
    tested_for: Floats
    """(matrices, determinands), weights."""
    failure_rate: Floats
    """(determinands,), 0 for some, above 0.2 for some."""
    level: Floats
    """(determinands,), the median of passing values as a share of the limit."""
    spread: Floats
    """(determinands,), sigma of the logarithm of values."""
    points: Objects
    """(matrices,), lists of sampling points."""
    outbreaks: tuple[Outbreak, ...]
    """Clusters of failures."""
    day_weights: Floats
    """(WINDOW_DAYS + 1,), share of samples collected on each day, oldest first; sums to 1."""


@dataclass(frozen=True, slots=True)
class Outbreak:
    """One client fails one determinand for some days."""

    client: int
    """Index of the client."""
    determinand: int
    """Index of the determinand."""
    first: np.datetime64
    """First day of collection."""
    last: np.datetime64
    """Last day of collection."""


def build(seed: int, scale: float, today: date) -> World:
    """The laboratory of a seed."""
    rng = np.random.default_rng([seed, 0])
    now = np.datetime64(today, "D")
    clients = _clients(rng, max(12, round(40 * max(1.0, scale) ** 0.5)), now)
    mix = np.array([words.MATRIX_MIX[kind] for kind in words.CLIENT_TYPES], dtype=np.float64)
    mix *= rng.lognormal(0, 0.45, mix.shape)
    count = len(determinands())
    return World(
        today=now,
        clients=clients,
        analysts=_analysts(rng, max(15, round(25 * max(1.0, scale) ** 0.35)), now),
        matrix_mix=mix / mix.sum(axis=1, keepdims=True),
        tested_for=_tested_for(rng),
        failure_rate=_failure_rates(rng, count),
        level=rng.uniform(0.08, 0.55, count),
        spread=rng.uniform(0.4, 1.1, count),
        points=_points(rng),
        outbreaks=_outbreaks(rng, clients, mix, now, max(6, round(6 * max(1.0, scale) ** 0.5))),
        day_weights=_day_weights(rng, now),
    )


def _unique_names(rng: np.random.Generator, first: tuple[str, ...], last: list[tuple[str, ...]]) -> Objects:
    """One name for each entry of `last`: a first word and one of its last words, numbered when words run out."""
    seen: dict[str, int] = {}
    names = []
    order = rng.permutation(len(first))
    for i, choices in enumerate(last):
        name = f"{first[order[i % len(first)]]} {choices[rng.integers(len(choices))]}"
        seen[name] = seen.get(name, 0) + 1
        names.append(name if seen[name] == 1 else f"{name} {seen[name]}")
    return np.array(names, dtype=object)


def _clients(rng: np.random.Generator, count: int, now: np.datetime64) -> Clients:
    kinds = len(words.CLIENT_TYPES)
    type_ = np.concatenate([np.arange(kinds), rng.choice(kinds, count - kinds, p=rng.dirichlet(np.full(kinds, 4.0)))])
    rng.shuffle(type_)
    name = _unique_names(rng, words.CLIENT_FIRST, [words.CLIENT_LAST[words.CLIENT_TYPES[t]] for t in type_])
    lands = [list(words.CITIES)[i] for i in rng.permutation(len(words.CITIES))]
    weights = np.array([0.0, *rng.dirichlet(np.full(len(lands) - 1, 1.5))])
    country = np.array(lands, dtype=object)[rng.choice(len(lands), count, p=weights)]
    country[rng.integers(count)] = lands[0]  # a group with exactly one member
    city = np.array([words.CITIES[land][rng.integers(len(words.CITIES[land]))] for land in country], dtype=object)
    host = np.array([n.lower().replace(" ", "-").replace("'", "") for n in name], dtype=object)
    box = np.array(["lab", "quality", "info", "compliance"], dtype=object)[rng.integers(0, 4, count)]
    email = box + "@" + host + ".example"
    city[rng.random(count) < 0.08] = None
    email[rng.random(count) < 0.15] = None
    city[rng.integers(count)] = None
    email[rng.integers(count)] = None

    registered = now - WINDOW_DAYS - rng.integers(1, 6 * 365, count)
    # A laboratory lives off several large clients, not off one.
    share = np.minimum(rng.pareto(1.3, count), 6.0) + 0.15
    without, leavers, newcomers, single = _roles(rng, count)
    registered[newcomers] = now - rng.integers(60, WINDOW_DAYS - 60, len(newcomers))
    registered[without[0]] = now - rng.integers(0, 20)
    left = np.full(count, np.datetime64("NaT", "D"))
    left[leavers] = now - rng.integers(40, WINDOW_DAYS - 200, len(leavers))
    left[without[1]] = now - 400
    share[without] = 0
    share[single] = 0
    risk = rng.lognormal(0, 0.55, count)
    risk[rng.random(count) < 0.12] = 0
    return Clients(name, type_, city, country, email, registered, left, share / share.sum(), risk, single)


def _roles(rng: np.random.Generator, count: int) -> tuple[Ints, Ints, Ints, int]:
    """Disjoint indexes: clients without samples, clients that left, late comers, the client with one sample."""
    order = rng.permutation(count)
    without, leavers, newcomers = max(3, count // 10), max(2, count // 12), max(2, count // 6)
    ends = np.cumsum([without, leavers, newcomers])
    return order[: ends[0]], order[ends[0] : ends[1]], order[ends[1] : ends[2]], int(order[ends[2]])


def _analysts(rng: np.random.Generator, count: int, now: np.datetime64) -> Analysts:
    reception = max(2, count // 8)
    microbiology = round((count - reception) * rng.uniform(0.45, 0.65))
    sizes = (microbiology, count - reception - microbiology, reception)
    department = np.repeat(np.array(["Microbiology", "Chemistry", "Sample Reception"], dtype=object), sizes)
    rng.shuffle(department)
    title = np.array(words.JOB_TITLES, dtype=object)[np.minimum(rng.geometric(0.38, count), len(words.JOB_TITLES)) - 1]
    at_reception = department == "Sample Reception"
    title[at_reception] = np.array(words.RECEPTION_TITLES, dtype=object)[rng.integers(0, 2, reception)]
    hired = now - rng.integers(30, 14 * 365, count)
    hired[rng.choice(count, 3, replace=False)] = hired[0]  # hired on the same day
    share = rng.pareto(2.0, count) + 0.3
    share[at_reception] = 0
    left = np.full(count, np.datetime64("NaT", "D"))
    for name in ("Microbiology", "Chemistry"):  # the longest serving analyst of a department always stays
        team = np.flatnonzero(department == name)
        team = team[np.argsort(hired[team], kind="stable")]
        hired[team[0]] = min(hired[team[0]], now - WINDOW_DAYS - 400)
        leaver = team[1 + rng.integers(len(team) - 1)]
        hired[leaver] = min(hired[leaver], now - 500)
        left[leaver] = now - rng.integers(45, 400)
    left[np.flatnonzero(at_reception)[0]] = now - 90
    names = _unique_names(rng, words.FIRST_NAMES, [words.LAST_NAMES] * count)
    return Analysts(names, department, title, hired, left, share)


def _tested_for(rng: np.random.Generator) -> Floats:
    index = {item.name: i for i, item in enumerate(determinands())}
    weights = np.zeros((len(words.MATRICES), len(index)))
    for row, matrix in enumerate(words.MATRICES):
        for name, weight in words.TESTED_FOR[matrix].items():
            weights[row, index[name]] = weight * rng.lognormal(0, 0.35)
    return weights


def _failure_rates(rng: np.random.Generator, count: int) -> Floats:
    rate = rng.beta(1.2, 18, count)
    kind = rng.random(count)
    rate[kind < 0.2] = 0
    often = kind > 0.85
    rate[often] = rng.uniform(0.15, 0.4, int(often.sum()))
    return np.asarray(rate)


def _points(rng: np.random.Generator) -> Objects:
    points = np.empty(len(words.MATRICES), dtype=object)
    for i, matrix in enumerate(words.MATRICES):
        points[i] = np.array(words.SAMPLING_POINTS[matrix], dtype=object)[
            rng.permutation(len(words.SAMPLING_POINTS[matrix]))
        ]
    return points


def _outbreaks(
    rng: np.random.Generator, clients: Clients, mix: Floats, now: np.datetime64, count: int
) -> tuple[Outbreak, ...]:
    index = {item.name: i for i, item in enumerate(determinands())}
    water, food = ("E. coli", "Coliforms", "Enterococci"), ("Listeria monocytogenes", "Salmonella spp.")
    active = np.where(np.isnat(clients.left), clients.share, 0)
    found = []
    for i in range(count):
        client = int(rng.choice(len(active), p=active / active.sum()))
        wet = mix[clients.type[client], :5].sum() > mix[clients.type[client], 5:].sum()
        name = (water if wet else food)[rng.integers(3 if wet else 2)]
        length = int(rng.integers(12, 45))
        # The first outbreak is always a recent one, so that questions about the last weeks find it.
        last = now - (int(rng.integers(1, 8)) if i == 0 else int(rng.integers(30, WINDOW_DAYS)))
        found.append(Outbreak(client, index[name], last - length, last))
    return tuple(found)


def _day_weights(rng: np.random.Generator, now: np.datetime64) -> Floats:
    days = now - np.arange(WINDOW_DAYS, -1, -1)
    season = 1 + 0.35 * np.sin(2 * np.pi * (days.astype(np.int64) % 365 - 80) / 365)
    growth = 1 + rng.uniform(0.1, 0.5) * np.arange(WINDOW_DAYS + 1) / WINDOW_DAYS
    weekday = (days.astype(np.int64) + 3) % 7  # 0 is Monday
    weights = season * growth * np.where(weekday >= 5, 0.25, 1.0) * rng.lognormal(0, 0.25, len(days))
    return np.asarray(weights / weights.sum())
