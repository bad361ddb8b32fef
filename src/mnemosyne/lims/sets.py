"""The Lab data sets that are generated: lab-train, lab-valid and lab-579, verified on three populations.

The written sets (lab-bench, lab-dev, lab-unanswerable) lie beside them; nothing generated overlaps them.
Everything follows from seeds and a frozen clock, so a rebuild gives the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import date
from fnmatch import fnmatch
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from mnemosyne.databases import open_database
from mnemosyne.datasets import Example, fingerprint, read_examples, write_examples
from mnemosyne.datasets.overlap import OverlapIndex, normal_question
from mnemosyne.grounding.linking import Linker
from mnemosyne.lims.contract import schema
from mnemosyne.lims.create import create
from mnemosyne.synthesis import lexicon as lexicons
from mnemosyne.synthesis.block import Maker, Plan
from mnemosyne.synthesis.generate import Made, generate
from mnemosyne.synthesis.pools import Privacy, read_pools
from mnemosyne.synthesis.verify import Verifier
from mnemosyne.synthesis.world import World

TODAY = date(2026, 6, 15)
"""The frozen clock of the generated sets."""

SEEDS = (11, 12, 13)
"""Populations that pairs are verified on; no evaluation uses them."""

SCALE = 0.5
"""1,500 samples and 6,000 results in each."""

WRITTEN = ("lab-bench", "lab-dev", "lab-unanswerable")
"""Sets written one by one, which nothing generated may overlap."""

Progress = Callable[[str, int, int], None]
"""Called with the set's name, the pairs so far and the pairs wanted."""


@dataclass(frozen=True, slots=True)
class SetPlan:
    """One generated set."""

    name: str
    """Its name and the name of its file."""
    count: int
    """Pairs."""
    plan: Plan
    """How they are made."""


SETS = (
    SetPlan("lab-579", 579, Plan(seed=579, shares=(217, 215, 147), source="lab-579")),
    SetPlan("lab-train", 8_000, Plan(seed=1, source="lab-train")),
    SetPlan("lab-valid", 100, Plan(seed=2, source="lab-valid")),
)
"""The generated sets, in the order of their making; lab-valid shares neither question nor query with lab-train."""


@dataclass(frozen=True, slots=True)
class LabRecipe:
    """Opens the laboratory's populations in whatever process makes pairs."""

    folder: str
    """Where the populations are kept."""
    plan: Plan
    """How pairs are made."""

    def __call__(self) -> Maker:
        """A maker of laboratory pairs."""
        known = schema()
        words = lexicon()
        databases = [open_database(url) for url in populations(Path(self.folder))]
        world = World(known, words, tuple(read_pools(database, known, words) for database in databases), TODAY)
        links = [Linker(database, known, Privacy()).hints for database in databases]
        return Maker(self.plan, world, Verifier(databases, known, TODAY), links, OverlapIndex(written()))


def lexicon() -> lexicons.Lexicon:
    """The words of the laboratory."""
    text = (resources.files("mnemosyne.data") / "lims" / "lexicon.yaml").read_text("utf-8")
    return lexicons.parse(text, schema(), where="lexicon.yaml")


def populations(folder: Path, scale: float = SCALE) -> list[str]:
    """The populations as DuckDB files, made where they are missing or other code made them."""
    from filelock import FileLock

    folder.mkdir(parents=True, exist_ok=True)
    urls, digest = [], recipe_digest()
    with FileLock(folder / "populations.lock"):
        for seed in SEEDS:
            size = "" if scale == SCALE else f"-x{scale:g}"
            path = folder / f"lab-{seed}-{TODAY:%Y%m%d}{size}-{digest}.duckdb"
            if not path.exists():
                create(f"duckdb:///{path}", seed=seed, scale=scale, today=TODAY)
            urls.append(f"duckdb:///{path}")
    return urls


def written() -> list[Example]:
    """Every question of the written sets."""
    folder = resources.files("mnemosyne.data") / "sets"
    found: list[Example] = []
    for name in WRITTEN:
        with resources.as_file(folder / f"{name}.jsonl") as path:
            found += read_examples(path)
    return found


_DECIDING = (
    "synthesis", "synthesis/patterns", "lims", "data/lims", "guard", "databases", "results.py", "schema", "grounding",
    "data/grounding", "datasets/overlap.py", *(f"data/sets/{name}.jsonl" for name in WRITTEN),
)  # fmt: skip
"""What decides what a block holds: what composes and judges it, what its questions are told, what it must avoid."""

_NEUTRAL = {
    "synthesis": (
        "generate.py", "cluster.py", "report.py", "drafting.py", "own.py", "populations.py", "checking.py", "copies.py",
        "copying.py", "disguise.py", "order.py", "paraphrase.py", "references.py", "thinning.py",
    ),
    "lims": ("build_sets.py", "set_reports.py", "create.py", "writers.py", "check_pairs.py"),
    "guard": ("sqlite_*.py", "policy.py", "narrow.py", "visible.py", "showing.py", "idioms.py"),
    "databases": ("sqlite*.py", "postgres*.py", "embedded.py", "places.py"),
    "schema": ("describing.py",),
    "grounding": (
        "clauses.py", "confidence.py", "doubts.py", "scope.py", "store.py", "tables.py", "understood.py", "unknown.py",
    ),
    "data/grounding": ("concepts.yaml", "confidence.json"),
}  # fmt: skip
"""Files of these that put blocks together, report, write, or serve other databases and questions that are asked."""


def recipe_digest(package: Traversable | None = None) -> str:
    """12 digits of everything in the package that decides the sets; of a copy of it where one is given."""
    digest = hashlib.sha256()
    for place in _DECIDING:
        found = (package or resources.files("mnemosyne")) / place
        files = [found] if found.is_file() else sorted(found.iterdir(), key=lambda file: file.name)
        for file in files:
            neutral = any(fnmatch(file.name, pattern) for pattern in _NEUTRAL.get(place, ()))
            if file.is_file() and not neutral and not file.name.endswith(".pyc"):
                digest.update(f"{place}/{file.name}".encode() + file.read_bytes())
    return digest.hexdigest()[:12]


def make(
    item: SetPlan,
    home: Path,
    *,
    workers: int = 1,
    ray: bool = False,
    avoid: Iterable[Example] = (),
    progress: Progress | None = None,
) -> Made:
    """One generated set. Finished blocks are kept under `home` until code or lexicon change, so a run can go on.

    `avoid` are examples whose questions and queries must not come again: more is made than asked for, then chosen.
    """
    work = home / f"{item.name}-{recipe_digest()}"
    known = list(avoid)
    questions, queries = {normal_question(e.question) for e in known}, {e.sql for e in known}
    wanted = item.count if not known else item.count * 4

    def said(kept: int, count: int) -> None:
        if progress is not None:
            progress(item.name, kept, count)

    made = generate(
        LabRecipe(str(home), item.plan), item.plan, wanted, work=work, workers=workers, ray=ray, progress=said
    )
    fresh = [e for e in made.examples if normal_question(e.question) not in questions and e.sql not in queries]
    made.examples = _shares(fresh, item) if known else fresh
    return made


def _shares(examples: list[Example], item: SetPlan) -> list[Example]:
    """The first examples of each tier, as many as its share."""
    total = sum(item.plan.shares)
    left = {
        t: round(item.count * s / total)
        for t, s in zip(("simple", "moderate", "complex"), item.plan.shares, strict=True)
    }
    chosen = []
    for example in examples:
        if left[example.tier] > 0:
            left[example.tier] -= 1
            chosen.append(example)
    return chosen


def build(
    folder: Path,
    home: Path,
    *,
    workers: int = 1,
    ray: bool = False,
    scale: float = 1.0,
    progress: Progress | None = None,
) -> dict[str, Made]:
    """Write every generated set to `folder` as NAME.jsonl.gz, with `generated.json` (fingerprints and counts).

    `scale` below 1 makes smaller sets, for trying out.
    """
    made: dict[str, Made] = {}
    for item in SETS:
        sized = replace(item, count=max(10, round(item.count * scale)))
        avoid = made["lab-train"].examples if item.name == "lab-valid" else ()
        made[item.name] = make(sized, home, workers=workers, ray=ray, avoid=avoid, progress=progress)
        write_examples(folder / f"{item.name}.jsonl.gz", made[item.name].examples)
    record = {name: _record(one) for name, one in made.items()}
    partial = folder / ".generated.json.partial"
    partial.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n", "utf-8")
    partial.replace(folder / "generated.json")
    return made


def _record(made: Made) -> dict[str, object]:
    return {
        "pairs": len(made.examples),
        "fingerprint": fingerprint(made.examples),
        "draws": dict(made.counts),
        "neighbours_tried": dict(made.tried),
        "neighbours_told_apart": dict(made.told_apart),
        "neighbours_told_apart_percent": round(100 * made.told_apart.total() / max(1, made.tried.total()), 2),
    }
