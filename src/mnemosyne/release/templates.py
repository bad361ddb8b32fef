"""The prompt contract for programs that know only chat messages: a Jinja template and an Ollama template.

A person's message is what stands between the question's headings:

    ### Schema:
    {DDL}

    ### Question:
    {question}

With that message (and, in Ollama, the Modelfile's system message) both templates give the bytes of
`prompt.build(ddl, question).text`. Jinja also takes control tokens apart, as `prompt.build` does; Ollama's language
has no such function.
"""

from __future__ import annotations

from typing import Any

from mnemosyne import prompt
from mnemosyne.engines import Sampling

CHAT = (
    "{%- if not messages or messages[0]['role'] != 'system' -%}\n"
    "{{- '<|im_start|>system\\n" + prompt.SYSTEM + "<|im_end|>\\n' -}}\n"
    "{%- endif -%}\n"
    "{%- for message in messages -%}\n"
    "{{- '<|im_start|>' + message['role'] + '\\n' + "
    "(message['content'] | trim | replace('<|', '< |')) + '<|im_end|>\\n' -}}\n"
    "{%- endfor -%}\n"
    "{%- if add_generation_prompt -%}\n"
    "{{- '<|im_start|>assistant\\n' -}}\n"
    "{%- endif -%}\n"
)
"""`chat_template` of the tokenizer and of GGUF files."""

OLLAMA = (
    "{{ if .System }}<|im_start|>system\n{{ .System }}<|im_end|>\n{{ end }}"
    "{{ if .Prompt }}<|im_start|>user\n{{ .Prompt }}<|im_end|>\n{{ end }}"
    "<|im_start|>assistant\n{{ .Response }}<|im_end|>\n"
)
"""TEMPLATE of the Modelfile, in the language of Go's text/template; Ollama cuts it behind the response."""

MAX_TOKENS = Sampling().max_tokens
"""New tokens at most, everywhere."""


def message(ddl: str, question: str) -> str:
    """What a person sends to a chat program, so that the model sees our prompt."""
    built = prompt.build(ddl, question)
    return built.text.split("<|im_start|>user\n", 1)[1].split(prompt.END, 1)[0]


def generation_config(eos_token_ids: list[int], pad_token_id: int | None) -> dict[str, Any]:
    """`generation_config.json`: greedy, ends at the end of the turn."""
    config: dict[str, Any] = {"do_sample": False, "eos_token_id": eos_token_ids, "max_new_tokens": MAX_TOKENS}
    if pad_token_id is not None:
        config["pad_token_id"] = pad_token_id
    return config
