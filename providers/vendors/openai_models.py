"""What OpenAI's models differ in, decided by the model's name: one small rule per difference.

Sources: platform.openai.com/docs/guides/reasoning (unsupported parameters of reasoning models), the
model pages, and the recorded settings of the port (`docs/parity.md`).
"""

import re

_REASONING = re.compile(r"(?:^|/)(?:o[1-9]|gpt-5|codex|computer-use)")
_REFUSES_SAMPLING = re.compile(r"(?:^|/)(?:o[1-9]|gpt-5|codex)")
_CHAT_VARIANT = re.compile(r"-chat(?:-latest)?$")

SAMPLING = frozenset({"temperature", "top_p"})


def reasons(model: str) -> bool:
    """Return whether the model takes `reasoning` settings."""
    return bool(_REASONING.search(model)) and not _CHAT_VARIANT.search(model)


def refuses_sampling(model: str) -> bool:
    """Return whether the model answers `temperature` and `top_p` with a 400."""
    return bool(_REFUSES_SAMPLING.search(model))


def is_o_series(model: str) -> bool:
    """Return whether the model wants the developer role and `max_completion_tokens` in chat."""
    return bool(re.search(r"(?:^|/)o[1-9]", model))
