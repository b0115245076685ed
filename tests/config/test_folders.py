"""The folders are platformdirs' own, which on Linux is not imported for it."""

import subprocess
import sys
from pathlib import Path

import platformdirs
import pytest

from providers.folders import Kind, user_folder

ENVIRONMENTS: dict[str, dict[str, str | None]] = {
    "a home": {"HOME": "/home/x"},
    "a home that ends with a slash": {"HOME": "/home/x/"},
    "the root as home": {"HOME": "/"},
    "no home": {"HOME": None},
    "an empty home": {"HOME": ""},
    "a relative home": {"HOME": "somewhere"},
    "XDG": {"XDG_CONFIG_HOME": "/c", "XDG_DATA_HOME": "/d//e/", "XDG_CACHE_HOME": "/a/../b"},
    "relative XDG": {"XDG_CONFIG_HOME": "c", "XDG_DATA_HOME": "~/d", "XDG_CACHE_HOME": "./a"},
    "empty XDG": {"XDG_CONFIG_HOME": "", "XDG_DATA_HOME": "", "XDG_CACHE_HOME": ""},
    "XDG without a home": {"XDG_CONFIG_HOME": "/c", "HOME": None},
    "Android": {"ANDROID_ROOT": "/system", "ANDROID_DATA": "/data", "HOME": "/home/x"},
}


@pytest.mark.parametrize("kind", ["config", "data", "cache"])
@pytest.mark.parametrize("named", ENVIRONMENTS)
def test_they_are_platformdirs(kind: Kind, named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "ANDROID_ROOT"):
        monkeypatch.delenv(variable, raising=False)
    for variable, value in ENVIRONMENTS[named].items():
        if value is None:
            monkeypatch.delenv(variable, raising=False)
        else:
            monkeypatch.setenv(variable, value)
    theirs = {
        "config": platformdirs.user_config_path,
        "data": platformdirs.user_data_path,
        "cache": platformdirs.user_cache_path,
    }
    assert user_folder(kind) == theirs[kind]("ai-sidecar", appauthor=False)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere platformdirs says")
def test_on_linux_it_costs_nothing() -> None:
    code = (
        "import sys; from providers.folders import user_folder\n"
        "for kind in ('config', 'data', 'cache'): user_folder(kind)\n"
        "assert not {'platformdirs', 'tempfile', 'shutil'} & set(sys.modules)"
    )
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", code], env={"HOME": "/home/x"}, cwd=root, check=True)
