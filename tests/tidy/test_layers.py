"""The layers of `pyproject.toml` hold: who may import whom is a contract, not a habit."""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_imports_keep_to_their_layers() -> None:
    program = shutil.which("lint-imports", path=str(Path(sys.executable).parent))
    assert program is not None
    done = subprocess.run(
        [program, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_the_childs_program_needs_nothing_of_ours() -> None:
    """`local_child` runs by its path, in an environment where our packages may not be found."""
    program = "import sys, runpy; sys.path = [p for p in sys.path if p != sys.argv[2]];" + (
        "runpy.run_path(sys.argv[1], run_name='child');"
        "print([m for m in ('providers', 'sidecar', 'protocol') if m in sys.modules])"
    )
    child = ROOT / "providers" / "vendors" / "local_child.py"
    done = subprocess.run(
        [sys.executable, "-P", "-c", program, str(child), str(ROOT)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"
