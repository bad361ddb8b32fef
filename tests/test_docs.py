"""The documents are true: examples are run, commands and options exist, links lead somewhere."""

from __future__ import annotations

import re
import shlex
import sqlite3
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import click
import pytest

from mnemosyne import lims
from mnemosyne.cli import VERBS, group, main
from mnemosyne.engines.scripted import ScriptedEngine
from mnemosyne.prompt import Prompt
from mnemosyne.settings import Settings

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
MINE = [ROOT / "README.md", ROOT / "docs" / "asking.md"]
TODAY = date(2026, 6, 15)

PRODUCTS = """-- What the shop sells
CREATE TABLE products (product_id INT PRIMARY KEY, name VARCHAR(80) NOT NULL,
    category VARCHAR(20) CHECK (category IN ('Electronics', 'Furniture')),
    price DECIMAL(10, 2) -- in euro
);"""


def blocks(page: Path, mark: str) -> Iterator[tuple[str, str]]:
    """(what stands in the mark, the code) of every fenced block below `<!-- mark… -->`."""
    pattern = rf"<!-- {mark}:?(.*?)-->\n```\w+\n(.*?)```"
    for match in re.finditer(pattern, page.read_text(), re.DOTALL):
        yield match.group(1).strip(), match.group(2)


def reply(prompt: Prompt) -> str:
    return "SELECT name FROM products" if "products" in prompt.prefix else "SELECT COUNT(*) AS n FROM clients"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that the examples run in, with a scripted model in the place of the weights."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("mnemosyne.engines.open_engine", lambda name, settings: ScriptedEngine(reply))
    monkeypatch.setattr("mnemosyne.cli.downloading.fetch", lambda name, settings: None)
    (tmp_path / "products.sql").write_text(PRODUCTS)
    return tmp_path


def run(argv: list[str], capfd: pytest.CaptureFixture[str]) -> str:
    """What the command prints: remarks, then the output, as a terminal shows it."""
    capfd.readouterr()
    with pytest.raises(SystemExit):
        main(argv)
    captured = capfd.readouterr()
    return captured.err + captured.out


def same_text(shown: str, printed: str) -> bool:
    """Equal but for blanks at the ends of lines; `…` stands for anything in its line."""
    lines = [[line.strip() for line in text.strip().splitlines()] for text in (shown, printed)]
    return len(lines[0]) == len(lines[1]) and all(
        re.fullmatch(re.escape(ours).replace("…", ".*"), theirs) for ours, theirs in zip(*lines, strict=True)
    )


def test_the_console_blocks_print_what_they_show(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    count = 0
    for _, code in blocks(ROOT / "docs" / "asking.md", "console"):
        for part in code.split("$ mnemosyne ")[1:]:
            command, _, shown = part.partition("\n")
            printed = run(shlex.split(command), capfd)
            assert same_text(shown, printed), f"{command}\n{printed}"
            count += 1
    assert count >= 5


def test_the_transcript_of_the_readme_is_what_its_sql_gives(
    folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    [(sql, code)] = blocks(ROOT / "README.md", "replay")
    monkeypatch.setattr("mnemosyne.engines.open_engine", lambda name, settings: ScriptedEngine([sql]))
    lims.create(f"sqlite:///{folder}/lab.db", seed=7, today=TODAY)
    command, _, shown = code.removeprefix("$ mnemosyne ").partition("\n")
    printed = run([*shlex.split(command), "--today", TODAY.isoformat()], capfd)
    without_time = "\n".join(line for line in printed.splitlines() if "of which the model" not in line)
    assert same_text(shown, without_time), printed


@pytest.mark.parametrize("page", MINE, ids=lambda page: page.name)
def test_the_python_blocks_run(page: Path, folder: Path) -> None:
    lims.create(f"sqlite:///{folder}/lab.db", seed=7, today=TODAY, scale=0.05)
    found = list(blocks(page, "run"))
    assert found
    for _, code in found:
        exec(compile(code, str(page), "exec"), {})


def commands(page: Path) -> Iterator[list[str]]:
    """Every `mnemosyne …` of a page's fenced blocks, without prompt, comment and redirection."""
    for code in re.findall(r"```(?:sh|console|text|)\n(.*?)```", page.read_text(), re.DOTALL):
        for line in re.sub(r"\\\n\s*", " ", code).splitlines():
            line = line.removeprefix("$ ")
            if line.startswith("mnemosyne "):
                words = shlex.split(line, comments=True)
                end = next((place for place, word in enumerate(words) if word in (">", "|")), len(words))
                yield words[1:end]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_and_options_in_a_page_exist(page: Path) -> None:
    for argv in commands(page):
        command: click.Command | None = group
        context = click.Context(group)
        words = [word for word in argv if word and not word.startswith("-")]
        while isinstance(command, click.Group) and words:
            command = command.get_command(context, words.pop(0))
        assert command is not None, argv
        known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
        used = {word.partition("=")[0] for word in argv if re.match(r"--?[a-z]", word)}
        assert used <= known | {"--help", "-h"}, f"{page.name}: {argv}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not target.startswith(("http://", "https://", "#", "mailto:")):
            assert (page.parent / target.partition("#")[0]).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_settings_in_a_page_exist(page: Path) -> None:
    known = {f"MNEMOSYNE_{name.upper()}" for name in Settings.__dataclass_fields__}
    assert set(re.findall(r"MNEMOSYNE_[A-Z][A-Z_]*[A-Z]", page.read_text())) <= known


def test_every_command_is_told_of_in_the_readme_or_the_pages_it_links_to() -> None:
    text = (ROOT / "README.md").read_text() + (ROOT / "docs" / "asking.md").read_text()
    for verb in VERBS:
        assert f"mnemosyne {verb}" in text or f"`{verb}`" in text or verb in {"models", "pull", "compare"}, verb


def test_the_readme_opens_with_the_two_commands_that_matter() -> None:
    opening = "\n".join((ROOT / "README.md").read_text().splitlines()[:12])
    assert "make demo" in opening
    assert "make test" in opening


def test_exit_codes_are_those_of_the_page(folder: Path) -> None:
    """One command for each code of docs/asking.md that needs no terminal."""
    lims.create("sqlite:///lab.db", seed=7, today=TODAY, scale=0.05)
    listed = re.findall(r"^\| (\d+) \|", (ROOT / "docs" / "asking.md").read_text(), re.MULTILINE)
    assert listed == ["0", "1", "2", "3", "130", "141"]
    cases = {
        0: ["ask", "How many clients?", "--db", "sqlite:///lab.db"],
        1: ["ask", "", "--db", "sqlite:///lab.db"],
        2: ["ask", "How many clients?", "--db", "sqlite:///absent.db"],
        3: ["guard", "DROP TABLE clients", "--db", "sqlite:///lab.db"],
    }
    for code, argv in cases.items():
        with pytest.raises(SystemExit) as caught:
            main(argv)
        assert caught.value.code == code, argv


def test_the_rooms_of_the_house_are_those_of_the_page() -> None:
    table = re.findall(r"^\| (\d) \| `(\w+)` \|", (ROOT / "docs" / "house.md").read_text(), re.MULTILINE)
    source = ROOT / "src" / "mnemosyne"
    rooms = {path.stem for path in source.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert {name for _, name in table} == rooms - {"__init__", "__main__"}


def test_decisions_have_a_problem_a_decision_and_a_test() -> None:
    for page in (ROOT / "docs" / "decisions").glob("*.md"):
        text = page.read_text()
        for part in ("**Problem.**", "**Decision.**", "test"):
            assert part in text, f"{page.name} lacks {part}"


def test_walls_name_a_wall_that_is_there(lab_sqlite: str) -> None:
    """The page says `query_only`; the connection has it."""
    from mnemosyne.databases.sqlite import _connect

    connection = _connect(Path(lab_sqlite.removeprefix("sqlite:///")))
    assert connection.execute("PRAGMA query_only").fetchone() == (1,)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        connection.execute("PRAGMA query_only=OFF").connection.execute("DELETE FROM results")
    connection.close()
