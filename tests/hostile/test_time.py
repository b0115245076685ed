"""What a service, a gateway or an opened file says takes time by its length, not by its square.

Each text below once took minutes, or would with a careless regular expression; the loop that reads
it serves every other request as well.
"""

import time
from collections.abc import Callable
from typing import Any

import pytest

from providers.auth.redact import Redactor
from providers.dialects.error_body import details, one_line
from providers.dialects.openai_chat import ChatProfile, OpenAiChat
from providers.dialects.retry_after import retry_after, seconds
from providers.stream import processor_for
from providers.types import ReasoningDelta, TextDelta
from tests.contract import chat

SECONDS = 2.0
LONG = 200_000

PAGES = [
    "<title>" + " " * LONG,
    "<title>" * (LONG // 7),
    "<" * LONG,
    "<h1 " * (LONG // 4),
    "<h1>" + "&amp" * (LONG // 4),
    "<!--" * (LONG // 4),
]
WAITS = [
    "wait " + " " * LONG,
    "try again in " + "1 s " * (LONG // 4) + "x",
    "retry after " + "1h" * (LONG // 2),
    "try again in " + "9" * LONG,
    "retry " * (LONG // 6),
    "try again in 1" + " " * LONG + "x",
]


def within(work: Callable[[], Any]) -> Any:
    began = time.monotonic()
    result = work()
    assert time.monotonic() - began < SECONDS
    return result


@pytest.mark.parametrize("page", PAGES, ids=[page[:9] for page in PAGES])
def test_a_page_in_place_of_an_answer(page: str) -> None:
    assert len(within(lambda: one_line(page))) <= 600
    error = within(lambda: OpenAiChat().read_error(502, {}, page.encode()))
    assert error.kind == "server"


@pytest.mark.parametrize("text", WAITS, ids=[text[:14] for text in WAITS])
def test_the_wording_of_a_wait(text: str) -> None:
    within(lambda: retry_after({}, None, text))
    within(lambda: seconds(text))
    within(lambda: retry_after({"retry-after": text, "retry-after-ms": text}))


@pytest.mark.parametrize(
    "value",
    [
        {"error": {"details": [{"reason": str(i)} for i in range(LONG // 4)]}},
        {"error": {"message": "m" * LONG, "code": "9" * LONG, "type": "²"}},
        {"detail": [{"loc": list(range(1000)), "msg": "m"} for _ in range(200)]},
        {"error": {"code": "²", "status": "٤٢٩", "type": 10**20}},
    ],
    ids=range(4),
)
def test_an_error_document(value: Any) -> None:
    found = within(lambda: details(value))
    assert len(found.message) <= 2000 and len(found.names) <= 32


@pytest.mark.parametrize("field", ["message", "detail", "raw", "error"])
def test_an_error_document_nested_as_deeply_as_json_may_be(field: str) -> None:
    value: Any = {"message": "the innermost"}
    for _ in range(400):
        value = {"error": {"metadata": {"raw": value}}} if field == "raw" else {field: [value]}
    within(lambda: details(value))


def think(pieces: list[str]) -> tuple[str, str]:
    processor = processor_for(OpenAiChat(ChatProfile(think_tags=True)))
    tokens = [token for piece in pieces for token in processor.feed(chat.delta(piece))]
    tokens += processor.feed(chat.END) + processor.end()
    said = "".join(token.text for token in tokens if isinstance(token, TextDelta))
    thought = "".join(token.text for token in tokens if isinstance(token, ReasoningDelta))
    return said, thought


@pytest.mark.parametrize("inside", ["", "<think>"])
def test_tags_with_many_spaces(inside: str) -> None:
    spaces = "<" + " " * LONG
    said, thought = within(lambda: think([inside, spaces, "x"]))
    assert said + thought == spaces + "x"
    many = ["<", *[" "] * 2000, "<" * 2000, "x"]
    said, thought = within(lambda: think([inside, *many]))
    assert said + thought == "".join(many)


@pytest.mark.parametrize(
    "text",
    [
        *("Bearer " * 9000, "Bearer" + " " * LONG, "sk-" * 60_000, "eyJ-" * 50_000, "a" * LONG),
        *("=" * LONG, "a://" * 50_000, "a://" + "b" * LONG, "?key=" * 40_000, "hf_" * 60_000),
    ],
    ids=range(10),
)
def test_masking(text: str) -> None:
    within(lambda: Redactor().mask(text))
