"""`ai-sidecar keys`."""

import io
import sys
from pathlib import Path

import pytest

from sidecar.cli.keys import run
from tests.cli.commands import CANARY, config_file, keychain, write

__all__ = ["config_file", "keychain"]

Keychain = dict[tuple[str, str], str]


def piped(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))


def test_set_reads_a_pipe_and_says_how_to_use_it(
    config_file: Path,
    keychain: Keychain,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    piped(monkeypatch, f"{CANARY}\n")
    assert run(["set", "openai"]) == 0
    assert keychain == {("ai-sidecar", "openai"): CANARY}
    out = capsys.readouterr().out
    assert 'apiKey = { keyring = "ai-sidecar/openai" }' in out
    assert CANARY not in out


def test_set_prompts_unseen_on_a_terminal(
    config_file: Path,
    keychain: Keychain,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    asked: list[str] = []

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    def getpass(prompt: str) -> str:
        asked.append(prompt)
        return CANARY

    monkeypatch.setattr(sys, "stdin", Terminal("not read"))
    monkeypatch.setattr("getpass.getpass", getpass)
    write(config_file, '[providers.groq]\napiKey = { keyring = "ai-sidecar/groq" }\n')
    assert run(["set", "groq"]) == 0
    assert keychain == {("ai-sidecar", "groq"): CANARY}
    assert asked == ["API key of groq (not shown): "]
    assert capsys.readouterr().out == "stored: ai-sidecar/groq\n"


@pytest.mark.parametrize("text", ["", "\n", "two\nlines", "naïve-key", "x" * 70_000])
def test_set_refuses_what_is_no_key(
    text: str,
    config_file: Path,
    keychain: Keychain,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    piped(monkeypatch, text)
    assert run(["set", "openai"]) == 1
    assert keychain == {}
    assert "key" in capsys.readouterr().err


def test_a_key_is_never_an_argument(
    config_file: Path, keychain: Keychain, capsys: pytest.CaptureFixture[str]
):
    assert run(["set", "openai", CANARY]) == 2
    assert keychain == {}


def test_set_for_a_provider_that_is_not_there(
    config_file: Path,
    keychain: Keychain,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    piped(monkeypatch, CANARY)
    assert run(["set", "nobody"]) == 1
    assert "no provider `nobody`" in capsys.readouterr().err


def test_a_refusing_keychain_does_not_give_the_key_away(
    config_file: Path,
    keychain: Keychain,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    piped(monkeypatch, CANARY)
    write(config_file, '[providers.locked]\nkind = "openai"\n')
    assert run(["set", "locked"]) == 1
    captured = capsys.readouterr()
    assert "the keychain refused: locked" in captured.err
    assert CANARY not in captured.err + captured.out


def test_remove(config_file: Path, keychain: Keychain, capsys: pytest.CaptureFixture[str]):
    keychain["ai-sidecar", "openai"] = CANARY
    assert run(["remove", "openai"]) == 0
    assert keychain == {}
    assert run(["remove", "openai"]) == 1
    assert "no entry ai-sidecar/openai" in capsys.readouterr().err


def test_list_says_where_from_and_never_what(
    config_file: Path,
    keychain: Keychain,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.setenv("GROQ_API_KEY", CANARY)
    keychain["ai-sidecar", "xai"] = CANARY
    write(
        config_file,
        f'[providers.openai]\napiKey = ["{CANARY}", {{ command = ["/bin/op", "{CANARY}"] }}]\n'
        '[providers.mine]\nkind = "openai-compatible"\nbaseUrl = "http://127.0.0.1:1"\n',
    )
    assert run(["list"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("PROVIDER")
    rows = {line.split()[0]: " ".join(line.split()[1:]) for line in out.splitlines()[1:]}
    assert rows == {
        "openai": "literal, command op no",
        "groq": "env GROQ_API_KEY no",
        "mine": "none no",
        "xai": "none yes",
    }
    assert CANARY not in out


def test_without_the_extra(
    config_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setitem(sys.modules, "keyring", None)
    for argv in (["set", "openai"], ["remove", "openai"]):
        assert run(argv) == 1
        said = capsys.readouterr().err
        assert "needs the extra `keyring`. Run: " in said and "ai-sidecar[" not in said
    assert run(["list"]) == 0  # where the keys come from is known all the same


def test_without_a_keychain(config_file: Path, capsys: pytest.CaptureFixture[str]):
    keyring = pytest.importorskip("keyring", reason="the extra `keyring` is not installed")
    from keyring.backends.fail import Keyring as NoBackend

    former = keyring.get_keyring()
    keyring.set_keyring(NoBackend())
    try:
        assert run(["set", "openai"]) == 1
    finally:
        keyring.set_keyring(former)
    assert "no keychain that can be used" in capsys.readouterr().err
