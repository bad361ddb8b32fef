"""An engine that already knows some greedy drafts: a repairing run starts from the answers of the plain one.

Greedy drafts of one model to one prompt are the same whichever way is measured, so asking twice is
waste, and batches of another make could even differ in a last bit: repaired against plain is then a
comparison of repairs alone. Everything that is not known goes to the engine behind.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from mnemosyne.engines import Completion, Engine, Sampling
from mnemosyne.prompt import Prompt


class ReplayingEngine:
    """`known` maps a prompt's text to its greedy draft."""

    def __init__(self, engine: Engine, known: Mapping[str, Completion]) -> None:
        self.name = engine.name
        self.context = engine.context
        self.adapter_sha256 = engine.adapter_sha256
        self.replayed = 0
        self._engine = engine
        self._known = known

    def complete(self, prompt: Prompt, sampling: Sampling = Sampling()) -> list[Completion]:
        """The known draft, or what the engine behind says."""
        draft = self._draft(prompt, sampling)
        return [draft] if draft else self._engine.complete(prompt, sampling)

    def complete_many(
        self, prompts: Sequence[Prompt], sampling: Sampling = Sampling()
    ) -> Iterator[tuple[int, list[Completion]]]:
        """Known drafts first, then the others as the engine behind finishes them."""
        others: list[int] = []
        for index, prompt in enumerate(prompts):
            draft = self._draft(prompt, sampling)
            if draft:
                yield index, [draft]
            else:
                others.append(index)
        for place, completions in self._engine.complete_many([prompts[index] for index in others], sampling):
            yield others[place], completions

    def count_tokens(self, text: str) -> int:
        """Tokens of `text`."""
        return self._engine.count_tokens(text)

    def close(self) -> None:
        """Close the engine behind."""
        self._engine.close()

    def _draft(self, prompt: Prompt, sampling: Sampling) -> Completion | None:
        if sampling.n != 1 or sampling.temperature > 0:
            return None
        draft = self._known.get(prompt.text)
        self.replayed += draft is not None
        return draft
