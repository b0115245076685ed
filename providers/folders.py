"""Where this program's files of a user are, by the system's own convention. Makes none.

platformdirs knows each system's. It imports tempfile, and with that shutil, random and three
compressors: 1.2 MB in every session, for a rule of one line on Linux. So that one is here (XDG Base
Directory Specification), and a test compares.
"""

import os
import sys
from pathlib import Path
from typing import Literal

_NAME = "ai-sidecar"

Kind = Literal["config", "data", "cache"]

_XDG: dict[Kind, tuple[str, str]] = {
    "config": ("XDG_CONFIG_HOME", ".config"),
    "data": ("XDG_DATA_HOME", ".local/share"),
    "cache": ("XDG_CACHE_HOME", ".cache"),
}


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
