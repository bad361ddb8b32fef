"""The Modelfile: our weights, our template, our parameters for Ollama."""

from __future__ import annotations

from mnemosyne import prompt
from mnemosyne.release import templates


def modelfile(source: str, *, adapter: str | None = None, licence: str = "", context: int = 4096) -> str:
    """A Modelfile that runs `source` (a file beside it), with an adapter on it if one is given.

    Greedy, as everywhere: temperature 0, no penalty. `num_ctx` counts prompt and answer.
    """
    lines = [f"FROM ./{source}"]
    if adapter:
        lines.append(f"ADAPTER ./{adapter}")
    lines += [
        f'TEMPLATE """{templates.OLLAMA}"""',
        f'SYSTEM """{prompt.SYSTEM}"""',
        "PARAMETER temperature 0",
        "PARAMETER repeat_penalty 1",
        f"PARAMETER num_predict {templates.MAX_TOKENS}",
        f"PARAMETER num_ctx {context}",
        *(f'PARAMETER stop "{stop}"' for stop in prompt.STOPS),
    ]
    if licence:
        lines.append(f'LICENSE """{licence}"""')
    return "\n".join(lines) + "\n"
