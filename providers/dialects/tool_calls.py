"""Puts the fragments of tool calls, as OpenAI-like services send them, in order.

Fragments belong to their own call, whatever the service does with `index`, `id` and `name`: sends
no index, repeats id and name in every fragment, uses one index for several calls. What comes out
has id and name once, with a call's first fragment, and counts calls from 0.
"""

import hashlib

from providers.types import StreamToken, ToolCallDelta


class _Call:
    __slots__ = ("announced", "held", "id", "name", "slot", "wire_index")

    def __init__(self, wire_index: int | None, call_id: str | None) -> None:
        self.slot = -1  # counted when it is announced: a call may wait for its name
        self.wire_index = wire_index
        self.id = call_id
        self.name: str | None = None
        self.announced = False
        self.held: list[str] = []  # arguments that came before the name


class ToolCallAssembler:
    """For one answer; `answer_id` makes ids for calls that come without, the same each time."""

    __slots__ = ("_announced", "_calls", "_last", "answer_id")

    def __init__(self) -> None:
        self.answer_id = ""
        self._announced = 0
        self._calls: list[_Call] = []
        self._last: _Call | None = None

    def __len__(self) -> int:
        return len(self._calls)

    def add(
        self,
        wire_index: int | None,
        call_id: str | None,
        name: str | None,
        arguments: str | None,
        out: list[StreamToken],
    ) -> None:
        """Append to `out` what one fragment adds."""
        call = self._find(wire_index, call_id or None, name or None)
        if call is None:
            call = _Call(wire_index, call_id or None)
            self._calls.append(call)
        self._last = call
        if call.announced:
            if arguments:
                out.append(ToolCallDelta(call.slot, arguments=arguments))
            return
        call.id = call.id or call_id
        call.name = name or None
        if arguments:
            call.held.append(arguments)
        if call.name is not None:
            self._announce(call, out)

    def end(self, out: list[StreamToken]) -> None:
        """Append the calls whose name never came."""
        for call in self._calls:
            if not call.announced and (call.id or call.held):
                self._announce(call, out)

    def _announce(self, call: _Call, out: list[StreamToken]) -> None:
        call.announced = True
        call.slot = self._announced
        self._announced += 1
        call_id = call.id or made_id(self.answer_id, call.slot, call.name or "")
        arguments = "".join(call.held) or None
        call.held.clear()
        call.id = call_id
        out.append(ToolCallDelta(call.slot, call_id, call.name or "", arguments))

    def _find(self, index: int | None, call_id: str | None, name: str | None) -> _Call | None:
        if index is not None:
            # The newest of that index: an index is used again by services that always send 0.
            for call in reversed(self._calls):
                if call.wire_index == index:
                    another = call_id is not None and call.id is not None and call.id != call_id
                    return None if another and name is not None else call
            return None
        if call_id is not None:
            for call in reversed(self._calls):
                if call.id == call_id:
                    return call
            if self._last is not None and name is None:
                return self._last
            return None
        # Neither index nor id: a name begins a call, everything else goes on with the last one.
        return None if name is not None else self._last


def made_id(answer_id: str, index: int, name: str) -> str:
    """Return an id for a call that came without one; equal for equal input."""
    seed = f"{answer_id}/{index}/{name}".encode("utf-8", "replace")
    return "call_" + hashlib.sha256(seed).hexdigest()[:24]
