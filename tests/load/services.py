"""Ten scripted services, one of which may fault any request, as its number says.

What a request is to get is decided by its number alone, so that a test knows it without asking.
"""

import json
import random
import re
from collections.abc import Iterator, Sequence
from typing import Any, overload

from tests.faults.wires import CHAT
from tests.http.server import CUT, END, RESET, RawServer, Recorded, Script, Step, chunk, head

PIECES = 10
FAULTS = ("500", "429", "reset", "cut before", "cut after", "400", "malformed after")
PASSING = ("500", "429", "reset", "cut before")
"""What is retried, and answered then: each of them happens once."""

_NUMBER = re.compile(rb"number (\d+)")


def text_of(number: int) -> list[str]:
    """The pieces of a request's answer: no two requests have the same."""
    return [f"{number}:{at}·wörld 😀;" for at in range(PIECES)]


def fault_of(number: int, seed: int, share: float) -> str | None:
    """What happens to the first attempt of a request; None for most of them."""
    chance = random.Random(seed * 1_000_003 + number)
    return chance.choice(FAULTS) if chance.random() < share else None


class _Later(Sequence[Step]):
    """Steps that are chosen when the request's body is there."""

    def __init__(self, service: "Service", request: Recorded) -> None:
        self._service, self._request = service, request

    def __iter__(self) -> Iterator[Step]:
        return iter(self._service.steps(self._request))

    def __len__(self) -> int:
        return 1

    @overload
    def __getitem__(self, index: int) -> Step: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Step]: ...
    def __getitem__(self, index: Any) -> Any:
        raise NotImplementedError


class Service:
    """One provider: `attempts` counts the requests by number, `pause` lies between two pieces."""

    def __init__(self, seed: int, share: float, pause: float) -> None:
        self._seed, self._share, self._pause = seed, share, pause
        self.attempts: dict[int, int] = {}

    async def start(self) -> RawServer:
        self.server = await RawServer.start(handler=lambda asked: Script(_Later(self, asked)))
        return self.server

    def steps(self, request: Recorded) -> list[Step]:
        found = _NUMBER.search(request.body)
        assert found is not None, request.body
        number = int(found[1])
        tried = self.attempts[number] = self.attempts.get(number, 0) + 1
        fault = fault_of(number, self._seed, self._share)
        if fault is None or tried > 1:
            return self._whole(number)
        return self._faulty(fault, number)

    def _whole(self, number: int) -> list[Step]:
        steps: list[Step] = [head(), chunk(CHAT.opening)]
        for piece in text_of(number):
            steps += [self._pause, chunk(CHAT.text(piece))]
        return [*steps, chunk(CHAT.closing), END]

    def _faulty(self, fault: str, number: int) -> list[Step]:
        half: list[Step] = []
        for piece in text_of(number)[: PIECES // 2]:
            half += [self._pause, chunk(CHAT.text(piece))]
        begun = [head(), chunk(CHAT.opening)]
        return {
            "500": [_no(500)],
            "429": [_no(429, "retry-after-ms: 20")],
            "400": [_no(400)],
            "reset": [RESET],
            "cut before": [*begun, CUT],
            "cut after": [*begun, *half, CUT],
            "malformed after": [*begun, *half, chunk(CHAT.broken), END],
        }[fault]


def _no(status: int, *headers: str) -> bytes:
    body = json.dumps({"error": {"message": "no"}}).encode()
    lines = [f"HTTP/1.1 {status} X", "Content-Type: application/json", *headers]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}"]).encode() + b"\r\n\r\n" + body


__all__ = ["FAULTS", "PASSING", "Service", "fault_of", "text_of"]
