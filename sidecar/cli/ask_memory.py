"""The last conversation of `ask`, for `-c`: one file that only its user can read."""

import contextlib
import os
import tempfile
from pathlib import Path

import msgspec
import platformdirs


class Turn(msgspec.Struct):
    """One message; `content` as in `protocol.ai`."""

    role: str
    content: str | list[dict[str, str]]


class Conversation(msgspec.Struct, omit_defaults=True):
    """What was said, and to whom."""

    messages: list[Turn] = []
    system: str | None = None
    provider: str | None = None
    model: str | None = None


def default_path() -> Path:
    """Return where the last conversation is kept."""
    return platformdirs.user_state_path("ai-sidecar", appauthor=False) / "last-conversation.json"


def load(path: Path) -> Conversation:
    """Return the last conversation; an empty one where there is none that can be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Conversation)
    except (OSError, msgspec.MsgspecError):
        return Conversation()


def save(path: Path, conversation: Conversation) -> None:
    """Replace the file in one step, mode 0600. Raises `OSError`."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # mkstemp makes its file 0600, so at no time can anyone else read it.
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(msgspec.json.encode(conversation))
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise
