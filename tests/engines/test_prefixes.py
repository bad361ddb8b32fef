"""States of prefixes are kept privately, verified, and limited."""

from __future__ import annotations

import os
import stat
import time
from dataclasses import replace
from pathlib import Path

import pytest

from mnemosyne.engines.prefixes import PrefixStates, key, open_states
from mnemosyne.settings import Settings
from mnemosyne.weights import Model

MODEL = Model("m", Path("m.gguf"), sha256="1" * 64, base="m")


@pytest.fixture
def states(tmp_path: Path) -> PrefixStates:
    found = open_states(Settings(home=tmp_path / "home"))
    assert found is not None
    return found


def keep(states: PrefixStates, name: str, data: bytes = b"state") -> None:
    states.keep(name, lambda file: (states.folder / file).write_bytes(data))


def test_a_state_is_found_again(states: PrefixStates) -> None:
    assert states.find("a") is None
    keep(states, "a")
    assert states.find("a") == "a.state"
    assert {path.name for path in states.folder.iterdir()} == {"a.state", "a.sha256"}


def test_only_this_user_can_read_it(states: PrefixStates) -> None:
    keep(states, "a")
    assert stat.S_IMODE(states.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((states.folder / "a.state").stat().st_mode) == 0o600


def test_a_folder_that_others_could_enter_is_closed(tmp_path: Path) -> None:
    folder = tmp_path / "home" / "prefixes"
    folder.mkdir(parents=True, mode=0o755)
    assert open_states(Settings(home=tmp_path / "home")) is not None
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "prefixes").symlink_to(tmp_path / "elsewhere")
    assert open_states(Settings(home=tmp_path / "home")) is None


def test_it_can_be_switched_off(tmp_path: Path) -> None:
    assert open_states(Settings(home=tmp_path, prefix_cache_mb=0)) is None


@pytest.mark.parametrize("damaged", [b"", b"stat", b"State", b"state and more"])
def test_a_changed_state_is_never_used(states: PrefixStates, damaged: bytes) -> None:
    keep(states, "a")
    (states.folder / "a.state").write_bytes(damaged)
    assert states.find("a") is None
    assert list(states.folder.iterdir()) == []


@pytest.mark.parametrize("checksum", [None, b"", b"\xff\xfe", b"0" * 64])
def test_a_state_whose_checksum_is_lost_or_damaged_is_written_anew(
    states: PrefixStates, checksum: bytes | None
) -> None:
    keep(states, "a", b"torn")
    if checksum is None:
        (states.folder / "a.sha256").unlink()
    else:
        (states.folder / "a.sha256").write_bytes(checksum)
    assert states.find("a") is None
    keep(states, "a")
    assert states.find("a") == "a.state"
    assert (states.folder / "a.state").read_bytes() == b"state"


def test_a_writer_that_fails_leaves_nothing(states: PrefixStates) -> None:
    def full(file: str) -> None:
        (states.folder / file).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    states.keep("a", full)
    assert list(states.folder.iterdir()) == []


def test_a_file_with_fewer_bytes_than_were_written_is_never_kept(states: PrefixStates) -> None:
    """The library does not see when its last bytes find no room, and aborts the process that reads such a file."""
    states.keep("a", lambda file: (states.folder / file).write_bytes(b"state") + 1)
    assert list(states.folder.iterdir()) == []


def test_a_writer_that_is_broken_off_leaves_nothing(states: PrefixStates) -> None:
    def stopped(file: str) -> int:
        (states.folder / file).write_bytes(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        states.keep("a", stopped)
    assert list(states.folder.iterdir()) == []


def test_what_a_killed_writer_left_goes_after_an_hour(states: PrefixStates) -> None:
    for name, age in (("b.1.tmp", 4000), ("c.1.tmp", 10)):
        (states.folder / name).write_bytes(b"half")
        os.utime(states.folder / name, (time.time() - age,) * 2)
    keep(states, "a")
    assert {path.name for path in states.folder.iterdir()} == {"a.state", "a.sha256", "c.1.tmp"}


def test_the_ones_used_longest_ago_go_first(states: PrefixStates) -> None:
    small = PrefixStates(states.folder, limit_bytes=25)
    for age, name in enumerate(["new", "middle", "old"]):
        keep(small, name, b"x" * 10)
        os.utime(small.folder / f"{name}.state", (1000 - age, 1000 - age))
    small.find("old")  # used now
    keep(small, "newest", b"x" * 10)
    assert small.find("middle") is None
    assert small.find("old")
    assert small.find("newest")


def test_what_served_one_question_goes_before_anything_else(states: PrefixStates) -> None:
    small = PrefixStates(states.folder, limit_bytes=35)
    keep(small, "lasting", b"x" * 10)
    os.utime(small.folder / "lasting.state", (1_700_000_000,) * 2)
    for number in range(4):
        small.keep(f"passing-{number}", lambda file: (small.folder / file).write_bytes(b"y" * 10), lasting=False)
        assert small.find(f"passing-{number}", lasting=False), "its repairs read it again"
    held = {path.stem for path in small.folder.glob("*.state")}
    assert "lasting" in held
    assert len(held) == 3
    keep(small, "another", b"x" * 20)
    assert {path.stem for path in small.folder.glob("*.state")} == {"lasting", "another"}
    small.keep("passing-9", lambda file: (small.folder / file).write_bytes(b"y" * 10), lasting=False)
    assert {path.stem for path in small.folder.glob("*.state")} == {"lasting", "another"}, "full of what lasts"


def test_using_what_served_one_question_does_not_make_it_last(states: PrefixStates) -> None:
    for name, lasting in (("passing", False), ("lasting", True)):
        states.keep(name, lambda file: (states.folder / file).write_bytes(b"state"), lasting=lasting)
    os.utime(states.folder / "lasting.state", (1_700_000_000,) * 2)
    states.find("passing", lasting=False)
    ages = {path.stem: path.stat().st_mtime for path in states.folder.glob("*.state")}
    assert ages["passing"] < ages["lasting"]


def test_everything_that_changes_a_state_is_in_its_name() -> None:
    names = {
        key(MODEL, "1", "prefix"),
        key(MODEL, "2", "prefix"),
        key(MODEL, "1", "other"),
        key(replace(MODEL, sha256="2" * 64), "1", "prefix"),
        key(replace(MODEL, adapter_sha256="3" * 64), "1", "prefix"),
    }
    assert len(names) == 5
