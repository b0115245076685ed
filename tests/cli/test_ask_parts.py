"""The pieces of `ask`: nothing a terminal would obey, fences that hold, a hint for every error."""

import asyncio
import sys
from pathlib import Path
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.ai import ErrorKind
from sidecar.cli import ask_memory
from sidecar.cli.ask import hint_for
from sidecar.cli.ask_memory import Conversation, Turn
from sidecar.cli.ask_prompt import fenced
from sidecar.cli.ask_screen import json_text, one_line, visible
from sidecar.cli.client import RpcError, SidecarClient, SidecarGone

CONTROLS = {chr(c) for c in [*range(32), *range(0x7F, 0xA0)]} - {"\n", "\t"}


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_no_control_is_visible_and_all_else_is_kept(text: str) -> None:
    shown = visible(text)
    assert not CONTROLS & set(shown)
    if not CONTROLS & set(text):
        assert shown == text


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_json_on_a_terminal_means_the_same_and_holds_no_control(text: str) -> None:
    shown = json_text(msgspec.json.encode({"text": text}))
    assert not CONTROLS & set(shown)
    assert msgspec.json.decode(shown) == {"text": text}


@given(st.text(max_size=2000))
def test_one_line_is_one_short_line(text: str) -> None:
    line = one_line(text, 80)
    assert len(line) <= 80
    assert len(line.splitlines()) <= 1


@given(st.text("`ab\n"))
def test_a_fence_is_longer_than_any_run_of_backticks_inside(text: str) -> None:
    fence, *inside, end = fenced(text).split("\n")
    assert fence == end
    assert set(fence) == {"`"}
    assert all(fence not in line for line in inside)


@pytest.mark.parametrize("kind", [k for k in get_args(ErrorKind) if k != "invalidRequest"])
def test_every_kind_of_error_has_a_hint(kind: str) -> None:
    assert hint_for(msgspec.json.encode({"kind": kind, "retryable": False}))


def test_a_known_wait_is_the_hint() -> None:
    data = {"kind": "rateLimit", "retryable": True, "retryAfterMs": 42000}
    assert "42 s" in hint_for(msgspec.json.encode(data))


@pytest.mark.parametrize("data", [b"null", b"[]", b"not json", b'{"kind": "of the future"}'])
def test_an_error_that_is_not_understood_has_no_hint(data: bytes) -> None:
    assert hint_for(data) == ""


@pytest.mark.parametrize("content", [None, b"", b"[1]", b'{"messages": 3}'])
def test_a_conversation_that_cannot_be_read_is_an_empty_one(
    content: bytes | None, tmp_path: Path
) -> None:
    path = tmp_path / "kept.json"
    if content is not None:
        path.write_bytes(content)
    assert ask_memory.load(path) == Conversation()


def test_a_conversation_is_replaced_in_one_step(tmp_path: Path) -> None:
    path = tmp_path / "state" / "kept.json"
    for text in ("one", "two"):
        ask_memory.save(path, Conversation([Turn("user", text)]))
        assert ask_memory.load(path).messages == [Turn("user", text)]
    assert [p.name for p in path.parent.iterdir()] == ["kept.json"]


# --- The client, against programs that are no sidecar -----------------------------------


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("raise SystemExit(7)", "exit code 7"),
        ("print('this is not a frame', flush=True); input()", "not a frame"),
    ],
)
async def test_a_program_that_is_no_sidecar_is_told_apart(program: str, said: str) -> None:
    async with SidecarClient([sys.executable, "-c", program]) as client:
        with pytest.raises(SidecarGone, match=said):
            await client.initialize(name="test", version="0")


@pytest.mark.asyncio
async def test_an_error_answer_is_raised_with_its_code() -> None:
    async with SidecarClient() as client:
        await client.initialize(name="test", version="0")
        with pytest.raises(RpcError) as failed:
            await client.request("ai/complete", {"prompt": 3}).answer
    assert failed.value.code == -32602
    assert "prompt" in failed.value.message


@pytest.mark.asyncio
async def test_a_request_after_the_end_fails_at_once() -> None:
    async with SidecarClient() as client:
        await client.initialize(name="test", version="0")
        client.kill()
        with pytest.raises(SidecarGone):
            async with asyncio.timeout(5):
                while True:
                    await client.request("ai/metrics", {}).answer
