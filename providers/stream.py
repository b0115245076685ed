"""From the bytes of one streamed answer to tokens: a frame decoder and a dialect's reader.

Pure and synchronous: bytes in, tokens out, no socket and no clock. Knows no wire format; it only
keeps the promises that hold for all of them: tokens read before an error are not lost, text has no
lone surrogates, an answer that is cut short never looks like a whole one.
"""

from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from providers.errors import Malformed, ProviderError, Truncated
from providers.types import Finish, StreamStart, StreamToken
from providers.wire import json_text
from providers.wire.eventstream import EventStreamDecoder
from providers.wire.json_array import JsonStreamParser
from providers.wire.json_text import Lenient, SurrogateJoiner
from providers.wire.ndjson import NdjsonDecoder
from providers.wire.sse import SseDecoder


class FrameDecoder(Protocol):
    """What every decoder of `providers.wire` offers. Both raise `Malformed`."""

    def feed(self, chunk: bytes, /) -> list[tuple[str, bytes]]:
        """Return the frames that `chunk` completes: (event name, payload)."""
        ...

    def end(self) -> list[tuple[str, bytes]]:
        """Return what the end of the body completes."""
        ...


class FrameReader(Protocol):
    """The side of `providers.dialects.base.Reader` that is used here."""

    @property
    def finished(self) -> bool: ...

    def read(self, event: str, data: bytes, out: list[StreamToken], /) -> None: ...

    def end(self, out: list[StreamToken], /) -> None: ...


class WireFormat(Protocol):
    """The side of `providers.dialects.base.Dialect` that is used here."""

    @property
    def framing(self) -> str: ...

    def reader(self) -> FrameReader: ...


DECODERS: dict[str, Callable[[], FrameDecoder]] = {
    "sse": SseDecoder,
    "ndjson": NdjsonDecoder,
    "eventstream": EventStreamDecoder,
    "json_array": JsonStreamParser,
}
"""One line per framing."""


class StreamProcessor:
    """Reads one streamed answer.

    An error that comes after tokens of the same `feed` is kept: those tokens are returned, `failed`
    is the error, `complete` is true, and the next call raises it. Whoever reads a socket looks at
    `complete` after each `feed` and calls `end`, instead of waiting for a next chunk that may never
    come.
    """

    __slots__ = (
        "_begun",
        "_decoder",
        "_deferred",
        "_done",
        "_framed",
        "_joiner",
        "_reader",
        "failed",
    )

    def __init__(self, decoder: FrameDecoder, reader: FrameReader) -> None:
        self._decoder = decoder
        self._reader = reader
        # What a decoder found wrong behind frames that it returned; nothing may ever follow them.
        self._deferred: Callable[[], ProviderError | None] | None
        self._deferred = getattr(decoder, "deferred", None)
        self._begun = False
        self._framed = False  # a frame has been seen, so this is a stream of that framing
        self._done = False
        self._joiner: SurrogateJoiner | None = None
        self.failed: ProviderError | None = None

    @property
    def finished(self) -> bool:
        """Whether the terminal event has been read: what follows is usage or a sentinel at most.

        `end` then never raises `Truncated`, however the body ended.
        """
        return self._reader.finished

    @property
    def complete(self) -> bool:
        """Whether nothing more will come of reading on: `Finish` was returned, or it failed."""
        return self._done or self.failed is not None

    def feed(self, chunk: bytes) -> list[StreamToken]:
        """Return every token that `chunk` completes.

        Raises `Malformed`, or the service's own error event as the `ResponseError` it stands for.
        """
        if self.failed is not None:
            raise self.failed
        out: list[StreamToken] = []
        lenient = Lenient.count
        try:
            read = self._reader.read
            for event, data in self._decoder.feed(chunk):
                self._framed = True
                read(event, data, out)
            if self._deferred is not None and (found := self._deferred()) is not None:
                raise found
        except ProviderError as error:
            # Of what follows the end nothing counts: whether it came in one read with the end or in
            # a later one, which is never made, is chance.
            if not (self._reader.finished and out and type(out[-1]) is Finish):
                return self._broken(error, out)
        if lenient != Lenient.count or self._joiner is not None:
            out = self._joined(out)
        if not self._begun and out:
            self._begin(out)
        if self._reader.finished and out and type(out[-1]) is Finish:
            self._done = True
        return out

    def end(self) -> list[StreamToken]:
        """Return what the end of the body completes, broken off or not.

        Raises `Truncated` if the answer's terminal event never came, `Malformed` if the body was no
        stream of the expected framing, and what `failed` holds.
        """
        if self.failed is not None:
            raise self.failed
        if self._done:
            return []  # what stands behind the end is no part of the answer
        out: list[StreamToken] = []
        lenient = Lenient.count
        try:
            self._last_frames(out)
            self._reader.end(out)
        except ProviderError as error:
            self.failed = error
            raise
        if lenient != Lenient.count or self._joiner is not None:
            out = self._joined(out)
            if self._joiner is not None:
                out += self._joiner.end()
        if not self._begun and out:
            self._begin(out)
        self._done = True
        return out

    def _last_frames(self, out: list[StreamToken]) -> None:
        frames = self._decoder.end()
        if not frames and not self._reader.finished:
            self._refuse_foreign()
            self._take_unfinished(out)
        for event, data in frames:
            try:
                self._reader.read(event, data, out)
            except Malformed as error:
                if not self._framed and data.lstrip()[:1] not in (b"{", b"["):
                    raise  # a page of HTML is no stream, and no part of one
                # Only a frame without its end comes this late: it was cut, not malformed.
                raise Truncated("the stream ended inside a frame") from error

    def _take_unfinished(self, out: list[StreamToken]) -> None:
        """Take an event that lacks only its empty line, if with it the answer is whole.

        The standard discards it. But services have been recorded whose terminal event is the body's
        last line; what is whole is not called broken because of a line end.
        """
        event = getattr(self._decoder, "unfinished", None)
        if event is None:
            return
        last: list[StreamToken] = []
        try:
            self._reader.read(event[0], event[1], last)
        except Malformed:
            return  # it was cut in the middle
        if self._reader.finished:
            out += last

    def _broken(self, error: ProviderError, out: list[StreamToken]) -> list[StreamToken]:
        self.failed = error
        out = self._joined(out)
        if self._joiner is not None:
            out += self._joiner.end()
        if not out:
            raise error
        if not self._begun:
            self._begin(out)
        return out

    def _begin(self, out: list[StreamToken]) -> None:
        """An answer begins with its start, also where the service left that event out."""
        self._begun = True
        if type(out[0]) is not StreamStart:
            out.insert(0, StreamStart("", ""))

    def _joined(self, out: list[StreamToken]) -> list[StreamToken]:
        if self._joiner is None:
            self._joiner = SurrogateJoiner()
        return self._joiner.join(out)

    def _refuse_foreign(self) -> None:
        """Raise for what is no frame: an error document keeps its own kind.

        Some services write one into a stream as it is, without a frame around it.
        """
        body = bytes(getattr(self._decoder, "foreign", b"")).strip()
        if not body:
            return
        if body[:1] == b"{" and _is_error(body):
            self._reader.read("error", body, [])
        if not self._framed:
            raise Malformed("the answer is not a stream of events")


class _ErrorDocument(msgspec.Struct):
    error: Any = None


_ERROR = msgspec.json.Decoder(_ErrorDocument)


def _is_error(body: bytes) -> bool:
    try:
        return json_text.decode(_ERROR, body).error is not None
    except Malformed:
        return False


def processor_for(dialect: WireFormat) -> StreamProcessor:
    """Return a processor for one streamed answer in the dialect's format."""
    return StreamProcessor(DECODERS[dialect.framing](), dialect.reader())
