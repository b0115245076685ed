"""The handshake: its answer is pygls' own, it needs little, it never hangs."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from protocol.ai import PROGRESS_KINDS
from protocol.methods import METHODS
from sidecar.framing import FrameDecoder, frame
from sidecar.handlers.table import HANDLERS
from sidecar.handshake import Opening, initialize_result, our_capability, shake_hands
from tests.sidecar.clients import CLIENTS
from tests.sidecar.harness import Editor

HEAVY = (
    "asyncio",
    "ssl",
    "pygls",
    "lsprotocol",
    "httpx",
    "httptools",
    "cattrs",
    "logging",
    "rich",
    "botocore",
    "google",
    "providers",
    "sidecar.process",
    "sidecar.config",
    "platformdirs",
)


@pytest.mark.asyncio
@pytest.mark.parametrize("name", CLIENTS)
async def test_the_answer_is_the_one_pygls_gives(name: str, tmp_path: Path, script: Any) -> None:
    async with Editor(tmp_path) as editor:
        params = json.loads(json.dumps(CLIENTS[name]))
        assert editor.session is not None
        editor.bridge.replay(params)
        theirs = editor.bridge.initialize_result
        ours = initialize_result(params)
        ours["capabilities"].pop("experimental")
        assert ours == theirs


@pytest.mark.asyncio
async def test_what_pygls_cannot_read_does_not_end_the_session(tmp_path: Path, script: Any) -> None:
    async with Editor(tmp_path) as editor:
        odd = {
            "processId": "none",
            "rootUri": 5,
            "capabilities": {
                "general": {"positionEncodings": ["utf-8"]},
                "textDocument": {"completion": [1]},
            },
        }
        assert initialize_result(odd)["capabilities"]["positionEncoding"] == "utf-8"
        editor.bridge.replay(odd)
        assert editor.bridge.initialize_result["capabilities"]["positionEncoding"] == "utf-8"


@pytest.mark.asyncio
async def test_keys_in_the_options_are_not_given_to_pygls(
    tmp_path: Path, script: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    async with Editor(tmp_path) as editor:
        editor.bridge.replay(
            {"capabilities": {}, "initializationOptions": {"apiKey": "sk-not-for-pygls"}}
        )
    assert "initialized" in caplog.text and "sk-not-for-pygls" not in caplog.text


def test_what_is_promised_is_what_is_there() -> None:
    assert our_capability()["methods"] == list(METHODS) == list(HANDLERS)
    assert our_capability()["progressKinds"] == list(PROGRESS_KINDS)


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        (None, "utf-16"),
        ([], "utf-16"),
        (["utf-7"], "utf-16"),
        (["utf-7", "utf-32"], "utf-32"),
        ("utf-8", "utf-16"),
        ([None, {}, "utf-8"], "utf-8"),
    ],
)
def test_position_encoding(offered: Any, chosen: str) -> None:
    params = {"capabilities": {"general": {"positionEncodings": offered}}}
    assert initialize_result(params)["capabilities"]["positionEncoding"] == chosen


# --- over real pipes ------------------------------------------------------------------


class Talk:
    """One handshake in a thread, spoken to over pipes."""

    def __init__(self, data: bytes) -> None:
        their_in, our_out = os.pipe()
        our_in, their_out = os.pipe()
        self.fds = (their_in, our_in, our_out)
        self.result: Opening | int | None = None

        def run() -> None:
            self.result = shake_hands(our_in, our_out)

        thread = threading.Thread(target=run)
        thread.start()
        os.write(their_out, data)
        os.close(their_out)
        thread.join(5)
        assert not thread.is_alive()
        os.set_blocking(their_in, False)
        try:
            answers = FrameDecoder().feed(os.read(their_in, 1 << 20))
        except BlockingIOError:
            answers = []
        self.answers = [json.loads(a) for a in answers if isinstance(a, bytes)]


@contextmanager
def talk(*messages: Any) -> Iterator[Talk]:
    data = b"".join(
        m if isinstance(m, bytes) else frame(json.dumps({"jsonrpc": "2.0", **m}).encode())
        for m in messages
    )
    made = Talk(data)
    yield made
    for fd in made.fds:
        os.close(fd)


INITIALIZE = {"id": 1, "method": "initialize", "params": {"capabilities": {}}}


def test_what_comes_before_initialize_is_answered() -> None:
    early = {"id": "a", "method": "ai/models"}
    with talk({"method": "x"}, early, b"zzz\r\n", frame(b"{"), INITIALIZE) as made:
        codes = [(a["id"], a.get("error", {}).get("code")) for a in made.answers]
        assert codes == [("a", -32002), (None, -32700), (1, None)]
        assert made.answers[-1]["result"]["serverInfo"]["name"] == "ai-sidecar"
        assert isinstance(made.result, Opening)


def test_what_comes_with_it_is_not_lost() -> None:
    body = json.dumps({"jsonrpc": "2.0", "id": 2, "method": "ai/models"}).encode()
    with talk(INITIALIZE, frame(body), b"Content-Length: 10\r\n\r\n123") as made:
        assert isinstance(made.result, Opening)
        assert made.result.frames == [body]
        assert made.result.decoder.feed(b"4567890") == [b"1234567890"]


@pytest.mark.parametrize("params", [[], "x", {"capabilities": 5}])
def test_a_bad_initialize_is_answered_and_a_good_one_may_follow(params: Any) -> None:
    with talk({"id": 1, "method": "initialize", "params": params}, INITIALIZE) as made:
        assert made.answers[0]["error"]["code"] == -32602
        assert "result" in made.answers[1]


def test_the_end_of_the_input_and_exit() -> None:
    with talk({"method": "x"}) as made:
        assert made.result == 0
    with talk({"method": "exit"}, INITIALIZE) as made:
        assert made.result == 1 and made.answers == []


def test_an_oversize_message_is_refused_with_its_id() -> None:
    head = b'{"jsonrpc":"2.0","id":31,"method":"ai/models"'
    big = b"Content-Length: %d\r\n\r\n%b\n" % (65 * 1024 * 1024, head)
    with talk(big, INITIALIZE) as made:
        assert [a["id"] for a in made.answers] == [31, 1]
        assert made.answers[0]["error"]["code"] == -32600


PROBE = """
import os, sys
from sidecar import handshake
opening = handshake.shake_hands(0, 1)
heavy = %r
loaded = [m for m in sys.modules if m in heavy or m.partition(".")[0] in heavy]
sys.stderr.write(" ".join(loaded))
"""


def test_nothing_heavy_is_imported_before_the_answer(tmp_path: Path) -> None:
    root = str(Path(__file__).resolve().parents[2])
    message = frame(json.dumps({"jsonrpc": "2.0", **INITIALIZE}).encode())
    done = subprocess.run(
        [sys.executable, "-P", "-c", PROBE % (HEAVY,)],
        input=message,
        capture_output=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": root},
        timeout=20,
        check=True,
    )
    assert b'"capabilities"' in done.stdout
    assert done.stderr == b""


def test_descriptors_that_do_not_block_are_waited_for() -> None:
    their_in, our_out = os.pipe()
    our_in, their_out = os.pipe()
    os.set_blocking(our_in, False)
    result: list[Any] = []
    thread = threading.Thread(target=lambda: result.append(shake_hands(our_in, our_out)))
    thread.start()
    thread.join(0.05)
    assert thread.is_alive()
    os.write(their_out, frame(json.dumps({"jsonrpc": "2.0", **INITIALIZE}).encode()))
    thread.join(5)
    assert isinstance(result[0], Opening)
    for fd in (their_in, our_out, our_in, their_out):
        os.close(fd)
