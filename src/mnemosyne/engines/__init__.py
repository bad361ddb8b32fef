"""Models that turn a prompt into text, behind one protocol.

`llamacpp` in process (the default), `transformers` (the reference snippet), `remote` (any
OpenAI-compatible server), `scripted` (tests and documents). An engine knows nothing of SQL.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from mnemosyne.prompt import Prompt
from mnemosyne.settings import Settings


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to draw answers. The default is one greedy answer."""

    n: int = 1
    """Answers to draw."""
    temperature: float = 0.0
    """0 is greedy."""
    top_p: float = 0.95
    """Nucleus, only when temperature is above 0."""
    max_tokens: int = 400
    """New tokens at most."""
    seed: int = 0
    """Same seed, same answers, on one engine and machine."""


@dataclass(frozen=True, slots=True)
class Completion:
    """One answer of a model."""

    text: str
    """The new text, without the stop token."""
    tokens: int = 0
    """New tokens."""
    prompt_tokens: int = 0
    """Tokens of the prompt."""
    cached_tokens: int = 0
    """Tokens of the prompt that were already in the cache."""
    logprobs: tuple[float, ...] = ()
    """Natural-log probability of each new token, empty when the engine cannot say."""
    finish: str = "stop"
    """`stop`, or `length` when max_tokens cut the answer."""
    seconds: float = 0.0
    """Wall time."""


class Engine(Protocol):
    """A model that answers prompts."""

    name: str
    """What `--model` called it."""
    context: int
    """Tokens of prompt and answer at most."""
    adapter_sha256: str | None
    """Of the adapter that answers; None for a whole model and where nobody can say."""

    def complete(self, prompt: Prompt, sampling: Sampling = Sampling()) -> list[Completion]:
        """`sampling.n` answers to one prompt. Raises PromptTooLong, EngineError."""
        ...

    def complete_many(
        self, prompts: Sequence[Prompt], sampling: Sampling = Sampling()
    ) -> Iterator[tuple[int, list[Completion]]]:
        """Answers to many prompts, batched where the engine can; yields (index, answers) as they finish."""
        ...

    def count_tokens(self, text: str) -> int:
        """Tokens of `text`, control tokens parsed."""
        ...

    def close(self) -> None:
        """Free the model. Safe to call twice."""
        ...


def open_engine(name: str, settings: Settings) -> Engine:
    """The engine that `--model` means.

    | name | engine |
    |---|---|
    | a catalogue name, a GGUF path, `BASE+ADAPTER` | llama.cpp in this process |
    | `openai:http://host:port/v1#model` | any OpenAI-compatible server (`openai:` may be left out) |
    | `transformers:NAME` | the reference snippet on the same names, a folder or a hub repository |

    Raises UnknownModel, WeightsError, MissingExtra, EngineError, SettingsError.
    """
    if name.startswith("transformers:"):
        from mnemosyne.engines.transformers import TransformersEngine

        return TransformersEngine(name, settings)
    if name.startswith(("openai:", "http://", "https://")):
        from mnemosyne.engines.remote import RemoteEngine

        return RemoteEngine(name, settings)
    from mnemosyne.engines.llamacpp import LlamaCppEngine
    from mnemosyne.weights import resolve

    return LlamaCppEngine(resolve(name, settings), settings)
