"""What the subcommands' output has in common."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from providers.auth.redact import Redactor
from sidecar.cli import output

ROWS = [("a", "1"), ("longer", "")]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_table_in_a_pipe_is_plain_columns(capsys: pytest.CaptureFixture[str]):
    output.table(("NAME", "N"), ROWS)
    assert capsys.readouterr().out == "NAME    N\na       1\nlonger  -\n"


def test_a_table_in_a_pipe_is_never_cut(capsys: pytest.CaptureFixture[str]):
    output.table(("X",), [("y" * 500,)])
    assert "y" * 500 in capsys.readouterr().out


def test_a_table_on_a_terminal_is_drawn(monkeypatch: pytest.MonkeyPatch):
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    output.table(("NAME", "STATE"), [("[red]a[/red]", "healthy")])
    assert "\x1b[" in screen.getvalue()
    assert "[red]a[/red]" in screen.getvalue()  # text is no markup


def test_an_empty_table_is_nothing(capsys: pytest.CaptureFixture[str]):
    output.table(("NAME",), [])
    assert capsys.readouterr().out == ""


def test_everything_is_masked_and_no_control_passes(capsys: pytest.CaptureFixture[str]):
    Redactor().learn("output-canary-1")
    output.line("output-canary-1 \x1b]0;title\x07")
    output.complain("output-canary-1\x9b1m")
    output.table(("output-canary-1",), [("output-canary-1\x1b[2J",)])
    output.raw(b'{"a": "output-canary-1"}')
    captured = capsys.readouterr()
    said = captured.out + captured.err
    assert "output-canary-1" not in said
    assert not {"\x1b", "\x07", "\x9b"} & set(said)


def test_exit_codes():
    @output.command
    def interrupted(argv: list[str]) -> int:
        raise KeyboardInterrupt

    @output.command
    def helped(argv: list[str]) -> int:
        output.parser("x", "y").parse_args(argv)
        return 5

    assert interrupted([]) == 130
    assert helped([]) == 5
    assert helped(["--help"]) == 0
    assert helped(["--no-such"]) == 2


def test_a_reader_that_has_gone(tmp_path: Path):
    code = (
        "import sys\n"
        "from sidecar.cli import output\n"
        "@output.command\n"
        "def run(argv):\n"
        "    for _ in range(100000): output.line('x' * 100)\n"
        "    return 0\n"
        "sys.exit(run([]))\n"
    )
    root = Path(__file__).parents[2]
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, stdout=writer, stderr=subprocess.PIPE, check=False
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


def test_rich_is_not_imported_for_a_pipe():
    code = "import sys\nfrom sidecar.cli import output\noutput.table(('A',), [('b',)])\n"
    code += "sys.exit('rich' in sys.modules)"
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, check=False)
    assert done.returncode == 0
