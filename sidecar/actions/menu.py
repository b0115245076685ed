"""What is offered: the one list of actions, and which of them a request asks for. Pure."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from sidecar.actions import plans
from sidecar.actions.plans import Plan, Scene

FIX = "quickfix"
REWRITE = "refactor.rewrite"
TEST = "refactor.test"

KINDS = [FIX, REWRITE, TEST]
"""Announced in the answer to `initialize`; a test compares it with `sidecar.handshake`'s list."""


class Action(NamedTuple):
    """`title` may name what the plan is titled with."""

    kind: str
    title: str
    plan: Callable[[Scene], Plan | None]


ACTIONS = {
    "fix": Action(FIX, "AI: fix “{}”", plans.fix),
    "rewrite": Action(REWRITE, "AI: rewrite: {}", plans.rewrite),
    "complete": Action(REWRITE, "AI: write what the comment says", plans.complete),
    "document": Action(REWRITE, "AI: document", plans.document),
    "explain": Action(REWRITE, "AI: explain in a comment", plans.explain),
    "test": Action(TEST, "AI: write a test", plans.write_test),
}


class Offer(NamedTuple):
    """`action` is a key of `ACTIONS`."""

    action: str
    kind: str
    title: str


def offers(scene: Scene, only: Sequence[str] | None, *, unasked: bool) -> list[Offer]:
    """Return what is offered for a scene, as far as its kind is asked for.

    `unasked`: the editor wants to know by itself, at every move of the cursor or on saving. Then
    there are only answers to a diagnostic: a light bulb that is always on says nothing, and nothing
    is to be sent that nobody chose.
    """
    found: list[Offer] = []
    for name, action in ACTIONS.items():
        if (unasked and action.kind != FIX) or not _is_asked_for(action.kind, only):
            continue
        if (plan := action.plan(scene)) is not None:
            found.append(Offer(name, action.kind, action.title.format(plan.title)))
    return found


def _is_asked_for(kind: str, only: Sequence[str] | None) -> bool:
    if not only:
        return True
    return any(wanted == "" or kind == wanted or kind.startswith(wanted + ".") for wanted in only)
