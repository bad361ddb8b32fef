"""Any OpenAI-compatible server can answer; what fails in passing is tried again, the rest is told clearly."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from mnemosyne.assistant import Assistant
from mnemosyne.engines import Sampling, open_engine, remote
from mnemosyne.engines.chat import messages
from mnemosyne.engines.remote import RemoteEngine, parse
from mnemosyne.errors import PromptTooLong, RemoteError, SettingsError
from mnemosyne.prompt import SYSTEM, build
from mnemosyne.schema import Schema
from mnemosyne.settings import Settings

DDL = "CREATE TABLE clients (client_id INTEGER PRIMARY KEY, city VARCHAR(60));"
PROMPT = build(DDL, "How many clients are there?")


def said(text: str, **more: Any) -> dict[str, Any]:
    """A chat completion as servers send it."""
    return {
        "choices": [
            {
                "message": {"role": "assistant", "content": text},
                "finish_reason": "stop",
                "logprobs": {"content": [{"token": "SELECT", "logprob": -0.25}, {"token": " 1", "logprob": -0.5}]},
            }
        ],
        "usage": {"prompt_tokens": 90, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 64}},
        **more,
    }


@dataclass
class Server:
    """A stand-in for a model server: answers from a function of the request's body, after listed failures."""

    answer: Callable[[dict[str, Any]], dict[str, Any]] = lambda body: said("SELECT count(*) FROM clients")
    """What a chat completion is."""
    models: list[dict[str, Any]] = field(default_factory=lambda: [{"id": "lab-model"}])
    """What /models lists."""
    failures: list[tuple[int, dict[str, str], Any]] = field(default_factory=list)
    """(status, headers, body) of the next answers; status 0 breaks the connection off."""
    seconds: float = 0.0
    """How long an answer takes."""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    """Chat requests."""
    keys: list[str | None] = field(default_factory=list)
    """Authorization of every request."""
    url: str = ""
    """Base of its API."""

    def handle(self, request: BaseHTTPRequestHandler) -> None:
        self.keys.append(request.headers.get("Authorization"))
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        status, headers, reply = 200, {}, None
        if request.path == "/v1/models":
            reply = {"data": self.models}
        elif request.path == "/v1/chat/completions":
            self.bodies.append(chat := json.loads(body))
            time.sleep(self.seconds)
            if self.failures:
                status, headers, reply = self.failures.pop(0)
            else:
                reply = self.answer(chat)
        else:
            status, reply = 404, {"detail": "Not Found"}
        if status == 0:
            request.close_connection = True
            return
        data = reply.encode() if isinstance(reply, str) else json.dumps(reply).encode()
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        request.wfile.write(data)


@pytest.fixture
def server() -> Iterator[Server]:
    stand_in = Server()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            stand_in.handle(self)

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            pass

        def handle(self) -> None:
            try:
                super().handle()
            except ConnectionError:  # a client that had enough
                self.close_connection = True

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    stand_in.url = f"http://127.0.0.1:{http.server_port}/v1"
    threading.Thread(target=http.serve_forever, args=(0.05,), daemon=True).start()
    yield stand_in
    http.shutdown()
    http.server_close()


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(remote, "FIRST_PAUSE_SECONDS", 0.01)
    return Settings(remote_timeout_seconds=5.0)


def test_an_answer_with_all_that_the_server_says(server: Server, settings: Settings) -> None:
    with RemoteEngine(f"openai:{server.url}#lab-model", settings) as engine:
        [completion] = engine.complete(PROMPT, Sampling(max_tokens=50))
    assert completion.text == "SELECT count(*) FROM clients"
    assert (completion.tokens, completion.prompt_tokens, completion.cached_tokens) == (2, 90, 64)
    assert completion.logprobs == (-0.25, -0.5)
    assert completion.finish == "stop"
    [body] = server.bodies
    assert body["model"] == "lab-model"
    assert body["max_tokens"] == 50
    assert body["temperature"] == 0
    assert [message["role"] for message in body["messages"]] == ["system", "user"]


def test_messages_are_the_prompt_in_parts() -> None:
    system, user = messages(build(DDL, "Wie viele?\n<|im_end|> Kunden", hints=["city = 'Köln'"]))
    assert system == {"role": "system", "content": SYSTEM}
    assert user["content"].startswith(f"### Schema:\n{DDL}\n\n### Question:\nWie viele?")
    assert user["content"].endswith("- city = 'Köln'")


def test_the_assistant_works_on_a_server(server: Server, settings: Settings) -> None:
    engine = open_engine(f"{server.url}#lab-model", settings)
    with Assistant(engine, Schema.from_ddl(DDL)) as assistant:
        assert assistant.ask("How many clients are there?").sql == "SELECT COUNT(*) FROM clients"


def test_samples_are_requests_of_their_own_with_seeds_of_their_own(server: Server, settings: Settings) -> None:
    server.answer = lambda body: said(f"SELECT {body['seed']}")
    with RemoteEngine(server.url, settings) as engine:
        answers = engine.complete(PROMPT, Sampling(n=3, temperature=0.7, seed=10))
    assert [answer.text for answer in answers] == ["SELECT 10", "SELECT 11", "SELECT 12"]
    assert all("n" not in body and body["top_p"] == 0.95 for body in server.bodies)


def test_many_prompts_are_asked_at_the_same_time(server: Server, settings: Settings) -> None:
    together = threading.Barrier(4)

    def answer(body: dict[str, Any]) -> Any:
        together.wait(30)  # breaks when fewer than four requests are under way
        return said(body["messages"][1]["content"].rsplit("\n", 1)[-1])

    server.answer = answer
    prompts = [build(DDL, f"Question {number}") for number in range(8)]
    with RemoteEngine(server.url, settings) as engine:
        found = dict(engine.complete_many(prompts))
    assert {index: answers[0].text for index, answers in found.items()} == {n: f"Question {n}" for n in range(8)}


class TestFailures:
    @pytest.mark.parametrize("status", [0, 429, 500, 503])
    def test_a_passing_failure_is_tried_again(self, server: Server, settings: Settings, status: int) -> None:
        server.failures = [(status, {}, {"error": {"message": "loading"}})] * 2
        with RemoteEngine(server.url, settings) as engine:
            assert engine.complete(PROMPT)[0].text == "SELECT count(*) FROM clients"
        assert len(server.bodies) == 3

    def test_the_server_says_how_long_to_wait(self, server: Server, settings: Settings) -> None:
        server.failures = [(429, {"Retry-After": "0.3"}, {})]
        started = time.perf_counter()
        with RemoteEngine(server.url, settings) as engine:
            engine.complete(PROMPT)
        assert time.perf_counter() - started >= 0.3

    def test_a_failure_that_stays_is_told_in_the_servers_words(self, server: Server, settings: Settings) -> None:
        server.failures = [(503, {}, {"error": {"message": "Loading model"}})] * 9
        with RemoteEngine(server.url, settings) as engine, pytest.raises(RemoteError, match="HTTP 503: Loading model"):
            engine.complete(PROMPT)
        assert len(server.bodies) == remote.ATTEMPTS

    def test_a_wrong_request_is_not_repeated(self, server: Server, settings: Settings) -> None:
        server.failures = [(400, {}, {"error": "bad stop"})]
        with RemoteEngine(server.url, settings) as engine, pytest.raises(RemoteError, match="HTTP 400: bad stop"):
            engine.complete(PROMPT)
        assert len(server.bodies) == 1

    def test_a_server_that_is_too_slow(self, server: Server, settings: Settings) -> None:
        server.seconds = 5.0
        hasty = RemoteEngine(server.url, replace(settings, remote_timeout_seconds=1.0))
        with hasty, pytest.raises(RemoteError, match="did not answer in time") as caught:
            hasty.complete(PROMPT)
        assert "MNEMOSYNE_REMOTE_TIMEOUT_SECONDS" in caught.value.hint
        assert len(server.bodies) == 1

    def test_nobody_there(self, settings: Settings) -> None:
        with pytest.raises(RemoteError, match=r"127\.0\.0\.1:9 cannot be reached"):
            open_engine("openai:http://127.0.0.1:9/v1#m", settings)

    @pytest.mark.parametrize(
        ("variable", "value"), [("ALL_PROXY", "socks5://127.0.0.1:9"), ("SSL_CERT_FILE", "no-such-file.pem")]
    )
    def test_an_environment_that_lets_nobody_out(
        self, settings: Settings, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
    ) -> None:
        monkeypatch.setenv(variable, value)
        with pytest.raises(RemoteError, match=r"No connection to models\.lab:8080 can be made") as caught:
            RemoteEngine("http://models.lab:8080/v1#m", settings)
        assert variable in caught.value.hint

    def test_a_prompt_that_the_server_finds_too_long(self, server: Server, settings: Settings) -> None:
        words = "This model's maximum context length is 2048 tokens. However, you requested 3000 tokens."
        server.failures = [(400, {}, {"error": {"message": words}})]
        with RemoteEngine(server.url, settings) as engine, pytest.raises(PromptTooLong, match="maximum context"):
            engine.complete(PROMPT)

    @pytest.mark.parametrize(
        "reply", ["<html>proxy</html>", [1], {}, {"choices": []}, {"choices": [{"message": {"content": None}}]}]
    )
    def test_nonsense_is_told(self, server: Server, settings: Settings, reply: Any) -> None:
        server.answer = lambda body: reply
        with (
            RemoteEngine(server.url, settings) as engine,
            pytest.raises(RemoteError, match=r"something else|no answer"),
        ):
            engine.complete(PROMPT)

    def test_one_that_spent_its_tokens_on_reasoning_has_no_words(self, server: Server, settings: Settings) -> None:
        server.answer = lambda body: {"choices": [{"message": {"content": None}, "finish_reason": "length"}]}
        with RemoteEngine(server.url, settings) as engine:
            [completion] = engine.complete(PROMPT)
        assert (completion.text, completion.finish) == ("", "length")

    def test_one_prompt_of_many_that_is_too_long_leaves_the_others(self, server: Server, settings: Settings) -> None:
        server.failures = [(400, {}, {"error": {"message": "maximum context length is 2048 tokens"}})]
        with RemoteEngine(server.url, settings) as engine:
            answers = dict(engine.complete_many([PROMPT] * 3))
        assert sorted(answer.text for [answer] in answers.values())[0] == ""
        assert sum(bool(answer.text) for [answer] in answers.values()) == 2

    def test_a_repair_that_the_server_finds_too_long_ends_the_repairs(self, server: Server, settings: Settings) -> None:
        def answer(body: dict[str, Any]) -> Any:
            server.failures = [(400, {}, {"error": {"message": "maximum context length is 2048 tokens"}})]
            return said("SELECT nothing FROM nowhere")

        server.answer = answer
        with Assistant(RemoteEngine(server.url, settings), Schema.from_ddl(DDL)) as assistant:
            answer = assistant.ask("How many clients are there?")
        assert answer.problem
        assert len(answer.steps) == 1

    def test_an_answer_that_was_cut_says_so(self, server: Server, settings: Settings) -> None:
        reply = said("SELECT")
        reply["choices"][0]["finish_reason"] = "length"
        server.answer = lambda body: reply
        with RemoteEngine(server.url, settings) as engine:
            assert engine.complete(PROMPT)[0].finish == "length"

    def test_an_answer_without_sql_is_no_answer(self, server: Server, settings: Settings) -> None:
        server.answer = lambda body: said("I am sorry, I cannot help with that.")
        with Assistant(RemoteEngine(server.url, settings), Schema.from_ddl(DDL)) as assistant:
            answer = assistant.ask("How many clients are there?")
        assert not answer.ok
        assert answer.sql == ""
        assert answer.problem

    def test_a_server_without_log_probabilities_is_asked_without(self, server: Server, settings: Settings) -> None:
        def strict(body: dict[str, Any]) -> dict[str, Any]:
            reply = said("SELECT 1")
            del reply["choices"][0]["logprobs"]
            return reply

        server.answer = strict
        server.failures = [(400, {}, {"error": {"message": "logprobs is not supported"}})]
        with RemoteEngine(server.url, settings) as engine:
            assert engine.complete(PROMPT)[0].logprobs == ()
            engine.complete(PROMPT)
        assert ["logprobs" in body for body in server.bodies] == [True, False, False]


class TestKeys:
    def test_the_key_comes_from_the_setting_and_is_not_shown(self, server: Server, settings: Settings) -> None:
        secret = replace(settings, api_key="sk-of-the-laboratory")
        with RemoteEngine(server.url, secret) as engine:
            engine.complete(PROMPT)
        assert server.keys == ["Bearer sk-of-the-laboratory"] * 2
        assert "sk-of-the-laboratory" not in repr(secret)

    def test_without_a_key_nothing_is_sent(self, server: Server, settings: Settings) -> None:
        RemoteEngine(server.url, settings).close()
        assert server.keys == [None]

    def test_a_line_break_around_the_key_is_left_out(self, server: Server, settings: Settings) -> None:
        RemoteEngine(server.url, replace(settings, api_key="sk-of-the-laboratory\n")).close()
        assert server.keys == ["Bearer sk-of-the-laboratory"]

    @pytest.mark.parametrize("key", ["sk-of\nthe-lab", "sk-of the-lab", "sk-of-thé-lab", "sk-of\x00the-lab"])
    def test_what_is_no_key_is_told_without_it(self, server: Server, settings: Settings, key: str) -> None:
        with pytest.raises(SettingsError, match="MNEMOSYNE_API_KEY holds a sign") as caught:
            RemoteEngine(server.url, replace(settings, api_key=key))
        assert "sk-of" not in f"{caught.value} {caught.value.hint}"
        assert server.keys == []

    def test_a_wrong_key_is_told_without_it(self, server: Server, settings: Settings) -> None:
        server.failures = [(401, {}, {"error": {"message": "Incorrect API key provided: sk-wrong"}})]
        engine = RemoteEngine(server.url, replace(settings, api_key="sk-wrong"))
        with engine, pytest.raises(RemoteError, match="does not accept the key") as caught:
            engine.complete(PROMPT)
        assert "sk-wrong" not in str(caught.value)


class TestNames:
    @pytest.mark.parametrize(
        ("name", "url", "model"),
        [
            ("openai:http://host:8080/v1#m", "http://host:8080/v1", "m"),
            ("http://host:11434#qwen2.5-coder:0.5b", "http://host:11434/v1", "qwen2.5-coder:0.5b"),
            ("https://host/api/v1/", "https://host/api/v1", ""),
        ],
    )
    def test_an_address(self, name: str, url: str, model: str) -> None:
        assert parse(name) == remote.Address(url, model)

    @pytest.mark.parametrize("name", ["openai:", "openai:host:8080", "openai:ftp://host", "http://", "http://[::1"])
    def test_what_is_no_address(self, name: str) -> None:
        with pytest.raises(SettingsError, match="is not a URL"):
            parse(name)

    def test_a_password_in_the_url_is_refused(self) -> None:
        with pytest.raises(SettingsError, match="does not belong into the URL") as caught:
            parse("http://user:geheim@host/v1")
        assert "geheim" not in str(caught.value)

    def test_the_only_model_needs_no_name(self, server: Server, settings: Settings) -> None:
        with RemoteEngine(server.url, settings) as engine:
            engine.complete(PROMPT)
        assert server.bodies[0]["model"] == "lab-model"

    def test_several_models_do(self, server: Server, settings: Settings) -> None:
        server.models = [{"id": "a"}, {"id": "b:latest"}]
        with pytest.raises(RemoteError, match="serves 2 models") as caught:
            RemoteEngine(server.url, settings)
        assert caught.value.hint == "Name one after '#': a, b:latest."
        with pytest.raises(RemoteError, match="has no model 'c'"):
            RemoteEngine(f"{server.url}#c", settings)
        with RemoteEngine(f"{server.url}#b", settings) as engine:
            engine.complete(PROMPT)
        assert server.bodies[0]["model"] == "b:latest"

    def test_the_context_is_the_setting_or_what_the_server_says(self, server: Server, settings: Settings) -> None:
        def context(settings: Settings) -> int:
            with RemoteEngine(server.url, settings) as engine:
                return engine.context

        assert context(settings) == remote.CONTEXT
        server.models = [{"id": "m", "max_model_len": 8192}]
        assert context(settings) == 8192
        assert context(replace(settings, context=2048)) == 2048

    def test_the_only_model_has_its_context_under_any_name(self, server: Server, settings: Settings) -> None:
        """A llama-server lists its file, whatever it is asked for."""
        server.models = [{"id": "NAME-q4_k_m.gguf", "meta": {"n_ctx": 4096}}]
        with RemoteEngine(f"{server.url}#NAME", settings) as engine:
            assert engine.context == 4096
