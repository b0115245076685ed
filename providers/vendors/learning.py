"""What a service's 400 teaches: which parameter it does not take, and what to send instead.

"Compatible" services differ in the parameters they know, and say so in words of their own. Pure:
from a message and the profile that was refused to the profile that may be taken. Only what an
answer is complete without is ever left out; a complaint about a *value* teaches nothing, because
the value is the caller's.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from providers.dialects.openai_chat import ChatProfile

_COMPLAINT = re.compile(
    r"unsupported|not (?:currently |yet )?support|isn't support|unrecognized|unknown|unexpected"
    r"|not permitted|not allowed|extra[ _](?:fields|inputs|forbidden)|does not exist"
    r"|only the default|not (?:a )?valid (?:field|parameter|argument|property)|no longer accept"
    r"|is deprecated|not accept|invalid (?:field|parameter|argument|property|role)"
    r"|additional propert",
    re.IGNORECASE,
)
_ABOUT_VALUE = re.compile(
    r"too (?:large|small|high|low|long)|must be (?:less|greater|between|in\b|an?\b|set|[<>0-9])"
    r"|should be (?:less|greater|between|at|in|an?)\b|at (?:least|most)|out of range"
    r"|range of|exceed|maximum context",
    re.IGNORECASE,
)
_ONLY_DEFAULT = re.compile(r"only the default|does not support [-0-9.]+ with", re.IGNORECASE)

_LIMITS = ("max_tokens", "max_completion_tokens")
_ROLES = ("developer", "system")


class Lesson(NamedTuple):
    """`subject` is what was refused; `whole_endpoint`: it is so for every model behind it."""

    subject: str
    whole_endpoint: bool
    change: Callable[[ChatProfile], ChatProfile]


def lesson_of(message: str, profile: ChatProfile) -> Lesson | None:
    """Return what a 400 with `message` teaches about a request that was made after `profile`.

    None where the message complains about nothing that the profile could leave out.
    """
    if not _COMPLAINT.search(message):
        return None
    if _ABOUT_VALUE.search(message) and not _ONLY_DEFAULT.search(message):
        return None
    named = [
        (found.start(), name)
        for name in _LESSONS
        if (found := re.search(rf"(?<![a-z_]){name}(?![a-z_])", message))
    ]
    limit = next((name for _, name in sorted(named) if name in _LIMITS), None)
    for _, name in sorted(named):
        if name in _ROLES and "role" not in message:
            continue
        if name in _LIMITS and (name != limit or name != profile.max_tokens):
            continue  # the second one is named as the cure, not as the complaint
        lesson = _LESSONS[name](profile)
        if lesson is not None:
            return lesson
    return None


# --- What each name teaches ----------------------------------------------------------------


def _left_out(name: str, *, whole_endpoint: bool) -> Callable[[ChatProfile], Lesson | None]:
    def lesson(profile: ChatProfile) -> Lesson | None:
        if name in profile.omit:
            return None

        def change(profile: ChatProfile) -> ChatProfile:
            return msgspec.structs.replace(profile, omit=profile.omit | {name})

        return Lesson(name, whole_endpoint, change)

    return lesson


def _limit(profile: ChatProfile) -> Lesson | None:
    """The other name of the limit; where that was refused before, none at all."""
    sent = profile.max_tokens
    if sent in profile.omit:
        return None
    other = _LIMITS[1 - _LIMITS.index(sent)]

    def change(profile: ChatProfile) -> ChatProfile:
        omit = profile.omit | {sent}
        renamed = "max_tokens" if other == "max_tokens" else "max_completion_tokens"
        return msgspec.structs.replace(profile, max_tokens=renamed, omit=omit)

    return Lesson(sent, False, change)


def _strict(profile: ChatProfile) -> Lesson | None:
    if profile.schemas == "plain":
        return None

    def change(profile: ChatProfile) -> ChatProfile:
        return msgspec.structs.replace(profile, schemas="plain")

    return Lesson("strict", True, change)


def _developer(profile: ChatProfile) -> Lesson | None:
    if profile.system != "developer":
        return None

    def change(profile: ChatProfile) -> ChatProfile:
        return msgspec.structs.replace(profile, system="system")

    return Lesson("developer", False, change)


def _system(profile: ChatProfile) -> Lesson | None:
    """A model without a system role: its text goes into the first message of the user."""
    if profile.system != "system":
        return None

    def change(profile: ChatProfile) -> ChatProfile:
        return msgspec.structs.replace(profile, system="user", flatten=True)

    return Lesson("system", False, change)


_LESSONS: dict[str, Callable[[ChatProfile], Lesson | None]] = {
    "max_tokens": _limit,
    "max_completion_tokens": _limit,
    "stream_options": _left_out("stream_options", whole_endpoint=True),
    "temperature": _left_out("temperature", whole_endpoint=False),
    "top_p": _left_out("top_p", whole_endpoint=False),
    "seed": _left_out("seed", whole_endpoint=False),
    "parallel_tool_calls": _left_out("parallel_tool_calls", whole_endpoint=False),
    "strict": _strict,
    "developer": _developer,
    "system": _system,
}
