"""The last answers, for what is typed ahead of them and for what is deleted and typed again. Pure.

An answer fits if the text around its place is still the same and what has been typed since is how
the answer begins.
"""

from collections import OrderedDict

import msgspec

DOCUMENTS = 32
ANSWERS = 16
"""Per document: some lines of typing, forth and back."""

AROUND = 1000
"""Characters before and behind an answer's place that must not have changed."""


class _Answer(msgspec.Struct):
    offset: int
    before: str
    behind: str
    text: str
    key: object


class LastAnswers:
    """`key` stands for what was asked (provider, model, mode): another's answers are not served."""

    def __init__(self) -> None:
        self._documents: OrderedDict[str, list[_Answer]] = OrderedDict()

    def store(self, uri: str, source: str, offset: int, text: str, key: object) -> None:
        """Keep `text` as the answer at `offset`; "" says that nothing belongs there."""
        answers = self._documents.setdefault(uri, [])
        self._documents.move_to_end(uri)
        if len(self._documents) > DOCUMENTS:
            self._documents.popitem(last=False)
        before, behind = _around(source, offset, offset)
        answers[:] = [
            a for a in answers if (a.offset, a.before, a.behind) != (offset, before, behind)
        ]
        answers.append(_Answer(offset, before, behind, text, key))
        del answers[:-ANSWERS]

    def look_up(self, uri: str, source: str, offset: int, key: object) -> str | None:
        """Return what is left of an answer at `offset`, None if none fits; the latest first."""
        for answer in reversed(self._documents.get(uri, ())):
            if answer.key != key or answer.offset > offset:
                continue
            typed = source[answer.offset : offset]
            if not answer.text.startswith(typed) or (typed and len(typed) == len(answer.text)):
                continue
            before, behind = _around(source, answer.offset, offset)
            if before == answer.before and _is_same(behind, answer.behind):
                return answer.text[len(typed) :]
        return None

    def forget(self, uri: str) -> None:
        """Let go of a document's answers."""
        self._documents.pop(uri, None)


def _around(source: str, start: int, end: int) -> tuple[str, str]:
    return source[max(0, start - AROUND) : start], source[end : end + AROUND]


def _is_same(now: str, then: str) -> bool:
    """Say whether the text behind is the same, but for what the editor closed by itself."""
    if now == then:
        return True
    closed = len(now) - len(now.lstrip(")]}\"'`>"))
    for added in range(1, closed + 1):
        rest = now[added:]
        if then[: len(rest)] == rest and (len(then) == len(rest) or len(now) == AROUND):
            return True
    return False
