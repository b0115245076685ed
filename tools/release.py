"""Builds everything that a release is made of, from what is committed: `python3 tools/release.py`.

    ai_sidecar-V-py3-none-any.whl  ai_sidecar-V.tar.gz  the program
    ai-sidecar-lapce-V.tar.gz                           the folder for Lapce's plugins folder
    ai-sidecar-vscode-V.vsix                            the extension for VS Code
    SHA256SUMS                                          of all of them (`sha256sum --check`)

It works in an export of the commit, so that nothing of a working tree gets in, and the same commit
gives the same wheel and plugin. `--tag` says which tag is released, and must be `v` and the
version. Needs git and Python; Rust with a WASI target for the plugin, npm for the extension.
"""

import argparse
import gzip
import hashlib
import io
import json  # noqa: TID251 - nothing is installed where this runs
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from pathlib import Path

from bootstrap import ROOT, get_uv, index_of_pip, tell

PARTS = ("wheel", "volt", "vsix")
LAPCE, VSCODE = "editors/lapce", "editors/vscode"


class ReleaseError(Exception):
    """What is said to whoever runs it."""


def export(commit: str, folder: Path) -> None:
    """Put the files of a commit into `folder`."""
    archive = subprocess.run(
        ["git", "archive", "--format=tar", commit], cwd=ROOT, check=True, capture_output=True
    )
    filters = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}  # from 3.11.4 on
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(folder, **filters)


def version_of(tree: Path, tag: str | None) -> str:
    """Return the version. Raises `ReleaseError` where something names another."""
    version = read_toml(tree / "pyproject.toml")["project"]["version"]
    named = {
        f"{LAPCE}/Cargo.toml": read_toml(tree / LAPCE / "Cargo.toml")["package"]["version"],
        f"{LAPCE}/volt.toml": read_toml(tree / LAPCE / "volt.toml")["version"],
    }
    if (tree / VSCODE / "package.json").is_file():
        package = json.loads((tree / VSCODE / "package.json").read_text("utf-8"))
        named[f"{VSCODE}/package.json"] = package["version"]
    if tag is not None:
        named["the tag"] = tag.removeprefix("v")
    wrong = [f"{place} says {other}" for place, other in named.items() if other != version]
    if f"\n## {version}" not in (tree / "CHANGELOG.md").read_text("utf-8"):
        wrong.append("CHANGELOG.md has no heading for it")
    if wrong:
        raise ReleaseError(f"pyproject.toml says {version}, but {'; '.join(wrong)}")
    return version


def read_toml(path: Path) -> dict:
    return tomllib.loads(path.read_text("utf-8"))


def build_wheel(tree: Path, out: Path, environment: dict[str, str]) -> Path:
    """Build wheel and source archive, the wheel from the archive. Return the wheel."""
    settings = {**environment, **index_of_pip()}
    run([get_uv(), "build", "--quiet", "--out-dir", str(out), str(tree)], tree, settings)
    (out / ".gitignore").unlink(missing_ok=True)
    (wheel,) = out.glob("*.whl")
    return wheel


def build_volt(tree: Path, out: Path, version: str, wheel: Path, epoch: int) -> None:
    """Build Lapce's plugin, with the wheel that its message names."""
    folder = tree / run([str(tree / LAPCE / "build.sh")], tree, dict(os.environ)).strip()
    (folder / "server").mkdir()
    shutil.copy(wheel, folder / "server")

    def plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = ""
        entry.mtime = epoch
        entry.mode = 0o755 if entry.isdir() else 0o644
        return entry

    target = out / f"ai-sidecar-lapce-{version}.tar.gz"
    with (
        target.open("wb") as raw,
        gzip.GzipFile("", "wb", fileobj=raw, mtime=epoch) as packed,
        tarfile.open(fileobj=packed, mode="w") as archive,
    ):
        for path in sorted([folder, *folder.rglob("*")]):
            archive.add(path, path.relative_to(folder.parent), recursive=False, filter=plain)


def build_vsix(tree: Path, out: Path, version: str, wheel: Path) -> None:
    """Build the extension, with the wheel that it installs."""
    home = tree / VSCODE
    environment = dict(os.environ)
    own = ROOT / ".editors/vscode/node_modules/node/bin"  # newer than many a system's
    if own.is_dir():
        environment["PATH"] = f"{own}{os.pathsep}{environment['PATH']}"
    (home / "server").mkdir(exist_ok=True)
    shutil.copy(wheel, home / "server")
    npm = shutil.which("npm", path=environment["PATH"])
    if npm is None:
        raise ReleaseError("npm was not found")
    run([npm, "ci", "--no-audit", "--no-fund"], home, environment)
    target = out / f"ai-sidecar-vscode-{version}.vsix"
    run([npm, "run", "--silent", "package", "--", "--out", str(target)], home, environment)


def write_sums(out: Path) -> None:
    """Write SHA256SUMS, as `sha256sum --check` reads it."""
    files = sorted(path for path in out.iterdir() if path.name != "SHA256SUMS")
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files]
    (out / "SHA256SUMS").write_text("".join(lines), "utf-8")


def run(command: list[str], folder: Path, environment: dict[str, str]) -> str:
    """Run a step; its output is shown where it fails. Raises `ReleaseError`."""
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise ReleaseError(f"{' '.join(command)}\n{done.stdout}{done.stderr}".rstrip())
    return done.stdout


def build(out: Path, parts: tuple[str, ...], commit: str, tag: str | None) -> None:
    """Build `parts` into `out`, which is made anew. Raises `ReleaseError`."""
    stamp = subprocess.run(
        ["git", "show", "-s", "--format=%ct", commit],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    epoch = int(stamp.stdout)
    if out.exists() and any(not is_ours(path) for path in out.iterdir()):
        raise ReleaseError(f"{out} holds files that are no release's; name an empty folder")
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "ai-sidecar"
        tree.mkdir()
        export(commit, tree)
        version = version_of(tree, tag)
        tell("building the wheel …")
        wheel = build_wheel(tree, out, {**os.environ, "SOURCE_DATE_EPOCH": str(epoch)})
        if "volt" in parts:
            tell("building Lapce's plugin …")
            build_volt(tree, out, version, wheel, epoch)
        if "vsix" in parts:
            tell("building the extension for VS Code …")
            build_vsix(tree, out, version, wheel)
    write_sums(out)


def is_ours(path: Path) -> bool:
    """Whether a file may be one of an earlier run."""
    return re.match(r"ai[-_]sidecar-|SHA256SUMS$", path.name) is not None


def main() -> None:
    parser = argparse.ArgumentParser(description="Builds everything that a release is made of.")
    parser.add_argument("parts", nargs="*", help=f"some of {', '.join(PARTS)}; all of them")
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="the folder (dist)")
    parser.add_argument("--commit", default="HEAD", help="what is built (HEAD)")
    parser.add_argument("--tag", help="the tag that is released: v and the version")
    given = parser.parse_args()
    unknown = [part for part in given.parts if part not in PARTS]
    if unknown:
        parser.error(f"no such part: {', '.join(unknown)}")
    try:
        build(given.out.resolve(), tuple(given.parts) or PARTS, given.commit, given.tag)
    except ReleaseError as error:
        sys.exit(f"not built: {error}")
    sys.stdout.write((given.out / "SHA256SUMS").read_text("utf-8"))


if __name__ == "__main__":
    main()
