"""Runs `ai-sidecar ask` as a person does: a real process, its real sidecar, a home of its own."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ASK = [sys.executable, "-P", "-m", "sidecar", "ask"]


def home_environment(home: Path) -> dict[str, str]:
    """Return an environment whose folders all lie in `home`, and in which no key is set."""
    keep = ("PATH", "SYSTEMROOT", "TEMP", "LANG", "SSL_CERT_FILE", "LD_LIBRARY_PATH")
    kept = {name: os.environ[name] for name in keep if name in os.environ}
    folders = {
        "XDG_CONFIG_HOME": "config",
        "XDG_DATA_HOME": "data",
        "XDG_STATE_HOME": "state",
        "XDG_CACHE_HOME": "cache",
    }
    paths = {name: str(home / folder) for name, folder in folders.items()}
    return kept | paths | {"HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1", "TERM": "xterm"}


def ask(
    home: Path, *arguments: str, piped: str | None = None, **more: Any
) -> subprocess.CompletedProcess[str]:
    """Run `ask` to its end and return what it printed."""
    options: dict[str, Any] = {"cwd": home, "env": home_environment(home)} | more
    given: Mapping[str, Any] = {"stdin": subprocess.DEVNULL} if piped is None else {"input": piped}
    return subprocess.run(
        [*ASK, *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=30,
        check=False,
        **given,
        **options,
    )
