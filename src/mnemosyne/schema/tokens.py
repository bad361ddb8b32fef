"""DDL as tokens, for the reader: words, names in quotes, strings, numbers, signs; comments kept aside."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from mnemosyne.errors import SchemaError

_TOKEN = re.compile(
    r"""
      (?P<space>\s+)
    | (?P<comment>--[^\n]*|/\*.*?\*/)
    | (?P<dollar>\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)
    | (?P<estring>[eE]'(?:[^'\\]|\\.|'')*')
    | (?P<string>'(?:[^']|'')*')
    | (?P<quoted>"(?:[^"]|"")*"|`(?:[^`]|``)*`|(?<![\w\]])\[[A-Za-z_][^\]\n]*\])
    | (?P<number>\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+)
    | (?P<word>[^\W\d][\w$\#]*)
    | (?P<op>::|<>|<=|>=|!=|\|\||.)
    """,
    re.VERBOSE | re.DOTALL,
)
_MYSQL_STRING = re.compile(r"'(?:[^'\\]|\\.|'')*'", re.DOTALL)
_COPY_DATA = re.compile(r"^COPY\s[^;]*\sFROM\s+stdin;.*?^\\\.$", re.DOTALL | re.MULTILINE | re.IGNORECASE)
_PSQL_COMMAND = re.compile(r"^\\.*$", re.MULTILINE)
_HASH_COMMENT = re.compile(r"^\s*#.*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Token:
    """One token."""

    kind: str
    """`word`, `quoted`, `string`, `number` or `op`; `comment` before the reader takes it aside."""
    text: str
    """Without its quotes."""
    line: int
    """From 1."""
    after: str = ""
    """The comment that follows on the same line, after a comma too."""
    above: str = ""
    """The `--` comment directly above, without a blank line."""


def tokenize(text: str, dialect: str = "postgres") -> list[Token]:
    """The tokens of `text`; data of COPY, psql commands and comments are left out. Raises SchemaError."""
    text = _COPY_DATA.sub(_blank, text.replace("\r\n", "\n").removeprefix("\ufeff"))
    text = _PSQL_COMMAND.sub("", text)
    if dialect == "mysql":
        text = _HASH_COMMENT.sub("", text)
    return _attach_comments(list(_scan(text, dialect)))


def _blank(match: re.Match[str]) -> str:
    """As many lines as the match had, so that line numbers stay true."""
    return "\n" * match.group().count("\n")


def _scan(text: str, dialect: str) -> Iterator[Token]:
    position, line = 0, 1
    while position < len(text):
        if dialect == "mysql" and text[position] == "'":
            match = _MYSQL_STRING.match(text, position)
            kind = "estring"
        else:
            match = _TOKEN.match(text, position)
            kind = (match.lastgroup or "") if match else ""
        if match is None or (kind == "op" and match.group() in "'\"`"):
            raise SchemaError(
                f"Line {line}: a quote ({text[position]}) is opened and never closed.", hint="Close it, then try again."
            )
        found = match.group()
        if match.re is _TOKEN and match.group("dollar") is not None:
            kind = "dollar"
        if kind != "space":
            yield _token(kind, found, line)
        line += found.count("\n")
        position = match.end()


def _token(kind: str, found: str, line: int) -> Token:
    match kind:
        case "string":
            return Token("string", found[1:-1].replace("''", "'"), line)
        case "estring":
            inner = found[found.index("'") + 1 : -1]
            return Token("string", re.sub(r"\\(.)|''", lambda m: m.group(1) or "'", inner), line)
        case "dollar":
            return Token("string", found[found.index("$", 1) + 1 : found.rindex("$", 0, -1)], line)
        case "quoted":
            closing = found[-1]
            return Token("quoted", found[1:-1].replace(closing * 2, closing), line)
        case _:
            return Token(kind, found, line)


def _attach_comments(tokens: list[Token]) -> list[Token]:
    """Tokens without comments; each comment goes to the token before it on its line, or to the one below it."""
    kept: list[Token] = []
    above: list[str] = []
    above_line = 0
    for token in tokens:
        if token.kind == "comment":
            if kept and kept[-1].line == token.line:
                if token.text.startswith("--"):
                    last = kept[-1]
                    kept[-1] = Token(last.kind, last.text, last.line, token.text[2:].strip(), last.above)
            elif token.text.startswith("--"):
                above = [*above, token.text[2:].strip()] if above_line == token.line - 1 else [token.text[2:].strip()]
                above_line = token.line
            continue
        note = " ".join(above).strip() if above and above_line == token.line - 1 else ""
        above = []
        kept.append(Token(token.kind, token.text, token.line, "", note))
    return kept


class Tokens:
    """A cursor over tokens."""

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens
        self.position = 0
        self.type_arguments: list[Token] = []
        self.trailing_comment = ""

    @property
    def done(self) -> bool:
        """Nothing is left."""
        return self.position >= len(self.tokens)

    @property
    def kind(self) -> str:
        """Kind of the next token, empty at the end."""
        return "" if self.done else self.tokens[self.position].kind

    @property
    def word(self) -> str:
        """The next token in capitals when it is a word, else empty."""
        return self.tokens[self.position].text.upper() if self.kind == "word" else ""

    @property
    def line(self) -> int:
        """Line of the next token, or of the last."""
        if not self.tokens:
            return 1
        return self.tokens[min(self.position, len(self.tokens) - 1)].line

    @property
    def comment_above(self) -> str:
        """The comment directly above the next token."""
        return "" if self.done else self.tokens[self.position].above

    def next(self) -> Token:
        """Take the next token. Raises SchemaError at the end."""
        if self.done:
            raise SchemaError(f"Line {self.line}: the statement ends too early.", hint="Is something cut off?")
        self.position += 1
        return self.tokens[self.position - 1]

    def at(self, sign: str) -> bool:
        """The next token is this sign."""
        return self.kind == "op" and self.tokens[self.position].text == sign

    def peek(self, *words: str) -> bool:
        """The next tokens are these words or signs."""
        ahead = self.tokens[self.position : self.position + len(words)]
        return len(ahead) == len(words) and all(
            token.kind in ("word", "op") and token.text.upper() == word
            for token, word in zip(ahead, words, strict=True)
        )

    def peek_any(self, *words: str) -> bool:
        """The next token is one of these words."""
        return self.word in words

    def take(self, *words: str) -> bool:
        """Take these words or signs if they come next."""
        if not self.peek(*words):
            return False
        self.position += len(words)
        return True

    def take_any(self, *words: str) -> bool:
        """Take one of these words if it comes next."""
        return self.word in words and self.take(self.word)

    def skip_to(self, sign: str) -> None:
        """Move to the next such sign, or to the end."""
        while not self.done and not self.at(sign):
            self.position += 1

    def group(self) -> Tokens:
        """Take `( … )` and give what is inside. Raises SchemaError when it is not closed."""
        opening = self.next()
        start, depth = self.position, 1
        while not self.done:
            depth += self.at("(") - self.at(")")
            self.position += 1
            if depth == 0:
                return Tokens(self.tokens[start : self.position - 1])
        raise SchemaError(
            f"Line {opening.line}: a parenthesis is opened and never closed.",
            hint="Check the statement that begins there, and that every statement ends with a semicolon.",
        )

    def items(self) -> Iterator[Tokens]:
        """What is left, split at its commas; a comment after a comma belongs to what came before it."""
        items: list[list[Token]] = [[]]
        notes = [""]
        depth = 0
        for token in self.tokens[self.position :]:
            depth += (token.kind == "op") * ((token.text in "([") - (token.text in ")]"))
            if token.kind == "op" and token.text == "," and depth == 0:
                notes[-1] = token.after or notes[-1]
                items.append([])
                notes.append("")
            else:
                items[-1].append(token)
                notes[-1] = token.after or notes[-1]
        for item, note in zip(items, notes, strict=True):
            part = Tokens(item)
            part.trailing_comment = note
            yield part

    def statements(self) -> Iterator[Tokens]:
        """What is left, split at its semicolons, empty ones left out."""
        start = self.position
        for position in range(start, len(self.tokens) + 1):
            at_end = position == len(self.tokens)
            if at_end or (self.tokens[position].kind == "op" and self.tokens[position].text == ";"):
                if position > start:
                    yield Tokens(self.tokens[start:position])
                start = position + 1

    def from_word(self, word: str) -> Tokens | None:
        """What is left from this word on, None when it does not come."""
        while not self.done:
            if self.word == word:
                return Tokens(self.tokens[self.position :])
            self.position += 1
        return None

    def is_index(self) -> bool:
        """A table-level UNIQUE, KEY or INDEX and not a column of such a name."""
        if not self.peek_any("UNIQUE", "KEY", "INDEX", "FULLTEXT", "SPATIAL"):
            return False
        rest = self.tokens[self.position + 1 :]
        if not rest:
            return False
        if rest[0].text == "(" or rest[0].text.upper() in ("KEY", "INDEX", "NULLS"):
            return True
        inside = len(rest) > 2 and rest[1].text == "(" and rest[2].kind in ("word", "quoted", "string")
        return inside and rest[0].text.upper() not in ("ENUM", "SET")
