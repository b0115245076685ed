"""What `doctor` finds out: looks at the configuration, the machine and, asked to, at the services.

Records only; showing them is `doctor`'s. No record holds a key, a prompt or an answer's text beyond
the few words that a live test brings.
"""

import asyncio
import os
import platform
import stat
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec

from providers.catalog import kept
from providers.errors import ProviderError
from providers.http.client import HttpClient, HttpDescription
from providers.ledger.place import locate_in
from providers.manager import ProviderHealth, ProviderManager, ProviderState
from providers.policy.router import Target
from providers.settings import KeySource, ProviderSettings
from providers.types import ChatRequest, Message, Outcome, Text
from providers.vendors.local_server import LocalServer
from sidecar.about import VERSION
from sidecar.cli.doctor_advice import Case, sentence
from sidecar.config import Config, ConfigProblem, ConfigStore
from sidecar.config.clean import Cleaner, Tree
from sidecar.config.user_file import Unreadable, read_user_file

_PACKAGES = ("pygls", "lsprotocol", "msgspec", "httpx", "httptools", "truststore", "keyring")

LIVE_PROMPT = "Reply with the single word: pong"
LIVE_TOKENS = 64
"""Enough for a model that thinks before it says one word; at today's prices below 0.01 USD."""

LIVE_TIMEOUT = 60.0


class Record(msgspec.Struct, rename="camel", omit_defaults=True):
    pass


class FileFacts(Record):
    """The user file. `mode` as chmod has it; `warnings` say what others could read."""

    path: str
    exists: bool
    mode: str | None = None
    warnings: list[str] = []


class LiveFacts(Record):
    """One tiny stream. `cost_usd` is null where nobody knows the price."""

    ok: bool
    cost_usd: float | None
    model: str | None = None
    text: str | None = None
    first_token_ms: float | None = None
    tokens: int | None = None
    error: str | None = None


class ProviderFacts(Record):
    id: str
    kind: str
    is_default: bool
    base_url: str
    status: str
    key_source: str | None = None
    latency_ms: float | None = None
    error: str | None = None
    live: LiveFacts | None = None


class HttpFacts(Record):
    """Proxies by scheme, without their passwords; `ca` is a file or says whose it is."""

    proxies: dict[str, str]
    proxy_source: str
    no_proxy: list[str]
    ca: str


class LocalFacts(Record):
    """The embedded model; `problem` says how to get what is missing."""

    runtime: bool
    weights: str | None = None
    problem: str | None = None


class Facts(Record):
    version: str
    python: str
    platform: str
    packages: dict[str, str]
    config_file: FileFacts
    problems: list[ConfigProblem]
    providers: list[ProviderFacts]
    http: HttpFacts
    local: LocalFacts

    @property
    def broken(self) -> bool:
        """Whether something that is configured does not work."""
        return bool(self.problems) or any(_failed(p) for p in self.providers)


def _failed(provider: ProviderFacts) -> bool:
    """An answer proves more than what a service says of itself."""
    if provider.live is not None:
        return not provider.live.ok
    return provider.status == "unhealthy" or provider.error is not None


async def examine(store: ConfigStore, *, live: bool) -> Facts:
    """Ask every configured provider whether it answers; with `live`, for a word as well."""
    config = store.config.providers_config()
    http = HttpClient(config.http, config.timeouts, environ=os.environ)
    manager = ProviderManager(
        config,
        environ=os.environ,
        ledger=locate_in(os.environ),
        model_lists=kept.locate_in(os.environ),
    )
    try:
        used = http.describe()
        states = _states(manager)
        usable = [state.id for state in states if state.id not in config.refused]
        answers = await asyncio.gather(*(manager.health(name, live=True) for name in usable))
        health = {found.id: found for answer in answers for found in answer}
        tests = await _tests(manager, usable) if live else {}
    finally:
        await manager.aclose()
        await http.aclose()
    return Facts(
        version=VERSION,
        python=f"{platform.python_version()} ({sys.executable})",
        platform=platform.platform(),
        packages=_packages(),
        config_file=file_facts(store.user_file),
        problems=store.problems,
        providers=[
            _provider(state, health.get(state.id), tests.get(state.id), config.refused, used)
            for state in states
        ],
        http=HttpFacts(used.proxies, used.proxy_source, used.no_proxy, used.ca),
        local=_local(config.providers),
    )


def _states(manager: ProviderManager) -> list[ProviderState]:
    """Return the configured providers, or the default where none is."""
    states = manager.providers()
    return [s for s in states if s.configured] or [s for s in states if s.is_default]


def _provider(
    state: ProviderState,
    health: ProviderHealth | None,
    live: LiveFacts | None,
    refused: dict[str, str],
    used: HttpDescription,
) -> ProviderFacts:
    error = state.config_error or refused.get(state.id)
    if error is None and health is not None and health.error is not None:
        source = used.proxy_source if used.proxies else None
        error = sentence(Case(state.id, health.error, state.key_source, state.base_url, source))
    return ProviderFacts(
        id=state.id,
        kind=state.kind,
        is_default=state.is_default,
        base_url=state.base_url,
        status="unknown" if health is None else health.status,
        key_source=state.key_source,
        latency_ms=None if health is None else health.latency_ms,
        error=error,
        live=live,
    )


async def _tests(manager: ProviderManager, names: list[str]) -> dict[str, LiveFacts]:
    found = await asyncio.gather(*(_test(manager, name) for name in names))
    return dict(zip(names, found, strict=True))


async def _test(manager: ProviderManager, name: str) -> LiveFacts:
    """Stream one short answer from `name`; a request that names its provider has no other."""
    request = ChatRequest(messages=[Message("user", [Text(LIVE_PROMPT)])], max_tokens=LIVE_TOKENS)
    try:
        run = manager.stream(request, Target(provider=name, timeout=LIVE_TIMEOUT))
        async for _ in run:
            pass
    except ProviderError as error:
        return LiveFacts(ok=False, cost_usd=None, error=f"{error.kind}: {error.message}")
    return _tested(run.outcome)


def _tested(outcome: Outcome) -> LiveFacts:
    return LiveFacts(
        ok=True,
        cost_usd=None if outcome.cost is None else outcome.cost.usd,
        model=outcome.model,
        text=" ".join(outcome.response.text.split())[:60],
        first_token_ms=outcome.timing.first_token_ms,
        tokens=outcome.usage.total_tokens,
    )


def _packages() -> dict[str, str]:
    found: dict[str, str] = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def _local(providers: dict[str, ProviderSettings]) -> LocalFacts:
    """Return the state of the embedded model, with the settings of the first `local` there is."""
    settings = next((s for name, s in providers.items() if (s.kind or name) == "local"), None)
    state = LocalServer(settings).state()
    weights = None if state.weights is None else str(state.weights.path)
    return LocalFacts(state.runtime, weights, state.problem)


# --- files that hold keys ----------------------------------------------------------------


def file_facts(path: Path) -> FileFacts:
    """Return what there is to say about the user file and the key files that it names."""
    mode = _mode(path)
    if mode is None:
        return FileFacts(str(path), exists=False)
    facts = FileFacts(str(path), exists=True, mode=f"{mode:04o}")
    try:
        content = read_user_file(path)
    except Unreadable:
        return facts  # that it is unreadable is among the problems
    found = _keys(Cleaner("").table(Config, content).get("providers", {}))
    warnings: list[str] = []
    if _open_to_others(path) and any(isinstance(key, str) for key in found):
        warnings.append(f"{path} contains a key and others can read it: chmod 600 {path}")
    for key in found:
        if isinstance(key, KeySource) and key.file is not None:
            file = Path(key.file).expanduser()
            if _open_to_others(file):
                warnings.append(f"others can read the key file {file}: chmod 600 {file}")
    facts.warnings = warnings
    return facts


def _keys(providers: Tree) -> list[str | KeySource]:
    """Return everything in a file's provider tables that is a secret or says where one is."""
    found: list[str | KeySource] = []
    for table in providers.values():
        keys = table.get("api_key")
        found += keys if isinstance(keys, list) else [keys] if keys is not None else []
        found += [table[name] for name in ("auth_token", "access_token") if name in table]
        found += table.get("headers", {}).values()  # a configured header's value is a secret too
    return found


def _open_to_others(path: Path) -> bool:
    mode = _mode(path)
    return os.name == "posix" and mode is not None and bool(mode & 0o077)


def _mode(path: Path) -> int | None:
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except (OSError, ValueError):
        return None
