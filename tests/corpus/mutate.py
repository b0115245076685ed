"""Recorded answers, changed: in ways that mean the same (`SAME`), and in ways that break them.

A body is taken apart into events (name and JSON), these are changed, and it is put together again
in the framing of its format. Of the formats it knows only where the data of users begins:
arguments of calls and the like are nobody's to change.
"""

import base64
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from providers.wire.eventstream import EventStreamDecoder
from providers.wire.sse import SseDecoder
from tests.corpus.formats import FORMATS, Row
from tests.vendors.cloud import event as aws_frame

DATA = frozenset(
    {
        "args",
        "arguments",
        "arguments_json",
        "input",
        "content_object",
        "functionResponse",
        "parameters",
        "schema",
        "partialArgs",
        "tools",
        "toolUse",
        "failed_generation",
        "metadata",
        "error",
    }
)
"""What is below these is a user's, a model's or a tool's, or is told as it stands."""

Change = Callable[[Any, random.Random], Any]


@dataclass
class Event:
    """`value` is None for what is no JSON (`[DONE]`), which `raw` holds."""

    name: str
    raw: bytes
    value: Any = None


def events_of(row: Row, body: bytes) -> list[Event] | None:
    """Return the events of a body; None where it is none of the framings."""
    if row["kind"] != "stream":
        return [_event("", body)]
    framing = FORMATS[row["wire_format"]].dialect(row).framing
    if framing == "eventstream":
        decoder = EventStreamDecoder()
        frames = decoder.feed(body) + decoder.end()
        invoke = "invoke" in row["wire_format"]
        return [_unpacked(name, data) if invoke else _event(name, data) for name, data in frames]
    if framing == "sse":
        reader = SseDecoder()
        frames = reader.feed(body + b"\n\n") + reader.end()  # some lack their last empty line
        return [_event(name, data) for name, data in frames]
    if framing == "ndjson":
        return [_event("", line) for line in body.splitlines() if line.strip()]
    return [Event("", b"", value) for value in json.loads(body)]


def _event(name: str, data: bytes) -> Event:
    try:
        return Event(name, data, json.loads(data))
    except ValueError:
        return Event(name, data)


def _unpacked(name: str, data: bytes) -> Event:
    """The payload of one of Invoke's frames is JSON in base64 in JSON."""
    inner = json.loads(data).get("bytes")
    return _event(name, base64.b64decode(inner) if inner is not None else data)


def body_of(row: Row, events: list[Event], way: str = "") -> bytes:
    """Return the events as a body. `way` is one of the framing's own ways to say the same."""
    texts = [text_of(event, way) for event in events]
    if row["kind"] != "stream":
        return texts[0]
    framing = FORMATS[row["wire_format"]].dialect(row).framing
    if framing == "eventstream":
        invoke = "invoke" in row["wire_format"]
        return b"".join(
            aws_frame(event.name, packed(text) if invoke else text)
            for event, text in zip(events, texts, strict=True)
        )
    if framing == "ndjson":
        return b"".join(text + (b"\r\n" if way == "crlf" else b"\n") for text in texts)
    if framing == "json_array":
        between = b"\r\n,\r\n" if way == "crlf" else b","
        return b"[" + between.join(texts) + b"]"
    return _sse(events, texts, way)


def packed(text: bytes) -> bytes:
    return json.dumps({"bytes": base64.b64encode(text).decode(), "p": "abcd"}).encode()


def _sse(events: list[Event], texts: list[bytes], way: str) -> bytes:
    out = [b"\xef\xbb\xbf"] if way == "bom" else []
    end = {"crlf": b"\r\n", "cr": b"\r"}.get(way, b"\n")
    for event, text in zip(events, texts, strict=True):
        if way == "comments":
            out += [b":", end, b": PROCESSING", end, end, b"id: 7", end, b"retry: 10", end]
        if event.name and event.name != "message":
            out += [b"event:", b"" if way == "tight" else b" ", event.name.encode(), end]
        for line in text.split(b"\n"):
            out += [b"data:", b"" if way == "tight" else b" ", line, end]
        out += [end, end] if way == "loose" else [end]
    return b"".join(out)


def text_of(event: Event, way: str) -> bytes:
    if event.value is None and event.raw != b"null":
        return event.raw
    if way == "escaped":
        return json.dumps(event.value, ensure_ascii=True).encode()
    indent = 2 if way == "pretty" else None
    text = json.dumps(event.value, ensure_ascii=False, indent=indent)
    return text.encode("utf-8", "surrogatepass")


FRAMINGS = ("", "crlf", "cr", "bom", "comments", "tight", "loose", "escaped", "pretty")
BY_FRAMING = {
    "sse": FRAMINGS,
    "ndjson": ("", "crlf", "escaped"),
    "json_array": ("", "crlf", "escaped", "pretty"),
    "eventstream": ("", "escaped", "pretty"),
}


def ways_of(row: Row) -> tuple[str, ...]:
    if row["kind"] != "stream":
        return ("", "escaped", "pretty")
    return BY_FRAMING[FORMATS[row["wire_format"]].dialect(row).framing]


# --- Changes that mean the same -----------------------------------------------------------------


def is_data(name: str, value: Any) -> bool:
    """Return whether a field holds what is not the format's. Cloudflare's JSON mode is one, too."""
    return name in DATA or (name == "content" and isinstance(value, dict) and "type" not in value)


def objects(value: Any) -> Iterator[dict[str, Any]]:
    """Yield the objects of a value that are the format's."""
    if isinstance(value, dict):
        yield value
        for name, inner in value.items():
            if not is_data(name, inner):
                yield from objects(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from objects(inner)


def reordered(value: Any, _: random.Random) -> Any:
    """Every object's fields the other way round."""
    if isinstance(value, dict):
        return {
            name: inner if is_data(name, inner) else reordered(inner, _)
            for name, inner in reversed(value.items())
        }
    return [reordered(inner, _) for inner in value] if isinstance(value, list) else value


def added_to(value: Any, _: random.Random) -> Any:
    """Every object with fields that nobody knows."""
    for each in list(objects(value)):
        each["zz_new"] = {"a": [1, None, {"b": "ü"}]}
        each["zz_none"] = None
    return value


def with_floats(value: Any, _: random.Random) -> Any:
    """Every count with a fraction of nothing."""
    for each in list(objects(value)):
        for name, inner in each.items():
            if type(inner) is int and name.lower().endswith(("tokens", "count")):
                each[name] = float(inner)
    return value


SAME: dict[str, Change] = {
    "reordered": reordered,
    "fields added": added_to,
    "counts as floats": with_floats,
}


def with_nulls(known: dict[tuple[str, ...], set[str]], value: Any) -> Any:
    """Every object with a null for each field that its like has somewhere in the recordings."""
    for path, each in placed(value):
        for name in known.get(path, ()):
            each.setdefault(name, None)
    return value


def placed(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield the format's objects with where they are; what says its `type` is of that place."""
    if isinstance(value, dict):
        here = (*path, str(value.get("type") or ""))
        yield here, value
        for name, inner in list(value.items()):
            if not is_data(name, inner):
                yield from placed(inner, (*here, name))
    elif isinstance(value, list):
        for inner in value:
            yield from placed(inner, path)


def learn(known: dict[tuple[str, ...], set[str]], value: Any) -> None:
    for path, each in placed(value):
        known.setdefault(path, set()).update(each)


# --- Changes that break something ---------------------------------------------------------------

WRONG: tuple[Any, ...] = (None, "", "x", 0, -1, 1.5, True, [], {}, [None], {"a": 1}, "\ud83d")


def spoiled(value: Any, chance: random.Random) -> Any:
    """One field somewhere with a value of another type, or without it, or twice in a list."""
    every = [each for each in _all(value) if each]
    if not every:
        return value
    each = chance.choice(every)
    if isinstance(each, list):
        at = chance.randrange(len(each))
        choice = chance.randrange(3)
        if choice == 0:
            del each[at]
        elif choice == 1:
            each.insert(at, each[at])
        else:
            each[at] = chance.choice(WRONG)
        return value
    name = chance.choice(list(each))
    if chance.random() < 0.25:
        del each[name]
    else:
        each[name] = chance.choice(WRONG)
    return value


def _all(value: Any) -> Iterator[Any]:
    if isinstance(value, dict | list):
        yield value
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _all(inner)
