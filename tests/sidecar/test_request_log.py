"""What a log at `info` says: why somebody else answered, why nobody did; never what was said."""

import logging
from pathlib import Path
from typing import Any

import pytest

from providers.errors import Attempt, ConnectFailed, ProviderError, Quota, RateLimited
from providers.types import ChatRequest, CompletionRequest
from sidecar import request_log
from sidecar.config.store import ConfigStore
from sidecar.inline.ignored_files import IgnoredFiles
from tests.sidecar.harness import Editor

SECRET = "Canary-7Hx92kQpLm"


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture):
    """What has been logged at `info` or above."""
    caplog.set_level(logging.INFO)
    return lambda: [record.getMessage() for record in caplog.records]


def down(error: ProviderError):
    async def script(request: ChatRequest | CompletionRequest):
        raise error
        yield []

    return script


def chained(*models: str, **more: Any) -> dict[str, Any]:
    chain = [f"scripted/{model}" for model in models]
    providers = {"scripted": {"kind": "mock"}}
    return {"default": chain[0], "providers": providers, "fallback": {"chain": chain[1:]}, **more}


@pytest.mark.asyncio
@pytest.mark.parametrize("method", ["ai/stream", "ai/complete"])
async def test_a_failover_is_one_line_that_says_why(
    method: str, tmp_path: Path, script: Any, lines: Any
) -> None:
    said = f"no money left for {SECRET}"
    script["broke"] = down(Quota(said, status=402, request_id="req_9"))
    script["gone"] = down(ConnectFailed("nobody listens at 127.0.0.1:9", at_once=False))
    options = chained("broke", "gone", "default", retry={"attempts": 1})
    async with Editor(tmp_path, options=options) as editor:
        await editor.call(method, {"prompt": SECRET})
    (line,) = [line for line in lines() if "answered" in line]
    assert line.startswith(("scripted/m-1 answered at attempt 3", "scripted/default answered at a"))
    assert "scripted/broke quota (402, request req_9) in " in line
    assert "scripted/gone network (nobody listens at 127.0.0.1:9) in " in line
    assert SECRET not in str(lines()) and "Hello" not in str(lines())


@pytest.mark.asyncio
async def test_what_nobody_answered_is_one_line(tmp_path: Path, script: Any, lines: Any) -> None:
    script["broke"] = down(Quota("x", status=402))
    script["slow"] = down(RateLimited("y", status=429, retry_after=90.0))
    options = chained("broke", "slow", retry={"attempts": 1})
    async with Editor(tmp_path, options=options) as editor:
        await editor.fail("ai/complete", {"prompt": "x"})
    (line,) = [line for line in lines() if "answered" in line]
    said = "not answered: scripted/slow rateLimit (429, again in 90.0 s); tried: "
    assert line.startswith(f"{said}scripted/broke quota (402) in ")


@pytest.mark.asyncio
async def test_an_answer_at_once_leaves_no_line(tmp_path: Path, script: Any, lines: Any) -> None:
    async with Editor(tmp_path, options=chained("default")) as editor:
        before = lines()
        await editor.call("ai/complete", {"prompt": "x"})
        assert lines() == before


def test_a_name_cannot_begin_a_line_of_its_own(lines: Any) -> None:
    error = ConnectFailed("no\nway")
    error.provider, error.model = "p", "m\n2026 ERROR root: made up\u2028"
    error.attempts = [Attempt("p", "a\rb", 1.0, error)] * 2
    request_log.failed(error)
    (line,) = lines()
    assert line.isprintable() and "no way" in line


def test_nothing_is_made_of_what_nobody_reads(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    request_log.failed(ConnectFailed("x"))
    assert caplog.records == []


@pytest.mark.asyncio
async def test_a_budgets_warning_is_logged(tmp_path: Path, script: Any, lines: Any) -> None:
    dear = {"scripted/default": {"prices": {"inputPerMTok": 1e5, "outputPerMTok": 1e5}}}
    options = chained("default", models=dear, budget={"usdPerSession": 0.8})
    async with Editor(tmp_path, options=options) as editor:
        await editor.until_answer(editor.request("ai/complete", {"prompt": "x"}))
    (line,) = [line for line in lines() if "budget" in line]
    assert "budget.usdPerSession" in line


def test_which_layers_are_in_force(tmp_path: Path, lines: Any) -> None:
    file = tmp_path / "config.toml"
    store = ConfigStore({"OPENAI_API_KEY": SECRET}, file)
    assert store.config and lines() == ["configuration: environment"]
    file.write_text(f'[providers.openai]\napiKey = "{SECRET}"\nmodell = "{SECRET}"\n')
    store.reload_user_file()
    store.set_initialization_options({"default": "openai"})
    wrong = "; wrong: providers.openai.modell"
    assert lines()[1:] == [
        f"configuration: environment, user file {file}{wrong}",
        f"configuration: environment, user file {file}, initializationOptions{wrong}",
    ]
    empty = ConfigStore({}, tmp_path / "none.toml")
    assert empty.config and lines()[-1] == "configuration: nothing but the defaults"


def test_a_file_that_is_never_sent_is_told_once(tmp_path: Path, lines: Any) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".gitignore").write_text("made.py")
    files = IgnoredFiles("", {}, lambda: 0.0)
    top = tmp_path.as_posix()
    for _ in range(3):
        assert files.has(f"{top}/.env", []) and files.has(f"{top}/made.py", [])
        assert not files.has(f"{top}/own.py", [])
    by_name, by_git = lines()
    assert by_name.endswith(f"by its name, or inline.ignore: '{top}/.env'")
    assert by_git.endswith(f"by what git ignores: '{top}/made.py'")
