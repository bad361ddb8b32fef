"""Every exception of Mnemosyne, each with a hint for the person who meets it.

MnemosyneError
├── SettingsError            a MNEMOSYNE_* variable or an option has no meaning
├── MissingExtra             an optional part is not installed
├── SchemaError              a schema cannot be read, or is empty
├── WeightsError             the weights of a model
│   ├── UnknownModel         no such name, file or adapter
│   ├── WeightsUnavailable   no source could give the file
│   ├── WeightsCorrupt       a file is not the one that its sha256 names
│   └── DiskFull             no room for the file
├── DatabaseError            a database
│   ├── DatabaseNotFound     no such file or database
│   ├── DatabaseUnreachable  no server, or a wrong name or password
│   └── DatabaseUnreadable   not a database of this kind, or corrupt
├── EngineError              a model that answers
│   ├── PromptTooLong        schema and question do not fit the context
│   └── RemoteError          a remote model server failed
├── AnswerRefused            `generate_sql`: no SQL, most often because the guard refused the model's
├── DatasetError             a data set that cannot be read (line named)
├── LexiconError             a lexicon that names what the schema lacks (line named)
├── RecipeError              a training recipe (line named)
├── TrainingError            a training run that cannot start or go on
├── ReleaseError             a released file that fails its gate
└── EvaluationError          an evaluation that cannot be trusted

Only misuse and broken surroundings are exceptions. What is expected to fail, such as a query that
the guard refuses or the database rejects, is a value (`guard.Refusal`, `results.Failure`).
"""

from __future__ import annotations

from importlib.util import find_spec


class MnemosyneError(Exception):
    """What happened and why (`str(error)`), and what to do next (`error.hint`)."""

    exit_code = 2

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class SettingsError(MnemosyneError):
    """A setting or option has no meaning."""


class MissingExtra(MnemosyneError):
    """An optional part of the distribution is needed and not installed."""

    def __init__(self, extra: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs the optional part '{extra}', which is not installed.",
            hint=f"In the folder of Mnemosyne: pip install -e '.[{extra}]'",
        )


def need(extra: str, purpose: str, *modules: str) -> None:
    """See that the modules of an optional part are there, before work begins that needs them. Raises MissingExtra."""
    if any(find_spec(module) is None for module in modules):
        raise MissingExtra(extra, purpose)


class SchemaError(MnemosyneError):
    """A schema cannot be read, or holds no table."""


class WeightsError(MnemosyneError):
    """The weights of a model."""


class UnknownModel(WeightsError):
    """No catalogue entry, file or adapter has this name."""


class WeightsUnavailable(WeightsError):
    """No source could give the file: no network, offline, or not found."""


class WeightsCorrupt(WeightsError):
    """A file is not the one that its sha256 names."""


class DiskFull(WeightsError):
    """There is no room for the file."""


class DatabaseError(MnemosyneError):
    """A database cannot be used."""


class DatabaseNotFound(DatabaseError):
    """No such file or database."""


class DatabaseUnreachable(DatabaseError):
    """No server answers, or it does not accept this name and password."""


class DatabaseUnreadable(DatabaseError):
    """The file is not a database of this kind, or is corrupt."""


class EngineError(MnemosyneError):
    """A model cannot answer."""


class PromptTooLong(EngineError):
    """Schema, question and answer do not fit the context of the model."""


class RemoteError(EngineError):
    """A remote model server failed or answered nonsense."""


class AnswerRefused(MnemosyneError):
    """`generate_sql` has no SQL to give: the guard refused the model's, or there was no question."""

    exit_code = 3


class DatasetError(MnemosyneError):
    """A data set cannot be read."""


class LexiconError(MnemosyneError):
    """A lexicon names something that the schema does not have."""


class RecipeError(MnemosyneError):
    """A training recipe is wrong."""


class TrainingError(MnemosyneError):
    """A training run cannot start or go on."""


class ReleaseError(MnemosyneError):
    """A released file does not pass its gate."""


class EvaluationError(MnemosyneError):
    """An evaluation cannot be trusted, so it stops."""
