"""Tool-call ids in the alphabets that services accept. Pure functions, stable for equal input."""

import hashlib
import re
from typing import Literal

CallIdStyle = Literal["as_is", "openai", "mistral"]
"""`openai`: letters, digits, `_` and `-`, at most 64. `mistral`: exactly nine letters or digits."""

_LIMIT = 64
_HASH = 8
_NOT_OPENAI = re.compile(r"[^a-zA-Z0-9_-]")
_NOT_MISTRAL = re.compile(r"[^a-zA-Z0-9]")


def call_id(value: str, style: CallIdStyle) -> str:
    """Return an id the service accepts; equal ids stay equal, so calls and results still meet."""
    if style == "openai":
        return openai_call_id(value)
    if style == "mistral":
        return mistral_call_id(value)
    return value


def openai_call_id(value: str) -> str:
    """Return at most 64 characters; a longer id ends with a hash, so that it stays unique."""
    # Characters beyond the basic plane count as two, as they do in the editors' own code.
    clean = _NOT_OPENAI.sub(lambda m: "_" * (2 if ord(m.group()) > 0xFFFF else 1), value)
    if len(clean) <= _LIMIT:
        return clean
    digest = hashlib.md5(clean.encode(), usedforsecurity=False).hexdigest()[:_HASH]
    return f"{clean[: _LIMIT - _HASH - 1]}_{digest}"


def mistral_call_id(value: str) -> str:
    """Return exactly nine letters and digits."""
    return _NOT_MISTRAL.sub("", value)[:9].ljust(9, "0")
