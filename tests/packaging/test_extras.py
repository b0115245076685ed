"""The command that adds an extra: names what the index has, and the environment that runs."""

import shlex
import sys
from pathlib import Path

import pytest

from providers.extras import install_command, requirements

METADATA = """Metadata-Version: 2.4
Name: ai-sidecar
Version: 0.1.0
Requires-Dist: msgspec>=0.20
Provides-Extra: local
Requires-Dist: xllamacpp==1.2; extra == 'local'
Requires-Dist: socksio==1.*; python_version > '3' and extra == "socks"
Requires-Dist: httpx[socks]<0.29,>=0.28; extra == 'socks'
"""


@pytest.fixture(autouse=True)
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The metadata of a wheel, as its backend writes it, before those of this clone."""
    info = tmp_path / "ai_sidecar-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(METADATA)
    monkeypatch.syspath_prepend(tmp_path)


def test_only_what_the_extra_adds() -> None:
    assert requirements("local") == ["xllamacpp==1.2"]
    assert requirements("socks") == ["socksio==1.*", "httpx[socks]<0.29,>=0.28"]
    assert requirements("sock") == []


def test_pip_of_the_environment_that_runs(tmp_path: Path) -> None:
    (tmp_path / "pip.py").write_text("")
    words = shlex.split(install_command("socks"))
    assert words[:4] == [sys.executable, "-m", "pip", "install"]
    assert words[4:] == ["socksio==1.*", "httpx[socks]<0.29,>=0.28"]


def test_uv_where_there_is_no_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    words = shlex.split(install_command("local"))
    assert words == ["uv", "pip", "install", "--python", sys.executable, "xllamacpp==1.2"]


def test_an_extra_that_the_metadata_do_not_name() -> None:
    """A clone that was installed before it had the extra."""
    assert install_command("keyring") == "pip install '.[keyring]' in a clone of the project"
