"""JSON text to structs, and what to do about lone surrogates.

`msgspec` refuses an escape like `\\ud83d` that stands alone, although services send them: a
character cut in two by a tokenizer arrives as two halves in two deltas. So there is one lenient
way in, `decode`, and one way out, `SurrogateJoiner`: what leaves it has no lone surrogate in it.
Only this file may use the standard library's `json`, and only when `msgspec` has refused.
"""

import re
from typing import Any, TypeVar

import msgspec

from providers.errors import Malformed
from providers.types import (
    Citation,
    CodeDelta,
    Finish,
    ReasoningDelta,
    StreamStart,
    StreamToken,
    TextDelta,
    ToolCallDelta,
    UsageReport,
)

T = TypeVar("T")

_ESCAPED_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
_SURROGATE = re.compile("[\ud800-\udfff]")
_TRAILING_HIGH = re.compile("[\ud800-\udbff]\\Z")


class Lenient:
    """Counts lenient reads, so that a stream can tell cheaply whether it has seen one.

    `StreamProcessor` compares the count before and after a synchronous `feed`; nothing else is
    done with it, and a count too many (another thread) costs time only.
    """

    count: int = 0


def decode(decoder: msgspec.json.Decoder[T], data: bytes) -> T:
    """Return `data` as the decoder's type. Strings may hold lone surrogates.

    Raises `Malformed` for what is no JSON, no UTF-8 or not of that shape.
    """
    try:
        return decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return decode_refused(decoder, data, error)
    except RecursionError:
        raise Malformed("the JSON is nested too deeply") from None


def decode_refused(decoder: msgspec.json.Decoder[T], data: bytes, error: Exception) -> T:
    """Do what `decode` does after `decoder.decode(data)` has raised `error`.

    For hot paths that call the decoder themselves to save a function call.
    """
    if isinstance(error, msgspec.ValidationError):
        raise Malformed(f"unexpected shape: {error}") from None
    if isinstance(error, UnicodeDecodeError):
        raise Malformed("the text is not valid UTF-8") from None
    if not _ESCAPED_SURROGATE.search(data):
        raise Malformed(f"not JSON: {error}") from None
    import json  # noqa: TID251 - msgspec cannot read lone surrogates; loaded only when one came

    try:
        # str, not bytes: json would let encoded surrogates pass as if they were UTF-8.
        value: Any = json.loads(
            data.decode("utf-8"), object_pairs_hook=_clean_keys, parse_constant=_refuse_constant
        )
        Lenient.count += 1
        return msgspec.convert(value, decoder.type, strict=decoder.strict)
    except UnicodeError:
        raise Malformed("the text is not valid UTF-8") from None
    except msgspec.ValidationError as refused:
        raise Malformed(f"unexpected shape: {refused}") from None
    except (ValueError, RecursionError) as refused:
        raise Malformed(f"not JSON: {refused}"[:200]) from None


def convert(value: Any, kind: type[T]) -> T:
    """Return a decoded value as `kind`. Raises `msgspec.ValidationError`."""
    try:
        return msgspec.convert(value, kind)
    except UnicodeEncodeError:  # a text with half a character where no text belongs
        raise msgspec.ValidationError("a text is not of that shape") from None


def encode(value: Any) -> bytes:
    """Return a decoded value as JSON again, halves of characters as the escapes that they were."""
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        import json  # noqa: TID251 - msgspec cannot write lone surrogates either

        return json.dumps(value).encode()


def _clean_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Msgspec compares keys as UTF-8, which a lone surrogate has no form in."""
    return {whole(key): value for key, value in pairs}


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def whole(text: str) -> str:
    """Return `text` with its surrogate pairs joined and each unpaired one as U+FFFD."""
    if not _SURROGATE.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def whole_or_none(text: str | None) -> str | None:
    return None if text is None else whole(text)


class SurrogateJoiner:
    """Joins halves of a character that came in consecutive deltas of the same field.

    Made only for a stream that needed the lenient path; from then on every token goes through it.
    A high half at the end of a delta is held back until the next delta of its field, or `Finish`.
    """

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held: dict[tuple[str, int], str] = {}

    def join(self, tokens: list[StreamToken]) -> list[StreamToken]:
        """Return `tokens` without lone surrogates."""
        out: list[StreamToken] = []
        for token in tokens:
            self._one(token, out)
        return out

    def end(self) -> list[StreamToken]:
        """Return what is held back, each as U+FFFD."""
        out: list[StreamToken] = []
        for field, index in self._held:
            match field:
                case "text":
                    out.append(TextDelta("\ufffd"))
                case "reasoning":
                    out.append(ReasoningDelta("\ufffd"))
                case "arguments":
                    out.append(ToolCallDelta(index, arguments="\ufffd"))
                case _:
                    out.append(ToolCallDelta(index, opaque="\ufffd"))
        self._held.clear()
        return out

    def _text(self, field: str, index: int, text: str) -> str:
        text = self._held.pop((field, index), "") + text
        if _TRAILING_HIGH.search(text):
            self._held[field, index] = text[-1]
            text = text[:-1]
        return whole(text)

    def _one(self, token: StreamToken, out: list[StreamToken]) -> None:
        match token:
            case TextDelta():
                if text := self._text("text", 0, token.text):
                    out.append(TextDelta(text))
            case ReasoningDelta():
                text = self._text("reasoning", 0, token.text)
                if text or token.opaque is not None:
                    out.append(ReasoningDelta(text, whole_or_none(token.opaque)))
            case ToolCallDelta():
                self._tool_call(token, out)
            case CodeDelta():
                output = whole_or_none(token.output)
                out.append(CodeDelta(whole(token.language), whole(token.code), output))
            case Citation():
                out.append(Citation(whole(token.url), whole_or_none(token.title)))
            case StreamStart():
                out.append(StreamStart(whole(token.id), whole(token.model)))
            case UsageReport():
                out.append(token)
            case Finish():
                out += self.end()
                out.append(Finish(token.reason, whole_or_none(token.raw)))

    def _tool_call(self, token: ToolCallDelta, out: list[StreamToken]) -> None:
        index, arguments, opaque = token.index, token.arguments, token.opaque
        if arguments:  # an empty one stays what it is without a joiner
            arguments = self._text("arguments", index, arguments) or None
        if opaque:
            opaque = self._text("opaque", index, opaque) or None
        if token.id is None and token.name is None and arguments is None and opaque is None:
            return
        name = whole_or_none(token.name)
        out.append(ToolCallDelta(index, whole_or_none(token.id), name, arguments, opaque))


def joined(tokens: list[StreamToken]) -> list[StreamToken]:
    """Return the tokens of a whole answer without lone surrogates."""
    joiner = SurrogateJoiner()
    return joiner.join(tokens) + joiner.end()
