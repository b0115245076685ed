"""Limits per provider and key: laws of the limiter with a fake clock."""

from math import inf

from hypothesis import given
from hypothesis import strategies as st

from providers.dialects.rate_headers import Allowance
from providers.policy.keyed_limiter import KeyedRateLimiter, Place
from providers.policy.limiter import LONGEST_LEARNED_WAIT
from providers.settings import LimitSettings

KEYS = 3
Steps = list[tuple[str, int, float]]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["ask", "ask", "end", "no", "empty", "rest", "wake"]),
        st.integers(0, 20),
        st.floats(0, 15),
    ),
    max_size=60,
)


class Provider:
    """Three keys, of which some rest; what is under way, and until when each is held up."""

    def __init__(self, **limits: int) -> None:
        self.fit = set(range(KEYS))
        self.limits = KeyedRateLimiter(LimitSettings(**limits))
        self.limits.use_keys(KEYS, lambda: sorted(self.fit))
        self.under_way: list[Place] = []
        self.held_until = [0.0] * KEYS

    def step(self, what: str, number: int, now: float) -> Place | None:
        """Do one thing; return the place of a request that was let in."""
        key = number % KEYS
        if what == "ask" and self.limits.wait(now, 1).seconds == 0:
            self.under_way.append(self.limits.began(now, 1))
            return self.under_way[-1]
        if what == "rest":
            self.fit.discard(key)
        elif what == "wake":
            self.fit.add(key)
        elif self.under_way and what != "ask":
            place = self.under_way.pop(number % len(self.under_way))
            if what == "no":
                place.limiter.throttled()
            elif what == "empty":
                place.limiter.learned(Allowance(60, 0, 10.0), None, now)
                if place.key is not None:
                    self.held_until[place.key] = max(self.held_until[place.key], now + 10.0)
            else:
                place.limiter.answered()
            self.limits.ended(place)
        return None


@given(STEPS)
def test_what_one_key_is_told_holds_up_no_other(steps: Steps) -> None:
    assert LONGEST_LEARNED_WAIT > 10.0
    provider, now = Provider(), 0.0
    for what, number, pause in steps:
        now += pause
        fit = set(provider.fit)
        place = provider.step(what, number, now)
        if place is None:
            continue
        if fit:
            assert place.key in fit, "a key that rests is not used while another does not"
            assert now >= provider.held_until[place.key], "a key is used before its time"
        else:
            assert place.key is None, "the pool finds out by itself which one is the best then"
    for number in range(KEYS):  # whoever is neither resting nor held up lets one through
        if number in provider.fit and now >= provider.held_until[number] and not provider.under_way:
            assert provider.limits.wait(now, 1).seconds == 0


@given(STEPS, st.integers(1, 4))
def test_what_is_configured_holds_for_all_keys_together(steps: Steps, most: int) -> None:
    provider, now = Provider(max_concurrent=most), 0.0
    for what, number, pause in steps:
        now += pause
        provider.step(what, number, now)
        assert len(provider.under_way) == provider.limits.in_flight <= most
    for place in provider.under_way:
        provider.limits.ended(place)
    assert provider.limits.in_flight == 0
    assert provider.limits.wait(now + 60.0, 1).seconds == 0


@given(st.integers(1, 60))
def test_keys_that_are_free_take_turns(count: int) -> None:
    provider = Provider()
    used = [provider.limits.began(0.0, 1).key for _ in range(count)]
    assert used == [at % KEYS for at in range(count)]


def test_the_first_key_to_be_free_is_waited_for() -> None:
    provider = Provider()
    for seconds in (9.0, 3.0, 6.0):
        place = provider.limits.began(0.0, 1)
        place.limiter.learned(Allowance(60, 0, seconds), None, 0.0)
        provider.limits.ended(place)
    assert provider.limits.wait(0.0, 1) == (3.0, False)
    provider.fit.discard(1)
    assert provider.limits.wait(0.0, 1) == (6.0, False)
    assert provider.limits.began(6.0, 1).key == 2


def test_a_key_at_its_learned_number_leaves_the_others_alone() -> None:
    provider = Provider()
    places = [provider.limits.began(0.0, 1) for _ in range(6)]
    places[0].limiter.throttled()  # two of it are running: one from now on
    assert [provider.limits.began(0.0, 1).key for _ in range(4)] == [1, 2, 1, 2]
    for place in places[1:3]:
        place.limiter.throttled()
    assert provider.limits.wait(0.0, 1) == (inf, False)


def test_what_the_keys_have_left_is_told_in_sum() -> None:
    provider = Provider()
    assert (provider.limits.limit, provider.limits.remaining(0.0)) == (None, None)
    for left in (50, 7):
        place = provider.limits.began(0.0, 1)
        place.limiter.learned(Allowance(60, left, 1.0), None, 0.0)
    assert (provider.limits.limit, provider.limits.remaining(0.0)) == (120, 57)
    configured = Provider(requests_per_minute=10)
    configured.limits.began(0.0, 1)
    assert (configured.limits.limit, configured.limits.remaining(0.0)) == (10, 9)


def test_other_keys_begin_anew_and_running_requests_still_end() -> None:
    provider = Provider()
    place = provider.limits.began(0.0, 1)
    place.limiter.learned(Allowance(60, 0, 10.0), None, 0.0)
    provider.limits.use_keys(1, lambda: [])
    assert provider.limits.wait(0.0, 1).seconds == 0
    assert provider.limits.in_flight == 1
    provider.limits.ended(place)
    assert provider.limits.in_flight == 0
    alone = provider.limits.began(0.0, 1)
    alone.limiter.learned(Allowance(60, 0, 10.0), None, 0.0)
    assert alone.key is None
    assert provider.limits.wait(0.0, 1) == (10.0, False)
