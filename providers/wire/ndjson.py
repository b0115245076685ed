"""Newline-delimited JSON: bytes in, `("", line)` out, however the bytes were cut.

Lines end with LF or CR LF; empty ones are nothing; the last one may lack its line end. This file
does not look inside a line.
"""

from providers.errors import Malformed

LINE_LIMIT = 16 * 1024 * 1024
"""Bytes of one line (a larger event is `malformedStream`: docs/protocol.md, "Errors")."""


class NdjsonDecoder:
    """Decodes one stream of lines."""

    __slots__ = ("_tail", "_too_large")

    def __init__(self) -> None:
        self._tail = bytearray()  # an unfinished line; it holds no LF, so it is not searched again
        self._too_large = False

    def feed(self, chunk: bytes) -> list[tuple[str, bytes]]:
        """Return the lines that `chunk` completes.

        Raises `Malformed` for a line over `LINE_LIMIT`; where lines came before it in the same
        chunk they are returned, and the next call raises.
        """
        if self._too_large:
            raise _too_large()
        out: list[tuple[str, bytes]] = []
        end = chunk.rfind(b"\n")
        if end < 0:
            self._tail += chunk
        else:
            head = chunk[:end]
            if self._tail:
                head = bytes(self._tail + head)
            self._tail = bytearray(chunk[end + 1 :])
            for line in head.split(b"\n"):
                if len(line) > LINE_LIMIT:
                    self._too_large = True
                    break
                if line := line.strip():
                    out.append(("", line))
        if len(self._tail) > LINE_LIMIT:
            self._too_large = True
        if self._too_large and not out:
            raise _too_large()
        return out

    def end(self) -> list[tuple[str, bytes]]:
        """Return the last line if it came without its line end.

        Raises `Malformed` where the last `feed` had found a line too large.
        """
        if self._too_large:
            raise _too_large()
        line = bytes(self._tail).strip()
        self._tail.clear()
        return [("", line)] if line else []


def _too_large() -> Malformed:
    return Malformed(f"a line of the stream is larger than {LINE_LIMIT >> 20} MiB")
