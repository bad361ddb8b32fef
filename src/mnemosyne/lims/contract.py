"""The laboratory's contract as files: DDL, conventions, determinands and methods. Nothing is invented here."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mnemosyne.schema import Schema

TABLES = (
    "clients", "analysts", "methods", "determinands", "samples", "results", "worksheets", "worksheet_samples",
)  # fmt: skip
"""The eight tables, each after those that it refers to."""


@dataclass(frozen=True, slots=True)
class Method:
    """A row of methods.csv; its `method_id` is its line, from 1."""

    code: str
    """Such as `ISO 9308-1`."""
    name: str
    """The standard's title."""
    technique: str
    """Such as `Membrane Filtration`."""
    accredited: bool
    """True when the laboratory is accredited for it."""
    turnaround_days: int
    """Days from receipt to result."""


@dataclass(frozen=True, slots=True)
class Determinand:
    """A row of determinands.csv; its `determinand_id` is its line, from 1."""

    name: str
    """As stored, such as `E. coli`."""
    category: str
    """`Microbiology`, `Chemistry` or `Physical`."""
    unit: str
    """Such as `CFU/100ml`."""
    method: str
    """The code of its method."""
    detection_limit: float | None
    """In `unit`; None where the method has none."""
    limit: float | None
    """Values above it fail, in `unit`; None where there is no limit."""


def _read(name: str) -> str:
    return files("mnemosyne").joinpath("data", "lims", name).read_text(encoding="utf-8")


@cache
def ddl() -> str:
    """The PostgreSQL DDL of the laboratory, as text."""
    return _read("schema.sql")


@cache
def conventions() -> str:
    """What the words of a laboratory question mean, as Markdown."""
    return _read("conventions.md")


@cache
def schema() -> Schema:
    """The laboratory's schema, read from `ddl()`."""
    from mnemosyne.schema import Schema

    return Schema.from_ddl(ddl())


@cache
def methods() -> tuple[Method, ...]:
    """Every method, in the order of its id."""
    return tuple(
        Method(
            row["method_code"],
            row["method_name"],
            row["technique"],
            row["accredited"] == "true",
            int(row["turnaround_days"]),
        )
        for row in csv.DictReader(_read("methods.csv").splitlines())
    )


@cache
def determinands() -> tuple[Determinand, ...]:
    """Every determinand, in the order of its id."""
    return tuple(
        Determinand(
            row["determinand_name"],
            row["category"],
            row["unit"],
            row["method_code"],
            float(row["detection_limit"]) if row["detection_limit"] else None,
            float(row["limit_value"]) if row["limit_value"] else None,
        )
        for row in csv.DictReader(_read("determinands.csv").splitlines())
    )
