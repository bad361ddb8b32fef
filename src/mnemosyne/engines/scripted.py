"""An engine that says what it is told to: for tests and documents."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from mnemosyne.engines import Completion, Sampling
from mnemosyne.errors import EngineError
from mnemosyne.prompt import Prompt


class ScriptedEngine:
    """Answers from a list, in order, or from a function of the prompt.

    A list gives one text per answer drawn, so `Sampling(n=3)` takes three; an empty list is an
    EngineError, as a model that is gone would be. `prompts` and `samplings` keep what was asked, and how.
    """

    def __init__(
        self,
        answers: Sequence[str | Completion] | Callable[[Prompt], str | Completion],
        *,
        name: str = "scripted",
        context: int = 4096,
        adapter_sha256: str | None = None,
    ) -> None:
        self.name = name
        self.context = context
        self.adapter_sha256 = adapter_sha256
        self.prompts: list[Prompt] = []
        self.samplings: list[Sampling] = []
        self._function = answers if callable(answers) else None
        self._list = [] if callable(answers) else list(answers)

    def complete(self, prompt: Prompt, sampling: Sampling = Sampling()) -> list[Completion]:
        """The next `sampling.n` answers."""
        self.prompts.append(prompt)
        self.samplings.append(sampling)
        return [self._next(prompt) for _ in range(sampling.n)]

    def complete_many(
        self, prompts: Sequence[Prompt], sampling: Sampling = Sampling()
    ) -> Iterator[tuple[int, list[Completion]]]:
        """Answers in the order of the prompts."""
        for index, prompt in enumerate(prompts):
            yield index, self.complete(prompt, sampling)

    def count_tokens(self, text: str) -> int:
        """Words, which is enough for a script."""
        return len(text.split())

    def close(self) -> None:
        """Nothing to free."""

    def _next(self, prompt: Prompt) -> Completion:
        if self._function is not None:
            answer = self._function(prompt)
        elif self._list:
            answer = self._list.pop(0)
        else:
            raise EngineError("The script has no answer left.")
        if isinstance(answer, Completion):
            return answer
        words = len(answer.split())
        return Completion(answer, tokens=words, prompt_tokens=self.count_tokens(prompt.text), logprobs=(0.0,) * words)
