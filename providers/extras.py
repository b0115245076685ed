"""Says how to add an optional dependency to the environment that this program runs from.

It names the extra's own packages, never the project's: the name on a package index may be somebody
else's. Looks at the installed metadata only, and installs nothing itself.
"""

import importlib.util
import re
import shlex
import subprocess
import sys

DISTRIBUTION = "ai-sidecar"
_WHEN = re.compile(r"""\bextra\s*==\s*["']([^"']+)["']""")


def requirements(extra: str) -> list[str]:
    """Return what `extra` needs, as pip takes it; nothing where the metadata does not name it."""
    from importlib import metadata  # costs ten milliseconds of a start that hardly ever needs it

    try:
        lines = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:  # run from a folder, never installed
        lines = []
    found: list[str] = []
    for line in lines:
        requirement, _, marker = line.partition(";")
        when = _WHEN.search(marker)
        if when is not None and when.group(1) == extra:
            found.append(requirement.strip())
    return found


def install_command(extra: str) -> str:
    """Return the command that adds `extra` here, for a terminal.

    An environment without pip (uv makes such) is one of uv's.
    """
    needed = requirements(extra)
    if not needed:
        return f"pip install '.[{extra}]' in a clone of the project"
    if importlib.util.find_spec("pip") is None:
        words = ["uv", "pip", "install", "--python", sys.executable, *needed]
    else:
        words = [sys.executable, "-m", "pip", "install", *needed]
    return subprocess.list2cmdline(words) if sys.platform == "win32" else shlex.join(words)
