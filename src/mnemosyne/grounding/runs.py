"""A question cut into words, and what the words around a run say of it: a pattern, a name, the opening of a sentence."""

from __future__ import annotations

import re

from mnemosyne.grounding.synonyms import normal, singular

PATTERN_BEFORE = re.compile(
    r"\b(contain(s|ing)?|(names?|codes?|titles?) (has|have|having|includes?|including)|(begin|start)(s|ning|ing)? with|end(s|ing)? (in|with)|mentions?|the words?)\s+['\"‘“]?$",
    re.IGNORECASE,
)
PATTERN_AFTER = re.compile(
    r"['\"’”]?\s+(anywhere )?in (it|the|their|its|his|her) ([\w-]+ )?"
    r"(names?|codes?|titles?|e-?mails?|address|matrix|description|point)\b",
    re.IGNORECASE,
)


class Text:
    """A question cut into words, with what its words name."""

    def __init__(self, question: str) -> None:
        self.question = question
        words = list(
            re.finditer(r"(?<=['\"])[<>](?=['\"])|(?<=qualifier )[<>]|[^\W_]+(?:[.'’&/+-][^\W_]+)*[.+-]?", question)
        )
        self.spans = [word.span() for word in words]
        self.words = [word.group() for word in words]
        self.asked = {singular(normal(word)) for word in self.words} | {normal(word) for word in self.words}

    def run(self, start: int, end: int) -> str:
        """The words from `start` up to `end`, as the question writes them, without an `'s` behind them."""
        return re.sub(r"['’]s$", "", self.whole(start, end))

    def whole(self, start: int, end: int) -> str:
        """The same with it: of some names it is a part, as of Wendy's."""
        return self.question[self.spans[start][0] : self.spans[end - 1][1]]

    def is_part_of_a_name(self, start: int, end: int) -> bool:
        """Whether a run is a pattern, as in `beginning with 'Borehole'` or `Water in the name`."""
        before, after = self.question[: self.spans[start][0]], self.question[self.spans[end - 1][1] :]
        return bool(PATTERN_BEFORE.search(before) or PATTERN_AFTER.match(after))

    def goes_on_as_a_name(self, start: int) -> bool:
        """Whether a capital follows, as in `Analyst Byrne`."""
        return re.match(r" [A-Z][a-z]", self.question[self.spans[start][1] :]) is not None

    def opens_sentence(self, start: int) -> bool:
        """Whether a word begins a sentence, so that its capital says nothing."""
        before = self.question[: self.spans[start][0]].rstrip(" '\"(")
        return not before or before[-1] in ".?!:"
