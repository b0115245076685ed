"""From the providers' types to the editor's: the only place where results and errors are converted.

A handler never builds a JSON-RPC code: `rpc_error` does, from one table.
"""

import asyncio
import math
from typing import Any

import msgspec
from msgspec import UNSET

from protocol import ai
from providers.base import Model
from providers.errors import Attempt, ProviderError
from providers.types import (
    ChatRequest,
    Citation,
    CodeDelta,
    ExecutedCode,
    Image,
    ManagerToken,
    Message,
    Outcome,
    Part,
    ReasoningDelta,
    ReasoningState,
    RetryNotice,
    Started,
    Text,
    TextDelta,
    ToolCallDelta,
    Usage,
)
from sidecar.envelope import INTERNAL_ERROR, REQUEST_CANCELLED, REQUEST_FAILED, RpcError

_encoder = msgspec.json.Encoder()


def encode(value: object) -> bytes:
    """Return `value` as JSON; half a surrogate pair, which UTF-8 cannot carry, becomes U+FFFD."""
    try:
        return _encoder.encode(value)
    except UnicodeEncodeError:
        return _encoder.encode(_without_halves(msgspec.to_builtins(value)))


def _without_halves(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_without_halves(k): _without_halves(v) for k, v in value.items()}  # type: ignore[reportUnknownVariableType]
    if isinstance(value, list):
        return [_without_halves(v) for v in value]  # type: ignore[reportUnknownVariableType]
    return value


# --- errors -----------------------------------------------------------------------------

# The first class that fits decides.
_CODES: tuple[tuple[type[BaseException], int], ...] = (
    (ProviderError, REQUEST_FAILED),
    (asyncio.CancelledError, REQUEST_CANCELLED),
    (Exception, INTERNAL_ERROR),
)
_MESSAGES = {
    REQUEST_CANCELLED: "cancelled",
    INTERNAL_ERROR: "internal error; the log has the details",
}


def rpc_error(error: BaseException) -> RpcError:
    """Return the answer that `error` stands for. Only an error of a provider tells what it says."""
    if isinstance(error, RpcError):
        return error
    code = next(code for kind, code in _CODES if isinstance(error, kind))
    if isinstance(error, ProviderError):
        return RpcError(code, error.message, data=error_data(error))
    return RpcError(code, _MESSAGES[code])


def error_data(error: ProviderError) -> ai.ErrorData:
    """Return the `data` of a failed request."""
    data = _bare_error_data(error)
    if error.partial is not None:
        data.partial = ai.PartialAnswer(error.partial)
    if error.attempts:
        data.attempts = attempts(error.attempts)
    return data


def _bare_error_data(error: ProviderError) -> ai.ErrorData:
    after = error.retry_after
    return ai.ErrorData(
        kind=error.kind,
        retryable=error.retryable,
        provider=error.provider,
        model=error.model or None,
        status=error.status,
        request_id=error.request_id,
        retry_after_ms=None if after is None else math.ceil(after * 1000),
    )


def attempts(made: list[Attempt]) -> list[ai.Attempt]:
    """Return the attempts; an error among them has no attempts of its own."""
    return [
        ai.Attempt(a.provider, a.model, _ms(a.ms), _bare_error_data(a.error) if a.error else None)
        for a in made
    ]


# --- results ----------------------------------------------------------------------------


def result(outcome: Outcome, *, text_was_sent: bool) -> ai.CompletionResult:
    """Return the result; its text is empty if it was all sent as progress."""
    response, timing = outcome.response, outcome.timing
    cost = outcome.cost
    return ai.CompletionResult(
        id=response.id,
        provider=outcome.provider,
        model=outcome.model,
        text="" if text_was_sent else response.text,
        finish_reason=response.finish_reason,
        usage=usage(outcome.usage),
        cost=None if cost is None else ai.Cost(cost.usd, cost.source),
        timing=ai.Timing(_ms(timing.dispatch_ms), _ms(timing.first_token_ms), _ms(timing.total_ms)),
        attempts=attempts(outcome.attempts),
        reasoning=[ai.ReasoningPart(r.text, r.opaque) for r in response.reasoning] or UNSET,
        tool_calls=[ai.ToolCall(c.id, c.name, c.arguments, c.opaque) for c in response.tool_calls]
        or UNSET,
        citations=[ai.CitationItem(c.url, c.title) for c in response.citations] or UNSET,
        code=[ai.CodeItem(c.language, c.code, c.output) for c in response.code] or UNSET,
    )


def model_info(model: Model) -> ai.ModelInfo:
    """Return what the editor is told of a model."""
    has, price = model.features, model.price
    return ai.ModelInfo(
        id=model.id,
        provider=model.provider,
        context_window=model.context_window,
        max_output_tokens=model.max_output_tokens,
        supports=ai.ModelSupports(
            streaming=has.streaming,
            tools=has.tools,
            vision=has.vision,
            reasoning=has.reasoning,
            prompt_cache=has.prompt_cache,
            fim=has.fim,
        ),
        source=model.source,
        price=UNSET
        if price is None
        else ai.ModelPrice(price.input, price.output, price.cache_read, price.cache_write),
    )


def usage(used: Usage) -> ai.Usage:
    """Return the same numbers; a total that the provider does not give is input plus output."""
    return ai.Usage(
        input_tokens=used.input_tokens,
        output_tokens=used.output_tokens,
        cache_read_tokens=used.cache_read_tokens,
        cache_write_tokens=used.cache_write_tokens,
        reasoning_tokens=used.reasoning_tokens,
        total_tokens=used.total_tokens or used.input_tokens + used.output_tokens,
    )


def _ms(value: float) -> float:
    return round(value, 3)


# --- progress values -----------------------------------------------------------------------


def progress_value(token: ManagerToken) -> ai.ProgressValue | None:
    """Return the value that tells the editor of `token`; None for what the result tells."""
    match token:
        case TextDelta(text):
            return ai.TextProgress(text)
        case ReasoningDelta(text, opaque):
            return ai.ReasoningProgress(text, opaque)
        case ToolCallDelta(index, id, name, arguments, opaque):
            return ai.ToolCallProgress(index, id, name, arguments, opaque)
        case Started(id, provider, model):
            return ai.StartProgress(id, provider, model)
        case CodeDelta(language, code, output):
            return ai.CodeProgress(language, code, output)
        case Citation(url, title):
            return ai.CitationProgress(url, title)
        case RetryNotice(provider, model, attempt, wait, error):
            wait_ms = math.ceil(wait * 1000)
            return ai.RetryProgress(provider, model, attempt, wait_ms, _bare_error_data(error))
        case _:
            return None


# --- requests to the editor's own models ------------------------------------------------------


def lm_request(message_id: str, request: ChatRequest) -> ai.LmRequestParams:
    """Return the params of `ai/lm/request`; a system prompt becomes the first message."""
    messages: list[ai.Message] = [ai.SystemMessage(request.system)] if request.system else []
    messages += [_message(message) for message in request.messages]
    tools = () if request.tool_choice == "none" else request.tools
    return ai.LmRequestParams(
        id=message_id,
        messages=messages,
        model=request.model or None,
        tools=[ai.ToolDefinition(t.name, t.parameters, t.description) for t in tools] or None,
        max_tokens=request.max_tokens,
    )


def _message(message: Message) -> ai.Message:
    content = _content(message.content)
    match message.role:
        case "system":
            return ai.SystemMessage(content)
        case "user":
            return ai.UserMessage(content)
        case "tool":
            return ai.ToolMessage(message.tool_call_id or "", content, message.is_error or None)
        case "assistant":
            calls = [ai.ToolCall(c.id, c.name, c.arguments, c.opaque) for c in message.tool_calls]
            # An empty string would be left out as a default, and `content` is not optional.
            return ai.AssistantMessage(content or [], calls or None)


def _content(parts: list[Part]) -> str | list[ai.Part]:
    if len(parts) <= 1 and all(isinstance(part, Text) for part in parts):
        return "".join(part.text for part in parts if isinstance(part, Text))
    return [_part(part) for part in parts]


def _part(part: Part) -> ai.Part:
    match part:
        case Text(text):
            return ai.TextPart(text)
        case Image(mime_type, data, url):
            return ai.ImagePart(mime_type, data, url)
        case ReasoningState(text, opaque):
            return ai.ReasoningPart(text, opaque)
        case ExecutedCode(language, code, output):
            return ai.CodePart(language, code, output)
