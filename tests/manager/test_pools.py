"""Pools of providers: which member is asked first, and that the others follow."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.policy.pool import HALF_LIFE, Latency, Load, Member, Pool
from providers.policy.router import Candidate, Directory, Router, Target
from providers.settings import FallbackSettings, PoolMember, ProvidersConfig, RouteSettings

NAMES = ["a", "b", "c"]
IDLE = Load(lambda name: 0, lambda name: 0.0, lambda: 0.0)


def pool(strategy: str, *weights: float) -> Pool:
    weights = weights or (1.0, 1.0, 1.0)
    pairs = zip(NAMES, weights, strict=False)
    return Pool([Member(name, "", weight) for name, weight in pairs], strategy)


def firsts(made: Pool, count: int, load: Load = IDLE) -> list[str]:
    return [made.order(load)[0].provider for _ in range(count)]


@pytest.mark.parametrize(
    "strategy",
    ["priority", "round-robin", "random", "weighted", "least-connections", "lowest-latency"],
)
@given(data=st.data())
def test_every_order_has_every_member_once(strategy: str, data: st.DataObject) -> None:
    made = pool(strategy, *data.draw(st.lists(st.floats(0.1, 9), min_size=3, max_size=3)))
    for _ in range(data.draw(st.integers(1, 9))):
        chance = data.draw(st.floats(0, 1, exclude_max=True))
        load = Load(lambda name: ord(name), lambda name: ord(name), lambda: chance)  # noqa: B023 (used in its turn)
        assert sorted(m.provider for m in made.order(load)) == NAMES


def test_priority_is_as_listed_and_round_robin_takes_turns() -> None:
    assert firsts(pool("priority"), 3) == ["a", "a", "a"]
    assert firsts(pool("round-robin"), 4) == ["a", "b", "c", "a"]


@given(st.lists(st.integers(1, 5), min_size=3, max_size=3))
def test_weights_are_exact_shares(weights: list[int]) -> None:
    rounds = sum(weights)
    seen = Counter(firsts(pool("weighted", *weights), rounds))
    assert [seen[name] for name in NAMES] == weights


def test_least_connections_asks_the_least_busy() -> None:
    busy = {"a": 5, "b": 1, "c": 3}
    load = IDLE._replace(in_flight=busy.__getitem__)
    assert [m.provider for m in pool("least-connections").order(load)] == ["b", "c", "a"]
    assert Counter(firsts(pool("least-connections"), 6)) == {"a": 2, "b": 2, "c": 2}


def test_lowest_latency_asks_the_fast_one_and_does_not_starve_the_slow_one() -> None:
    slow, fast = Latency(), Latency()
    slow.add(500.0, now=0.0)
    fast.add(100.0, now=0.0)
    times = {"a": slow, "b": fast}
    made = Pool([Member("a", "", 1), Member("b", "", 1)], "lowest-latency")

    def first(now: float) -> str:
        return firsts(made, 1, IDLE._replace(latency=lambda name: times[name].at(now)))[0]

    assert first(0.0) == "b"
    fast.add(100.0, now=HALF_LIFE * 3)
    assert first(HALF_LIFE * 3) == "a", "after a while the slow one is asked again"


ROUTES = [
    RouteSettings(pattern="*", providers=["local"], priority=0),
    RouteSettings(pattern="claude-*", providers=["anthropic", "bedrock"], priority=10),
    RouteSettings(pattern="claude-x", providers=["bedrock/special"], priority=10),
    RouteSettings(pattern="gpt*", providers=[PoolMember("azure", "mine", 2.0)], priority=5),
]


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (Target(model="claude-x"), [("anthropic", "claude-x"), ("bedrock", "claude-x")]),
        (Target(model="gpt-5"), [("azure", "mine")]),
        (Target(model="else"), [("local", "else")]),
        (Target(model="claude-x", fallback=[]), [("anthropic", "claude-x")]),
        (
            Target(model="gpt-5", fallback=["local"]),
            [("azure", "mine"), ("local", "")],
        ),
        (Target(model="gpt-5", provider="openai"), [("openai", "gpt-5")]),
        (Target(model="openai/gpt-5"), [("openai", "gpt-5")]),
        (Target(model="gpt-chained"), [("azure", "mine"), ("chain", "")]),
    ],
)
def test_routes(target: Target, expected: list[tuple[str, str]]) -> None:
    chain = FallbackSettings(["chain"] if target.model in ("openai/gpt-5", "gpt-chained") else [])
    known = {"openai", "azure", "anthropic", "bedrock", "local", "chain"}
    directory = Directory(known.__contains__, lambda: ["openai"], lambda p, m: False, IDLE)
    made = Router(ProvidersConfig(routes=ROUTES, fallback=chain), directory)
    assert made.candidates(target) == [Candidate(*pair) for pair in expected]
