"""Google Vertex AI: Gemini and Claude, by the model's name.

https://cloud.google.com/vertex-ai/generative-ai/docs/reference/rest
"""

import re
from collections.abc import Mapping
from weakref import WeakKeyDictionary

import msgspec

from providers.auth.cloud import GoogleCredentials, GoogleGrant
from providers.base import Model, TokenCount
from providers.dialects.anthropic_messages import AnthropicMessages, AnthropicProfile
from providers.dialects.base import Dialect
from providers.dialects.gemini import Gemini, GeminiProfile
from providers.errors import Authentication, Malformed, NotConfigured, ResponseError
from providers.http.client import HttpResponse
from providers.http.plain import check_plain_http
from providers.settings import Key, ProviderSettings
from providers.types import ChatRequest, CompletionRequest, Message, Text
from providers.vendors.base import HttpProvider
from providers.vendors.context import ProviderContext
from providers.vendors.deadline import within

DEFAULT_LOCATION = "global"
"""What Google's own SDK takes where none is named."""

PLACE = re.compile("[a-z0-9-]+")
"""A location becomes part of the host that gets the token: whatever names it, it has this shape."""

_MULTI_REGIONS = frozenset({"us", "eu"})
_UNKNOWN_PROJECT = "-"


class _GeminiCount(msgspec.Struct):
    total_tokens: int = msgspec.field(name="totalTokens", default=0)


class _ClaudeCount(msgspec.Struct):
    input_tokens: int


class _Published(msgspec.Struct):
    name: str


class _PublishedModels(msgspec.Struct):
    models: list[_Published] = msgspec.field(
        name="publisherModels", default_factory=list[_Published]
    )


class Vertex(HttpProvider):
    """`accessToken` stands in for Application Default Credentials. Without `project`, theirs."""

    kind = "vertex"
    default_model = "claude-sonnet-4-5@20250929"
    needs_key = False

    def __init__(self, name: str, settings: ProviderSettings, context: ProviderContext) -> None:
        super().__init__(name, settings, context)
        environ = context.environ
        self.location = (
            settings.location
            or environ.get("GOOGLE_CLOUD_LOCATION")
            or environ.get("GOOGLE_CLOUD_REGION")
            or DEFAULT_LOCATION
        )
        if not PLACE.fullmatch(self.location):
            raise NotConfigured(f"GOOGLE_CLOUD_LOCATION: expected {PLACE.pattern}", provider=name)
        self.project = settings.project or environ.get("GOOGLE_CLOUD_PROJECT") or ""
        if not self.base_url:
            self.base_url = f"https://{host_of(self.location)}"
        own = any(header.lower() == "authorization" for header in settings.headers)
        self._asks = not self.key_pool.configured and not own
        self.credentials = GoogleCredentials(environ=environ, http=context.http, provider=name)
        self._refused: WeakKeyDictionary[ResponseError, GoogleGrant | None] = WeakKeyDictionary()

    def key_setting(self) -> Key | None:
        return self.settings.access_token

    def key_source(self) -> str | None:
        return self.key_pool.describe() or self.credentials.describe()

    def auth_headers(self, key: str) -> dict[str, str]:
        return {"authorization": f"Bearer {key}"} if key else {}

    def dialect_for(self, request: ChatRequest | CompletionRequest) -> Dialect:
        known = self.context.catalog.find(self.kind, request.model, self.name)
        if is_claude(request.model):
            return AnthropicMessages(
                AnthropicProfile(
                    variant="vertex",
                    max_output_tokens=known.max_output_tokens if known else None,
                    path_prefix=f"/v1/{self._place()}/publishers/anthropic/models",
                )
            )
        settings = self.settings
        return Gemini(
            GeminiProfile(
                stream=settings.stream or "sse",
                api_version=settings.api_version or "v1beta1",
                safety_settings=settings.safety_settings,
                project=self.project or _UNKNOWN_PROJECT,
                location=self.location,
            )
        )

    def request_headers(
        self, request: ChatRequest | CompletionRequest, *, stream: bool
    ) -> dict[str, str]:
        betas = self.settings.betas
        return {"anthropic-beta": ",".join(betas)} if betas and is_claude(request.model) else {}

    def _as_asked(self, request: CompletionRequest) -> ChatRequest | CompletionRequest:
        """On Vertex the port has a lone prompt cached, too."""
        asked = super()._as_asked(request)
        asked.cache = request.cache
        return asked

    async def headers(
        self,
        method: str,
        url: str,
        body: bytes,
        accept: str,
        extra: Mapping[str, str],
        number: int | None = None,
    ) -> dict[str, str]:
        """Return all headers, with an access token where no key and no header of the user's is."""
        ours = await super().headers(method, url, body, accept, extra, number)
        if not self._asks:
            return ours
        check_plain_http(url, self.context.http.allow_plain_http)
        grant = await self.credentials.get()
        ours["authorization"] = f"Bearer {grant.token}"
        if grant.quota_project:
            ours.setdefault("x-goog-user-project", grant.quota_project)
        return ours

    async def recover(self, error: ResponseError) -> bool:
        """After a 401 a new token is got, once."""
        if self.key_pool.configured:
            return await super().recover(error)
        if not isinstance(error, Authentication):
            return False
        return await self.credentials.renew(self._refused.pop(error, None))

    async def aclose(self) -> None:
        await self.credentials.aclose()
        await super().aclose()

    async def settle(self) -> None:
        """Have a project. Raises `NotConfigured` where nothing names one."""
        if self.project:
            return
        found = None if not self._asks else (await self.credentials.get()).project
        if not found:
            raise NotConfigured(
                f"{self.name}: no project: set `providers.{self.name}.project` or "
                "GOOGLE_CLOUD_PROJECT",
                provider=self.name,
            )
        self.project = found

    async def _send(
        self, dialect: Dialect, request: ChatRequest | CompletionRequest, *, stream: bool
    ) -> HttpResponse:
        if is_claude(request.model) and "/" in request.model:
            request = msgspec.structs.replace(request, model=request.model.rpartition("/")[2])
        deadline = request.trace.deadline if request.trace else None
        if not self.project:
            await within(deadline, self.settle())
            dialect = self.dialect_for(request)  # its paths name the project
        used = await within(deadline, self.credentials.get()) if self._asks else None
        try:
            return await super()._send(dialect, request, stream=stream)
        except ResponseError as error:
            self._refused[error] = used
            raise

    async def probe(self) -> None:
        """Count a word's tokens: it shows that token, project and location work, and is free."""
        await self.count_tokens([Message("user", [Text("a")])], self.model)

    async def fetch_models(self) -> list[Model]:
        """Ask the model garden for the models of the two publishers that are spoken to here."""
        found: list[str] = []
        for publisher, prefix in (("google", "gemini"), ("anthropic", "claude")):
            path = f"/v1beta1/publishers/{publisher}/models?pageSize=300"
            answer = await self.get_json(path)
            try:
                listed = msgspec.convert(answer, _PublishedModels).models
            except msgspec.ValidationError as error:
                said = f"{self.name}: the list of models is not what was expected"
                raise Malformed(said) from error
            names = [model.name.rpartition("/")[2] for model in listed]
            found += [name for name in names if name.startswith(prefix)]
        return [self._listed(name) for name in dict.fromkeys(found)]

    async def count_tokens(self, messages: list[Message], model: str) -> TokenCount:
        """Ask the service: `countTokens` for Gemini, `count-tokens:rawPredict` for Claude."""
        await self.settle()
        request = ChatRequest(messages=messages, model=model, cache=False)
        body = self.dialect_for(request).body(request, stream=False)
        try:
            if is_claude(model):
                asked = {n: body[n] for n in ("messages", "system") if n in body}
                asked["model"] = model.rpartition("/")[2]
                path = f"/v1/{self._place()}/publishers/anthropic/models/count-tokens:rawPredict"
                answer = await self.post_json(path, asked)
                return TokenCount(msgspec.convert(answer, _ClaudeCount).input_tokens, "api")
            asked = {n: body[n] for n in ("contents", "systemInstruction") if n in body}
            path = self.dialect_for(request).path(request, stream=False)
            answer = await self.post_json(path.rpartition(":")[0] + ":countTokens", asked)
            return TokenCount(msgspec.convert(answer, _GeminiCount).total_tokens, "api")
        except msgspec.ValidationError as error:
            raise Malformed(f"{self.name}: the count of tokens is not one") from error

    def _place(self) -> str:
        return f"projects/{self.project or _UNKNOWN_PROJECT}/locations/{self.location}"

    def _listed(self, name: str) -> Model:
        known = self.context.catalog.find(self.kind, name, self.name)
        if known is None:
            return Model(name, self.name, features=self.assumed(), source="live")
        known.source = "live"
        return known


def is_claude(model: str) -> bool:
    """Return whether Anthropic publishes the model."""
    return model.rpartition("/")[2].startswith("claude") or "publishers/anthropic/" in model


def host_of(location: str) -> str:
    """Return the host that serves a location: the global one, a multi-region, or a region's."""
    if location == "global":
        return "aiplatform.googleapis.com"
    if location in _MULTI_REGIONS:
        return f"aiplatform.{location}.rep.googleapis.com"
    return f"{location}-aiplatform.googleapis.com"
