"""YAML in which every mapping and list knows its lines, and entries that say what is wrong with them, and where."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from mnemosyne.errors import LexiconError

_SLOT = re.compile(r"\{(\w*)\}")
_TRUTH = "tag:yaml.org,2002:bool"
_UNREAD = (_TRUTH, "tag:yaml.org,2002:timestamp")


class Lines(dict[str, Any]):
    """A mapping that remembers the line of each key."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: dict[str, int] = {}


class Items(list[Any]):
    """A list that remembers the line of each item."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[int] = []


class _Loader(yaml.SafeLoader):
    """Safe YAML whose mappings and lists know their lines; keys are texts as they are written."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """A node as Python; what has no meaning, such as `0x_`, is named with its line."""
        try:
            return super().construct_object(node, deep)
        except ValueError as error:
            raise yaml.constructor.ConstructorError(None, None, str(error), node.start_mark) from None


def _mapping(loader: _Loader, node: yaml.MappingNode) -> Lines:
    made = Lines()
    for key_node, value_node in node.value:
        if not isinstance(key_node, yaml.ScalarNode):
            raise yaml.constructor.ConstructorError(
                None, None, "a key must be a word, not a list or a mapping", key_node.start_mark
            )
        if key_node.value in made:
            why = (
                f"{key_node.value!r} stands in line {made.lines[key_node.value]} already; one of the two would be lost"
            )
            raise yaml.constructor.ConstructorError(None, None, why, key_node.start_mark)
        made[key_node.value] = loader.construct_object(value_node, deep=True)
        made.lines[key_node.value] = key_node.start_mark.line + 1
    return made


def _sequence(loader: _Loader, node: yaml.SequenceNode) -> Items:
    made = Items()
    for item in node.value:
        made.append(loader.construct_object(item, deep=True))
        made.lines.append(item.start_mark.line + 1)
    return made


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _UNREAD]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
# Only `true` and `false` are truth values: `on` is a key here, and `No` may be a stored value.
_Loader.add_implicit_resolver(_TRUTH, re.compile("true|false"), list("tf"))
_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)
_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_SEQUENCE_TAG, _sequence)


def text_of(path: Path) -> str:
    """The text of a lexicon file. Raises LexiconError when it cannot be read or is not UTF-8 (line named)."""
    try:
        data = path.read_bytes()
        return data.decode("utf-8").replace("\r\n", "\n")
    except OSError as error:
        raise LexiconError(f"{path} cannot be read: {error.strerror}.", hint="Check the path.") from None
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise LexiconError(f"{path.name}, line {line}: not UTF-8.", hint="Save the file as UTF-8.") from None


def read(text: str, where: str) -> Any:
    """The document of a YAML text. Raises LexiconError with the line."""
    try:
        return yaml.load(text, Loader=_Loader)
    except yaml.constructor.ConstructorError as error:
        raise LexiconError(f"{where}, line {_line(error)}: {error.problem}.") from None
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 1
        raise LexiconError(f"{where}, line {line}: not YAML: {error.reason}.") from None
    except yaml.YAMLError as error:
        why = getattr(error, "problem", None) or error
        raise LexiconError(f"{where}, line {_line(error)}: not YAML: {why}.") from None
    except RecursionError:
        raise LexiconError(f"{where}, line 1: not YAML that can be read: it is nested too deeply.") from None


def _line(error: yaml.YAMLError) -> int:
    mark = getattr(error, "problem_mark", None)
    return int(mark.line) + 1 if mark else 1


def described(value: object) -> str:
    """What a YAML value is, for a message."""
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return f"'{str(value).lower() if isinstance(value, bool) else value}'"


class Entry:
    """One mapping of the file, with what may stand in it; everything that is asked of it is checked."""

    def __init__(self, where: str, what: str, value: object, line: int, known: Sequence[str] | None = None) -> None:
        """`what` names it in messages (`table 'cows'`); `known` are the keys that it may have, None for any.

        Raises:
            LexiconError: `value` is no mapping, or has another key.
        """
        self.where, self.what, self.line = where, what, line
        self.body = value if isinstance(value, Lines) else Lines()
        if value is not None and not isinstance(value, Lines):
            raise self.fail(f"{what} must be a mapping of `key: value`, not {described(value)}.", known=known)
        for key in self.body:
            if known is not None and key not in known:
                raise self.fail(f"unknown entry {key!r} of {what}.", key, name=key, known=known)

    def __contains__(self, key: str) -> bool:
        return self.body.get(key) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self.body)

    def at(self, key: str = "") -> int:
        """The line of a key, of the whole entry when it has no such key."""
        return self.body.lines.get(key, self.line)

    def fail(
        self, message: str, key: str = "", *, name: str = "", known: Iterable[str] | None = None, hint: str = ""
    ) -> LexiconError:
        """An error at the line of a key; the hint names what is nearest to `name` of what is `known`."""
        return failure(self.where, self.at(key), message, name=name, known=known, hint=hint)

    def inner(self, key: str, what: str, known: Sequence[str] | None = None) -> Entry:
        """The mapping under a key; an empty one when there is none."""
        return Entry(self.where, what, self.body.get(key), self.at(key), known)

    def entries(self, key: str, what: str, known: Sequence[str]) -> list[Entry]:
        """The mappings of the list under a key."""
        value = self.body.get(key)
        if value is not None and not isinstance(value, Items):
            raise self.fail(f"{key!r} must be a list of mappings, not {described(value)}.", key)
        items = value if isinstance(value, Items) else Items()
        return [Entry(self.where, what, item, line, known) for item, line in zip(items, items.lines, strict=True)]

    def need(self, *keys: str) -> None:
        """Raises LexiconError when a key is missing or empty."""
        for key in keys:
            if self.body.get(key) in (None, "", []):
                raise self.fail(f"{self.what} needs {key!r}.", key, hint=f"It needs {', '.join(keys)}.")

    def text(self, key: str, default: str = "") -> str:
        """A text."""
        value = self.body.get(key)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise self.fail(f"{key!r} must be a text, not {described(value)}.", key)
        return str(value)

    def number(self, key: str, default: float = 1.0) -> float:
        """A number of 0 or more."""
        value = self.body.get(key)
        if value is None:
            return default
        if not _is_number(value) or value < 0:
            raise self.fail(f"{key!r} must be a number of 0 or more, not {described(value)}.", key)
        return float(value)

    def numbers(self, key: str) -> tuple[float, ...]:
        """A list of numbers."""
        value = self.body.get(key)
        if value is None:
            return ()
        if not isinstance(value, Items) or not all(map(_is_number, value)):
            raise self.fail(f"{key!r} must be a list of numbers, such as [2, 5, 10].", key)
        return tuple(map(float, value))

    def flag(self, key: str, default: bool = False) -> bool:
        """`true` or `false`."""
        value = self.body.get(key)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise self.fail(f"{key!r} must be true or false, not {described(value)}.", key)
        return value

    def words(self, key: str, slots: Sequence[str] | None = ()) -> tuple[str, ...]:
        """A text or a list of texts; `slots` are the `{x}` that may stand in them, None lets braces be."""
        value = self.body.get(key)
        if value is None:
            return ()
        items, lines = (value, value.lines) if isinstance(value, Items) else ([value], [self.at(key)])
        made = []
        for item, line in zip(items, lines, strict=True):
            if not isinstance(item, str | int | float):
                raise failure(self.where, line, f"{key!r} must be a text or a list of texts, not {_held(item)}.")
            made.append(str(item).lower() if isinstance(item, bool) else str(item))
            if slots is not None:
                self._slots(made[-1], line, slots)
        return tuple(made)

    def _slots(self, text: str, line: int, slots: Sequence[str]) -> None:
        for name in _SLOT.findall(text):
            if name not in slots:
                known = " or ".join(f"{{{slot}}}" for slot in slots)
                raise failure(
                    self.where, line, f"nothing fills the slot {{{name}}} of {text!r} here.",
                    hint=f"What may stand here: {known}." if known else "No slot may stand here.",
                )  # fmt: skip


def failure(
    where: str, line: int, message: str, *, name: str = "", known: Iterable[str] | None = None, hint: str = ""
) -> LexiconError:
    """An error with its line; the hint names what is nearest to `name` of what is `known`."""
    choices = list(known or ())
    near = difflib.get_close_matches(name, choices, n=1, cutoff=0.4)
    if near:
        hint = f"Did you mean {near[0]!r}?"
    elif choices and not hint:
        hint = f"Known: {', '.join(choices[:12])}"
    return LexiconError(f"{where}, line {line}: {message}", hint=hint)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _held(item: object) -> str:
    return f"{described(item)} in it" if isinstance(item, dict | list) else described(item)
