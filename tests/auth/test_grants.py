"""A grant that ends: when it is renewed, who waits, and what a refusal changes. Fake clock."""

import asyncio
from dataclasses import dataclass

import pytest

from providers.auth.grants import PAUSE, REFUSED_AGAIN, RENEW_BEFORE, WAIT_BEFORE, GrantKeeper
from providers.errors import ConnectFailed, NotConfigured


@dataclass(frozen=True)
class Ticket:
    number: int
    expires_at: float | None


class Office:
    """Gives numbered tickets of a lifetime; `failing` is raised instead while it is set."""

    def __init__(self, lifetime: float | None = 3600.0) -> None:
        self.time = 1000.0
        self.lifetime = lifetime
        self.given = 0
        self.same = False
        self.failing: Exception | None = None
        self.door = asyncio.Event()
        self.door.set()
        self.keeper = GrantKeeper(self.find, now=lambda: self.time)

    async def find(self) -> Ticket:
        self.given += 1
        number = 1 if self.same else self.given
        await self.door.wait()
        if self.failing is not None:
            raise self.failing
        until = None if self.lifetime is None else self.time + self.lifetime
        return Ticket(number, until)


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.mark.asyncio
async def test_one_search_for_all_who_wait() -> None:
    office = Office()
    office.door.clear()
    waiting = [asyncio.create_task(office.keeper.get()) for _ in range(20)]
    await settle()
    waiting[0].cancel()
    office.door.set()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    assert {ticket.number for ticket in results[1:] if isinstance(ticket, Ticket)} == {1}
    assert office.given == 1


@pytest.mark.asyncio
async def test_what_does_not_expire_is_kept() -> None:
    office = Office(lifetime=None)
    await office.keeper.get()
    office.time += 10 * 365 * 86400
    assert (await office.keeper.get()).number == 1


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("left", "now", "later"),
    [
        (RENEW_BEFORE + 1, 1, 1),
        (RENEW_BEFORE - 1, 1, 2),  # renewed behind the request's back
        (WAIT_BEFORE + 1, 1, 2),
        (WAIT_BEFORE - 1, 2, 2),
        (0, 2, 2),
        (-5000, 2, 2),
    ],
)
async def test_renewed_in_time(left: float, now: int, later: int) -> None:
    office = Office(lifetime=3600)
    await office.keeper.get()
    office.time += 3600 - left
    assert (await office.keeper.get()).number == now
    await settle()
    assert (await office.keeper.get()).number == later
    assert office.given == later


@pytest.mark.asyncio
async def test_a_source_that_gives_short_lives_is_not_asked_at_every_request() -> None:
    office = Office(lifetime=50)
    for _ in range(10):
        await office.keeper.get()
        await settle()
    assert office.given == 1
    office.time += PAUSE + 1
    await office.keeper.get()
    assert office.given == 2


@pytest.mark.asyncio
async def test_the_old_one_serves_while_a_renewal_fails() -> None:
    office = Office(lifetime=3600)
    await office.keeper.get()
    office.failing = ConnectFailed("no network")
    office.time += 3600 - WAIT_BEFORE + 1
    assert (await office.keeper.get()).number == 1
    office.time += WAIT_BEFORE
    with pytest.raises(ConnectFailed):
        await office.keeper.get()
    office.failing = None
    assert (await office.keeper.get()).number == office.given


@pytest.mark.asyncio
async def test_a_failing_chain_rests_and_each_gets_an_error_of_its_own() -> None:
    office = Office()
    office.failing = NotConfigured("log in", provider="bedrock")
    errors = []
    for _ in range(3):
        with pytest.raises(NotConfigured) as caught:
            await office.keeper.get()
        errors.append(caught.value)
    assert office.given == 1
    assert len({id(error) for error in errors}) == 3
    assert {error.message for error in errors} == {"log in"}
    assert errors[0].provider == "bedrock" and errors[0].attempts is not errors[1].attempts
    office.time += PAUSE + 1
    office.failing = None
    assert (await office.keeper.get()).number == 2


@pytest.mark.asyncio
async def test_those_who_wait_together_get_errors_of_their_own() -> None:
    office = Office()
    office.failing = NotConfigured("log in")
    asked = (office.keeper.get() for _ in range(3))
    errors = await asyncio.gather(*asked, return_exceptions=True)
    assert office.given == 1
    assert len({id(error) for error in errors}) == 3
    assert all(isinstance(error, NotConfigured) for error in errors)


@pytest.mark.asyncio
async def test_refused_once_renewed_once() -> None:
    office = Office()
    first = await office.keeper.get()
    assert await office.keeper.renew(first)
    second = await office.keeper.get()
    assert second.number == 2
    # Another request that was refused with the first one: there is a newer one already.
    assert await office.keeper.renew(first)
    assert office.given == 2
    # Refused again at once: its age is not what is wrong.
    assert not await office.keeper.renew(second)
    assert office.given == 2
    office.time += REFUSED_AGAIN + 1
    assert await office.keeper.renew(second)
    assert office.given == 3


@pytest.mark.asyncio
async def test_refused_together_renewed_together() -> None:
    office = Office()
    first = await office.keeper.get()
    office.door.clear()
    asked = [asyncio.create_task(office.keeper.renew(first)) for _ in range(3)]
    await settle()
    office.door.set()
    assert await asyncio.gather(*asked) == [True, True, True]
    assert office.given == 2


@pytest.mark.asyncio
async def test_the_same_again_is_no_renewal() -> None:
    office = Office(lifetime=None)
    office.same = True
    first = await office.keeper.get()
    assert not await office.keeper.renew(first)
    assert await office.keeper.get() == first


@pytest.mark.asyncio
async def test_closing_ends_the_search() -> None:
    office = Office()
    office.door.clear()
    waiting = asyncio.create_task(office.keeper.get())
    await settle()
    await office.keeper.aclose()
    with pytest.raises(asyncio.CancelledError):
        await waiting


@pytest.mark.asyncio
async def test_a_clock_that_is_set_back_ends_the_pause_after_a_failure() -> None:
    office = Office()
    office.failing = NotConfigured("no login")
    with pytest.raises(NotConfigured):
        await office.keeper.get()
    office.failing, office.time = None, office.time - 3600  # it was an hour ahead
    assert (await office.keeper.get()).number == 2


@pytest.mark.asyncio
async def test_a_clock_that_is_set_back_ends_the_pause_after_a_refusal() -> None:
    office = Office()
    first = await office.keeper.get()
    assert await office.keeper.renew(first)
    office.time -= 3600
    assert await office.keeper.renew(office.keeper.current)


@pytest.mark.asyncio
async def test_a_clock_that_jumps_ahead_has_the_grant_renewed() -> None:
    office = Office()
    await office.keeper.get()
    office.time += 24 * 3600  # a day asleep
    assert (await office.keeper.get()).number == 2
