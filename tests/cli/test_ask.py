"""`ask` from outside: what it prints where, how it ends, and what it leaves behind."""

import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.cli.ask_helpers import ASK, ask, home_environment

posix = pytest.mark.skipif(os.name != "posix", reason="signals and terminals of POSIX")


def frames(stderr: str) -> list[tuple[str, dict[str, object]]]:
    """Return the frames that `--trace` printed, with their direction."""
    lines = [line.partition(" ") for line in stderr.splitlines() if line[:1] in "→←"]
    return [(direction, json.loads(body)) for direction, _, body in lines]


def test_the_answer_and_nothing_else_is_on_stdout(tmp_path: Path) -> None:
    done = ask(tmp_path, "-p", "mock", "hello", "there, Zürich ☕")
    assert (done.returncode, done.stdout, done.stderr) == (0, "hello there, Zürich ☕\n", "")


def test_what_is_wrong_with_the_configuration_is_told(tmp_path: Path) -> None:
    """Also where nobody looks at a terminal: with a typo, another provider may answer."""
    file = tmp_path / "config.toml"
    file.write_text('defualt = "x"\n')
    env = home_environment(tmp_path) | {"AI_SIDECAR_CONFIG": str(file)}
    done = ask(tmp_path, "-p", "mock", "hello", env=env)
    assert (done.returncode, done.stdout) == (0, "hello\n")
    assert done.stderr == "ai-sidecar: defualt: unknown key: did you mean `default`?\n"


def test_piped_text_and_files_are_added_to_the_prompt(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("print('``` in it')\n")
    done = ask(tmp_path, "-p", "mock", "explain", "-f", "a.py", piped="+ a diff\n")
    assert done.stdout == "explain\n\na.py:\n````\nprint('``` in it')\n````\n\n```\n+ a diff\n```\n"


def test_piped_text_alone_is_the_prompt(tmp_path: Path) -> None:
    assert ask(tmp_path, "-p", "mock", piped="just this").stdout == "just this\n"


def test_files_may_come_before_the_prompt(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("A")
    done = ask(tmp_path, "-p", "mock", "-f", "a.txt", "what is this?")
    assert done.stdout.startswith("what is this?\n\na.txt:")


def test_an_image_becomes_an_image_part(tmp_path: Path) -> None:
    (tmp_path / "dot.png").write_bytes(b"\x89PNG")
    done = ask(tmp_path, "-p", "mock", "see", "-f", "dot.png", "--trace")
    (asked,) = [f for d, f in frames(done.stderr) if f.get("method") == "ai/stream"]
    assert asked["params"]["messages"][0]["content"] == [  # type: ignore[index]
        {"type": "text", "text": "see"},
        {"type": "image", "mimeType": "image/png", "data": "iVBORw=="},
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "nothing to ask"),
        (["q", "-f", "missing.txt"], "missing.txt: No such file"),
        (["q", "-f", "binary.bin"], "binary.bin: neither text"),
    ],
)
def test_bad_input_is_named_and_nothing_is_sent(
    arguments: list[str], said: str, tmp_path: Path
) -> None:
    (tmp_path / "binary.bin").write_bytes(b"\xff\xfe\x00")
    done = ask(tmp_path, "--trace", *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert frames(done.stderr) == []


def test_json_is_the_result(tmp_path: Path) -> None:
    done = ask(tmp_path, "-p", "mock", "--json", "one two")
    result = json.loads(done.stdout)
    assert (result["text"], result["finishReason"], result["provider"]) == (
        "one two",
        "stop",
        "mock",
    )


def test_trace_shows_both_directions(tmp_path: Path) -> None:
    done = ask(tmp_path, "-p", "mock", "-s", "be brief", "--trace", "hi")
    assert done.stdout == "hi\n"
    shown = frames(done.stderr)
    assert [d for d, f in shown if f.get("method") == "initialize"] == ["→"]
    (asked,) = [f["params"] for d, f in shown if d == "→" and f.get("method") == "ai/stream"]
    assert asked["system"] == "be brief"  # type: ignore[index]
    assert any(d == "←" and f.get("method") == "$/progress" for d, f in shown)


def test_an_error_says_what_to_do(tmp_path: Path) -> None:
    done = ask(tmp_path, "-p", "mock", "-m", "error-authentication", "hi")
    assert (done.returncode, done.stdout) == (1, "")
    message, hint = done.stderr.splitlines()
    assert message == "ai-sidecar: a scripted error of kind authentication"
    assert "ai-sidecar doctor" in hint


def test_an_error_is_json_where_json_was_asked_for(tmp_path: Path) -> None:
    done = ask(tmp_path, "-p", "mock", "-m", "error-quota", "--json", "hi")
    assert done.returncode == 1
    error = json.loads(done.stdout)["error"]
    assert (error["code"], error["data"]["kind"]) == (-32803, "quota")


def test_text_that_arrived_before_an_error_is_kept(tmp_path: Path) -> None:
    done = ask(tmp_path, "-p", "mock", "-m", "break-2", "one two three")
    assert (done.returncode, done.stdout) == (1, "one two \n")
    assert "broke off" in done.stderr


def test_continue_sends_what_was_said(tmp_path: Path) -> None:
    assert ask(tmp_path, "-p", "mock", "-s", "be brief", "first").returncode == 0
    done = ask(tmp_path, "-c", "--trace", "second")
    (asked,) = [f["params"] for _, f in frames(done.stderr) if f.get("method") == "ai/stream"]
    assert [(m["role"], m["content"]) for m in asked["messages"]] == [  # type: ignore[index]
        ("user", "first"),
        ("assistant", "first"),
        ("user", "second"),
    ]
    assert (asked["provider"], asked["system"]) == ("mock", "be brief")  # type: ignore[index]


@pytest.fixture
def service() -> Iterator[tuple[str, list[dict[str, object]]]]:
    """An address under which a model answers that calls itself otherwise, and what it was sent."""
    asked: list[dict[str, object]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            choice = {"index": 0, "delta": {"content": "Hello"}, "finish_reason": "stop"}
            chunk = json.dumps({"id": "c1", "model": "real", "choices": [choice]})
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.end_headers()
            self.wfile.write(f"data: {chunk}\n\ndata: [DONE]\n\n".encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/v1", asked
        server.shutdown()
        thread.join()


def test_continue_asks_for_the_model_as_it_was_named(
    tmp_path: Path, service: tuple[str, list[dict[str, object]]]
) -> None:
    """An alias, or a deployment: what the service calls it need not be a name it takes."""
    address, asked = service
    file = tmp_path / "config" / "ai-sidecar" / "config.toml"
    file.parent.mkdir(parents=True)
    file.write_text(
        '[providers.v]\nkind = "openai-compatible"\nmodel = "alias"\n'
        f'baseUrl = "{address}"\napiKey = "k"\n'
    )
    file.chmod(0o600)
    config = home_environment(tmp_path) | {"AI_SIDECAR_CONFIG": str(file)}
    for question in (["first"], ["-c", "second"]):
        done = ask(tmp_path, *question, env=config)
        assert (done.returncode, done.stdout) == (0, "Hello\n")
    assert [body["model"] for body in asked] == ["alias", "alias"]


@posix
def test_the_kept_conversation_is_its_users_alone(tmp_path: Path) -> None:
    ask(tmp_path, "-p", "mock", "secret plans")
    (kept,) = (tmp_path).rglob("last-conversation.json*")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_an_answer_that_failed_is_not_continued(tmp_path: Path) -> None:
    ask(tmp_path, "-p", "mock", "-m", "error-quota", "hi")
    assert list(tmp_path.rglob("last-conversation.json*")) == []


@posix
def test_interrupt_cancels_over_the_wire_and_waits_for_the_answer(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*ASK, "-p", "mock", "-m", "slow-300", "--trace", *["word"] * 50],
        env=home_environment(tmp_path),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    assert process.stdout is not None
    process.stdout.read(5)  # it streams
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=20)
    assert process.returncode == 130
    assert time.monotonic() - began < 4
    shown = frames(stderr)
    (cancel,) = [i for i, (_, f) in enumerate(shown) if f.get("method") == "$/cancelRequest"]
    codes = [f["error"]["code"] for d, f in shown[cancel:] if "error" in f]  # type: ignore[index]
    assert codes == [-32800]


@posix
def test_a_reader_that_has_seen_enough_ends_it_quietly(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*ASK, "-p", "mock", "-m", "slow-50", *["word"] * 200],
        env=home_environment(tmp_path),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.read(5)
    process.stdout.close()
    began = time.monotonic()
    assert process.wait(timeout=20) == 141
    assert time.monotonic() - began < 5  # the whole answer takes ten seconds
    assert process.stderr.read() == b""
    process.stderr.close()


@posix
def test_on_a_terminal_escapes_are_shown_and_the_answer_is_summed_up(tmp_path: Path) -> None:
    import pty

    parent, child = pty.openpty()
    process = subprocess.Popen(
        [*ASK, "-p", "mock", "evil \x1b[31m\x9b2J\r text"],
        env=home_environment(tmp_path),
        stdin=child,
        stdout=child,
        stderr=child,
        start_new_session=True,
    )
    os.close(child)
    shown = b""
    while True:
        try:
            data = os.read(parent, 4096)
        except OSError:  # Linux's way of saying that the other end is closed
            break
        if not data:
            break
        shown += data
    os.close(parent)
    assert process.wait(timeout=20) == 0
    screen = shown.decode()
    assert "evil ␛[31m\ufffd2J text" in screen
    assert "\x1b[31m" not in screen
    assert "\x9b" not in screen
    assert "mock/echo · " in screen
    assert " tokens" in screen


def test_a_hostile_workspace_is_not_imported_from(tmp_path: Path) -> None:
    home, workspace = tmp_path / "home", tmp_path / "workspace"
    home.mkdir()
    for package in ("sidecar", "providers", "protocol"):
        (workspace / package).mkdir(parents=True)
        (workspace / package / "__init__.py").write_text("open('owned', 'w'); raise SystemExit(9)")
    for module in ("json", "asyncio", "msgspec"):
        (workspace / f"{module}.py").write_text("open('owned', 'w'); raise SystemExit(9)")
    done = ask(home, "-p", "mock", "safe", cwd=workspace)
    assert (done.returncode, done.stdout) == (0, "safe\n"), done.stderr
    assert not (workspace / "owned").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="a shell's pipe")
def test_in_a_shells_pipe(tmp_path: Path) -> None:
    command = " ".join(map(str, ASK))
    done = subprocess.run(
        f"echo a diff | {command} -p mock 'write the message' | head -n 1",
        shell=True,
        env=home_environment(tmp_path),
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert (done.stdout, done.stderr) == ("write the message\n", "")
