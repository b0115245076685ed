"""What `malloc` keeps is given back: in a process of its own, by its own resident pages."""

import platform
import subprocess
import sys

import pytest

from providers.http.heap import give_back

HELD = """
from pathlib import Path
from providers.http.heap import give_back

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

pieces = [bytes([i % 251 + 1]) * 20_000 for i in range(2_000)]
pin = bytes(20_000)  # at the heap's top: without it all is given back by itself
pieces.clear()
before = resident()
give_back()
print((before - resident()) // 1_000_000)
"""


@pytest.mark.skipif(
    sys.platform != "linux" or platform.libc_ver()[0] != "glibc", reason="only glibc keeps it so"
)
def test_free_memory_below_what_is_used_is_given_back() -> None:
    said = subprocess.run([sys.executable, "-c", HELD], capture_output=True, text=True, check=True)
    assert 30 <= int(said.stdout) <= 41


def test_a_python_without_ctypes_keeps_what_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ctypes", None)  # as where Python was built without libffi
    give_back()
