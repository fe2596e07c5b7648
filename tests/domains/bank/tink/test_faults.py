"""A bad line: whichever request it breaks, nothing is lost, nothing is there twice, and it goes on when the line is good."""

import random
from dataclasses import replace
from datetime import timedelta

import pytest

from app.simulators.faults import TRANSPORT, Faults
from domains.bank.providers.errors import ProviderGarbled, ProviderUnavailable
from domains.bank.providers.protocol import Reached
from domains.bank.providers.tink.provider import TinkProvider
from domains.bank.providers.wire import Timeouts
from tests.domains.bank.tink.test_fetching import Model
from tests.domains.bank.tink.world import World, answered, came_back, ledger_at, ledger_of, world

#: Long enough for a busy machine, where a request that is not broken has to be answered in time.
PATIENT = Timeouts(connect_s=2.0, read_s=1.0, attempt_s=1.0, deadline_s=20.0)
#: Where whatever is lost is asked for again.
HASTY = Timeouts(connect_s=0.5, read_s=0.2, attempt_s=0.3, deadline_s=5.0)
#: Faults after which the same request is good: garbage is believed to be meant, and is not asked for again.
PASSING = tuple(name for name in TRANSPORT if name != "garbage")
#: Faults that take as long as we wait.
SLOW = ("time_out", "drip")


def break_at(faults: Faults, number: int, name: str, times: int = 1) -> None:
    """The `number`-th request from now on, counted from 1, goes wrong, and as many after it."""
    arrived = [0]
    take = faults.take_transport

    def take_transport() -> str | None:
        arrived[0] += 1
        if number <= arrived[0] < number + times:
            faults.happened.append(name)
            return name
        return take()

    faults.take_transport = take_transport  # type: ignore[method-assign]


@pytest.mark.parametrize(
    ("name", "number"), [(name, number) for name in PASSING for number in range(1, 9) if name not in SLOW or number in (1, 4, 8)]
)
async def test_one_lost_answer_is_not_noticed(name: str, number: int) -> None:
    async with world(retries=2, timeouts=PATIENT, page_size=30) as here:
        reached = await here.reach()
        break_at(here.faults, number, name)
        fetched = await here.fetch(reached)

    assert here.faults.happened == [name]
    assert ledger_of(fetched) == ledger_at(here.bank)
    assert fetched.is_ready


@pytest.mark.parametrize(
    ("name", "number"), [(name, number) for name in TRANSPORT for number in (1, 2, 4, 6) if name not in SLOW or number == 4]
)
async def test_a_line_that_stays_bad_ends_the_fetch_and_the_next_one_brings_it_all(name: str, number: int) -> None:
    async with world(timeouts=PATIENT, page_size=30) as here:
        reached = await here.reach()
        break_at(here.faults, number, name)
        with pytest.raises((ProviderUnavailable, ProviderGarbled)):
            await here.fetch(reached)

        fetched = await here.fetch(reached)

    assert ledger_of(fetched) == ledger_at(here.bank)


async def test_how_long_to_wait_is_told() -> None:
    async with world() as here:
        reached = await here.reach()
        here.faults.retry_after = "120"
        here.faults.plan("rate_limited")

        with pytest.raises(ProviderUnavailable) as raised:
            await here.fetch(reached)

    assert raised.value.retry_after_s == 120


@pytest.mark.parametrize("name", PASSING)
async def test_a_refresh_whose_answer_is_lost_costs_nobody_their_connection(name: str) -> None:
    async with world(timeouts=PATIENT) as here:
        reached = await here.reach()
        here.clock.at += timedelta(hours=1)
        break_at(here.faults, 1, name)
        with pytest.raises(ProviderUnavailable):
            await here.fetch(reached)
        lost = list(here.told.credentials)

        fetched = await here.fetch(reached)

    assert lost == []
    assert ledger_of(fetched) == ledger_at(here.bank)
    assert len(here.told.credentials) == 1


@pytest.mark.parametrize("name", TRANSPORT)
async def test_a_link_that_breaks_on_the_way_is_completed_when_it_is_asked_again(name: str) -> None:
    async with world(timeouts=PATIENT) as here:
        start = await here.begin()
        answer = answered(start, came_back(here.tink.agree(start.url or "")))
        for number in range(1, 4):
            break_at(here.faults, number, name)
            with pytest.raises((ProviderUnavailable, ProviderGarbled)):
                await here.provider.complete_link(answer)

        linked = await here.provider.complete_link(answer)

    assert len(here.tink.consents) == 1
    assert linked.item_id == f"person-1/{next(iter(here.tink.consents))}"


async def test_a_link_that_is_begun_again_makes_no_second_person() -> None:
    async with world(timeouts=PATIENT) as here:
        break_at(here.faults, 2, "reset")
        with pytest.raises(ProviderUnavailable):
            await here.begin()
        after_the_loss = dict(here.tink.authority.users)

        await here.begin()

    assert list(after_the_loss) == ["person-1"]
    assert here.tink.authority.users == after_the_loss


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_happens_at_the_bank_and_on_the_way_the_ledger_follows(seed: int) -> None:
    chance, model = random.Random(f"{seed}"), Model()  # noqa: S311
    async with world(seed, retries=2, timeouts=HASTY, page_size=20) as here:
        reached = await here.reach_at_last()
        for _ in range(40):
            here.faults.rate = chance.choice([0.0, 0.0, 0.2])
            here.clock.at += timedelta(minutes=chance.choice([1, 40]))
            for _ in range(chance.randrange(3)):
                here.bank.happen(chance)
            reached = await fetched_or_not(here, reached, model)
        here.faults.clear()
        for _ in range(3):
            reached = await fetched_or_not(here, reached, model)

    assert len(set(here.faults.happened)) > 4
    assert model.ledger() == ledger_at(here.bank)


async def fetched_or_not(here: World, reached: Reached, model: Model) -> Reached:
    """What a sync does: credentials are kept whatever comes of it, the cursor only with what it stands for."""
    try:
        fetched, after = await here.settle(reached)
    except (ProviderUnavailable, ProviderGarbled):
        return replace(reached, credentials=here.told.credentials[-1]) if here.told.credentials else reached
    model.take(fetched)
    return after


def test_the_provider_is_called_tink() -> None:
    assert TinkProvider.name == "tink"
