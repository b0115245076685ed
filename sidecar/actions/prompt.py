"""What a model is asked for each action: language, path, the marked part, lines around it. Pure."""

from typing import Literal, NamedTuple

from providers.errors import ContextLength
from providers.estimate import tokens_of_text
from providers.types import ChatRequest, Message, Text
from sidecar.actions.answer import BEGIN, END
from sidecar.actions.region import Region
from sidecar.inline.context import cut

Wanted = Literal["replacement", "comments", "explanation", "insertion", "file"]
"""What the answer is: text in the region's place, the same with comments only added, words, code
that goes behind the region, code for a file of its own."""


class Question(NamedTuple):
    """`task` in words, for the model. `more`: further files to show, as (name, text)."""

    wanted: Wanted
    task: str
    more: tuple[tuple[str, str], ...] = ()


_COMMON = (
    "You edit text inside an editor. You are given a file, of which one part stands between "
    f"{BEGIN} and {END}. The marks are not in the file."
)
_FENCED = (
    " in one fenced code block, and say nothing else. Keep to the file's language, style and "
    "indentation. Leave nothing out: no ellipsis, no “rest unchanged”."
)
_SYSTEM: dict[Wanted, str] = {
    "replacement": "Answer with the text that takes the place of that part, the whole of it,"
    + _FENCED
    + " Do not repeat what stands outside the marks. If nothing is to be changed, answer with the "
    "part as it is.",
    "comments": "Answer with that part, every line of it, with documentation added,"
    + _FENCED
    + " Put comments on lines of their own. Change no code. Do not repeat what stands outside "
    "the marks.",
    "explanation": "Explain that part to a colleague who reads the code: what it does and why, "
    "what is not obvious. A few plain sentences, no code, no markdown, no heading.",
    "insertion": "Answer with the code that goes on the lines after that part,"
    + _FENCED
    + " Do not repeat that part, nor what stands outside the marks.",
    "file": "Answer with" + _FENCED,
}


def ask(
    question: Question,
    region: Region,
    *,
    language: str,
    path: str,
    context_tokens: int,
    max_tokens: int,
) -> ChatRequest:
    """Return the request. Raises `ContextLength` where the region alone is more than fits."""
    marked = region.text
    needed = tokens_of_text(marked)
    if needed > context_tokens:
        raise ContextLength(
            f"the selection is about {needed} tokens; actions.contextTokens allows {context_tokens}"
        )
    left = context_tokens - needed
    outside = region.source[: region.start] + region.source[region.end :]
    before, behind = cut(outside, region.start, left) if left else ("", "")
    shown = _shown(region, before, marked, behind)
    about = [f"File: {path}"] if path else []
    if language:
        about.append(f"Language: {language}")
    others = [f"{name}:\n{_fenced(text)}" for name, text in question.more]
    text = "\n\n".join(["\n".join(about), shown, *others, question.task])
    return ChatRequest(
        messages=[Message("user", [Text(text.lstrip("\n"))])],
        system=f"{_COMMON} {_SYSTEM[question.wanted]}",
        max_tokens=max_tokens,
    )


def _shown(region: Region, before: str, marked: str, behind: str) -> str:
    if region.whole:
        return f"{before}{BEGIN}\n{marked}\n{END}{behind}"
    return f"{before}{BEGIN}{marked}{END}{behind}"


def _fenced(text: str) -> str:
    mark = "```"
    while mark in text:
        mark += "`"
    return f"{mark}\n{text.rstrip()}\n{mark}"
