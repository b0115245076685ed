"""What is written to a log: masked line by line, tracebacks too, and to a private file."""

import logging
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from providers.auth.redact import Redactor
from sidecar import log
from tests.keys.marks import mark

SECRET = mark("log", "key")


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    root = logging.getLogger()
    before = (list(root.handlers), root.level, sys.excepthook, threading.excepthook)
    foreign = [(logger, logger.level) for logger in map(logging.getLogger, log._FOREIGN)]
    Redactor().learn(SECRET)
    log.configure("trace", str(tmp_path / "log"))
    yield tmp_path / "log"
    log.configure()
    for handler in list(root.handlers):
        root.removeHandler(handler)
    for handler in before[0]:
        root.addHandler(handler)
    for logger, level in [(root, before[1]), *foreign]:
        logger.setLevel(level)
    sys.excepthook, threading.excepthook = before[2], before[3]


def fail() -> None:
    raise ValueError(f"it held {SECRET}")


def test_arguments_and_tracebacks(file: Path) -> None:
    logger = logging.getLogger("sidecar.test")
    logger.warning("%r and %s", {"key": SECRET}, [SECRET])
    try:
        fail()
    except ValueError:
        logger.exception("failed")
    text = file.read_text()
    assert SECRET not in text and text.count("[hidden]") >= 3 and "Traceback" in text


def test_exceptions_that_nobody_caught(file: Path) -> None:
    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    try:
        fail()
    except ValueError as error:
        sys.excepthook(ValueError, error, error.__traceback__)
    text = file.read_text()
    assert SECRET not in text and text.count("ended by an exception") == 2


def test_another_library_s_exception(file: Path) -> None:
    try:
        fail()
    except ValueError:
        logging.getLogger("asyncio").exception("a task failed: %s", SECRET)
    assert SECRET not in file.read_text() and "Traceback" in file.read_text()


@pytest.mark.skipif(sys.platform == "win32", reason="modes are POSIX'")
def test_a_new_log_is_the_user_s_alone(file: Path) -> None:
    assert file.stat().st_mode & 0o777 == 0o600


def test_what_could_not_be_formatted_is_told_once_without_its_values(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (ours,) = (h for h in logging.getLogger().handlers if type(h).__module__ == log.__name__)
    for _ in range(3):
        ours.handle(logging.LogRecord("x", logging.WARNING, "", 1, "%d", (SECRET,), None))
    err = capsys.readouterr().err
    assert err == "ai-sidecar: the log cannot be written: TypeError\n"


def test_a_bug_in_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    """What ends `ask` or `doctor` is written to the terminal as Python would, but masked."""
    from sidecar.cli import output

    former = sys.excepthook
    Redactor().learn(SECRET)
    try:
        output.command(lambda _: 0)([])
        try:
            fail()
        except ValueError as error:
            sys.excepthook(ValueError, error, error.__traceback__)
    finally:
        sys.excepthook = former
    err = capsys.readouterr().err
    assert err.startswith("Traceback") and "it held [hidden]" in err and SECRET not in err
