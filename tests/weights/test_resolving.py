"""What `--model` means: names, paths and adapters, and what a wrong one is told."""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path

import pytest
from stand_ins import entry

from mnemosyne.errors import UnknownModel, WeightsCorrupt, WeightsUnavailable
from mnemosyne.settings import Settings
from mnemosyne.weights import catalogue, find, resolve
from mnemosyne.weights.catalogue import Entry, parse
from mnemosyne.weights.header import facts


def gguf(path: Path, **said: str) -> Path:
    """A GGUF file of texts only, such as `general.type`; `__` stands for a dot."""

    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value.encode())) + value.encode()

    pairs = [text(key.replace("__", ".")) + struct.pack("<I", 8) + text(value) for key, value in said.items()]
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, len(pairs)) + b"".join(pairs))
    return path


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", offline=True)


@pytest.fixture
def base(settings: Settings) -> Entry:
    """A base model that is already in the cache."""
    folder = settings.home / "weights"
    folder.mkdir(parents=True)
    return catalogued(gguf(folder / "base.gguf", general__type="model"), name="base-1b", context=2048)


def catalogued(path: Path, **changes: object) -> Entry:
    data = path.read_bytes()
    sha256 = hashlib.sha256(data).hexdigest()
    return entry(**{"file": path.name, "bytes": len(data), "sha256": sha256, "hub": None, "wheels": None, **changes})


@pytest.fixture
def adapter(tmp_path: Path, base: Entry) -> Path:
    """An adapter file that says what it was trained on."""
    return gguf(
        tmp_path / "lab.gguf",
        general__type="adapter",
        mnemosyne__base=base.name,
        mnemosyne__base_sha256=base.sha256,
    )


def test_the_catalogue_names_what_identifies_every_file() -> None:
    for name, item in catalogue().items():
        assert item.name == name
        assert len(item.sha256) == 64
        assert item.bytes > 0
        assert item.licence
        assert item.hub or item.wheels or item.local, f"{name} can come from nowhere"
        if item.kind == "adapter":
            assert catalogue()[str(item.base)].kind == "model"


def test_an_unknown_field_of_the_catalogue_is_an_error() -> None:
    with pytest.raises(TypeError, match="licens"):
        parse({"x": {"licens": "MIT"}})


class TestNames:
    def test_a_catalogue_name(self, base: Entry, settings: Settings) -> None:
        model = resolve("base-1b", settings, entries={"base-1b": base})
        assert (model.name, model.base, model.sha256) == ("base-1b", "base-1b", base.sha256)
        assert (model.adapter, model.context, model.licence) == (None, 2048, "Apache-2.0")

    def test_the_setting_context_wins(self, base: Entry, settings: Settings) -> None:
        from dataclasses import replace

        model = resolve("base-1b", replace(settings, context=8192), entries={"base-1b": base})
        assert model.context == 8192

    def test_a_path_whose_bytes_the_catalogue_knows_is_that_model(
        self, base: Entry, settings: Settings, tmp_path: Path
    ) -> None:
        copy = tmp_path / "renamed+copy.gguf"
        copy.write_bytes((settings.home / "weights" / "base.gguf").read_bytes())
        model = resolve(str(copy), settings, entries={"base-1b": base})
        assert (model.gguf, model.base, model.context) == (copy, "base-1b", 2048)

    def test_a_path_that_the_catalogue_does_not_know(self, settings: Settings, tmp_path: Path) -> None:
        own = gguf(tmp_path / "own.gguf", general__type="model")
        model = resolve(str(own), settings, entries={})
        assert (model.base, model.licence, model.context) == (str(own), "", 4096)

    def test_no_such_name_gets_the_nearest(self) -> None:
        with pytest.raises(UnknownModel, match=r"No model is called 'qwen2\.5-coder-05b'") as caught:
            find("qwen2.5-coder-05b")
        assert "Did you mean qwen2.5-coder-0.5b-instruct?" in caught.value.hint
        with pytest.raises(UnknownModel) as caught:
            find("zzz")
        assert "Did you mean" not in caught.value.hint

    @pytest.mark.parametrize("name", ["./none.gguf", "~no-such-user/none.gguf", "~no-such-user/none.gguf+a.gguf"])
    def test_no_such_file(self, name: str, settings: Settings) -> None:
        with pytest.raises(UnknownModel) as caught:
            resolve(name, settings)
        assert str(caught.value) == f"There is no file {name.removesuffix('+a.gguf')}."
        assert "mnemosyne models" in caught.value.hint

    def test_a_file_in_the_home_folder(
        self, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HOME", str(tmp_path))
        own = gguf(tmp_path / "own.gguf", general__type="model")
        assert resolve("~/own.gguf", settings, entries={}).gguf == own

    def test_what_is_not_gguf_is_told(self, settings: Settings, tmp_path: Path) -> None:
        path = tmp_path / "weights.gguf"
        path.write_bytes(b"PK\x03\x04")
        with pytest.raises(WeightsCorrupt, match="is not a GGUF file"):
            resolve(str(path), settings)

    def test_a_torn_header_is_told(self, settings: Settings, tmp_path: Path, adapter: Path) -> None:
        whole = adapter.read_bytes()
        for length in range(5, len(whole), 7):
            adapter.write_bytes(whole[:length])
            with pytest.raises(WeightsCorrupt, match="damaged"):
                resolve(str(adapter), settings)


class TestAdapters:
    def test_base_and_adapter(self, base: Entry, settings: Settings, adapter: Path) -> None:
        name = f"base-1b+{adapter}"
        model = resolve(name, settings, entries={"base-1b": base})
        assert (model.name, model.base, model.adapter) == (name, "base-1b", adapter)
        assert model.adapter_sha256 == hashlib.sha256(adapter.read_bytes()).hexdigest()

    def test_an_adapter_file_alone_brings_its_base(self, base: Entry, settings: Settings, adapter: Path) -> None:
        model = resolve(str(adapter), settings, entries={"base-1b": base})
        assert (model.base, model.sha256, model.adapter) == ("base-1b", base.sha256, adapter)

    def test_a_catalogued_adapter_is_a_model_of_its_own(
        self, base: Entry, settings: Settings, adapter: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """`mnemosyne-1b` is two files: the base from the cache, and the adapter that comes with the code."""
        item = catalogued(
            adapter, name="mnemosyne-1b", kind="adapter", base="base-1b", context=0, local="models/lab.gguf"
        )
        monkeypatch.setattr("mnemosyne.weights.store.shipped", lambda entry: adapter if entry.local else None)
        entries = {"base-1b": base, "mnemosyne-1b": item}
        model = resolve("mnemosyne-1b", settings, entries=entries)
        assert (model.name, model.base, model.adapter) == ("mnemosyne-1b", "base-1b", adapter)
        assert (model.adapter_sha256, model.context) == (item.sha256, 2048)
        assert resolve("base-1b+mnemosyne-1b", settings, entries=entries).adapter == adapter

    def test_a_catalogued_adapter_whose_file_is_missing_or_wrong_is_told(
        self, base: Entry, settings: Settings, adapter: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        item = catalogued(
            adapter, name="mnemosyne-1b", kind="adapter", base="base-1b", context=0, local="models/none.gguf"
        )
        entries = {"base-1b": base, "mnemosyne-1b": item}
        with pytest.raises(WeightsUnavailable, match=r"should come with the package as models/none\.gguf"):
            resolve("mnemosyne-1b", settings, entries=entries)
        adapter.write_bytes(adapter.read_bytes() + b"!")
        monkeypatch.setattr("mnemosyne.weights.store.shipped", lambda entry: adapter if entry.local else None)
        with pytest.raises(WeightsCorrupt, match="is not the file that the catalogue names"):
            resolve("mnemosyne-1b", settings, entries=entries)

    def test_an_adapter_of_other_weights_is_refused(self, base: Entry, settings: Settings, tmp_path: Path) -> None:
        foreign = gguf(
            tmp_path / "foreign.gguf", general__type="adapter", mnemosyne__base="big", mnemosyne__base_sha256="0" * 64
        )
        with pytest.raises(UnknownModel, match="was trained on big, not on base-1b"):
            resolve(f"base-1b+{foreign}", settings, entries={"base-1b": base})
        with pytest.raises(UnknownModel, match="does not say on which model") as caught:
            resolve(str(foreign), settings, entries={"base-1b": base})
        assert caught.value.hint == f"Name its base: BASE+{foreign}"

    def test_a_model_is_no_adapter_and_an_adapter_no_base(
        self, base: Entry, settings: Settings, adapter: Path, tmp_path: Path
    ) -> None:
        whole = gguf(tmp_path / "whole.gguf", general__type="model")
        with pytest.raises(UnknownModel, match="is a whole model, not an adapter"):
            resolve(f"base-1b+{whole}", settings, entries={"base-1b": base})
        with pytest.raises(UnknownModel, match=r"cannot stand before '\+'"):
            resolve(f"{adapter}+{adapter}", settings, entries={"base-1b": base})

    def test_an_unknown_adapter_gets_a_hint(self, base: Entry, settings: Settings) -> None:
        with pytest.raises(UnknownModel, match=r"There is no file none\.gguf"):
            resolve("base-1b+none.gguf", settings, entries={"base-1b": base})


def test_the_header_is_read_up_to_the_first_list(tmp_path: Path) -> None:
    path = gguf(tmp_path / "x.gguf", general__type="adapter", general__name="ä")
    assert facts(path) == {"general.type": "adapter", "general.name": "ä"}
