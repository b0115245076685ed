"""The report of where the memory goes: what it counts adds up, on a program that is small."""

import sys

import pytest

pytest.importorskip("psutil", reason="needs the dependency group `bench`")

from benchmarks import where_memory
from benchmarks.where_memory import Import, Seen, Stage

MB = 1_000_000

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def test_a_program_is_seen_from_inside_and_outside() -> None:
    seen = where_memory.look("floor", ["benchmarks.peers.floor", "9"])
    names = [each.name for each in seen.imports]
    assert "benchmarks.peers.floor" not in names  # it is the program
    assert {"asyncio", "msgspec", "msgspec._core"} <= set(names)
    assert not any(name.startswith("ctypes") for name in names)
    # A module's own imports come before it, and are part of its whole.
    assert names.index("asyncio.events") < names.index("asyncio")
    package = seen.imports[names.index("asyncio")]
    assert package.whole > package.own
    assert package.whole >= sum(e.own for e in seen.imports if e.name.startswith("asyncio."))
    # The end of it: both ways of counting agree, but for what happens between the two.
    whole = seen.stages[-1].resident
    parts = seen.numbers["files, mostly shared"] + seen.numbers["heap, arenas and stacks"]
    assert parts == pytest.approx(whole, rel=0.02)
    assert 0 < seen.numbers["pymalloc, in use"] < seen.numbers["pymalloc, held"] < whole


def seen(imports: list[Import]) -> Seen:
    stages = [Stage("early", 10.0, 30 * MB), Stage("late", 20.0, 34 * MB)]
    return Seen("it", stages, imports, {"start": 20 * MB, "threads": 2})


IMPORTS = [
    Import(1.0, 3 * MB, 3 * MB, "asyncio.events"),
    Import(2.0, 1 * MB, 4 * MB, "asyncio"),
    Import(3.0, 2 * MB, 2 * MB, "lsprotocol.types"),
    Import(11.0, 1 * MB, 1 * MB, "msgspec._core"),
    Import(12.0, 2 * MB, 2 * MB, "providers.run"),
    Import(13.0, 50_000, 50_000, "sidecar"),
]


def test_each_stage_is_told_by_origin_and_the_rest_is_no_import() -> None:
    start, early, late, end = where_memory.stages(seen(IMPORTS))
    assert start[1] == "20.00"
    assert early[1:] == ["10.00", "4.00", "2.00", "0.00", "0.00", "4.00"]
    assert late[1:] == ["4.00", "0.00", "0.00", "1.00", "2.05", "0.95"]
    assert end[1] == "34.00"


def test_imports_are_ranked_and_the_steps_of_one_module_are_added() -> None:
    both = [*IMPORTS, Import(14.0, 2 * MB, 2 * MB, "msgspec._core")]
    lines = where_memory.by_import([seen(IMPORTS), seen(both)], least=1.0)
    assert {line[0] for line in lines[:2]} == {"msgspec._core", "asyncio.events"}  # 3 MB each
    assert ["msgspec._core", "1.00", "3.00"] in lines
    assert "sidecar" not in [line[0] for line in lines]
    only = where_memory.by_import([seen([]), seen(IMPORTS)], least=2.0)
    assert ["providers.run", "", "2.00"] in only


SMAPS = """\
55d0c0000000-55d0c0001000 r--p 00000000 08:01 5 /usr/bin/python3.11
Rss:                   4 kB
VmFlags: rd mr
55d0c1000000-55d0c1100000 rw-p 00000000 00:00 0                          [heap]
Rss:                 512 kB
7f7a3c000000-7f7a3ca00000 rw-p 00000000 00:00 0
Rss:                1024 kB
7f7a3ca00000-7f7a40000000 ---p 00000000 00:00 0
Rss:                   0 kB
"""


def test_what_is_left_out_is_told_by_what_is_less() -> None:
    less = seen([])
    less.name, less.stages[-1].resident = "TLS", 31_500_000
    assert where_memory.without(seen([]), [less]) == [["TLS", "2.50"]]


def test_mappings_are_added_up_by_kind() -> None:
    assert where_memory.mapped(SMAPS) == {
        "files, mostly shared": 4096,
        "heap, arenas and stacks": 1536 * 1024,
        "malloc's arenas": 2,
    }


def test_the_report_has_a_table_for_each_question() -> None:
    told = where_memory.tell([seen(IMPORTS)], least=1.0)
    assert "it: MB added by" in told and "providers.run" in told
    assert told.splitlines()[-1].split() == ["threads", "2"]
