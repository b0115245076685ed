"""Where a request goes, and where after that."""

# A table reads best with one case a line.
# ruff: noqa: E501

import pytest

from providers.errors import NotConfigured
from providers.policy.pool import Load
from providers.policy.router import Candidate, Directory, Router, Target
from providers.settings import FallbackSettings, ProvidersConfig, ProviderSettings

KNOWN = {"openai", "anthropic", "openrouter", "local"}
MODELS = {("anthropic", "claude"), ("openrouter", "openrouter/auto"), ("openai", "gpt")}


IDLE = Load(lambda name: 0, lambda name: 0.0, lambda: 0.0)


def router(
    default: str | None = None, chain: list[str] | None = None, configured: object = None
) -> Router:
    names = ["openai", "anthropic"] if configured is None else list(configured)  # type: ignore[call-overload]
    directory = Directory(KNOWN.__contains__, lambda: names, lambda p, m: (p, m) in MODELS, IDLE)
    return Router(
        ProvidersConfig(default=default, fallback=FallbackSettings(chain or [])), directory
    )


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (Target(), [("openai", "")]),
        (Target(provider="local"), [("local", "")]),
        (Target(provider="openai", model="x"), [("openai", "x")]),
        (Target(provider="openai", model="openai/x"), [("openai", "x")]),
        (Target(provider="openrouter", model="openrouter/auto"), [("openrouter", "openrouter/auto")]),
        (Target(model="anthropic/claude"), [("anthropic", "claude")]),
        (Target(model="openrouter/meta/llama"), [("openrouter", "meta/llama")]),
        (Target(model="meta/llama"), [("openai", "meta/llama")]),
        (Target(model="claude"), [("anthropic", "claude")]),
        (Target(model="nobody-knows"), [("openai", "nobody-knows")]),
        (Target(fallback=["local", "anthropic/claude"]), [("openai", ""), ("local", ""), ("anthropic", "claude")]),
        (Target(provider="openai", fallback=["openai"]), [("openai", "")]),
    ],
)  # fmt: skip
def test_candidates(target: Target, expected: list[tuple[str, str]]) -> None:
    assert router().candidates(target) == [Candidate(*pair) for pair in expected]


def test_the_configured_default_and_chain() -> None:
    found = router("anthropic/claude", ["openai/gpt", "local"]).candidates(Target())
    assert found == [("anthropic", "claude"), ("openai", "gpt"), ("local", "")]


def test_the_chain_is_for_requests_that_name_no_provider() -> None:
    assert router(chain=["local"]).candidates(Target(provider="openai")) == [("openai", "")]
    named = router(chain=["openai"]).candidates(Target(model="local/small"))
    assert named == [("local", "small")], "`provider/model` names one, too: nobody else is sent it"
    bare = router(chain=["local"]).candidates(Target(model="gpt"))
    assert bare == [("openai", "gpt"), ("local", "")]
    own = router(chain=["openai"]).candidates(Target(model="local/small", fallback=["anthropic"]))
    assert own == [("local", "small"), ("anthropic", "")]
    assert router(chain=["local"]).candidates(Target(fallback=[])) == [("openai", "")]


def test_a_default_model_by_its_name_is_no_further_candidate() -> None:
    directory = Directory(KNOWN.__contains__, lambda: ["openai"], lambda p, m: False, IDLE)
    config = ProvidersConfig(
        providers={"openai": ProviderSettings(model="gpt")},
        fallback=FallbackSettings(["openai/gpt", "openai/other", "openai"]),
    )
    assert Router(config, directory).candidates(Target()) == [("openai", ""), ("openai", "other")]


def test_nothing_configured_says_so() -> None:
    with pytest.raises(NotConfigured):
        router(configured=[]).candidates(Target())
