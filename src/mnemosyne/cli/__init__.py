"""The command line: one short file per verb, imported only when that verb is used."""

from __future__ import annotations

import codecs
import contextlib
import importlib
import io
import os
import sys
import threading
from collections.abc import Iterator
from typing import Any, NoReturn

import click

from mnemosyne import __version__
from mnemosyne.errors import MnemosyneError

VERBS: dict[str, str] = {
    "ask": "Ask a database a question in plain words.",
    "predict": "Write SQL for a file of questions.",
    "guard": "Check a query: print the safe SQL, or the reason for its refusal.",
    "schema": "Print a database's schema as the model sees it.",
    "lims": "Create the demo laboratory.",
    "models": "List the models of the catalogue.",
    "pull": "Fetch and verify the weights of a model.",
    "demo": "Create the demo laboratory and ask it three questions.",
    "synth": "Synthesise verified question-SQL pairs for your own schema.",
    "train": "Fine-tune a model from a recipe.",
    "evaluate": "Measure models: EX, EM and VLD with intervals.",
    "compare": "Compare two evaluation runs.",
    "release": "Make a release of a trained model: merge, GGUF, checks, model card.",
}
"""Every verb and its help, in the order of `mnemosyne --help`. The file is cli/<verb>.py; its click command is called
`command`."""


class _ReaderGone(Exception):
    """Whoever read our output has stopped."""


@contextlib.contextmanager
def _noticing_readers() -> Iterator[None]:
    """Say _ReaderGone for a broken pipe, which click and rich would turn into exit code 1, "no answer"."""
    try:
        yield
    except BrokenPipeError:
        raise _ReaderGone from None
    except SystemExit as ended:
        if isinstance(ended.__context__, BrokenPipeError):  # rich
            raise _ReaderGone from None
        raise


class LazyGroup(click.Group):
    """A group that imports a verb's file only when the verb is used, so that `--help` is instant."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """The verb's command, imported now."""
        if name not in VERBS:
            return None
        module = importlib.import_module(f"mnemosyne.cli.{name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of verbs, without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """The options read, `--help` printed. Raises _ReaderGone beside click's own."""
        with _noticing_readers():
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """What the verb gives back, all of it printed. Raises _ReaderGone beside the verb's own."""
        with _noticing_readers():
            code = super().invoke(ctx)
            if sys.stdout is not None:
                sys.stdout.flush()
            return code

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The verb, or a hint at the nearest one."""
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            import difflib

            near = difflib.get_close_matches(args[0], VERBS, n=1)
            ctx.fail(f"No such command {args[0]!r}." + (f" Did you mean {near[0]!r}?" if near else ""))
        return super().resolve_command(ctx, args)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="mnemosyne")
def group() -> None:
    """Ask a laboratory database in plain words; get SQL that was checked, run read-only and can be reviewed."""


def main(argv: list[str] | None = None) -> None:
    """Run the command line. Exit codes: 0 done, 1 no answer, 2 misuse or broken surroundings, 3 refused by the
    guard, 130 interrupted, 141 the reader of the output stopped early."""
    _spell_out()
    try:
        code: Any = group.main(args=argv, prog_name="mnemosyne", standalone_mode=False)
    except MnemosyneError as error:
        click.echo(f"mnemosyne: {error}", err=True)
        if error.hint:
            click.echo(f"  {error.hint}", err=True)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("\nmnemosyne: interrupted.", err=True)
        _leave(130)
    except _ReaderGone:
        _drop_output()
        sys.exit(141)
    except OSError as error:  # a full disk, a folder that may not be written
        click.echo(
            f"mnemosyne: {error.strerror or error}" + (f": {error.filename}" if error.filename else ""), err=True
        )
        sys.exit(2)
    sys.exit(code if isinstance(code, int) else 0)


_SPELT = {"…": "...", "–": "-", "—": "-", "·": "-", "─": "-", "✓": "ok", "✗": "x"}
"""Our own signs, for a terminal that has only ASCII."""


def _spelt(error: UnicodeError) -> tuple[str, int]:
    """What stands for signs that an output's encoding lacks: plain signs for ours, `\\xfc` for all others, so that no
    value is silently another one."""
    assert isinstance(error, UnicodeEncodeError)
    signs = error.object[error.start : error.end]
    spelt = ("*" if "\u2800" <= sign <= "\u28ff" else _SPELT.get(sign) for sign in signs)  # braille dots turn a spinner
    plain = (one or sign.encode("ascii", "backslashreplace").decode() for one, sign in zip(spelt, signs, strict=True))
    return "".join(plain), error.end


def _spell_out() -> None:
    """Let output that its terminal cannot show degrade instead of fail."""
    codecs.register_error("mnemosyne.spelt", _spelt)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="mnemosyne.spelt")


def _drop_output() -> None:
    """Send what is still to be written nowhere, so that writing it at the end does not fail once more."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):  # closed, or no file
            os.dup2(nowhere, stream.fileno())


def _leave(code: int) -> NoReturn:
    """End now, even when a thread still waits for a server whose answer nobody wants any more."""
    if any(not thread.daemon for thread in threading.enumerate() if thread is not threading.main_thread()):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
