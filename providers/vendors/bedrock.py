"""Amazon Bedrock: Converse by default, each family's own payload with `api = "invoke"`.

https://docs.aws.amazon.com/bedrock/latest/APIReference/
"""

import re
from collections.abc import Mapping
from typing import cast

import msgspec

from providers.base import Model, TokenCount
from providers.dialects.base import Dialect
from providers.dialects.bedrock_converse import BedrockConverse, BedrockProfile
from providers.dialects.bedrock_invoke import PAYLOADS, BedrockInvoke
from providers.dialects.bedrock_models import base_model, family, path_of
from providers.errors import (
    InvalidRequest,
    Malformed,
    ModelUnknown,
    NotConfigured,
    Permission,
    ResponseError,
)
from providers.estimate import estimate_tokens
from providers.http.client import HttpResponse
from providers.settings import ProviderSettings
from providers.types import ChatRequest, CompletionRequest, Message, Text
from providers.vendors.aws_account import AwsProvider, suffix
from providers.vendors.context import ProviderContext

EVENT_STREAM = "application/vnd.amazon.eventstream"
TOOL_STREAMING = "fine-grained-tool-streaming-2025-05-14"

_GUARDRAIL_HEADERS = {
    "guardrailIdentifier": "x-amzn-bedrock-guardrailidentifier",
    "guardrailVersion": "x-amzn-bedrock-guardrailversion",
    "trace": "x-amzn-bedrock-trace",
}
"""InvokeModel takes as headers what Converse takes as `guardrailConfig`."""

_ON_DEMAND = re.compile(r"on-demand throughput isn.t supported", re.IGNORECASE)


_CONVERSATIONS_KEPT = 64


class Conversations:
    """How long each conversation was when it was last asked about, by how it begins.

    Cache points have to stand where they stood before to be read again. Only a hash of the first
    message is kept.
    """

    def __init__(self) -> None:
        self._lengths: dict[int, tuple[int, int]] = {}  # the last length, and the one before it

    def before(self, request: ChatRequest | CompletionRequest) -> int:
        """Return the length before this request, and note this one's; 0 where there is none."""
        if not isinstance(request, ChatRequest) or not (request.cache and request.messages):
            return 0
        first = request.messages[0]
        texts = tuple(part.text for part in first.content if isinstance(part, Text))
        key, length = hash((first.role, texts)), len(request.messages)
        last, former = self._lengths.pop(key, (0, 0))
        if length != last:  # the same again is another attempt
            last, former = length, last
        while len(self._lengths) >= _CONVERSATIONS_KEPT:
            del self._lengths[next(iter(self._lengths))]
        self._lengths[key] = last, former
        return former if former < length else 0


class _Counted(msgspec.Struct):
    input_tokens: int = msgspec.field(name="inputTokens")


class Bedrock(AwsProvider):
    """`betas` go to Claude with every stream; guardrails come as `providerOptions`."""

    kind = "bedrock"
    default_model = "anthropic.claude-sonnet-4-5-20250929-v1:0"

    def __init__(self, name: str, settings: ProviderSettings, context: ProviderContext) -> None:
        super().__init__(name, settings, context)
        if settings.api not in (None, "converse", "invoke"):
            raise NotConfigured(
                f'providers.{name}.api: expected "converse" or "invoke", got "{settings.api}"'
            )
        self._invoke = settings.api == "invoke"
        self._asked = Conversations()

    def origin(self, region: str) -> str:
        return f"https://bedrock-runtime.{region}.{suffix(region)}"

    def dialect_for(self, request: ChatRequest | CompletionRequest) -> Dialect:
        known = self.context.catalog.find(self.kind, request.model, self.name)
        profile = BedrockProfile(
            max_output_tokens=known.max_output_tokens if known else None,
            context_window=known.context_window if known else None,
            betas=tuple(dict.fromkeys([*(self.settings.betas or []), TOOL_STREAMING])),
            asked_before=self._asked.before(request),
        )
        if self._invokes(request.model):
            return BedrockInvoke(request.model, profile)
        return BedrockConverse(profile)

    def _invokes(self, model: str) -> bool:
        """Return whether the model is asked in its family's payload.

        One whose id does not show a family that is known here (an ARN of a profile, a new maker's)
        goes through Converse, which needs to know none: the service says whether there is one.
        """
        return self._invoke and family(model) in PAYLOADS

    def request_headers(
        self, request: ChatRequest | CompletionRequest, *, stream: bool
    ) -> dict[str, str]:
        headers = {"accept": EVENT_STREAM} if stream else {}
        if not self._invokes(request.model):
            return headers
        if stream:
            headers["x-amzn-bedrock-accept"] = "application/json"
        options = request.provider_options.get("guardrailConfig")
        given = cast("dict[str, object]", options) if isinstance(options, dict) else {}
        for field, name in _GUARDRAIL_HEADERS.items():
            if given.get(field):
                value = str(given[field])
                headers[name] = value.upper() if field == "trace" else value
        return headers

    def body_options(self, request: ChatRequest | CompletionRequest) -> Mapping[str, object]:
        if not self._invokes(request.model):
            return request.provider_options
        return {n: v for n, v in request.provider_options.items() if n != "guardrailConfig"}

    async def probe(self) -> None:
        """List the models; at another address, count a word's tokens, which costs nothing.

        A service that says that it cannot count for this model has answered and taken the key.
        """
        if self.own_host:
            await self.fetch_models()
            return
        try:
            await self._count([Message("user", [Text("a")])], self.model)
        except InvalidRequest:
            return

    async def fetch_models(self) -> list[Model]:
        """Ask the control plane. Another address than AWS's has none: the catalog answers."""
        if not self.own_host:
            return self.context.catalog.models(self.kind, self.name)
        return await self.foundation_models(re.compile(""))

    async def count_tokens(self, messages: list[Message], model: str) -> TokenCount:
        """Ask the service; estimate for a model it cannot count for, or where that is not allowed.

        docs.aws.amazon.com/bedrock: "Monitor your token usage by counting tokens".
        """
        try:
            return TokenCount(await self._count(messages, model), "api")
        except (InvalidRequest, ModelUnknown, Permission):
            return TokenCount(estimate_tokens(messages), "estimate")

    async def _count(self, messages: list[Message], model: str) -> int:
        request = ChatRequest(messages=messages, model=model, cache=False)
        body = BedrockConverse().body(request, stream=False)
        asked = {name: body[name] for name in ("messages", "system", "toolConfig") if name in body}
        path = path_of(base_model(model), "count-tokens")
        answer = await self.post_json(path, {"input": {"converse": asked}})
        try:
            return msgspec.convert(answer, _Counted).input_tokens
        except msgspec.ValidationError as error:
            raise Malformed(f"{self.name}: the count of tokens is not one") from error

    async def _error(self, dialect: Dialect, response: HttpResponse) -> ResponseError:
        """Say what to do about AWS's most frequent refusal."""
        error = await super()._error(dialect, response)
        if _ON_DEMAND.search(error.message):
            error.message += (
                " (put the region's prefix before the model's id, like `us.anthropic.…`, "
                "`eu.anthropic.…` or `global.anthropic.…`)"
            )
            error.args = (error.message,)
        return error
