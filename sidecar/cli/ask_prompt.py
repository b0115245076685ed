"""What `ask` sends: the words of the command line, files and piped text, as one user message."""

import base64
import mimetypes
import os
import re
import stat
import sys
from pathlib import Path

PIPED_LIMIT = 16 * 1024 * 1024  # bytes; far more than any model reads


class BadInput(Exception):
    """A file that cannot be read, or nothing to ask. Its message is for the user."""


Content = str | list[dict[str, str]]


def compose(words: str, files: list[str], piped: str) -> Content:
    """Return the content of the user's message: the prompt first, then files, then piped text.

    Images become image parts. Raises `BadInput`.
    """
    blocks = [words] if words else []
    images: list[dict[str, str]] = []
    for name in files:
        mime_type = mimetypes.guess_type(name)[0] or ""
        if mime_type.startswith("image/") and mime_type != "image/svg+xml":
            data = base64.b64encode(_read(name)).decode("ascii")
            images.append({"type": "image", "mimeType": mime_type, "data": data})
        else:
            blocks.append(f"{name}:\n{fenced(_text(name))}")
    if piped.strip():
        blocks.append(piped if not blocks else fenced(piped))
    if not blocks:
        raise BadInput("nothing to ask: give a prompt, or pipe one in")
    text = "\n\n".join(blocks)
    return [{"type": "text", "text": text}, *images] if images else text


def fenced(text: str) -> str:
    """Return `text` between fences that are longer than any run of backticks in it."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text.rstrip()}\n{fence}"


def read_piped() -> str:
    """Return what is piped or redirected into this process, "" where nothing is.

    Only a pipe, a socket or a file counts: a terminal would be waited for without end.
    """
    try:
        mode = os.fstat(sys.stdin.fileno()).st_mode
    except (AttributeError, OSError, ValueError):
        return ""
    if not (stat.S_ISFIFO(mode) or stat.S_ISREG(mode) or stat.S_ISSOCK(mode)):
        return ""
    data = sys.stdin.buffer.read(PIPED_LIMIT + 1)
    if len(data) > PIPED_LIMIT:
        raise BadInput(f"more than {PIPED_LIMIT // 2**20} MiB were piped in")
    return data.decode("utf-8", "replace")


def _read(name: str) -> bytes:
    try:
        return Path(name).read_bytes()
    except OSError as error:
        raise BadInput(f"{name}: {error.strerror or error}") from error


def _text(name: str) -> str:
    try:
        return _read(name).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(f"{name}: neither text (UTF-8) nor an image") from error
