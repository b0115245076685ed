"""What Amazon's two vendors have in common: region, credentials, signature.

A Bedrock API key is sent as a Bearer token; everything else is signed (SigV4), per request, here.
The credentials themselves are `auth.cloud`'s.
"""

import re
from abc import abstractmethod
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import ClassVar
from urllib.parse import unquote, urlsplit
from weakref import WeakKeyDictionary

import msgspec

from providers.auth.cloud import AwsCredentials, AwsGrant
from providers.auth.sigv4 import sign
from providers.base import Model
from providers.dialects.base import Dialect
from providers.dialects.bedrock_models import region_of
from providers.errors import Authentication, Malformed, NotConfigured, ProviderError, ResponseError
from providers.http.client import HttpResponse
from providers.http.plain import check_plain_http
from providers.settings import KeySource, ProviderSettings
from providers.types import ChatRequest, CompletionRequest
from providers.vendors.base import HttpProvider
from providers.vendors.context import ProviderContext
from providers.vendors.deadline import within

BEARER = "AWS_BEARER_TOKEN_BEDROCK"
_PLACE = re.compile("[a-z0-9-]+")
_REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")
_HOST_REGION = re.compile(
    r"bedrock(?:-runtime|-mantle)?(?:-fips)?\.([a-z0-9-]+)\.(?:vpce\.)?(?:amazonaws\.com|api\.aws)"
)
_ELSEWHERE = "us-east-1"
"""Signed for where `baseUrl` is no AWS host and nothing names a region: a gateway's or a test's."""

_STALE = re.compile(r"expired|security token included in the request is invalid", re.IGNORECASE)
"""How AWS says, with status 403, that credentials have come to their end."""


class AwsProvider(HttpProvider):
    """A service of Bedrock's. A vendor says which host and which dialect."""

    needs_key = False
    service: ClassVar[str] = "bedrock"

    def __init__(self, name: str, settings: ProviderSettings, context: ProviderContext) -> None:
        super().__init__(name, settings, context)
        self.account = AwsCredentials(
            profile=settings.profile, environ=context.environ, http=context.http, provider=name
        )
        self.bearer = self.key_pool.configured and self._bearer_wins()
        own = any(header.lower() == "authorization" for header in settings.headers)
        self._signs = not self.bearer and not own
        self._given = bool(self.base_url)
        self.region = settings.region or self._named_region()
        self._refused: WeakKeyDictionary[ResponseError, AwsGrant | None] = WeakKeyDictionary()
        if self.region:
            self._place(self.region)

    @abstractmethod
    def origin(self, region: str) -> str:
        """Return the base URL in `region`."""

    @property
    def own_host(self) -> bool:
        """Whether requests go to AWS itself, not to a configured address."""
        return not self._given

    def key_source(self) -> str | None:
        return self.key_pool.describe() if self.bearer else self.account.describe()

    def auth_headers(self, key: str) -> dict[str, str]:
        return {"authorization": f"Bearer {key}"} if self.bearer else {}

    def url(self, path: str) -> str:
        return path if path.startswith("https://") else super().url(path)

    def request_url(self, request: ChatRequest | CompletionRequest, path: str) -> str:
        """An ARN names the region it is called in."""
        region = region_of(request.model)
        if region and self.own_host:
            return self.origin(region) + path
        return self.url(path)

    async def headers(
        self,
        method: str,
        url: str,
        body: bytes,
        accept: str,
        extra: Mapping[str, str],
        number: int | None = None,
    ) -> dict[str, str]:
        """Return all headers, signed as they are; a configured `authorization` is left alone."""
        ours = await super().headers(method, url, body, accept, extra, number)
        if not self._signs:
            return ours
        check_plain_http(url, self.context.http.allow_plain_http)
        grant = await self.account.get()
        ours["x-amz-content-sha256"] = sha256(body).hexdigest()
        ours |= sign(
            method,
            url,
            ours,
            body,
            access_key=grant.access_key,
            secret_key=grant.secret_key,
            session_token=grant.session_token,
            region=self._signing_region(url),
            service=self._signing_service(url),
            now=self.now(),
        )
        return ours

    def now(self) -> datetime:
        """Return the time a request is signed at: AWS takes 5 minutes of difference, no more."""
        return datetime.now(UTC)

    async def recover(self, error: ResponseError) -> bool:
        """After credentials have ended there may be new ones; looked for once."""
        if self.bearer:
            return await super().recover(error)
        stale = isinstance(error, Authentication) or bool(_STALE.search(error.message))
        if not stale or error.status not in (400, 401, 403):
            return False
        return await self.account.renew(self._refused.pop(error, None))

    async def aclose(self) -> None:
        await self.account.aclose()
        await super().aclose()

    async def settle(self) -> None:
        """Have a region, and with it an address. Raises `NotConfigured` where nothing names one."""
        if self.region:
            return
        region = _region_in(self.base_url) or await self._profile_region()
        if region is None and self._given:
            region = _ELSEWHERE
        if region is None:
            raise NotConfigured(
                f"{self.name}: no region: set `providers.{self.name}.region` or AWS_REGION, or "
                "give the profile one (aws configure set region …)",
                provider=self.name,
            )
        self._place(region)

    def _place(self, region: str) -> None:
        """Take a region, which becomes part of the host, from settings, environment or profile."""
        if not _PLACE.fullmatch(region):
            raise NotConfigured(f"{self.name}: {region[:40]!r} is no region", provider=self.name)
        self.region = region
        if not self._given:
            self.base_url = self.origin(region)

    async def _profile_region(self) -> str | None:
        try:
            return await self.account.region()
        except ProviderError:
            if self._given:
                return None  # an address is there; without a key, signing will say so
            raise

    async def _send(
        self, dialect: Dialect, request: ChatRequest | CompletionRequest, *, stream: bool
    ) -> HttpResponse:
        deadline = request.trace.deadline if request.trace else None
        await within(deadline, self.settle())
        used = await within(deadline, self.account.get()) if self._signs else None
        try:
            return await super()._send(dialect, request, stream=stream)
        except ResponseError as error:
            self._refused[error] = used
            raise

    async def _json(self, method: str, path: str, body: bytes) -> object:
        await self.settle()
        return await super()._json(method, path, body)

    def _bearer_wins(self) -> bool:
        """Whether the key counts: one in the environment is weaker than a configured profile."""
        setting = self.settings.api_key
        from_environment = setting is None or setting == KeySource(env=BEARER)
        profile = self.settings.profile
        named = profile is not None and profile != self.context.environ.get("AWS_PROFILE")
        return not (from_environment and named)

    def _named_region(self) -> str:
        environ = self.context.environ
        return next((environ[name].strip() for name in _REGIONS if environ.get(name)), "")

    def _signing_region(self, url: str) -> str:
        """The region of the host, else of the ARN in the path, else the configured one."""
        parts = urlsplit(url)
        return _region_in(url) or _arn_region(parts.path) or self.region or _ELSEWHERE

    def _signing_service(self, url: str) -> str:
        return self.service

    async def foundation_models(self, accepts: "re.Pattern[str]") -> list[Model]:
        """Ask the control plane for the models and cross-region profiles whose id is accepted.

        docs.aws.amazon.com/bedrock: API reference, ListFoundationModels, ListInferenceProfiles.
        """
        await self.settle()
        origin = f"https://bedrock.{self.region}.{suffix(self.region)}"
        listed = await self.get_json(f"{origin}/foundation-models?byOutputModality=TEXT")
        profiles: object = {}
        try:
            profiles = await self.get_json(f"{origin}/inference-profiles?maxResults=1000")
        except ResponseError as error:
            if error.status not in (400, 403, 404):  # not allowed to everybody, not everywhere
                raise
        try:
            found = msgspec.convert(listed, _Foundation).models
            routed = msgspec.convert(profiles, _Profiles).profiles
        except msgspec.ValidationError as error:
            said = f"{self.name}: the list of models is not what was expected"
            raise Malformed(said) from error
        ids = [m.model_id for m in found if not m.kinds or "ON_DEMAND" in m.kinds]
        ids += [profile.profile_id for profile in routed]
        return [self._listed(model) for model in dict.fromkeys(ids) if accepts.search(model)]

    def _listed(self, model: str) -> Model:
        known = self.context.catalog.find(self.kind, model, self.name)
        if known is None:
            return Model(model, self.name, features=self.assumed(), source="live")
        known.source = "live"
        return known


class _Summary(msgspec.Struct):
    model_id: str = msgspec.field(name="modelId")
    kinds: list[str] = msgspec.field(name="inferenceTypesSupported", default_factory=list[str])


class _Foundation(msgspec.Struct):
    models: list[_Summary] = msgspec.field(name="modelSummaries")


class _Profile(msgspec.Struct):
    profile_id: str = msgspec.field(name="inferenceProfileId")


class _Profiles(msgspec.Struct):
    profiles: list[_Profile] = msgspec.field(
        name="inferenceProfileSummaries", default_factory=list[_Profile]
    )


def suffix(region: str) -> str:
    """Return the domain of a region's partition."""
    return "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"


def _region_in(url: str) -> str:
    found = _HOST_REGION.search(urlsplit(url).hostname or "")
    return found[1] if found else ""


def _arn_region(path: str) -> str:
    words = path.split("/")
    return region_of(unquote(words[2])) if len(words) > 2 and words[1] == "model" else ""
