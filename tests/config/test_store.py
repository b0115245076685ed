"""The user file, its reloading, and who is told."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sidecar.config import ConfigStore
from sidecar.config.user_file import user_file_path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


def save(path: Path, text: str) -> None:
    """As editors save: into another file, which then takes the name."""
    other = path.with_suffix(".new")
    other.write_text(text, encoding="utf-8")
    os.replace(other, path)


def test_layers_in_their_order(file: Path):
    save(file, 'default = "groq"\n[providers.openai]\nmodel = "file"\norganization = "file"\n')
    environ = {"OPENAI_API_KEY": "x", "OPENAI_ORG_ID": "env", "OPENAI_PROJECT_ID": "env"}
    store = ConfigStore(environ, file)
    store.set_initialization_options({"providers": {"openai": {"model": "options"}}})
    store.set_workspace({"default": "openai"})
    openai = store.config.providers["openai"]
    assert (openai.project, openai.organization, openai.model) == ("env", "file", "options")
    assert store.config.default == "openai"


def test_a_user_without_a_home_has_no_file(monkeypatch: pytest.MonkeyPatch):
    def nowhere(environ: object) -> Path:
        raise RuntimeError("no home")

    monkeypatch.setattr("sidecar.config.store.user_file_path", nowhere)
    store = ConfigStore({})
    store.set_initialization_options({"default": "groq"})
    assert store.config.default == "groq" and store.problems == []


def test_no_file_is_no_problem(file: Path):
    store = ConfigStore({}, file)
    assert store.config == ConfigStore({}, file).config
    assert store.problems == []


def test_a_syntax_error_names_its_line_and_keeps_what_was(file: Path):
    save(file, 'default = "groq"\n')
    store = ConfigStore({}, file)
    assert store.config.default == "groq"
    save(file, '[http]\nproxy = "http://canary-secret@x\n')
    assert store.reload_user_file()
    assert store.config.default == "groq"
    (problem,) = store.problems
    assert problem.path == "config.toml"
    assert "expected TOML" in problem.message and "line 2" in problem.message
    assert problem.source == f"user file {file}"
    assert "canary" not in str(problem)
    save(file, 'default = "openai"\n')
    assert store.reload_user_file()
    assert (store.config.default, store.problems) == ("openai", [])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'default = "gr\xff"', "expected UTF-8 text (line 1)"),
        (b"# " + b"x" * 1024 * 1024, "larger than 1 MiB"),
        (b"a = " + b"[" * 100_000, "expected TOML"),
    ],
)
def test_a_file_that_is_no_toml(file: Path, content: bytes, message: str):
    file.write_bytes(content)
    (problem,) = ConfigStore({}, file).problems
    assert message in problem.message


def test_a_folder_in_the_files_place(tmp_path: Path):
    (problem,) = ConfigStore({}, tmp_path).problems
    assert "cannot be read" in problem.message


def test_a_byte_order_mark_is_no_error(file: Path):
    file.write_bytes(b'\xef\xbb\xbfdefault = "groq"\n')
    assert ConfigStore({}, file).config.default == "groq"


def test_the_file_is_named_by_a_variable():
    assert user_file_path({"AI_SIDECAR_CONFIG": "/x/y.toml"}) == Path("/x/y.toml")
    assert user_file_path({"AI_SIDECAR_CONFIG": "~/y.toml"}) == Path.home() / "y.toml"


def test_without_the_variable_it_is_in_the_platforms_folder():
    assert user_file_path({}).parts[-2:] == ("ai-sidecar", "config.toml")


class Heard:
    def __init__(self, store: ConfigStore) -> None:
        self.times = 0
        self.event = asyncio.Event()
        store.on_change = self

    def __call__(self) -> None:
        self.times += 1
        self.event.set()


def test_on_change_is_called_for_changes_only(file: Path):
    store = ConfigStore({}, file)
    assert store.config.default is None
    heard = Heard(store)
    store.set_initialization_options({"default": "groq"})
    store.set_initialization_options({"default": "groq"})
    assert heard.times == 1
    assert not store.reload_user_file()
    save(file, "# nothing but a comment\n")
    assert not store.reload_user_file()
    assert heard.times == 1
    save(file, "nothing = 1\n")  # the same configuration, but a new problem
    assert store.reload_user_file()
    assert heard.times == 2


@pytest.mark.asyncio
async def test_a_file_is_watched_from_its_making_to_its_end(file: Path):
    store = ConfigStore({}, file)
    assert store.config.default is None
    heard = Heard(store)
    watching = asyncio.create_task(store.watch(0.01))
    for text, default in (
        ('default = "groq"\n', "groq"),
        ('default = "xai"\n#\n', "xai"),  # the same size as the one after it
        ('default = "mistral"\n', "mistral"),
    ):
        save(file, text)
        await asyncio.wait_for(heard.event.wait(), 5)
        heard.event.clear()
        assert store.config.default == default
    with file.open("a") as opened:  # and as other editors save: in place
        opened.write("[timeouts]\nidle = 7\n")
    await asyncio.wait_for(heard.event.wait(), 5)
    heard.event.clear()
    assert store.config.timeouts.idle == 7
    file.unlink()
    await asyncio.wait_for(heard.event.wait(), 5)
    assert store.config.default is None
    watching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await watching


@pytest.mark.asyncio
async def test_same_size_and_time_but_another_file_is_seen(file: Path):
    save(file, 'default = "groq"\n')
    kept = file.stat()
    store = ConfigStore({}, file)
    assert store.config.default == "groq"
    heard = Heard(store)
    watching = asyncio.create_task(store.watch(0.01))
    other = file.with_suffix(".new")
    other.write_text('default = "qwen"\n')
    os.utime(other, ns=(kept.st_atime_ns, kept.st_mtime_ns))
    os.replace(other, file)
    await asyncio.wait_for(heard.event.wait(), 5)
    assert store.config.default == "qwen"
    watching.cancel()


def test_importing_the_configuration_imports_nothing_large():
    heavy = ["rich", "httpx", "pygls", "lsprotocol", "cattrs", "platformdirs", "tomllib"]
    heavy += ["keyring", "difflib"]
    code = (
        "import sys, sidecar.config\n"
        "from pathlib import Path\n"
        "store = sidecar.config.ConfigStore({'OPENAI_API_KEY': 'x'}, Path('/nonexistent/x'))\n"
        "store.config\n"
        f"sys.stdout.write(' '.join(m for m in {heavy!r} if m in sys.modules))"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout == ""


def test_a_name_that_means_nothing_leaves_what_a_weaker_layer_says(file: Path):
    save(file, 'default = "v"\n[providers.v]\nkind = "mock"\n[fallback]\nchain = ["x/m", "v"]\n')
    store = ConfigStore({}, file)
    store.set_initialization_options(
        {"default": "nope", "inline": {"provider": "nope"}, "fallback": {"chain": ["nope"]}}
    )
    config = store.config
    assert (config.default, config.inline.provider) == ("v", None)
    assert config.fallback.chain == ["v"]
    assert [(p.path, p.source) for p in store.problems] == [
        ("fallback.chain[0]", f"user file {file}"),
        ("default", "initializationOptions"),
        ("inline.provider", "initializationOptions"),
        ("fallback.chain[0]", "initializationOptions"),
    ]
    store.set_workspace({"default": "gone/m"})
    assert store.config.default == "v"
    assert store.problems[-1].path == "default"
    assert store.problems[-1].source == "workspace settings"


def test_a_default_that_means_nothing_leaves_the_built_in_rule(file: Path):
    store = ConfigStore({}, file)
    store.set_initialization_options({"default": "nope", "providers": {"v": {"kind": "mock"}}})
    assert store.config.default is None
    (problem,) = store.problems
    assert problem.message.endswith("`v` is configured")
    store.set_initialization_options({"default": "opnai", "providers": {"v": {"kind": "mock"}}})
    assert store.problems[0].message.endswith("did you mean `openai`?")


def test_a_route_goes_on_with_the_members_that_there_are(file: Path):
    store = ConfigStore({}, file)
    store.set_initialization_options(
        {
            "routes": [
                {"pattern": "a*", "providers": ["nope", {"provider": "groq", "weight": 2}]},
                {"pattern": "b*", "providers": [{"provider": "nope"}]},
            ]
        }
    )
    (route,) = store.config.routes
    assert (route.pattern, len(route.providers)) == ("a*", 1)
    assert [p.path for p in store.problems] == ["routes[0].providers[0]", "routes[1].providers[0]"]
