"""The plugin, built once with the project's one command, and a proxy to play with it."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[3]
HOST = Path(__file__).with_name("volt_host.py")
MISSING = "not found: run tools/editors/lapce.sh"


class Conversation(NamedTuple):
    """What was said, in order; `{"to": message}` to the plugin, `{"from": message}` by it."""

    said: list[dict[str, Any]]

    def by_plugin(self, method: str) -> list[Any]:
        """The params of all the plugin's messages of one method."""
        from_plugin = [entry["from"] for entry in self.said if "from" in entry]
        return [message["params"] for message in from_plugin if message.get("method") == method]

    @property
    def start(self) -> dict[str, Any]:
        """The params of the one request to start a server."""
        (params,) = self.by_plugin("host/startLspServer")
        return params

    @property
    def shown(self) -> list[str]:
        """The messages that a user saw."""
        return [params["message"] for params in self.by_plugin("window/showMessage")]


Play = Callable[..., Conversation]


@pytest.fixture(scope="session")
def target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where cargo puts what it compiles: never what an earlier run left behind."""
    return tmp_path_factory.mktemp("target")


@pytest.fixture(scope="session")
def volt(target: Path) -> Path:
    """The folder that `build.sh` makes."""
    done = subprocess.run(
        [str(ROOT / "editors/lapce/build.sh")],
        env={**os.environ, "CARGO_TARGET_DIR": str(target)},
        capture_output=True,
        text=True,
        check=False,
    )
    if "No Rust toolchain" in done.stderr:
        pytest.skip(f"a Rust with a WASI target {MISSING}")
    assert done.returncode == 0, done.stderr
    return ROOT / done.stdout.strip()


@pytest.fixture(scope="session")
def play(volt: Path) -> Play:
    """Play a conversation with the plugin; nothing is on the machine unless `programs` says so."""
    python = ROOT / ".editors/lapce/venv/bin/python"
    if not python.exists():
        pytest.skip(f"wasmtime {MISSING}")

    def run(
        settings: Any = None,
        *,
        programs: dict[str, Any] | None,
        env: dict[str, str] | None = None,
        start: str = "started",
        delay: float = 0.0,
        folder: Path = volt,
        messages: list[Any] | None = None,
    ) -> Conversation:
        params = {"processId": 1, "rootUri": "file:///w/", "capabilities": {}}
        initialize = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}
        if settings is not None:
            params["initializationOptions"] = settings
        given = {
            "volt": str(folder),
            "module": str(volt / "bin/ai-sidecar-lapce.wasm"),
            "env": {"VOLT_OS": "linux", "VOLT_ARCH": "x86_64", "VOLT_LIBC": "glibc", **(env or {})},
            "messages": [initialize] if messages is None else messages,
            "programs": programs,
            "start": start,
            "delay": delay,
        }
        done = subprocess.run(
            [str(python), "-P", str(HOST)],
            input=json.dumps(given),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        return Conversation(json.loads(done.stdout))

    return run
