"""Where a database is: URLs and file paths, and what is wrong with them."""

from __future__ import annotations

import difflib
import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

from mnemosyne.errors import DatabaseError, DatabaseNotFound, DatabaseUnreadable
from mnemosyne.guard.query import Dialect

_KINDS: dict[str, Dialect] = {
    "sqlite": "sqlite",
    "sqlite3": "sqlite",
    "duckdb": "duckdb",
    "postgresql": "postgres",
    "postgres": "postgres",
    "postgresql+psycopg": "postgres",
}
_NAMES: dict[Dialect, str] = {"sqlite": "SQLite", "duckdb": "DuckDB", "postgres": "PostgreSQL"}
_SECRETS = {"password", "sslpassword", "passfile"}
_EXAMPLES = "URLs: sqlite:///lab.db, sqlite:////data/lab.db, duckdb:///lab.duckdb, postgresql://user@host:5432/lab."


@dataclass(frozen=True, slots=True, repr=False)
class Place:
    """A database that was named."""

    kind: Dialect
    """Which engine."""
    url: str
    """For people: without any password."""
    path: Path | None = None
    """The file, for SQLite and DuckDB."""
    conninfo: str = ""
    """The URL for libpq, password included, for PostgreSQL."""

    def scrub(self, message: str) -> str:
        """A message without the password, should a library have quoted the URL in it."""
        parts = urlsplit(self.conninfo)
        secrets = [parts.password or "", *(text for key, text in parse_qsl(parts.query) if key in _SECRETS)]
        for secret in sorted({form for each in secrets if each for form in (each, unquote(each))}, key=len):
            message = message.replace(secret, "***")
        return message

    def __repr__(self) -> str:
        return f"Place({self.url})"


def parse(url: str) -> Place:
    """The place that a URL or a file's path names. Raises DatabaseError and its kin."""
    text = url.strip()
    if not text:
        raise DatabaseError("No database is named.", hint=_EXAMPLES)
    scheme, separator, rest = text.partition("://")
    if not separator:
        return _file_place(Path(os.path.expanduser(text)))
    kind = _KINDS.get(scheme.lower())
    if kind is None:
        near = difflib.get_close_matches(scheme.lower(), _KINDS, n=1)
        meant = f" Did you mean {near[0]}://?" if near else ""
        raise DatabaseError(f"No database of kind {scheme!r} can be opened.{meant}", hint=_EXAMPLES)
    if kind == "postgres":
        return _server_place(text)
    path_text = unquote(rest.partition("?")[0])
    if not path_text.startswith("/"):
        raise DatabaseError(
            f"{scheme}://{rest} lacks a slash before the file.",
            hint=f"A relative file is {scheme}:///lab.db, an absolute one {scheme}:////data/lab.db.",
        )
    path = Path(os.path.expanduser(path_text[1:]))
    if path_text in ("/", "/:memory:"):
        raise DatabaseError("A database in memory is empty, there is nothing to ask.", hint=_EXAMPLES)
    check_file(path, kind)
    return Place(kind, f"{kind}:///{path}", path)


def file_kind(head: bytes) -> Dialect | None:
    """The engine whose file begins with these bytes (16 are enough), None when it is none that we know."""
    if head.startswith(b"SQLite format 3\x00"):
        return "sqlite"
    return "duckdb" if head[8:12] == b"DUCK" else None


def check_file(path: Path, kind: Dialect | None) -> Dialect:
    """The kind of the file at `path`, which must be `kind` if given. Raises DatabaseNotFound, DatabaseUnreadable."""
    try:
        if path.is_dir():
            raise DatabaseUnreadable(
                f"{path} is a folder, not a database file.", hint=_files_hint(path, path.name) or "Name the file in it."
            )
        with path.open("rb") as file:
            head = file.read(16)
    except FileNotFoundError:
        raise DatabaseNotFound(f"There is no file {path}.", hint=_files_hint(path.parent, path.name)) from None
    except NotADirectoryError:
        raise DatabaseNotFound(f"There is no file {path}: a part of its path is a file.") from None
    except PermissionError:
        raise DatabaseUnreadable(
            f"{path} may not be read by this user.", hint="Ask its owner for permission to read it."
        ) from None
    except (OSError, ValueError) as error:
        raise DatabaseUnreadable(f"{path} cannot be read: {error}.") from None
    return _check_head(path, head, kind)


def _check_head(path: Path, head: bytes, kind: Dialect | None) -> Dialect:
    if not head:
        raise DatabaseUnreadable(f"{path} is empty: it holds no database.", hint="Was it copied completely?")
    found = file_kind(head)
    if found is None:
        raise DatabaseUnreadable(
            f"{path} is not a {_NAMES[kind] if kind else 'SQLite or DuckDB'} database, or it is encrypted.",
            hint="Its first bytes are not those of such a file. Decrypt or export it first.",
        )
    if kind is not None and found != kind:
        raise DatabaseUnreadable(
            f"{path} is a {_NAMES[found]} file, not {_NAMES[kind]}.", hint=f"Use {found}:///{path}"
        )
    return found


def _file_place(path: Path) -> Place:
    kind = check_file(path, None)
    return Place(kind, f"{kind}:///{path}", path)


def _files_hint(folder: Path, name: str) -> str:
    """The nearest file names in a folder."""
    try:
        names = [entry.name for entry in folder.iterdir() if entry.is_file()]
    except OSError:
        return f"There is no folder {folder}." if not folder.exists() else ""
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    near = near or sorted(each for each in names if each.endswith((".db", ".sqlite", ".sqlite3", ".duckdb")))[:3]
    return f"In {folder.resolve()}: {', '.join(near)}." if near else ""


def _server_place(text: str) -> Place:
    rest = text.partition("://")[2]
    address, slash, path = rest.partition("/")
    user, at, host = address.rpartition("@")
    name, colon, password = user.partition(":")
    if at:
        # signs that people leave unquoted in a password would end it early and show the rest in messages
        user = quote(unquote(name), safe="") + colon + quote(unquote(password), safe="")
    try:
        parts = urlsplit(f"postgresql://{user}{at}{host}{slash}{path}")
        _ = parts.port if "," not in host else 0
    except ValueError as error:
        raise DatabaseError(f"The PostgreSQL URL has no meaning: {error}.", hint=_EXAMPLES) from None
    return Place("postgres", without_password(parts), conninfo=urlunsplit(parts))


def without_password(parts: SplitResult) -> str:
    """The URL without its password, in the user part or among the parameters."""
    user, at, host = parts.netloc.rpartition("@")
    query = urlencode([(key, value) for key, value in parse_qsl(parts.query) if key not in _SECRETS], quote_via=quote)
    return urlunsplit((parts.scheme, user.partition(":")[0] + at + host, parts.path, query, ""))
