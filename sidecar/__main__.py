"""The program: its arguments lead to serving an editor, or to a subcommand for people.

An editor waits for what happens here, so nothing is imported before it is needed.
"""

import os
import sys

HELP = """\
usage: ai-sidecar [serve] [--stdio] [--log-level LEVEL] [--log-file PATH]
       ai-sidecar COMMAND …

With no command, or with `serve` or `--stdio`, it speaks LSP-framed JSON-RPC on stdin and stdout:
that is how an editor starts it.

commands for people:
  ask PROMPT       stream an answer to the terminal
  models           list the models there are
  doctor           what is configured, where each key comes from, what can be reached
  config           init, path, check or schema
  keys             set, list or remove keys in the keychain
  local            install or remove the local model
  usage            tokens and cost by day, provider and model

options:
  --log-level LEVEL  error, warning, info, debug or trace (also AI_SIDECAR_LOG)
  --log-file PATH    write the log there instead of to stderr
  --version          print the version
  -h, --help         print this

`ai-sidecar COMMAND --help` tells more about a command.
"""

COMMANDS = ("ask", "models", "doctor", "config", "keys", "local", "usage")
_VALUED = ("--log-level", "--log-file")


def main(argv: list[str] | None = None) -> int:
    """Run the program; return its exit code."""
    arguments = sys.argv[1:] if argv is None else argv
    if arguments and arguments[0] in COMMANDS:
        return _run_command(arguments[0], arguments[1:])
    if not arguments and _on_a_terminal():
        sys.stdout.write(HELP)
        return 0
    return _serve(arguments)


def _on_a_terminal() -> bool:
    try:
        return os.isatty(0)
    except OSError:
        return False


def _run_command(name: str, arguments: list[str]) -> int:
    from importlib import import_module

    run = import_module(f"sidecar.cli.{name}").run
    return int(run(arguments) or 0)


def _serve(arguments: list[str]) -> int:
    options: dict[str, str] = {}
    rest = arguments[1:] if arguments and arguments[0] == "serve" else list(arguments)
    while rest:
        argument = rest.pop(0)
        name, equals, value = argument.partition("=")
        if argument in ("-h", "--help", "help"):
            sys.stdout.write(HELP)
            return 0
        if argument in ("--version", "-V"):
            from sidecar.about import NAME, VERSION

            sys.stdout.write(f"{NAME} {VERSION}\n")
            return 0
        if name in _VALUED and (equals or rest):
            options[name] = value if equals else rest.pop(0)
        elif argument == "--stdio" or name == "--clientProcessId":
            continue  # vscode-languageclient adds both; the id comes with `initialize` as well
        else:
            sys.stderr.write(f"ai-sidecar: unknown argument {argument}\n\n{HELP}")
            return 2
    from sidecar import serve

    return serve.run(
        options.get("--log-level") or os.environ.get("AI_SIDECAR_LOG") or None,
        options.get("--log-file"),
    )


if __name__ == "__main__":
    sys.exit(main())
