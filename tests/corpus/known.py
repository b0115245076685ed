"""Recorded answers that we read differently, each with the reason why that is right.

The key is how the row's id begins.
"""

from tests.corpus.formats import Row

GATEWAY_CHAT = "a gateway answers another path with a chat completion; its text is read"
DETAILS = "reasoning comes in reasoning_details only; the recording looks at `reasoning` alone"

KNOWN: dict[str, str] = {
    "Arize-ai.openinference__tests-cassettes-test-async-prompt-template": GATEWAY_CHAT,
    "Arize-ai.openinference__tests-cassettes-test-prompt-template": GATEWAY_CHAT,
    "vercel.ai__src-fixtures-azure-deepseek-reasoning-1": GATEWAY_CHAT,
    "crmne.ruby_llm__-gpt-5-2-searches-transparently": DETAILS,
    "pydantic.pydantic-ai__cassettes-test-snowflake-test-snowflake-thinking": DETAILS,
    "vercel.ai__src-fixtures-anthropic-programmatic-tool-calling-1-0-be11e744": (
        "fifteen answers in one recording, which tells of the last; a stream ends with its first "
        "`message_stop`"
    ),
    "traceloop.openllmetry__settes-test-completions-test-writer-async-streaming": (
        "Writer's own old format under a Completions path: no field of it is of this format, and "
        "without a terminal event it counts as cut short"
    ),
}


def reason_of(row: Row) -> str | None:
    """Return why `row` is read differently; None if it should not be."""
    return next((why for start, why in KNOWN.items() if row["id"].startswith(start)), None)
