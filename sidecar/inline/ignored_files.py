"""Which files nothing is done with: by name, by the user's globs, by what git ignores."""

import os
from collections.abc import Callable, Mapping

from sidecar.inline.gitignore import GitIgnore
from sidecar.inline.ignore import is_ignored


class IgnoredFiles:
    """One per session. `root`: the workspace's folder, "" if there is none; `clock` in seconds."""

    def __init__(self, root: str, environ: Mapping[str, str], clock: Callable[[], float]) -> None:
        self._root = root
        self._clock = clock
        self._git = GitIgnore(user_rules(environ))

    def has(self, path: str, globs: list[str]) -> bool:
        """Say whether the file at `path` is neither completed, nor edited, nor sent."""
        if is_ignored(path, self._root, globs):
            return True
        return self._git.ignores(path, self._root, self._clock())


def user_rules(environ: Mapping[str, str]) -> str:
    """Return where git looks for the user's own rules, if it is not told otherwise; "": nowhere."""
    home = environ.get("HOME") or environ.get("USERPROFILE") or ""
    config = environ.get("XDG_CONFIG_HOME") or (os.path.join(home, ".config") if home else "")
    return os.path.join(config, "git", "ignore") if config else ""
