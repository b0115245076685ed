"""Google's generateContent, as the Gemini API and Vertex take it.

A pure dialect: no transport, no key (it goes into a header, never into the path). Request, reader
and the rules per model are in the `gemini_*` files beside this one.
"""

from collections.abc import Mapping
from urllib.parse import quote

from providers.dialects.base import Dialect, Reader
from providers.dialects.errors import error_of_answer
from providers.dialects.gemini_reader import GeminiReader, read_answer
from providers.dialects.gemini_request import GeminiProfile, build_body
from providers.errors import ResponseError
from providers.types import ChatRequest, CompletionRequest, StreamToken

__all__ = ["Gemini", "GeminiProfile"]


class Gemini(Dialect):
    """`streamGenerateContent`, as events (`alt=sse`) or as a JSON array, and `generateContent`."""

    def __init__(self, profile: GeminiProfile | None = None) -> None:
        self.profile = profile or GeminiProfile()
        self.framing = "json_array" if self.profile.stream == "json" else "sse"

    def path(self, request: ChatRequest | CompletionRequest, *, stream: bool) -> str:
        profile = self.profile
        model = _resource(request.model, vertex=profile.vertex)
        if profile.vertex and not model.startswith("projects/"):
            model = f"projects/{profile.project}/locations/{profile.location}/{model}"
        method = "generateContent"
        if stream:
            method = "streamGenerateContent" + ("?alt=sse" if self.framing == "sse" else "")
        return f"/{profile.api_version}/{quote(model, safe='/@')}:{method}"

    def body(self, request: ChatRequest | CompletionRequest, *, stream: bool) -> dict[str, object]:
        return build_body(request, self.profile, stream=stream)

    def reader(self) -> Reader:
        return GeminiReader()

    def read_unary(self, body: bytes) -> list[StreamToken]:
        return read_answer(body)

    def read_error(self, status: int, headers: Mapping[str, str], body: bytes) -> ResponseError:
        return error_of_answer(status, headers, body)


def _resource(model: str, *, vertex: bool) -> str:
    """Return a model's resource name: as given, or under `models/`, on Vertex of its publisher."""
    model = model.removesuffix(":thinking")  # our catalog's switch, no part of the name
    if model.startswith(("models/", "tunedModels/", "projects/", "publishers/")):
        return model
    if not vertex:
        return f"models/{model}"
    publisher, slash, name = model.partition("/")
    return f"publishers/{publisher}/models/{name}" if slash else f"publishers/google/models/{model}"
