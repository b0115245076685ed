"""A JSON array of objects, as Gemini streams it: bytes in, `("", object)` out, however cut.

The rules are RFC 8259's. Only what separates the elements is looked at: strings and braces. Whether
an element is JSON is for its reader to find out. A body that is a single object (an error document)
is one element, and so is an object that a gateway put `data:` before.

The scan stops in one of three states and goes on from there, so its work grows with the bytes only.
Strings and everything else without a brace are passed over by regular expressions, so that the loop
in Python takes one step per brace, not one per byte.
"""

import re

from providers.errors import Malformed

ELEMENT_LIMIT = 16 * 1024 * 1024
"""Bytes of one element (a larger event is `malformedStream`: docs/protocol.md, "Errors")."""

_BOM = b"\xef\xbb\xbf"
_PREFIX = b"data:"
_GAP = re.compile(rb"[ \t\r\n,]*+")
# Classes are possessive, groups are not: those match wrongly in CPython 3.11.0 to 3.11.4
# (python/cpython#106052), and Debian 12 has 3.11.2. Their counts are bounded because what a group
# may give back is remembered; the loop goes on where a bound stopped one.
# Inside a string, up to its closing quote, an escape that is cut, or the bound.
_STRING = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+){0,1000}', re.DOTALL)
# Outside strings, over whole strings, up to a brace or a string that is cut or has many escapes.
_PLAIN = re.compile(rb'[^"{}]*+(?:"[^"\\]*+(?:\\.[^"\\]*+){0,100}"[^"{}]*+){0,100}', re.DOTALL)

_QUOTE, _OPEN, _CLOSE, _ARRAY, _END, _ESCAPE = b'"{}[]\\'


class JsonStreamParser:
    """Parses one array.

    `closed` is whether its end has been seen; an array that is cut leaves it false.
    """

    __slots__ = (
        "_at",
        "_depth",
        "_failed",
        "_fresh",
        "_in_string",
        "_opened",
        "_rest",
        "closed",
    )

    def __init__(self) -> None:
        self.closed = False
        self._opened = False
        self._fresh = True  # the byte order mark may still come
        self._rest = bytearray()  # the unfinished element, or a cut `data:`
        self._at = 0  # how far `_rest` has been searched
        self._depth = 0  # open braces of the unfinished element
        self._in_string = False
        self._failed: Malformed | None = None

    def feed(self, chunk: bytes) -> list[tuple[str, bytes]]:
        """Return the elements that `chunk` completes.

        Raises `Malformed` for what is no array of objects and for an element over
        `ELEMENT_LIMIT`; where elements came before that in the same chunk they are returned, and
        the next call raises.
        """
        if self._failed is not None:
            raise self._failed
        data: bytes | bytearray = chunk
        if self._rest:
            self._rest += chunk
            data = self._rest
        out: list[tuple[str, bytes]] = []
        start = self._elements(data, out)
        if data is self._rest:
            del self._rest[:start]
        else:
            self._rest = bytearray(chunk[start:])
        self._at -= start
        if len(self._rest) > ELEMENT_LIMIT:
            self._failed = _too_large()
        if self._failed is not None and not out:
            raise self._failed
        return out

    def deferred(self) -> Malformed | None:
        """Return what the next `feed` would raise: it came after elements that were returned."""
        return self._failed

    def end(self) -> list[tuple[str, bytes]]:
        """Return nothing: an element that is cut is dropped.

        Raises `Malformed` where the last `feed` had found what is none, or one too large.
        """
        if self._failed is not None:
            raise self._failed
        return []

    def _elements(self, data: bytes | bytearray, out: list[tuple[str, bytes]]) -> int:
        """Append the elements that are whole; return where the unfinished one starts."""
        start = 0
        while True:
            if not self._depth:
                start = self._gap(data, start)
                if not self._depth:
                    return start
            end = self._element_end(data)
            if end < 0:
                return start
            if end - start > ELEMENT_LIMIT:
                self._failed = _too_large()
                return end
            out.append(("", bytes(data[start:end])))
            start = end
            if not self._opened:
                self.closed = True

    def _gap(self, data: bytes | bytearray, at: int) -> int:
        """Go over what stands between elements; return where the next one or a cut prefix starts.

        Where an element starts, `_depth` is 1 afterwards.
        """
        size = len(data)
        if self._fresh and at < size:
            head = bytes(data[at : at + 3])
            if len(head) < 3 and _BOM.startswith(head):
                return at
            self._fresh = False
            at += 3 * (head == _BOM)
        while True:
            match = _GAP.match(data, at)
            at = match.end() if match else at
            if at == size:
                return at
            byte = data[at]
            if byte == _OPEN:
                self._depth = 1
                self._at = at + 1
                return at
            if byte == _ARRAY and not self._opened:
                self._opened = True
            elif byte == _END and self._opened:
                self.closed = True
            else:
                prefix = bytes(data[at : at + len(_PREFIX)])
                if not _PREFIX.startswith(prefix):
                    self._failed = Malformed("the answer is not a JSON array of objects")
                    return size
                if len(prefix) < len(_PREFIX):
                    return at
                at += len(_PREFIX) - 1
            at += 1

    def _element_end(self, data: bytes | bytearray) -> int:
        """Search on from `_at`; return the end of the element, or -1 if it is not there yet."""
        at, size = self._at, len(data)
        while at < size:
            match = (_STRING if self._in_string else _PLAIN).match(data, at)
            at = match.end() if match else at
            if at == size:
                break
            byte = data[at]
            if self._in_string:
                if byte == _ESCAPE:
                    if at + 1 == size:  # cut: look at it again
                        break
                    continue
                self._in_string = False
            elif byte == _QUOTE:
                self._in_string = True
            elif byte == _OPEN:
                self._depth += 1
            else:
                self._depth -= 1
                if not self._depth:
                    self._at = at + 1
                    return at + 1
            at += 1
        self._at = at
        return -1


def _too_large() -> Malformed:
    return Malformed(f"an element of the stream is larger than {ELEMENT_LIMIT >> 20} MiB")
