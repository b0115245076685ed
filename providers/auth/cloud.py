"""Amazon's and Google's credentials: from the environment where they stand there, else by the SDKs'
own chains in a child process.

botocore and google-auth are never imported here. Every secret is told to the redactor before
anybody else sees it. A failure says which step of the chain it was and what to run.
"""

import os
from collections.abc import Callable, Mapping

import msgspec

from providers.auth.env import without_keys
from providers.auth.grants import GrantKeeper, wall_clock
from providers.auth.helper import Answer, Failure, Order
from providers.auth.helper_process import ask_helper
from providers.auth.redact import Redactor
from providers.errors import ConnectFailed, NotConfigured, ProviderError
from providers.settings import HttpSettings


class AwsGrant(msgspec.Struct, frozen=True):
    """`region` is the profile's. `expires_at` in seconds since 1970."""

    access_key: str
    secret_key: str
    session_token: str | None = None
    expires_at: float | None = None
    region: str | None = None

    def __repr__(self) -> str:
        return "AwsGrant(…)"


class GoogleGrant(msgspec.Struct, frozen=True):
    """`quota_project` is who pays for a person's own login. `expires_at` in seconds since 1970."""

    token: str
    expires_at: float | None = None
    project: str | None = None
    quota_project: str | None = None

    def __repr__(self) -> str:
        return "GoogleGrant(…)"


class AwsCredentials:
    """The credentials of one profile. `profile` None: the environment's, else the default."""

    def __init__(
        self,
        *,
        profile: str | None,
        environ: Mapping[str, str],
        http: HttpSettings,
        provider: str,
        now: Callable[[], float] = wall_clock,
    ) -> None:
        # AWS_PROFILE is one layer of the configuration and comes here as `profile`, too; to AWS's
        # own tools it is weaker than keys in the environment, a profile named elsewhere stronger.
        named = profile if profile != environ.get("AWS_PROFILE") else None
        self._profile = profile
        self._static = None if named else _static(environ)
        self._environ = child_environment(without_keys(environ, but=("AWS_",)), http)
        self._bundle = _expanded(http.ca_bundle)
        self._provider = provider
        self._redactor = Redactor()
        if self._static is not None:
            self._learn(self._static)
        self._keeper = GrantKeeper(self._find, now=now)
        self._region: GrantKeeper[_Region] = GrantKeeper(self._find_region, now=now)

    def describe(self) -> str:
        """Return where the credentials come from."""
        if self._static is not None:
            return "env AWS_ACCESS_KEY_ID"
        return f"AWS profile {self._profile}" if self._profile else "AWS credential chain"

    @property
    def current(self) -> AwsGrant | None:
        """The credentials in use, if any are known yet."""
        return self._static or self._keeper.current

    async def get(self) -> AwsGrant:
        """Return them. Raises `NotConfigured`, or `ConnectFailed` for a network's failure."""
        return self._static or await self._keeper.get()

    async def region(self) -> str | None:
        """Return the profile's region, None if it has none. Raises like `get`."""
        current = self._keeper.current
        return current.region if current is not None else (await self._region.get()).name

    async def renew(self, refused: AwsGrant | None) -> bool:
        """Say whether, now, there are other credentials than those that were refused."""
        return False if self._static is not None else await self._keeper.renew(refused)

    async def aclose(self) -> None:
        """End a child that is at work."""
        await self._keeper.aclose()
        await self._region.aclose()

    async def _find(self) -> AwsGrant:
        answer = await self._ask(only_region=False)
        grant = AwsGrant(
            answer.access_key,
            answer.secret_key,
            answer.session_token,
            answer.expires_at,
            answer.region,
        )
        self._learn(grant)
        return grant

    async def _find_region(self) -> "_Region":
        return _Region((await self._ask(only_region=True)).region)

    async def _ask(self, *, only_region: bool) -> Answer:
        order = Order("aws", self._profile, only_region, self._bundle)
        answer = await ask_helper(order, environ=self._environ)
        if answer.failure is not None:
            raise error_of(answer.failure, self._provider, self._redactor)
        return answer

    def _learn(self, grant: AwsGrant) -> None:
        for secret in (grant.access_key, grant.secret_key, grant.session_token or ""):
            self._redactor.learn(secret)


class _Region(msgspec.Struct, frozen=True):
    name: str | None
    expires_at: float | None = None


class GoogleCredentials:
    """Application Default Credentials, as access tokens."""

    def __init__(
        self,
        *,
        environ: Mapping[str, str],
        http: HttpSettings,
        provider: str,
        now: Callable[[], float] = wall_clock,
    ) -> None:
        self._named = environ.get("GOOGLE_APPLICATION_CREDENTIALS")
        self._environ = child_environment(without_keys(environ), http)
        self._bundle = _expanded(http.ca_bundle)
        self._provider = provider
        self._redactor = Redactor()
        self._keeper = GrantKeeper(self._find, now=now)

    def describe(self) -> str:
        """Return where the token comes from."""
        if self._named:
            return "env GOOGLE_APPLICATION_CREDENTIALS"
        return "Application Default Credentials"

    @property
    def current(self) -> GoogleGrant | None:
        """The token in use, if one is known yet."""
        return self._keeper.current

    async def get(self) -> GoogleGrant:
        """Return a token. Raises `NotConfigured`, or `ConnectFailed` for a network's failure."""
        return await self._keeper.get()

    async def renew(self, refused: GoogleGrant | None) -> bool:
        """Say whether, now, there is another token than the one that was refused."""
        return await self._keeper.renew(refused)

    async def aclose(self) -> None:
        """End a child that is at work."""
        await self._keeper.aclose()

    async def _find(self) -> GoogleGrant:
        order = Order("google", ca_bundle=self._bundle)
        answer = await ask_helper(order, environ=self._environ)
        if answer.failure is not None:
            raise error_of(answer.failure, self._provider, self._redactor)
        self._redactor.learn(answer.token)
        return GoogleGrant(answer.token, answer.expires_at, answer.project, answer.quota_project)


def _static(environ: Mapping[str, str]) -> AwsGrant | None:
    """Return the environment's own keys, if both are there: they need no chain."""
    access = environ.get("AWS_ACCESS_KEY_ID", "").strip()
    secret = environ.get("AWS_SECRET_ACCESS_KEY", "").strip()
    token = environ.get("AWS_SESSION_TOKEN", "").strip()
    return AwsGrant(access, secret, token or None) if access and secret else None


def _expanded(path: str | None) -> str | None:
    return os.path.expanduser(path) if path else None


def child_environment(environ: Mapping[str, str], http: HttpSettings) -> dict[str, str]:
    """Return the environment for the child: all of it, with the configured proxy in place of its
    own. Chains read dozens of variables, and a `credential_process` any.
    """
    made = dict(environ)
    if http.proxy:
        for name in ("https_proxy", "http_proxy"):
            made.pop(name.upper(), None)
            made[name] = http.proxy
        # A container's or machine's own credentials are never behind a proxy.
        made.setdefault("no_proxy", "localhost,127.0.0.1,::1,169.254.169.254,169.254.170.2")
    if http.no_proxy is not None:
        listed = http.no_proxy if isinstance(http.no_proxy, str) else ",".join(http.no_proxy)
        made.pop("NO_PROXY", None)
        made["no_proxy"] = listed
    return made


def error_of(failure: Failure, provider: str, redactor: Redactor) -> ProviderError:
    """Return the error that a chain's failure is, with the command that helps."""
    message = redactor.mask(failure.message).strip().rstrip(".")
    where = f" (step `{failure.step}`)" if failure.step else ""
    run = f". Run: {failure.run}" if failure.run else ""
    said = f"{provider}: {message}{where}{run}"
    if failure.kind == "network":
        return ConnectFailed(said, provider=provider)
    return NotConfigured(said, provider=provider)
