"""llama.cpp in this process, behind a private unix socket.

xllamacpp runs llama-server's own server context in threads of this process. Its Python calls know
neither slots nor cancelling, its endpoints do, so they are reached over the socket that the library
opens: a file in a folder that only this user can enter, with a random key on top. Nothing listens on
the network. Where there are no unix sockets, loopback and the key remain.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import secrets
import shutil
import socket
import tempfile
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mnemosyne.errors import EngineError, MissingExtra, WeightsCorrupt
from mnemosyne.weights import Model

FIELDS = ["content", "tokens_predicted", "tokens_evaluated", "stop_type", "timings", "completion_probabilities"]
"""What is wanted of a completion; the rest is left out on the way."""

SOCKET = "llama.sock"

LONGEST_SOCKET = 100
"""Bytes of a path that every kernel takes for a unix socket."""

SPINS = "2000"
"""How often an idle thread of llama.cpp looks again before it sleeps (see docs/decisions/0200)."""


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


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Refused(EngineError):
    """The server understood a call and did not do it."""


class LlamaServer:
    """One loaded model with its slots. Methods may be called from several threads; one call per slot at a time."""

    def __init__(self, model: Model, shape: Shape, *, threads: int, states: Path | None) -> None:
        self.shape = shape
        self._folder = Path(tempfile.mkdtemp(prefix="mnemosyne-"))  # mode 0700
        self._states = states or self._folder
        self._key = secrets.token_hex(32)
        self._busy: set[http.client.HTTPConnection] = set()
        self._lock = threading.Lock()
        try:
            self._server = _open(model, shape, threads, self._states, self._folder, self._key)
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        self._call("GET", "/slots")  # its loop runs once this is answered; stopped before, it would never end

    def tokenize(self, text: str) -> list[int]:
        """Token ids of `text`, control tokens parsed."""
        reply = self._post("/tokenize", {"content": text, "parse_special": True, "add_special": False})
        return list(reply["tokens"])

    def complete(self, slot: int, tokens: Sequence[int], options: Mapping[str, object]) -> dict[str, Any]:
        """Continue `tokens` in `slot`, keeping what the slot already knows of them."""
        body = {"prompt": list(tokens), "id_slot": slot, "cache_prompt": True, "response_fields": FIELDS, **options}
        return self._post("/completion", body)

    def save(self, slot: int, file: str) -> int:
        """Write the state of `slot` to `file` in the folder of states; the number of bytes that it should have.

        Raises OSError where the library cannot write. It does not see when the very last bytes find no room.
        """
        try:
            return int(self._post(f"/slots/{slot}?action=save", {"filename": file})["n_written"])
        except Refused as error:
            raise OSError(str(error)) from error

    def restore(self, slot: int, file: str) -> bool:
        """Read the state of `slot` back; False when it does not fit this server.

        The library aborts the whole process on a torn file: check it before.
        """
        try:
            self._post(f"/slots/{slot}?action=restore", {"filename": file})
        except Refused:
            return False
        return True

    def copy(self, source: int, targets: Iterable[int]) -> list[int]:
        """Give the state of one slot to others, milliseconds each, through a file; the slots that have it now."""
        file = self._states / f"{secrets.token_hex(16)}.tmp"
        try:
            if self.save(source, file.name) != file.stat().st_size:  # torn: the library would abort on it
                return []
            return [slot for slot in targets if self.restore(slot, file.name)]
        except OSError:  # the disk is full: each slot reads the prompt itself
            return []
        finally:
            with contextlib.suppress(OSError):
                file.unlink(missing_ok=True)

    def abort(self) -> None:
        """Break off every answer that is being written; their callers get an EngineError."""
        with self._lock:
            for connection in self._busy:
                if connection.sock is not None:
                    with contextlib.suppress(OSError):
                        connection.sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Free the model and its socket. Safe to call twice."""
        if self._server is None:
            return
        self.abort()
        self._server = None
        shutil.rmtree(self._folder, ignore_errors=True)

    def _post(self, path: str, body: Mapping[str, object]) -> dict[str, Any]:
        reply = self._call("POST", path, body)
        assert isinstance(reply, dict)
        return reply

    def _call(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Any:
        """One call over a connection of its own: the library notices when it breaks off, and stops working."""
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        connection = self._connection()
        with self._lock:
            self._busy.add(connection)
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            response = connection.getresponse()
            status, data = response.status, response.read()
        except (OSError, http.client.HTTPException) as error:
            raise EngineError(f"The local model stopped answering: {error or type(error).__name__}.") from error
        finally:
            with self._lock:
                self._busy.discard(connection)
            connection.close()
        if status != 200:
            raise Refused(f"The local model refused {path.split('?')[0]}: {_words(data) or f'HTTP {status}'}")
        return json.loads(data)

    def _connection(self) -> http.client.HTTPConnection:
        if self._server is None:
            raise EngineError("The local model was closed.")
        path = self._folder / SOCKET
        if path.exists():
            return _UnixConnection(path)
        host, port = str(self._server.listening_address).removeprefix("http://").rstrip("/").rsplit(":", 1)
        return http.client.HTTPConnection(host, int(port))


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("llama")
        self._path = path

    def connect(self) -> None:
        """Connect to the file."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(str(self._path))


def _words(data: bytes) -> str:
    """What the library says about a failure, empty when it says nothing."""
    with contextlib.suppress(ValueError, KeyError, TypeError):
        return str(json.loads(data)["error"]["message"])
    return ""


def _open(model: Model, shape: Shape, threads: int, states: Path, folder: Path, key: str) -> Any:
    xllamacpp = library()
    params = xllamacpp.CommonParams()
    params.model.path = str(model.gguf)
    if model.adapter is not None:
        params.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(str(model.adapter), 1.0)]
    params.n_parallel = shape.slots
    params.n_ctx = shape.context * shape.slots
    params.kv_unified = False  # a slot attends to its own cells only, so more slots do not slow each one down
    params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED  # a tenth slower on CPUs
    params.n_batch = params.n_ubatch = 512
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads or cores()
    params.slot_save_path = f"{states}{os.sep}"
    path = str(folder / SOCKET)
    fits = hasattr(socket, "AF_UNIX") and len(os.fsencode(path)) < LONGEST_SOCKET
    params.hostnames = [path] if fits else ["127.0.0.1"]
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
