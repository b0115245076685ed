"""What a workspace may set, and what it may not."""

from pathlib import Path
from typing import Any

import pytest

from sidecar.config import Config, ConfigStore

NO_FILE = Path("/nonexistent/ai-sidecar/config.toml")

USER: dict[str, Any] = {
    "default": "local",
    "providers": {
        "openai": {"apiKey": "k-123456", "baseUrl": "https://user.example/v1", "model": "user"},
        "local": {},
    },
    "http": {"noProxy": ["a"]},
    "inline": {
        "maxTokens": 100,
        "debounceMs": 100,
        "languages": {"sql": False},
        "ignore": ["*.env"],
    },
}


def with_workspace(workspace: object, user: object = USER) -> ConfigStore:
    store = ConfigStore({}, NO_FILE)
    store.set_initialization_options(user)
    store.set_workspace(workspace)
    return store


ALLOWED = [
    ({"default": "openai/gpt-5"}, lambda c: c.default == "openai/gpt-5"),
    ({"providers": {"openai": {"model": "m"}}}, lambda c: c.providers["openai"].model == "m"),
    ({"inline": {"enabled": False}}, lambda c: not c.inline.enabled),
    ({"inline": {"maxTokens": 50}}, lambda c: c.inline.max_tokens == 50),
    ({"inline": {"debounceMs": 500}}, lambda c: c.inline.debounce_ms == 500),
    ({"inline": {"languages": {"c": False}}}, lambda c: c.inline.languages == NO_C_NO_SQL),
    ({"inline": {"ignore": ["b"]}}, lambda c: c.inline.ignore == ["*.env", "b"]),
    ({"inline": {"ignore": []}}, lambda c: c.inline.ignore == ["*.env"]),
]
NO_C_NO_SQL = {"sql": False, "c": False}


@pytest.mark.parametrize(("workspace", "holds"), ALLOWED)
def test_a_workspace_may_choose_and_restrict(workspace: object, holds: Any):
    store = with_workspace(workspace)
    assert store.problems == []
    assert holds(store.config)


FORBIDDEN = [
    ({"providers": {"openai": {"baseUrl": "https://evil.example"}}}, "providers.openai.baseUrl"),
    ({"providers": {"openai": {"endpoint": "https://evil.example"}}}, "providers.openai.baseUrl"),
    ({"providers": {"openai": {"apiKey": {"command": ["sh"]}}}}, "providers.openai.apiKey"),
    ({"providers": {"openai": {"headers": {"a": "b"}}}}, "providers.openai.headers"),
    ({"providers": {"openai": {"kind": "groq"}}}, "providers.openai.kind"),
    ({"providers": {"local": {"modelPath": "/tmp/x"}}}, "providers.local.modelPath"),
    ({"providers": {"evil": {"model": "m"}}}, "providers.evil"),
    ({"providers": {"groq": {"kind": "openai"}}}, "providers.groq"),
    ({"http": {"proxy": "http://evil.example"}}, "http"),
    ({"http": {"caBundle": "/tmp/ca.pem"}}, "http"),
    ({"http": {"allowPlainHttp": ["evil"]}}, "http"),
    ({"routes": [{"pattern": "*", "providers": ["openai"]}]}, "routes"),
    ({"fallback": {"chain": ["openai"]}}, "fallback"),
    ({"retry": {"attempts": 99}}, "retry"),
    ({"limits": {"openai": {"maxConcurrent": 9}}}, "limits"),
    ({"budget": {"usdPerDay": 1000}}, "budget"),
    ({"timeouts": {"total": 9000}}, "timeouts"),
    ({"models": {"openai/m": {"contextWindow": 5}}}, "models"),
    ({"inline": {"maxTokens": 101}}, "inline.maxTokens"),
    ({"inline": {"debounceMs": 0}}, "inline.debounceMs"),
    ({"inline": {"languages": {"sql": True}}}, "inline.languages.sql"),
    ({"inline": {"provider": "openai"}}, "inline.provider"),
    ({"inline": {"model": "m"}}, "inline.model"),
    ({"inline": {"mode": "chat"}}, "inline.mode"),
    ({"inline": {"fimTemplate": "{prefix}"}}, "inline.fimTemplate"),
    ({"actions": {"maxTokens": 9000}}, "actions.maxTokens"),
    ({"actions": {"contextTokens": 9000}}, "actions.contextTokens"),
    ({"actions": {"provider": "openai"}}, "actions.provider"),
    ({"actions": {"model": "m"}}, "actions.model"),
]


@pytest.mark.parametrize(("workspace", "path"), FORBIDDEN, ids=[str(f[0])[:60] for f in FORBIDDEN])
def test_everything_else_is_ignored_and_reported(workspace: object, path: str):
    store = with_workspace(workspace)
    assert [(p.path, p.source) for p in store.problems] == [(path, "workspace settings")]
    assert store.problems[0].message.endswith("ignored")
    assert store.config == with_workspace(None).config


def test_a_workspace_cannot_enable_what_the_user_disabled():
    user = {"inline": {"enabled": False}}
    store = with_workspace({"inline": {"enabled": True}}, user)
    assert not store.config.inline.enabled
    assert store.problems[0].path == "inline.enabled"


def test_a_workspace_may_have_fewer_and_smaller_edits():
    store = with_workspace({"actions": {"enabled": False, "maxTokens": 50, "contextTokens": 200}})
    actions = store.config.actions
    assert (actions.enabled, actions.max_tokens, actions.context_tokens) == (False, 50, 200)
    assert store.problems == []
    off = with_workspace({"actions": {"enabled": True}}, {"actions": {"enabled": False}})
    assert not off.config.actions.enabled
    assert off.problems[0].path == "actions.enabled"


def test_repeating_what_the_user_says_is_no_problem():
    """Editors answer with the user's and the workspace's settings in one."""
    store = with_workspace(USER)
    assert store.problems == []
    assert store.config == with_workspace(None).config


def test_a_bad_workspace_destination_does_not_refuse_the_provider():
    store = with_workspace({"providers": {"openai": {"baseUrl": "nonsense", "model": "m"}}})
    assert store.config.refused == {}
    assert store.config.providers["openai"].model == "m"
    assert [p.path for p in store.problems] == ["providers.openai.baseUrl"]


def test_every_field_there_is_has_been_decided_about():
    """A new field of the configuration must not become a workspace's by default."""
    decided = {"default", "providers", "inline", "actions"} | {path for _, path in FORBIDDEN}
    assert set(Config.__struct_fields__) - {"refused"} <= decided


def test_taking_the_workspace_away():
    store = with_workspace({"default": "openai"})
    store.set_workspace(None)
    assert store.config.default == "local"


def test_a_section_with_its_name_around_it():
    assert with_workspace({"aiSidecar": {"default": "openai"}}).config.default == "openai"


def test_plain_http_is_allowed_in_the_user_file_alone(tmp_path: Path):
    """What an editor starts a server with may have a workspace's files mixed in."""
    file = tmp_path / "config.toml"
    file.write_text('[http]\nallowPlainHttp = ["mine"]\n')
    store = ConfigStore({}, file)
    store.set_initialization_options({"http": {"allowPlainHttp": ["evil"], "idleSeconds": 5}})
    assert store.config.http.allow_plain_http == ["mine"]
    assert store.config.http.idle_seconds == 5
    assert [p.path for p in store.problems] == ["http.allowPlainHttp"]
    store.set_initialization_options({"http": {"allowPlainHttp": ["mine"]}})
    assert store.problems == []
