"""llama.cpp in this process, behind a private unix socket.

xllamacpp runs llama-server's own server context in threads of this process. Its Python calls know
neither slots nor cancelling, its endpoints do, so they are reached over the socket that the library
opens: a file in a folder that only this user can enter, with a random key on top. Nothing listens on
the network. Where there are no unix sockets, loopback and the key remain.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from mnemosyne.errors import EngineError, MissingExtra, WeightsCorrupt
from mnemosyne.weights import Model

FIELDS = ["content", "tokens_predicted", "tokens_evaluated", "stop_type", "timings", "completion_probabilities"]
"""What is wanted of a completion; the rest is left out on the way."""

SPINS = "2000"
"""How often an idle thread of llama.cpp looks again before it sleeps (see docs/decisions/0012)."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How a server is cut: slots and tokens."""

    slots: int
    """Prompts that are answered at the same time."""
    context: int
    """Tokens of each slot."""


def library() -> Any:
    """The module xllamacpp. Raises MissingExtra.

    Its OpenMP is told to spin only briefly: the default spins for milliseconds at every barrier, which
    costs a factor of ten and more as soon as another program wants the same cores. OpenMP reads the
    variable once, while it is loaded; it is taken back for whatever this process starts later.
    """
    ours = "OMP_WAIT_POLICY" not in os.environ and "GOMP_SPINCOUNT" not in os.environ
    if ours:
        os.environ["GOMP_SPINCOUNT"] = SPINS
    try:
        import xllamacpp
    except ImportError as error:
        raise MissingExtra("local", "Running a model on this machine") from error
    finally:
        if ours:
            os.environ.pop("GOMP_SPINCOUNT", None)
    return xllamacpp


class Refused(EngineError):
    """The server understood a call and did not do it."""


class LlamaServer:
    """One loaded model with its slots. Methods may be called from several threads; one call per slot at a time."""

    def __init__(self, model: Model, shape: Shape, *, threads: int, states: Path | None) -> None:
        self.shape = shape
        self._folder = Path(tempfile.mkdtemp(prefix="mnemosyne-"))  # mode 0700
        key = secrets.token_hex(32)
        try:
            self._server = _open(model, shape, threads, states or self._folder, self._folder, key)
            self._client = _client(self._folder, self._server, key, shape.slots)
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise

    def tokenize(self, text: str) -> list[int]:
        """Token ids of `text`, control tokens parsed."""
        reply = self._post("/tokenize", {"content": text, "parse_special": True, "add_special": False})
        return list(reply["tokens"])

    def complete(self, slot: int, tokens: Sequence[int], options: Mapping[str, object]) -> dict[str, Any]:
        """Continue `tokens` in `slot`, keeping what the slot already knows of them."""
        body = {"prompt": list(tokens), "id_slot": slot, "cache_prompt": True, "response_fields": FIELDS, **options}
        return self._post("/completion", body)

    def save(self, slot: int, file: str) -> int:
        """Write the state of `slot` to `file` in the folder of states; the number of bytes."""
        return int(self._post(f"/slots/{slot}?action=save", {"filename": file})["n_written"])

    def restore(self, slot: int, file: str) -> bool:
        """Read the state of `slot` back; False when it does not fit this server.

        The library aborts the whole process on a torn file: check it before.
        """
        try:
            self._post(f"/slots/{slot}?action=restore", {"filename": file})
        except Refused:
            return False
        return True

    def close(self) -> None:
        """Free the model and its socket. Safe to call twice."""
        if self._server is None:
            return
        self._client.close()
        self._server = None
        shutil.rmtree(self._folder, ignore_errors=True)

    def _post(self, path: str, body: Mapping[str, object]) -> dict[str, Any]:
        try:
            response = self._client.post(path, json=body)
        except httpx.HTTPError as error:
            raise EngineError(f"The local model stopped answering: {error or type(error).__name__}.") from error
        if response.status_code != 200:
            raise Refused(f"The local model refused {path.split('?')[0]}: {_words(response)}")
        reply = response.json()
        assert isinstance(reply, dict)
        return reply


def _words(response: httpx.Response) -> str:
    with contextlib.suppress(ValueError, KeyError, TypeError):
        return str(response.json()["error"]["message"])
    return f"HTTP {response.status_code}"


def _open(model: Model, shape: Shape, threads: int, states: Path, folder: Path, key: str) -> Any:
    xllamacpp = library()
    params = xllamacpp.CommonParams()
    params.model.path = str(model.gguf)
    if model.adapter is not None:
        params.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(str(model.adapter), 1.0)]
    params.n_parallel = shape.slots
    params.n_ctx = shape.context * shape.slots
    params.kv_unified = True  # one stream of cells: a state saved by one slot fits servers with any number of slots
    params.n_batch = params.n_ubatch = 512
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads or os.cpu_count() or 1
    params.slot_save_path = f"{states}{os.sep}"
    params.hostnames = [str(folder / "llama.sock")] if hasattr(socket, "AF_UNIX") else ["127.0.0.1"]
    params.api_keys = [key]
    params.n_threads_http = shape.slots + 2
    params.ui = params.warmup = params.fit_params = params.use_jinja = False
    params.cache_ram_mib = params.n_ctx_checkpoints = 0  # prefixes are kept by slots and files, not twice
    params.verbosity = 0
    try:
        return xllamacpp.Server(params)
    except RuntimeError as error:
        what = f"{model.gguf.name}" + (f" with the adapter {model.adapter.name}" if model.adapter else "")
        raise WeightsCorrupt(
            f"llama.cpp cannot load {what}: {error}",
            hint="The file may be damaged, of another architecture, or too large for the memory.",
        ) from error


def _client(folder: Path, server: Any, key: str, slots: int) -> httpx.Client:
    limits = httpx.Limits(max_connections=slots + 2, max_keepalive_connections=slots + 2)
    path = folder / "llama.sock"
    if path.exists():
        transport, address = httpx.HTTPTransport(uds=str(path), limits=limits), "http://llama"
    else:
        transport, address = httpx.HTTPTransport(limits=limits), str(server.listening_address)
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.Client(transport=transport, base_url=address, headers=headers, timeout=None, trust_env=False)


@contextlib.contextmanager
def opened(model: Model, shape: Shape, *, threads: int = 0, states: Path | None = None) -> Iterator[LlamaServer]:
    """A server for the length of a block."""
    server = LlamaServer(model, shape, threads=threads, states=states)
    try:
        yield server
    finally:
        server.close()
