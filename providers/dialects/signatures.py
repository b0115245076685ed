"""Whose opaque token a signature of reasoning is, told by its outermost bytes.

State goes back to the service that gave it and to no other, and a conversation may change services.
The tokens are protobuf in base64; how they begin was read off recorded ones (41 of Anthropic's, 119
of Google's). What is neither is taken for the service's own that is asked: tokens change.
"""

import base64
import binascii
import re

_VARINT = rb"[\x80-\xff]*[\x00-\x7f]"
_GOOGLE = re.compile(
    rb"(?:\x12" + _VARINT + rb")?(?:\x0a" + _VARINT + rb")?(?:\x08.\x12" + _VARINT + rb")?\x01",
    re.DOTALL,
)
_ANTHROPIC = re.compile(
    rb"(?:\x08.)?\x12" + _VARINT + rb"\x0a" + _VARINT + rb"\x08.(?:\x10.)?\x18\x02", re.DOTALL
)
_THINKING = b"B\x08thinking"
"""What the tokens of newer Claude models have in the clear (protobuf: field 8, eight bytes)."""

_HEAD = 684
"""Characters that are looked at."""

_SHORTEST = 40
"""What is shorter is no real token, and may begin like anything."""


def may_be_anthropics(opaque: str | None) -> bool:
    """Return whether Anthropic's services may have given this: never JSON, and not Google's."""
    return _is_token(opaque) and not _GOOGLE.match(_head(opaque))


def may_be_googles(opaque: str | None) -> bool:
    """Return whether Google's services may have given this: never JSON, and not Anthropic's."""
    head = _head(opaque)
    return _is_token(opaque) and not (_ANTHROPIC.match(head) or says_thinking(opaque))


def says_thinking(opaque: str | None) -> bool:
    """Return whether a token names its kind as newer models' signatures of thinking do."""
    return _THINKING in _head(opaque, shortest=0)


def _is_token(opaque: str | None) -> bool:
    return bool(opaque) and opaque[0] not in "[{"  # JSON is other formats' state


def _head(opaque: str | None, shortest: int = _SHORTEST) -> bytes:
    """Return the first bytes of a token; b"" of what is too short or no base64."""
    if opaque is None or len(opaque) < shortest:
        return b""
    head = opaque[:_HEAD]
    try:
        return base64.b64decode(head + "=" * (-len(head) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""
