"""The environment as the weakest layer."""

from pathlib import Path

from providers.auth.env import PROVIDER_ENV, configured_kinds, environment_settings, key_names
from providers.registry import KINDS
from providers.settings import KeySource
from sidecar.config import ConfigStore

NO_FILE = Path("/nonexistent/ai-sidecar/config.toml")


def store(environ: dict[str, str], options: object = None) -> ConfigStore:
    made = ConfigStore(environ, NO_FILE)
    made.set_initialization_options(options)
    return made


def test_a_key_in_the_environment_configures_its_provider():
    config = store({"GROQ_API_KEY": "secret"}).config
    assert list(config.providers) == ["groq"]
    assert config.providers["groq"].api_key == KeySource(env="GROQ_API_KEY")


def test_every_kind_with_a_key_variable_of_its_own_is_configured_by_it():
    needs_more = {"azure", "ollama"}
    for kind, names in PROVIDER_ENV.items():
        if names.configured_by == () or kind in needs_more:
            continue
        for name in names.keys:
            assert kind in configured_kinds({name: "x"}), (kind, name)


def test_variables_set_for_other_programs_configure_nothing():
    environ = {
        "GITHUB_TOKEN": "x",
        "HF_TOKEN": "x",
        "AWS_REGION": "eu-west-1",
        "AWS_PROFILE": "x",
        "GOOGLE_CLOUD_PROJECT": "x",
        "OPENAI_BASE_URL": "https://x.example",
    }
    assert store(environ).config.providers == {}


def test_but_they_count_for_a_provider_that_is_named():
    config = store({"GITHUB_TOKEN": "x"}, {"providers": {"github-models": {}}}).config
    assert config.providers["github-models"].api_key == KeySource(env="GITHUB_TOKEN")


def test_providers_come_in_the_order_of_their_rows():
    environ = {"GROQ_API_KEY": "x", "ANTHROPIC_API_KEY": "x", "OPENAI_API_KEY": "x"}
    options = {"providers": {"second": {"kind": "gemini", "apiKey": "k"}, "groq": {"model": "m"}}}
    assert list(store(environ, options).config.providers) == [
        "openai",
        "anthropic",
        "second",
        "groq",
    ]


def test_a_stronger_layer_overrides_the_environment_and_keeps_the_rest():
    environ = {"OPENAI_API_KEY": "x", "OPENAI_BASE_URL": "https://env.example/v1"}
    options = {"providers": {"openai": {"apiKey": {"command": ["op", "read"]}, "model": "m"}}}
    openai = store(environ, options).config.providers["openai"]
    assert openai.api_key == KeySource(command=["op", "read"])
    assert openai.base_url == "https://env.example/v1"
    assert openai.model == "m"


def test_a_second_account_takes_the_environments_address_only_with_its_key():
    environ = {"OPENAI_API_KEY": "x", "OPENAI_BASE_URL": "https://env.example/v1"}
    options = {"providers": {"a": {"kind": "openai"}, "b": {"kind": "openai", "apiKey": "k"}}}
    providers = store(environ, options).config.providers
    assert providers["a"].base_url == "https://env.example/v1"
    assert providers["b"].base_url is None


def test_a_name_that_is_used_for_another_kind_does_not_take_its_namesakes_variables():
    environ = {"OPENAI_API_KEY": "x", "OPENAI_BASE_URL": "https://env.example/v1"}
    options = {
        "providers": {"openai": {"kind": "openai-compatible", "baseUrl": "http://127.0.0.1:1"}}
    }
    openai = store(environ, options).config.providers["openai"]
    assert (openai.api_key, openai.base_url) == (None, "http://127.0.0.1:1")


def test_a_bad_variable_is_reported_by_its_name():
    environ = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "eu/west"}
    made = store(environ)
    assert {(p.path, p.source) for p in made.problems} == {
        ("providers.bedrock.region", "environment variable AWS_REGION"),
        ("providers.aws.region", "environment variable AWS_REGION"),
    }
    assert set(made.config.refused) == {"bedrock", "aws"}


def test_no_value_of_a_key_is_kept():
    made = store({"ANTHROPIC_AUTH_TOKEN": "canary-secret-1", "AZURE_OPENAI_AD_TOKEN": "canary-2"})
    assert made.config.providers["anthropic"].auth_token == KeySource(env="ANTHROPIC_AUTH_TOKEN")
    assert "canary" not in repr(made.config) + str(made.problems)


def test_ollama_host_is_read_as_ollamas_clients_read_it():
    expected = {
        "127.0.0.1": "http://127.0.0.1:11434",
        "box:9000": "http://box:9000",
        "http://box": "http://box",
        "https://box:1/path/": "https://box:1/path",
        ":9000": "http://127.0.0.1:9000",
        "0.0.0.0": "http://127.0.0.1:11434",
        "[::1]:9000": "http://[::1]:9000",
        "::1": "http://[::1]:11434",
    }
    for said, meant in expected.items():
        (setting,) = environment_settings("ollama", {"OLLAMA_HOST": said})
        assert setting.value == meant


def test_groqs_bare_host_gets_its_path():
    settings = environment_settings("groq", {"GROQ_BASE_URL": "https://api.groq.com"})
    assert settings[0].value == "https://api.groq.com/openai/v1"
    settings = environment_settings("groq", {"GROQ_BASE_URL": "http://gateway/groq"})
    assert settings[0].value == "http://gateway/groq"


def test_the_first_variable_that_is_set_counts():
    assert key_names("gemini") == ("GEMINI_API_KEY", "GOOGLE_API_KEY")
    (setting,) = environment_settings("gemini", {"GEMINI_API_KEY": " ", "GOOGLE_API_KEY": "x"})
    assert setting.variable == "GOOGLE_API_KEY"
    assert key_names("no such kind") == ()


def test_every_kind_of_provider_has_its_row():
    """Else the configuration would call a kind unknown that there is."""
    assert set(KINDS) <= set(PROVIDER_ENV)
