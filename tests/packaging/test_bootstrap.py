"""The bootstrap of the README's commands: which index it uses; a second run does nothing."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tools import bootstrap

CONFIGURED = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_CONFIG_FILE", "SSL_CERT_FILE")


@pytest.fixture(autouse=True)
def nothing_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*CONFIGURED, "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_CERT"):
        monkeypatch.delenv(name, raising=False)
    # Where there is no pip, its files are not read either.
    monkeypatch.setattr(bootstrap, "pip_of", lambda environment: ["no-such-program"])


def test_the_public_index_where_nothing_is_configured() -> None:
    assert bootstrap.index_of_pip() == {}


def test_pips_index_and_certificates_are_told_to_uv(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://mirror.example/simple")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://more.example/simple")
    monkeypatch.setenv("PIP_CERT", "/etc/company.pem")
    assert bootstrap.index_of_pip() == {
        "UV_DEFAULT_INDEX": "https://mirror.example/simple",
        "UV_INDEX": "https://more.example/simple",
        "SSL_CERT_FILE": "/etc/company.pem",
    }


def test_uvs_own_index_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://mirror.example/simple")
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://uv.example/simple")
    assert "UV_DEFAULT_INDEX" not in bootstrap.index_of_pip()


def test_pips_files_are_read_through_pip(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    said = tmp_path / "pip.py"
    said.write_text(
        "import sys\n"
        "if sys.argv[1:] == ['config', 'get', 'global.index-url']: print('https://file.example')\n"
        "else: sys.exit(1)\n"
    )
    monkeypatch.setattr(bootstrap, "pip_of", lambda environment: [sys.executable, str(said)])
    assert bootstrap.index_of_pip() == {"UV_DEFAULT_INDEX": "https://file.example"}


@pytest.mark.parametrize(
    ("installed", "wanted", "works"),
    [("ALL", "ALL", False), ("ALL", "TRY", False), ("TRY", "TRY", False), ("TRY", "ALL", True)],
)
def test_what_is_installed_is_not_installed_again(
    installed: str, wanted: str, works: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    done: list[list[str]] = []

    def install(uv: str, environment: Path, options: list[str]) -> None:
        environment.mkdir(exist_ok=True)
        done.append(options)

    monkeypatch.setenv("UV_PROJECT_ENVIRONMENT", str(tmp_path / "environment"))
    monkeypatch.setattr(bootstrap, "get_uv", lambda: "uv")
    monkeypatch.setattr(bootstrap, "install_with_uv", install)
    bootstrap.install(getattr(bootstrap, installed))
    done.clear()
    bootstrap.install(getattr(bootstrap, wanted))
    assert bool(done) == works


def test_environments_whose_python_has_gone_are_made_anew(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As after the system's next release: what is left are links to nothing."""
    monkeypatch.undo()
    ran: list[list[str]] = []
    monkeypatch.setattr(bootstrap, "ROOT", tmp_path)
    monkeypatch.setattr(bootstrap, "run", lambda command, settings=None: ran.append(command))
    for name in (".venv", ".venv-uv"):
        python = Path(bootstrap.pip_of(tmp_path / name)[0])
        python.parent.mkdir(parents=True)
        python.with_name("uv.exe" if bootstrap.WINDOWS else "uv").touch()
        (tmp_path / name / "pyvenv.cfg").touch()
        if not bootstrap.WINDOWS:
            python.symlink_to(tmp_path / "gone")
    (tmp_path / ".venv-uv" / ".uv-version").write_text(bootstrap.UV_VERSION)
    monkeypatch.setattr(bootstrap, "index_of_pip", dict)
    with pytest.raises(FileNotFoundError):  # the mark's folder, which `run` was to make
        bootstrap.get_uv()
    assert ran[0][1:3] == ["-m", "venv"]
    ran.clear()
    bootstrap.install_with_uv("uv", tmp_path / ".venv", bootstrap.TRY)
    assert ran[0][:4] == ["uv", "venv", "--quiet", "--clear"]


def test_a_failed_step_ends_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail() -> str:
        raise subprocess.CalledProcessError(2, ["uv", "pip", "install"])

    monkeypatch.setenv("UV_PROJECT_ENVIRONMENT", str(tmp_path / "environment"))
    monkeypatch.setattr(bootstrap, "get_uv", fail)
    with pytest.raises(SystemExit, match="installation failed: uv pip install"):
        bootstrap.install(bootstrap.ALL)


@pytest.mark.parametrize("name", ["bootstrap", "check", "try"])
def test_an_older_python_reads_the_scripts_as_far_as_the_version(name: str) -> None:
    source = (bootstrap.ROOT / "tools" / f"{name}.py").read_text("utf-8")
    ast.parse(source, feature_version=(3, 7))  # walruses, `match` and the like are refused
    assert "__future__" not in source, "3.6 has no `annotations` there"


@pytest.mark.parametrize("name", ["bootstrap", "check", "try"])
def test_an_older_python_is_told_which_is_needed(name: str) -> None:
    script = bootstrap.ROOT / "tools" / f"{name}.py"
    older = (
        "import runpy, sys\n"
        "sys.version, sys.version_info = '3.10.13 (main)', (3, 10, 13)\n"
        f"sys.path.insert(0, {str(script.parent)!r})\n"
        f"runpy.run_path({str(script)!r}, run_name='__main__')\n"
    )
    said = subprocess.run([sys.executable, "-c", older], capture_output=True, text=True)
    assert said.returncode == 1
    assert said.stderr.startswith("Python 3.11 or later is needed, this is 3.10.13")
