"""The plugin in the engine of Lapce 0.4: the whole conversation, as lapce-proxy has it."""

import os
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from sidecar.about import VERSION
from tests.contract.process import PROGRAM
from tests.editors.lapce.conftest import ROOT, Play

pytestmark = pytest.mark.slow

THERE = {"result": {"success": True, "stdout": list(b"ai-sidecar 0.1.0\n"), "stderr": []}}
ABSENT = {"error": {"code": 0, "message": "No such file or directory (os error 2)"}}
ON_PATH = {"ai-sidecar": THERE}


def test_the_whole_conversation(play: Play) -> None:
    said = play(programs=ON_PATH).said
    selector = said[3]["from"]["params"].pop("documentSelector")
    assert [said[0]["to"]["method"], *(entry["from"] for entry in said[1:])] == [
        "initialize",
        {"jsonrpc": "2.0", "id": 0, "result": {"capabilities": {}}},
        {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "host/executeProcess",
            "params": {"program": "ai-sidecar", "args": ["--version"]},
        },
        {
            "jsonrpc": "2.0",
            "id": 2,
            "method": "host/startLspServer",
            "params": {"serverUri": "urn:ai-sidecar", "serverArgs": [], "options": {}},
        },
    ]
    assert {"language": "python"} in selector and {"language": "rust"} in selector
    assert selector[-1] == {"pattern": "**/*"}  # and whatever has no name there


def test_settings_reach_the_server_as_far_as_a_workspace_may_set_them(play: Play) -> None:
    settings = {
        "default": 'ollama/modèle-😀\n"x"\\',
        "inline": {"enabled": False, "languages": {"markdown": False, "go": True}, "ignore": []},
        "providers": {"ollama": {"model": "größe"}, "openai": {"baseUrl": "https://evil.example"}},
        "http.proxy": "http://evil.example",
    }
    said = play(settings, programs=ON_PATH)
    assert said.start["options"] == {
        "default": 'ollama/modèle-😀\n"x"\\',
        "inline": {"enabled": False, "languages": {"markdown": False}},
        "providers": {"ollama": {"model": "größe"}},
    }
    (shown,) = said.shown
    assert "inline.ignore, providers.openai.baseUrl, http. They" in shown
    assert "evil" not in shown


def test_the_settings_that_lapce_shows_are_those_that_are_read(play: Play) -> None:
    """Lapce hands over a plugin's defaults as they are in volt.toml, by their dotted names."""
    volt = tomllib.loads((ROOT / "editors/lapce/volt.toml").read_text("utf-8"))
    assert volt["version"] == VERSION
    assert all(entry["description"] for entry in volt["config"].values())
    defaults = {name: entry["default"] for name, entry in volt["config"].items()}
    said = play(defaults, programs=ON_PATH)
    assert said.start["options"] == {} and said.shown == []
    changed = {"default": "mock", "inline.enabled": False}
    assert changed.keys() == defaults.keys()
    options = play(changed, programs=ON_PATH).start["options"]
    assert options == {"default": "mock", "inline": {"enabled": False}}


def test_a_program_that_is_in_a_private_environment_only(play: Play, tmp_path: Path) -> None:
    """For real: PATH is a desktop's, and programs are run."""
    home = tmp_path / "hôme dir"
    program = home / ".local/share/ai-sidecar/venv/bin/ai-sidecar"
    program.parent.mkdir(parents=True)
    program.symlink_to(PROGRAM)
    said = play(programs=None, env={"HOME": str(home), "PATH": str(tmp_path)})
    assert said.start["serverUri"] == (
        home.as_uri() + "/.local/share/ai-sidecar/venv/bin/ai-sidecar"
    )
    assert [p["program"] for p in said.by_plugin("host/executeProcess")] == [
        "ai-sidecar",
        str(home / ".local/bin/ai-sidecar"),
        str(program),
    ]


def test_a_path_in_the_plugins_folder_comes_first(play: Play, volt: Path, tmp_path: Path) -> None:
    folder = tmp_path / "plugin"
    shutil.copytree(volt, folder)
    (folder / "server-path").write_text("/opt/ä b/ai-sidecar\n", "utf-8")
    programs = {"ai-sidecar": THERE, "/opt/ä b/ai-sidecar": THERE}
    said = play(programs=programs, folder=folder)
    assert said.start["serverUri"] == "file:///opt/%C3%A4%20b/ai-sidecar"
    gone = play(programs={**programs, "/opt/ä b/ai-sidecar": ABSENT}, folder=folder)
    assert gone.by_plugin("host/startLspServer") == []
    assert gone.shown == [
        "server-path: /opt/ä b/ai-sidecar: No such file or directory (os error 2)"
    ]


@pytest.mark.parametrize("name", ["serverPath", "server-path", "path", "serverArgs", "command"])
def test_a_path_in_the_settings_is_left_out(play: Play, name: str) -> None:
    said = play({name: "/tmp/evil"}, programs=ON_PATH)
    assert said.start["serverUri"] == "urn:ai-sidecar" and said.start["options"] == {}
    assert name in said.shown[0] and "evil" not in said.shown[0]


ALL_ABSENT = dict.fromkeys(
    [
        "ai-sidecar",
        "/h/.local/bin/ai-sidecar",
        "/h/.local/share/ai-sidecar/venv/bin/ai-sidecar",
        "/usr/local/bin/ai-sidecar",
    ],
    ABSENT,
)


def test_a_program_that_is_nowhere_is_told_with_what_to_do(play: Play) -> None:
    said = play(programs=ALL_ABSENT, env={"HOME": "/h"})
    assert said.by_plugin("host/startLspServer") == []
    (shown,) = said.shown
    assert shown.endswith("Install it as its README says, then start Lapce again.")


def test_without_a_package_the_clone_is_named(play: Play, volt: Path, tmp_path: Path) -> None:
    folder = tmp_path / "plugin"
    shutil.copytree(volt, folder)
    (folder / "clone").write_text("/my clone\n")
    (shown,) = play(programs=ALL_ABSENT, env={"HOME": "/h"}, folder=folder).shown
    own = "~/.local/share/ai-sidecar/venv"
    assert shown.endswith(
        f"python3 -m venv {own} && {own}/bin/pip install '/my clone[local]' && "
        f"{own}/bin/ai-sidecar local install"
    )


def test_the_package_that_a_release_carries_is_named(
    play: Play, volt: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "my plügins"
    shutil.copytree(volt, folder)
    wheel = folder / f"server/ai_sidecar-{VERSION}-py3-none-any.whl"
    wheel.parent.mkdir()
    wheel.write_bytes(b"PK\x03\x04\xff")
    env = {"HOME": "/h", "VOLT_URI": folder.as_uri() + "/"}
    (shown,) = play(programs=ALL_ABSENT, env=env, folder=folder).shown
    assert f"pip install '{wheel}[local]' && " in shown


@pytest.mark.parametrize(
    ("start", "shown"),
    [("started", []), ("silence", []), ("error", ["ai-sidecar was not started: it broke"])],
)
def test_what_becomes_of_the_start(play: Play, start: str, shown: list[str]) -> None:
    assert play(programs=ON_PATH, start=start).shown == shown


def test_a_delayed_answer_is_waited_for(play: Play) -> None:
    said = play(programs=ON_PATH, delay=0.5, start="error")
    assert said.shown == ["ai-sidecar was not started: it broke"]


def test_later_messages_are_answered_and_nonsense_is_survived(play: Play) -> None:
    initialize = {"jsonrpc": "2.0", "id": "ü", "method": "initialize", "params": {}}
    later: list[Any] = [
        "no json",
        initialize,
        {"jsonrpc": "2.0", "method": "initialized", "params": {}},
        {"jsonrpc": "2.0", "id": 1, "result": {"id": 9}},
        {"jsonrpc": "2.0", "id": 8, "method": "textDocument/hover", "params": {}},
        {"jsonrpc": "2.0", "id": 9, "method": "shutdown"},
    ]
    said = play(programs=ON_PATH, messages=later).said
    answers = [entry["from"] for entry in said if "method" not in entry.get("from", {"method": 1})]
    assert [answer["id"] for answer in answers] == ["ü", 8, 9]
    assert answers[1]["error"]["code"] == -32601 and answers[2]["result"] is None


def test_a_host_that_runs_no_programs_is_asked_for_the_one_on_path(play: Play) -> None:
    assert play(programs={}).start["serverUri"] == "urn:ai-sidecar"


def test_what_is_installed_keeps_the_users_path(volt: Path, target: Path, tmp_path: Path) -> None:
    """`build.sh --install` twice; beside it is what Lapce's message has to install."""
    installed = tmp_path / "lapce-stable/plugins/ai-sidecar.ai-sidecar"
    environment = {
        **os.environ,
        "XDG_DATA_HOME": str(tmp_path),
        "CARGO_TARGET_DIR": str(target),
    }
    for _ in range(2):
        subprocess.run(
            [str(ROOT / "editors/lapce/build.sh"), "--install"],
            env=environment,
            check=True,
            capture_output=True,
        )
        assert {p.name for p in installed.iterdir()} >= {"volt.toml", "bin", "README.md", "LICENSE"}
        (installed / "server-path").write_text("/x")
        packages = [path.name for path in installed.glob("server/*")]
        if (installed / "clone").exists():
            assert packages == [] and (installed / "clone").read_text() == f"{ROOT}\n"
        else:
            assert packages == [f"ai_sidecar-{VERSION}-py3-none-any.whl"]
    assert (installed / "server-path").read_text() == "/x"


def test_the_parts(target: Path) -> None:
    """`cargo test`, outside wasm."""
    cargo = shutil.which("cargo", path="/usr/bin") or shutil.which("cargo")
    if cargo is None:
        pytest.skip("cargo not found: run tools/editors/lapce.sh")
    done = subprocess.run(
        [cargo, "test", "--quiet", "--offline", "--locked"],
        cwd=ROOT / "editors/lapce",
        env={
            **os.environ,
            "RUSTC": str(Path(cargo).with_name("rustc")),
            "CARGO_TARGET_DIR": str(target),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "22 passed" in done.stdout
