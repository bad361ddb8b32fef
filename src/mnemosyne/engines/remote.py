"""Models behind any OpenAI-compatible server: llama-server, Ollama, vLLM, a dedicated endpoint.

`openai:http://host:port/v1#model` names one; without `#model` the server must serve exactly one model.
The prompt goes as chat messages, so the server's own template frames them. Every answer is a request of
its own, because servers disagree about `n`; a server that batches or keeps prefixes does so by itself.
Passing failures are tried again; everything else is a RemoteError that says what the server said.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any

import httpx

from mnemosyne.engines import Completion, Sampling
from mnemosyne.engines.chat import messages
from mnemosyne.errors import PromptTooLong, RemoteError, SettingsError
from mnemosyne.prompt import STOPS, Prompt
from mnemosyne.settings import Settings

PREFIX = "openai:"

ATTEMPTS = 4
"""Requests for one answer at most, when the server fails in a way that passes."""

FIRST_PAUSE_SECONDS = 0.5
"""Before the second request; it doubles each time. A server's Retry-After wins."""

LONGEST_PAUSE_SECONDS = 20.0
"""A server that wants more patience is given up."""

PARALLEL = 8
"""Requests of `complete_many` at the same time."""

CONTEXT = 32_768
"""Tokens, when neither the settings nor the server say how many; the server refuses what is too long."""

CHARACTERS_PER_TOKEN = 3
"""For counting without the server's tokenizer: SQL and English have about 3.6, so this counts a few too many."""

_PASSING = {408, 425, 429, 500, 502, 503, 504}
_TOO_LONG = re.compile(r"context[ _](?:length|size|window)|maximum context|too many tokens|too long", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Address:
    """What `openai:URL#model` says."""

    url: str
    """Base of the API, such as `http://localhost:8080/v1`."""
    model: str
    """The server's name of the model, empty for its only one."""


def parse(name: str) -> Address:
    """The address in `openai:URL#model`; `openai:` may be left out. Raises SettingsError."""
    url, _, model = name.removeprefix(PREFIX).partition("#")
    hint = "Name a server as openai:http://host:port/v1#model."
    try:
        parts = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise SettingsError(f"{url!r} is not a URL: {error}.", hint=hint) from error
    if parts.scheme not in ("http", "https") or not parts.host:
        raise SettingsError(f"{url!r} is not a URL of a model server.", hint=hint)
    if parts.userinfo:
        raise SettingsError("A key or password does not belong into the URL.", hint="Set MNEMOSYNE_API_KEY instead.")
    path = parts.path.rstrip("/")
    return Address(str(parts.copy_with(path=path or "/v1", query=None)), model)


class RemoteEngine:
    """A model on a server. Thread-safe."""

    def __init__(self, name: str, settings: Settings) -> None:
        self.name = name
        self.adapter_sha256: str | None = None  # no server says what it serves
        address = parse(name)
        self._host = httpx.URL(address.url).netloc.decode()
        self._logprobs = True  # until the server refuses them
        headers = _authorization(settings.api_key)
        try:
            self._client = httpx.Client(
                base_url=address.url,
                headers=headers,
                timeout=httpx.Timeout(settings.remote_timeout_seconds, connect=10.0),
                limits=httpx.Limits(max_connections=PARALLEL),
                trust_env=httpx.URL(address.url).host not in ("localhost", "127.0.0.1", "::1"),  # no proxy to ourselves
            )
        except (ImportError, OSError, ValueError) as error:  # proxies and certificates of the environment
            raise RemoteError(
                f"No connection to {self._host} can be made: {error}",
                hint="Look at the variables ALL_PROXY, HTTPS_PROXY and SSL_CERT_FILE.",
            ) from error
        try:
            self._model, served = self._choose(address.model)
        except BaseException:
            self._client.close()
            raise
        self.context = settings.context or served or CONTEXT

    def complete(self, prompt: Prompt, sampling: Sampling = Sampling()) -> list[Completion]:
        """`sampling.n` answers to one prompt. Raises PromptTooLong, RemoteError."""
        if sampling.n == 1:  # in this thread, where Ctrl-C breaks it off
            return [self._answer(prompt, sampling, sampling.seed)]
        return next(answers for _, answers in self._many([prompt], sampling, strict=True))

    def complete_many(
        self, prompts: Sequence[Prompt], sampling: Sampling = Sampling()
    ) -> Iterator[tuple[int, list[Completion]]]:
        """Answers to many prompts, eight requests at a time; yields (index, answers) as they finish.

        One that the server finds too long has no words and `finish` length: the others can still be answered.
        """
        yield from self._many(prompts, sampling, strict=False)

    def _many(
        self, prompts: Sequence[Prompt], sampling: Sampling, *, strict: bool
    ) -> Iterator[tuple[int, list[Completion]]]:
        places = [(index, number) for index in range(len(prompts)) for number in range(sampling.n)]
        found: dict[int, dict[int, Completion]] = {}
        pool = ThreadPoolExecutor(PARALLEL, "remote")
        try:
            tasks = {
                pool.submit(self._answer, prompts[index], sampling, sampling.seed + number): (index, number)
                for index, number in places
            }
            for task in as_completed(tasks):
                index, number = tasks[task]
                answers = found.setdefault(index, {})
                try:
                    answers[number] = task.result()
                except PromptTooLong:
                    if strict:
                        raise
                    answers[number] = Completion("", finish="length")
                if len(answers) == sampling.n:
                    yield index, [answers[i] for i in range(sampling.n)]
        finally:  # nobody waits for requests whose answers are not wanted any more
            pool.shutdown(wait=False, cancel_futures=True)

    def count_tokens(self, text: str) -> int:
        """About how many tokens `text` has, rather too many: the server's tokenizer is not known here."""
        return math.ceil(len(text) / CHARACTERS_PER_TOKEN)

    def close(self) -> None:
        """Close the connections. Safe to call twice."""
        self._client.close()

    def __enter__(self) -> RemoteEngine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _choose(self, wanted: str) -> tuple[str, int]:
        """The model to ask for and its context, 0 when the server does not say."""
        try:
            listed = self._send("GET", "/models")
        except _Refused as error:
            if wanted and error.status in (404, 405, 501):  # a server that lists nothing may still answer
                return wanted, 0
            raise
        models = [model for model in _list(listed, "data") if isinstance(model.get("id"), str)]
        names = [str(model["id"]) for model in models]
        if not wanted and len(names) == 1:
            wanted = names[0]
        elif not wanted or (names and wanted not in names):
            if wanted and f"{wanted}:latest" in names:  # what Ollama calls an untagged model
                wanted = f"{wanted}:latest"
            elif wanted and len(names) == 1:
                pass  # a llama-server answers to any name and lists its file
            else:
                said = f"has no model {wanted!r}" if wanted else f"serves {len(names)} models"
                raise RemoteError(
                    f"{self._host} {said}.",
                    hint=f"Name one after '#': {', '.join(sorted(names)[:10]) or 'the server lists none'}.",
                )
        served = models if len(models) == 1 else [model for model in models if model["id"] == wanted]
        return wanted, next((_context(model) for model in served), 0)

    def _answer(self, prompt: Prompt, sampling: Sampling, seed: int) -> Completion:
        started = time.perf_counter()
        body: dict[str, object] = {
            "model": self._model,
            "messages": messages(prompt),
            "max_tokens": sampling.max_tokens,
            "temperature": max(sampling.temperature, 0.0),
            "stop": list(STOPS),
            "seed": seed,
        }
        if sampling.temperature > 0:
            body["top_p"] = sampling.top_p
        reply = self._chat(body)
        return _completion(reply, self._host, time.perf_counter() - started)

    def _chat(self, body: dict[str, object]) -> dict[str, Any]:
        if self._logprobs:
            try:
                return self._send("POST", "/chat/completions", body | {"logprobs": True})
            except _Refused as error:
                if error.status not in (400, 422, 501) or "logprob" not in str(error):
                    raise
                self._logprobs = False
        return self._send("POST", "/chat/completions", body)

    def _send(self, method: str, path: str, body: Mapping[str, object] | None = None) -> dict[str, Any]:
        """One call, tried again while the failure may pass."""
        pause = FIRST_PAUSE_SECONDS
        for attempt in range(1, ATTEMPTS + 1):
            try:
                response = self._client.request(method, path, json=body)
            except httpx.TimeoutException as error:
                raise RemoteError(
                    f"{self._host} did not answer in time.",
                    hint="Is the server busy? MNEMOSYNE_REMOTE_TIMEOUT_SECONDS allows more.",
                ) from error
            except httpx.TransportError as error:  # refused, reset, broken off
                if attempt == ATTEMPTS:
                    raise RemoteError(
                        f"{self._host} cannot be reached: {error or type(error).__name__}.",
                        hint="Does the server run, and are host and port right?",
                    ) from error
            else:
                wait = _retry_after(response, pause)
                if response.status_code not in _PASSING or attempt == ATTEMPTS or wait > LONGEST_PAUSE_SECONDS:
                    return self._read(response)
                pause = wait
            time.sleep(pause)
            pause *= 2
        raise AssertionError("the last attempt returns or raises")

    def _read(self, response: httpx.Response) -> dict[str, Any]:
        if response.status_code != 200:
            raise self._failure(response)
        try:
            reply = response.json()
        except ValueError:
            reply = None
        if not isinstance(reply, dict):
            raise RemoteError(
                f"{self._host} answered something else than JSON.", hint="Does the URL end in the API's path, /v1?"
            )
        return reply

    def _failure(self, response: httpx.Response) -> RemoteError | PromptTooLong:
        status, said = response.status_code, _words(response)
        if status in (401, 403):
            return RemoteError(f"{self._host} does not accept the key (HTTP {status}).", hint="Set MNEMOSYNE_API_KEY.")
        if status in (400, 413, 422, 500) and _TOO_LONG.search(said):
            return PromptTooLong(f"{self._host} finds the prompt too long: {said}", hint="Ask about fewer tables.")
        hints = {
            404: "Is the API below this path (often /v1), and is the model's name right?",
            429: "The server has too much to do; try later.",
        }
        hint = hints.get(status, "The server's own log may say more.")
        return _Refused(f"{self._host} answered HTTP {status}: {said}", hint=hint, status=status)


class _Refused(RemoteError):
    """An HTTP status that is not 200."""

    def __init__(self, message: str, *, hint: str, status: int) -> None:
        super().__init__(message, hint=hint)
        self.status = status


def _authorization(key: str) -> dict[str, str]:
    """The header that carries the key. Raises SettingsError, which does not show it."""
    key = key.strip()  # files of secrets end with a line break
    if not key:
        return {}
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise SettingsError(
            "MNEMOSYNE_API_KEY holds a sign that no key has.",
            hint="Was a line break or a letter outside ASCII copied with it?",
        )
    return {"Authorization": f"Bearer {key}"}


def _retry_after(response: httpx.Response, pause: float) -> float:
    """Seconds that the server asks for, or `pause`."""
    try:
        return max(0.0, float(response.headers["Retry-After"]))
    except (KeyError, ValueError):
        return pause


def _words(response: httpx.Response) -> str:
    """What the server says about a failure, one line."""
    try:
        said = response.json()
    except ValueError:
        said = response.text
    if isinstance(said, dict):
        said = said.get("error", said.get("detail", said.get("message", said)))
    if isinstance(said, dict):
        said = said.get("message", said)
    return " ".join(str(said).split())[:300] or "nothing"


def _list(reply: Mapping[str, Any], field: str) -> list[dict[str, Any]]:
    found = reply.get(field)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _context(model: Mapping[str, Any]) -> int:
    """Tokens of context as vLLM (`max_model_len`) or llama-server (`meta.n_ctx`) list it."""
    meta = model.get("meta")
    for value in (model.get("max_model_len"), meta.get("n_ctx") if isinstance(meta, dict) else None):
        if isinstance(value, int) and value > 0:
            return value
    return 0


def _completion(reply: Mapping[str, Any], host: str, seconds: float) -> Completion:
    choices = _list(reply, "choices")
    message = choices[0].get("message") if choices else None
    text = message.get("content") if isinstance(message, dict) else None
    if text is None and isinstance(message, dict) and choices[0].get("finish_reason"):
        text = ""  # all tokens went into reasoning, or the model refused: an answer without words
    if not isinstance(text, str):
        raise RemoteError(f"{host} gave no answer: {str(dict(reply))[:200]}", hint="Is this a chat model?")
    usage = reply.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    details = usage.get("prompt_tokens_details")
    spoken = choices[0].get("logprobs")
    logprobs = tuple(float(token["logprob"]) for token in _list(spoken, "content")) if isinstance(spoken, dict) else ()
    return Completion(
        text=text,
        tokens=int(usage.get("completion_tokens") or len(logprobs)),
        prompt_tokens=int(usage.get("prompt_tokens") or 0),
        cached_tokens=int((details.get("cached_tokens") if isinstance(details, dict) else 0) or 0),
        logprobs=logprobs,
        finish="length" if choices[0].get("finish_reason") == "length" else "stop",
        seconds=seconds,
    )
