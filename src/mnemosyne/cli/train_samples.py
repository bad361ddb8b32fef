"""`mnemosyne train --from-samples`: ask the model first, and train also on its right answers in new forms.

What was drawn is kept beside the run, question by question: a start that was cut goes on, a finished one is not
repeated.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnemosyne.cli import console
from mnemosyne.errors import TrainingError

if TYPE_CHECKING:
    from mnemosyne.datasets import Example
    from mnemosyne.settings import Settings
    from mnemosyne.training.recipe import Recipe
    from mnemosyne.training.sampling import Judge


def with_samples(recipe: Recipe, folder: Path, out: Path, judge: Judge | None, *, n: int, questions: int) -> Recipe:
    """The recipe with one more source: what the model found, now or at an earlier start of the run."""
    from mnemosyne.datasets import fingerprint, write_examples
    from mnemosyne.engines import open_engine
    from mnemosyne.settings import load as load_settings
    from mnemosyne.training import sampling
    from mnemosyne.training.recipe import Source

    if judge is None or recipe.validation is None or not recipe.validation.database:
        raise TrainingError("--from-samples executes answers.", hint="Set validation: {database: …} in the recipe.")
    chosen = sampling.choose(asked_of_the_database(recipe, folder), questions, recipe.seed)
    facts: dict[str, Any] = {
        "model": f"{recipe.base}+{recipe.start_from}" if recipe.start_from else recipe.base,
        "answers": n,
        "questions": len(chosen),
        "fingerprint": fingerprint(chosen),
        "seed": recipe.seed,
        "temperature": sampling.TEMPERATURE,
    }
    err = console.stderr()
    journal = sampling.Journal(out.absolute().with_name(f"{out.name}-samples.log.jsonl"), facts)
    if len(journal.drawn) < len(chosen):
        settings = load_settings()
        engine = open_engine(_model(recipe, folder, out, settings), settings)
        try:
            sampling.draw(
                chosen,
                lambda example: example.schema,
                engine,
                judge,
                n=n,
                seed=recipe.seed,
                journal=journal,
                listen=lambda done: err.print(f"samples: {done} of {len(chosen)}") if done % 20 == 0 else None,
            )
        finally:
            engine.close()
    found = journal.round(chosen)
    err.print(f"samples: {found}", soft_wrap=True)
    if not found.kept:
        raise TrainingError(
            "No sampled answer was right and new.",
            hint=f"Draw more (--from-samples, --sample-questions) after deleting {journal.path}.",
        )
    file = out.absolute().with_name(f"{out.name}-samples.jsonl.gz")
    write_examples(file, found.kept)
    return replace(recipe, data=(*recipe.data, Source(str(file))))


def asked_of_the_database(recipe: Recipe, folder: Path) -> list[Example]:
    """Training questions of the schema that the validation database has; their schema is the DDL of their prompt."""
    from mnemosyne.datasets import read_examples
    from mnemosyne.training import data

    assert recipe.validation is not None
    path = data.locate(recipe.validation.path, folder)
    validated = data.Schemas(path)
    wanted = {validated.ddl(example) for example in read_examples(path)}
    asked = []
    for source in recipe.data:
        path = data.locate(source.path, folder)
        schemas = data.Schemas(path)
        with_ddl = (replace(example, schema=schemas.ddl(example)) for example in read_examples(path))
        asked += [example for example in with_ddl if example.schema in wanted]
    if not asked:
        raise TrainingError("No training question is asked of the schema of the validation set.")
    return asked


def _model(recipe: Recipe, folder: Path, out: Path, settings: Settings) -> str:
    """What is asked: the base, with the adapter that the run starts from as a file that llama.cpp reads."""
    from mnemosyne import weights
    from mnemosyne.training import adapter_gguf, starting

    if not recipe.start_from:
        return recipe.base
    start = starting.find(recipe, folder, settings, weights.resolve(recipe.base, settings).sha256)
    file = start.path if start.path.is_file() else start.path / "adapter.gguf"
    if not file.is_file():
        file = out.absolute().with_name(f".{out.name}-start.gguf")
        adapter_gguf.write_gguf(file, start.tensors, alpha=start.alpha or recipe.alpha, name=f"start of {recipe.name}")
    return f"{recipe.base}+{file}"
