"""What is in memory is what the session needed: the list of imports, as CPython itself tells it."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

BEFORE_INITIALIZE = {"asyncio", "ssl", "pygls", "lsprotocol", "providers", "httptools"}
NEVER = {"httpx", "httpcore", "anyio", "rich", "botocore", "google", "urllib3", "requests"}
if sys.platform == "linux":
    NEVER |= {"platformdirs", "tempfile", "shutil", "lzma", "bz2"}  # together 1.2 MB
LSP = {"pygls", "lsprotocol", "attrs", "cattrs"}

ASK = {
    "jsonrpc": "2.0",
    "id": 2,
    "method": "ai/complete",
    "params": {"prompt": "x", "provider": "nobody", "fallback": []},
}
OPEN = {
    "jsonrpc": "2.0",
    "method": "textDocument/didOpen",
    "params": {
        "textDocument": {"uri": "file:///a.py", "languageId": "python", "version": 1, "text": ""}
    },
}
STANDARD = {"jsonrpc": "2.0", "id": 3, "method": "workspace/executeCommand", "params": {}}


def imports_of(messages: list[dict[str, object]], tmp_path: Path) -> tuple[set[str], set[str]]:
    """Return the top-level modules imported up to the answer to `initialize`, and until the end."""
    nobody = {"kind": "openai-compatible", "baseUrl": "http://127.0.0.1:1/v1", "model": "m"}
    options = {"providers": {"nobody": nobody}, "retry": {"attempts": 1}}
    environ = {
        "PATH": os.defpath,
        "HOME": str(tmp_path),
        "AI_SIDECAR_LEDGER": str(tmp_path / "usage.db"),
    }
    process = subprocess.Popen(
        [sys.executable, "-P", "-X", "importtime", "-m", "sidecar"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
        env={**environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert process.stdin is not None and process.stdout is not None
    params = {"capabilities": {}, "initializationOptions": options}
    everything = [{"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}, *messages]
    for message in everything:
        body = json.dumps(message).encode()
        process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        process.stdin.flush()
        while "id" in message:
            length = int(process.stdout.readline().split(b":")[1])
            process.stdout.readline()
            if json.loads(process.stdout.read(length)).get("id") == message["id"]:
                break
    process.stdin.close()
    with process:
        stderr = process.stderr.read().decode() if process.stderr else ""
    lines = [line.rpartition("|")[2].strip() for line in stderr.splitlines() if "|" in line]
    names = [name for name in lines if re.fullmatch(r"[\w.]+", name)]
    early = names[: names.index("sidecar.handshake") + 1]
    return {name.split(".")[0] for name in early}, {name.split(".")[0] for name in names}


def test_a_client_of_ai_alone_never_has_pygls(tmp_path: Path) -> None:
    early, late = imports_of([ASK], tmp_path)
    assert not early & BEFORE_INITIALIZE
    assert {"httptools", "ssl"} <= late
    assert not late & (NEVER | LSP)


@pytest.mark.parametrize("message", [OPEN, STANDARD])
def test_pygls_comes_with_the_first_message_for_it(
    message: dict[str, object], tmp_path: Path
) -> None:
    _, late = imports_of([message, ASK, STANDARD], tmp_path)
    assert late >= {"pygls", "lsprotocol"}
    assert not late & NEVER
