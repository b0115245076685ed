"""`ai-sidecar doctor`."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from providers.base import HealthStatus
from providers.errors import ServerFailed
from providers.vendors.mock import MockProvider
from sidecar.cli.doctor import cost_of, run
from sidecar.cli.doctor_facts import LiveFacts, file_facts
from tests.cli.commands import CANARY, config_file, mock_only, write

__all__ = ["config_file", "mock_only"]

pytestmark = pytest.mark.usefixtures("mock_only")


def facts(capsys: pytest.CaptureFixture[str], *argv: str, code: int = 0) -> dict[str, Any]:
    assert run(["--json", *argv]) == code
    out = capsys.readouterr().out
    assert CANARY not in out
    return msgspec.json.decode(out)


def test_a_healthy_machine(config_file: Path, capsys: pytest.CaptureFixture[str]):
    write(config_file, f'[providers.a]\nkind = "mock"\napiKey = "{CANARY}"\n')
    found = facts(capsys)
    assert found["problems"] == []
    assert found["configFile"] == {"path": str(config_file), "exists": True, "mode": "0600"}
    (provider,) = found["providers"]
    assert (provider["id"], provider["kind"], provider["isDefault"]) == ("a", "mock", True)
    assert provider["status"] == "healthy" and "live" not in provider
    assert set(found["http"]) == {"proxies", "proxySource", "noProxy", "ca"}
    assert set(found["packages"]) >= {"pygls", "msgspec", "httpx"}


def test_the_same_for_people(config_file: Path, capsys: pytest.CaptureFixture[str]):
    write(config_file, f'[providers.a]\nkind = "mock"\napiKey = "{CANARY}"\n')
    assert run(["--live"]) == 0
    out = capsys.readouterr().out
    assert CANARY not in out and "\x1b" not in out
    rows = [line.split() for line in out.splitlines()]
    assert ["a", "(default)", "mock"] in [row[:3] for row in rows]
    assert ["a", "ok", "echo"] in [row[:3] for row in rows]
    assert f"configuration: {config_file} (mode 0600)" in out
    assert "certificates: " in out and "proxy: none" in out and "local model: " in out


def test_a_proxy_is_shown_without_its_password(
    config_file: Path, capsys: pytest.CaptureFixture[str]
):
    write(
        config_file,
        f'[providers.a]\nkind = "mock"\n[http]\nproxy = "http://me:{CANARY}@proxy.example:3128"\n',
    )
    assert "proxy.example:3128" in str(facts(capsys)["http"]["proxies"])


def test_live_asks_every_provider_and_none_stands_in_for_another(
    config_file: Path, capsys: pytest.CaptureFixture[str]
):
    write(
        config_file,
        '[providers.good]\nkind = "mock"\n'
        '[providers.bad]\nkind = "mock"\nmodel = "error-quota"\n'
        '[fallback]\nchain = ["good"]\n[retry]\nattempts = 1\n',
    )
    found = {p["id"]: p["live"] for p in facts(capsys, "--live", code=1)["providers"]}
    assert found["good"]["ok"] and found["good"]["text"] and "costUsd" in found["good"]
    assert not found["bad"]["ok"] and found["bad"]["error"].startswith("quota: ")


def test_what_answers_works_whatever_is_said_of_its_health(
    config_file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    async def sick(self: MockProvider) -> HealthStatus:
        return HealthStatus("unhealthy", 1.0, ServerFailed("no list", status=500))

    monkeypatch.setattr(MockProvider, "health_check", sick)
    write(config_file, '[providers.a]\nkind = "mock"\n')
    facts(capsys, code=1)
    (provider,) = facts(capsys, "--live", code=0)["providers"]
    assert provider["status"] == "unhealthy" and provider["live"]["ok"]


@pytest.mark.parametrize(
    ("costs", "said"),
    [
        ([None], "unknown"),
        ([None, 0.5], "0.500000 USD, as far as it is known"),
        ([0.25, 0.5], "0.750000 USD"),
        ([], "0.000000 USD"),
    ],
)
def test_an_unknown_cost_is_not_nothing(costs: list[float | None], said: str):
    assert cost_of([LiveFacts(ok=True, cost_usd=cost) for cost in costs]) == said
    failed = LiveFacts(ok=False, cost_usd=None, error="quota: none left")
    assert cost_of([failed, *(LiveFacts(ok=True, cost_usd=cost) for cost in costs)]) == said


def test_a_problem_of_the_configuration_is_shown_and_fails(
    config_file: Path, capsys: pytest.CaptureFixture[str]
):
    write(config_file, '[providers.a]\nkind = "mock"\n[timeouts]\nidle = "x"\n')
    (problem,) = facts(capsys, code=1)["problems"]
    assert problem["path"] == "timeouts.idle"
    assert problem["source"] == f"user file {config_file}"


def test_a_refused_provider_is_not_asked(config_file: Path, capsys: pytest.CaptureFixture[str]):
    write(config_file, '[providers.a]\nkind = "mock"\nbaseUrl = "nonsense"\n')
    (provider,) = facts(capsys, "--live", code=1)["providers"]
    assert provider["status"] == "unknown" and "live" not in provider
    assert provider["error"].startswith("providers.a.baseUrl: expected")


def test_no_file_yet(config_file: Path, capsys: pytest.CaptureFixture[str]):
    run([])
    assert "`ai-sidecar config init` makes one" in capsys.readouterr().out


# --- files that others can read ------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        f'[providers.a]\napiKey = "{CANARY}"\n',
        f'[providers.a]\napiKey = [{{ env = "X" }}, "{CANARY}"]\n',
        f'[providers.a]\nauthToken = "{CANARY}"\n',
        f'[providers.a.headers]\nAuthorization = "{CANARY}"\n',
    ],
)
def test_a_key_in_a_file_that_others_can_read(config_file: Path, content: str):
    write(config_file, content, 0o644)
    (warning,) = file_facts(config_file).warnings
    assert f"chmod 600 {config_file}" in warning and CANARY not in warning
    write(config_file, content, 0o600)
    assert file_facts(config_file).warnings == []


def test_a_file_without_keys_may_be_read(config_file: Path):
    write(config_file, '[providers.a]\napiKey = { env = "X" }\nmodel = "m"\n', 0o644)
    assert file_facts(config_file).warnings == []


def test_a_key_file_that_others_can_read(config_file: Path, tmp_path: Path):
    write(tmp_path / "key", CANARY, 0o640)
    write(config_file, f'[providers.a]\napiKey = {{ file = "{tmp_path / "key"}" }}\n')
    (warning,) = file_facts(config_file).warnings
    assert (
        warning == f"others can read the key file {tmp_path / 'key'}: chmod 600 {tmp_path / 'key'}"
    )


@pytest.mark.parametrize("content", ["broken =", "providers = 5", "[providers]\na = 5"])
def test_a_broken_file_is_no_reason_to_fail(config_file: Path, content: str):
    write(config_file, content, 0o644)
    assert file_facts(config_file).warnings == []
