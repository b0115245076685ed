"""The extension as it is built: settings in step with the schema, what the package holds."""

import json
import re
import subprocess
import sys
import zipfile

from tests.editors.vscode.workbench import NODE, ROOT, VSIX, require

EXTENSION = ROOT / "editors" / "vscode"
NOTICES = "ThirdPartyNotices.txt"


def test_the_settings_are_made_from_the_schema() -> None:
    script = EXTENSION / "scripts" / "settings.py"
    done = subprocess.run([sys.executable, str(script), "--check"], cwd="/", check=False)
    assert done.returncode == 0, "run editors/vscode/scripts/settings.py"


def test_what_decides_where_a_key_goes_is_the_user_s_alone() -> None:
    package = json.loads((EXTENSION / "package.json").read_text())
    groups = package["contributes"]["configuration"]
    settings = {name: s for group in groups for name, s in group["properties"].items()}
    restricted = set(package["capabilities"]["untrustedWorkspaces"]["restrictedConfigurations"])
    open_names = {name for name, setting in settings.items() if setting["scope"] != "machine"}
    allowed = re.compile(r"aiSidecar\.(default|(inline|actions)\.[A-Za-z]+)$")
    assert all(allowed.match(name) for name in open_names), open_names
    assert not any(name.endswith((".provider", ".model", ".mode")) for name in open_names)
    assert restricted == (settings.keys() - open_names) | {"aiSidecar.default"}


def test_the_lock_names_no_registry() -> None:
    assert '"resolved"' not in (EXTENSION / "package-lock.json").read_text()


def test_the_version_is_the_program_s() -> None:
    package = json.loads((EXTENSION / "package.json").read_text())
    project = (ROOT / "pyproject.toml").read_text()
    assert f'\nversion = "{package["version"]}"\n' in project


def test_the_package_holds_what_is_needed_and_nothing_else() -> None:
    require(VSIX)
    with zipfile.ZipFile(VSIX) as package:
        names = {re.sub(r"[^/]+\.whl", "*.whl", name) for name in package.namelist()}
    inside = {name.removeprefix("extension/") for name in names if name.startswith("extension/")}
    assert inside == {
        "LICENSE.txt",
        "readme.md",
        "package.json",
        *(f"dist/{name}" for name in ("extension.js", "view.js", "view.css", NOTICES)),
        *(f"media/{name}" for name in ("icon.png", "view.svg")),
        "server/*.whl",
    }
    assert VSIX.stat().st_size < 1_000_000


def test_the_licences_of_what_is_bundled_are_passed_on() -> None:
    require(VSIX)
    with zipfile.ZipFile(VSIX) as package:
        notices = package.read(f"extension/dist/{NOTICES}").decode()
        readme = package.read("extension/readme.md").decode()
    for name in ("vscode-languageclient", "vscode-jsonrpc", "markdown-it"):
        assert re.search(rf"^## {name} \d", notices, re.MULTILINE), name
    assert notices.count("Permission is hereby granted") >= 3
    project = (ROOT / "pyproject.toml").read_text()
    version = re.findall(r'^version = "(.+)"$', project, re.MULTILINE)[0]
    assert f"ai-sidecar-vscode-{version}.vsix" in readme


def test_the_parts_that_know_no_editor() -> None:
    require(NODE, EXTENSION / "node_modules")
    node = str(NODE)
    files = sorted((EXTENSION / "test").glob("*.test.mts"))
    done = subprocess.run(
        [node, "--test", "--experimental-strip-types", *map(str, files)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert files and done.returncode == 0, done.stdout + done.stderr
