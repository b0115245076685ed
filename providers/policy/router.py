"""Which provider and model a request goes to, and which ones after that. Pure: no I/O, no clock.

In this order: the provider the request names; `provider/model`; a route whose pattern fits the
model; the model's name in a configured provider's catalog; the default. The fallback chain follows
where the request names no provider (in either of the first two ways), or the request's own
`fallback` where it gives one.
"""

from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import NamedTuple

import msgspec

from providers.errors import NotConfigured
from providers.policy.pool import Load, Member, Pool
from providers.settings import PoolMember, ProvidersConfig, RouteSettings


class Target(msgspec.Struct):
    """What a request says about where it wants to go. `timeout` in seconds, for all of it."""

    provider: str | None = None
    model: str | None = None
    fallback: list[str] | None = None
    timeout: float | None = None


class Candidate(NamedTuple):
    """A provider by its configured name; an empty `model` means the provider's default."""

    provider: str
    model: str


class Directory(NamedTuple):
    """What the router asks about providers, as functions so that it stays pure."""

    is_known: Callable[[str], bool]
    configured: Callable[[], list[str]]
    has_model: Callable[[str, str], bool]
    load: Load


_NAMES_KEPT = 256


class _Route(NamedTuple):
    pattern: str
    pool: Pool


class Router:
    """The routing rules of one configuration."""

    def __init__(self, config: ProvidersConfig, directory: Directory) -> None:
        self._config = config
        self._ask = directory
        self._single: dict[tuple[str, str], list[Candidate]] = {}
        by_priority = sorted(config.routes, key=lambda route: -route.priority)  # stable: as listed
        self._routes = [_Route(r.pattern, self._pool(r)) for r in by_priority if r.providers]

    def _pool(self, route: RouteSettings) -> Pool:
        members: list[Member] = []
        for each in route.providers:
            if isinstance(each, PoolMember):
                members.append(Member(each.provider, each.model or "", each.weight))
            else:
                candidate = self.parse(each)
                members.append(Member(candidate.provider, candidate.model, 1.0))
        return Pool(members, route.strategy)

    def candidates(self, target: Target) -> list[Candidate]:
        """Return where to ask, in order; never empty. Raises `NotConfigured` if nothing is."""
        first = self._primary(target)
        if target.provider is not None and not target.fallback:
            return first  # nobody else, and of one there are no two
        chain = [*first]
        if target.fallback is not None:
            if not target.fallback:
                del chain[1:]  # an empty list says: nobody else, a pool's other members neither
            chain += map(self.parse, target.fallback)
        elif not self._names_provider(target):
            chain += map(self.parse, self._config.fallback.chain)
        unique: dict[Candidate, Candidate] = {}
        for candidate in chain:
            unique.setdefault(self._meant(candidate), candidate)
        return list(unique.values())

    def _names_provider(self, target: Target) -> bool:
        """Say whether the request itself says who is to answer: `provider`, or `provider/model`.

        Who says "local/x" may have chosen it so that the text goes nowhere else.
        """
        if target.provider is not None:
            return True
        name, slash, _ = (target.model or "").partition("/")
        return bool(slash) and self._ask.is_known(name)

    def _meant(self, candidate: Candidate) -> Candidate:
        """Return the candidate with the model that an empty one stands for, as far as is known."""
        settings = self._config.providers.get(candidate.provider)
        model = candidate.model or (settings.model if settings is not None else None) or ""
        return Candidate(candidate.provider, model)

    def default(self) -> Candidate:
        """Return the default: the configured one, else the first configured provider."""
        if self._config.default:
            return self.parse(self._config.default)
        configured = self._ask.configured()
        if not configured:
            raise NotConfigured("no provider is configured and no local model is installed")
        return Candidate(configured[0], "")

    def first(self, target: Target) -> Candidate:
        """Return who is asked first, of a pool its first member: to be told, it is nobody's turn.

        Raises `NotConfigured` if nothing is.
        """
        model = target.model or ""
        if model and not self._names_provider(target):
            route = self._route_of(model)
            if route is not None:
                member = route.pool.members[0]
                return Candidate(member.provider, member.model or model)
        return self._primary(target)[0]

    def _route_of(self, model: str) -> _Route | None:
        return next((r for r in self._routes if fnmatchcase(model, r.pattern)), None)

    def parse(self, name: str) -> Candidate:
        """Read "provider" or "provider/model"; a model's own slashes stay with the model."""
        if self._ask.is_known(name):
            return Candidate(name, "")
        provider, slash, model = name.partition("/")
        return Candidate(provider, model if slash else "")

    def _primary(self, target: Target) -> list[Candidate]:
        model = target.model or ""
        if target.provider is not None:
            # "openrouter/auto" is openrouter's own model; elsewhere a repeated name is a prefix.
            prefix = target.provider + "/"
            if model.startswith(prefix) and not self._ask.has_model(target.provider, model):
                model = model.removeprefix(prefix)
            return self._alone(target.provider, model)
        provider, slash, rest = model.partition("/")
        if slash and self._ask.is_known(provider):
            return self._alone(provider, rest)
        default = self.default()
        if not model:
            return [default]
        route = self._route_of(model)
        if route is not None:
            members = route.pool.order(self._ask.load)
            return [Candidate(m.provider, m.model or model) for m in members]
        return [Candidate(self._provider_of(model, default.provider), model)]

    def _alone(self, provider: str, model: str) -> list[Candidate]:
        """Return the candidate alone: one list for all such requests, not to be changed."""
        key = (provider, model)
        found = self._single.get(key)
        if found is None:
            if len(self._single) >= _NAMES_KEPT:
                self._single.clear()
            found = self._single[key] = [Candidate(provider, model)]
        return found

    def _provider_of(self, model: str, default: str) -> str:
        if self._ask.has_model(default, model):
            return default
        for name in self._ask.configured():
            if self._ask.has_model(name, model):
                return name
        return default
