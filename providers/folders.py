"""Where this program's files of a user are, by the system's own convention. Makes none.

platformdirs knows each system's. It imports tempfile, and with that shutil, random and three
compressors: 1.2 MB in every session, for a rule of one line on Linux. So that one is here (XDG Base
Directory Specification), and a test compares.
"""

import os
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Literal

_NAME = "ai-sidecar"

OFF = "off"
"""In the place of a path: it is not wanted at all."""

Kind = Literal["config", "data", "cache"]

_XDG: dict[Kind, tuple[str, str]] = {
    "config": ("XDG_CONFIG_HOME", ".config"),
    "data": ("XDG_DATA_HOME", ".local/share"),
    "cache": ("XDG_CACHE_HOME", ".cache"),
}


def chosen_path(environ: Mapping[str, str], variable: str, kind: Kind, name: str) -> Path:
    """Return the path that `variable` names, else `name` in the user's folder of that kind."""
    named = environ.get(variable)
    return Path(named).expanduser() if named else user_folder(kind) / name


def wanted_path(
    environ: Mapping[str, str], variable: str, kind: Kind, name: str
) -> Callable[[], Path] | None:
    """Return what finds `chosen_path` when it is needed; None where the variable says `off`."""
    if environ.get(variable) == OFF:
        return None
    return partial(chosen_path, environ, variable, kind, name)


def user_folder(kind: Kind) -> Path:
    """Return the folder of what the user configures, what is to be kept, what can be had again.

    Raises `RuntimeError` where the user has no home.
    """
    if sys.platform == "linux" and "ANDROID_ROOT" not in os.environ:
        variable, usual = _XDG[kind]
        for base, below in ((os.environ.get(variable), ""), (os.environ.get("HOME"), usual)):
            if base and os.path.isabs(base):  # a relative one does not count
                return Path(base, below, _NAME)
    import platformdirs

    find = {
        "config": platformdirs.user_config_path,
        "data": platformdirs.user_data_path,
        "cache": platformdirs.user_cache_path,
    }
    return find[kind](_NAME, appauthor=False)
