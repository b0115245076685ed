"""A bad value costs itself and nothing else; the problem says where, what and from where."""

from pathlib import Path

import pytest

from sidecar.config import Config, ConfigStore
from sidecar.config.problems import ConfigProblem

NO_FILE = Path("/nonexistent/ai-sidecar/config.toml")


def problems_of(options: object) -> list[ConfigProblem]:
    store = ConfigStore({}, NO_FILE)
    store.set_initialization_options(options)
    return store.problems


def config_of(options: object) -> Config:
    store = ConfigStore({}, NO_FILE)
    store.set_initialization_options(options)
    return store.config


KEY = (
    "a key (text, or one of { env = … }, { command = […] }, { file = … }, { keyring = … })"
    " or a list of keys"
)

BAD = [
    ({"default": 7}, "default", "expected text, got a number"),
    ({"timeouts": {"connect": -1}}, "timeouts.connect", "expected a number above 0, got -1"),
    ({"timeouts": {"connect": True}}, "timeouts.connect", "expected a number above 0, got true"),
    ({"timeouts": 5}, "timeouts", "expected a table, got a number"),
    ({"timeouts": []}, "timeouts", "expected a table, got a list"),
    (
        {"timeouts": {"total": float("inf")}},
        "timeouts.total",
        "expected a number above 0, got a number",
    ),
    (
        {"retry": {"attempts": 2.5}},
        "retry.attempts",
        "expected a whole number of at least 1, got 2.5",
    ),
    (
        {"budget": {"warnAt": 2}},
        "budget.warnAt",
        "expected a number of at least 0 and of at most 1, got 2",
    ),
    ({"budgt": {}}, "budgt", "unknown key: did you mean `budget`?"),
    ({"qqqqqq": {}}, "qqqqqq", "unknown key"),
    ({"retry": {"q": 1}}, "retry.q", "unknown key: expected one of `attempts`, `maxWaitMs`"),
    ("text", "initializationOptions", "expected a table, got other text"),
    ({"refused": {"openai": "x"}}, "refused", "unknown key"),
    (
        {"inline": {"mode": "fimm"}},
        "inline.mode",
        'expected one of "auto", "fim", "chat", got "fimm"',
    ),
    (
        {"inline": {"languages": {"python": "no"}}},
        "inline.languages.python",
        "expected true or false, got other text",
    ),
    ({"inline": {"ignore": "*.env"}}, "inline.ignore", "expected a list of text, got other text"),
    (
        {"http": {"caBundle": "certs/ca.pem"}},
        "http.caBundle",
        "expected an absolute path, or one that begins with ~, got other text",
    ),
    (
        {"http": {"noProxy": 5}},
        "http.noProxy",
        "expected text or a list of text, got a number",
    ),
    (
        {"models": {"a/b": {"prices": {"inputPerMToks": 1}}}},
        'models."a/b".prices.inputPerMToks',
        "unknown key: did you mean `inputPerMTok`?",
    ),
    ({"providers": {"openai": "key"}}, "providers.openai", "expected a table, got other text"),
    (
        {"providers": {"openai": {"apiKey": {"enw": "X"}}}},
        "providers.openai.apiKey",
        f"expected {KEY}, got a table of `enw`",
    ),
    (
        {"providers": {"openai": {"apiKey": {"env": "X", "file": "y"}}}},
        "providers.openai.apiKey",
        f"expected {KEY}, got a table of `env`, `file`",
    ),
    (
        {"providers": {"openai": {"apiKey": ["a", 5]}}},
        "providers.openai.apiKey",
        f"expected {KEY}, got a list",
    ),
    (
        {"providers": {"openai": {"headers": {"X-A": 1}}}},
        "providers.openai.headers.X-A",
        "expected text, got a number",
    ),
    (
        {"providers": {"openai": {"baseUrl": "api.example.com/v1"}}},
        "providers.openai.baseUrl",
        "expected an http:// or https:// address without user and password, got other text",
    ),
    *(
        (
            {"providers": {"openai": {"baseUrl": f"https://{host}/v1"}}},
            "providers.openai.baseUrl",
            "expected an http:// or https:// address without user and password, got other text",
        )
        for host in ("user:secret@example.com", "user@example.com")
    ),
    (
        {"providers": {"bedrock": {"region": "US EAST"}}},
        "providers.bedrock.region",
        "expected small letters, digits and hyphens, got other text",
    ),
    ({"routes": [{"pattern": "a"}]}, "routes[0]", "expected `providers`"),
    ({"routes": {"pattern": "a"}}, "routes", "expected a list of tables, got a table of `pattern`"),
    ({"routes": ["a"]}, "routes[0]", "expected a table, got other text"),
    (
        {"providers": {"opnai": {"model": "x"}}},
        "providers.opnai",
        "expected `kind`: did you mean `openai`?",
    ),
    (
        {"providers": {"x": {"kind": "vlm"}}},
        "providers.x",
        'expected a kind of provider, got kind = "vlm": did you mean `vllm`?',
    ),
    (
        {"providers": {"x": {"kind": "openai-compatible"}}},
        "providers.x",
        "expected `baseUrl`: this kind has no address of its own",
    ),
    (
        {"default": "anthropc/claude"},
        "default",
        'expected a configured provider, or "provider/model": did you mean `anthropic`?',
    ),
    (
        {"fallback": {"chain": ["local", "zzzzz/m"]}},
        "fallback.chain[1]",
        'expected a configured provider, or "provider/model"',
    ),
]


@pytest.mark.parametrize(("options", "path", "message"), BAD, ids=[b[1] + b[2][:20] for b in BAD])
def test_a_bad_value_is_reported_with_path_and_expectation(
    options: object, path: str, message: str
):
    problems = problems_of(options)
    assert [(p.path, p.message) for p in problems] == [(path, message)]


@pytest.mark.parametrize("nothing", [None, {}, {"default": None}, {"default": ""}])
def test_what_editors_send_for_not_set_is_no_problem(nothing: object):
    assert problems_of(nothing) == []


def test_the_rest_of_a_table_applies():
    config = config_of(
        {
            "timeouts": {"connect": "soon", "idle": 5},
            "routes": [
                {"pattern": "a", "providers": ["openai"], "strategy": "roundrobin"},
                {"pattern": "b", "providers": "openai"},
                {"pattern": "c", "providers": ["groq", {"provider": "openai", "weight": 2}]},
            ],
            "providers": {"openai": {"model": 5, "organization": "org", "apiKey": "sk-1"}},
        }
    )
    assert (config.timeouts.connect, config.timeouts.idle) == (10.0, 5.0)
    assert [(r.pattern, r.strategy) for r in config.routes] == [
        ("a", "priority"),
        ("c", "priority"),
    ]
    openai = config.providers["openai"]
    assert (openai.model, openai.organization, openai.api_key) == (None, "org", "sk-1")


def test_a_problem_names_its_provider():
    (problem,) = problems_of({"providers": {"groq": {"model": 5}}})
    assert problem.provider == "groq"
    (problem,) = problems_of({"timeouts": {"idle": 0}})
    assert problem.provider is None


def test_three_and_three_point_zero_are_the_same():
    assert config_of({"retry": {"attempts": 4.0}}).retry.attempts == 4


@pytest.mark.parametrize(
    "path", ["/etc/ca.pem", "~/ca.pem", r"C:\ca.pem", "c:/ca.pem", r"\\host\x"]
)
def test_an_absolute_path(path: str):
    assert config_of({"http": {"caBundle": path}}).http.ca_bundle == path


def test_endpoint_is_base_url():
    config = config_of({"providers": {"azure": {"endpoint": "https://x.openai.azure.com"}}})
    assert config.providers["azure"].base_url == "https://x.openai.azure.com"
    assert config.providers["azure"].endpoint is None


def test_endpoint_of_a_stronger_layer_overrides_base_url_of_a_weaker():
    environ = {"AZURE_OPENAI_ENDPOINT": "https://a.example", "AZURE_OPENAI_API_KEY": "k"}
    store = ConfigStore(environ, NO_FILE)
    store.set_initialization_options({"providers": {"azure": {"endpoint": "https://b.example"}}})
    assert store.config.providers["azure"].base_url == "https://b.example"


def test_endpoint_and_base_url_that_disagree():
    (problem,) = problems_of(
        {"providers": {"azure": {"endpoint": "https://a.example", "baseUrl": "https://b.example"}}}
    )
    assert problem.path == "providers.azure.endpoint"


@pytest.mark.parametrize("field", ["baseUrl", "endpoint", "region", "location", "kind"])
def test_a_provider_whose_destination_is_wrong_is_refused(field: str):
    config = config_of({"providers": {"bedrock": {field: ["?"], "apiKey": "k-123456"}}})
    assert config.refused["bedrock"].startswith(f"providers.bedrock.{field}: expected")
    assert config.providers_config().refused == config.refused


def test_a_stronger_layer_heals_a_destination(tmp_path):
    file = tmp_path / "config.toml"
    file.write_text('[providers.openai]\nbaseUrl = "nonsense"\n')
    store = ConfigStore({}, file)
    assert "openai" in store.config.refused
    store.set_initialization_options({"providers": {"openai": {"baseUrl": "https://x.example"}}})
    assert store.config.refused == {}
    assert store.config.providers["openai"].base_url == "https://x.example"
    store.set_initialization_options({"providers": {"openai": {"endpoint": "https://y.example"}}})
    assert store.config.refused == {}


def test_a_wrong_destination_in_a_stronger_layer_refuses_what_a_weaker_one_said(tmp_path):
    file = tmp_path / "config.toml"
    file.write_text('[providers.openai]\nbaseUrl = "https://gateway.example"\n')
    store = ConfigStore({}, file)
    store.set_initialization_options({"providers": {"openai": {"baseUrl": 42}}})
    assert "openai" in store.config.refused
    assert store.config.providers["openai"].base_url == "https://gateway.example"
