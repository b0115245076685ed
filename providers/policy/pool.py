"""In which order the members of a route's pool are asked. Pure: load and chance are arguments.

The first of an order answers; the others follow when it cannot (failover), in the order of the
strategy, so that a pool of two is also each other's fallback.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

HALF_LIFE = 30.0
"""Seconds after which a provider's latency counts half: the slow one is asked again after a while,
and shows whether it still is slow."""

SMOOTHING = 0.3
"""Weight of the newest latency in the average."""


class Member(NamedTuple):
    """An empty `model` stands for the one the request names."""

    provider: str
    model: str
    weight: float


class Load(NamedTuple):
    """What the strategies ask: requests under way, latency (ms, decayed), chance in [0, 1)."""

    in_flight: Callable[[str], int]
    latency: Callable[[str], float]
    random: Callable[[], float]


class Latency:
    """A decaying average: of each answer's time to its first token, fading while none comes."""

    __slots__ = ("_at", "_average")

    def __init__(self) -> None:
        self._average: float | None = None
        self._at = 0.0

    def add(self, ms: float, now: float) -> None:
        """Take one answer's latency."""
        before = self._average
        self._average = ms if before is None else before + SMOOTHING * (ms - before)
        self._at = now

    def at(self, now: float) -> float:
        """Return the average as it counts at `now`; 0 for who was never asked."""
        if self._average is None:
            return 0.0
        return self._average * 0.5 ** ((now - self._at) / HALF_LIFE)


class Pool:
    """The members of one route, and what its strategy remembers."""

    def __init__(self, members: Sequence[Member], strategy: str) -> None:
        self.members = list(members)
        self._order: Callable[[Load], list[Member]] = {
            "priority": self._as_listed,
            "round-robin": self._round_robin,
            "random": self._random,
            "weighted": self._weighted,
            "least-connections": self._least_connections,
            "lowest-latency": self._lowest_latency,
        }[strategy]
        self._turn = 0
        self._credit = [0.0] * len(self.members)

    def order(self, load: Load) -> list[Member]:
        """Return all members, the one to ask first."""
        return self._order(load)

    def _from(self, index: int) -> list[Member]:
        return self.members[index:] + self.members[:index]

    def _as_listed(self, load: Load) -> list[Member]:
        return list(self.members)

    def _round_robin(self, load: Load) -> list[Member]:
        first = self._turn % len(self.members)
        self._turn += 1
        return self._from(first)

    def _random(self, load: Load) -> list[Member]:
        return self._from(int(load.random() * len(self.members)))

    def _weighted(self, load: Load) -> list[Member]:
        """Smooth weighted round-robin: exact shares, and no runs of the heavy one."""
        total = sum(member.weight for member in self.members)
        for index, member in enumerate(self.members):
            self._credit[index] += member.weight
        first = max(range(len(self.members)), key=self._credit.__getitem__)
        self._credit[first] -= total
        return self._from(first)

    def _least_connections(self, load: Load) -> list[Member]:
        turn = self._round_robin(load)  # equals take turns
        return sorted(turn, key=lambda member: load.in_flight(member.provider) / member.weight)

    def _lowest_latency(self, load: Load) -> list[Member]:
        return sorted(self._round_robin(load), key=lambda member: load.latency(member.provider))
