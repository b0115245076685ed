"""What the tests of the subcommands share: a home of their own, and only the mock provider."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from providers import registry

CANARY = "Canary-7Hx92kQpLm"


@pytest.fixture
def config_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user file of a machine where nothing is configured; it is not there yet."""
    from providers.auth.env import PROVIDER_ENV

    for names in PROVIDER_ENV.values():
        variables = [*names.keys, *(v for _, vs in (*names.fields, *names.secrets) for v in vs)]
        for variable in variables:
            monkeypatch.delenv(variable, raising=False)
    for variable in ("AWS_ACCESS_KEY_ID", "GOOGLE_APPLICATION_CREDENTIALS"):
        monkeypatch.delenv(variable, raising=False)
    for variable in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(variable, raising=False)
        monkeypatch.delenv(variable.upper(), raising=False)
    file = tmp_path / "home" / "config.toml"
    monkeypatch.setenv("AI_SIDECAR_CONFIG", str(file))
    return file


@pytest.fixture
def mock_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every kind answers as `mock` does: no service is needed, nor its module imported."""
    mock = registry.KINDS["mock"]
    monkeypatch.setattr(registry, "KINDS", dict.fromkeys(registry.KINDS, mock))


@pytest.fixture
def keychain() -> Iterator[dict[tuple[str, str], str]]:
    """What a keychain holds that keeps its keys in memory: a real backend of `keyring`."""
    keyring = pytest.importorskip("keyring", reason="the extra `keyring` is not installed")
    from keyring.backend import KeyringBackend

    held: dict[tuple[str, str], str] = {}

    class Memory(KeyringBackend):
        priority = 1  # type: ignore[assignment]

        def get_password(self, service: str, username: str) -> str | None:
            return held.get((service, username))

        def set_password(self, service: str, username: str, password: str) -> None:
            if username == "locked":
                raise RuntimeError(f"locked; {password} is not taken")
            held[service, username] = password

        def delete_password(self, service: str, username: str) -> None:
            del held[service, username]

    former = keyring.get_keyring()
    keyring.set_keyring(Memory())
    yield held
    keyring.set_keyring(former)


def write(path: Path, text: str, mode: int = 0o600) -> None:
    """Write a user file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
