"""How quick Mnemosyne is: every comparison in one run, in turns (A B A B), as ratios.

    python benchmarks/speed.py                        all parts at 0.5B
    python benchmarks/speed.py --part batch --part memory
    python benchmarks/speed.py --model qwen2.5-coder-1.5b-instruct --threads 1

Each figure is a median of wall seconds with the median of processor seconds behind it. Wall seconds depend on
what else the machine does; ratios of processor seconds hardly do. The questions are the first of lab-dev, the
schema is the laboratory's. Heavy parts run one after the other in this process, nothing is downloaded that
`mnemosyne pull` has not already fetched.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from mnemosyne import prompt, settings
from mnemosyne.schema import Schema
from mnemosyne.settings import Settings


@dataclass(frozen=True)
class Took:
    """What something took."""

    wall: float
    cpu: float

    def __str__(self) -> str:
        return f"{self.wall:.2f} s (processor {self.cpu:.2f} s)"


def processor_seconds(who: int = resource.RUSAGE_SELF) -> float:
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def timed(run: Callable[[], object]) -> Took:
    wall, cpu = time.perf_counter(), processor_seconds()
    run()
    return Took(time.perf_counter() - wall, processor_seconds() - cpu)


def median(times: Sequence[Took]) -> Took:
    return Took(statistics.median(t.wall for t in times), statistics.median(t.cpu for t in times))


def in_turns(a: Callable[[int], object], b: Callable[[int], object], rounds: int) -> tuple[Took, Took]:
    """Medians of A and B, run as A B A B."""
    pairs = [(timed(lambda: a(number)), timed(lambda: b(number))) for number in range(rounds)]  # noqa: B023
    return median([pair[0] for pair in pairs]), median([pair[1] for pair in pairs])


def laboratory_ddl() -> str:
    text = resources.files("mnemosyne.data").joinpath("lims/schema.sql").read_text(encoding="utf-8")
    return Schema.from_ddl(text).to_ddl()


def questions(count: int) -> list[str]:
    lines = resources.files("mnemosyne.data").joinpath("sets/lab-dev.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["question"] for line in lines[:count]]


def say(what: str, figure: object) -> None:
    print(f"| {what} | {figure} |", flush=True)


def ratio(slow: Took, fast: Took) -> str:
    return f"{slow.wall / fast.wall:.2f}x by wall, {slow.cpu / fast.cpu:.2f}x by processor"


def bench_help(chosen: Settings, model: str, count: int) -> None:
    """`mnemosyne --help` as a whole process; bar 0.3 s."""
    command = [sys.executable, "-m", "mnemosyne", "--help"]
    walls, before = [], processor_seconds(resource.RUSAGE_CHILDREN)
    for _ in range(7):
        started = time.perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        walls.append(time.perf_counter() - started)
    cpu = (processor_seconds(resource.RUSAGE_CHILDREN) - before) / 7
    say("`mnemosyne --help`, best of 7 (bar 0.3 s)", f"{min(walls):.2f} s (processor {cpu:.2f} s)")


def bench_introspection(chosen: Settings, model: str, count: int) -> None:
    """The schema of 200 tables; bar 2 s."""
    import sqlite3

    from mnemosyne.databases import open_database

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "wide.db"
        connection = sqlite3.connect(path)
        for number in range(200):
            columns = ", ".join(f"column_{n} VARCHAR(20)" for n in range(10))
            connection.execute(
                f"CREATE TABLE table_{number} (id INTEGER PRIMARY KEY, {columns}, "
                f"parent INTEGER REFERENCES table_{max(number - 1, 0)} (id))"
            )
        connection.commit()
        connection.close()

        def read() -> None:
            database = open_database(f"sqlite:///{path}")
            assert len(database.schema().tables) == 200
            database.close()

        say("200 tables of SQLite introspected, median of 5 (bar 2 s)", median([timed(read) for _ in range(5)]))


def bench_ask(chosen: Settings, model: str, count: int) -> None:
    """A warm question, from words to rows, on the demo laboratory; bar 1.5 s at 0.5B, 3 s at 1.5B."""
    from mnemosyne import lims
    from mnemosyne.assistant import Assistant

    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/lab.db"
        lims.create(url, seed=7)
        with Assistant.open(url, model=model, settings=chosen) as assistant:
            assistant.ask("How many clients are there?")
            took = []
            drafts = 0
            for question in questions(count):
                answers = []
                took.append(timed(lambda: answers.append(assistant.ask(question))))  # noqa: B023
                drafts += len(answers[0].steps)
    say(f"warm `ask`, median of {count} ({drafts} drafts in all)", median(took))


def bench_first(chosen: Settings, model: str, count: int) -> None:
    """The first question of a new process, against the load of the weights; bar: at most 3 s more."""
    code = (
        "import sys, time\nstarted = time.perf_counter()\n"
        "from mnemosyne import prompt, settings\nfrom mnemosyne.engines import Sampling, open_engine\n"
        "engine = open_engine(sys.argv[1], settings.load())\nloaded = time.perf_counter()\n"
        "asked = prompt.build(sys.stdin.read(), 'How many clients are there?')\n"
        "[answer] = engine.complete(asked, Sampling(max_tokens=40))\n"
        "print(loaded - started, time.perf_counter() - loaded, answer.cached_tokens, answer.prompt_tokens)\n"
        "engine.close()\n"
    )
    rows = []
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", code, model], input=laboratory_ddl(), capture_output=True, text=True, check=True
        )
        rows.append([float(word) for word in done.stdout.split()])
    for name, row in (("first process ever", rows[0]), ("a later process", rows[-1])):
        say(f"{name}: load, then first answer", f"{row[0]:.2f} s + {row[1]:.2f} s ({row[2]:.0f}/{row[3]:.0f} cached)")


def bench_batch(chosen: Settings, model: str, count: int) -> None:
    """Many prompts side by side against one at a time; aim 2.5x."""
    from mnemosyne.engines import open_engine

    asked = [prompt.build(laboratory_ddl(), question) for question in questions(count)]
    with open_engine(model, chosen) as engine:  # type: ignore[attr-defined]
        engine.complete(asked[0])
        alone = timed(lambda: [engine.complete(each) for each in asked])
        list(engine.complete_many(asked))  # cuts the slots and files their prefix
        together = timed(lambda: list(engine.complete_many(asked)))
        again = timed(lambda: list(engine.complete_many(asked)))
    together = min(together, again, key=lambda took: took.wall)
    say(f"{count} prompts one at a time", alone)
    say(f"{count} prompts side by side", together)
    say("side by side is quicker by (aim 2.5x)", ratio(alone, together))


def bench_decode(chosen: Settings, model: str, count: int) -> None:
    """Tokens of an answer against llama.cpp alone with its own defaults; bar: within 15 %."""
    from mnemosyne.engines import open_engine
    from mnemosyne.engines.llama_server import cores, library
    from mnemosyne.weights import resolve

    asked = prompt.build(laboratory_ddl(), questions(1)[0])
    length = 40
    xllamacpp = library()
    params = xllamacpp.CommonParams()
    params.model.path = str(resolve(model, chosen).gguf)
    params.n_ctx, params.n_parallel, params.verbosity = 4096, 1, 0
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = chosen.threads or cores()
    params.ui = params.fit_params = False
    alone: Any = xllamacpp.Server(params)
    body = {"prompt": asked.text, "n_predict": length, "temperature": 0.0, "cache_prompt": True, "ignore_eos": True}
    with open_engine(model, chosen) as engine:  # type: ignore[attr-defined]
        server = engine._server
        tokens = server.tokenize(asked.text)
        ours = {"n_predict": length, "samplers": ["top_k"], "top_k": 1, "n_probs": 1, "ignore_eos": True}
        server.complete(0, tokens, ours)
        alone.handle_completions(body)
        a, b = in_turns(
            lambda _: server.complete(0, tokens, ours), lambda _: alone.handle_completions(body), max(3, count // 2)
        )
    alone = None  # frees it
    say(f"{length} tokens: ours", a)
    say(f"{length} tokens: llama.cpp alone", b)
    say("ours takes (bar 1.15x)", ratio(a, b))


def bench_reference(chosen: Settings, model: str, count: int) -> None:
    """One warm question against the reference's Transformers snippet on the same weights; bar 6x, aim 10x."""
    from mnemosyne.engines import open_engine, precision
    from mnemosyne.engines.transformers import REFERENCE

    asked = [prompt.build(laboratory_ddl(), question) for question in questions(max(2, count // 4))]
    reference = open_engine(f"transformers:{model}", chosen)
    with open_engine(model, chosen) as engine:  # type: ignore[attr-defined]
        engine.complete(asked[0])
        a, b = in_turns(
            lambda number: engine.complete(asked[number]),
            lambda number: reference.complete(asked[number], dataclasses.replace(REFERENCE, seed=number)),
            len(asked),
        )
    reference.close()
    say("one question: ours, warm", a)
    kind = str(precision.dtype()).removeprefix("torch.")  # what the engine took on this machine
    say(f"one question: Transformers, {kind}, temperature {REFERENCE.temperature:g}", b)
    say("ours is quicker by (bar 6x, aim 10x)", ratio(b, a))


def bench_memory(chosen: Settings, model: str, count: int) -> None:
    """Most memory of a process that answers one prompt, then eight side by side; bar: weights + 600 MB."""
    code = (
        "import resource, sys\nfrom mnemosyne import prompt, settings\n"
        "from mnemosyne.engines import Sampling, open_engine\n"
        "engine = open_engine(sys.argv[1], settings.load())\nddl = sys.stdin.read()\n"
        "most = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024\n"
        "short = Sampling(max_tokens=8)\n"
        "engine.complete(prompt.build(ddl, 'How many clients are there?'), short)\none = most()\n"
        "list(engine.complete_many([prompt.build(ddl, f'How many? {n}') for n in range(8)], short))\n"
        "print(one, most())\nengine.close()\n"
    )
    from mnemosyne.weights import resolve

    weights = resolve(model, chosen).gguf.stat().st_size
    done = subprocess.run(
        [sys.executable, "-c", code, model], input=laboratory_ddl(), capture_output=True, text=True, check=True
    )
    one, eight = (int(word) for word in done.stdout.split())
    say("memory beyond the weights, one prompt (bar 600 MB)", f"{(one - weights) / 1e6:.0f} MB")
    say("memory beyond the weights, eight side by side (bar 600 MB)", f"{(eight - weights) / 1e6:.0f} MB")


PARTS = {name.removeprefix("bench_"): value for name, value in list(globals().items()) if name.startswith("bench_")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", action="append", choices=list(PARTS), help="only this; may be repeated")
    parser.add_argument("--model", default="qwen2.5-coder-0.5b-instruct")
    parser.add_argument("--threads", type=int, default=0, help="of the local model, 0 for all cores")
    parser.add_argument("--count", type=int, default=8, help="questions")
    arguments = parser.parse_args()
    os.environ["MNEMOSYNE_THREADS"] = str(arguments.threads)
    chosen = settings.load()
    load = os.getloadavg()[0]
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, load {load:.1f}; {arguments.model}\n")
    print("| what | figure |\n|---|---|")
    for name in arguments.part or PARTS:
        PARTS[name](chosen, arguments.model, arguments.count)


if __name__ == "__main__":
    main()
