"""A recipe is checked before anything is loaded, and a fault is named with its line."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from mnemosyne.errors import RecipeError
from mnemosyne.training import recipe as recipes
from mnemosyne.training.recipe import Recipe, Source, Validation, parse

GOOD = """name: mine
base: qwen2.5-coder-0.5b-instruct
data:
  - path: pairs.jsonl
"""


def test_what_is_not_said_has_the_values_of_the_reference() -> None:
    recipe = parse(GOOD)
    assert (recipe.rank, recipe.alpha, recipe.learning_rate, recipe.warmup) == (64, 128, 2e-4, 0.05)
    assert (recipe.weight_decay, recipe.batch, recipe.max_tokens) == (0.01, 64, 2048)
    assert recipe.targets == recipes.TARGETS
    assert recipe.data == (Source("pairs.jsonl", weight=1.0, cap=0),)


FAULTS = {
    "rnak: 8": ("line 5: no field is called 'rnak'.", "Did you mean rank?"),
    "rank: eight": ("line 5: rank is a whole number, not 'eight'.", ""),
    "rank: 0": ("line 5: rank is 0; it lies between 1 and 1024.", ""),
    "learning_rate: -1": ("line 5: learning_rate is -1.0; it lies between 1e-09 and 1.", ""),
    "load_in_4bit: perhaps": ("line 5: load_in_4bit is true or false, not 'perhaps'.", ""),
    "select: executoin": ("line 5: select is one of execution, loss, not 'executoin'.", "Did you mean execution?"),
    "targets: q_proj": ("line 5: targets is a list.", ""),
    "targets: [q_proj, qkv]": ("line 5: no layer is called 'qkv'.", "Layers: q_proj"),
    "rank: 8\nrank: 16": ("line 6: rank is given twice.", ""),
    "validation: {questions: 5}": ("line 5: path is missing.", "The set that chooses the checkpoint."),
    "batch: 8\ngroup_size: 9": ("line 6: group_size (9) is above batch (8).", "A step mixes schemas"),
    "max_tokens: 4096": ("line 5: pack_tokens (3072) is below max_tokens (4096).", "One row must fit one pass."),
    "load_in_4bit: true": ("line 5: load_in_4bit contradicts frame shared-prefix.", "It belongs to frame trl."),
    "frame: trl\nvalidation: {path: v.jsonl}": ("line 1: frame trl chooses the checkpoint by loss.", "select: loss"),
    "frame: trl\nselect: loss\nfrozen_layers: 2": ("line 7: frozen_layers contradicts frame trl.", "Leave it out."),
    "validation: {path: v.jsonl, questions: 0}": ("line 5: questions is 0; it is at least 1.", ""),
    "validation: {path: v.jsonl, minutes: nan}": ("line 5: minutes is nan; it is at least 0.", ""),
    "frame: grpo\ngroup_size: 1": ("line 6: frame grpo compares", ""),
    "validation: {path: v.jsonl, today: June}": ("line 5: today is 'June'; it is a day such as 2026-06-15.", ""),
    "start_from: null": ("line 5: start_from has no value.", "Leave the line out"),
    "seed: -1": ("line 5: seed is -1; it lies between 0 and 18446744073709551615.", ""),
    f"seed: {2**64}": ("line 5: seed is 18446744073709551616; it lies between 0 and 18446744073709551615.", ""),
    f"frame: trl\nseed: {2**32}": ("line 6: seed is 4294967296; it lies between 0 and 4294967295.", ""),
    "rank: [": ("not YAML", ""),
    "name: \x07": ("line 5: not YAML (a character", ""),
    "? [rank, alpha]\n: 8": ("line 5: the name of a field is one word", ""),
    "validation: {path: v.jsonl, {a: b}: 5}": ("line 5: the name of a field is one word", ""),
    "frame: grpo\nbatch: 10\ngroup_size: 4": (
        "line 6: group_size (4) does not divide batch (10).",
        "it divides is 12.",
    ),
    "frame: trl\nmicro_batch: 24": ("line 6: micro_batch (24) does not divide batch (64).", "it divides is 72."),
    "frame: trl\nbatch: 100\nmicro_batch: 32": ("line 7: micro_batch (32) does not divide batch (100).", "is 96."),
    "frame: grpo\nmicro_batch: 100": ("line 6: micro_batch (100) does not divide batch (64).", "is 100."),
}


@pytest.mark.parametrize("text", FAULTS)
def test_a_fault_is_named_with_its_line_and_what_to_do(text: str) -> None:
    with pytest.raises(RecipeError) as caught:
        parse(GOOD + text + "\n", "my.yaml")
    message, hint = FAULTS[text]
    assert str(caught.value).startswith("my.yaml")
    assert message in str(caught.value)
    assert hint in caught.value.hint


def test_a_recipe_in_another_encoding_is_named_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_bytes(GOOD.encode() + "# Proben für alle\n".encode("latin-1"))
    with pytest.raises(RecipeError, match=r"mine\.yaml, line 5: byte 0xfc is not UTF-8") as caught:
        recipes.load(file)
    assert caught.value.hint == "Save the file as UTF-8."


def test_a_source_that_is_wrong_is_named_by_its_own_line() -> None:
    with pytest.raises(RecipeError, match="line 4: no field is called 'pth'"):
        parse(GOOD.replace("path", "pth"))
    with pytest.raises(RecipeError, match="line 4: weight is a number above 0"):
        parse(GOOD.replace("path: pairs.jsonl", "{path: pairs.jsonl, weight: 0}"))


@pytest.mark.parametrize("name", ["a/b", "..", "."])
def test_a_name_that_is_no_folder_is_refused(name: str) -> None:
    with pytest.raises(RecipeError) as caught:
        parse(GOOD.replace("name: mine", f"name: {name}"))
    assert f"line 1: name is '{name}'; it becomes the name of the run folder" in str(caught.value)


def test_the_largest_seed_is_one_that_torch_takes() -> None:
    torch = pytest.importorskip("torch")
    torch.Generator().manual_seed(parse(GOOD + f"seed: {2**64 - 1}\n").seed)


def test_recipes_of_one_schema_have_a_line_for_general_rows_to_take_in() -> None:
    from mnemosyne.synthesis.own import RECIPE

    for text in ((recipes.SHIPPED / "your-lims.yaml").read_text(), RECIPE.format(name="zoo")):
        assert "python -m mnemosyne.training.general --spider" in text
        with_general = parse(text.replace("  # - {path: general", "  - {path: general"))
        assert with_general.data == (*parse(text).data, Source("general.jsonl.gz", weight=0.5))


def test_a_recipe_that_is_not_there_names_the_nearest_one() -> None:
    with pytest.raises(RecipeError) as caught:
        recipes.load("mnemosyne-05b")
    assert "Did you mean mnemosyne-0.5b?" in caught.value.hint


@pytest.mark.parametrize(
    "name", ["mnemosyne-0.5b", "mnemosyne-1.5b", "mnemosyne-1.5b-grpo", "mnemosyne-3b", "your-lims"]
)
def test_every_shipped_recipe_is_valid(name: str) -> None:
    recipe = recipes.load(name)
    assert recipe.validation is not None
    assert recipe.group_size < recipe.batch, "every optimizer step mixes schemas"


def test_the_3b_recipe_is_the_table_of_the_reference() -> None:
    recipe = recipes.load("mnemosyne-3b")
    assert recipe.base == "Qwen/Qwen2.5-Coder-3B-Instruct"
    assert (recipe.load_in_4bit, recipe.rank, recipe.alpha, recipe.targets) == (True, 64, 128, recipes.TARGETS)
    assert (recipe.optimizer, recipe.learning_rate, recipe.warmup) == ("adamw_8bit", 2e-4, 0.05)
    assert (recipe.weight_decay, recipe.batch, recipe.micro_batch, recipe.epochs) == (0.01, 64, 32, 2)
    assert (recipe.max_tokens, recipe.select) == (2048, "loss")
    assert [source.cap for source in recipe.data] == [20_000, 20_000, 0]


def test_every_shipped_recipe_is_listed_in_the_documents() -> None:
    page = (Path(__file__).parents[2] / "docs" / "training.md").read_text()
    for entry in recipes.SHIPPED.iterdir():
        assert f"| `{Path(str(entry)).stem}` |" in page


def test_every_field_says_what_it_is() -> None:
    source = Path(recipes.__file__).read_text()
    for kind in (Recipe, Source, Validation):
        body = source[source.index(f"class {kind.__name__}:") :].splitlines()
        for field in fields(kind):
            line = next(i for i, text in enumerate(body) if text.startswith(f"    {field.name}: "))
            assert body[line + 1].startswith('    """'), f"{kind.__name__}.{field.name} is not described"


def test_the_table_in_the_documents_is_made_from_the_records() -> None:
    from mnemosyne.training.recipe_docs import with_table

    page = (Path(__file__).parents[2] / "docs" / "training.md").read_text()
    assert with_table(page) == page, "run: python -m mnemosyne.training.recipe_docs docs/training.md"


@pytest.mark.parametrize("weight", [".inf", ".nan", "inf", "nan", "0"])
def test_a_weight_is_a_number_above_zero(weight: str) -> None:
    with pytest.raises(RecipeError, match="weight is a"):
        parse(GOOD + f"    weight: {weight}\n")
