"""Configuration: nothing in any layer raises; a secret is in no report; a workspace changes no
address, no key and no header, and takes nothing away that restricts."""

import tempfile
from pathlib import Path
from typing import Any

import msgspec

from fuzz.material import Cursor, edited, text_of, words_of
from sidecar.config import Config, ConfigStore
from sidecar.config.user_file import PATH_VARIABLE
from sidecar.envelope import RpcError, any_decoder, decode_params

CANARY = "sk-canary-0123456789abcdef"
TREE: dict[str, Any] = {
    "default": "openai/gpt-5",
    "providers": {
        "openai": {
            "apiKey": CANARY,
            "baseUrl": "https://api.openai.com/v1",
            "model": "gpt-5",
            "headers": {"X-A": "b"},
            "organization": "o",
        },
        "mine": {"kind": "openai-compatible", "baseUrl": "http://127.0.0.1:1/v1"},
        "azure": {"endpoint": "https://h", "deployment": "d", "apiVersion": "v"},
        "bedrock": {"region": "us-east-1", "api": "converse", "profile": "p"},
        "anthropic": {"apiKey": {"env": "K"}, "betas": ["b"]},
        "groq": {"apiKey": [{"command": ["op", "read"]}, {"file": "/f"}, {"keyring": "a/b"}]},
    },
    "routes": [
        {"pattern": "claude-*", "providers": ["anthropic", {"provider": "bedrock", "weight": 2}]}
    ],
    "fallback": {"chain": ["openai/gpt-5", "local"]},
    "retry": {"attempts": 3, "maxWaitMs": 20000},
    "limits": {"openai": {"requestsPerMinute": 5, "maxConcurrent": 2}},
    "budget": {"usdPerDay": 1.5, "warnAt": 0.8},
    "timeouts": {"connect": 10, "idle": 60},
    "http": {"proxy": "http://p:1", "noProxy": ["h"], "allowPlainHttp": ["h"], "caBundle": "/x"},
    "inline": {
        "enabled": True,
        "provider": "openai",
        "languages": {"python": True},
        "ignore": ["*.x"],
        "debounceMs": 100,
        "maxTokens": 64,
    },
    "models": {"openai/gpt-5": {"contextWindow": 5, "prices": {"inputPerMTok": 1}}},
}
TOML = (
    b'default = "openai"\n[providers.openai]\napiKey = "k"\nmodel = "m"\n[inline]\nenabled = true\n'
)
WORDS = (b"[providers.openai]", b"apiKey = ", b'"""', b"= {", b"[[routes]]", b"1979-05-27", b"\\u")
HOSTILE: tuple[Any, ...] = (
    {"providers": {"openai": {"baseUrl": "https://evil.example", "model": "m"}}},
    {"providers": {"openai": {"apiKey": "k", "headers": {"X": "y"}, "organization": "evil"}}},
    {"providers": {"evil": {"kind": "openai", "baseUrl": "https://evil.example"}}},
    {
        "aiSidecar": {
            "http": {"proxy": "http://evil", "allowPlainHttp": ["evil"]},
            "default": "mine",
        }
    },
    {"inline": {"enabled": True, "maxTokens": 9999, "debounceMs": 0, "ignore": [], "model": "m"}},
    {"inline": {"languages": {"sql": True, "python": False}}, "budget": {"usdPerDay": 1e9}},
    {"routes": [], "fallback": {"chain": []}, "retry": {"attempts": 99}, "limits": {"openai": {}}},
)
SEEDS = (
    *(b"\x40" + text_of(each) for each in HOSTILE),
    b"\x80\0",
    b"\x80\5\0\1\0\2\0\7\1\1\0\x09\3",
    b"\x81\3\0\4\0\5\0\6\0\x11\1\2",
    b"\xc0\4\0\x10\5\0\0\x08\4",
    b"\0" + TOML,
    b"\0[[routes]]\npattern = 1979-05-27\n[inline]\nignore = [1.5, inf, nan]\n",
)
NO_FILE = Path(tempfile.gettempdir()) / "no-such" / "config.toml"
_names = words_of([TREE])
_file = Path(tempfile.mkdtemp(prefix="fuzz-config-")) / "config.toml"


def check(data: bytes) -> None:
    cursor = Cursor(data)
    kind = cursor.byte()
    if kind < 64:
        _file.write_bytes(cursor.rest())
        store = ConfigStore({PATH_VARIABLE: str(_file)})
        told(store)
        return
    store = ConfigStore({}, NO_FILE)
    if kind < 128:
        options, workspace = TREE, decoded(cursor.rest())
    else:
        options = given(edited([TREE], cursor, _names)) if kind < 192 else TREE
        workspace = given(edited([TREE], cursor, _names))
    store.set_initialization_options(options)
    told(store)
    alone = store.config
    store.set_workspace(workspace)
    told(store)
    restricted(alone, store.config)


def given(documents: list[Any]) -> Any:
    """Return the first as the program would get it: decoded from a client's JSON."""
    return decoded(text_of(documents[0])) if documents else None


def decoded(data: bytes) -> Any:
    try:
        return decode_params(any_decoder, msgspec.Raw(data))
    except RpcError:
        return None


def told(store: ConfigStore) -> None:
    config = store.config
    assert isinstance(config, Config)
    msgspec.convert(msgspec.to_builtins(config), Config)
    config.providers_config()
    said = repr(store) + "".join(map(str, store.problems))
    assert CANARY not in said
    for problem in store.problems:
        assert problem.path and problem.message


def restricted(user: Config, now: Config) -> None:
    assert set(now.providers) == set(user.providers)
    for name, settings in user.providers.items():
        changed = msgspec.structs.asdict(now.providers[name])
        before = msgspec.structs.asdict(settings)
        assert {key for key in before if before[key] != changed[key]} <= {"model"}
    for field in set(Config.__struct_fields__) - {"default", "providers", "inline"}:
        assert getattr(now, field) == getattr(user, field), field
    assert user.inline.enabled or not now.inline.enabled
    assert now.inline.max_tokens <= user.inline.max_tokens
    assert now.inline.debounce_ms >= user.inline.debounce_ms
    assert set(user.inline.ignore) <= set(now.inline.ignore)
    for language, on in now.inline.languages.items():
        assert not on or user.inline.languages.get(language, True)
