"""Which files nothing is done with: by name, by the user's globs, by what git ignores."""

import logging
from collections.abc import Callable, Mapping

from sidecar.inline.git_user import UserRules
from sidecar.inline.gitignore import GitIgnore
from sidecar.inline.ignore import is_ignored

logger = logging.getLogger(__name__)

MOST_TOLD = 1000
"""Files that are remembered as logged."""


class IgnoredFiles:
    """One per session. `root`: the workspace's folder, "" if there is none; `clock` in seconds."""

    def __init__(self, root: str, environ: Mapping[str, str], clock: Callable[[], float]) -> None:
        self._root = root
        self._clock = clock
        self._git = GitIgnore(UserRules(environ))
        self._told: set[str] = set()

    def has(self, path: str, globs: list[str]) -> bool:
        """Say whether the file at `path` is neither completed, nor edited, nor sent."""
        if is_ignored(path, self._root, globs):
            self._tell(path, "its name, or inline.ignore")
            return True
        ignored = self._git.ignores(path, self._root, self._clock())
        if ignored:
            self._tell(path, "what git ignores")
        return ignored

    def _tell(self, path: str, why: str) -> None:
        """Log it once: it is asked at every keystroke."""
        if path in self._told or not logger.isEnabledFor(logging.INFO):
            return
        if len(self._told) >= MOST_TOLD:
            self._told.clear()
        self._told.add(path)
        logger.info("nothing of this file is completed, edited or sent, by %s: %r", why, path)
