"""`mnemosyne predict`: SQL for a file of questions, one line out for each line in, in order."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

import click

from mnemosyne import locks
from mnemosyne.cli import console, downloading, files
from mnemosyne.errors import MnemosyneError, SettingsError

if TYPE_CHECKING:
    from mnemosyne.assistant import Assistant, Options
    from mnemosyne.databases import Database, Limits
    from mnemosyne.engines import Engine
    from mnemosyne.guard.policy import Policy
    from mnemosyne.guard.query import Dialect
    from mnemosyne.schema import Schema
    from mnemosyne.settings import Settings

BATCH = 64
"""Questions handed to the model at once; each answer is on disk once all before it are."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the input."""

    id: Any
    """As given; a line without one is named by its number."""
    question: str
    """Empty when the line has none."""
    db: str
    """URL of the database, empty when there is only a schema."""
    schema: str
    """A file of DDL or the DDL itself."""
    broken: str = ""
    """Why the line cannot be read, empty when it can."""


@click.command("predict")
@click.argument("questions", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), metavar="FILE", help="PREDS.jsonl")
@click.option("--db", "url", metavar="URL", help="Database of the lines that name none.")
@click.option("--schema", metavar="FILE", help="DDL of the lines that name none: SQL is written, nothing runs.")
@click.option("--model", metavar="NAME", help="Catalogue name, GGUF file, or BASE+ADAPTER.gguf.")
@click.option(
    "--votes", type=click.IntRange(1, 32), default=1, show_default=True, help="Candidates to draw and compare."
)
@click.option("--no-repair", is_flag=True, help="Do not give a failing query back to the model.")
@click.option("--no-grounding", is_flag=True, help="Tell the model nothing of stored values and windows of time, and "
              "do not look whether its query has them.")  # fmt: skip
@click.option("--no-linking", is_flag=True, help="Show a large schema whole, not the tables that a question needs.")
@click.option(
    "--dialect",
    type=click.Choice(("postgres", "sqlite", "duckdb")),
    help="Dialect of the SQL. [default: the database's own; postgres for a schema]",
)
@click.option("--policy", "policy_file", type=click.Path(path_type=Path), metavar="FILE",
              help="YAML file: the tables, columns and rows that may be read.")  # fmt: skip
@click.option("--today", type=click.DateTime(["%Y-%m-%d"]), metavar="YYYY-MM-DD", help="Take this day for today.")
def command(
    questions: Path,
    output: Path,
    url: str | None,
    schema: str | None,
    model: str | None,
    votes: int,
    no_repair: bool,
    no_grounding: bool,
    no_linking: bool,
    dialect: str | None,
    policy_file: Path | None,
    today: datetime | None,
) -> int:
    """Write SQL for every line of QUESTIONS, a JSONL file of {"id", "question"[, "db" | "schema"]}.

    "db" is a URL or a file, "schema" a file of DDL or the DDL itself; a line's own wins over --db and
    --schema. Each line gives one line {"id", "sql", "ok", "problem", …} in the same order; a line that
    cannot be answered has an empty "sql" and says why. With a database the SQL is run read-only, so
    that a query that fails can be repaired; results are not kept.

    FILE appears when all is done; a run that was interrupted goes on where it stopped when the same
    command is given again.

    Exit codes: 0 every line has its line, 2 misuse or broken surroundings.
    """
    from mnemosyne import settings
    from mnemosyne.assistant import Options
    from mnemosyne.databases import Limits
    from mnemosyne.engines import open_engine
    from mnemosyne.guard.policy import read_policy

    files.check_place(output)
    if files.is_stream(output):
        raise SettingsError(f"{output} is no file, so a run could not go on there.", hint="Name a file.")
    output = files.behind(output)
    lines = list(_lines(questions, url or "", schema or ""))
    policy = read_policy(policy_file) if policy_file is not None else None
    chosen = settings.load()
    name = model or chosen.model
    options = Options(
        votes=votes,
        repairs=0 if no_repair else Options().repairs,
        grounding=not no_grounding,
        linking=not no_linking,
        today=today.date() if today is not None else None,
    )
    partial = output.with_name(f".{output.name}.{_fingerprint(lines, name, options, dialect, policy, chosen)}.partial")
    err = console.stderr()
    with _alone(partial, output):
        done = _finished(partial)
        if done:
            err.print(f"{done} of {len(lines)} lines are there from an earlier run.", style="dim")
        if not lines:
            err.print(f"{questions} holds no questions, so {output} holds no answers.", markup=False, soft_wrap=True)
        if done == len(lines):  # nothing is left for a model
            partial.touch()
            files.put_in_place(partial, output)
            return 0
        _look(lines[done:], url or "", schema or "")
        downloading.fetch(name, chosen)
        with err.status("Loading the model …"):
            engine = open_engine(name, chosen)
        limits = Limits(chosen.query_timeout_seconds, chosen.max_rows, chosen.max_bytes, chosen.memory_mb)
        room = _Room(engine, options, limits, cast("Dialect | None", dialect), policy, chosen)
        try:
            with partial.open("a", encoding="utf-8") as file:
                _predict(room, lines[done:], name, file)
        finally:
            room.close()
        files.put_in_place(partial, output)
    return 0


@contextmanager
def _alone(partial: Path, output: Path) -> Iterator[None]:
    """Keep a second process out of a run, whose lines would come twice. Raises SettingsError when one is at work."""
    file = partial.with_suffix(".lock")
    busy = SettingsError(
        f"Another process is making {output} from the same questions.",
        hint="Wait until it ends, or write to another file.",
    )
    with locks.alone(file, busy):
        try:
            yield
        finally:
            file.unlink(missing_ok=True)


@dataclass(slots=True)
class _Room:
    """The assistants of a run, one per database or schema, all with the same model."""

    engine: Engine
    options: Options
    limits: Limits
    dialect: Dialect | None
    policy: Policy | None
    settings: Settings
    open: dict[tuple[str, str], Assistant | MnemosyneError] = field(default_factory=dict)

    def assistant(self, line: Line) -> Assistant | MnemosyneError:
        """The assistant of a line's database or schema, or why there is none."""
        key = (line.db, line.schema)
        if key not in self.open:
            try:
                self.open[key] = self._open(line)
            except MnemosyneError as error:
                self.open[key] = error
        return self.open[key]

    def _open(self, line: Line) -> Assistant:
        from mnemosyne.assistant import Assistant, lexicon
        from mnemosyne.schema import Schema

        source = _source(line)
        if not isinstance(source, Schema):
            database = source
            try:
                assistant = Assistant.over(
                    self.engine,
                    database,
                    options=self.options,
                    limits=self.limits,
                    settings=self.settings,
                    policy=self.policy,
                )
            except MnemosyneError:
                database.close()
                raise
            if self.dialect is not None and self.dialect != database.dialect:
                assistant.dialect = self.dialect
                assistant.options = replace(self.options, run=False)
            return assistant
        dialect = self.dialect or "postgres"
        names = lexicon.chosen(self.settings, source)
        return Assistant(self.engine, source, None, dialect, self.options, policy=self.policy, names=names)

    def close(self) -> None:
        """Close every database and the model."""
        for assistant in self.open.values():
            if not isinstance(assistant, MnemosyneError):
                assistant.close()
        self.engine.close()


def _source(line: Line) -> Database | Schema:
    """What a line is asked of: its database, opened, or its schema. Raises MnemosyneError."""
    from mnemosyne.databases import open_database
    from mnemosyne.schema import Schema

    if line.db:
        return open_database(line.db)
    if not line.schema:
        raise SettingsError("The line names neither a database nor a schema.", hint="Give --db or --schema.")
    return Schema.from_ddl(line.schema if "(" in line.schema else _read_ddl(Path(line.schema)))


def _look(lines: Sequence[Line], url: str, schema: str) -> None:
    """See before any weights are fetched that some line can be asked of what it names.

    Raises MnemosyneError: lines wait for --db or --schema, which cannot be read, and no line names another that can.
    """
    from mnemosyne.schema import Schema

    given = (url, "" if url else schema)
    problem: MnemosyneError | None = None
    for key, line in {(line.db, line.schema): line for line in lines if not line.broken}.items():
        try:
            source = _source(line)
        except MnemosyneError as error:
            problem = error if key == given and any(given) else problem
            continue
        if not isinstance(source, Schema):
            source.close()
        return
    if problem is not None:
        raise problem


def _predict(room: _Room, lines: list[Line], model: str, file: IO[str]) -> None:
    """Answer the lines batch by batch; neighbours that share a schema share its prefix."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("Writing SQL"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console.stderr(), transient=True) as progress:
        task = progress.add_task("", total=len(lines))
        for start in range(0, len(lines), BATCH):
            batch = lines[start : start + BATCH]
            waiting: dict[int, dict[str, Any]] = {}
            written = 0
            for position, record in _answer(room, batch, model):
                waiting[position] = record
                progress.advance(task)
                while written in waiting:
                    file.write(json.dumps(waiting.pop(written), ensure_ascii=False) + "\n")
                    written += 1
                file.flush()


def _answer(room: _Room, batch: list[Line], model: str) -> Iterator[tuple[int, dict[str, Any]]]:
    groups: dict[tuple[str, str], list[int]] = {}
    for position, line in enumerate(batch):
        if line.broken:
            yield position, _unanswered(line, line.broken, model)
        else:
            groups.setdefault((line.db, line.schema), []).append(position)
    for positions in groups.values():
        assistant = room.assistant(batch[positions[0]])
        if isinstance(assistant, MnemosyneError):
            problem = f"{assistant} {assistant.hint}".strip()
            yield from ((position, _unanswered(batch[position], problem, model)) for position in positions)
            continue
        for number, answer in assistant.ask_many([batch[position].question for position in positions]):
            position = positions[number]
            yield position, console.answer_record(answer, batch[position].id, model, assistant.dialect)


def _unanswered(line: Line, problem: str, model: str) -> dict[str, Any]:
    return {"id": line.id, "sql": "", "ok": False, "problem": problem, "model": model}


def _lines(path: Path, url: str, schema: str) -> Iterator[Line]:
    """The input lines; a line's own database or schema wins. A broken line still gets its place."""
    with path.open(encoding="utf-8-sig", errors="surrogateescape") as file:
        for number, text in enumerate(file, 1):
            try:
                value = json.loads(text)
            except (ValueError, RecursionError):  # ValueError: also a number of 5,000 digits
                value = None
            if not isinstance(value, dict):
                yield Line(number, "", url, schema, f"Line {number} is not a JSON object.")
                continue
            identity = value.get("id", number)
            if not _is_text(value):
                known = identity if _is_text(identity) else number
                yield Line(known, "", url, schema, f"Line {number} is not text in UTF-8.")
                continue
            if not isinstance(value.get("question"), str):
                yield Line(identity, "", url, schema, f"Line {number} has no text called question.")
                continue
            own_db, own_schema = str(value.get("db") or ""), str(value.get("schema") or "")
            own = bool(own_db or own_schema)
            yield Line(
                identity,
                value["question"],
                own_db if own else url,
                own_schema if own else ("" if url else schema),
            )


def _is_text(value: Any) -> bool:
    """Whether JSON can be written as it was read: not with bytes of another encoding, or half a sign (`\\ud800`)."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except (UnicodeEncodeError, RecursionError):
        return False
    return True


def _fingerprint(
    lines: list[Line], model: str, options: Options, dialect: str | None, policy: Policy | None, settings: Settings
) -> str:
    """Names a run by all that decides its answers, so that only the same run goes on with what is there."""
    asked = [asdict(line) for line in lines]
    way = (options, settings.context, settings.exclude_values, settings.lexicon, settings.synonyms)
    named = {*(line.schema for line in lines if "(" not in line.schema), settings.lexicon, settings.synonyms}
    files_of = sorted((name, _stamp(name)) for name in named | {model, *model.split("+")} if name)
    run = (asked, model, repr(way), dialect, policy.text if policy else None, files_of)
    return hashlib.sha256(json.dumps(run, default=str).encode()).hexdigest()[:12]


def _stamp(name: str) -> tuple[int, int]:
    """Size and time of the file of this name; zeros when there is none."""
    try:
        found = os.stat(os.path.expanduser(name))
    except (OSError, ValueError):
        return 0, 0
    return found.st_size, found.st_mtime_ns


def _finished(partial: Path) -> int:
    """How many whole lines an interrupted run left; a torn last one is cut off."""
    if not partial.exists():
        return 0
    data = partial.read_bytes()
    whole = data.rfind(b"\n") + 1
    with partial.open("r+b") as file:
        file.truncate(whole)
    return data.count(b"\n")


def _read_ddl(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
        raise SettingsError(f"The schema {path} cannot be read: {why}.", hint="It is a file of CREATE TABLE.") from None
