"""What an assistant is told to do and what it says: `Options`, `Step`, `Answer`. Records only, nothing runs here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

from mnemosyne.engines import Completion
from mnemosyne.grounding import Abstention, Understood
from mnemosyne.grounding.question import LINKED_TOKENS, WIDE_TOKENS
from mnemosyne.guard.query import Refusal, SafeQuery
from mnemosyne.results import Failure, Result

DECLINED = "Not run: the review did not approve the query."


@dataclass(frozen=True, slots=True)
class Options:
    """How hard the assistant works on one question."""

    repairs: int = 2
    """Further drafts at most after one that was refused or failed."""
    votes: int = 1
    """Candidates at most; above 1 their results are compared and the best group wins, see `voting`."""
    temperature: float = 0.7
    """Of the candidates after the first, which is greedy, and of repairs once a greedy one repeated what failed."""
    max_tokens: int = 400
    """New tokens of one draft at most."""
    seed: int = 0
    """Of candidates and repairs: the same seed gives the same answer, on one engine and machine."""
    run: bool = True
    """False: stop after the guard."""
    grounding: bool = True
    """Tell the model which stored values the question means."""
    linking: bool = True
    """Choose the tables that a question needs from a schema of more than `whole_tokens`."""
    whole_tokens: int = 3_000
    """A schema of at most so many tokens of DDL is shown whole."""
    linked_tokens: int = LINKED_TOKENS
    """What is shown of a larger schema at most, and only the tables that come near the most wanted."""
    wide_tokens: int = WIDE_TOKENS
    """What the last repair is shown of it."""
    abstain: bool = False
    """Give back what the schema has nothing about or what can be read in several ways, instead of asking the model."""
    today: date | None = None
    """Freeze CURRENT_DATE, for tests and evaluations."""


@dataclass(frozen=True, slots=True)
class Step:
    """One attempt: what the model wrote and what became of it."""

    kind: Literal["draft", "mend", "repair", "vote"]
    """Why it was written; `mend` is a draft whose joins or groups were completed without a model."""
    sql: str
    """What the model wrote, empty when there was no SQL in its reply."""
    checked: SafeQuery | Refusal
    """The guard's word."""
    outcome: Result | Failure | None
    """What the database said, None when nothing ran."""
    completion: Completion
    """Tokens, log-probabilities and time of the model."""
    wide: bool = False
    """Whether the model saw the wider part of a large schema."""

    @property
    def problem(self) -> str:
        """Why this attempt is no answer, for the repairing model; empty when it is one."""
        if isinstance(self.checked, Refusal):
            return " ".join(_sentence(text) for text in (self.checked.reason, self.checked.hint) if text)
        return self.outcome.message if isinstance(self.outcome, Failure) else ""

    @property
    def repairable(self) -> bool:
        """Whether another draft may answer: not after an answer, a person's no, or what the policy denies.

        A draft that leaves out what was denied would answer another question than the one that was asked.
        """
        if isinstance(self.checked, Refusal):
            return self.checked.code != "denied"
        return isinstance(self.outcome, Failure) and self.outcome.kind != "cancelled"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the assistant says to one question."""

    question: str
    """As asked."""
    sql: str
    """The SQL that ran (or would run), in the dialect of the database; empty when there is none."""
    written: str
    """The same as the model wrote it, in PostgreSQL."""
    result: Result | None
    """The rows, None when nothing ran to its end."""
    problem: str
    """Why there is no result, in words for a person; empty when there is one."""
    steps: tuple[Step, ...]
    """Every attempt, in order."""
    hints: tuple[str, ...] = ()
    """Conditions on stored values, and windows of time, that the model was told of."""
    lacks: tuple[str, ...] = ()
    """What the question names and the query does not do, a sentence each; the person should look at these."""
    agreement: float | None = None
    """Share of the candidates drawn that gave this result, None without a vote; a vote may end after half of them."""
    tables: tuple[str, ...] = ()
    """Tables that the model was shown of a larger schema; empty when it saw the whole."""
    understood: Understood | None = None
    """What the query takes the question to mean; None when there is no checked query."""
    abstained: Abstention | None = None
    """Why the question is given back; None when it is answered."""
    confidence: float | None = None
    """Calibrated probability that the answer is right, None when there is no answer or the engine gives no signs."""
    seconds: float = 0.0
    """Wall time from question to answer."""

    @property
    def ok(self) -> bool:
        """True when the SQL passed the guard and, if it was to run, ran."""
        return not self.problem

    @property
    def refusal(self) -> Refusal | None:
        """The guard's refusal, when that is why there is no answer."""
        if not self.problem:
            return None
        chosen = next((step.checked for step in reversed(self.steps) if step.sql == self.written), None)
        return chosen if isinstance(chosen, Refusal) else None


def for_people(step: Step) -> str:
    """Why a step is no answer, in words for a person."""
    if isinstance(step.checked, Refusal):
        return f"Not run: {step.problem}"
    if isinstance(step.outcome, Failure):
        if step.outcome.kind == "cancelled":
            return step.outcome.message
        return f"The database stopped the query ({step.outcome.kind}): {step.outcome.message}"
    return ""


def _sentence(text: str) -> str:
    return text if text.endswith((".", "?", "!")) else f"{text}."


MAX_QUESTION_CHARACTERS = 4_000
"""A longer question is not a question."""


def not_a_question(question: str) -> str:
    """Why the text cannot be asked, in words for a person; empty when it can."""
    if not question.strip():
        return "The question is empty."
    if len(question) > MAX_QUESTION_CHARACTERS:
        return f"The question has {len(question):,} characters; {MAX_QUESTION_CHARACTERS:,} are the limit."
    if any(ord(character) < 32 and character not in "\t\n\r" for character in question):
        return "The question holds control characters, so it is not plain text."
    if any("\ud800" <= character <= "\udfff" for character in question):
        return "The question holds halves of signs, so it is not text."
    return ""
