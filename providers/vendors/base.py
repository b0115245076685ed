"""`HttpProvider`: what all providers have in common that are reached over HTTP.

A vendor says where the service is (`default_base_url`), how it wants its key (`auth_headers`) and
which dialect it speaks (`dialect_for`); the rest is here. It decides nothing about retries or
failover: it sends one request and says what came of it.
"""

import asyncio
import time
from abc import abstractmethod
from collections.abc import AsyncGenerator, Mapping
from typing import ClassVar, cast

import msgspec

from providers.accumulate import Accumulator
from providers.auth.env import key_names
from providers.auth.pool import KeyPool
from providers.base import (
    AiProvider,
    HealthStatus,
    Model,
    ModelFeatures,
    ProviderCapabilities,
    TokenCount,
    TokenStream,
)
from providers.dialects.base import Dialect
from providers.errors import (
    Disconnected,
    InvalidRequest,
    Malformed,
    ProviderError,
    ResponseError,
    TimedOut,
    Truncated,
    Unsupported,
)
from providers.estimate import estimate_tokens
from providers.http.client import HttpRequest, HttpResponse
from providers.http.plain import check_plain_http
from providers.settings import Key, ProviderSettings
from providers.stream import processor_for
from providers.types import (
    NO_HEADERS,
    ChatRequest,
    CompletionRequest,
    CompletionResponse,
    Message,
    StreamToken,
)
from providers.vendors.answer_names import answer_id, name_answer
from providers.vendors.context import ProviderContext
from providers.vendors.deadline import remaining, within
from providers.vendors.model_list import models_of
from providers.wire import json_text

USER_AGENT = "ai-sidecar/0.1.0"

ERROR_BODY_LIMIT = 1024 * 1024
"""More of an error answer is not read: the longest seen is a 40 kB HTML page of a gateway."""

UNARY_BODY_LIMIT = 64 * 1024 * 1024

TAIL_WAIT = 2.0
"""Seconds that are given to a service between the end of an answer and what it may send after it
(usage, `[DONE]`). Some keep the connection open and send nothing more."""

HEALTH_TIMEOUT = 10.0

_NO_LIST = (404, 405, 501)
"""What a service says that has no list of models, or not there."""

_FAULT_FOUND = (400, 422)


class HttpProvider(AiProvider):
    """A provider over HTTP. A vendor fills in class attributes and two abstract methods.

    One whose attributes come from a table sets them before it calls `__init__`.
    """

    kind: str
    default_base_url: str = ""
    default_model: str = ""
    needs_key: bool = True
    keep_alive: ClassVar[bool] = True
    raw_prompts: ClassVar[bool] = False  # whether a prompt can be sent as it is

    def __init__(self, name: str, settings: ProviderSettings, context: ProviderContext) -> None:
        self._name = name
        self.settings = settings
        self.context = context
        self.base_url = (settings.base_url or settings.endpoint or self.default_base_url).rstrip(
            "/"
        )
        self.model = settings.model or self.default_model
        key = self.key_setting()
        fields = {"accessToken": settings.access_token, "authToken": settings.auth_token}
        self.key_pool = KeyPool(
            key,
            environ=context.environ,
            env_names=key_names(self.kind) if settings.kind in (None, self.kind) else (),
            provider=name,
            clock=time.monotonic,
            field=next((f for f, setting in fields.items() if key and setting is key), "apiKey"),
        )
        self.key_count = len(self.key_pool)
        self._keyed = self.needs_key or self.key_pool.configured
        for value in settings.headers.values():
            context.redactor.learn(value)

    # --- what a vendor says -------------------------------------------------------

    @abstractmethod
    def dialect_for(self, request: ChatRequest | CompletionRequest) -> Dialect:
        """Return the dialect, with the profile that `request.model` needs."""

    @abstractmethod
    def auth_headers(self, key: str) -> dict[str, str]:
        """Return the headers that carry `key` ("" where there is none)."""

    def standing_headers(self) -> dict[str, str]:
        """Return what every request carries beside the key (a version, an organization)."""
        return {}

    def request_headers(
        self, request: ChatRequest | CompletionRequest, *, stream: bool
    ) -> dict[str, str]:
        """Return what this request carries beside the key; the standing headers, mostly."""
        return self.standing_headers()

    def key_setting(self) -> Key | list[Key] | None:
        """Return the setting that names the key, or the keys of a pool."""
        return self.settings.api_key

    @property
    def name(self) -> str:
        return self._name

    def key_source(self) -> str | None:
        return self.key_pool.describe()

    def fit_keys(self) -> list[int]:
        return self.key_pool.fit()

    def url(self, path: str) -> str:
        """Return the address of `path`."""
        return self.base_url + path

    def request_url(self, request: ChatRequest | CompletionRequest, path: str) -> str:
        """Return the address of a request, where it depends on the request's model."""
        return self.url(path)

    def body_options(self, request: ChatRequest | CompletionRequest) -> Mapping[str, object]:
        """Return what is merged into the body: all that the request says for this provider."""
        return request.provider_options

    def capabilities(self) -> ProviderCapabilities:
        model = self.context.catalog.find(self.kind, self.model, self._name)
        if model is None:
            return ProviderCapabilities()
        return ProviderCapabilities(
            max_tokens=model.max_output_tokens or 4096,
            streaming=True,
            functions=model.features.tools,
            vision=model.features.vision,
        )

    def assumed(self) -> ModelFeatures:
        """Return what a model can do that no catalog knows: what the provider can do at all."""
        can = self.capabilities()
        return ModelFeatures(streaming=can.streaming, tools=can.functions, vision=can.vision)

    # --- the nine methods -----------------------------------------------------------

    async def complete(self, request: CompletionRequest) -> CompletionResponse:
        return await self._unary(self._as_asked(request))

    def complete_stream(self, request: CompletionRequest) -> TokenStream:
        return self._stream(self._as_asked(request))

    def _as_asked(self, request: CompletionRequest) -> ChatRequest | CompletionRequest:
        """A prompt is a conversation of one turn, except to fill in, or where only prompts go."""
        if request.raw:
            if not self.raw_prompts:
                raise Unsupported(f"{self._name} takes conversations only, no prompt as it is")
            return request
        if request.suffix is not None or self.settings.api == "completions":
            return request
        chat = request.to_chat()
        chat.cache = False  # a lone prompt is not sent again
        return chat

    async def chat(self, request: ChatRequest) -> CompletionResponse:
        return await self._unary(request)

    def chat_stream(self, request: ChatRequest) -> TokenStream:
        return self._stream(request)

    async def health_check(self) -> HealthStatus:
        clock = asyncio.get_running_loop().time
        started = clock()
        try:
            async with asyncio.timeout(HEALTH_TIMEOUT):
                await self.probe()
        except TimeoutError:
            error = TimedOut(f"no answer within {HEALTH_TIMEOUT:.0f} s", phase="firstByte")
            return HealthStatus("unhealthy", error=error)
        except ProviderError as error:
            degraded = error.kind in ("rateLimit", "overloaded")
            latency = (clock() - started) * 1000
            return HealthStatus("degraded" if degraded else "unhealthy", latency, error)
        return HealthStatus("healthy", (clock() - started) * 1000)

    async def probe(self) -> None:
        """Make the cheapest request that shows whether service and key work. Raises if not.

        Where there is no list of models to ask for, an empty conversation is sent: a service that
        works finds fault with it, which costs nothing, and at worst answers with one token.
        """
        try:
            await self.fetch_models()
        except ResponseError as error:
            if error.status not in _NO_LIST:
                raise
            try:
                await self._answers()
            except InvalidRequest as again:
                if again.status in _NO_LIST:
                    raise error from again  # nothing is where we look: the address is wrong
                if again.status not in _FAULT_FOUND:
                    raise

    async def _answers(self) -> None:
        """Send what a service cannot answer, and take whatever it says with a status of success."""
        request = ChatRequest(messages=[], model=self.model, max_tokens=1)
        (await self._send(self.dialect_for(request), request, stream=False)).close()

    async def list_models(self, *, refresh: bool = False) -> list[Model]:
        if refresh:
            found = await self.fetch_models()
            self.context.catalog.keep(self.kind, self._name, found)
            return found
        found = self.context.catalog.models(self.kind, self._name)
        chosen = self.settings.model
        if chosen and all(model.id != chosen for model in found):
            # What somebody configured can be chosen, also where no catalog knows it.
            known = self.context.catalog.find(self.kind, chosen, self._name)
            found.insert(0, known or Model(chosen, self._name, features=self.assumed()))
        return found

    async def fetch_models(self) -> list[Model]:
        """Ask the service which models it has (`GET /models`, as OpenAI defined it)."""
        body = await self.get_json("/models")
        return models_of(body, self)

    async def count_tokens(self, messages: list[Message], model: str) -> TokenCount:
        return TokenCount(estimate_tokens(messages), "estimate")

    async def recover(self, error: ResponseError) -> bool:
        """Say whether another key is there, or the only one turned out to have been renewed."""
        return await self.key_pool.recover(error)

    # --- one request -------------------------------------------------------------------

    async def _unary(self, request: ChatRequest | CompletionRequest) -> CompletionResponse:
        dialect = self.dialect_for(request)
        response = await self._send(dialect, request, stream=False)
        try:
            body = await response.read(UNARY_BODY_LIMIT)
        except Disconnected as error:
            raise Truncated(f"{self._name}: the answer broke off: {error.message}") from error
        finally:
            response.close()
        answer = Accumulator()
        answer.add(dialect.read_unary(body))
        whole = answer.response()
        whole.id = whole.id or answer_id(response.headers)
        return whole

    async def _stream(
        self, request: ChatRequest | CompletionRequest
    ) -> AsyncGenerator[list[StreamToken], None]:
        dialect = self.dialect_for(request)
        response = await self._send(dialect, request, stream=True)
        del request  # a stream may last for minutes, and a conversation be large
        try:
            processor = processor_for(dialect)
            named = False
            while chunk := await (_tail(response) if processor.finished else response.receive()):
                tokens = processor.feed(chunk)
                if tokens:
                    if not named:
                        named = True
                        name_answer(tokens[0], response.headers)
                        response.headers = NO_HEADERS
                    yield tokens
                if processor.complete:
                    break
                del chunk, tokens  # what was read is not kept until the next is there
            tokens = processor.end()
            response.finish()
            if tokens:
                if not named:
                    name_answer(tokens[0], response.headers)
                yield tokens
        except Disconnected as error:
            raise Truncated(f"{self._name}: the stream broke off: {error.message}") from error
        finally:
            response.close()

    async def _send(
        self, dialect: Dialect, request: ChatRequest | CompletionRequest, *, stream: bool
    ) -> HttpResponse:
        """Send the request and return the answer if its status is 2xx. Raises otherwise."""
        trace = request.trace
        deadline = trace.deadline if trace else None
        payload = self._payload(dialect, request, stream=stream)
        url = self.request_url(request, dialect.path(request, stream=stream))
        accept = "text/event-stream" if stream else "application/json"
        extra = self.request_headers(request, stream=stream)
        key = trace.key if trace else None
        ours = self.headers("POST", url, payload, accept, extra, key)
        headers = await within(deadline, ours)
        response = await self.context.client.send(
            HttpRequest("POST", url, headers, payload, self.keep_alive),
            total=remaining(deadline, self.context.timeouts.total),
            sending=trace,
        )
        if trace is not None:
            trace.sent_at, trace.first_byte_at = response.sent_at, response.first_byte_at
            trace.status, trace.headers = response.status, response.headers
        if not 200 <= response.status < 300:
            error = await self._error(dialect, response)
            self.key_pool.failed(headers.values(), error)
            raise error
        return response

    def _payload(
        self, dialect: Dialect, request: ChatRequest | CompletionRequest, *, stream: bool
    ) -> bytes:
        try:
            body = dialect.body(request, stream=stream)
            options = self.body_options(request)
            if options:
                merge(body, options)
            return json_text.encode(body)
        except RecursionError:  # what reads JSON may go deeper than what walks it
            raise Unsupported("a schema or an option is nested too deeply") from None

    async def headers(
        self,
        method: str,
        url: str,
        body: bytes,
        accept: str,
        extra: Mapping[str, str],
        number: int | None = None,
    ) -> dict[str, str]:
        """Return all headers of a request; a configured header replaces ours of that name.

        `number` says which key of a pool is to be used.

        Raises `NotConfigured` when a key is needed and none is there, or when it would travel in
        plain text to another machine.
        """
        ours = {"accept": accept, "user-agent": USER_AGENT}
        if body:
            ours["content-type"] = "application/json"
        ours.update(extra)
        key = await self.key_pool.get(number) if self._keyed else ""
        auth = self.auth_headers(key)
        ours.update(auth)
        for name, value in self.settings.headers.items():
            ours[name.lower()] = value
        if auth or self.settings.headers:
            check_plain_http(url, self.context.http.allow_plain_http)
        return ours

    async def _error(self, dialect: Dialect, response: HttpResponse) -> ResponseError:
        try:
            body = await response.read(ERROR_BODY_LIMIT)
        except ProviderError:
            body = b""  # the status says enough
        finally:
            response.close()
        if 300 <= response.status < 400:
            return InvalidRequest(
                f"{self._name} answered with a redirect ({response.status}), which is never "
                "followed: set `baseUrl` to the service's own address",
                status=response.status,
            )
        return dialect.read_error(response.status, response.headers, body)

    async def get_json(self, path: str) -> object:
        """GET a small JSON document: lists of models and the like. Raises like a request."""
        return await self._json("GET", path, b"")

    async def post_json(self, path: str, body: object) -> object:
        """POST a question beside completion (a count of tokens). Raises like a request."""
        return await self._json("POST", path, msgspec.json.encode(body))

    async def _json(self, method: str, path: str, body: bytes) -> object:
        url = self.url(path)
        headers = await self.headers(method, url, body, "application/json", self.standing_headers())
        response = await self.context.client.send(HttpRequest(method, url, headers, body))
        if not 200 <= response.status < 300:
            raise await self._error(self.dialect_for(ChatRequest(messages=[])), response)
        try:
            return msgspec.json.decode(await response.read(UNARY_BODY_LIMIT))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Malformed(f"{self._name}: {path} answered no JSON") from error
        finally:
            response.close()


# --- small pieces ------------------------------------------------------------------------


async def _tail(response: HttpResponse) -> bytes:
    """Return what follows the end of an answer: usage or a sentinel, and some send neither."""
    try:
        async with asyncio.timeout(TAIL_WAIT):
            return await response.receive()
    except (TimeoutError, TimedOut, Disconnected):
        return b""


def merge(into: dict[str, object], extra: Mapping[str, object]) -> None:
    """Merge `extra` into a body, deeply: tables are merged, everything else is replaced."""
    for name, value in extra.items():
        present = into.get(name)
        if isinstance(present, dict) and isinstance(value, dict):
            merge(cast("dict[str, object]", present), cast("dict[str, object]", value))
        else:
            into[name] = value
