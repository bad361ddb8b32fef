"""Where a database is: URLs and file paths, and what is wrong with them."""

from __future__ import annotations

import difflib
import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit

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
_ENCODED = (
    "Special characters of a name or password must be percent-encoded: / is %2F, : is %3A, @ is %40. " + _EXAMPLES
)


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
        pairs = (pair.partition("=") for pair in parts.query.split("&"))  # as they stand: libpq knows no + for a space
        secrets = [parts.password or "", *(text for key, _, text in pairs if unquote(key) in _SECRETS)]
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
    return f"In {folder.resolve()}: {', '.join(near)}." if near else f"No database lies in {folder.resolve()}."


def _server_place(text: str) -> Place:
    """The place of a PostgreSQL URL. Raises DatabaseError, which quotes nothing that may be part of a password."""
    rest = text.partition("://")[2]
    address, slash, path = rest.partition("/")
    early, at, _ = _before_values(rest).rpartition("@")
    if at and "/" in early and ":" in early:
        raise DatabaseError("The PostgreSQL URL has no meaning: a slash stands before its @.", hint=_ENCODED)
    user, at, host = address.rpartition("@")
    name, colon, password = user.partition(":")
    if at:
        # signs that people leave unquoted in a password would end it early and show the rest in messages
        user = quote(unquote(name), safe="") + colon + quote(unquote(password), safe="")
    try:
        parts = urlsplit(f"postgresql://{user}{at}{host}{slash}{path}")
    except ValueError:
        raise DatabaseError("The PostgreSQL URL has no meaning: its host cannot be read.", hint=_ENCODED) from None
    try:
        _ = parts.port if "," not in host else 0
    except ValueError:
        raise DatabaseError(
            "The PostgreSQL URL has no meaning: its port is not a number up to 65535.", hint=_ENCODED
        ) from None
    return Place("postgres", without_password(parts), conninfo=joined(parts))


def _before_values(rest: str) -> str:
    """The URL up to the first value of its parameters: the @ of an address is never later."""
    path, mark, parameters = rest.partition("?")
    return path + mark + parameters.partition("=")[0]


def joined(parts: SplitResult) -> str:
    """The URL of the parts. `urlunsplit` would drop the // of one without a host, which libpq then cannot read."""
    query = f"?{parts.query}" if parts.query else ""
    fragment = f"#{parts.fragment}" if parts.fragment else ""
    return f"{parts.scheme}://{parts.netloc}{parts.path}{query}{fragment}"


def without_password(parts: SplitResult) -> str:
    """The URL without its password, in the user part or among the parameters."""
    user, at, host = parts.netloc.rpartition("@")
    query = urlencode([(key, value) for key, value in parse_qsl(parts.query) if key not in _SECRETS], quote_via=quote)
    return joined(parts._replace(netloc=user.partition(":")[0] + at + host, query=query, fragment=""))
