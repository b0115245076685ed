"""Which files nothing is done with: by name, by the user's globs, by what git ignores."""

from collections.abc import Callable, Mapping

from sidecar.inline.git_user import UserRules
from sidecar.inline.gitignore import GitIgnore
from sidecar.inline.ignore import is_ignored


class IgnoredFiles:
    """One per session. `root`: the workspace's folder, "" if there is none; `clock` in seconds."""

    def __init__(self, root: str, environ: Mapping[str, str], clock: Callable[[], float]) -> None:
        self._root = root
        self._clock = clock
        self._git = GitIgnore(UserRules(environ))

    def has(self, path: str, globs: list[str]) -> bool:
        """Say whether the file at `path` is neither completed, nor edited, nor sent."""
        if is_ignored(path, self._root, globs):
            return True
        return self._git.ignores(path, self._root, self._clock())
