"""OpenRouter's `reasoning_details`: pieces in a stream, whole entries for the way back.

Pieces of one entry share type and index; their texts are concatenated. The whole list, as JSON,
is the `opaque` of a reasoning part and goes back untouched with the assistant's message.
https://openrouter.ai/docs/use-cases/reasoning-tokens
"""

from typing import Any, cast

import msgspec

_JOINED = ("text", "summary", "data")
_TEXTS = {"reasoning.text": "text", "reasoning.summary": "summary"}


class ReasoningDetails:
    """Collects the entries of one answer."""

    __slots__ = ("_entries",)

    def __init__(self) -> None:
        self._entries: dict[tuple[str, int], dict[str, Any]] = {}

    def add(self, pieces: list[dict[str, Any]]) -> None:
        for place, piece in enumerate(pieces):
            kind = str(piece.get("type") or "reasoning.text")
            index = piece.get("index")
            key = (kind, index if isinstance(index, int) else place)
            entry = self._entries.get(key)
            if entry is None:
                self._entries[key] = dict(piece)
                continue
            for name, value in piece.items():
                before = entry.get(name)
                if name in _JOINED and isinstance(before, str) and isinstance(value, str):
                    entry[name] = before + value
                elif value is not None:
                    entry[name] = value

    def opaque(self) -> str | None:
        """Return all entries as JSON text; None if there are none worth sending back."""
        entries = [
            entry
            for (kind, _), entry in self._entries.items()
            if kind != "reasoning.encrypted" or entry.get("data")
        ]
        return encoded(entries) if entries else None


def detail_text(pieces: list[dict[str, Any]]) -> str:
    """Return the readable text of the pieces."""
    found: list[str] = []
    for piece in pieces:
        text = piece.get(_TEXTS.get(str(piece.get("type")), "text"))
        if isinstance(text, str):
            found.append(text)
    return "".join(found)


def encoded(value: object) -> str:
    """Return JSON text; lone surrogates, which UTF-8 has no form for, become U+FFFD."""
    try:
        return msgspec.json.encode(value).decode()
    except UnicodeEncodeError:
        return msgspec.json.encode(_clean(value)).decode()


def _clean(value: object) -> object:
    from providers.wire.json_text import whole

    if isinstance(value, str):
        return whole(value)
    if isinstance(value, list):
        return [_clean(item) for item in cast("list[object]", value)]
    if isinstance(value, dict):
        items = cast("dict[str, object]", value).items()
        return {whole(name): _clean(item) for name, item in items}
    return value
