"""llama.cpp in this process, on a tiny real model: prefixes, slots, samples, adapters, and what can go wrong."""

from __future__ import annotations

import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mnemosyne.engines import Completion, Sampling, open_engine
from mnemosyne.engines.llama_server import LlamaServer
from mnemosyne.engines.llamacpp import SLOTS, LlamaCppEngine
from mnemosyne.engines.remote import RemoteEngine
from mnemosyne.errors import EngineError, PromptTooLong, WeightsCorrupt
from mnemosyne.prompt import Prompt, build
from mnemosyne.settings import Settings
from mnemosyne.weights import resolve

pytest.importorskip("xllamacpp")

SHORT = Sampling(max_tokens=12)
DDL = "CREATE TABLE clients (client_id INTEGER);"
ROOT = Path(__file__).parent


def opened(path: Path | str, settings: Settings) -> LlamaCppEngine:
    return LlamaCppEngine(resolve(str(path), settings), settings)


@pytest.fixture
def engine(tiny: Path, settings: Settings) -> Iterator[LlamaCppEngine]:
    with opened(tiny, settings) as engine:
        yield engine


def texts(completions: list[Completion]) -> list[str]:
    return [completion.text for completion in completions]


class TestOneAnswer:
    def test_greedy_is_the_same_every_time(self, engine: LlamaCppEngine, prompt: Prompt) -> None:
        first, second = engine.complete(prompt, SHORT)[0], engine.complete(prompt, SHORT)[0]
        assert first.text
        assert first.text == second.text
        assert first.logprobs == pytest.approx(second.logprobs, abs=1e-4)

    def test_every_token_has_its_log_probability(self, engine: LlamaCppEngine, prompt: Prompt) -> None:
        [completion] = engine.complete(prompt, SHORT)
        assert len(completion.logprobs) == completion.tokens == 12
        assert all(value < 0 for value in completion.logprobs)
        assert completion.finish == "length"
        assert completion.prompt_tokens == engine.count_tokens(prompt.text)

    def test_control_tokens_are_one_token_each(self, engine: LlamaCppEngine) -> None:
        assert engine.count_tokens("<|im_start|>a<|im_end|>") == 3

    def test_the_same_seed_draws_the_same(self, engine: LlamaCppEngine, prompt: Prompt) -> None:
        warm = Sampling(temperature=1.0, max_tokens=12, seed=5)
        drawn = [engine.complete(prompt, sampling)[0].text for sampling in (warm, warm, replace(warm, seed=6))]
        assert drawn[0] == drawn[1] != drawn[2]


class TestPrefixes:
    def test_a_second_question_about_a_schema_reads_its_tail_only(self, engine: LlamaCppEngine) -> None:
        engine.complete(build(DDL, "How many?"), SHORT)
        other = build(DDL, "Which ones?")
        [completion] = engine.complete(other, SHORT)
        assert completion.cached_tokens == engine.count_tokens(other.prefix)

    def test_a_new_process_finds_the_prefix_in_a_file(self, tiny: Path, settings: Settings, prompt: Prompt) -> None:
        with opened(tiny, settings) as engine:
            first = engine.complete(prompt, SHORT)
        states = settings.home / "prefixes"
        assert len(list(states.glob("*.state"))) == 1
        code = (
            "import sys\nfrom pathlib import Path\nfrom mnemosyne.engines import Sampling, open_engine\n"
            "from mnemosyne.prompt import build\nfrom mnemosyne.settings import Settings\n"
            "engine = open_engine(sys.argv[1], Settings(home=Path(sys.argv[2]), context=2048, threads=1))\n"
            f"print(engine.complete(build({DDL!r}, 'Which ones?'), Sampling(max_tokens=4))[0].cached_tokens)\n"
            "engine.close()\n"
        )
        command = [sys.executable, "-c", code, str(tiny), str(settings.home)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert int(done.stdout) > 300
        assert done.stderr == "", "llama.cpp keeps quiet"
        assert first[0].text

    def test_an_answer_does_not_depend_on_where_the_prefix_came_from(
        self, tiny: Path, settings: Settings, prompt: Prompt
    ) -> None:
        def answer(settings: Settings) -> Completion:
            with opened(tiny, settings) as engine:
                return engine.complete(prompt, SHORT)[0]

        computed, from_file = answer(settings), answer(settings)
        without = answer(replace(settings, prefix_cache_mb=0))
        assert computed.text == from_file.text == without.text
        assert without.cached_tokens == 0

    def test_parts_for_single_questions_do_not_push_a_schema_out(
        self, tiny: Path, settings: Settings, prompt: Prompt
    ) -> None:
        with opened(tiny, settings) as engine:
            engine.complete(prompt, SHORT)
            [state] = (settings.home / "prefixes").glob("*.state")
            assert engine._states is not None
            engine._states.limit_bytes = 7 * state.stat().st_size // 2
            for number in range(6):
                engine.complete(build(f"{DDL}\n-- {number}", "How many?", lasting=False), SHORT)
        assert 2 <= len(list(state.parent.glob("*.state"))) <= 3
        with opened(tiny, settings) as engine:
            [answer] = engine.complete(prompt, SHORT)
            assert answer.cached_tokens == engine.count_tokens(prompt.prefix)

    def test_a_torn_state_is_computed_again(self, tiny: Path, settings: Settings, prompt: Prompt) -> None:
        with opened(tiny, settings) as engine:
            [whole] = engine.complete(prompt, SHORT)
        [state] = (settings.home / "prefixes").glob("*.state")
        state.write_bytes(state.read_bytes()[:1000])
        with opened(tiny, settings) as engine:
            assert engine.complete(prompt, SHORT)[0].text == whole.text
        assert state.stat().st_size > 1000

    @pytest.mark.parametrize("missing", [40_000, 40])
    def test_a_full_disk_costs_no_answer(self, tiny: Path, settings: Settings, prompt: Prompt, missing: int) -> None:
        """The library says that the first file is torn; of the second one only its buffer is lost, and it does not."""
        pytest.importorskip("resource")
        with opened(tiny, settings) as engine:
            [expected] = engine.complete(prompt, SHORT)
        [state] = (settings.home / "prefixes").glob("*.state")
        room = state.stat().st_size - missing
        state.unlink()
        code = (
            "import resource, sys\nfrom pathlib import Path\nfrom mnemosyne.engines import Sampling, open_engine\n"
            "from mnemosyne.prompt import build\nfrom mnemosyne.settings import Settings\n"
            "engine = open_engine(sys.argv[1], Settings(home=Path(sys.argv[2]), context=2048, threads=1))\n"
            f"resource.setrlimit(resource.RLIMIT_FSIZE, ({room}, {room}))\n"
            f"print(engine.complete(build({DDL!r}, 'How many?'), Sampling(max_tokens=12))[0].text)\n"
            "engine.close()\n"
        )
        command = [sys.executable, "-c", code, str(tiny), str(settings.home)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.stdout == f"{expected.text}\n", done.stderr
        assert list(state.parent.glob("*.state")) == list(state.parent.glob("*.tmp")) == []

    def test_a_prefix_that_was_broken_off_is_filed_by_the_next_question(
        self, engine: LlamaCppEngine, settings: Settings, prompt: Prompt, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from mnemosyne.engines.llama_server import LlamaServer

        def gone(*_: object) -> dict[str, object]:
            raise EngineError("The local model stopped answering.")

        with monkeypatch.context() as patch:
            patch.setattr(LlamaServer, "complete", gone)
            with pytest.raises(EngineError):
                engine.complete(prompt, SHORT)
        engine.complete(prompt, SHORT)
        assert len(list((settings.home / "prefixes").glob("*.state"))) == 1

    def test_eight_slots_compute_a_new_prefix_once(
        self, engine: LlamaCppEngine, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from mnemosyne.engines.llama_server import LlamaServer

        computed = []
        complete = LlamaServer.complete

        def counting(self: LlamaServer, slot: int, tokens: list[int], options: dict[str, object]) -> dict[str, object]:
            if options.get("n_predict") == 0:
                computed.append(slot)
            return complete(self, slot, tokens, options)

        monkeypatch.setattr(LlamaServer, "complete", counting)
        answers = dict(engine.complete_many([build(DDL, f"Question {number}?") for number in range(8)], SHORT))
        assert len(answers) == 8
        assert len(computed) == 1
        assert all(found.cached_tokens > 300 for [found] in answers.values())


class TestManyAnswers:
    def test_side_by_side_says_what_one_at_a_time_says(self, engine: LlamaCppEngine) -> None:
        prompts = [build(DDL, f"Question {number}?") for number in range(2 * SLOTS + 3)]
        alone = [engine.complete(prompt, SHORT)[0].text for prompt in prompts]
        together = dict(engine.complete_many(prompts, SHORT))
        assert [together[index][0].text for index in range(len(prompts))] == alone

    def test_more_samples_than_slots(self, engine: LlamaCppEngine, prompt: Prompt) -> None:
        drawing = Sampling(n=SLOTS + 3, temperature=1.0, max_tokens=6)
        drawn = engine.complete(prompt, drawing)
        assert len(drawn) == SLOTS + 3
        assert len(set(texts(drawn))) > 1
        assert texts(engine.complete(prompt, drawing)) == texts(drawn)

    def test_samples_read_their_prompt_once(self, engine: LlamaCppEngine, settings: Settings, prompt: Prompt) -> None:
        """A prompt is computed in one slot; the others get its state and say what they would have said without."""
        drawing = Sampling(n=5, temperature=1.0, max_tokens=6, seed=3)
        drawn = engine.complete(prompt, drawing)
        assert [each.cached_tokens for each in drawn] == [engine.count_tokens(prompt.text) - 1] * 5
        alone = [engine.complete(prompt, replace(drawing, n=1, seed=3 + number)) for number in range(5)]
        assert texts(drawn) == [text for one in alone for text in texts(one)]
        assert not list((settings.home / "prefixes").glob("*.tmp"))

    def test_samples_survive_a_state_that_cannot_be_copied(
        self, engine: LlamaCppEngine, prompt: Prompt, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        drawing = Sampling(n=3, temperature=1.0, max_tokens=6)
        expected = texts(engine.complete(prompt, drawing))

        def full(server: LlamaServer, slot: int, file: str) -> int:
            raise OSError("no space left")

        monkeypatch.setattr(LlamaServer, "save", full)
        assert texts(engine.complete(prompt, drawing)) == expected
        monkeypatch.setattr(LlamaServer, "save", lambda server, slot, file: 7)  # and nothing was written
        assert texts(engine.complete(prompt, drawing)) == expected

    def test_samples_of_many_prompts(self, engine: LlamaCppEngine) -> None:
        prompts = [build(DDL, f"Question {number}?") for number in range(3)]
        found = dict(engine.complete_many(prompts, Sampling(n=2, temperature=1.0, max_tokens=4)))
        assert {index: len(answers) for index, answers in found.items()} == {0: 2, 1: 2, 2: 2}

    def test_several_schemas_in_one_batch(self, engine: LlamaCppEngine) -> None:
        prompts = [build(f"CREATE TABLE t{number % 3} (a INTEGER);", f"Question {number}?") for number in range(9)]
        alone = [engine.complete(prompt, SHORT)[0].text for prompt in prompts]
        together = dict(engine.complete_many(prompts, SHORT))
        assert [together[index][0].text for index in range(9)] == alone

    def test_nothing_to_do(self, engine: LlamaCppEngine) -> None:
        assert list(engine.complete_many([])) == []

    def test_a_repair_in_the_middle_of_a_batch(self, engine: LlamaCppEngine) -> None:
        """Its prompt is longer than the slots of the batch, so they are cut anew while the others wait."""
        prompts = [build(DDL, f"Question {number}?") for number in range(12)]
        long = build(DDL, "Why? " * 150)
        expected = engine.complete(long, SHORT)[0].text
        found = {}
        for index, answers in engine.complete_many(prompts, SHORT):
            found[index] = answers[0].text
            if len(found) == 2:
                assert engine.complete(long, SHORT)[0].text == expected
        assert found == {index: engine.complete(prompt, SHORT)[0].text for index, prompt in enumerate(prompts)}

    def test_who_has_enough_does_not_wait(self, engine: LlamaCppEngine, prompt: Prompt) -> None:
        prompts = [build(DDL, f"Question {number}?") for number in range(30)]
        for _ in engine.complete_many(prompts, Sampling(max_tokens=40)):
            break
        assert threading.active_count() < SLOTS
        assert engine.complete(prompt, SHORT)[0].text

    def test_several_threads_may_ask(self, engine: LlamaCppEngine, prompt: Prompt) -> None:
        expected = engine.complete(prompt, SHORT)[0].text
        found: list[str] = []
        threads = [
            threading.Thread(target=lambda: found.append(engine.complete(prompt, SHORT)[0].text)) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert found == [expected] * 4


class TestAdapters:
    def test_base_and_adapter(self, tiny: Path, tiny_adapter: Path, settings: Settings, prompt: Prompt) -> None:
        with opened(tiny, settings) as engine:
            plain = engine.complete(prompt, SHORT)[0].text
        with open_engine(f"{tiny}+{tiny_adapter}", settings) as engine:
            assert engine.complete(prompt, SHORT)[0].text != plain
        assert len(list((settings.home / "prefixes").glob("*.state"))) == 2, "an adapter has states of its own"

    def test_an_adapter_of_zeros_changes_nothing(self, tiny: Path, settings: Settings, prompt: Prompt) -> None:
        from tiny_model import write_adapter

        zeros = write_adapter(tiny.with_name("zeros.gguf"), strength=0.0)
        with opened(tiny, settings) as engine:
            plain = engine.complete(prompt, SHORT)[0].text
        with opened(f"{tiny}+{zeros}", settings) as engine:
            assert engine.complete(prompt, SHORT)[0].text == plain

    def test_a_catalogue_name_that_is_base_and_adapter(
        self, tiny: Path, tiny_adapter: Path, settings: Settings, prompt: Prompt, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from mnemosyne.weights import Entry, digest

        def entry(name: str, path: Path, **more: str) -> Entry:
            sha256 = digest.digest(path, settings)
            size = path.stat().st_size
            kind = "adapter" if more else "model"
            return Entry(name, kind, "", path.name, size, sha256, "MIT", 0 if more else 2048, local=path.name, **more)

        entries = {"tiny": entry("tiny", tiny), "mnemosyne-tiny": entry("mnemosyne-tiny", tiny_adapter, base="tiny")}
        monkeypatch.setattr("mnemosyne.weights.resolving.catalogue", lambda: entries)
        monkeypatch.setattr("mnemosyne.weights.store.shipped", lambda entry: tiny.with_name(entry.local))
        with opened(f"{tiny}+{tiny_adapter}", settings) as engine:
            expected = engine.complete(prompt, SHORT)[0].text
        with open_engine("mnemosyne-tiny", settings) as engine:
            assert engine.name == "mnemosyne-tiny"
            assert engine.complete(prompt, SHORT)[0].text == expected


class TestWhatCanGoWrong:
    def test_a_schema_longer_than_the_context(self, engine: LlamaCppEngine) -> None:
        long = build("CREATE TABLE t (" + ", ".join(f"column_{n} INTEGER" for n in range(200)) + ");", "How many?")
        with pytest.raises(PromptTooLong, match="the context holds 2,048") as caught:
            engine.complete(long)
        assert "MNEMOSYNE_CONTEXT=" in caught.value.hint
        with pytest.raises(PromptTooLong):
            list(engine.complete_many([long, long]))

    def test_a_damaged_model(self, tiny: Path, settings: Settings, tmp_path: Path) -> None:
        damaged = tmp_path / "damaged.gguf"
        damaged.write_bytes(tiny.read_bytes()[:-50_000])
        with pytest.raises(WeightsCorrupt, match=r"cannot load damaged\.gguf"):
            opened(damaged, settings)

    def test_an_adapter_that_does_not_fit(self, tiny: Path, settings: Settings, tmp_path: Path) -> None:
        import gguf

        path = tmp_path / "other.gguf"
        writer = gguf.GGUFWriter(path, "llama")
        writer.add_type("adapter")
        writer.add_string("adapter.type", "lora")
        writer.add_float32("adapter.lora.alpha", 1.0)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        with pytest.raises(WeightsCorrupt, match=r"with the adapter other\.gguf"):
            opened(f"{tiny}+{path}", settings)

    def test_a_closed_engine(self, tiny: Path, settings: Settings, prompt: Prompt) -> None:
        engine = opened(tiny, settings)
        engine.close()
        engine.close()
        with pytest.raises(ValueError, match="closed"):
            engine.complete(prompt)

    def test_closing_breaks_off_what_runs(self, tiny: Path, settings: Settings, prompt: Prompt) -> None:
        engine = opened(tiny, settings)
        said: list[BaseException] = []

        def ask() -> None:
            try:
                for _ in range(1000):
                    engine.complete(prompt, Sampling(max_tokens=1500))
            except (EngineError, ValueError) as error:
                said.append(error)

        thread = threading.Thread(target=ask)
        thread.start()
        time.sleep(0.3)
        engine.close()
        thread.join(30)
        assert not thread.is_alive()
        assert len(said) == 1

    def test_ctrl_c_is_clean(self, tiny: Path, settings: Settings) -> None:
        code = (
            "import sys\nfrom pathlib import Path\nfrom mnemosyne.engines import Sampling, open_engine\n"
            "from mnemosyne.prompt import build\nfrom mnemosyne.settings import Settings\n"
            "engine = open_engine(sys.argv[1], Settings(home=Path(sys.argv[2]), context=2048, threads=1))\n"
            "prompts = [build('CREATE TABLE t (a INTEGER);', f'Question {n}?') for n in range(4000)]\n"
            "try:\n"
            "    for _ in engine.complete_many(prompts, Sampling(max_tokens=100)):\n"
            "        print('going', flush=True)\n"
            "except KeyboardInterrupt:\n"
            "    engine.close()\n"
            "    print('stopped')\n"
        )
        command = [sys.executable, "-c", code, str(tiny), str(settings.home)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "going\n"
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
        assert out.endswith("stopped\n")
        assert err == ""
        assert process.returncode == 0


class TestPrivacy:
    @pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="needs /proc")
    def test_nothing_listens_on_the_network(self, tiny: Path, settings: Settings) -> None:
        def listening() -> set[str]:
            lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
            held = {str(link.readlink()) for link in Path("/proc/self/fd").iterdir() if link.is_symlink()}
            return {row[1] for row in lines if row[3] == "0A" and f"socket:[{row[9]}]" in held}

        before = listening()
        with opened(tiny, settings):
            assert listening() == before

    def test_the_socket_wants_a_folder_of_this_user_and_a_key(self, engine: LlamaCppEngine) -> None:
        server = engine._server
        assert server is not None
        folder = server._folder
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        with socket.socket(socket.AF_UNIX) as stranger:
            stranger.connect(str(folder / "llama.sock"))
            body = b'{"content": "x"}'
            head = f"POST /tokenize HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            stranger.sendall(head.encode() + body)
            assert b" 401 " in stranger.recv(1000)
        engine.close()
        assert not folder.exists()


def test_a_real_llama_server_is_a_remote_server(tiny: Path, settings: Settings, prompt: Prompt) -> None:
    """The same model in process and behind the OpenAI-compatible API of llama-server says the same."""
    from mnemosyne.engines.llama_server import library

    with opened(tiny, settings) as engine:
        [expected] = engine.complete(prompt, SHORT)
    xllamacpp = library()
    params = xllamacpp.CommonParams()
    params.model.path = str(tiny)
    params.n_ctx = 2048
    params.n_parallel = 1
    params.warmup = params.fit_params = params.ui = False
    params.api_keys = ["key-of-the-laboratory"]
    params.chat_template = "chatml"
    params.verbosity = 0
    server = xllamacpp.Server(params)
    with RemoteEngine(f"{server.listening_address}/v1", replace(settings, api_key="key-of-the-laboratory")) as engine:
        [completion] = engine.complete(prompt, SHORT)
    assert completion.text.encode(errors="replace")[:6] == expected.text.encode(errors="replace")[:6]
    assert completion.prompt_tokens == expected.prompt_tokens
    assert completion.tokens == 12
    assert len(completion.logprobs) == 12
    assert completion.logprobs[0] == pytest.approx(expected.logprobs[0], abs=0.01)


@pytest.mark.weights
def test_the_real_model_writes_sql(tmp_path: Path) -> None:
    from mnemosyne import settings as room
    from mnemosyne.prompt import extract_sql

    ddl = "CREATE TABLE clients (client_id INTEGER PRIMARY KEY, city VARCHAR(60));"
    with open_engine("qwen2.5-coder-0.5b-instruct", room.load()) as engine:
        first, second = (engine.complete(build(ddl, "How many clients are there?"), SHORT)[0] for _ in range(2))
    assert extract_sql(first.text).lower().startswith("select count(")
    assert first.text == second.text
    assert second.cached_tokens >= 80
