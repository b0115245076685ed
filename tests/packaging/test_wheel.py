"""The wheel: what is in it, and that it runs in an environment that holds nothing else.

Built and installed for real, so it needs a package index (or a warm cache) and some seconds; where
the index cannot be reached, that is a skip for a newcomer and a failure in CI.
"""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from sidecar.about import VERSION
from sidecar.cli.client import SidecarClient
from tools.bootstrap import index_of_pip

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow


def uv() -> str:
    """Return uv: the one that installed this environment, or the machine's."""
    own = ROOT / ".venv-uv" / ("Scripts" if os.name == "nt" else "bin")
    found = shutil.which("uv", path=str(own)) or shutil.which("uv")
    if found is None:
        pytest.skip("uv is not installed: python3 tools/check.py brings it")
    return found


def run(*command: str, **more: object) -> str:
    environment = {**os.environ, **index_of_pip()}
    done = subprocess.run(  # type: ignore[call-overload]
        command, capture_output=True, text=True, timeout=300, env=environment, **more
    )
    if done.returncode != 0 and "ailed to fetch" in done.stderr and not os.environ.get("CI"):
        pytest.skip("the package index cannot be reached")
    assert done.returncode == 0, done.stderr
    return str(done.stdout)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    run(uv(), "build", "--wheel", "--quiet", "--out-dir", str(out), str(ROOT))
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def programs(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    environment = tmp_path_factory.mktemp("environment")
    run(uv(), "venv", "--quiet", "--clear", "--python", sys.executable, str(environment))
    folder = environment / ("Scripts" if os.name == "nt" else "bin")
    python = shutil.which("python", path=str(folder))
    assert python is not None
    run(uv(), "pip", "install", "--quiet", "--python", python, str(wheel))
    return folder


def test_the_wheel_holds_the_three_packages_and_no_tests(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    roots = {name.partition("/")[0] for name in names}
    assert {"sidecar", "providers", "protocol"} | {f"ai_sidecar-{VERSION}.dist-info"} == roots
    for package in ("sidecar", "providers", "protocol"):
        assert f"{package}/py.typed" in names
    assert f"ai_sidecar-{VERSION}.dist-info/licenses/LICENSE" in names
    assert any(name.startswith("providers/catalog/") and name.endswith(".json") for name in names)
    assert not [name for name in names if "__pycache__" in name or name.endswith(".gguf")]


def test_it_says_its_version(programs: Path, tmp_path: Path) -> None:
    program = shutil.which("ai-sidecar", path=str(programs))
    assert program is not None
    assert run(program, "--version", cwd=tmp_path).split() == ["ai-sidecar", VERSION]
    assert '"$schema"' in run(program, "config", "schema", cwd=tmp_path)


@pytest.mark.asyncio
async def test_it_answers_initialize_and_a_request(programs: Path) -> None:
    program = shutil.which("ai-sidecar", path=str(programs))
    assert program is not None
    async with SidecarClient([program]) as client:
        result = await client.initialize(name="test", version="0")
        assert result["serverInfo"]["name"] == "ai-sidecar"
        answer = await client.request("ai/stream", {"prompt": "hello", "provider": "mock"}).answer
    assert b'"text":"hello"' in answer
