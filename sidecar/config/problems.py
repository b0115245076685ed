"""What is wrong with a configuration, in words for the person who wrote it.

No value of a setting that may be a secret appears in a message, nor any value that is long or looks
like a key: those are called by their type.
"""

import types
import typing
from collections.abc import Iterable, Mapping
from typing import Any, Literal, cast

import msgspec

from providers.auth.redact import Redactor
from providers.settings import KeySource, PoolMember

_KEY = "a key (text, or one of { env = … }, { command = […] }, { file = … }, { keyring = … })"

_FEW = 8
"""Up to so many known keys are listed where none of them is like the unknown one."""

_UNIONS = (typing.Union, types.UnionType)

_WORDS: dict[object, str] = {
    str: "text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    KeySource: _KEY,
    PoolMember: "a table { provider, model, weight }",
}


class ConfigProblem(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that was not taken over. `provider` is the provider whose setting it is."""

    path: str
    message: str
    source: str
    provider: str | None = None

    def __str__(self) -> str:
        return f"{self.path}: {self.message} ({self.source})" if self.path else self.message


def join(path: str, key: str) -> str:
    """Return the path of `key` under `path`, quoted where TOML would want it."""
    name = Redactor().mask(key[:80])
    if not name.replace("-", "").replace("_", "").isalnum() or not name.isascii():
        name = '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f"{path}.{name}" if path else name


def nearest(word: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """Return "did you mean `…`?" for the one of `known` that is most like `word`, or "".

    `cutoff`: how like, from 0 to 1 (the same).
    """
    from difflib import get_close_matches  # a right configuration never needs it

    near = get_close_matches(word[:80], list(known), n=1, cutoff=cutoff)
    return f"did you mean `{near[0]}`?" if near else ""


def unknown(key: str, known: Iterable[str]) -> str:
    """Return the message for a key that is none of `known`."""
    names = list(known)
    hint = nearest(key, names)
    if not hint and len(names) <= _FEW:
        hint = "expected one of " + ", ".join(f"`{name}`" for name in names)
    return f"unknown key: {hint}" if hint else "unknown key"


def expected(kind: object) -> str:
    """Return what a value of the type `kind` looks like, for people."""
    if kind in _WORDS:
        return _WORDS[kind]
    origin: Any = typing.get_origin(kind)
    args: tuple[Any, ...] = typing.get_args(kind)
    if origin is typing.Annotated:
        return _annotated(args)
    if origin is Literal:
        return "one of " + ", ".join(f'"{value}"' for value in args)
    if origin in _UNIONS:
        parts = [a for a in args if a is not type(None)]
        if str in parts and KeySource in parts:
            parts = [KeySource, *(a for a in parts if a not in (str, KeySource))]
        return " or ".join(dict.fromkeys(expected(a) for a in parts))
    if origin is list:
        inner = "keys" if KeySource in typing.get_args(args[0]) else expected(args[0])
        return f"a list of {inner}"
    return "a table"


def _annotated(args: tuple[Any, ...]) -> str:
    meta = cast("msgspec.Meta", args[1])
    if meta.description:
        return meta.description
    words = expected(args[0])
    bounds = [
        (meta.gt, "above"),
        (meta.ge, "of at least"),
        (meta.lt, "below"),
        (meta.le, "of at most"),
    ]
    return words + " and".join(f" {word} {bound}" for bound, word in bounds if bound is not None)


def got(value: object, *, quote: bool) -> str:
    """Return what was found instead: by its type, unless `quote` says the value is harmless."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return _text(value, quote=quote)
    if isinstance(value, (int, float)):
        return str(value) if quote and abs(value) < 1e15 else "a number"
    if isinstance(value, Mapping):
        keys = [Redactor().mask(str(key)[:40]) for key in cast("Mapping[Any, Any]", value)][:4]
        return f"a table of {', '.join(f'`{key}`' for key in keys)}" if keys else "an empty table"
    if isinstance(value, (list, tuple)):
        return "a list"
    return f"a {type(value).__name__}"


def _text(value: str, *, quote: bool) -> str:
    """Text is quoted where a fixed word is expected, and only if it could be such a word."""
    if not value:
        return "empty text"
    could_be_a_word = len(value) <= 20 and value.replace("-", "").isalpha() and value.islower()
    return f'"{value}"' if quote and could_be_a_word and value.isascii() else "other text"


def takes_words(kind: object) -> bool:
    """Return whether the type asks for one of a few fixed words, or a number."""
    parts = typing.get_args(kind) if typing.get_origin(kind) in _UNIONS else (kind,)
    for part in parts:
        bare: Any = part
        if typing.get_origin(bare) is typing.Annotated:
            bare = typing.get_args(bare)[0]
        if typing.get_origin(bare) is Literal or bare in (int, float):
            return True
    return False
