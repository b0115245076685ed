"""Several keys of one provider: whose turn it is, who rests, who is retired."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.auth.pool import QUOTA_REST, RATE_REST, KeyPool
from providers.errors import Authentication, Quota, RateLimited, ServerFailed

pytestmark = pytest.mark.asyncio


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def pool(clock: Clock, *keys: str) -> KeyPool:
    return KeyPool(list(keys), environ={}, provider="x", clock=clock)


async def turns(made: KeyPool, count: int) -> list[str]:
    return [await made.get() for _ in range(count)]


async def test_keys_take_turns() -> None:
    assert await turns(pool(Clock(), "k-1", "k-2", "k-3"), 4) == ["k-1", "k-2", "k-3", "k-1"]


async def test_an_unknown_key_is_retired_and_the_next_one_is_worth_a_try() -> None:
    clock = Clock()
    made = pool(clock, "k-1", "k-2")
    refused = Authentication("no such key", status=401)
    made.failed([f"Bearer {await made.get()}"], refused)
    assert await made.recover(refused)
    clock.now = 1e9
    assert await turns(made, 3) == ["k-2"] * 3
    made.failed(["Bearer k-2"], refused)
    assert not await made.recover(refused)


@pytest.mark.parametrize(
    ("error", "rest"),
    [
        (RateLimited("slow"), RATE_REST),
        (RateLimited("slow", retry_after=7.0), 7.0),
        (Quota("empty"), QUOTA_REST),
    ],
)
async def test_a_used_up_key_rests(error: RateLimited | Quota, rest: float) -> None:
    clock = Clock()
    made = pool(clock, "k-1", "k-2")
    made.failed([await made.get()], error)
    assert await made.recover(error)
    clock.now = rest - 0.1
    assert set(await turns(made, 4)) == {"k-2"}
    clock.now = rest
    assert set(await turns(made, 4)) == {"k-1", "k-2"}


async def test_when_all_rest_the_first_to_wake_is_asked() -> None:
    made = pool(Clock(), "k-1", "k-2")
    made.failed(await turns(made, 2), RateLimited("slow", retry_after=50))
    made.failed(["k-2"], RateLimited("slow", retry_after=5))
    assert not await made.recover(RateLimited("slow"))
    assert await turns(made, 2) == ["k-2", "k-2"]


async def test_another_fault_is_nobodys() -> None:
    made = pool(Clock(), "k-1", "k-2")
    made.failed(await turns(made, 2), ServerFailed("boom"))
    assert await turns(made, 2) == ["k-1", "k-2"]
    assert not await made.recover(ServerFailed("boom"))


async def test_the_only_key_is_resolved_again_after_a_401() -> None:
    environ = {"KEY": "old"}
    made = KeyPool(None, environ=environ, env_names=("KEY",), provider="x", clock=Clock())
    refused = Authentication("no", status=401)
    made.failed([await made.get()], refused)
    assert not await made.recover(refused), "the same key again is not worth a request"
    environ["KEY"] = "new"
    assert await made.recover(refused)
    assert await made.get() == "new"


@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from("rqa"), st.floats(0, 100))))
async def test_a_key_always_comes_out(history: list[tuple[int, str, float]]) -> None:
    clock = Clock()
    made = pool(clock, "k-0", "k-1", "k-2")
    await turns(made, 3)
    errors = {"r": RateLimited("x"), "q": Quota("x"), "a": Authentication("x")}
    for index, what, pause in history:
        clock.now += pause
        made.failed([f"k-{index}"], errors[what])
        assert await made.get() in {"k-0", "k-1", "k-2"}


async def test_no_key_in_a_repr() -> None:
    assert "k-1" not in repr(pool(Clock(), "k-1", "k-2"))
