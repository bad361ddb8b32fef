"""The reports of the generated sets: coverage, verification, leakage, and the plots of the datasheet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path

from mnemosyne.datasets import Example, read_examples
from mnemosyne.datasets.overlap import NeighbourIndex, sql_form
from mnemosyne.lims import sets
from mnemosyne.lims.contract import schema
from mnemosyne.synthesis.block import TIERS
from mnemosyne.synthesis.generate import Made
from mnemosyne.synthesis.report import cover, coverage_page, verification_page


def write(made: dict[str, Made], docs: Path) -> None:
    """Write `sets/coverage.md`, `sets/verification.md`, `leakage.md` and the plots under a folder."""
    folder = docs / "sets"
    folder.mkdir(parents=True, exist_ok=True)
    known = schema()
    pages = [coverage_page(name, cover(one.examples, known)) for name, one in made.items()]
    put(folder / "coverage.md", "# What the generated sets cover\n\n" + "\n".join(pages))
    pages = [verification_page(name, one) for name, one in made.items()]
    put(folder / "verification.md", "# How the generated sets were verified\n\n" + "\n".join(pages))
    training = {name: made[name].examples for name in ("lab-train", "lab-579")} | {
        "lab-written": shipped("lab-written")
    }
    put(docs / "leakage.md", leakage_page(training, sets.written()))
    plots(made["lab-train"].examples, folder)


def put(path: Path, text: str) -> None:
    """Write a text, whole or not at all."""
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(text, "utf-8")
    partial.replace(path)


def shipped(name: str) -> list[Example]:
    """A set of the package that is not generated."""
    return read_examples(Path(str(resources.files("mnemosyne.data") / "sets" / f"{name}.jsonl.gz")))


def leakage_page(training: Mapping[str, Sequence[Example]], evaluation: Sequence[Example]) -> str:
    """For each evaluation question the nearest training question and its similarity; shared forms per set."""
    index = NeighbourIndex([example for examples in training.values() for example in examples])
    forms = {name: {sql_form(one.sql) for one in examples} for name, examples in training.items()}
    lines = [
        f"# How near {', '.join(training)} come to the evaluation sets",
        "",
        "Similarity is the share of three-letter pieces that two questions have in common (Jaccard, 0 to 1). Training",
        "pairs that share a question, a run of eight words or a SQL form (the parts of a query without their order,",
        "values and lengths of time taken out) with an evaluation question never enter.",
    ]
    for name in sets.WRITTEN:
        questions = [example for example in evaluation if example.source == name]
        found = [(example, index.nearest(example.question)) for example in questions]
        scores = sorted(near.similarity if near else 0.0 for _, near in found)
        own = [sql_form(e.sql, e.dialect) for e in questions if e.sql]
        shared = ", ".join(f"{sum(one in known for one in own)} with {name}" for name, known in forms.items())
        lines += [
            "", f"## {name}", "",
            f"{len(questions)} questions; SQL forms shared: {shared}. Similarity of the nearest "
            f"training question: median {scores[len(scores) // 2]:.2f}, "
            f"90th percentile {scores[int(len(scores) * 0.9)]:.2f}, highest {scores[-1]:.2f}.",
            "", "| id | question | nearest in training | similarity |", "|---|---|---|---:|",
        ]  # fmt: skip
        for example, near in sorted(found, key=lambda item: -(item[1].similarity if item[1] else 0)):
            text = near.question if near else ""
            lines.append(
                f"| {example.id} | {_cell(example.question)} | {_cell(text)} | {near.similarity if near else 0:.2f} |"
            )
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def plots(examples: Sequence[Example], folder: Path) -> None:
    """`lab-train.png`: tiers, patterns, words of a question and characters of a query."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(2, 2, figsize=(11, 8), constrained_layout=True)
    tiers = Counter(example.tier for example in examples)
    axes[0][0].bar(list(TIERS), [tiers[t] for t in TIERS], color="#2b6cb0")
    axes[0][0].set_title("Pairs by tier")
    patterns = Counter(tag.removeprefix("pattern:") for e in examples for tag in e.tags if tag.startswith("pattern:"))
    shown = patterns.most_common(25)[::-1]
    axes[0][1].barh([name for name, _ in shown], [count for _, count in shown], color="#2b6cb0")
    axes[0][1].tick_params(axis="y", labelsize=6)
    axes[0][1].set_title(f"The 25 most frequent of {len(patterns)} patterns")
    for tier, colour in zip(TIERS, ("#90cdf4", "#3182ce", "#1a365d"), strict=True):
        words = [len(e.question.split()) for e in examples if e.tier == tier]
        lengths = [len(e.sql) for e in examples if e.tier == tier]
        axes[1][0].hist(words, bins=range(0, 60, 2), histtype="step", color=colour, label=tier)
        axes[1][1].hist(lengths, bins=range(0, 900, 25), histtype="step", color=colour, label=tier)
    axes[1][0].set_title("Words of a question")
    axes[1][1].set_title("Characters of a query")
    axes[1][0].legend()
    figure.savefig(folder / "lab-train.png", dpi=110, metadata={"Software": None})
    pyplot.close(figure)
