"""Bedrock's `InvokeModel`: each family's own payload, chosen by the model's id.

A pure dialect: no transport, no signature. One small module per family; the chunks around the
payload of a stream are `payload.InvokeReader`'s.
"""

from collections.abc import Callable, Mapping

from providers.dialects.base import Dialect, Reader
from providers.dialects.bedrock_invoke.ai21 import ai21
from providers.dialects.bedrock_invoke.claude import Claude
from providers.dialects.bedrock_invoke.cohere import cohere
from providers.dialects.bedrock_invoke.llama import Llama
from providers.dialects.bedrock_invoke.mistral import mistral
from providers.dialects.bedrock_invoke.nova import Nova
from providers.dialects.bedrock_invoke.openai_like import OpenAiLike
from providers.dialects.bedrock_invoke.payload import InvokeReader, Payload
from providers.dialects.bedrock_invoke.titan import Titan
from providers.dialects.bedrock_models import Family, base_model, family, path_of
from providers.dialects.bedrock_request import BedrockProfile
from providers.dialects.errors import error_of_answer
from providers.errors import ResponseError, Unsupported
from providers.types import ChatRequest, CompletionRequest, StreamToken

__all__ = ["BedrockInvoke", "BedrockProfile", "payload_of"]

PAYLOADS: dict[Family, Callable[[str], Payload]] = {
    "claude": lambda _: Claude(),
    "nova": lambda _: Nova(),
    "titan": lambda _: Titan(),
    "llama": lambda _: Llama(),
    "mistral": mistral,
    "cohere": cohere,
    "ai21": ai21,
    "openai": lambda _: OpenAiLike(),
}
"""One line per family: from a model's own id to its payload."""


def payload_of(model: str) -> Payload:
    """Return the payload of `model`. Raises `Unsupported` where its id does not show the family."""
    kind = family(model)
    if kind not in PAYLOADS:
        raise Unsupported(
            f"`model`: the payload of {model} is not known here; `api = converse` needs none"
        )
    return PAYLOADS[kind](base_model(model))


class BedrockInvoke(Dialect):
    """`POST /model/{id}/invoke-with-response-stream` and `/invoke`, for one model.

    A model of an unknown family is refused by `body`, `reader` and `read_unary` with `Unsupported`.
    """

    framing = "eventstream"

    def __init__(self, model: str, profile: BedrockProfile | None = None) -> None:
        self.model = model
        self.profile = profile or BedrockProfile()

    @property
    def payload(self) -> Payload:
        return payload_of(self.model)

    def path(self, request: ChatRequest | CompletionRequest, *, stream: bool) -> str:
        return path_of(request.model, "invoke-with-response-stream" if stream else "invoke")

    def body(self, request: ChatRequest | CompletionRequest, *, stream: bool) -> dict[str, object]:
        if isinstance(request, CompletionRequest):
            if request.suffix is not None:
                raise Unsupported("`suffix`: no model here fills in the middle of a text")
            request = request.to_chat()
            request.cache = False  # a lone prompt is not sent again
        return self.payload.body(request, self.profile, stream=stream)

    def reader(self) -> Reader:
        return InvokeReader(self.payload.reader())

    def read_unary(self, body: bytes) -> list[StreamToken]:
        return self.payload.read_unary(body)

    def read_error(self, status: int, headers: Mapping[str, str], body: bytes) -> ResponseError:
        return error_of_answer(status, headers, body)
