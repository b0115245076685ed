"""What the subcommands have in common: results on stdout, complaints on stderr, exit codes.

On a terminal tables are drawn; in a pipe they are plain columns, one row a line, and nothing is cut
off. Everything that is written passes the redactor. `rich` is imported here only, and only to draw
on a terminal.
"""

import argparse
import io
import os
import sys
from collections.abc import Callable, Sequence
from functools import wraps
from typing import TextIO

from providers.auth.redact import Redactor

OK, FAILED, USAGE = 0, 1, 2
INTERRUPTED = 130  # 128 + SIGINT, as shells have it
BROKEN_PIPE = 141  # 128 + SIGPIPE

Row = Sequence[str]

_STYLES = {
    "ok": "green",
    "healthy": "green",
    "degraded": "yellow",
    "unknown": "dim",
    "unhealthy": "red",
    "failed": "red",
}

# Controls could make a terminal do what the text's author wants; texts come from services too.
_CONTROLS = {code: "\ufffd" for code in (*range(9), *range(11, 32), *range(0x7F, 0xA0))}


def line(text: str = "") -> None:
    """Write one line to stdout."""
    _write(sys.stdout, text)


def complain(text: str) -> None:
    """Write one line to stderr."""
    _write(sys.stderr, f"ai-sidecar: {text}")


def raw(data: bytes) -> None:
    """Write JSON to stdout as it is, masked, with a line feed at its end."""
    _write(sys.stdout, data.decode())


def table(headings: Row, rows: Sequence[Row]) -> None:
    """Write a table to stdout: drawn on a terminal, plain columns in a pipe."""
    if not rows:
        return
    if is_terminal(sys.stdout):
        _draw(headings, rows)
        return
    every = [[_clean(cell) or "-" for cell in row] for row in (headings, *rows)]
    widths = [max(map(len, column)) for column in zip(*every, strict=True)]
    for row in every:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        line("  ".join(cells).rstrip())


def is_terminal(stream: TextIO) -> bool:
    """Return whether `stream` is a terminal that people look at."""
    try:
        return stream.isatty()
    except (ValueError, AttributeError):
        return False


def command(
    run: Callable[[list[str]], int],
) -> Callable[[list[str]], int]:
    """Decorate a subcommand: exit codes for wrong use, an interrupt and a reader that has gone."""

    @wraps(run)
    def guarded(argv: list[str]) -> int:
        sys.excepthook = _masked_end
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="replace")  # a code page may lack a character of ours
        try:
            code = run(argv)
            sys.stdout.flush()
        except SystemExit as end:  # argparse has written what there is to say
            return end.code if isinstance(end.code, int) else FAILED
        except KeyboardInterrupt:
            return INTERRUPTED
        except BrokenPipeError:
            # The reader has seen enough. Keep the interpreter from flushing at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return BROKEN_PIPE
        return code

    return guarded


def _masked_end(_: type[BaseException], error: BaseException, __: object) -> None:
    """Write what Python would write of a bug, without the secrets that its text may hold."""
    import traceback

    sys.stderr.write(Redactor().mask("".join(traceback.format_exception(error))))


def parser(name: str, description: str) -> argparse.ArgumentParser:
    """Return the argument parser of the subcommand `name`."""
    return argparse.ArgumentParser(prog=f"ai-sidecar {name}", description=description)


def _clean(text: str) -> str:
    return Redactor().mask(text).translate(_CONTROLS)


def _write(stream: TextIO, text: str) -> None:
    stream.write(_clean(text) + "\n")


def _draw(headings: Row, rows: Sequence[Row]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        drawn.add_column(heading, overflow="fold")
    for row in rows:
        cells = [_clean(cell) for cell in row]
        drawn.add_row(*(Text(cell, style=_STYLES.get(cell, "")) for cell in cells))
    Console(highlight=False, emoji=False, markup=False).print(drawn)
