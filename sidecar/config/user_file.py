"""The user's `config.toml`: where it is and what it says. Reads; never writes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from providers.folders import user_folder

PATH_VARIABLE = "AI_SIDECAR_CONFIG"

SIZE_LIMIT = 1024 * 1024
"""Bytes. One written by hand is a few kB; this keeps a mistaken path from being read."""


def user_file_path(environ: Mapping[str, str]) -> Path:
    """Return where the user file is, or would be."""
    named = environ.get(PATH_VARIABLE)
    if named:
        return Path(named).expanduser()
    return user_folder("config") / "config.toml"


class Stamp(NamedTuple):
    """What changes when a file is written or replaced; all zero where there is none."""

    modified_ns: int = 0
    size: int = 0
    inode: int = 0
    device: int = 0


def stamp(path: Path) -> Stamp:
    try:
        found = path.stat()
    except (OSError, ValueError):
        return Stamp()
    return Stamp(found.st_mtime_ns, found.st_size, found.st_ino, found.st_dev)


class Unreadable(Exception):
    """The message says what is wrong with the file, and in which line; it quotes no value."""


def read_user_file(path: Path) -> dict[str, Any]:
    """Return the file's tables, {} where there is no file. Raises `Unreadable`."""
    try:
        with path.open("rb") as file:
            content = file.read(SIZE_LIMIT + 1)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise Unreadable(f"cannot be read: {reason}") from None
    if len(content) > SIZE_LIMIT:
        raise Unreadable("is larger than 1 MiB: not a configuration")
    import tomllib  # not needed where there is no file

    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise Unreadable(f"expected UTF-8 text (line {line})") from None
    except tomllib.TOMLDecodeError as error:
        raise Unreadable(f"expected TOML: {error}") from None
    except RecursionError:
        raise Unreadable("expected TOML: nested too deeply") from None
