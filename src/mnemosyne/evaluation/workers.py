"""Processes that judge tasks and are replaced when a query crashes or hangs them.

Each worker opens its own read-only connections. Before a query starts, the worker says which one;
if it then dies, or stays silent for longer than the query's own time limit allows, that query
alone has failed and the rest of its task is done by a fresh process.
"""

from __future__ import annotations

import multiprocessing
import sys
import time
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait

from mnemosyne.databases import Database, open_database
from mnemosyne.errors import EvaluationError
from mnemosyne.evaluation.judging import Outcome, Step, Task, judge
from mnemosyne.results import Failure

GRACE_SECONDS = 15.0
"""How much longer than a query's own limit a worker may be silent before it is killed."""

START_SECONDS = 180.0
"""How long a worker may take to its first query: a busy machine starts processes and opens databases slowly."""

OPEN_AT_MOST = 8
"""Databases that one worker keeps open."""


class Worlds:
    """Databases opened read-only when first asked for; the least recently used is closed first."""

    def __init__(self) -> None:
        self._open: OrderedDict[str, Database] = OrderedDict()

    def __call__(self, url: str) -> Database:
        """The database at `url`. Raises DatabaseError."""
        if url not in self._open:
            if len(self._open) >= OPEN_AT_MOST:
                self._open.popitem(last=False)[1].close()
            self._open[url] = open_database(url)
        self._open.move_to_end(url)
        return self._open[url]

    def close(self) -> None:
        """Close all of them."""
        while self._open:
            self._open.popitem()[1].close()


@dataclass(slots=True)
class _Job:
    """A task and what its earlier tries cost."""

    task: Task
    lost: dict[Step, Failure] = field(default_factory=dict)


@contextmanager
def _no_main_module() -> Iterator[None]:
    """Keep a new process from running this program's main file again, which it would to find functions there.

    A worker needs none, and the file may be a script without a guard, a notebook, or the one of a Ray worker.
    """
    main = sys.modules["__main__"].__dict__
    names: tuple[str, ...] = ("__file__", "__spec__")
    hidden = {name: main.pop(name) for name in names if name in main}
    main["__spec__"] = None
    try:
        yield
    finally:
        main.update(hidden)


class _Worker:
    """One process and what it is doing."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs,), daemon=True)
        with _no_main_module():
            self.process.start()
        theirs.close()
        self.job: _Job | None = None
        self.step: Step | None = None
        self.heard = time.monotonic()

    def give(self, job: _Job) -> None:
        """Start a job."""
        self.job, self.step, self.heard = job, None, time.monotonic()
        self.pipe.send((job.task, job.lost))

    def silent_too_long(self) -> bool:
        """Whether the query in hand should have ended long ago."""
        if self.job is None:
            return False
        allowed = self.job.task.limits.timeout_seconds + GRACE_SECONDS
        return time.monotonic() - self.heard > (allowed if self.step else max(allowed, START_SECONDS))

    def stop(self) -> None:
        """End the process, whatever it does."""
        self.process.kill()
        self.process.join()
        self.pipe.close()


class Workers:
    """A fixed number of worker processes. A context manager."""

    def __init__(self, count: int = 2) -> None:
        self.count = max(1, count)
        self.replaced = 0
        self._workers: list[_Worker] = []

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def run(self, tasks: Iterable[Task]) -> Iterator[Outcome]:
        """The outcome of every task, as they finish. Raises EvaluationError when a worker cannot work at all."""
        waiting = deque(_Job(task) for task in tasks)
        left = len(waiting)
        while len(self._workers) < min(self.count, left):
            self._workers.append(_Worker())
        try:
            while left:
                self._give_out(waiting)
                for outcome in self._listen(waiting):
                    left -= 1
                    yield outcome
        finally:
            if left:  # an error, or nobody wants the rest: what is in hand must not reach the next run
                self.close()

    def close(self) -> None:
        """End every process. Safe to call twice."""
        for worker in self._workers:
            worker.stop()
        self._workers.clear()

    def _give_out(self, waiting: deque[_Job]) -> None:
        for place, worker in enumerate(self._workers):
            if worker.job is None and waiting:
                if not worker.process.is_alive():  # ended while it had nothing to do
                    worker = self._workers[place] = _Worker()
                worker.give(waiting.popleft())

    def _listen(self, waiting: deque[_Job]) -> Iterator[Outcome]:
        busy = {worker.pipe: worker for worker in self._workers if worker.job}
        for pipe in wait(list(busy), timeout=1.0):
            assert isinstance(pipe, Connection)
            worker = busy[pipe]
            try:
                message = pipe.recv()
            except (EOFError, ConnectionResetError):
                self._replace(worker, Failure("crash", "the query ended the process that ran it"), waiting)
                continue
            worker.heard = time.monotonic()
            if isinstance(message, Outcome):
                worker.job = None
                yield message
            elif isinstance(message, Exception):
                raise message
            else:
                worker.step = message
        for worker in busy.values():
            if worker in self._workers and worker.silent_too_long():
                self._replace(worker, Failure("timeout", "the query could not be interrupted and was killed"), waiting)

    def _replace(self, worker: _Worker, failure: Failure, waiting: deque[_Job]) -> None:
        job = worker.job
        assert job is not None
        if worker.step is None or worker.step in job.lost:
            raise EvaluationError(
                f"A worker ended before it ran anything of {job.task.id!r}.",
                hint="Is there memory left? Can the databases of the bench be opened?",
            )
        job.lost[worker.step] = failure
        worker.stop()
        self._workers[self._workers.index(worker)] = _Worker()
        self.replaced += 1
        waiting.appendleft(job)


def _serve(pipe: Connection) -> None:
    """The life of a worker: tasks in; steps, then an outcome, out."""
    worlds = Worlds()
    while True:
        try:
            task, lost = pipe.recv()
        except EOFError:
            break
        try:
            pipe.send(judge(task, worlds, lost=lost, note=pipe.send))
        except Exception as error:  # noqa: BLE001 - handed to the parent, which raises it
            pipe.send(EvaluationError(f"Judging {task.id!r} failed: {type(error).__name__}: {error}"))
    worlds.close()
