"""Upload to a stand-in for the model hub, which speaks as much of its protocol as an upload needs."""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

pytest.importorskip("huggingface_hub")

from mnemosyne.cli import main
from mnemosyne.errors import ReleaseError
from mnemosyne.release import hub
from mnemosyne.release.making import write_sums


class Hub(ThreadingHTTPServer):
    """What a hub remembers."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.files: dict[str, bytes] = {}
        self.large: dict[str, bytes] = {}
        self.earlier: list[str] = []
        self.deleted: set[str] = set()
        self.header_errors: list[dict] = []
        self.repositories: list[dict] = []
        self.commits: list[str] = []
        self.tokens: set[str] = set()
        self.refuses = False


class Handler(BaseHTTPRequestHandler):
    """The requests of `create_repo` and `upload_folder`."""

    server: Hub

    def log_message(self, *arguments: object) -> None:
        """Quiet."""

    def do_POST(self) -> None:
        data = self.body()
        self.server.tokens.add(self.headers.get("Authorization", ""))
        path = self.path.split("?")[0]
        if self.server.refuses:
            return self.reply({"error": "This token may not write here"}, 403)
        if path == "/api/repos/create":
            self.server.repositories.append(json.loads(data))
            return self.reply({"url": f"{self.server.url}/lab/tiny", "name": "lab/tiny", "id": "lab/tiny"})
        if path == "/api/validate-yaml":
            return self.reply(
                {"errors": self.server.header_errors, "warnings": []}, 400 * bool(self.server.header_errors) or 200
            )
        if "/preupload/" in path:
            files = json.loads(data)["files"]
            modes = ("lfs" if file["path"].endswith((".gguf", ".safetensors")) else "regular" for file in files)
            named = [
                {"path": file["path"], "uploadMode": mode, "shouldIgnore": False, "oid": None}
                for file, mode in zip(files, modes, strict=True)
            ]
            return self.reply({"files": named})
        if path.endswith("/info/lfs/objects/batch"):
            objects = [self.place(one) for one in json.loads(data)["objects"]]
            return self.reply({"transfer": "basic", "objects": objects})
        if "/commit/" in path:
            return self.commit([json.loads(line) for line in data.splitlines()])
        return self.reply({"error": f"unknown: {path}"}, 404)

    def do_PUT(self) -> None:
        self.server.large[self.path.rsplit("/", 1)[1]] = self.body()
        self.reply({})

    def do_GET(self) -> None:
        if "/tree/" in self.path:
            return self.reply(
                [{"type": "file", "path": path, "size": 1, "oid": "0" * 40} for path in self.server.earlier]
            )
        self.reply({"error": "Repository not found"}, 404)

    def place(self, one: dict) -> dict:
        href = f"{self.server.url}/storage/{one['oid']}"
        return one | {"actions": {"upload": {"href": href, "header": {}}}}

    def commit(self, lines: list[dict]) -> None:
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                self.server.files[value["path"]] = base64.b64decode(value["content"])
            if line["key"] == "deletedFile":
                self.server.deleted.add(value["path"])
            if line["key"] == "lfsFile":
                self.server.files[value["path"]] = self.server.large[value["oid"]]
        self.server.commits.append(lines[0]["value"]["summary"])
        self.reply(
            {"commitUrl": f"{self.server.url}/lab/tiny/commit/{'a' * 40}", "commitOid": "a" * 40, "success": True}
        )

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def reply(self, value: object, status: int = 200) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setenv("HF_TOKEN", "hf_test")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)  # the stand-in speaks plain LFS
    server = Hub()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    """A folder of the form that a release has."""
    folder = tmp_path / "tiny-lab"
    (folder / "adapter").mkdir(parents=True)
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\n# tiny-lab\n")
    (folder / "tiny-lab-q8_0.gguf").write_bytes(b"GGUF" + bytes(range(256)) * 40)
    (folder / "adapter" / "adapter_config.json").write_text("{}")
    write_sums(folder)
    return folder


@pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")  # within the hub's own library
def test_a_release_arrives_whole_in_one_commit(stand_in: Hub, finished: Path) -> None:
    address = hub.upload(finished, "lab/tiny", endpoint=stand_in.url)
    assert address.endswith(f"/lab/tiny/commit/{'a' * 40}")
    sent = {path.relative_to(finished).as_posix(): path.read_bytes() for path in finished.rglob("*") if path.is_file()}
    assert stand_in.files == sent
    assert stand_in.commits == ["Release tiny-lab"]
    assert stand_in.repositories[0]["name"] == "tiny"
    assert (
        stand_in.repositories[0]["visibility"] == "private"
        if "visibility" in stand_in.repositories[0]
        else stand_in.repositories[0]["private"]
    )
    assert "Bearer hf_test" in stand_in.tokens
    [large] = stand_in.large
    assert large == hashlib.sha256((finished / "tiny-lab-q8_0.gguf").read_bytes()).hexdigest()


@pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")
def test_weights_of_an_earlier_release_do_not_stay_beside_it(stand_in: Hub, finished: Path) -> None:
    """One that failed its gate this time could be taken for a file of this release; what a person added stays."""
    stand_in.earlier = [
        "README.md", "tiny-lab-q8_0.gguf", "tiny-lab-q4_k_m.gguf", "model.safetensors", "photo.png", ".gitattributes",
        "adapter/adapter_config.json", "adapter/adapter_model.safetensors",
    ]  # fmt: skip
    hub.upload(finished, "lab/tiny", endpoint=stand_in.url)
    assert stand_in.deleted == {"tiny-lab-q4_k_m.gguf", "model.safetensors", "adapter/adapter_model.safetensors"}


def test_a_header_that_the_hub_does_not_know_is_explained(stand_in: Hub, finished: Path) -> None:
    stand_in.header_errors = [{"message": '"license" must be one of many'}]
    with pytest.raises(ReleaseError, match="must be one of many") as caught:
        hub.upload(finished, "lab/tiny", endpoint=stand_in.url)
    assert "--licence" in caught.value.hint
    assert not stand_in.commits


@pytest.mark.parametrize("switch", ["MNEMOSYNE_OFFLINE", "HF_HUB_OFFLINE"])
def test_nothing_is_sent_where_nothing_may_be(
    stand_in: Hub, finished: Path, monkeypatch: pytest.MonkeyPatch, switch: str
) -> None:
    monkeypatch.setenv(switch, "1")
    with pytest.raises(ReleaseError, match="not uploaded"):
        hub.upload(finished, "lab/tiny", endpoint=stand_in.url)
    assert not stand_in.tokens, "no request arrived"


def test_an_error_without_words_is_named(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*arguments: object, **options: object) -> None:
        raise ConnectionResetError

    monkeypatch.setattr("huggingface_hub.HfApi.create_repo", fails)
    with pytest.raises(ReleaseError, match="ConnectionResetError"):
        hub.upload(finished, "lab/tiny", endpoint="http://127.0.0.1:9")


@pytest.mark.parametrize("damage", ["changed", "missing", "added", "no sums"])
def test_a_folder_that_is_not_as_it_was_checked_is_not_uploaded(stand_in: Hub, finished: Path, damage: str) -> None:
    file = finished / "tiny-lab-q8_0.gguf"
    {
        "changed": lambda: file.write_bytes(b"GGUF other"),
        "missing": file.unlink,
        "added": lambda: (finished / "stray.txt").write_text("x"),
        "no sums": (finished / "SHA256SUMS").unlink,
    }[damage]()
    with pytest.raises(ReleaseError, match="SHA256SUMS"):
        hub.upload(finished, "lab/tiny", endpoint=stand_in.url)
    assert not stand_in.repositories


def test_a_hub_that_refuses_is_explained(stand_in: Hub, finished: Path) -> None:
    stand_in.refuses = True
    with pytest.raises(ReleaseError, match="hub did not take") as caught:
        hub.upload(finished, "lab/tiny", endpoint=stand_in.url)
    assert "HF_TOKEN" in caught.value.hint
    assert f"mnemosyne release {finished} --upload lab/tiny" in caught.value.hint


@pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")
def test_a_finished_release_is_uploaded_later(
    stand_in: Hub, finished: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """As the hint says: the folder is not made again."""
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", stand_in.url)
    (finished / "release.json").write_text("{}")
    write_sums(finished)
    with pytest.raises(SystemExit) as left:
        main(["release", str(finished), "--upload", "lab/tiny"])
    assert (left.value.code, stand_in.commits) == (0, ["Release tiny-lab"])
    assert "/lab/tiny/commit/" in capsys.readouterr().out
    with pytest.raises(SystemExit) as left:
        main(["release", str(finished)])
    assert left.value.code == 2
    assert "finished release already" in capsys.readouterr().err


def test_a_name_that_no_repository_can_have_is_explained(stand_in: Hub, finished: Path) -> None:
    with pytest.raises(ReleaseError, match="no repository 'lab//tiny'") as caught:
        hub.upload(finished, "lab//tiny", endpoint=stand_in.url)
    assert caught.value.hint == "Name it OWNER/NAME."


def test_no_hub_is_explained(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_test")
    with pytest.raises(ReleaseError, match="hub did not take"):
        hub.upload(finished, "lab/tiny", endpoint="http://127.0.0.1:9")
