"""`ai-sidecar config init|path|check|schema`: the user file, and whether it is right."""

import contextlib
import os
import tempfile
from pathlib import Path

from sidecar.cli import output
from sidecar.cli.config_template import TEMPLATE
from sidecar.cli.output import FAILED, OK
from sidecar.config import ConfigStore
from sidecar.config.user_file import user_file_path


@output.command
def run(argv: list[str]) -> int:
    """Run `config`. Return 0, or 1 if something is wrong with the configuration."""
    parser = output.parser("config", "The configuration file.")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    init = actions.add_parser("init", help="write a commented config.toml")
    init.add_argument("--force", action="store_true", help="replace one that is there")
    actions.add_parser("path", help="print where it is")
    check = actions.add_parser("check", help="say what is wrong with it")
    check.add_argument("file", nargs="?", type=Path, help="another file than the user's")
    actions.add_parser("schema", help="print its JSON Schema")
    args = parser.parse_args(argv)
    if args.action == "init":
        return _init(user_file_path(os.environ), force=args.force)
    if args.action == "check":
        return _check(args.file)
    if args.action == "schema":
        from sidecar.cli.schema_export import config_schema, pretty

        output.raw(pretty(config_schema()))
        return OK
    output.line(str(user_file_path(os.environ)))
    return OK


def _init(path: Path, *, force: bool) -> int:
    if path.exists() and not force:
        output.complain(f"{path} is there already; --force replaces it")
        return FAILED
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write_private(path, TEMPLATE, replace=force)
    except OSError as error:
        output.complain(f"{path} cannot be written: {error.strerror or type(error).__name__}")
        return FAILED
    output.line(f"written: {path}")
    return OK


def _write_private(path: Path, text: str, *, replace: bool) -> None:
    """Write a file that only its owner can read, from its first moment on.

    One that is there is replaced as a whole, or else `FileExistsError` is raised.
    """
    if not replace:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        return
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".config-")  # made with mode 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        os.replace(name, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)


def _check(file: Path | None) -> int:
    if file is not None and not file.is_file():
        output.complain(f"{file}: no such file")
        return FAILED
    store = ConfigStore(os.environ, file)
    problems = store.problems
    for problem in problems:
        output.line(str(problem))
    if problems:
        return FAILED
    there = store.user_file.is_file()
    output.line(f"ok: {store.user_file}" + ("" if there else " (not there; defaults apply)"))
    return OK
