"""Logging: silent on stderr unless something is wrong or somebody asks for more.

No prompt, completion or document text below `trace`, and no secret at any level: what pygls logs
(whole messages, initialization options) is cut down to warnings without their arguments, and every
line is masked when it is written, tracebacks too. A log that cannot be written is told of once.
"""

import contextlib
import logging
import os
import sys
import threading
from pathlib import Path
from typing import TextIO

from msgspec import Raw

from sidecar.descriptors import write_all

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
    handler.setFormatter(_Masking("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    handler.addFilter(_without_arguments)
    for former in list(root.handlers):
        root.removeHandler(former)
        if isinstance(former, _File):
            former.close()
    root.addHandler(handler)
    root.setLevel(LEVELS.get(wanted, LEVELS[DEFAULT]))
    for name in _FOREIGN:
        logging.getLogger(name).setLevel(max(root.level, logging.WARNING))
    if wanted not in LEVELS:
        root.warning("log level %r is unknown: expected one of %s", level, ", ".join(LEVELS))
    if problem:
        root.warning("the log file cannot be used: %s", problem)
    sys.excepthook = _log_end
    threading.excepthook = lambda args: _log_end(args.exc_type, args.exc_value, args.exc_traceback)


def trace(logger: logging.Logger, direction: str, data: bytes | Raw) -> None:
    """Log a message as it is, keys masked, at level `trace`. Nothing is done below it."""
    if logger.isEnabledFor(TRACE):
        logger.log(TRACE, "%s %s", direction, bytes(data).decode(errors="replace"))


class _Masking(logging.Formatter):
    """Masks the finished line: a secret may stand in an argument or in an exception's text."""

    def format(self, record: logging.LogRecord) -> str:
        from providers.auth.redact import Redactor  # not before there is something to write

        return Redactor().mask(super().format(record))


class _Quiet(logging.Handler):
    """Says once, on stderr, that it cannot write (a full disk), and tries again at each record."""

    _told = False

    def handleError(self, record: logging.LogRecord) -> None:
        if not self._told:
            self._told = True
            error = sys.exception()
            reason = getattr(error, "strerror", None) or type(error).__name__
            with contextlib.suppress(OSError, ValueError):
                sys.stderr.write(f"ai-sidecar: the log cannot be written: {reason}\n")


class _Stderr(_Quiet, logging.StreamHandler[TextIO]):
    pass


class _File(_Quiet):
    """Appends, unbuffered: what a full disk refuses is not kept for later."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        # At `trace` there are prompts in it: a new one is the user's alone.
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            write_all(self._descriptor, f"{self.format(record)}\n".encode(errors="replace"))
        except Exception:  # noqa: BLE001 (a log that fails must not fail what it tells of)
            self.handleError(record)

    def close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)
        super().close()


def _handler(file: str | None) -> tuple[logging.Handler, str]:
    if file:
        try:
            return _File(Path(file).expanduser()), ""
        except OSError as error:
            return _Stderr(sys.stderr), str(error)
    return _Stderr(sys.stderr), ""


def _log_end(kind: type[BaseException], error: BaseException | None, trail: object) -> None:
    """What Python would write to stderr as it is: masked, and in the log."""
    if error is not None and not isinstance(error, SystemExit):
        logging.getLogger(__name__).critical("ended by an exception", exc_info=error)


def _without_arguments(record: logging.LogRecord) -> bool:
    """Keep a foreign library's sentence and drop the values in it: they may be the user's text."""
    if record.name.partition(".")[0] in _FOREIGN and record.args:
        record.msg, record.args = str(record.msg).replace("%s", "…").replace("%r", "…"), None
    return True
