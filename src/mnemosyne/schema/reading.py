"""DDL to a schema: a forgiving reader of files, dumps and one-liners of several dialects.

It is written by hand because a dump is mostly what nobody asks about (data, functions, grants), because
comments carry meaning here, and because an error must name its line. It checks no types.
"""

from __future__ import annotations

from dataclasses import replace

from mnemosyne.errors import SchemaError
from mnemosyne.schema import Column, ForeignKey, Schema, Table
from mnemosyne.schema.checks import value_lists
from mnemosyne.schema.tokens import Token, Tokens, tokenize
from mnemosyne.schema.writing import plain

_DEFAULT_NAMESPACES = {"public", "main", "dbo"}
_TABLE_KINDS = ("TEMP", "TEMPORARY", "UNLOGGED", "GLOBAL", "LOCAL", "FOREIGN", "EXTERNAL", "RECURSIVE")
_CONSTRAINT_WORDS = (
    "PRIMARY NOT NULL DEFAULT REFERENCES CHECK UNIQUE CONSTRAINT COLLATE GENERATED AUTO_INCREMENT AUTOINCREMENT COMMENT"
    " ON IDENTITY AS KEY STORED VIRTUAL DEFERRABLE INITIALLY USING COMPRESSION STORAGE INVISIBLE VISIBLE"
)
_COLUMN_CONSTRAINTS = frozenset(_CONSTRAINT_WORDS.split())


def read(text: str, dialect: str = "postgres") -> Schema:
    """The schema that `text` describes. Raises SchemaError."""
    reader = _Reader(dialect)
    for statement in Tokens(tokenize(text, dialect)).statements():
        reader.statement(statement)
    return reader.schema(text)


class _Draft:
    """A table while it is read."""

    def __init__(self, name: str, namespace: str, line: int, is_view: bool = False) -> None:
        self.name = name
        self.namespace = namespace
        self.line = line
        self.is_view = is_view
        self.comment = ""
        self.columns: dict[str, Column] = {}
        self.primary_key: tuple[str, ...] = ()
        self.foreign_keys: list[ForeignKey] = []

    def change(self, column: str, **changes: object) -> None:
        """Change a column; a constraint on a column that does not exist is passed over."""
        key = column.lower()
        if key in self.columns:
            self.columns[key] = replace(self.columns[key], **changes)  # type: ignore[arg-type]

    def spelled(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Column names as the table spells them."""
        return tuple(self.columns[name.lower()].name if name.lower() in self.columns else name for name in names)


class _Reader:
    def __init__(self, dialect: str) -> None:
        self.dialect = dialect
        self.drafts: dict[str, _Draft] = {}
        self.enums: dict[str, tuple[str | int | float, ...]] = {}
        self.domains: dict[str, Column] = {}
        self.case_sensitive = False
        self.quoted: set[str] = set()

    def statement(self, tokens: Tokens) -> None:
        """Read one statement, or pass it over."""
        comment = tokens.comment_above
        if tokens.take("CREATE"):
            tokens.take("OR", "REPLACE")
            while tokens.take_any(
                "TEMP", "TEMPORARY", "UNLOGGED", "GLOBAL", "LOCAL", "FOREIGN", "EXTERNAL", "RECURSIVE"
            ):
                pass
            if tokens.take("TABLE"):
                self._create_table(tokens, comment)
            elif tokens.take("VIEW") or tokens.take("MATERIALIZED", "VIEW"):
                self._create_view(tokens, comment)
            elif tokens.take("TYPE"):
                self._create_type(tokens)
            elif tokens.take("DOMAIN"):
                self._create_domain(tokens)
        elif tokens.take("ALTER"):
            tokens.take("FOREIGN")
            if tokens.take("TABLE"):
                self._alter_table(tokens)
        elif tokens.take("COMMENT", "ON"):
            self._comment_on(tokens)

    def _create_table(self, tokens: Tokens, comment: str) -> None:
        tokens.take("IF", "NOT", "EXISTS")
        draft = self._draft(tokens)
        if tokens.take("PARTITION", "OF"):
            return
        if not tokens.at("("):
            raise SchemaError(
                f"Line {draft.line}: table {draft.name} has no list of columns.",
                hint="Write CREATE TABLE name (column TYPE, …); CREATE TABLE … AS cannot be read without a database.",
            )
        draft.comment = comment
        body = tokens.group()
        for item in body.items():
            self._item(draft, item)
        if not draft.columns:
            raise SchemaError(f"Line {draft.line}: table {draft.name} has no columns.", hint="Give it at least one.")
        self._table_options(draft, tokens)
        known = self.drafts.setdefault(self._key(draft.namespace, draft.name), draft)
        for key, column in draft.columns.items():
            # data sets give a table once for every part of it that a query uses
            known.columns.setdefault(key, column)
        following = tokens.from_word("CREATE")
        if following is not None:
            self.statement(following)

    def _create_view(self, tokens: Tokens, comment: str) -> None:
        """A view with a list of columns; what a SELECT would return is for a live database to say."""
        tokens.take("IF", "NOT", "EXISTS")
        draft = self._draft(tokens)
        if not tokens.at("("):
            return
        draft.is_view, draft.comment = True, comment
        for item in tokens.group().items():
            self._column(draft, item)
        self.drafts.setdefault(self._key(draft.namespace, draft.name), draft)

    def _table_options(self, draft: _Draft, tokens: Tokens) -> None:
        if tokens.take("INHERITS") and tokens.at("("):
            for item in tokens.group().items():
                parent = self._find(item)
                if parent is not None:
                    draft.columns = {**parent.columns, **draft.columns}
        while not tokens.done and not tokens.peek("CREATE"):
            if tokens.take("COMMENT"):
                tokens.take("=")
                if tokens.kind == "string":
                    draft.comment = tokens.next().text
                    continue
            tokens.next()

    def _item(self, draft: _Draft, tokens: Tokens) -> None:
        if tokens.done:
            return
        if not self._table_constraint(draft, tokens):
            self._column(draft, tokens)

    def _table_constraint(self, draft: _Draft, tokens: Tokens) -> bool:
        if tokens.peek("CONSTRAINT"):
            tokens.take("CONSTRAINT")
            if not tokens.peek_any("PRIMARY", "FOREIGN", "UNIQUE", "CHECK", "EXCLUDE", "NOT"):
                self._name(tokens)
            self._table_constraint(draft, tokens)
            return True
        if tokens.take("PRIMARY", "KEY"):
            tokens.skip_to("(")
            if not tokens.done:
                self._primary_key(draft, self._names(tokens.group()))
            return True
        if tokens.take("FOREIGN", "KEY"):
            tokens.skip_to("(")
            if not tokens.done:
                columns = self._names(tokens.group())
                if tokens.take("REFERENCES"):
                    self._references(draft, columns, tokens)
            return True
        if tokens.peek("CHECK", "("):
            tokens.take("CHECK")
            self._check(draft, tokens.group())
            return True
        if tokens.take("LIKE"):
            parent = self._find(tokens)
            if parent is not None:
                draft.columns.update(parent.columns)
            return True
        return tokens.is_index() or tokens.peek("EXCLUDE", "USING") or tokens.peek("EXCLUDE", "(")

    def _column(self, draft: _Draft, tokens: Tokens) -> None:
        note = tokens.trailing_comment
        name = self._name(tokens)
        type_text = self._type(tokens)
        column = Column(name, type_text, comment=note)
        known = self.enums.get(type_text.lower().rsplit(".", 1)[-1])
        domain = self.domains.get(type_text.lower().rsplit(".", 1)[-1])
        if known is not None:
            column = replace(column, type="ENUM", values=known)
        elif domain is not None:
            column = replace(domain, name=name, comment=note)
        elif type_text.upper().startswith(("ENUM(", "SET(")) and type_text.upper().startswith("ENUM("):
            column = replace(column, values=tuple(t.text for t in tokens.type_arguments if t.kind == "string"))
        draft.columns.setdefault(name.lower(), column)
        self._column_constraints(draft, name, tokens)

    def _column_constraints(self, draft: _Draft, name: str, tokens: Tokens) -> None:
        while not tokens.done:
            if tokens.take("PRIMARY", "KEY"):
                self._primary_key(draft, (name,))
            elif tokens.take("NOT", "NULL"):
                draft.change(name, nullable=False)
            elif tokens.take("REFERENCES"):
                self._references(draft, (name,), tokens)
            elif tokens.peek("CHECK", "("):
                tokens.take("CHECK")
                self._check(draft, tokens.group())
            elif tokens.take("COMMENT"):
                if tokens.kind == "string":
                    draft.change(name, comment=tokens.next().text)
            elif tokens.at("("):
                tokens.group()
            else:
                tokens.next()

    def _type(self, tokens: Tokens) -> str:
        """The type up to the first constraint, as written; empty when there is none (SQLite)."""
        taken: list[Token] = []
        while not tokens.done:
            word = tokens.word
            if word in _COLUMN_CONSTRAINTS or (word == "CHARACTER" and tokens.peek("CHARACTER", "SET")):
                break
            if tokens.at("("):
                arguments = tokens.group()
                tokens.type_arguments = arguments.tokens
                taken += [Token("op", "(", 0), *arguments.tokens, Token("op", ")", 0)]
            else:
                taken.append(tokens.next())
        return _join(taken)

    def _primary_key(self, draft: _Draft, columns: tuple[str, ...]) -> None:
        draft.primary_key = draft.spelled(columns)
        for column in columns:
            draft.change(column, nullable=False)

    def _references(self, draft: _Draft, columns: tuple[str, ...], tokens: Tokens) -> None:
        namespace, table = self._table_name(tokens)
        references = self._names(tokens.group()) if tokens.at("(") else ()
        target = f"{namespace}.{table}" if namespace else table
        draft.foreign_keys.append(ForeignKey(draft.spelled(columns), target, references))

    def _check(self, draft: _Draft, tokens: Tokens) -> None:
        for column, values in value_lists(tokens.tokens).items():
            draft.change(column, values=values)

    def _create_type(self, tokens: Tokens) -> None:
        _, name = self._table_name(tokens)
        if tokens.take("AS", "ENUM") and tokens.at("("):
            self.enums[name.lower()] = tuple(t.text for t in tokens.group().tokens if t.kind == "string")

    def _create_domain(self, tokens: Tokens) -> None:
        _, name = self._table_name(tokens)
        tokens.take("AS")
        scratch = _Draft(name, "", tokens.line)
        scratch.columns["value"] = Column("VALUE", self._type(tokens))
        self._column_constraints(scratch, "value", tokens)
        self.domains[name.lower()] = scratch.columns["value"]

    def _alter_table(self, tokens: Tokens) -> None:
        tokens.take("IF", "EXISTS")
        tokens.take("ONLY")
        draft = self._find(tokens)
        if draft is None:
            return
        for action in tokens.items():
            if action.take("ADD"):
                if action.take("COLUMN"):
                    action.take("IF", "NOT", "EXISTS")
                    self._column(draft, action)
                else:
                    self._item(draft, action)
            elif action.take("ALTER"):
                action.take("COLUMN")
                column = self._name(action)
                if action.take("SET", "NOT", "NULL"):
                    draft.change(column, nullable=False)

    def _comment_on(self, tokens: Tokens) -> None:
        if tokens.take("COLUMN"):
            parts = self._dotted(tokens)
            text = self._comment_text(tokens)
            if len(parts) >= 2 and text is not None:
                draft = self.drafts.get(self._key(parts[-3] if len(parts) > 2 else "", parts[-2]))
                if draft is not None:
                    draft.change(parts[-1], comment=text)
        elif tokens.take("TABLE") or tokens.take("VIEW") or tokens.take("MATERIALIZED", "VIEW"):
            draft = self._find(tokens)
            text = self._comment_text(tokens)
            if draft is not None and text is not None:
                draft.comment = text

    def _comment_text(self, tokens: Tokens) -> str | None:
        if tokens.take("IS") and tokens.kind == "string":
            return tokens.next().text
        return None

    def _draft(self, tokens: Tokens) -> _Draft:
        line = tokens.line
        namespace, name = self._table_name(tokens)
        return _Draft(name, namespace, line)

    def _find(self, tokens: Tokens) -> _Draft | None:
        return self.drafts.get(self._key(*self._table_name(tokens)))

    def _key(self, namespace: str, name: str) -> str:
        namespace = "" if namespace.lower() in _DEFAULT_NAMESPACES else namespace
        return f"{namespace}.{name}".lower()

    def _table_name(self, tokens: Tokens) -> tuple[str, str]:
        parts = self._dotted(tokens)
        namespace = parts[-2] if len(parts) > 1 else ""
        return ("" if namespace.lower() in _DEFAULT_NAMESPACES else namespace), parts[-1]

    def _dotted(self, tokens: Tokens) -> list[str]:
        parts = [self._name(tokens)]
        while tokens.take("."):
            parts.append(self._name(tokens))
        return parts

    def _names(self, tokens: Tokens) -> tuple[str, ...]:
        return tuple(self._name(item) for item in tokens.items() if not item.done)

    def _name(self, tokens: Tokens) -> str:
        token = tokens.next()
        if token.kind not in ("word", "quoted", "string"):
            raise SchemaError(
                f"Line {token.line}: a name was expected, not {token.text!r}.",
                hint="Put names with spaces or signs in double quotes.",
            )
        if token.kind == "quoted" and self.dialect == "postgres":
            self.quoted.add(token.text)
            # quotes that only its capitals can need: this text follows PostgreSQL's rule
            self.case_sensitive = self.case_sensitive or (plain(token.text) and token.text != token.text.lower())
        return token.text

    def schema(self, text: str) -> Schema:
        """The finished schema. Raises SchemaError when it holds no table."""
        if not self.drafts:
            raise SchemaError(
                "The schema is empty." if not text.strip() else "The schema holds no CREATE TABLE.",
                hint="Give DDL such as CREATE TABLE samples (sample_id INTEGER PRIMARY KEY, …);",
            )
        return Schema(tuple(self._finish(draft) for draft in self.drafts.values()), self.case_sensitive)

    def _finish(self, draft: _Draft) -> Table:
        keys = [self._resolve(key) for key in draft.foreign_keys]
        return Table(
            name=self._stored(draft.name),
            columns=tuple(replace(column, name=self._stored(column.name)) for column in draft.columns.values()),
            primary_key=self._all_stored(draft.spelled(draft.primary_key)),
            foreign_keys=tuple(
                ForeignKey(self._all_stored(key.columns), self._stored(key.table), self._all_stored(key.references))
                for key in keys
            ),
            comment=draft.comment,
            is_view=draft.is_view,
            namespace=self._stored(draft.namespace),
        )

    def _stored(self, name: str) -> str:
        """A name as PostgreSQL stores it, when the text follows its rule; else as written."""
        return name.lower() if self.case_sensitive and plain(name) and name not in self.quoted else name

    def _all_stored(self, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(self._stored(name) for name in names)

    def _resolve(self, key: ForeignKey) -> ForeignKey:
        """A key with its target spelled as the target is, and its columns named when they were left out."""
        namespace, _, name = key.table.rpartition(".")
        target = self.drafts.get(self._key(namespace, name))
        if target is None:
            return key
        references = target.spelled(key.references) or target.primary_key
        if len(references) != len(key.columns):
            references = key.references
        full = f"{target.namespace}.{target.name}" if target.namespace else target.name
        return ForeignKey(key.columns, full, references)


def _join(tokens: list[Token]) -> str:
    """Tokens of a type as text: `character varying(20)`, `NUMERIC(10, 2)`, `int[]`."""
    text = ""
    for token in tokens:
        piece = "'" + token.text + "'" if token.kind == "string" else token.text
        glue = not text or text[-1] in "([." or piece in "()[],."
        text += piece if glue else f" {piece}"
    return text
