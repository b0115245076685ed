"""What became of completions: counted here, told by `ai/metrics`, sent nowhere."""

from collections import OrderedDict

KEPT = 256
"""Completions whose fate may still be told."""


class InlineCounts:
    """`requests` are the editor's. Of one completion each thing is counted once."""

    def __init__(self) -> None:
        self.requests = self.shown = self.accepted = self.partly_accepted = 0
        self._made = 0
        self._open: OrderedDict[str, set[str]] = OrderedDict()

    def new_id(self) -> str:
        """Return the id of a completion that goes to the editor."""
        self._made += 1
        made = f"inline-{self._made}"
        self._open[made] = set()
        if len(self._open) > KEPT:
            self._open.popitem(last=False)
        return made

    def note_shown(self, id: str) -> None:
        """The editor has drawn it."""
        self.shown += self._first(id, "shown")

    def note_accepted(self, id: str) -> None:
        """The user took it."""
        self.accepted += self._first(id, "accepted")

    def note_partly_accepted(self, id: str) -> None:
        """The user took a part of it."""
        self.partly_accepted += self._first(id, "partly")

    def _first(self, id: str, what: str) -> bool:
        told = self._open.get(id)
        if told is None or what in told:
            return False
        told.add(what)
        return True
