"""Logging: silent on stderr unless something is wrong or somebody asks for more.

No prompt, completion or document text below `trace`, and no secret at any level: what pygls logs
(whole messages, initialization options) is cut down to warnings without their arguments.
"""

import logging
import sys
from pathlib import Path

from msgspec import Raw

TRACE = 5
LEVELS = {
    "error": logging.ERROR,
    "warning": logging.WARNING,
    "warn": logging.WARNING,
    "info": logging.INFO,
    "debug": logging.DEBUG,
    "trace": TRACE,
}
DEFAULT = "warning"

_FOREIGN = ("pygls", "httpx", "httpcore", "botocore", "urllib3", "google", "asyncio")


def configure(level: str | None = None, file: str | None = None) -> None:
    """Send what is logged at `level` and above to `file`, or to stderr.

    An unknown level is taken for the default, a file that cannot be opened for stderr; both are
    logged.
    """
    wanted = (level or DEFAULT).lower()
    logging.addLevelName(TRACE, "TRACE")
    root = logging.getLogger()
    handler, problem = _handler(file)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    handler.addFilter(_without_arguments)
    for former in list(root.handlers):
        root.removeHandler(former)
    root.addHandler(handler)
    root.setLevel(LEVELS.get(wanted, LEVELS[DEFAULT]))
    for name in _FOREIGN:
        logging.getLogger(name).setLevel(max(root.level, logging.WARNING))
    if wanted not in LEVELS:
        root.warning("log level %r is unknown: expected one of %s", level, ", ".join(LEVELS))
    if problem:
        root.warning("the log file cannot be used: %s", problem)


def trace(logger: logging.Logger, direction: str, data: bytes | Raw) -> None:
    """Log a message as it is, keys masked, at level `trace`. Nothing is done below it."""
    if logger.isEnabledFor(TRACE):
        from providers.auth.redact import Redactor

        text = bytes(data).decode(errors="replace")
        logger.log(TRACE, "%s %s", direction, Redactor().mask(text))


def _handler(file: str | None) -> tuple[logging.Handler, str]:
    if file:
        try:
            return logging.FileHandler(Path(file).expanduser(), encoding="utf-8"), ""
        except OSError as error:
            return logging.StreamHandler(sys.stderr), str(error)
    return logging.StreamHandler(sys.stderr), ""


def _without_arguments(record: logging.LogRecord) -> bool:
    """Keep a foreign library's sentence and drop the values in it: they may be the user's text."""
    if record.name.partition(".")[0] in _FOREIGN and record.args:
        record.msg, record.args = str(record.msg).replace("%s", "…").replace("%r", "…"), None
    return True
