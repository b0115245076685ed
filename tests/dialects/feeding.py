"""Feeds a streamed answer in many ways and insists that the cuts make no difference."""

import random
from collections.abc import Iterator

from providers.accumulate import Accumulator
from providers.dialects.base import Dialect
from providers.errors import ProviderError
from providers.stream import processor_for
from providers.types import CompletionResponse, StreamToken


def cuts(body: bytes) -> Iterator[list[bytes]]:
    """Yield the body whole, byte by byte, and at random places."""
    yield [body]
    yield [body[i : i + 1] for i in range(len(body))]
    chance = random.Random(7)
    for most in (5, 60, 900):
        pieces: list[bytes] = []
        at = 0
        while at < len(body):
            size = chance.randint(1, most)
            pieces.append(body[at : at + size])
            at += size
        yield pieces


def tokens_of(
    dialect: Dialect, pieces: list[bytes]
) -> tuple[list[StreamToken], ProviderError | None]:
    """Return every token, and the error that ended the stream if one did."""
    processor = processor_for(dialect)
    out: list[StreamToken] = []
    try:
        for piece in pieces:
            out += processor.feed(piece)
            if processor.complete:
                break
        out += processor.end()
    except ProviderError as error:
        return out, error
    return out, None


def answer_of(
    dialect: Dialect, body: bytes
) -> tuple[CompletionResponse, ProviderError | None, list[StreamToken]]:
    """Return what a stream adds up to; the same for all cuts, token by token."""
    first: tuple[list[StreamToken], ProviderError | None] | None = None
    for pieces in cuts(body):
        tokens, error = tokens_of(dialect, pieces)
        if first is None:
            first = tokens, error
        assert tokens == first[0]
        assert type(error) is type(first[1])
        assert str(error) == str(first[1])
    assert first is not None
    total = Accumulator()
    total.add(first[0])
    return total.response(), first[1], first[0]
