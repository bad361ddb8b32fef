"""Leaving out a part of a copy's rows, so that populations differ and no row loses the row that it refers to.

With a row go the rows that refer to it. Tables above others lose fewer rows, so that about the share asked for is
left at the bottom; where keys go in circles, the rows that are referred to stay instead.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence

from mnemosyne.synthesis.references import Key, Reference, Rows, above, key_of, parents_first


def thin(rows: Rows, keys: Sequence[Reference], keep: float, seed: int) -> Rows:
    """About a share of the rows, at least one of every table; nothing refers to a row that was left out."""
    if keep >= 1:
        return rows
    thinner = _Thinner(rows, [key for key in keys if key.child in rows and key.parent in rows])
    thinner.draw(keep, seed)
    thinner.mend()
    return {name: [row for row, stays in zip(rows[name], thinner.stays[name], strict=True) if stays] for name in rows}


class _Thinner:
    """Which rows of a copy stay."""

    def __init__(self, rows: Rows, keys: list[Reference]) -> None:
        self.rows, self.keys = rows, keys
        self.above = above(keys, rows)
        self.stays: dict[str, list[bool]] = {}
        self._places = {key: self._index(key) for key in keys}

    def _index(self, key: Reference) -> Mapping[Key, list[int]]:
        """The parent's rows by their key."""
        found: dict[Key, list[int]] = defaultdict(list)
        for number, row in enumerate(self.rows[key.parent]):
            if (name := key_of(row, key.targets)) is not None:
                found[name].append(number)
        return found

    def _parents(self, key: Reference, row: list[object]) -> list[int]:
        """The rows that a row refers to; none when the copy has none, as the database itself."""
        name = key_of(row, key.places)
        return self._places[key].get(name, []) if name is not None else []

    def draw(self, keep: float, seed: int) -> None:
        """Decide by lot, parents first; a row whose parent goes, goes."""
        weight = {name: self._weight(name) for name in self.rows}
        for name in parents_first(self.keys, list(self.rows)):
            most = max(w for other, w in weight.items() if other == name or name in self.above[other])
            straight = [
                key for key in self.keys if key.child == name and name not in self.above[key.parent] | {key.parent}
            ]
            may = [
                all(
                    not (found := self._parents(key, row)) or any(self.stays[key.parent][n] for n in found)
                    for key in straight
                )
                for row in self.rows[name]
            ]
            share = keep ** (weight[name] / most) * len(may) / max(1, sum(may))
            rng = random.Random(f"{name}:{seed}")
            self.stays[name] = [rng.random() < share and there for there in may]

    def _weight(self, name: str) -> int:
        """A row and the rows that it leads to, counted by keys."""
        over = self.above[name] | {name}
        return 1 + sum(key.child in over and key.child not in self.above[key.child] for key in self.keys)

    def mend(self) -> None:
        """Keep what rows that stay refer to, and one row of a table that has lost all."""
        for stays in self.stays.values():
            if not any(stays):
                stays[0] = True
        waiting = [(name, n) for name, stays in self.stays.items() for n, there in enumerate(stays) if there]
        below: dict[str, list[Reference]] = defaultdict(list)
        for key in self.keys:
            below[key.child].append(key)
        while waiting:
            name, number = waiting.pop()
            for key in below[name]:
                found = self._parents(key, self.rows[name][number])
                if found and not any(self.stays[key.parent][n] for n in found):
                    self.stays[key.parent][found[0]] = True
                    waiting.append((key.parent, found[0]))
