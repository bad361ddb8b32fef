"""Settings: what a variable may say, and what is told when it says nothing that can be meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from mnemosyne.errors import SettingsError
from mnemosyne.settings import Settings, load


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("MAX_ROWS", "0"),
        ("MAX_ROWS", "-1"),
        ("MAX_BYTES", "0"),
        ("MEMORY_MB", "-1"),
        ("THREADS", "-3"),
        ("CONTEXT", "-1"),
        ("PREFIX_CACHE_MB", "-1"),
        ("QUERY_TIMEOUT_SECONDS", "0"),
        ("QUERY_TIMEOUT_SECONDS", "-5"),
        ("QUERY_TIMEOUT_SECONDS", "nan"),
        ("QUERY_TIMEOUT_SECONDS", "inf"),
        ("REMOTE_TIMEOUT_SECONDS", "1e99"),
        ("HUB_TIMEOUT_SECONDS", "-0.1"),
        ("MAX_ROWS", "many"),
        ("OFFLINE", "perhaps"),
        ("HOME", "~no-such-user/cache"),
    ],
)
def test_a_value_that_cannot_be_meant_is_refused_by_its_name(name: str, text: str) -> None:
    with pytest.raises(SettingsError, match=f"MNEMOSYNE_{name}"):
        load({f"MNEMOSYNE_{name}": text})


def test_an_empty_variable_is_one_that_is_not_set() -> None:
    """As in the environment files of containers. An empty HOME would keep stored values in the current folder."""
    names = ("HOME", "MODEL", "OFFLINE", "MAX_ROWS", "QUERY_TIMEOUT_SECONDS", "LEXICON")
    assert load({f"MNEMOSYNE_{name}": " " if name == "MODEL" else "" for name in names}) == Settings()


def test_numbers_at_their_ends_are_taken() -> None:
    least = {"MAX_ROWS": "1", "THREADS": "0", "PREFIX_CACHE_MB": "0", "QUERY_TIMEOUT_SECONDS": "0.05"}
    chosen = load({f"MNEMOSYNE_{name}": text for name, text in least.items()} | {"MNEMOSYNE_HOME": "/somewhere"})
    assert (chosen.max_rows, chosen.threads, chosen.prefix_cache_mb, chosen.query_timeout_seconds) == (1, 0, 0, 0.05)
    assert chosen.home == Path("/somewhere")
