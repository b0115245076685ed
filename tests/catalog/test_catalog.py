"""What the catalog says of models by every spelling, and that it never makes anything up."""

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from providers.base import Price
from providers.catalog import Catalog
from providers.catalog import catalog as loader
from providers.settings import ModelSettings, PriceSettings
from tests.conftest import ROOT

KINDS = sorted(path.stem for path in loader._DATA.glob("*.json"))


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog({})


@pytest.mark.parametrize(
    ("kind", "asked", "same_as"),
    [
        ("openai", "gpt-4o-2024-08-06", "gpt-4o"),
        ("openai", "gpt-4-0613", "gpt-4"),
        ("openai", "gpt-3.5-turbo-0125", "gpt-3.5-turbo"),
        ("openai", "GPT-5", "gpt-5"),
        ("azure", "gpt-4.1-mini", "gpt-4.1-mini"),
        ("anthropic", "claude-sonnet-4-5-20250929", "claude-sonnet-4-5"),
        ("anthropic", "claude-haiku-4-5", "claude-haiku-4-5-20251001"),
        ("anthropic", "claude-3-5-haiku-latest", "claude-3-5-haiku-20241022"),
        ("gemini", "models/gemini-2.5-flash", "gemini-2.5-flash"),
        ("gemini", "gemini-1.5-flash-8b-001", "gemini-1.5-flash-8b"),
        ("gemini", "gemini-2.5-flash-preview-05-20", "gemini-2.5-flash"),
        ("vertex", "publishers/google/models/gemini-2.5-pro", "gemini-2.5-pro"),
        ("vertex", "claude-sonnet-4-5", "claude-sonnet-4-5@20250929"),
        ("bedrock", "us.anthropic.claude-sonnet-4-6", "anthropic.claude-sonnet-4-6"),
        ("bedrock", "amazon.titan-text-express-v1", "amazon.titan-text-express-v1:0"),
        ("bedrock", "anthropic.claude-v2:1:200k", None),
        (
            "bedrock",
            "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/"
            "eu.anthropic.claude-haiku-4-5-20251001-v1:0",
            "anthropic.claude-haiku-4-5-20251001-v1:0",
        ),
        ("aws", "openai.gpt-oss-120b", "openai.gpt-oss-120b-1:0"),
        ("xai", "grok-4", "grok-4-0709"),
        ("mistral", "mistral-large-2411", "mistral-large-latest"),
        ("fireworks", "kimi-k2-thinking", "accounts/fireworks/models/kimi-k2-thinking"),
    ],
)
def test_spellings_of_one_model(
    catalog: Catalog, kind: str, asked: str, same_as: str | None
) -> None:
    found = catalog.find(kind, asked)
    if same_as is None:
        assert found is None
        return
    expected = catalog.find(kind, same_as)
    assert found is not None and expected is not None
    assert found.id == asked
    assert msgspec.structs.replace(found, id=same_as) == expected


@pytest.mark.parametrize(
    ("kind", "asked"),
    [
        ("openai", "gpt-6"),
        ("openai", "gpt-4o-mega"),
        ("openai", "ft:gpt-4o:me::abc"),
        ("openai", ""),
        ("anthropic", "claude"),
        ("anthropic", "claude-3"),
        ("gemini", "gemini-9-pro"),
        ("bedrock", "anthropic.claude-v3:0"),
        (
            "bedrock",
            "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3d4e5f6",
        ),
        ("openrouter", "deepseek/deepseek-chat:free"),
        ("openrouter", "nobody/gpt-5"),
        ("my-own-vllm", "gpt-5"),
        ("../data/openai", "gpt-5"),
    ],
)
def test_an_unknown_model_is_nothing(catalog: Catalog, kind: str, asked: str) -> None:
    assert catalog.find(kind, asked) is None
    assert catalog.price(kind, asked) is None


def test_a_dated_id_with_its_own_row_keeps_its_own_price(catalog: Catalog) -> None:
    old, new = catalog.price("openai", "gpt-4o-2024-05-13"), catalog.price("openai", "gpt-4o")
    assert old is not None and new is not None and old.input > new.input


def test_undated_names_mean_the_newest_that_is_served() -> None:
    table = loader._Table(
        [
            loader._Row("m-2026-01-01", retired=True),
            loader._Row("m-2025-01-01"),
            loader._Row("m-2024-01-01"),
            loader._Row("m-2025-06-01:thinking", variant=True),
        ]
    )
    found = table.find("m-latest")
    assert found is not None and found.id == "m-2025-01-01"


def test_undated_names_prefer_what_is_still_served(catalog: Catalog) -> None:
    model = catalog.find("gemini", "gemini-2.5-pro-preview-01-01")
    assert model is not None and not model.retired


def test_openrouter_passes_the_makers_price_through(catalog: Catalog) -> None:
    for asked, kind, home in [
        ("anthropic/claude-opus-4.1", "anthropic", "claude-opus-4-1-20250805"),
        ("openai/o4-mini", "openai", "o4-mini"),
        ("google/gemini-3-flash-preview", "gemini", "gemini-3-flash-preview"),
    ]:
        assert catalog.price("openrouter", asked) == catalog.price(kind, home) is not None


def test_the_local_model_is_known_to_cost_nothing(catalog: Catalog) -> None:
    assert catalog.price("local", "anything") == Price(0.0, 0.0)
    assert catalog.price("ollama", "anything") is None


@pytest.mark.parametrize(
    ("kind", "model", "retired"),
    [
        ("gemini", "gemini-1.5-flash-8b", True),
        ("gemini", "gemini-1.5-pro", True),
        ("xai", "grok-beta", True),
        ("xai", "grok-2", True),
        ("perplexity", "sonar", False),
        ("perplexity", "sonar-pro", False),
        ("openai", "gpt-3.5-turbo", False),
        ("openai", "gpt-4", False),
        ("openai", "gpt-4-turbo", False),
        ("openai", "o1", False),
        ("anthropic", "claude-3-opus-20240229", True),
        ("anthropic", "claude-3-sonnet-20240229", True),
        ("anthropic", "claude-3-haiku-20240307", True),
        ("bedrock", "amazon.titan-text-express-v1:0", True),
        ("bedrock", "meta.llama3-1-70b-instruct-v1:0", False),
        ("groq", "llama-3.3-70b-versatile", False),
    ],
)
def test_the_specified_models_are_there(
    catalog: Catalog, kind: str, model: str, retired: bool
) -> None:
    found = catalog.find(kind, model)
    assert found is not None and found.context_window and found.price
    assert found.retired is retired
    assert model in [listed.id for listed in catalog.models(kind)]


def test_gemini_has_a_window_of_two_million(catalog: Catalog) -> None:
    model = catalog.find("gemini", "gemini-1.5-pro")
    assert model is not None and model.context_window == 2_097_152


@pytest.mark.parametrize("kind", KINDS)
def test_every_row_makes_sense(catalog: Catalog, kind: str) -> None:
    models = catalog.models(kind)
    assert models
    assert [m.retired for m in models] == sorted(m.retired for m in models)
    for model in models:
        assert model.provider == kind
        assert model.context_window and model.context_window >= 4000, model
        assert (model.max_output_tokens or 1) <= model.context_window, model
        assert ":thinking" not in model.id
        price = model.price
        while price is not None:
            assert 0 <= price.input <= price.output, model
            # A cached token is never dearer than a fresh one; writing may be, by a quarter.
            assert price.cache_read is None or 0 < price.cache_read <= price.input, model
            assert price.cache_write is None or price.cache_write <= price.input * 1.25, model
            assert price.beyond is None or price.beyond.input > price.input, model
            assert (price.beyond is None) == (price.beyond_tokens is None), model
            price = price.beyond


def test_the_configuration_beats_the_catalog() -> None:
    catalog = Catalog(
        {
            "work/gpt-4o": ModelSettings(context_window=64000),
            "work/gpt-5": ModelSettings(
                prices=PriceSettings(input_per_m_tok=1.0, output_per_m_tok=2.0)
            ),
            "work/gpt-5.4": ModelSettings(prices=PriceSettings(cache_read_per_m_tok=0.2)),
            "work/house": ModelSettings(context_window=9000, max_output_tokens=900),
            "work/half": ModelSettings(prices=PriceSettings(input_per_m_tok=1.0)),
            "other/gpt-4.1": ModelSettings(context_window=1),
        }
    )
    window = catalog.find("openai", "gpt-4o-2024-08-06", "work")
    plain = Catalog({}).find("openai", "gpt-4o")
    assert window is not None and plain is not None
    assert (window.context_window, window.price) == (64000, plain.price)
    assert window.provider == "work"
    # The same model elsewhere is untouched.
    elsewhere = catalog.find("openai", "gpt-4o")
    assert elsewhere is not None and elsewhere.context_window == plain.context_window

    priced = catalog.price("openai", "gpt-5", "work")
    assert priced == Price(1.0, 2.0, cache_read=0.125)
    tiered = catalog.price("openai", "gpt-5.4", "work")
    assert tiered is not None and tiered.cache_read == 0.2 and tiered.beyond_tokens == 272_000
    own = catalog.find("openai", "house", "work")
    assert own is not None and (own.context_window, own.price) == (9000, None)
    assert catalog.price("openai", "half", "work") is None

    listed = [model.id for model in catalog.models("openai", "work")]
    assert listed[:2] == ["gpt-4o", "gpt-5"] and listed.count("gpt-5") == 1
    assert {"house", "half", "gpt-4.1"} <= set(listed)


def test_a_provider_without_a_table_lists_what_is_configured() -> None:
    catalog = Catalog({"my-vllm/qwen": ModelSettings(context_window=32768)})
    assert [m.id for m in catalog.models("openai-compatible", "my-vllm")] == ["qwen"]
    assert catalog.models("openai-compatible", "another") == []


def test_tables_are_read_on_first_need_only(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    real = loader._read
    monkeypatch.setattr(loader, "_read", lambda kind: read.append(kind) or real(kind))
    catalog = Catalog({})
    assert read == []
    catalog.find("openai", "gpt-5")
    catalog.find("azure", "gpt-4o-2024-08-06")
    assert read == ["openai"]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc for the resident size")
def test_ten_tables_take_less_than_a_megabyte() -> None:
    program = """if True:
        import gc
        from providers.catalog import Catalog
        def rss():
            with open("/proc/self/smaps_rollup") as file:
                return next(int(line.split()[1]) for line in file if line.startswith("Rss"))
        gc.collect()
        before = rss()
        catalog = Catalog({})
        for kind in ("openai", "azure", "anthropic", "gemini", "vertex", "bedrock", "xai",
                     "openrouter", "groq", "perplexity"):
            catalog.find(kind, "no-such-model")
        print(rss() - before)
    """
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) < 1024, f"{done.stdout.strip()} kB"


def test_the_tables_are_what_the_script_makes(shared: Path, tmp_path: Path) -> None:
    """Rebuilding from the recorded tables changes nothing: no figure was edited by hand."""
    program = (
        "import sys, pathlib; sys.path.insert(0, 'tools'); import build_catalog as b;"
        "b.DATA = pathlib.Path(sys.argv[1]); b.main(pathlib.Path(sys.argv[2]))"
    )
    subprocess.run(
        [sys.executable, "-c", program, str(tmp_path), str(shared / "parity" / "models")],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    made = {path.name: path.read_bytes() for path in tmp_path.glob("*.json")}
    kept = {path.name: path.read_bytes() for path in loader._DATA.glob("*.json")}
    assert made == kept
