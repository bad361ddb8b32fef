"""What people call stored values: groups of equal names, words for codes, and phrases that only look like values.

Read from the package's `data/grounding/synonyms.yaml` and, if there is one, a person's own file of the same form.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

from mnemosyne.errors import SettingsError

EXACT_CHARACTERS = 3
"""A synonym this short must be written as it is spelt here: `Pb` is lead, `pb` and `as` are not."""


@dataclass(frozen=True, slots=True)
class Synonyms:
    """The synonym files, ready to be looked up by normal form."""

    groups: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Normal form of a member to all members of its group, as written in the file."""
    codes: tuple[dict[str, tuple[str, ...]], ...] = ()
    """For each closed list of codes: what people say for each code."""
    phrases: frozenset[str] = frozenset()
    """Normal forms of phrases that hold a value's name and mean something else, such as `lead time`."""


def normal(text: str) -> str:
    """Letters and digits only, lower case, no accents: `E. coli` and `e.coli` are both `ecoli`."""
    plain = unicodedata.normalize("NFKD", text.lower())
    return "".join(character for character in plain if character.isalnum())


def singular(form: str) -> str:
    """A normal form without a plural s: `waterutilities` is `waterutility`."""
    if len(form) > 5 and form.endswith("ies"):
        return form[:-3] + "y"
    return form[:-1] if len(form) > 4 and form.endswith("s") and not form.endswith("ss") else form


def is_exact(member: str) -> bool:
    """Whether a synonym must be written exactly so: short, and with a capital or a digit."""
    return len(normal(member)) <= EXACT_CHARACTERS and bool(re.search(r"[A-Z0-9]", member))


@lru_cache(maxsize=8)
def load(extra: Path | None = None) -> Synonyms:
    """The package's synonyms and those of a person's own file. Raises SettingsError for a file of another form."""
    import yaml

    texts = [("synonyms.yaml", (files("mnemosyne.data") / "grounding" / "synonyms.yaml").read_text(encoding="utf-8"))]
    if extra is not None:
        try:
            texts.append((str(extra), extra.read_text(encoding="utf-8")))
        except OSError as error:
            raise SettingsError(f"{extra} cannot be read: {error.strerror}", hint="See MNEMOSYNE_SYNONYMS.") from None
    groups: dict[str, tuple[str, ...]] = {}
    codes: list[dict[str, tuple[str, ...]]] = []
    phrases: set[str] = set()
    for name, text in texts:
        try:
            content = yaml.safe_load(text) or {}
            for members in content.get("groups", []):
                written = tuple(str(member) for member in members)
                for member in written:
                    groups[normal(member)] = tuple(dict.fromkeys((*groups.get(normal(member), ()), *written)))
            codes += [
                {str(key): tuple(str(word) for word in words) for key, words in code.items()}
                for code in content.get("codes", [])
            ]
            phrases |= {normal(str(phrase)) for phrase in content.get("phrases", [])}
        except (yaml.YAMLError, AttributeError, TypeError) as error:
            raise SettingsError(
                f"{name} does not hold synonyms: {error}",
                hint="groups: a list of lists of names; codes: a list of {code: [words]}; phrases: a list.",
            ) from None
    return Synonyms(groups, tuple(codes), frozenset(phrases))
