"""The embedded model's process: one start for all, restarted when it died, gone with its parent."""

import asyncio
import logging
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from providers.errors import NotConfigured
from providers.settings import ProviderSettings
from providers.vendors import local_server
from providers.vendors.local_child import Ready
from providers.vendors.local_server import LocalServer, child_environment, explain_refusal
from providers.vendors.local_weights import Weights, find_weights

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


def get(url: str, key: str = "") -> int:
    request = urllib.request.Request(url, headers={"authorization": f"Bearer {key}"})
    try:
        with urllib.request.urlopen(request) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        refused.close()
        return refused.code


async def gone(pid: int) -> bool:
    """Wait until no process has this id; it may be a zombie that nobody collects."""
    for _ in range(500):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        await asyncio.sleep(0.01)
    return False


@pytest.mark.asyncio
async def test_first_requests_share_one_start_and_the_next_ones_the_child(weights: Weights) -> None:
    told: list[str] = []
    server = LocalServer(on_status=told.append)
    assert not server.state().running
    answers = await asyncio.gather(*(server.address() for _ in range(5)))
    assert len(set(answers)) == 1
    assert told == ["Loading SmolLM2-135M …", ""]
    assert await server.address() == answers[0]
    base_url, key = answers[0]
    assert base_url.startswith("http://127.0.0.1:")
    assert await asyncio.to_thread(get, f"{base_url}/models", key) == 200
    assert await asyncio.to_thread(get, f"{base_url}/models", "guess") == 401
    await server.aclose()
    assert not server.state().running


@linux
@pytest.mark.asyncio
async def test_it_is_started_again_after_it_died(
    weights: Weights, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    server = LocalServer()
    first = await server.address()
    pid = server.state().pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert await gone(pid)
    async with asyncio.timeout(5):
        while server.state().running:
            await asyncio.sleep(0.01)
    second = await server.address()
    assert second != first
    other = server.state().pid
    assert other != pid
    await server.aclose()
    assert [record.getMessage() for record in caplog.records] == [
        f"the embedded model is ready: SmolLM2-135M-Instruct, process {pid}",
        "the embedded model's process ended by itself (SIGKILL)",
        f"the embedded model is ready: SmolLM2-135M-Instruct, process {other}",
        "the embedded model's process was stopped",
    ]


@linux
@pytest.mark.asyncio
async def test_key_is_in_no_argument_and_no_environment(
    weights: Weights, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-another-provider")
    server = LocalServer()
    _, key = await server.address()
    pid = server.state().pid
    shown = Path(f"/proc/{pid}/cmdline").read_bytes() + Path(f"/proc/{pid}/environ").read_bytes()
    assert key.encode() not in shown
    assert b"sk-of-another-provider" not in shown
    assert b"\0-P\0" in shown  # its own folder is not where it imports from
    assert os.readlink(f"/proc/{pid}/cwd") == os.path.realpath(sys.prefix)
    await server.aclose()


@pytest.mark.asyncio
async def test_a_caller_that_gives_up_does_not_stop_the_start_for_the_others(
    weights: Weights,
) -> None:
    server = LocalServer()
    impatient = asyncio.create_task(server.address())
    patient = asyncio.create_task(server.address())
    await asyncio.sleep(0)
    impatient.cancel()
    base_url, _ = await patient
    assert impatient.cancelled()
    assert base_url
    await server.aclose()


@pytest.mark.asyncio
async def test_closing_while_it_loads_leaves_no_process(weights: Weights) -> None:
    server = LocalServer()
    asked = asyncio.create_task(server.address())
    await asyncio.sleep(0.05)
    await server.aclose()
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert not server.state().running


PARENT = """
import asyncio
from providers.vendors.local_server import LocalServer
async def main():
    server = LocalServer()
    await server.address()
    print(server.state().pid, flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""


@linux
@pytest.mark.asyncio
async def test_it_does_not_outlive_a_parent_that_is_killed(weights: Weights) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(await asyncio.to_thread(parent.stdout.readline))
    assert not await asyncio.to_thread(lambda: Path(f"/proc/{pid}").exists() is False)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert await gone(pid)


@pytest.mark.asyncio
async def test_a_hostile_workspace_is_not_imported_from(
    weights: Weights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("xllamacpp", "msgspec", "json", "providers"):
        (tmp_path / f"{name}.py").write_text("open('owned', 'w').close(); raise SystemExit(9)")
    monkeypatch.chdir(tmp_path)
    server = LocalServer()
    await server.address()
    await server.aclose()
    assert not (tmp_path / "owned").exists()


@pytest.mark.asyncio
async def test_a_file_that_is_no_model_is_named(weights: Weights, tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF but not really")
    server = LocalServer(ProviderSettings(model_path=str(broken)))
    with pytest.raises(NotConfigured, match=r"broken\.gguf could not be loaded"):
        await server.address()
    await server.aclose()


@pytest.mark.asyncio
async def test_a_child_that_dies_while_loading_says_how(
    weights: Weights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "child.py"
    program.write_text("import os, signal; os.kill(os.getpid(), signal.SIGABRT)")
    model = tmp_path / "any.gguf"
    model.touch()
    monkeypatch.setattr(local_server, "_CHILD", program)
    server = LocalServer(ProviderSettings(model_path=str(model)))
    with pytest.raises(Exception, match="ended while loading") as failed:
        await server.address()
    assert getattr(failed.value, "retryable", None) is True
    if os.name == "posix":
        assert "SIGABRT" in str(failed.value)


@pytest.mark.asyncio
async def test_a_missing_system_library_is_told_by_the_child(
    weights: Weights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = "libgomp.so.1: cannot open shared object file: No such file or directory"
    (tmp_path / "xllamacpp.py").write_text(f"raise ImportError({said!r})")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    server = LocalServer()
    with pytest.raises(NotConfigured, match=r"needs the library libgomp\. Run: sudo "):
        await server.address()
    assert not server.state().running
    await server.aclose()


def test_missing_weights_name_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(NotConfigured, match="ai-sidecar local install"):
        find_weights(data_folder=tmp_path)


@pytest.mark.asyncio
async def test_missing_runtime_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(NotConfigured, match=r"Run: uv pip install --python \S+ xllamacpp"):
        await LocalServer().address()
    assert "xllamacpp" in (LocalServer().state().problem or "") or (
        "local install" in (LocalServer().state().problem or "")
    )


@pytest.mark.parametrize(
    ("os_release", "command"),
    [
        ("ID=debian\n", "sudo apt-get install libgomp1"),
        ('ID=linuxmint\nID_LIKE="ubuntu debian"\n', "sudo apt-get install libgomp1"),
        ('ID="rocky"\nID_LIKE="rhel centos fedora"\n', "sudo dnf install libgomp"),
        ("ID=alpine\n", "sudo apk add libgomp"),
        ("ID=nobody-knows\n", "sudo apt-get install libgomp1"),
    ],
)
def test_missing_libgomp_names_this_systems_command(
    os_release: str, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = tmp_path / "os-release"
    release.write_text(os_release)
    monkeypatch.setattr(local_server, "_OS_RELEASE", str(release))
    refused = Ready(
        error="import",
        message="libgomp.so.1: cannot open shared object file: No such file or directory",
    )
    error = explain_refusal(refused, Weights(tmp_path, "package"))
    assert isinstance(error, NotConfigured)
    assert error.message.endswith(command)


@pytest.mark.parametrize("path", ["model.gguf", "./model.gguf"])
def test_a_relative_model_path_is_refused(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model.gguf").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NotConfigured, match="absolute"):
        find_weights(path)


def test_a_model_path_wins_over_what_is_installed(tmp_path: Path) -> None:
    mine = tmp_path / "mine.gguf"
    mine.touch()
    assert find_weights(str(mine)) == Weights(mine, "modelPath")


def test_the_childs_environment_is_a_list_of_known_names() -> None:
    given = {"PATH": "/bin", "AWS_SECRET_ACCESS_KEY": "s", "MY_TOKEN": "t", "HOME": "/root"}
    assert child_environment(given) == {"PATH": "/bin", "HOME": "/root"}
