"""`ai-sidecar config`."""

import re
import stat
import tomllib
from pathlib import Path

import msgspec
import pytest

from sidecar.cli.config import run
from sidecar.cli.config_template import TEMPLATE
from sidecar.cli.schema_export import config_schema
from sidecar.config import Config, ConfigStore
from sidecar.config.clean import fields_of
from tests.cli.commands import CANARY, config_file, write

__all__ = ["config_file"]


def test_path(config_file: Path, capsys: pytest.CaptureFixture[str]):
    assert run(["path"]) == 0
    assert capsys.readouterr().out == f"{config_file}\n"


def test_init_writes_a_file_for_its_owner_only(
    config_file: Path, capsys: pytest.CaptureFixture[str]
):
    assert run(["init"]) == 0
    assert config_file.read_text(encoding="utf-8") == TEMPLATE
    assert stat.S_IMODE(config_file.stat().st_mode) == 0o600
    assert str(config_file) in capsys.readouterr().out
    assert [p.name for p in config_file.parent.iterdir()] == ["config.toml"]


def test_init_never_replaces_unless_told(config_file: Path, capsys: pytest.CaptureFixture[str]):
    write(config_file, "# mine\n", 0o644)
    assert run(["init"]) == 1
    assert config_file.read_text() == "# mine\n"
    assert "--force" in capsys.readouterr().err
    assert run(["init", "--force"]) == 0
    assert config_file.read_text(encoding="utf-8") == TEMPLATE
    assert stat.S_IMODE(config_file.stat().st_mode) == 0o600
    assert [p.name for p in config_file.parent.iterdir()] == ["config.toml"]


def test_init_where_nothing_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "file").touch()
    monkeypatch.setenv("AI_SIDECAR_CONFIG", str(tmp_path / "file" / "config.toml"))
    assert run(["init"]) == 1
    assert "cannot be written" in capsys.readouterr().err


def test_what_init_writes_is_right_as_it_is_and_with_everything_enabled(tmp_path: Path):
    assert tomllib.loads(TEMPLATE) == {}
    enabled = re.sub(r"^#(?=[\[a-zA-Z])", "", TEMPLATE, flags=re.MULTILINE)
    file = tmp_path / "config.toml"
    file.write_text(enabled, encoding="utf-8")
    assert ConfigStore({}, file).problems == []
    shown = tomllib.loads(enabled)
    assert set(shown) == set(fields_of(Config))


def test_check_says_ok(config_file: Path, capsys: pytest.CaptureFixture[str]):
    assert run(["check"]) == 0
    assert "not there; defaults apply" in capsys.readouterr().out
    write(config_file, 'default = "openai"\n')
    assert run(["check"]) == 0
    assert capsys.readouterr().out == f"ok: {config_file}\n"


def test_check_prints_each_problem(config_file: Path, capsys: pytest.CaptureFixture[str]):
    write(
        config_file,
        f'[providers.openai]\nbaseUrl = 42\napiKey = {{ enw = "{CANARY}" }}\n'
        "[timeouts]\nidle = 0\n",
    )
    assert run(["check"]) == 1
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert len(lines) == 3
    assert lines[0] == (
        "providers.openai.baseUrl: expected an http:// or https:// address without user and"
        f" password, got a number (user file {config_file})"
    )
    assert lines[2].startswith("timeouts.idle: expected a number above 0, got 0 (user file")
    assert CANARY not in out


def test_check_of_another_file(
    config_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    other = tmp_path / "other.toml"
    other.write_text("broken =\n")
    assert run(["check", str(other)]) == 1
    assert "line 1" in capsys.readouterr().out
    assert run(["check", str(tmp_path / "none.toml")]) == 1
    assert "no such file" in capsys.readouterr().err


def test_schema_is_printed_whole(capsys: pytest.CaptureFixture[str]):
    assert run(["schema"]) == 0
    assert msgspec.json.decode(capsys.readouterr().out) == config_schema()


@pytest.mark.parametrize("argv", [[], ["no-such"], ["check", "a", "b"]])
def test_wrong_use(argv: list[str], capsys: pytest.CaptureFixture[str]):
    assert run(argv) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and "usage: ai-sidecar config" in captured.err
