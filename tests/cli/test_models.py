"""`ai-sidecar models`."""

from pathlib import Path

import msgspec
import pytest

from protocol import ai
from sidecar.cli.models import run
from tests.cli.commands import config_file, mock_only, write

__all__ = ["config_file", "mock_only"]

MOCKS = '[providers.a]\nkind = "mock"\n[providers.b]\nkind = "mock"\n'

pytestmark = pytest.mark.usefixtures("mock_only")


def test_a_table_of_every_configured_provider(
    config_file: Path, capsys: pytest.CaptureFixture[str]
):
    write(config_file, MOCKS)
    assert run([]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert " ".join(lines[0].split()) == "PROVIDER MODEL WINDOW OUTPUT $/M IN $/M OUT CAN FROM"
    assert {line.split()[0] for line in lines[1:]} == {"a", "b"}
    assert "echo" in [line.split()[1] for line in lines[1:]]


def test_one_provider(config_file: Path, capsys: pytest.CaptureFixture[str]):
    write(config_file, MOCKS)
    assert run(["--provider", "b"]) == 0
    assert {line.split()[0] for line in capsys.readouterr().out.splitlines()[1:]} == {"b"}


def test_json_is_the_result_of_ai_models(config_file: Path, capsys: pytest.CaptureFixture[str]):
    write(config_file, MOCKS)
    assert run(["--provider", "a", "--json"]) == 0
    result = msgspec.json.decode(capsys.readouterr().out, type=ai.ModelsResult)
    echo = next(model for model in result.models if model.id == "echo")
    assert (echo.provider, echo.supports.streaming, echo.source) == ("a", True, "catalog")


def test_a_provider_that_is_not_there(config_file: Path, capsys: pytest.CaptureFixture[str]):
    assert run(["--provider", "nobody"]) == 1
    captured = capsys.readouterr()
    assert captured.out == "" and "nobody" in captured.err
