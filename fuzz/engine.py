"""Runs one target under atheris in a process of its own, and reads what libFuzzer says about it.

libFuzzer ends its process by itself, and a target that crashes or eats the memory ends it as well.
"""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
FOUND = ROOT / "tests" / "fuzz" / "found"
HANG_SECONDS = 5
"""An input that takes longer is a finding: the slowest law takes milliseconds."""
MEMORY_MB = 600
MOST_BYTES = 4096
"""Length of an input. Limits of many megabytes are lowered by the targets instead."""


class Run(NamedTuple):
    """What one run came to. `covered` and `features` are libFuzzer's cov and ft."""

    target: str
    seconds: int
    executions: int
    covered: int
    features: int
    corpus: int
    failed: bool
    output: str


def run(target: str, seconds: int, corpus: Path) -> Run:
    """Fuzz `target` for so many seconds; found cases are written beside the corpus."""
    kept = corpus / target
    kept.mkdir(parents=True, exist_ok=True)
    crashes = corpus / "crashes" / target
    crashes.mkdir(parents=True, exist_ok=True)
    found = FOUND / target
    command = [
        *(sys.executable, "-P", "-m", "fuzz.child", target, str(kept)),
        *([str(found)] if found.is_dir() else []),
        f"-max_total_time={seconds}",
        f"-timeout={HANG_SECONDS}",
        f"-rss_limit_mb={MEMORY_MB}",
        f"-max_len={MOST_BYTES}",
        f"-artifact_prefix={crashes}{os.sep}",
        "-print_final_stats=1",
        "-use_value_profile=1",
    ]
    nothing_kept = {"AI_SIDECAR_LEDGER": "off", "AI_SIDECAR_MODEL_LISTS": "off"}
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **nothing_kept}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    return read_output(target, done.stderr + done.stdout, done.returncode)


_STATUS = re.compile(r"cov: (\d+) ft: (\d+) corp: (\d+)")


def read_output(target: str, output: str, code: int) -> Run:
    """Return the figures in libFuzzer's output."""
    lines = _STATUS.findall(output)
    covered, features, corpus = map(int, lines[-1]) if lines else (0, 0, 0)
    executions = re.search(r"stat::number_of_executed_units:\s+(\d+)", output)
    seconds = re.search(r"Done \d+ runs in (\d+) second", output)
    return Run(
        target,
        int(seconds[1]) if seconds else 0,
        int(executions[1]) if executions else 0,
        covered,
        features,
        corpus,
        code != 0 or not lines,
        output,
    )
