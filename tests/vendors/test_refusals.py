"""What a provider cannot carry is refused before anything is sent, by the field's name."""

import re

import pytest

from providers.errors import Unsupported
from providers.manager import Target
from providers.policy.retry import may_fail_over
from providers.registry import KINDS
from tests.tidy.test_provider_pages import PAGES
from tests.vendors.talk import talk

CALLED = {
    "images": "messages",
    "image URLs": "messages",
    "JSON": "responseFormat",
    "JSON Schema": "responseFormat",
    "FIM": "suffix",
}
"""What the table's words are called in a request."""

FACTS = {kind: PAGES.facts_of(kind) for kind in KINDS}
CASES = [
    pytest.param(kind, field, id=f"{kind}-{field.name}")
    for kind, facts in FACTS.items()
    for field in PAGES.FIELDS
    if kind != "vscode-lm"  # needs an editor: see its own tests
    if kind != "local"  # refuses for the embedded model alone: see its own tests
    if facts.fields[field.name] == PAGES.REFUSED
]


def test_there_are_refusals() -> None:
    assert len(CASES) > 30


@pytest.mark.asyncio
@pytest.mark.parametrize(("kind", "field"), CASES)
async def test_a_refusal_names_the_field_and_sends_nothing(kind: str, field) -> None:
    settings = PAGES.SERVICES[kind].get("settings", {})
    model = FACTS[kind].provider.model or "m"
    table = {name: value for name, value in settings.items() if name != "baseUrl"}
    if kind == "vertex":
        table["accessToken"] = "t"
    async with talk(kind, **table) as it:
        run = it.manager.stream(field.having(model), Target(kind, model))
        with pytest.raises(Unsupported) as refused:
            async for _ in run:
                pass
        assert it.server.requests == []
    error = refused.value
    assert (error.kind, error.retryable, error.provider) == ("invalidRequest", False, kind)
    named = CALLED.get(field.name, field.name)
    if kind == "claude-code" and named == "toolChoice":
        named = "tools"  # the choice would be no better without them
    assert re.match(rf"`?{named}`?: \S", error.message), error.message


def test_nobody_else_is_asked_instead() -> None:
    """A refusal is the request's fault: another provider might do something else with it."""
    assert not may_fail_over(Unsupported("seed: none"), larger_window=True)
