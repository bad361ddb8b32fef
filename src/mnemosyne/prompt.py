"""The prompt contract, byte for byte, and SQL out of a reply. Training and answering share this room.

    <|im_start|>system
    {SYSTEM}<|im_end|>
    <|im_start|>user
    ### Schema:
    {DDL}

    ### Question:
    {question}<|im_end|>
    <|im_start|>assistant
    {sql}<|im_end|>

Whatever is added for one question (stored values, a failed attempt) follows the question, so that
everything before the question, the *prefix*, is the same for a schema and stays cached.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

SYSTEM = (
    "You are Mnemosyne, an expert SQL assistant specialising in laboratory, scientific, food safety, "
    "water quality, and general-purpose database queries. Given a database schema and a natural language "
    "question, generate a correct, well-formatted SQL query. Return only the SQL with no explanation."
)
"""The system message of the reference model."""

END = "<|im_end|>"
"""The token that ends a turn; every engine stops at it."""

STOPS = (END, "<|endoftext|>")
"""Where generation stops."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt in two parts, so that an engine can keep the first one."""

    prefix: str
    """System message and schema: the same bytes for every question about a schema."""
    tail: str
    """The question and what was added for it, up to the start of the answer."""
    lasting: bool = True
    """Whether other questions will have the same prefix. A part of a schema is chosen for one question alone."""

    @property
    def text(self) -> str:
        """The whole prompt."""
        return self.prefix + self.tail


@dataclass(frozen=True, slots=True)
class Attempt:
    """A query that was tried and did not work, shown to the model for a repair."""

    sql: str
    """What the model wrote."""
    error: str
    """Why it did not work, one line."""


def build(
    ddl: str, question: str, *, hints: Sequence[str] = (), attempt: Attempt | None = None, lasting: bool = True
) -> Prompt:
    """The prompt for one question about one schema.

    `ddl` is the canonical DDL (`Schema.to_ddl()`); `hints` are conditions on stored values, such as
    `determinands.determinand_name = 'E. coli'`, one line each; `lasting` is that of `Prompt`. Control tokens
    inside any of the texts are taken apart, so no text can end its turn.
    """
    prefix = (
        f"<|im_start|>system\n{SYSTEM}{END}\n<|im_start|>user\n### Schema:\n{_tame(ddl.strip())}\n\n### Question:\n"
    )
    parts = [_tame(question.strip())]
    if hints:
        parts.append("### Values:\n" + "\n".join(f"- {_tame(hint)}" for hint in hints))
    if attempt is not None:
        parts.append(f"### Failed query:\n{_tame(attempt.sql.strip())}\n\n### Error:\n{_tame(attempt.error.strip())}")
    return Prompt(prefix, "\n\n".join(parts) + f"{END}\n<|im_start|>assistant\n", lasting)


def answer(sql: str) -> str:
    """The bytes that a model should write after the prompt: the training target."""
    return sql.strip() + END


def _tame(text: str) -> str:
    """`text` with ChatML control tokens taken apart: `<|` becomes `< |`."""
    return text.replace("<|", "< |")


_FENCE = re.compile(r"```(?:[a-zA-Z]+)?[ \t]*\n?(.*?)(?:```|\Z)", re.DOTALL)

_COMMENT = r"/\*(?:[^*]|\*(?!/))*\*/"
_GAP = rf"(?:\s|--[^\n]*\n|{_COMMENT})+"
_NAME = r"""(?:"[^"]+"|[\w$]+)"""
_BEGINS = (
    rf"(?:SELECT\b|WITH{_GAP}(?:RECURSIVE{_GAP})?{_NAME}\s*(?:\([^)]*\)\s*)?AS\b|VALUES\s*\(|TABLE\s+[\w.\"]+[\s;]*\Z|"
    r"(?:INSERT\s+INTO|UPDATE|DELETE\s+FROM|DROP|ALTER|CREATE|TRUNCATE|MERGE\s+INTO|GRANT)\s)"
)
_STATEMENT = re.compile(
    rf"(?i:(?:\A|(?<=[\n:;!]))(?:[ \t(*>]|\d+\. |- |sql\s|explain\s|{_COMMENT})*(?P<first>{_BEGINS}))"
    rf"|(?<![\w$])(?P<within>{_BEGINS})"
)
"""Where SQL begins: at the head of a line or after a colon however it is written, within a line in capitals.

`with the given schema` and `no table for suppliers` are prose.
"""


_ANYWHERE = re.compile(
    r"\b(?P<first>WITH|SELECT|VALUES|TABLE|INSERT|UPDATE|DELETE|DROP|ALTER|CREATE|TRUNCATE|MERGE|GRANT)\b",
    re.IGNORECASE,
)
"""The same where nothing is prose: within a fence."""


def extract_sql(reply: str) -> str:
    """The SQL in a model's reply, empty when there is none.

    Takes the first fenced block if there is one, cuts at the end of the turn, and strips what
    chat models put around SQL. It does not judge the SQL; `guard` does.
    """
    text = reply.split("<|", 1)[0]
    if fenced := _FENCE.search(text):
        text = fenced.group(1)
    statement = _STATEMENT.search(text) or (_ANYWHERE.search(text) if fenced else None)
    if statement is None:
        return ""
    begins = statement.start("first" if statement["first"] else "within")
    opening = text[:begins]
    starts_with_parenthesis = opening.strip(" \t\r\n(") == ""
    start = len(opening) - len(opening.lstrip()) if starts_with_parenthesis else begins
    return text[start:].strip().removesuffix(";").strip()
