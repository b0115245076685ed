"""A key is found at first use, once, and never shown."""

import asyncio
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from providers.auth.keys import KeyResolver
from providers.auth.redact import Redactor
from providers.errors import NotConfigured
from providers.settings import Key, KeySource

CANARY = "canary-key-4711"


def resolver(source: Key | None, environ: dict[str, str] | None = None, *names: str) -> KeyResolver:
    return KeyResolver(source, environ=environ or {}, env_names=names, provider="openai")


async def failure(keys: KeyResolver) -> str:
    with pytest.raises(NotConfigured) as caught:
        await keys.get()
    assert caught.value.provider == "openai"
    assert not caught.value.retryable
    assert CANARY not in repr(caught.value)
    return caught.value.message


# --- where it comes from ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("literal-key-1", "literal"),
        (KeySource(env="MY_KEY"), "env MY_KEY"),
        (KeySource(command=["/usr/bin/op", "read", "op://x"]), "command op"),
        (KeySource(file="~/.key"), "file ~/.key"),
        (KeySource(keyring="ai-sidecar/openai"), "keyring ai-sidecar/openai"),
        (None, None),
        ("", None),
    ],
)
def test_describe_and_repr_say_where_and_not_what(source: Key | None, said: str | None):
    keys = resolver(source)
    assert keys.describe() == said
    assert keys.configured is (said is not None)
    assert "literal-key-1" not in repr(keys) and "op://x" not in repr(keys)


def test_without_a_source_the_services_variables_count_in_their_order():
    keys = resolver(None, {"B": "2", "A": " "}, "A", "B")
    assert keys.describe() == "env B"
    assert not resolver(None, {}, "A", "B").configured


@pytest.mark.asyncio
async def test_literal_and_environment():
    assert await resolver(f" {CANARY}\n").get() == CANARY
    assert await resolver(KeySource(env="X"), {"X": CANARY}).get() == CANARY
    assert await resolver(None, {"B": CANARY}, "A", "B").get() == CANARY


@pytest.mark.asyncio
async def test_what_to_do_where_there_is_none():
    message = await failure(resolver(None, {}, "OPENAI_API_KEY", "OTHER"))
    assert "set OPENAI_API_KEY or OTHER, or `providers.openai.apiKey`" in message
    assert "set `providers.openai.apiKey`" in await failure(resolver(None))
    assert "variable X is not set" in await failure(resolver(KeySource(env="X"), {"X": ""}))


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "bad", [f"{CANARY}\r\nX-Evil: 1", f"{CANARY}\x00", f"{CANARY}é", f"{CANARY}\x7f", " "]
)
async def test_a_key_that_could_end_a_header_is_refused(bad: str):
    message = await failure(resolver(KeySource(env="X"), {"X": bad}))
    assert CANARY not in message


# --- files ------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / "key").write_bytes(b"\xef\xbb\xbf" + CANARY.encode() + b"\r\n")
    assert await resolver(KeySource(file="~/key")).get() == CANARY
    (tmp_path / "workspace").mkdir()
    (tmp_path / "workspace" / "key").write_text("the-workspaces-1")
    monkeypatch.chdir(tmp_path / "workspace")
    assert await resolver(KeySource(file="key")).get() == CANARY


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read: No such file"),
        (b"", "is empty"),
        (b"a\nb", "more than one line"),
        (b"x" * (64 * 1024 + 1), "larger than 64 KiB"),
        (b"\xff\xfe", "is not text"),
    ],
)
async def test_a_file_that_holds_no_key(tmp_path: Path, content: bytes | None, message: str):
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content)
    assert message in await failure(resolver(KeySource(file=str(file))))


@pytest.mark.asyncio
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
async def test_a_pipe_is_not_waited_for(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    message = await failure(resolver(KeySource(file=str(tmp_path / "pipe"))))
    assert "not a regular file" in message


# --- once, and again after a refusal -------------------------------------------------------------


@pytest.mark.asyncio
async def test_it_is_kept_until_forgotten(tmp_path: Path):
    file = tmp_path / "key"
    file.write_text("first-key-1")
    keys = resolver(KeySource(file=str(file)))
    assert await keys.get() == "first-key-1"
    file.write_text("second-key-2")
    assert await keys.get() == "first-key-1"
    keys.forget()
    assert await keys.get() == "second-key-2"


@pytest.mark.asyncio
async def test_a_file_that_was_wrong_is_read_again_at_once(tmp_path: Path):
    file = tmp_path / "key"
    keys = resolver(KeySource(file=str(file)))
    await failure(keys)
    file.write_text(CANARY)
    assert await keys.get() == CANARY


@pytest.mark.asyncio
async def test_a_key_that_is_found_is_masked_from_then_on(tmp_path: Path):
    (tmp_path / "key").write_text("masked-from-now-on-1")
    await resolver(KeySource(file=str(tmp_path / "key"))).get()
    assert "masked-from-now-on-1" not in Redactor().mask("error: masked-from-now-on-1 is wrong")


# --- the keychain ----------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_the_keychain(memory_keychain: dict[tuple[str, str], str]):
    memory_keychain["https://service", "me"] = CANARY
    assert await resolver(KeySource(keyring="https://service/me")).get() == CANARY
    assert "no entry a/b" in await failure(resolver(KeySource(keyring="a/b")))
    assert '"service/user"' in await failure(resolver(KeySource(keyring="alone")))


@pytest.mark.asyncio
async def test_a_keychain_that_fails(memory_keychain: dict[tuple[str, str], str]):
    memory_keychain["locked", "x"] = ""
    assert "cannot be read: the keychain is locked" in await failure(
        resolver(KeySource(keyring="locked/x"))
    )


@pytest.mark.asyncio
async def test_without_the_extra(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "keyring", None)
    message = await failure(resolver(KeySource(keyring="a/b")))
    assert "pip install" in message and "ai-sidecar[" not in message


@pytest.mark.asyncio
async def test_many_at_once_share_one_search(memory_keychain: "CountingKeychain"):
    memory_keychain["a", "b"] = CANARY
    keys = resolver(KeySource(keyring="a/b"))
    assert await asyncio.gather(*(keys.get() for _ in range(20))) == [CANARY] * 20
    assert memory_keychain.asked == 1


class CountingKeychain(dict[tuple[str, str], str]):
    """What the keychain holds; `asked` counts the questions."""

    asked = 0


@pytest.fixture
def memory_keychain() -> Iterator[CountingKeychain]:
    """A backend of the `keyring` package that keeps its keys in a dict."""
    keyring = pytest.importorskip("keyring", reason="the extra `keyring` is not installed")
    from keyring.backend import KeyringBackend

    held = CountingKeychain()

    class Memory(KeyringBackend):
        priority = 1  # type: ignore[assignment]

        def get_password(self, service: str, username: str) -> str | None:
            held.asked += 1
            if service == "locked":
                raise RuntimeError("the keychain is locked")
            return held.get((service, username))

        def set_password(self, service: str, username: str, password: str) -> None:
            held[service, username] = password

        def delete_password(self, service: str, username: str) -> None:
            del held[service, username]

    former = keyring.get_keyring()
    keyring.set_keyring(Memory())
    yield held
    keyring.set_keyring(former)
