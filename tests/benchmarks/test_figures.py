"""The arithmetic of the benchmarks: pure numbers, no process."""

import pytest

from benchmarks.figures import Row, at_most, median, percentile, ratio, table, verdict


@pytest.mark.parametrize(
    ("values", "q", "expected"),
    [
        ([], 50, None),
        ([7.0], 99, 7.0),
        ([3.0, 1.0, 2.0], 50, 2.0),
        ([4.0, 1.0, 2.0, 3.0], 50, 2.0),
        ([float(n) for n in range(1, 101)], 99, 99.0),
        ([float(n) for n in range(1, 101)], 100, 100.0),
        ([1.0, 2.0], 0, 1.0),
    ],
)
def test_percentile_is_a_value_that_occurred(
    values: list[float], q: float, expected: float | None
) -> None:
    assert percentile(values, q) == expected


def test_nothing_measured_is_no_figure_and_no_verdict() -> None:
    assert median([]) is None
    assert ratio(None, 2.0) is None
    assert ratio(2.0, 0.0) is None
    assert at_most(None, 1.0) is None
    assert verdict([Row(what="x", unit="", measured=None)]) == "–"


@pytest.mark.parametrize(
    ("value", "limit", "floor", "met"),
    [
        (1.0, 1.0, None, True),
        (1.1, 1.0, None, False),
        (1.1, 1.0, 0.9, False),  # the floor kept the limit: no excuse
        (2.3, 1.0, 1.2, True),
        (2.5, 1.0, 1.2, False),
    ],
)
def test_a_floor_that_misses_the_limit_excuses_up_to_twice_itself(
    value: float, limit: float, floor: float | None, met: bool
) -> None:
    assert at_most(value, limit, floor=floor) is met


def test_table_shows_both_sides_their_ratio_and_the_verdict() -> None:
    row = Row(
        what="CPU",
        unit="µs",
        measured=2.0,
        reference=4.0,
        reference_name="floor",
        target="≤ 1×",
        met=True,
    )
    line = table([[row]]).splitlines()[-1]
    assert line.split() == ["CPU", "2", "µs", "4", "µs", "floor", "0.50", "≤", "1×", "met"]


def test_of_several_runs_every_figure_is_shown_and_one_miss_is_a_miss() -> None:
    def run(measured: float) -> list[Row]:
        met = at_most(measured, 2.0)
        return [Row(what="CPU", unit="µs", measured=measured, reference=4.0, target="≤ 2", met=met)]

    line = table([run(1.0), run(2.0), run(3.0)]).splitlines()[-1]
    assert " ".join(line.split()) == "CPU 1, 2, 3 µs 4, 4, 4 µs 0.50 ≤ 2 MISSED (2 of 3)"
    assert table([run(1.0), run(2.0)]).endswith("met (2 of 2)")
