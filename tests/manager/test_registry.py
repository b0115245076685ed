"""Which providers there are, which are configured, and which may not be used."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from providers.base import AiProvider
from providers.errors import NotConfigured, ProviderNotFound
from providers.manager import ProviderManager
from providers.policy.router import Target
from providers.registry import KINDS, starts_a_program
from providers.settings import ProvidersConfig, ProviderSettings
from providers.vendors import local_server
from providers.vendors.local_weights import Weights
from tests.manager.scripted import ask, gather

pytestmark = pytest.mark.asyncio


def manager(config: ProvidersConfig, **environ: str) -> ProviderManager:
    return ProviderManager(config, environ=environ)


async def test_without_configuration_the_embedded_model_answers() -> None:
    made = manager(ProvidersConfig())
    assert made.stream(ask(), Target()).provider == "local"
    assert [s.id for s in made.providers() if s.is_default] == ["local"]


@pytest.mark.parametrize("there", [True, False])
async def test_the_embedded_model_counts_as_configured_where_it_would_answer(
    there: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = tmp_path / "weights.gguf"
    weights.touch()

    def find(*_: object, **__: object) -> Weights:
        if not there:
            raise NotConfigured("the weights are not installed")
        return Weights(weights, "installed")

    monkeypatch.setattr(local_server, "find_weights", find)
    monkeypatch.setattr(local_server, "_require_runtime", lambda: None)
    alone = ProviderManager(ProvidersConfig(), environ={})
    beside = ProviderManager(ProvidersConfig(), environ={"OPENAI_API_KEY": "sk-0123456789"})
    assert [s.configured for s in alone.providers() if s.id == "local"] == [there]
    assert [s.configured for s in beside.providers() if s.id == "local"] == [False]
    await alone.aclose()
    await beside.aclose()


async def test_the_first_configured_is_that_of_the_first_row() -> None:
    made = manager(ProvidersConfig(), ANTHROPIC_API_KEY="x", OPENAI_API_KEY="y")
    assert made.stream(ask(), Target()).provider == "openai"
    tables = {"mine": ProviderSettings(kind="anthropic", api_key="k")}
    assert manager(ProvidersConfig(providers=tables)).stream(ask(), Target()).provider == "mine"


async def test_a_table_that_says_nothing_configures_nothing() -> None:
    tables = {"openai": ProviderSettings(model="gpt-5")}
    made = manager(ProvidersConfig(providers=tables))
    assert made.stream(ask(), Target()).provider == "local"


async def test_an_unknown_name_gets_the_nearest_one() -> None:
    with pytest.raises(ProviderNotFound, match="did you mean `openai`"):
        await gather(manager(ProvidersConfig()).stream(ask(), Target(provider="opanai")))


async def test_a_refused_provider_is_never_made() -> None:
    """An unusable baseUrl must not mean that key and code go to the default address."""
    config = ProvidersConfig(
        providers={"openai": ProviderSettings(api_key="k")},
        refused={"openai": "providers.openai.baseUrl: expected a URL"},
    )
    made = manager(config)
    with pytest.raises(NotConfigured, match="baseUrl"):
        await gather(made.stream(ask(), Target(provider="openai")))
    run = made.stream(ask(), Target(provider="openai", fallback=["mock"]))
    await gather(run)
    assert run.outcome.provider == "mock"
    state = next(s for s in made.providers() if s.id == "openai")
    assert state.config_error == "providers.openai.baseUrl: expected a URL"


async def test_only_what_somebody_configured_has_a_configuration_error() -> None:
    tables = {"mine": ProviderSettings(kind="nosuch"), "azure": ProviderSettings(api_key="k")}
    states = {s.id: s for s in manager(ProvidersConfig(providers=tables)).providers()}
    assert states["openai-compatible"].config_error is None  # needs a baseUrl, but nobody uses it
    assert "endpoint" in (states["azure"].config_error or "")
    assert (states["mine"].kind, states["mine"].configured) == ("nosuch", False)
    assert "mine" in (states["mine"].config_error or "")


async def test_a_configured_model_is_listed_also_where_no_catalog_knows_it() -> None:
    tables = {
        "mine": ProviderSettings(
            kind="openai-compatible", base_url="http://127.0.0.1:1/v1", model="m"
        ),
        "openai": ProviderSettings(api_key="k", model="gpt-5"),
    }
    made = manager(ProvidersConfig(providers=tables))
    assert [(m.id, m.provider) for m in await made.models("mine")] == [("m", "mine")]
    assert [m.id for m in await made.models("openai")].count("gpt-5") == 1


@pytest.mark.parametrize(
    ("default", "listed"), [("mine/m", ["m"]), ("mine", []), ("openai/gpt-5", []), ("nosuch", [])]
)
async def test_the_default_s_model_is_listed(default: str, listed: list[str]) -> None:
    mine = ProviderSettings(kind="openai-compatible", base_url="http://127.0.0.1:1/v1")
    made = manager(ProvidersConfig(default=default, providers={"mine": mine}))
    assert [m.id for m in await made.models("mine")] == listed
    assert [(m.id, m.source) for m in await made.models()] == [(id, "catalog") for id in listed]


async def test_a_new_configuration_keeps_what_did_not_change() -> None:
    tables = {
        "a": ProviderSettings(kind="mock"),
        "b": ProviderSettings(kind="mock", model="echo"),
    }
    made = manager(ProvidersConfig(providers=tables))
    kept, replaced = made._registry.get("a"), made._registry.get("b")
    made.reconfigure(
        ProvidersConfig(providers=tables | {"b": ProviderSettings(kind="mock", model="tools")})
    )
    assert made._registry.get("a") is kept
    assert made._registry.get("b") is not replaced
    await made.aclose()


async def test_who_starts_a_program_says_so_itself() -> None:
    said: dict[str, bool] = {}
    for kind, place in KINDS.items():
        module, _, name = place.partition(":")
        made = getattr(import_module(module), name)
        assert issubclass(made, AiProvider)
        said[kind] = made.starts_a_program
    assert said == {kind: starts_a_program(kind) for kind in KINDS}
    assert [kind for kind in KINDS if said[kind]] == ["claude-code"]


async def test_asking_whether_it_starts_a_program_imports_no_provider() -> None:
    code = (
        "import sys; from providers.registry import starts_a_program as ask; ask('claude-code');"
        "print([m for m in sys.modules if m.startswith('providers.vendors.claude')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout.strip() == "[]"
