"""Judging on a Ray cluster: the same figures, spread over machines.

A Ray task is a batch of a few judging tasks. It runs them in a supervised process of its own
(`workers.Workers`), so a crashing query costs one query here too; a worker or node that dies takes
only its batches with it, and Ray runs those again elsewhere. Databases must be reachable from every
node: files on a shared disk, PostgreSQL by URL.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from mnemosyne.cluster import reach
from mnemosyne.errors import EvaluationError, MissingExtra
from mnemosyne.evaluation.judging import Outcome, Task
from mnemosyne.evaluation.workers import Workers

BATCH = 8
"""Judging tasks in one Ray task: enough to pay for its process, few enough to repeat cheaply."""

TRIES = 5
"""How often a batch is begun again after its worker or node died."""


class Cluster:
    """Judges on a Ray cluster. A context manager; usage statistics and dashboard of Ray stay off."""

    def __init__(self, address: str = "local", *, batch: int = BATCH) -> None:
        """Connect to `address`, or start Ray on this machine for `local`; a running connection is used as it is."""
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
        try:
            import ray
        except ImportError:
            raise MissingExtra("cluster", "Judging on a Ray cluster") from None
        self._ray = ray
        self._batch = batch
        self._ours = not ray.is_initialized()
        if self._ours:
            where = {"include_dashboard": False} if address == "local" else {}
            try:
                reach(address)
                ray.init(address=address, log_to_driver=False, configure_logging=False, **where)
            except Exception as error:  # noqa: BLE001 - a node that does not start is a plain Exception of Ray's
                ray.shutdown()
                raise _not_started(address, error) from None

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_: object) -> None:
        if self._ours:
            self._ray.shutdown()

    def run(self, tasks: Iterable[Task]) -> Iterator[Outcome]:
        """The outcome of every task, as batches finish. Raises EvaluationError when a batch dies too often."""
        waiting = list(tasks)
        judge = self._ray.remote(max_retries=TRIES, retry_exceptions=False)(_judge_batch)
        batches = [waiting[start : start + self._batch] for start in range(0, len(waiting), self._batch)]
        pending: list[Any] = [judge.remote(batch) for batch in batches]
        while pending:
            done, pending = self._ray.wait(pending, num_returns=1)
            try:
                yield from self._ray.get(done[0])
            except self._ray.exceptions.RayTaskError as error:
                raise EvaluationError(f"Judging on the cluster failed: {error.cause}") from None
            except self._ray.exceptions.RayError as error:
                raise EvaluationError(
                    f"A batch died on {TRIES + 1} workers in turn: {type(error).__name__}.",
                    hint="Have the nodes enough memory? Can they all reach the databases?",
                ) from None


def _not_started(address: str, error: Exception) -> EvaluationError:
    why = next((line.strip().rstrip(".") for line in str(error).splitlines() if line.strip()), type(error).__name__)
    if address == "local":
        return EvaluationError(
            f"Ray could not start on this machine: {why}.",
            hint="Is there memory and room in the temporary folder? Without --ray, --workers judges here.",
        )
    return EvaluationError(
        f"No Ray cluster answers at {address}: {why}.", hint="Start one with `ray start --head`, and name its address."
    )


_here: Workers | None = None
"""On a node: the supervised process of this Ray worker, kept for its next batch."""


def _judge_batch(tasks: Sequence[Task]) -> list[Outcome]:
    """On a node: judge a few tasks in one supervised process."""
    global _here
    _here = _here or Workers(1)
    return list(_here.run(tasks))
