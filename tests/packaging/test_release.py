"""What a release is made of, built for real; and the workflows, which do no more than that.

The extension for VS Code is built by `tools/editors/vscode.sh` and not again here.
"""

import hashlib
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from sidecar.about import VERSION

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))


def release(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "tools/release.py"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    for missing, script in (("No Rust toolchain", "lapce"), ("npm was not found", "vscode")):
        if missing in done.stderr:
            pytest.skip(f"{missing}: run tools/editors/{script}.sh")
    return done


@pytest.fixture(scope="module", autouse=True)
def git() -> None:
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a git clone")


@pytest.mark.slow
def test_the_same_commit_gives_the_same_files(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    done = release("volt", "--out", str(first), "--tag", f"v{VERSION}")
    assert done.returncode == 0, done.stderr
    sums = dict(reversed(line.split("  ")) for line in done.stdout.splitlines())
    assert sorted(sums) == [
        f"ai-sidecar-lapce-{VERSION}.tar.gz",
        f"ai_sidecar-{VERSION}-py3-none-any.whl",
        f"ai_sidecar-{VERSION}.tar.gz",
    ]
    for name, digest in sums.items():
        assert hashlib.sha256((first / name).read_bytes()).hexdigest() == digest
    assert release("volt", "--out", str(second)).stdout == done.stdout
    with tarfile.open(first / f"ai-sidecar-lapce-{VERSION}.tar.gz") as archive:
        inside = {entry.name for entry in archive if entry.isfile()}
    folder = "ai-sidecar.ai-sidecar"
    assert inside == {
        f"{folder}/{name}"
        for name in (
            "volt.toml",
            "README.md",
            "LICENSE",
            "bin/ai-sidecar-lapce.wasm",
            f"server/ai_sidecar-{VERSION}-py3-none-any.whl",
        )
    }


@pytest.mark.slow
def test_a_tag_of_another_version_is_not_built(tmp_path: Path) -> None:
    done = release("wheel", "--out", str(tmp_path), "--tag", "v99.0.0")
    assert done.returncode == 1
    assert done.stderr.strip() == (
        f"not built: pyproject.toml says {VERSION}, but the tag says 99.0.0"
    )


@pytest.mark.slow
def test_a_folder_of_somebody_elses_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    done = release("wheel", "--out", str(tmp_path))
    assert done.returncode == 1
    assert "holds files that are no release's" in done.stderr
    assert (tmp_path / "thesis.txt").exists()


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=[path.stem for path in WORKFLOWS])
def test_a_workflow_may_little_and_runs_what_there_is(workflow: Path) -> None:
    text = workflow.read_text("utf-8")
    assert "\npermissions:\n  contents: read\n" in text
    more = re.findall(r"^ +permissions:\n +([\w-]+: \w+)$", text, re.MULTILINE)
    assert more in ([], ["contents: write"])  # the one job that publishes
    assert not re.search(r"pull_request_target|\$\{\{ *(secrets|github\.event\.)", text)
    for action in re.findall(r"uses: (\S+)", text):
        assert re.fullmatch(r"actions/[\w-]+@v\d+", action), "GitHub's own, pinned by version"
    steps = re.split(r"\n      - ", text)
    for step in steps:
        if "actions/checkout" in step:
            assert "persist-credentials: false" in step
    for name in re.findall(r"(?:python3?|bash) ((?:tools|\.ci)/[\w/.-]+)", text):
        assert (ROOT / name).is_file()
    assert len(re.findall(r"timeout-minutes: ", text)) == len(re.findall(r"runs-on: ", text))
