"""The steps of a request on its way, as the probe of the real program tells them."""

import sys

import pytest

from benchmarks.dispatch_probe import END
from benchmarks.processes import LoadServer
from benchmarks.where_dispatch import ORDER, measured, steps


def test_each_step_lasts_until_the_next_one() -> None:
    one = [("read", 1.0), ("sent", 3.0), (END, 3.5)]
    other = [("read", 1.0), ("sent", 2.0), (END, 4.5)]
    assert steps([one, other]) == {"read": 1.5e6, "sent": 1.5e6, "all": 3.0e6}


@pytest.mark.skipif(sys.platform == "win32", reason="the probe listens to a signal")
def test_every_step_of_the_real_program_is_seen_in_its_order() -> None:
    with LoadServer() as server:
        (seen,) = measured(server, 0.0, 1)
    assert [step for step, _ in seen] == [*ORDER, END]
    times = [at for _, at in seen]
    assert times == sorted(times)
