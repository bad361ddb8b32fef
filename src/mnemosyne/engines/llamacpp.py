"""Local inference with llama.cpp: prefixes stay cached, many prompts are answered side by side.

Every prompt is a prefix (system message and schema) and a tail. A slot that already holds the prefix
only reads the tail; else the state of the prefix comes from a file, and only a prefix that nobody has
asked about is computed. One question uses one slot with the whole context. `complete_many` and several
samples open the model again with more and smaller slots, which costs as much as its load and happens once.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from mnemosyne.engines import Completion, Sampling
from mnemosyne.engines.llama_server import LlamaServer, Shape, library
from mnemosyne.engines.prefixes import key, open_states
from mnemosyne.engines.sharing import Sharing
from mnemosyne.errors import PromptTooLong
from mnemosyne.prompt import STOPS, Prompt
from mnemosyne.settings import Settings
from mnemosyne.weights import Model

SLOTS = 8
"""Prompts answered side by side at most."""

CELLS = 18_432
"""Tokens of context in all slots together at most, when there are several: 220 MB at 0.5B, 530 MB at 1.5B."""

STEP = 512
"""Slots are cut in steps of so many tokens, so that prompts of about the same length need no new cut."""


TOP_K = 64
"""Tokens that a nucleus is taken from: sorting all 152,000 for each token costs a sixth of the time of a vote."""


class LlamaCppEngine:
    """A GGUF model in this process. Thread-safe: calls of `complete` wait for each other."""

    def __init__(self, model: Model, settings: Settings) -> None:
        self.name = model.name
        self.context = model.context
        self.adapter_sha256 = model.adapter_sha256
        self._model = model
        self._threads = settings.threads
        self._states = open_states(settings)
        self._version = str(library().__version__)
        self._lock = threading.RLock()  # one call of `complete` at a time, and one batch
        self._sharing = Sharing()  # answers share the server; opening another one wants it alone
        self._server: LlamaServer | None = None
        self._held: dict[int, str] = {}  # slot: the key of the prefix that it holds
        self._filling: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)  # a prefix is computed once
        self._closed = False
        self._open(Shape(1, self.context))

    def complete(self, prompt: Prompt, sampling: Sampling = Sampling()) -> list[Completion]:
        """`sampling.n` answers to one prompt. Raises PromptTooLong, EngineError."""
        if sampling.n == 1:
            with self._lock:
                self._fit([prompt], sampling, slots=1)
                return [self._answer(0, prompt, sampling, sampling.seed)]
        singles = [prompt] * sampling.n
        with self._lock:
            self._spread(prompt, sampling)
            answers = dict(self._side_by_side(singles, sampling, [sampling.seed + i for i in range(sampling.n)]))
        return [answers[index] for index in range(sampling.n)]

    def complete_many(
        self, prompts: Sequence[Prompt], sampling: Sampling = Sampling()
    ) -> Iterator[tuple[int, list[Completion]]]:
        """Answers to many prompts, eight at a time; yields (index, answers) as they finish.

        `complete` may be called between two answers, for a repair: slot 0 is kept free for it.
        """
        singles = [prompt for prompt in prompts for _ in range(sampling.n)]
        seeds = [sampling.seed + i for _ in prompts for i in range(sampling.n)]
        waiting: dict[int, dict[int, Completion]] = {}
        for place, completion in self._side_by_side(singles, sampling, seeds):
            index, number = divmod(place, sampling.n)
            answers = waiting.setdefault(index, {})
            answers[number] = completion
            if len(answers) == sampling.n:
                del waiting[index]
                yield index, [answers[i] for i in range(sampling.n)]

    def count_tokens(self, text: str) -> int:
        """Tokens of `text`, control tokens parsed."""
        with self._sharing.shared():
            return len(self._running().tokenize(text))

    def close(self) -> None:
        """Free the model. Safe to call twice."""
        if self._server is not None:
            self._server.abort()
        with self._lock, self._sharing.alone():
            self._closed = True
            if self._server is not None:
                self._server.close()
                self._server = None

    def __enter__(self) -> LlamaCppEngine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open(self, shape: Shape) -> None:
        """Replace the server by one of this shape."""
        if self._server is not None:
            self._server.close()
        self._held.clear()
        folder = self._states.folder if self._states else None
        self._server = LlamaServer(self._model, shape, threads=self._threads, states=folder)

    def _fit(self, prompts: Sequence[Prompt], sampling: Sampling, *, slots: int) -> int:
        """See to it that the server has room for the longest prompt and, if it can be, `slots` slots; how many it has.

        Raises PromptTooLong.
        """
        longest = max(self._length(prompt) for prompt in prompts) + sampling.max_tokens
        self._check_length(longest, sampling)
        has = self._running().shape
        if has.slots >= slots and has.context >= longest:
            return has.slots
        slots = max(slots, has.slots)
        context = min(self.context, -(-longest // STEP) * STEP) if slots > 1 else self.context
        slots = max(min(slots, CELLS // context), 1)
        if has.context < longest or has.slots < slots:
            with self._sharing.alone():
                self._open(Shape(slots, context if slots > 1 else self.context))
        return self._running().shape.slots

    def _length(self, prompt: Prompt) -> int:
        return self.count_tokens(prompt.text)

    def _running(self) -> LlamaServer:
        if self._closed or self._server is None:
            raise ValueError("The engine is closed.")
        return self._server

    def _answer(self, slot: int, prompt: Prompt, sampling: Sampling, seed: int) -> Completion:
        with self._sharing.shared():
            started = time.perf_counter()
            server = self._running()
            slot %= server.shape.slots
            tokens = server.tokenize(prompt.text)
            self._ready(server, slot, prompt)
            reply = server.complete(slot, tokens, _options(sampling, seed))
            return _completion(reply, time.perf_counter() - started)

    def _check_length(self, tokens: int, sampling: Sampling) -> None:
        if tokens > self.context:
            raise PromptTooLong(
                f"The prompt has {tokens - sampling.max_tokens:,} tokens and the answer may take "
                f"{sampling.max_tokens:,}; the context holds {self.context:,}.",
                hint=f"Ask about fewer tables, or set MNEMOSYNE_CONTEXT={-(-tokens // 1024) * 1024} "
                "(more context takes more memory).",
            )

    def _ready(self, server: LlamaServer, slot: int, prompt: Prompt) -> None:
        """Make `slot` hold the prefix: already there, or from a file, or computed and then filed."""
        version = f"{self._version}/{server.shape.slots}"  # a state fits one number of slots
        name = key(self._model, version, prompt.prefix)
        if self._held.get(slot) == name:
            return
        self._held.pop(slot, None)  # until this ends well
        if self._states is not None:
            with self._filling[name]:
                if not ((file := self._states.find(name, prompt.lasting)) and server.restore(slot, file)):
                    server.complete(slot, server.tokenize(prompt.prefix), {"n_predict": 0})
                    self._states.keep(name, lambda file: server.save(slot, file), prompt.lasting)
        self._held[slot] = name

    def _spread(self, prompt: Prompt, sampling: Sampling) -> None:
        """Read a prompt once, in slot 0, and give its state to the slots that answer it side by side."""
        slots = self._fit([prompt], sampling, slots=SLOTS + 1)
        if slots == 1:
            return
        with self._sharing.shared():
            server = self._running()
            self._ready(server, 0, prompt)
            server.complete(0, server.tokenize(prompt.text), {"n_predict": 0})
            for slot in server.copy(0, range(1, min(slots, sampling.n + 1))):
                self._held[slot] = self._held[0]

    def _side_by_side(
        self, prompts: Sequence[Prompt], sampling: Sampling, seeds: Sequence[int]
    ) -> Iterator[tuple[int, Completion]]:
        """Answers as (place in `prompts`, answer), as they finish, one thread a slot."""
        if not prompts:
            return
        with self._lock:
            wanted = min(SLOTS, len(prompts))
            slots = self._fit(prompts, sampling, slots=SLOTS + 1 if wanted > 1 else 1)
            work: queue.SimpleQueue[int] = queue.SimpleQueue()
            for place in sorted(range(len(prompts)), key=lambda place: prompts[place].prefix):
                work.put(place)
            done: queue.SimpleQueue[tuple[int, Completion] | BaseException] = queue.SimpleQueue()
            stop = threading.Event()

            def serve(slot: int) -> None:
                with contextlib.suppress(queue.Empty):
                    while not stop.is_set():
                        place = work.get_nowait()
                        try:
                            done.put((place, self._answer(slot, prompts[place], sampling, seeds[place])))
                        except BaseException as error:  # noqa: BLE001 - handed to the caller's thread
                            done.put(error)
                            return

            threads = [
                threading.Thread(target=serve, args=(slot,), daemon=True)
                for slot in (range(1, min(slots, wanted + 1)) if slots > 1 else [0])
            ]
            for thread in threads:
                thread.start()
            finished = False
            try:
                for _ in range(len(prompts)):
                    item = done.get()
                    if isinstance(item, BaseException):
                        raise item
                    yield item
                finished = True
            finally:
                stop.set()
                if not finished and self._server is not None:  # Ctrl-C, an error, or the caller has enough
                    self._server.abort()
                for thread in threads:
                    thread.join()


def _options(sampling: Sampling, seed: int) -> dict[str, object]:
    """The sampling in llama-server's words. Greedy keeps the best token only, so nothing can move it."""
    options: dict[str, object] = {"n_predict": sampling.max_tokens, "stop": list(STOPS), "n_probs": 1}
    if sampling.temperature <= 0:
        return options | {"samplers": ["top_k"], "top_k": 1}
    return options | {
        "temperature": sampling.temperature,
        "top_k": TOP_K,
        "top_p": sampling.top_p,
        "samplers": ["top_k", "top_p", "temperature"],
        "seed": seed,
    }


def _completion(reply: dict[str, Any], seconds: float) -> Completion:
    cached = int(reply["timings"]["cache_n"])
    return Completion(
        text=reply["content"],
        tokens=int(reply["tokens_predicted"]),
        prompt_tokens=int(reply["tokens_evaluated"]),
        cached_tokens=cached,
        logprobs=tuple(float(token["logprob"]) for token in reply.get("completion_probabilities", ())),
        finish="length" if reply["stop_type"] == "limit" else "stop",
        seconds=seconds,
    )
