"""Finds where a MessagePack message ends in a stream, which msgspec does not tell."""

from typing import Any


class Incomplete(Exception):
    """More bytes are needed."""


_FIXED = {0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8, 0xD0: 1, 0xD1: 2, 0xD2: 4, 0xD3: 8, 0xCA: 4, 0xCB: 8}
_SIZED = {0xC4: 1, 0xC5: 2, 0xC6: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4}
_EXT = {0xC7: 1, 0xC8: 2, 0xC9: 4}
_FIXEXT = {0xD4: 1, 0xD5: 2, 0xD6: 4, 0xD7: 8, 0xD8: 16}


def end_of(data: bytes, at: int = 0) -> int:
    """Return where the object that begins at `at` ends. Raises `Incomplete`."""
    left = 1
    while left:
        if at >= len(data):
            raise Incomplete
        at, inner = _skip(data, at)
        left += inner - 1
    if at > len(data):
        raise Incomplete
    return at


def _skip(data: bytes, at: int) -> tuple[int, int]:
    """Return where one object's own bytes end, and how many objects it holds."""
    head = data[at]
    at += 1
    if head < 0x80 or head >= 0xE0 or head in (0xC0, 0xC2, 0xC3):
        return at, 0
    if head < 0x90:
        return at, 2 * (head & 0x0F)
    if head < 0xA0:
        return at, head & 0x0F
    if head < 0xC0:
        return at + (head & 0x1F), 0
    if head in _FIXED:
        return at + _FIXED[head], 0
    if head in _FIXEXT:
        return at + 1 + _FIXEXT[head], 0
    width = _SIZED.get(head) or _EXT.get(head) or (2 if head in (0xDC, 0xDE) else 4)
    if at + width > len(data):
        raise Incomplete
    size = int.from_bytes(data[at : at + width], "big")
    at += width
    if head in _SIZED:
        return at + size, 0
    if head in _EXT:
        return at + 1 + size, 0
    return at, size if head in (0xDC, 0xDD) else 2 * size


def plain(value: Any) -> Any:
    """Return `value` without what only Neovim knows (its handles)."""
    if isinstance(value, dict):
        return {plain(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value
