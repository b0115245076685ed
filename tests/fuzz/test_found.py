"""What the fuzzer once found, and the targets' seeds: each must hold its laws for ever.

The fuzzer itself needs atheris and minutes (docs/fuzzing.md); this needs neither.
"""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fuzz import targets
from fuzz.engine import FOUND, read_output

CASES = sorted(path for path in FOUND.rglob("*") if path.is_file())


@pytest.mark.parametrize("case", CASES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_found_case_stays_mended(case: Path) -> None:
    targets.load(case.parent.name).check(case.read_bytes())


@pytest.mark.parametrize("name", targets.NAMES)
def test_every_seed_holds_the_laws(name: str) -> None:
    target = targets.load(name)
    assert target.SEEDS
    for seed in target.SEEDS:
        target.check(seed)


@pytest.mark.parametrize("name", targets.NAMES)
def test_laws_hold_for_inputs_at_random(name: str) -> None:
    target = targets.load(name)

    @settings(max_examples=25, suppress_health_check=list(HealthCheck))
    @given(st.integers(0, 255), st.binary(max_size=60))
    def check(kind: int, data: bytes) -> None:
        target.check(bytes([kind]) + data)

    check()


def test_every_found_case_has_a_target() -> None:
    assert {path.parent.name for path in CASES} <= set(targets.NAMES)


def test_the_figures_are_read_from_what_libfuzzer_says() -> None:
    said = (
        "#8\tNEW    cov: 72 ft: 213 corp: 7/436b lim: 203 exec/s: 0 rss: 42Mb\n"
        "#90\tDONE   cov: 73 ft: 214 corp: 8/440b lim: 203 exec/s: 9 rss: 42Mb\n"
        "Done 90 runs in 11 second(s)\nstat::number_of_executed_units: 90\n"
    )
    run = read_output("sse", said, 0)
    assert (run.executions, run.seconds, run.covered, run.features, run.corpus) == (
        *(90, 11, 73, 214),
        8,
    )
    assert not run.failed
    assert read_output("sse", said, 77).failed and read_output("sse", "", 0).failed
