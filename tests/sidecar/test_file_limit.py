"""The soft limit of open files goes up to the hard one, and never down."""

import subprocess
import sys

import pytest

pytest.importorskip("resource", reason="Windows has no such limit")

ASK = """
import resource, sys
from sidecar.file_limit import raise_file_limit
resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[1]), int(sys.argv[2])))
told = raise_file_limit()
print(told, *resource.getrlimit(resource.RLIMIT_NOFILE))
"""


def limits(soft: int, hard: int) -> list[int]:
    """What is told, and the limits afterwards, of a process that began with these."""
    done = subprocess.run(
        [sys.executable, "-c", ASK, str(soft), str(hard)],
        capture_output=True,
        text=True,
        check=True,
    )
    return [int(word) for word in done.stdout.split()]


@pytest.mark.parametrize(("soft", "hard"), [(256, 4096), (256, 256), (4096, 4096)])
def test_the_soft_limit_becomes_the_hard_one(soft: int, hard: int) -> None:
    assert limits(soft, hard) == [hard, hard, hard]


def test_a_refusal_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """As macOS does: no hard limit, and yet it takes no more than its own."""
    import resource

    from sidecar import file_limit

    asked: list[int] = []

    def refuse(which: int, wanted: tuple[int, int]) -> None:
        asked.append(wanted[0])
        if wanted[0] > 10_240:
            raise ValueError("current limit exceeds maximum limit")

    monkeypatch.setattr(resource, "getrlimit", lambda which: (256, resource.RLIM_INFINITY))
    monkeypatch.setattr(resource, "setrlimit", refuse)
    assert file_limit.raise_file_limit() == 10_240
    assert asked == [65_536, 10_240]


def test_what_is_high_enough_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    import resource

    from sidecar import file_limit

    monkeypatch.setattr(resource, "getrlimit", lambda which: (100_000, 100_000))
    monkeypatch.delattr(resource, "setrlimit")
    assert file_limit.raise_file_limit() == 100_000
