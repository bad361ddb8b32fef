"""Fills a DuckDB database of the open-source LIMS `nimblelims` (32 tables) with fictional rows, always the same ones.

    python benchmarks/nimblelims/fill.py nimblelims.duckdb

The questions were written for these rows, and the order of the draws decides every row: one draw more, or in another
place, makes another database. The words that are drawn are in `values.toml`.
"""

from __future__ import annotations

import argparse
import json
import random
import tomllib
import uuid
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import duckdb

from mnemosyne.schema import Schema

T = TypeVar("T")
Row = dict[str, Any]
Moment = datetime | None

HOME = Path(__file__).resolve().parent
DDL = HOME.parent.parent.parent / "shared/data/lims/nimblelims/schema_dump.sql"
VALUES: dict[str, Any] = tomllib.loads((HOME / "values.toml").read_text(encoding="utf-8"))
LISTS: dict[str, list[str]] = VALUES["lists"]
ANALYTES_OF: dict[str, list[str]] = VALUES["analytes_of"]
*CLIENTS, OWN_CLIENT = VALUES["clients"]
START, SET_UP, TODAY = datetime(2023, 1, 1), datetime(2023, 1, 20), datetime(2026, 6, 15)


class Lab(random.Random):
    """The rows so far, and the draws that make the next ones."""

    def __init__(self) -> None:
        super().__init__(61526)
        self.rows: dict[str, list[Row]] = defaultdict(list)
        self.ids: dict[tuple[str, str], str] = {}
        """Table (or list) and name to the id."""
        self.users = [self.new_id() for _ in range(42)]

    def new_id(self) -> str:
        return str(uuid.UUID(int=self.getrandbits(128), version=4))

    def chance(self, share: float) -> bool:
        return self.random() < share

    def maybe(self, value: T, missing: float) -> T | None:
        return None if self.chance(missing) else value

    def pick(self, values: Sequence[T], weights: Sequence[float] | None = None) -> T:
        return self.choices(values, weights)[0]

    def entry(self, name: str, weights: Sequence[float]) -> str:
        """The id of some value of a list."""
        return self.ids[name, self.pick(LISTS[name], weights)]

    def uneven(self, count: int, share: float, skew: float = 0.9) -> list[float]:
        """Weights; nothing for those that get no share."""
        return [self.random() ** skew * 3 + 0.2 if self.chance(share) else 0 for _ in range(count)]

    def when(self, first: datetime = START, last: datetime = TODAY) -> datetime:
        """A working hour between two days; the last months have more of them."""
        if self.chance(0.22) and first < last - timedelta(130):
            first = last - timedelta(110)
        day = first + timedelta(self.randint(0, max(0, (last - first).days - 1)))
        return day.replace(hour=self.randint(6, 19), minute=self.randint(0, 59))

    def after(self, moment: datetime, least: int, most: int) -> datetime:
        """Some days later, and some hours."""
        return moment + timedelta(self.randint(least, most), hours=self.randint(0, 3), minutes=self.randint(0, 59))

    def base(self, name: str, note: str | None, active: bool, last: datetime = TODAY, at: Moment = None) -> Row:
        """The eight columns that most tables begin with."""
        created = at or self.when(last=last)
        modified = min(self.after(created, 0, 90), TODAY) if self.chance(0.5) else created
        row = {"id": self.new_id(), "name": name, "description": note, "active": active, "created_at": created}
        row |= {"created_by": self.maybe(self.pick(self.users), 0.05), "modified_at": modified}
        return row | {"modified_by": self.maybe(self.pick(self.users), 0.1)}

    def fixed(self, name: str, note: str, missing: float, last: datetime = SET_UP) -> Row:
        """The same for what is set up once."""
        return self.base(name, self.maybe(note, missing), name not in VALUES["out_of_use"], last)

    def note(self, table: str, missing: float) -> str | None:
        return self.maybe(self.pick(VALUES["notes"][table]), missing)

    def unit(self, value: float | None, names: Sequence[str], weights: Sequence[float] | None = None) -> str | None:
        return None if value is None else self.ids["units", self.pick(names, weights)]

    def technician(self) -> str:
        return self.pick(self.users[5:18], [3, 2.5, 2, 2, 1.5, 1.5, 1, 1, 1, 0.7, 0.5, 0.3, 0])

    def add(self, table: str, base: Row | None = None, /, **columns: Any) -> Row:
        row = (base or {}) | columns
        self.rows[table].append(row)
        if "id" in row and "name" in row:
            self.ids[table, row["name"]] = row["id"]
        return row


def add_lists_and_roles(lab: Lab) -> None:
    lab.add("alembic_version", version_num="0034")
    for name, values in LISTS.items():
        row = lab.add("lists", lab.fixed(name, f"Values for {name.lower()}", 0.3))
        for value in values:
            entry = lab.add("list_entries", lab.fixed(value, f"{value} entry", 0.5), list_id=row["id"])
            lab.ids[name, value] = entry["id"]
    for name in VALUES["permissions"]:
        lab.add("permissions", lab.fixed(name, f"Allows {name.replace(':', ' ')}", 0.3))
    for name, granted in VALUES["roles"].items():
        row = lab.add("roles", lab.fixed(name, f"{name} role", 0.3))
        for permission in granted:
            lab.add("role_permissions", role_id=row["id"], permission_id=lab.ids["permissions", permission])


def add_clients(lab: Lab) -> None:
    for number, name in enumerate(VALUES["clients"]):
        note = lab.pick(VALUES["notes"]["clients"])
        row = lab.add("clients", lab.fixed(name, note, 0.35, datetime(2025, 3, 1)), billing_info={})
        if lab.chance(0.8):
            terms = lab.pick(["net 30", "net 60", "prepaid"])
            row["billing_info"] = {"terms": terms, "po_required": lab.chance(0.4)}
        if number < 8:
            row["created_at"] = min(row["created_at"], datetime(2023, 2, 3, 9))
            row["modified_at"] = max(row["created_at"], row["modified_at"])
    weights = lab.uneven(26, 0.85)
    kinds = ["Collection Site", "Billing Office", "Warehouse", "Headquarters"]
    for number in range(1, 79):
        client, site = lab.pick(lab.rows["clients"], weights), lab.pick(VALUES["sites"])
        city, state = lab.pick(list(VALUES["cities"].items()), [5, 4, 3, 3, 2, 2, 2, 1])
        name = f"{client['name'].split()[0]} {site} {number:02d}"
        base = lab.base(name, lab.note("locations", 0.55), lab.chance(0.86))
        kind = "Headquarters" if site == "Main Office" else lab.pick(kinds, [7, 1.5, 1.5, 0.4])
        row = lab.add("locations", base, client_id=client["id"], city=city, state=state,
            address_line1=f"{lab.randint(1, 180)} {lab.pick(VALUES['streets'])}",
            address_line2=lab.maybe(f"Unit {lab.randint(1, 20)}", 0.7), postal_code=str(lab.randint(10000, 99999)),
            country=lab.pick(["United Kingdom", "Ireland"], [7, 1.5]),
            latitude=lab.maybe(round(lab.uniform(52, 57), 3), 0.3),
            longitude=lab.maybe(round(lab.uniform(-6, 1), 3), 0.3),
            type=lab.maybe(lab.ids["Location Types", kind], 0.06),
        )  # fmt: skip
        if row["latitude"] is None:
            row["longitude"] = None


def add_people(lab: Lab, names: Sequence[tuple[str, str]]) -> None:
    for first, last in names:
        lab.add("people", lab.base(f"{first} {last}", lab.maybe("met at site visit", 0.8), lab.chance(0.88)),
            title=lab.maybe(lab.pick(["Dr", "Mr", "Ms", "Engineer", "Director"]), 0.35), first_name=first,
            role=lab.maybe(lab.entry("Person Roles", [5, 3, 2, 2, 1]), 0.1), last_name=last,
        )  # fmt: skip
    for person in lab.rows["people"]:
        if lab.chance(0.12):
            continue
        address = f"{person['first_name']}.{person['last_name']}@example.org".lower()
        for place, kind in enumerate(lab.sample(LISTS["Contact Types"], lab.pick([1, 2, 3], [3, 5, 2]))):
            lab.add("contact_methods", person_id=person["id"], type=lab.ids["Contact Types", kind],
                value=address if kind == "Email" else f"0{lab.randint(100, 999)} {lab.randint(100000, 999999)}",
                id=lab.new_id(), description=lab.maybe(lab.pick(["work", "home", "out of hours"]), 0.5),
                primary=place == 0 and lab.chance(0.9), verified=lab.chance(0.6),
            )  # fmt: skip
    weights = lab.uneven(78, 0.8)
    known: set[tuple[str, str]] = set()
    for person in lab.rows["people"]:
        for place in range(0 if lab.chance(0.15) else lab.pick([1, 2, 3], [6, 3, 1])):
            ids = (person["id"], lab.pick(lab.rows["locations"], weights)["id"])
            notes = lab.maybe(lab.pick(["key holder", "weekdays only", "deputy"]), 0.7)
            if ids not in known:
                lab.add("people_locations", person_id=ids[0], location_id=ids[1], primary=place == 0, notes=notes)
            known.add(ids)


def add_analyses(lab: Lab) -> None:
    for name, unit in VALUES["units"].items():
        kind = lab.ids["Unit Types", unit["type"]]
        lab.add("units", lab.fixed(name, f"{name} unit", 0.6), **unit | {"type": kind})
    for name, analyte in VALUES["analytes"].items():
        lab.add("analytes", lab.fixed(name, f"{name} determination", 0.5), cas_number=analyte.get("cas"),
            units_default=lab.ids["units", analyte["unit"]] if "unit" in analyte else None,
            data_type="integer" if "counted" in analyte else lab.maybe("numeric", 0.05),
            custom_attributes=lab.maybe({"group": lab.pick(["metal", "organic", "other"])}, 0.6),
        )  # fmt: skip
    for name, analysis in VALUES["analyses"].items():
        base = lab.fixed(name, f"{name} method", 0.4)
        row = lab.add("analyses", base | analysis, custom_attributes=lab.maybe({"accredited": lab.chance(0.7)}, 0.5))
        for place, analyte in enumerate(ANALYTES_OF[name], 1):
            usual, unit = VALUES["analytes"][analyte]["usual"], VALUES["analytes"][analyte].get("unit")
            lab.add("analysis_analytes", analysis_id=row["id"], analyte_id=lab.ids["analytes", analyte],
                list_id=lab.ids["lists", "Presence"] if name == "Coliform Screen" else None, display_order=place,
                high_value=lab.maybe(round(usual * lab.pick([1.2, 1.8, 2.5]), 3), 0.15),
                data_type=lab.maybe("numeric", 0.2), low_value=lab.maybe(round(usual * 0.05, 3), 0.3),
                significant_figures=lab.maybe(lab.pick([2, 3, 3, 4]), 0.1),
                calculation=lab.maybe("raw * dilution", 0.75),
                reported_name=lab.maybe(f"{analyte}, total" if unit == "ug/L" else analyte, 0.25),
                is_required=lab.chance(0.75), default_value=lab.maybe("0", 0.85),
            )  # fmt: skip
    for name, kind in VALUES["container_types"].items():
        lab.add("container_types", lab.fixed(name, name, 0.7), **kind)


def add_users(lab: Lab, names: Sequence[tuple[str, str]]) -> None:
    roles = [role for role, count in VALUES["users"].items() for _ in range(count)]
    for number, (role, (first, last)) in enumerate(zip(roles, names, strict=True)):
        client = role == "Client"
        row = lab.base(f"{first} {last}", None, lab.chance(0.86), TODAY if client else datetime(2024, 6, 1))
        lab.add("users", row | {"id": lab.users[number]}, username=f"{first[0]}{last}{number}".lower(),
            password_hash=f"xxxxxxxxxxxx{number}", email=f"{first}.{last}@example.com".lower(),
            role_id=lab.ids["roles", role], client_id=lab.ids["clients", lab.pick(CLIENTS) if client else OWN_CLIENT],
            last_login=lab.maybe(lab.when(datetime(2026, 1, 1) if lab.chance(0.6) else row["created_at"]), 0.12),
        )  # fmt: skip


def add_projects(lab: Lab) -> None:
    weights = lab.uneven(25, 0.88)
    weights[0], weights[1], weights[5] = 4, 2.6, 3.2
    for number in range(1, 61):
        client = lab.pick(CLIENTS, weights)
        name = f"{client.split()[0]} {lab.pick(VALUES['projects'])} {number:02d}"
        lab.add("client_projects", lab.base(name, lab.maybe("framework contract", 0.6), lab.chance(0.8)),
            client_id=lab.ids["clients", client],
            custom_attributes=lab.maybe({"contract": f"C-{lab.randint(100, 999)}"}, 0.5),
        )  # fmt: skip
    for number in range(1, 121):
        start = lab.when(datetime(2023, 1, 9))
        recent = (TODAY - start).days < 180
        status = lab.pick(["Active", "On Hold", "Closed", "Planned"], [4, 1, 1, 1.5] if recent else [2, 1, 6, 0.3])
        parent = lab.pick(lab.rows["client_projects"]) if lab.chance(0.72) else None
        client_id = parent["client_id"] if parent else lab.ids["clients", lab.pick(CLIENTS, weights)]
        name, note = f"PRJ-{start.year}-{number:03d}", lab.note("projects", 0.5)
        active = status != "Closed" or lab.chance(0.5)
        lab.add("projects", lab.base(name, note, active, at=start - timedelta(lab.randint(0, 9))), client_id=client_id,
            start_date=start, client_project_id=parent["id"] if parent else None,
            status=lab.ids["Project Status", status],
            custom_attributes=lab.maybe({"priority": lab.pick(["high", "normal"])}, 0.5),
            due_date=lab.maybe(start + timedelta(lab.choice([30, 60, 90, 120, 180, 365])), 0.18),
        )  # fmt: skip
    for project in lab.rows["projects"]:
        for user in [] if lab.chance(0.12) else lab.sample(lab.users, lab.randint(1, 4)):
            lab.add("project_users", project_id=project["id"], user_id=user,
                access_level=lab.maybe(lab.entry("Access Levels", [4, 4, 1.5]), 0.08),
                granted_at=min(lab.after(project["start_date"], 0, 40), TODAY),
                granted_by=lab.maybe(lab.pick(lab.users[:5]), 0.1),
            )  # fmt: skip


def add_samples(lab: Lab) -> None:
    planned, split = lab.ids["Project Status", "Planned"], lab.ids["Sample Types", "Split"]
    projects, weights = lab.rows["projects"], lab.uneven(120, 0.86, 1.2)
    weights = [0 if row["status"] == planned else weight for row, weight in zip(projects, weights, strict=True)]
    for number in range(1, 721):
        project = lab.pick(projects, weights)
        start = project["start_date"]
        received = lab.after(start, 0, 240)
        if received > TODAY:
            received = (start + (TODAY - start) * lab.random()).replace(second=0, microsecond=0)
        control = number > 31 and lab.chance(0.14)
        recent = (TODAY - received).days < 30
        status = lab.pick(LISTS["Sample Status"], [4, 4, 1.5, 0.8, 0.5] if recent else [0.3, 0.8, 1, 1.2, 9])
        name = f"S-{received.year}-{number:04d}"
        base = lab.base(name, lab.note("samples", 0.6), lab.chance(0.93), at=received)
        kind = lab.pick(LISTS["QC Types"], [4, 4, 2.5, 1.5, 2, 1]) if control else ""
        derived = number > 31 and (kind.startswith("Matrix Spike") or lab.chance(0.07))
        parent = lab.pick(lab.rows["samples"][-60:]) if derived else None
        row = lab.add("samples", base, status=lab.ids["Sample Status", status],
            parent_sample_id=parent["id"] if parent else None,
            project_id=(parent or {}).get("project_id", project["id"]), qc_type=lab.ids.get(("QC Types", kind)),
            due_date=lab.maybe(lab.after(received, 5, 25), 0.06), received_date=lab.maybe(received, 0.05),
            report_date=min(lab.after(received, 3, 30), TODAY) if status == "Reported" else None,
            sample_type=split if parent and not control else lab.entry("Sample Types", [6, 3, 0.3, 0, 1.5]),
            matrix=parent["matrix"] if parent else lab.entry("Matrix Types", [5, 4, 4, 3, 3, 1.5, 1, 0.6]),
            temperature=lab.maybe(lab.pick([2, 2.5, 3, 3.5, 4, 4, 4, 4.5, 5, 6, 8, 12.5, 20]), 0.12),
        )  # fmt: skip
        if not control:
            point = f"{lab.pick(['MW', 'OUT', 'TAP', 'BH', 'SS'])}-{lab.randint(1, 40)}"
            row["client_sample_id"] = lab.maybe(point, 0.18)
        row["custom_attributes"] = lab.maybe({"ph_field": round(lab.uniform(5.5, 8.5), 1)}, 0.6)
        if kind not in ("Method Blank", "Laboratory Control Sample"):
            row["date_sampled"] = lab.maybe(received - timedelta(hours=lab.randint(3, 96)), 0.06)


def add_tests(lab: Lab) -> None:
    for name, analyses in VALUES["batteries"].items():
        row = lab.add("test_batteries", lab.fixed(name, f"{name} package", 0.4))
        for place, analysis in enumerate(analyses, 1):
            optional = place > 1 and lab.chance(0.35)
            ids = {"battery_id": row["id"], "analysis_id": lab.ids["analyses", analysis]}
            lab.add("battery_analyses", ids, sequence=place, optional=optional)
    weights = [7, 3, 5, 4, 4, 2.5, 4, 5, 2.5, 2, 3, 1.2, 0.5, 0, 1.5]
    fresh, available = lab.ids["Sample Status", "Received"], lab.ids["Sample Status", "Available for Testing"]
    for sample in lab.rows["samples"]:
        count = 0 if lab.chance(0.06) else lab.pick([1, 2, 3, 4, 5], [2, 4, 4, 2, 1])
        for analysis in sorted({lab.pick(list(ANALYTES_OF), weights) for _ in range(count)}):
            under_way = lab.pick(["In Process", "In Analysis", "Complete"])
            status = {fresh: "In Process", available: under_way}.get(sample["status"], "Complete")
            add_test(lab, sample, analysis, "Cancelled" if lab.chance(0.05) else status)


def add_test(lab: Lab, sample: Row, analysis: str, status: str) -> None:
    """A test of a sample and, where there are some, its results."""
    received, complete = sample["received_date"] or sample["created_at"], status == "Complete"
    tested = reviewed = None
    if status in ("Complete", "In Analysis") and not lab.chance(0.04):
        tested = min(lab.after(received, 0, 9), TODAY)
        reviewed = lab.after(tested, 1, 8) if complete and lab.chance(0.85) else None
    note, active = lab.note("tests", 0.8), status != "Cancelled" or lab.chance(0.3)
    created = min(lab.after(received, 0, 1), TODAY)
    test = lab.add("tests", lab.base(f"T-{len(lab.rows['tests']) + 1:05d}", note, active, at=created),
        sample_id=sample["id"], analysis_id=lab.ids["analyses", analysis], status=lab.ids["Test Status", status],
        test_date=tested, review_date=reviewed if reviewed and reviewed <= TODAY else None,
        technician_id=lab.technician() if tested or lab.chance(0.4) else None,
        custom_attributes=lab.maybe({"instrument": f"INS-{lab.randint(1, 9)}"}, 0.6),
    )  # fmt: skip
    if complete or (status == "In Analysis" and lab.chance(0.4)):
        for analyte in ANALYTES_OF[analysis]:
            if not lab.chance(0.05 if complete else 0.4):
                add_result(lab, test, analyte)


def add_result(lab: Lab, test: Row, analyte: str) -> None:
    known, acidity = VALUES["analytes"][analyte], analyte == "pH"
    value = min(9.8, max(4.2, lab.gauss(7.3, 0.7))) if acidity else lab.gammavariate(1.7, known["usual"] / 1.7)
    value = round(value, None if "counted" in known else 3 if known["usual"] < 10 else 1)
    nothing = not acidity and lab.chance(0.14)
    raw = "0" if nothing else lab.maybe(str(value), 0.04)
    entered = min(lab.after(test["test_date"] or test["created_at"], 0, 3), TODAY)
    qualifier = "Not Detected" if nothing and lab.chance(0.9) else None
    if not qualifier and lab.chance(0.1):
        others = ["Estimated", "Blank Contamination", "Holding Time Exceeded", "Above Calibration Range"]
        qualifier = lab.pick(others, [4, 1.5, 1.5, 1])
    name = f"R-{len(lab.rows['results']) + 1:06d}"
    base = lab.base(name, lab.note("results", 0.93), lab.chance(0.97), at=entered)
    reported = "ND" if nothing else lab.maybe(raw, 0.06)
    calculated = None if raw is None or lab.chance(0.5) else str(round(float(raw) * lab.pick([1, 1, 2, 5]), 3))
    own = test["technician_id"] if test["technician_id"] and lab.chance(0.85) else None
    lab.add("results", base, test_id=test["id"], analyte_id=lab.ids["analytes", analyte], raw_result=raw,
        reported_result=reported, qualifiers=lab.ids["Qualifiers", qualifier] if qualifier else None,
        calculated_result=calculated, entry_date=entered, entered_by=own or lab.technician(),
    )  # fmt: skip


def add_containers(lab: Lab) -> None:
    for number in range(1, 41):
        kind, prefix = lab.pick(list(VALUES["racks"].items()), [4, 3, 2])
        name, ids = f"{prefix}-{number:03d}", {"type_id": lab.ids["container_types", kind]}
        base = lab.base(name, lab.maybe("cold room A", 0.5), lab.chance(0.9), datetime(2024, 1, 1))
        lab.add("containers", base | ids, row=lab.randint(1, 8), column=lab.randint(1, 12))
    racks, weights = list(lab.rows["containers"]), lab.uneven(40, 0.8)
    solids, bottles = [lab.ids["Matrix Types", name] for name in ("Soil", "Sediment", "Sludge")], VALUES["bottles"]
    for sample in lab.rows["samples"]:
        for _ in range(0 if lab.chance(0.07) else lab.pick([1, 2, 3], [6, 3, 1])):
            solid = sample["matrix"] in solids
            kind = lab.pick(*((["8 oz Soil Jar", "15 mL Tube"], [4, 1]) if solid else (bottles, [3, 3, 5, 3, 2, 1])))
            name = f"CON-{len(lab.rows['containers']) - 39:05d}"
            base = lab.base(name, lab.note("containers", 0.75), lab.chance(0.85), at=sample["created_at"])
            amount = lab.maybe(lab.pick([10, 20, 40, 50, 100, 125, 250, 500, 1000]), 0.12)
            content = lab.maybe(round(lab.expovariate(1 / 20), 2), 0.7)
            row = lab.add("containers", base, row=lab.randint(1, 8), column=lab.randint(1, 12), concentration=content,
                concentration_units=lab.unit(content, ["mg/L", "ug/L"]), amount=amount,
                amount_units=None if amount is None else lab.ids["units", "g" if solid else "mL"],
                type_id=lab.ids["container_types", kind],
                parent_container_id=lab.pick(racks, weights)["id"] if lab.chance(0.72) else None,
            )  # fmt: skip
            add_contents(lab, row, sample, solid)
    for number in range(1, 19):
        base = lab.base(f"CON-E{number:03d}", "empty", True)
        ids = {"type_id": lab.ids["container_types", lab.pick(["1 L Amber Bottle", "40 mL VOA Vial", "8 oz Soil Jar"])]}
        lab.add("containers", base | ids, row=1, column=(number - 1) % 12 + 1)


def add_contents(lab: Lab, container: Row, sample: Row, solid: bool) -> None:
    """What a container holds: a sample, now and then another one with it."""
    for other in [None, lab.pick(lab.rows["samples"])] if lab.chance(0.05) else [None]:
        amount = lab.maybe(lab.pick([5, 10, 20, 25, 50, 100, 250]), 0.1)
        content = lab.maybe(round(lab.expovariate(1 / 15), 2), 0.6)
        if other is sample:
            continue
        lab.add("contents", container_id=container["id"], sample_id=(other or sample)["id"], concentration=content,
            concentration_units=lab.unit(content, ["mg/L", "ug/L", "mg/kg"]), amount=amount,
            amount_units=lab.unit(amount, ["g", "mg"]) if solid else lab.unit(amount, ["mL", "L"], [8, 1]),
        )  # fmt: skip


def add_batches(lab: Lab) -> None:
    used = lab.rows["containers"][40:-18]
    for number in range(1, 191):
        day = lab.when(datetime(2023, 2, 1))
        recent = (TODAY - day).days < 20
        status = lab.pick(LISTS["Batch Status"], [3, 3, 2, 0.5] if recent else [0.2, 0.3, 9, 1.1])
        name, note, active = f"B-{day.year}-{number:03d}", lab.note("batches", 0.6), lab.chance(0.9)
        base = lab.base(name, note, active, at=day - timedelta(lab.randint(0, 2)))
        kind = lab.maybe(lab.entry("Batch Types", [4, 3, 5, 1.5]), 0.05)
        over = status in ("Finished", "Failed") and not lab.chance(0.05)
        ended = day + timedelta(hours=lab.randint(3, 150)) if over else None
        batch = lab.add("batches", base, type=kind, status=lab.ids["Batch Status", status],
            start_date=None if status == "Created" else day, end_date=ended if ended and ended <= TODAY else None,
            custom_attributes=lab.maybe({"rotor": lab.randint(1, 4)}, 0.7),
        )  # fmt: skip
        if lab.chance(0.08):
            continue
        pool = [row for row in used if day - timedelta(45) <= row["created_at"] <= day]
        for place, container in enumerate(lab.sample(pool, min(len(pool), lab.randint(2, 12)))):
            lab.add("batch_containers", batch_id=batch["id"], container_id=container["id"],
                position=lab.maybe(f"{'ABC'[place // 4]}{place % 4 + 1}", 0.1),
                notes=lab.maybe(lab.pick(["low volume", "spiked", "emulsion", "re-extracted"]), 0.82),
            )  # fmt: skip


def add_configuration(lab: Lab) -> None:
    def nameless(note: str | None) -> Row:
        return {key: value for key, value in lab.base("", note, lab.chance(0.8)).items() if key != "name"}

    for table, attributes in VALUES["attributes"].items():
        for name, kind in attributes.items():
            base, rules = nameless(lab.maybe(f"{name} of {table}", 0.4)), {"min": 0} if kind == "number" else {}
            config = {"attr_name": name, "data_type": kind, "validation_rules": rules}
            lab.add("custom_attributes_config", base, entity_type=table, **config)
    for section, topics in VALUES["help"].items():
        for name, role in topics.items():
            base = lab.base(name, lab.maybe(f"About {name.lower()}", 0.5), lab.chance(0.85))
            base |= {"section": section, "content": f"How to use: {name}.", "role_filter": role or None}
            lab.add("help_entries", base)
    for kind, templates in VALUES["name_templates"].items():
        for template in templates:
            base = nameless(lab.maybe(f"default for {kind}", 0.4)) | {"active": template not in VALUES["out_of_use"]}
            lab.add("name_templates", base, entity_type=kind, template=template)


def laboratory() -> dict[str, list[Row]]:
    """Table to its rows, in an order that foreign keys allow."""
    lab = Lab()
    add_lists_and_roles(lab)
    add_clients(lab)
    names = [(first, last) for first in VALUES["first_names"] for last in VALUES["last_names"]]
    lab.shuffle(names)
    add_people(lab, names[:95])
    add_analyses(lab)
    add_users(lab, names[200:242])
    for add in (add_projects, add_samples, add_tests, add_containers, add_batches, add_configuration):
        add(lab)
    return lab.rows


def runs(rows: list[Row]) -> Iterator[list[Row]]:
    """Rows that one INSERT can take: at most 250, and none that refers to another of them."""
    run: list[Row] = []
    known: set[str] = set()
    for row in rows:
        parent = row.get("parent_sample_id") or row.get("parent_container_id")
        if parent in known or len(run) == 250:
            yield run
            run, known = [], set()
        run.append(row)
        known.add(row.get("id", ""))
    yield run


def fill(target: Path, ddl: Path = DDL) -> None:
    """Make the database, under another name until it is whole."""
    partial = target.with_name(f".{target.name}.partial")
    partial.unlink(missing_ok=True)
    with duckdb.connect(str(partial)) as connection:
        connection.execute(Schema.from_ddl(ddl.read_text(encoding="utf-8")).to_ddl())
        connection.begin()
        for table, rows in laboratory().items():
            columns = list(dict.fromkeys(name for row in rows for name in row))
            names = ", ".join(f'"{name}"' for name in columns)
            marks = f"({', '.join('?' * len(columns))})"
            for run in runs(rows):
                values = [row.get(name) for row in run for name in columns]
                stored = [json.dumps(value) if isinstance(value, dict) else value for value in values]
                connection.execute(f"INSERT INTO {table} ({names}) VALUES {', '.join([marks] * len(run))}", stored)
        connection.commit()
    partial.replace(target)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path, metavar="OUTPUT.duckdb")
    parser.add_argument("--ddl", type=Path, default=DDL, help="dump of the schema")
    given = parser.parse_args()
    if not given.ddl.exists():
        parser.error(f"The schema is not at {given.ddl}; name its file with --ddl.")
    fill(given.output, given.ddl)


if __name__ == "__main__":
    main()
