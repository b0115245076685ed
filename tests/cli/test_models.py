"""`ai-sidecar models`."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from protocol import ai
from sidecar.cli.models import _ago, run
from tests.cli.commands import config_file, mock_only, write
from tests.http.server import RawServer
from tests.sidecar.harness import Editor
from tests.vendors.talk import as_json

__all__ = ["config_file", "mock_only"]

MOCKS = '[providers.a]\nkind = "mock"\n[providers.b]\nkind = "mock"\n'

_mocks = pytest.mark.usefixtures("mock_only")


@_mocks
def test_a_table_of_every_configured_provider(
    config_file: Path, capsys: pytest.CaptureFixture[str]
):
    write(config_file, MOCKS)
    assert run([]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert " ".join(lines[0].split()) == "PROVIDER MODEL WINDOW OUTPUT $/M IN $/M OUT CAN FROM"
    assert {line.split()[0] for line in lines[1:]} == {"a", "b"}
    assert "echo" in [line.split()[1] for line in lines[1:]]


@_mocks
def test_one_provider(config_file: Path, capsys: pytest.CaptureFixture[str]):
    write(config_file, MOCKS)
    assert run(["--provider", "b"]) == 0
    assert {line.split()[0] for line in capsys.readouterr().out.splitlines()[1:]} == {"b"}


@_mocks
def test_json_is_the_result_of_ai_models(config_file: Path, capsys: pytest.CaptureFixture[str]):
    write(config_file, MOCKS)
    assert run(["--provider", "a", "--json"]) == 0
    result = msgspec.json.decode(capsys.readouterr().out, type=ai.ModelsResult)
    echo = next(model for model in result.models if model.id == "echo")
    assert (echo.provider, echo.supports.streaming, echo.source) == ("a", True, "catalog")


@_mocks
def test_a_provider_that_is_not_there(config_file: Path, capsys: pytest.CaptureFixture[str]):
    assert run(["--provider", "nobody"]) == 1
    captured = capsys.readouterr()
    assert captured.out == "" and "nobody" in captured.err


LISTED = {"data": [{"id": "house-model-7", "context_length": 4096}]}


@pytest.mark.asyncio
async def test_what_was_asked_for_is_known_from_then_on(
    config_file: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("AI_SIDECAR_MODEL_LISTS", str(tmp_path / "lists"))
    server = await RawServer.start(handler=lambda _: as_json(LISTED))
    table = f'kind = "openai-compatible"\nbaseUrl = "{server.origin}/v1"\napiKey = "k"\n'
    write(config_file, f"[providers.house]\n{table}")
    environ = {"AI_SIDECAR_MODEL_LISTS": str(tmp_path / "lists")}
    asked = {"provider": "house"}
    try:
        async with Editor(tmp_path, user_file=config_file.read_text(), environ=environ) as editor:
            assert await asyncio.to_thread(run, ["-p", "house"]) == 0
            assert "house-model-7" not in capsys.readouterr().out
            assert await asyncio.to_thread(run, ["-p", "house", "--refresh"]) == 0
            assert capsys.readouterr().out.splitlines()[1].split()[-1] == "live"
            await server.aclose()  # nobody is asked any more
            assert await asyncio.to_thread(run, ["-p", "house"]) == 0
            row = capsys.readouterr().out.splitlines()[1]
            assert row.split()[:3] == ["house", "house-model-7", "4096"]
            assert row.endswith("live, just now")
            # The process of an editor that was there all the time.
            (model,) = (await editor.call("ai/models", asked))["models"]
            assert (model["id"], model["contextWindow"]) == ("house-model-7", 4096)
    finally:
        await server.aclose()
    assert set(model) == {
        "id",
        "provider",
        "contextWindow",
        "maxOutputTokens",
        "supports",
        "source",
    }


def test_how_long_ago_is_said_to_a_person():
    said = [_ago(s) for s in (-5.0, 59, 60, 7200, 86_400 * 40)]
    assert said == ["just now", "just now", "1 min ago", "2 h ago", "40 d ago"]
