"""The examples do what they say: programs against the mock provider, configurations on loopback."""

import asyncio
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from providers.manager import ProviderManager, Target
from providers.settings import ProvidersConfig
from providers.types import RetryNotice
from sidecar.config.clean import Cleaner
from sidecar.config.model import Config
from tests.contract.process import PROGRAM, environment
from tests.http.server import RawServer
from tests.vendors.talk import ANSWER, as_json, ask, said_no

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
CONFIGS = sorted((EXAMPLES / "config").glob("*.toml"))
NODE = shutil.which("node")
MOCK = 'default = "mock"\n[providers.mock]\n'


def run(folder: Path, *command: str, config: str = MOCK) -> "subprocess.CompletedProcess[str]":
    """Run an example as a user would, with `ai-sidecar` on PATH and a configuration of its own."""
    file = folder / "config" / "ai-sidecar" / "config.toml"
    file.parent.mkdir(parents=True)
    file.write_text(config)
    variables = environment(folder)
    variables["PATH"] = f"{PROGRAM.parent}{os.pathsep}{variables['PATH']}"
    variables["PYTHONPATH"] = str(ROOT)
    return subprocess.run(
        command,
        cwd=ROOT,
        env=variables,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=30,
        check=False,
    )


CLIENTS = [
    pytest.param([sys.executable, "examples/lsp_client.py"], id="python"),
    pytest.param(
        [NODE or "node", "examples/lsp_client.mjs"],
        id="node",
        marks=pytest.mark.skipif(NODE is None, reason="there is no node here"),
    ),
]


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_streams_an_answer(client: list[str], tmp_path: Path) -> None:
    done = run(tmp_path, *client, "so many", "words — ü")
    assert (done.returncode, done.stdout, done.stderr) == (0, "so many words — ü\n", "")


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_tells_what_went_wrong(client: list[str], tmp_path: Path) -> None:
    done = run(tmp_path, *client, config='default = "mock/error-quota"\n[providers.mock]\n')
    assert (done.returncode, done.stderr) == (1, "a scripted error of kind quota\n")


def test_the_first_example_is_as_short_as_it_says() -> None:
    lines = (EXAMPLES / "lsp_client.py").read_text("utf-8").splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("import"))
    assert len([line for line in lines[start:] if line.strip()]) <= 45


def test_the_library_without_an_editor(tmp_path: Path) -> None:
    config = tmp_path / "providers.toml"
    config.write_text(
        '[providers.first]\nkind = "mock"\nmodel = "error-overloaded"\n'
        '[providers.second]\nkind = "mock"\n[fallback]\nchain = ["first", "second"]\n'
        "[retry]\nattempts = 1\n"
    )
    done = run(tmp_path, sys.executable, "examples/library.py", str(config), "good day")
    assert (done.returncode, done.stdout) == (0, "good day"), done.stderr
    assert "[first: overloaded, trying on]" in done.stderr and "second/echo" in done.stderr


# --- configurations -----------------------------------------------------------------------------


@pytest.mark.parametrize("file", CONFIGS, ids=lambda file: file.stem)
def test_a_configuration_is_right(file: Path) -> None:
    cleaner = Cleaner(file.name)
    cleaner.table(Config, tomllib.loads(file.read_text("utf-8")))
    assert cleaner.problems == []


def test_the_page_names_every_example() -> None:
    page = (EXAMPLES / "README.md").read_text("utf-8")
    files = [*EXAMPLES.glob("*.py"), *EXAMPLES.glob("*.mjs"), *CONFIGS]
    assert all(f"({file.relative_to(EXAMPLES).as_posix()})" in page for file in files)


def load(name: str, **changes: dict[str, Any]) -> ProvidersConfig:
    """Return a configuration with the tables of some providers changed, and nothing of `inline`."""
    config = tomllib.loads((EXAMPLES / "config" / f"{name}.toml").read_text("utf-8"))
    config.pop("inline", None)
    for provider, table in changes.items():
        config["providers"].setdefault(provider, {}).update(table)
    return msgspec.convert(config, ProvidersConfig)


@pytest.mark.asyncio
async def test_failover_goes_down_the_chain() -> None:
    broken = await RawServer.start(said_no(401, "no"))
    works = await RawServer.start(ANSWER)
    at = {"baseUrl": broken.origin, "apiKey": "k"}
    openai = {"baseUrl": f"{works.origin}/v1", "apiKey": "k", "api": "chat"}
    config = load("failover", anthropic=at, bedrock=at, openai=openai)
    manager = ProviderManager(config, environ={})
    run = manager.stream(ask(), Target())
    retries = [t async for tokens in run for t in tokens if isinstance(t, RetryNotice)]
    assert [notice.provider for notice in retries] == ["anthropic", "bedrock"]
    assert (run.outcome.provider, run.outcome.response.text) == ("openai", "Hello")
    await manager.aclose()
    await asyncio.gather(broken.aclose(), works.aclose())


@pytest.mark.asyncio
async def test_keys_take_turns() -> None:
    server = await RawServer.start(ANSWER)
    table = {"apiKey": ["key-one", "key-two", "key-three"], "baseUrl": f"{server.origin}/v1"}
    config = load("several-keys", openai={**table, "api": "chat"})
    manager = ProviderManager(config, environ={})
    for _ in range(3):
        async for _ in manager.stream(ask(), Target("openai")):
            pass
    sent = [request.headers["authorization"] for request in server.requests]
    assert sorted(sent) == ["Bearer key-one", "Bearer key-three", "Bearer key-two"]
    await manager.aclose()
    await server.aclose()


@pytest.mark.asyncio
async def test_a_server_of_ones_own_needs_no_key_and_no_model() -> None:
    server = await RawServer.start(as_json({"data": [{"id": "served"}]}), ANSWER)
    manager = ProviderManager(load("vllm", vllm={"baseUrl": f"{server.origin}/v1"}), environ={})
    run = manager.stream(ask(), Target())
    async for _ in run:
        pass
    assert (run.outcome.provider, run.outcome.response.text) == ("vllm", "Hello")
    assert "authorization" not in server.requests[-1].headers
    await manager.aclose()
    await server.aclose()


def test_a_budget_is_one() -> None:
    config = load("budget")
    assert (config.budget.usd_per_day, config.budget.warn_at) == (5.0, 0.8)
    price = config.models["openai/my-finetune"].prices
    assert price is not None and (price.input_per_m_tok, price.output_per_m_tok) == (3.75, 15.0)
    assert config.limits["openai"].max_concurrent == 4
