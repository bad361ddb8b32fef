"""A prompt as the messages of a chat, for engines that apply the chat template themselves."""

from __future__ import annotations

import re

from mnemosyne.prompt import Prompt

_TURN = re.compile(r"<\|im_start\|>(\w+)\n(.*?)<\|im_end\|>\n", re.DOTALL)


def messages(prompt: Prompt) -> list[dict[str, str]]:
    """`prompt` as `[{"role": "system", "content": …}, {"role": "user", "content": …}]`.

    The template of Qwen2.5 turns them back into exactly the bytes of the prompt. Texts inside a prompt
    cannot hold control tokens (`prompt.build` takes them apart), so the turns are those of the contract.
    """
    return [{"role": role, "content": content} for role, content in _TURN.findall(prompt.text)]
