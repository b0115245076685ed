"""Differences from the recordings that are meant, each with its reason (`docs/parity.md`).

A difference is the name of the case (`provider/case`) and a sentence that begins with its point; a
row of `KNOWN` is a pattern of each, as globs. Rows are rules, not samples: they speak of settings
and formats, not of single recordings.
"""

from fnmatch import fnmatchcase

NO_KEY = "without a key nothing is sent: `Bearer not-provided` would be a secret's place holder"
TRUNCATED = "a stream without its terminal event is cut short, and before text retried"
MALFORMED = "a body that is not the format is an error, and is asked for again"
NOT_SWALLOWED = "an error in a stream is raised with its own kind; before text it is retried"
ONE_POST = "no second POST after an error, and never to another host than the configured one"
RETRY_AFTER = "a retry-after that does not fit is reported at once, not replaced by a shorter wait"
THREE_ATTEMPTS = "every provider has three attempts; the port's Gemini client has one"
REFUSAL = "a refusal is the answer's text as it came, with `finishReason: contentFilter`"
OWN_CALL = "fragments belong to their own tool call; no second call under the item's id"
FOREIGN_STATE = "reasoning state of another provider is dropped, not sent on"
NAMED_TOOL = "the Responses API names a tool by `name`; the port sends a chat's `function`"
READ_TOO = "text and reasoning are read wherever the service puts them"
LAST_EVENT = "a last event that lacks only its empty line is read"
KEPT_ID = "an id of the service's own is kept, not replaced"
XAI_EFFORT = "the Responses API calls it `effort`; the port sends a chat's `reasoning_effort`"
NO_SUMMARY = "no setting for it; `providerOptions` can say `summary: null`"
NO_DROP = "no message is dropped: calls without a signature say that they have none"
SILENT = "a silent tool's result is sent, too"
CONTRACT_XAI = "no `stream_options` to xAI: usage comes unasked (`providers.md`)"

OWN = frozenset(
    {NAMED_TOOL, READ_TOO, LAST_EVENT, KEPT_ID, XAI_EFFORT, NO_SUMMARY, NO_DROP, SILENT}
)
"""Reasons that are ours alone; the others are the specification's or the wire contract's."""

KNOWN: tuple[tuple[str, str, str], ...] = (
    ("*/config__no_key", "path: nothing was sent*", NO_KEY),
    ("*/config__no_key", "error: NotConfigured*", NO_KEY),
    ("openai-native/config__env_api_key_ignored", "*", NO_KEY),
    ("*/stream__truncated_*", "error: Truncated*", TRUNCATED),
    ("*/stream__pplx_think", "error: Truncated*", TRUNCATED),
    ("*/stream__no_trailing_*", "error: Truncated*", TRUNCATED),
    ("*/stream__no_trailing_*", "text: *", LAST_EVENT),
    ("*/stream__empty_body", "*", TRUNCATED),
    ("gemini/stream__no_candidates", "*", TRUNCATED),
    ("*/complete__no_choices", "error: Malformed*", MALFORMED),
    ("*/complete__no_choices", "requests: 3 for 1", MALFORMED),
    ("*/complete__no_choices", "waits: *", MALFORMED),
    ("*/stream__json_instead", "*", MALFORMED),
    ("*/stream__json_array", "*", MALFORMED),
    ("*/stream__bad_json", "error: Malformed*", MALFORMED),
    ("*/stream__bad_json", "requests: *", ONE_POST),
    ("*/stream__*error*", "error: RateLimited*", NOT_SWALLOWED),
    ("*/stream__*error*", "error: Overloaded*", NOT_SWALLOWED),
    ("*/stream__failed*", "error: ServerFailed*", NOT_SWALLOWED),
    ("*/stream__*error*", "requests: 3 for *", NOT_SWALLOWED),
    ("*/stream__*error*", "waits: *", NOT_SWALLOWED),
    ("*/stream__failed*", "requests: 3 for *", NOT_SWALLOWED),
    ("*/stream__failed*", "waits: *", NOT_SWALLOWED),
    ("*/complete__error_in_200", "requests: 3 for 1", NOT_SWALLOWED),
    ("*/complete__error_in_200", "waits: *", NOT_SWALLOWED),
    ("openai-native/fallback__*", "*", ONE_POST),
    ("openai-native/config__env_base_url_fallback", "*", ONE_POST),
    ("openai-native/retry__400_then_ok", "*", ONE_POST),
    ("openai-native/retry__500x3_then_ok", "*", ONE_POST),
    ("openai-native/error__429_retry_after_long", "*", RETRY_AFTER),
    ("openai-native/error__*", "requests: 1 for 2", ONE_POST),
    ("openai-native/error__*", "requests: 3 for 4", ONE_POST),
    ("openai-native/network__*", "requests: 3 for 4", ONE_POST),
    ("*/error__429_retry_after_long*", "requests: 1 for 3", RETRY_AFTER),
    ("*/error__429_retry_after_long*", "waits: *", RETRY_AFTER),
    ("gemini/*", "requests: 3 for 1", THREE_ATTEMPTS),
    ("gemini/*", "waits: *", THREE_ATTEMPTS),
    ("*/stream__refusal*", "text: *", REFUSAL),
    ("*", "calls: *call_A*", OWN_CALL),
    ("gemini/*_with_id*", "calls: *", KEPT_ID),
    ("xai*/request__reasoning_history", "body: *", FOREIGN_STATE),
    ("fireworks/request__reasoning_history", "body: messages*", FOREIGN_STATE),
    ("sambanova/request__reasoning_history", "body: messages*", FOREIGN_STATE),
    ("baseten/request__reasoning_history", "body: messages*", FOREIGN_STATE),
    ("zai/request__reasoning_history", "body: messages*", FOREIGN_STATE),
    ("groq/request__reasoning_history", "body: messages*", FOREIGN_STATE),
    ("azure/request__reasoning_history", "body: messages*", FOREIGN_STATE),
    ("*/request__tools_named", "body: tool_choice*", NAMED_TOOL),
    ("xai-chat-v3.45/*", "body: stream_options: null*", CONTRACT_XAI),
    (
        "xai/*",
        'body: reasoning: {"effort": *',
        XAI_EFFORT,
    ),
    ("xai/request__reasoning_item", "*", "the port crashes on a reasoning item of its own"),
    ("xai/stream__*", "text: *", READ_TOO),
    ("*/stream__reasoning*", "reasoning: *", READ_TOO),
    (
        "azure/config__bare_resource_url",
        "path: *",
        "a bare resource address gets `/openai`, without which Azure answers 404",
    ),
    ("openai/config__no_model", "body: *", "without a model the provider's default answers"),
    (
        "openai-native/config__no_summary",
        "body: reasoning*",
        NO_SUMMARY,
    ),
    (
        "openai-native/request__tool_history",
        "body: input*",
        "our requests have the results of tools before the user's text",
    ),
    (
        "openrouter/config__gemini_tool_history",
        "body: messages*",
        NO_DROP,
    ),
    ("gemini/*grounding*", "text: *", "sources are citations, not text"),
    ("gemini/request__tool_history", "body: contents*", SILENT),
    ("gemini/stream__*", "error: an answer for *Incomplete JSON segment*", "SSE by the standard"),
)


def reason_of(case: str, difference: str) -> str | None:
    """Return why this is meant; None if it is not."""
    return next(
        (
            why
            for cases, points, why in KNOWN
            if fnmatchcase(case, cases) and fnmatchcase(difference, points.replace("[", "[[]"))
        ),
        None,
    )
