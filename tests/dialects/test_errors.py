"""Which error an answer is: by status first, then by the services' own codes and wording.

The bodies are of the shapes that the services document or were seen to send.
"""

import json
from typing import Any

import pytest

from providers.dialects.errors import classify, error_of_answer, error_of_event
from providers.errors import ServerFailed


def answer(status: int, body: Any, **headers: str) -> Any:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return error_of_answer(status, named, data, clock=lambda: 1_700_000_000.0)


def openai(message: str, code: Any = None, type: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": type, "param": None, "code": code}}


def google(code: int, message: str, status: str, *details: Any) -> dict[str, Any]:
    error = {"code": code, "message": message, "status": status, "details": list(details)}
    return {"error": error}


def anthropic(message: str, type: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": type, "message": message}, "request_id": "req_1"}


@pytest.mark.parametrize(
    ("status", "kind", "retryable"),
    [
        (400, "invalidRequest", False),
        (401, "authentication", False),
        (402, "quota", False),
        (403, "permission", False),
        (404, "invalidRequest", False),
        (405, "invalidRequest", False),
        (408, "timeout", True),
        (409, "invalidRequest", True),
        (413, "invalidRequest", False),
        (422, "invalidRequest", False),
        (429, "rateLimit", True),
        (500, "server", True),
        (502, "server", True),
        (503, "overloaded", True),
        (504, "server", True),
        (520, "server", True),
        (529, "overloaded", True),
    ],
)
@pytest.mark.parametrize("body", [b"", b"{}", b"plain text", openai("Something happened.")])
def test_the_status_decides(status: int, kind: str, retryable: bool, body: Any) -> None:
    error = answer(status, body)
    assert (error.kind, error.retryable, error.status) == (kind, retryable, status)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        # OpenAI and Azure
        (429, openai("You exceeded your current quota", "insufficient_quota"), "quota"),
        (429, openai("You exceeded your current quota, please check your plan."), "quota"),
        (429, openai("Rate limit reached for gpt-4o in organization org-x on tokens per min (TPM): "
                     "Limit 30000, Used 29000, Requested 2000. Please try again in 2s. Visit "
                     "https://platform.openai.com/account/billing.", "rate_limit_exceeded"),
         "rateLimit"),
        (400, openai("This model's maximum context length is 8192 tokens.",
                     "context_length_exceeded"), "contextLength"),
        (400, openai("This model's maximum context length is 8192 tokens. However, you requested "
                     "9000 tokens (8000 in the messages, 1000 in the completion). Please reduce the"
                     " length of the messages or completion."), "contextLength"),
        (400, openai("Your input exceeds the context window of this model."), "contextLength"),
        (400, openai("max_tokens is too large: 100000. This model supports at most 16384 completion"
                     " tokens, whereas you provided 100000.", "invalid_value"), "invalidRequest"),
        (400, openai("Invalid prompt: your prompt was flagged as potentially violating our usage "
                     "policy.", "invalid_prompt"), "contentFilter"),
        (400, {"error": {"message": "The response was filtered", "code": "content_filter",
                         "innererror": {"code": "ResponsibleAIPolicyViolation"}}}, "contentFilter"),
        (400, {"error": {"message": "Filtered.", "code": "BadRequest",
                         "innererror": {"code": "ResponsibleAIPolicyViolation"}}}, "contentFilter"),
        (404, {"error": {"code": "DeploymentNotFound", "message": "The API deployment for this "
                         "resource does not exist."}}, "modelNotFound"),
        (404, {"error": {"code": "404", "message": "Resource not found"}}, "invalidRequest"),
        (404, openai("The model `x` does not exist or you do not have access to it.",
                     "model_not_found"), "modelNotFound"),
        (400, openai("The requested model 'gpt-5.2-proo' does not exist."), "modelNotFound"),
        (404, openai("This is a chat model and not supported in the v1/completions endpoint."),
         "invalidRequest"),
        (400, openai("Unsupported parameter: 'temperature' is not supported with this model."),
         "invalidRequest"),
        (429, openai("Requests to the model have exceeded the token rate limit of your tier. Please"
                     " reduce the length of the prompt or try again later."), "rateLimit"),
        (403, openai("The model `x` does not exist or you do not have access to it."),
         "permission"),
        # Those that serve other makers' models
        (400, openai("Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4097."),
         "contextLength"),
        (422, openai("Input validation error: `inputs` must have less than 1024 tokens."),
         "contextLength"),
        (400, openai("Your request exceeded model token limit: 8192"), "contextLength"),
        (400, openai("Range of input length should be [1, 30720]"), "contextLength"),
        (400, openai("Content Exists Risk"), "contentFilter"),
        (403, openai("Your newly created team doesn't have any credits or licenses yet."), "quota"),
        (429, openai("You have exceeded your monthly included credits."), "quota"),
        (404, {"message": "Could not resolve the foundation model from the provided model "
                          "identifier."}, "modelNotFound"),
        # Anthropic
        (400, anthropic("prompt is too long: 3333404 tokens > 200000 maximum",
                        "invalid_request_error"), "contextLength"),
        (400, anthropic("input length and `max_tokens` exceed context limit: 190000 + 20000 > "
                        "200000, decrease input length or `max_tokens`", "invalid_request_error"),
         "contextLength"),
        (400, anthropic("Your credit balance is too low to access the Anthropic API.",
                        "invalid_request_error"), "quota"),
        (400, anthropic("max_tokens: 100000 > 64000, which is the maximum allowed number of output "
                        "tokens for claude", "invalid_request_error"), "invalidRequest"),
        (404, anthropic("model: claude-nope", "not_found_error"), "modelNotFound"),
        (413, anthropic("Request exceeds the maximum size", "request_too_large"), "invalidRequest"),
        (529, anthropic("Overloaded", "overloaded_error"), "overloaded"),
        # Google
        (400, google(400, "API key not valid. Please pass a valid API key.", "INVALID_ARGUMENT",
                     {"reason": "API_KEY_INVALID"}), "authentication"),
        (400, [google(400, "API key expired. Please renew the API key.", "INVALID_ARGUMENT")],
         "authentication"),
        (400, google(400, "The input token count (1100000) exceeds the maximum number of tokens "
                     "allowed (1048576).", "INVALID_ARGUMENT"), "contextLength"),
        (429, google(429, "You exceeded your current quota, please check your plan and billing "
                     "details.", "RESOURCE_EXHAUSTED",
                     {"violations": [{"quotaId": "GenerateRequestsPerMinutePerProject"}]}),
         "rateLimit"),
        (429, google(429, "You exceeded your current quota, please check your plan and billing "
                     "details.", "RESOURCE_EXHAUSTED",
                     {"violations": [{"quotaId": "GenerateRequestsPerDayPerProject"}]}), "quota"),
        (404, google(404, "models/nope is not found for API version v1beta", "NOT_FOUND"),
         "modelNotFound"),
        (404, google(404, "Publisher Model `projects/p/models/x-1.5` not found.", "NOT_FOUND"),
         "modelNotFound"),
        (503, google(503, "The model is overloaded.", "UNAVAILABLE"), "overloaded"),
        # Bedrock
        (400, {"message": "Input is too long for requested model."}, "contextLength"),
        (400, {"message": "The model returned the following errors: Input Tokens Exceeded: Number "
               "of input tokens exceeds maximum length."}, "contextLength"),
        (400, {"message": "The provided model identifier is invalid."}, "modelNotFound"),
        (429, {"message": "Too many tokens, please wait before trying again."}, "rateLimit"),
        (403, {"message": "The security token included in the request is expired"}, "permission"),
        # The others
        (400, {"code": "invalid-argument", "error": "Incorrect API key provided."},
         "authentication"),
        (401, {"detail": "Invalid API Key"}, "authentication"),
        (422, {"object": "error", "message": {"detail": [{"loc": ["body", "messages"],
               "msg": "Field required"}]}, "type": "invalid_request_error"}, "invalidRequest"),
        (402, openai("Insufficient Balance", "invalid_request_error"), "quota"),
        (429, openai("Insufficient balance or no resource package.", "1113"), "quota"),
        (400, openai("the request exceeds the available context size, try increasing it",
                     400, "exceed_context_size_error"), "contextLength"),
        (400, openai("The total length of all messages is too long.", 400,
                     "too_many_prompt_tokens"), "contextLength"),
        (400, {"object": "error", "message": "This model's maximum context length is 4096 tokens.",
               "type": "BadRequestError", "code": 400}, "contextLength"),
        (400, openai("`max_tokens` must be less than or equal to `8192`, the maximum value for "
                     "`max_tokens` is less than the `context_window` for this model"),
         "invalidRequest"),
        (403, openai("Your chosen model requires moderation and your input was flagged for x", 403),
         "contentFilter"),
        (404, {"error": "model 'nope' not found"}, "modelNotFound"),
        (404, {"error": "model \"nope\" not found, try pulling it first"}, "modelNotFound"),
        (400, openai("Failed to call a function.", "tool_use_failed", "invalid_request_error"),
         "invalidRequest"),
        (400, {"success": False, "errors": [{"code": 7003, "message": "No route"}]},
         "invalidRequest"),
    ],
)  # fmt: skip
def test_codes_and_wording_tell_apart_what_the_status_does_not(
    status: int, body: Any, kind: str
) -> None:
    assert answer(status, body).kind == kind


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (openai("Bad thing."), "Bad thing."),
        ({"error": "plain"}, "plain"),
        ({"error": "Unauthorized", "message": "no key"}, "Unauthorized: no key"),
        ({"detail": [{"loc": ["body", "n"], "msg": "field required"}]}, "body.n: field required"),
        ([{"error": {"message": "in array"}}], "in array"),
        (
            b"<html>\r\n<head><title>502 Bad\n Gateway</title></head><body>x</body></html>",
            "HTTP 418: 502 Bad Gateway (an HTML page)",
        ),
        (b"<html><body><p>Oh &amp; no</p></body></html>", "HTTP 418: Oh & no (an HTML page)"),
        (b"upstream\nconnect  error", "HTTP 418: upstream connect error"),
        (b"", "HTTP 418 without an explanation"),
        (b"\xff\xfe", "HTTP 418: \ufffd\ufffd"),
        (rb'{"error":{"message":"half \ud83d"}}', "half \ufffd"),
    ],
)
def test_the_message_is_the_services_own(body: Any, message: str) -> None:
    assert answer(418, body).message == message


def test_a_long_message_is_cut() -> None:
    assert len(answer(400, openai("x" * 10_000)).message) == 2000
    assert len(answer(500, b"x" * 10_000).message) < 600


def test_what_openrouter_passes_on_is_read() -> None:
    raw = json.dumps({"type": "error", "error": {"message": "Tool names must be unique."}})
    metadata = {"raw": raw, "provider_name": "Anthropic"}
    body = {"error": {"message": "Provider returned error", "code": 400, "metadata": metadata}}
    error = answer(400, body)
    assert error.message == "Provider returned error: Anthropic: Tool names must be unique."
    metadata["raw"] = "plain upstream text"
    assert answer(400, body).message == "Provider returned error: Anthropic: plain upstream text"


@pytest.mark.parametrize(
    ("event", "kind", "status"),
    [
        ({"error": {"message": "m", "type": "overloaded_error", "code": 529}}, "overloaded", 529),
        ({"error": {"message": "m", "code": "rate_limit_exceeded"}}, "rateLimit", None),
        ({"error": {"message": "m", "type": "server_error"}}, "server", None),
        ({"error": {"message": "m", "type": "insufficient_quota"}}, "quota", None),
        ({"error": {"message": "m", "type": "invalid_request_error"}}, "invalidRequest", None),
        ({"error": {"message": "Token limit reached", "code": 400}}, "invalidRequest", 400),
        ({"error": {"message": "Rate limited", "code": 429}}, "rateLimit", 429),
        ({"error": {"message": "m", "code": 502, "metadata": {}}}, "server", 502),
        ({"type": "error", "code": "rate_limit_exceeded", "message": "m"}, "rateLimit", None),
        (anthropic("Overloaded", "overloaded_error"), "overloaded", None),
        ({"error": {"message": "prompt is too long", "type": "invalid_request_error"}},
         "contextLength", None),
        ({"error": "something odd"}, "server", None),
        ({"code": "invalid_prompt", "message": "m"}, "invalidRequest", None),
        ({"code": "invalid_prompt", "message": "flagged as potentially violating our usage policy"},
         "contentFilter", None),
        ({"code": "image_content_policy_violation", "message": "m"}, "contentFilter", None),
        ({"code": "vector_store_timeout", "message": "m"}, "timeout", None),
        # Groq: its flex tier is full, in a stream by code or by the status that it gives
        ({"error": {"message": "m", "type": "over_capacity"}}, "overloaded", None),
        ({"error": {"message": "m", "code": "over_capacity", "status_code": 498}}, "overloaded",
         498),
        ({"message": "slow", "__type": "com.amazon#ThrottlingException"}, "rateLimit", None),
    ],
)  # fmt: skip
def test_error_events_keep_their_own_kind(event: Any, kind: str, status: int | None) -> None:
    error = error_of_event(event)
    assert (error.kind, error.status) == (kind, status)


@pytest.mark.parametrize(
    "code",
    [
        "invalid_image",
        "invalid_image_format",
        "invalid_base64_image",
        "invalid_image_url",
        "image_too_large",
        "image_too_small",
        "image_parse_error",
        "invalid_image_mode",
        "image_file_too_large",
        "unsupported_image_media_type",
        "empty_image_file",
        "failed_to_download_image",
        "image_file_not_found",
    ],
)
def test_an_image_that_is_refused_is_not_sent_again(code: str) -> None:
    error = error_of_event({"code": code, "message": "The image cannot be used."})
    assert (error.kind, error.retryable) == ("invalidRequest", False)


@pytest.mark.parametrize(
    ("body", "kind", "retryable"),
    [
        (openai("Try again later", "capacity_exceeded"), "overloaded", True),
        (openai("Flex tier capacity exceeded, please try again later"), "overloaded", True),
        (openai("Token expired"), "invalidRequest", False),
    ],
)
def test_a_full_flex_tier_is_told_apart(body: Any, kind: str, retryable: bool) -> None:
    error = answer(498, body)
    assert (error.kind, error.retryable, error.status) == (kind, retryable, 498)


def test_names_of_aws_come_in_a_header() -> None:
    error = answer(400, {"message": "slow"}, x_amzn_errortype="ServiceQuotaExceededException:http:")
    assert error.kind == "quota"


def test_the_request_id_is_found() -> None:
    assert answer(500, b"", x_request_id="r1").request_id == "r1"
    assert answer(400, b"{}", x_amzn_requestid="r2").request_id == "r2"
    assert answer(400, anthropic("m", "x")).request_id == "req_1"


def test_classify_with_nothing_known() -> None:
    error = classify(None, "")
    assert type(error) is ServerFailed
    assert error.message


def test_a_service_that_says_not_to_ask_again_is_heard() -> None:
    body = b'{"error":{"type":"rate_limit_error","message":"no"}}'
    assert error_of_answer(429, {}, body).retryable
    assert error_of_answer(429, {"x-should-retry": "true"}, body).retryable
    assert not error_of_answer(429, {"x-should-retry": "false"}, body).retryable
