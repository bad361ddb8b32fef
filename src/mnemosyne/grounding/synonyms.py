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
from typing import Any

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
        except UnicodeDecodeError:
            raise SettingsError(f"{extra} is not UTF-8 text.", hint="Save it as UTF-8.") from None
    groups: dict[str, tuple[str, ...]] = {}
    codes: list[dict[str, tuple[str, ...]]] = []
    phrases: set[str] = set()
    for name, text in texts:
        try:
            content = _checked(yaml.safe_load(text))
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            said = "it is nested too deeply" if isinstance(error, RecursionError) else error
            raise SettingsError(
                f"{name} does not hold synonyms: {said}",
                hint="groups: a list of lists of names; codes: a list of {code: [words]}; phrases: a list.",
            ) from None
        for members in content["groups"]:
            written = tuple(str(member) for member in members)
            for member in written:
                groups[normal(member)] = tuple(dict.fromkeys((*groups.get(normal(member), ()), *written)))
        codes += [{str(key): tuple(map(str, words)) for key, words in code.items()} for code in content["codes"]]
        phrases |= {normal(str(phrase)) for phrase in content["phrases"]}
    return Synonyms(groups, tuple(codes), frozenset(phrases))


def _checked(content: object) -> dict[str, list[Any]]:
    """What a file holds, an empty list for what it leaves out. Raises ValueError, naming what is of another form."""
    parts: dict[str, list[Any]] = {"groups": [], "codes": [], "phrases": []}
    if content is None:
        return parts
    if not isinstance(content, dict):
        raise ValueError(f"it is a {type(content).__name__}, no mapping")
    for key, part in content.items():
        if key not in parts:
            raise ValueError(f"{key!r} is not one of groups, codes, phrases")
        if part is None:
            continue
        if not isinstance(part, list):
            raise ValueError(f"{key} is {part!r}, no list")
        parts[key] = part
    for members in parts["groups"]:
        _names(members, "a group")
    for code in parts["codes"]:
        if not isinstance(code, dict):
            raise ValueError(f"{code!r} under codes is no {{code: [words]}}")
        for key, words in code.items():
            if isinstance(key, bool):
                raise ValueError(f"the code {key!r} wants quotes: YAML reads Yes, No, On and Off as truth values")
            _names(words, f"the words of {key}")
    _names(parts["phrases"], "phrases")
    return parts


def _names(part: object, what: str) -> None:
    if not isinstance(part, list):
        raise ValueError(f"{what} is {part!r}, no list")
    for name in part:
        if not isinstance(name, (str, int, float)) or isinstance(name, bool):
            raise ValueError(f"{name!r} in {what} is no text; put it in quotes")
