"""`ConfigStore`: the layers, weakest to strongest, and the configuration they add up to.

built-in < environment < user file < initializationOptions < workspace. Nothing is read before the
configuration is first asked for. A layer that is wrong costs what is wrong in it and nothing else.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import cast

from sidecar.config.checks import check
from sidecar.config.clean import Cleaner, Tree
from sidecar.config.environment import environment_layer
from sidecar.config.merge import build, merge
from sidecar.config.model import Config
from sidecar.config.problems import ConfigProblem
from sidecar.config.references import mend
from sidecar.config.user_file import Stamp, Unreadable, read_user_file, stamp, user_file_path
from sidecar.config.workspace import restrict, without_plain_http

logger = logging.getLogger(__name__)

WATCH_INTERVAL = 1.0
"""Seconds between two looks at the user file: one `stat`, some 2 µs."""

SECTION = "aiSidecar"


class ConfigStore:
    """Holds the layers. `on_change` is called after the configuration or its problems changed."""

    def __init__(self, environ: Mapping[str, str], user_file: Path | None = None) -> None:
        self.on_change: Callable[[], None] | None = None
        self._environ = environ
        self._path = user_file
        self._options: object = None
        self._workspace: object = None
        self._file: Tree = {}
        self._file_problems: list[ConfigProblem] = []
        self._stamp: Stamp | None = None  # None: not read yet
        self._made: tuple[Config, list[ConfigProblem]] | None = None

    def __repr__(self) -> str:
        return f"ConfigStore({str(self.user_file)!r})"

    @property
    def user_file(self) -> Path:
        """Where the user file is, or would be; of a user without a home, an empty one."""
        if self._path is None:
            try:
                self._path = user_file_path(self._environ)
            except RuntimeError as error:
                logger.warning("there is no user file: %s", error)
                self._path = Path(os.devnull)
        return self._path

    @property
    def config(self) -> Config:
        """The configuration in force."""
        return self._current()[0]

    @property
    def problems(self) -> list[ConfigProblem]:
        """What is wrong with it, weakest layer first."""
        return self._current()[1]

    def set_initialization_options(self, options: object) -> None:
        """Replace the layer of `initializationOptions`; all but `http.allowPlainHttp`."""
        self._replace("_options", options)

    def set_workspace(self, settings: object) -> None:
        """Replace the workspace's layer (`workspace/configuration`, `didChangeConfiguration`).

        It may choose among what the user has configured, and restrict. None takes the layer away.
        """
        self._replace("_workspace", settings)

    def reload_user_file(self) -> bool:
        """Read the user file again. Return whether the configuration or its problems changed."""
        before = self._made
        self._read_file()
        return self._changed(before)

    async def watch(self, interval: float = WATCH_INTERVAL) -> None:
        """Read the user file again whenever it has changed, until cancelled.

        By looking, since that works everywhere, also where an editor saves by replacing the file.
        """
        if self._stamp is None:
            self._read_file()
        while True:
            await asyncio.sleep(interval)
            if stamp(self.user_file) != self._stamp:
                self.reload_user_file()

    # --- putting it together --------------------------------------------------------

    def _replace(self, layer: str, value: object) -> None:
        before = self._made
        setattr(self, layer, _section(value))
        self._changed(before)

    def _changed(self, before: tuple[Config, list[ConfigProblem]] | None) -> bool:
        self._made = None
        if before is None:
            # Nobody has asked yet, so nobody holds anything that is out of date.
            return True
        changed = self._current() != before
        if changed and self.on_change is not None:
            self.on_change()
        return changed

    def _current(self) -> tuple[Config, list[ConfigProblem]]:
        if self._made is None:
            self._made = self._make()
        return self._made

    def _make(self) -> tuple[Config, list[ConfigProblem]]:
        if self._stamp is None:
            self._read_file()
        options = Cleaner("initializationOptions")
        given = without_plain_http(options.table(Config, self._options), self._file, options)
        file = Cleaner(self._file_source)
        names = merge(self._file, given).get("providers", {}).keys()
        above = merge(mend(self._file, names, file), mend(given, names, options))
        environment, problems = environment_layer(self._environ, above)
        problems = [*problems, *self._file_problems, *file.problems, *options.problems]
        tree = merge(environment, above)
        if self._workspace:
            cleaner = Cleaner("workspace settings")
            workspace = cleaner.table(Config, self._workspace)
            tree = merge(tree, mend(restrict(workspace, build(tree), cleaner), names, cleaner))
            problems += cleaner.problems
        config = build(tree)
        problems += check(config)
        self._log(environment, problems)
        return config, problems

    def _log(self, environment: Tree, problems: list[ConfigProblem]) -> None:
        """Say what is in force, without a value of it."""
        if not logger.isEnabledFor(logging.INFO):
            return
        layers = {
            "environment": environment,
            self._file_source: self._file,
            "initializationOptions": self._options,
            "workspace settings": self._workspace,
        }
        said = [name for name, layer in layers.items() if layer] or ["nothing but the defaults"]
        wrong = ", ".join(dict.fromkeys(p.path for p in problems))
        logger.info("configuration: %s%s", ", ".join(said), f"; wrong: {wrong}" if wrong else "")

    @property
    def _file_source(self) -> str:
        return f"user file {self.user_file}"

    def _read_file(self) -> None:
        """Read the user file; one that is no TOML leaves in force what it said before."""
        path = self.user_file
        self._stamp = stamp(path)  # before reading: a change in between is then seen next time
        try:
            content = read_user_file(path)
        except Unreadable as error:
            message = f"{error}; what it said before stays in force"
            self._file_problems = [ConfigProblem(path.name, message, self._file_source)]
            return
        cleaner = Cleaner(self._file_source)
        self._file = cleaner.table(Config, content)
        self._file_problems = cleaner.problems


def _section(value: object) -> object:
    """Unwrap `{"aiSidecar": {…}}`: some clients send the section with its name around it."""
    if isinstance(value, Mapping):
        table = cast("Mapping[str, object]", value)
        if len(table) == 1 and SECTION in table:
            return table[SECTION]
    return cast("object", value)
