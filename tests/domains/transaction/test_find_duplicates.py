"""Duplicates across connections as they are stored: flagged, told of what, taken back when it holds no more."""

from datetime import date, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import pytest

from db.engines import Db
from tests.conftest import MakeUser
from tests.domains.transaction.paired import Ledger, Twins, counted_statements

MAY_1 = date(2026, 5, 1)
DAY = timedelta(days=1)
FULL = Decimal("1.00")


class Linked(Ledger):
    """`again`: the checking account, by another connection."""

    def __init__(self, db: Db, viewer: object) -> None:
        super().__init__(db, viewer)  # type: ignore[arg-type]
        self.again = uuid4()

    @property
    def twins(self) -> Twins:
        return {self.checking: frozenset({self.again}), self.again: frozenset({self.checking})}

    async def pair(self, twins: Twins | None = None) -> set[date]:
        return await super().pair(self.twins if twins is None else twins)


@pytest.fixture
async def ledger(db: Db, make_user: MakeUser) -> Linked:
    return Linked(db, await make_user())


async def test_what_came_by_another_connection_too_is_flagged_and_says_of_what(ledger: Linked) -> None:
    original = await ledger.add(ledger.checking, "-4.50", MAY_1)
    other = await ledger.add(ledger.checking, "-9", MAY_1)
    first = await ledger.pair()
    double = await ledger.add(ledger.again, "-4.50", MAY_1)

    months = await ledger.pair()

    assert (first, months) == (set(), {MAY_1})
    assert await ledger.duplicates() == {double: original}
    assert await ledger.reviews() == {("duplicate", "applied", "auto", double, original, FULL)}
    assert not (await ledger.transaction(other))["is_duplicate"]


async def test_without_twins_nothing_is_a_duplicate(ledger: Linked) -> None:
    await ledger.add(ledger.checking, "-4.50", MAY_1)
    await ledger.add(ledger.again, "-4.50", MAY_1)

    assert await ledger.pair({}) == set()
    assert await ledger.duplicates() == {}


async def test_a_second_coffee_of_the_day_is_no_duplicate_of_the_first_though_it_is_known_by_one_connection_only(ledger: Linked) -> None:
    first = await ledger.add(ledger.checking, "-4.50", MAY_1)
    double = await ledger.add(ledger.again, "-4.50", MAY_1)
    await ledger.pair()
    second = await ledger.add(ledger.again, "-4.50", MAY_1)
    await ledger.pair()

    assert await ledger.duplicates() == {double: first}

    other = await ledger.add(ledger.checking, "-4.50", MAY_1)
    await ledger.pair()

    assert await ledger.duplicates() == {double: first, other: second}


async def test_finding_again_changes_nothing(ledger: Linked) -> None:
    await ledger.add(ledger.checking, "-4.50", MAY_1)
    await ledger.add(ledger.again, "-4.50", MAY_1)
    await ledger.add(ledger.checking, "-7", MAY_1)
    await ledger.add(ledger.again, "-7", MAY_1 + DAY, original_description="SOMETHING ELSE")
    touched = ledger.touched
    await ledger.pair()
    before = await ledger.reviews(), await ledger.duplicates()

    assert len(before[0]) == 2
    assert await ledger.pair_again(touched, ledger.twins) == set()
    assert (await ledger.reviews(), await ledger.duplicates()) == before


@pytest.mark.parametrize("how", ["removed", "cancelled", "amount"])
async def test_when_the_original_goes_its_duplicate_counts(ledger: Linked, how: str) -> None:
    original = await ledger.add(ledger.checking, "-4.50", MAY_1, status="pending")
    double = await ledger.add(ledger.again, "-4.50", MAY_1)
    await ledger.pair()

    match how:
        case "removed":
            await ledger.remove(original)
        case "cancelled":
            await ledger.change(original, status="cancelled")
        case "amount":
            await ledger.change(original, amount=Decimal("5.40"))

    assert await ledger.pair() == {MAY_1}
    assert await ledger.duplicates() == {}
    assert await ledger.reviews() == set()
    assert (await ledger.transaction(double))["duplicate_of"] is None


async def test_a_duplicate_stays_one_when_a_connection_is_gone(ledger: Linked) -> None:
    original = await ledger.add(ledger.checking, "-4.50", MAY_1)
    double = await ledger.add(ledger.again, "-4.50", MAY_1)
    await ledger.pair()
    await ledger.change(double, notes="hm")

    assert await ledger.pair({}) == set()
    assert await ledger.duplicates() == {double: original}


async def test_what_its_owner_turned_down_stays_so(ledger: Linked) -> None:
    original = await ledger.add(ledger.checking, "-4.50", MAY_1)
    double = await ledger.add(ledger.again, "-4.50", MAY_1)
    await ledger.pair()
    await ledger.decide(double, "rejected")
    await ledger.change(double, is_duplicate=False, duplicate_of=None)

    assert await ledger.pair() == set()
    assert await ledger.duplicates() == {}
    assert await ledger.reviews() == {("duplicate", "rejected", "user", double, original, FULL)}


async def test_a_transfer_that_came_twice_is_paired_once(ledger: Linked) -> None:
    debit, credit = await ledger.add(ledger.checking, "-500", MAY_1), await ledger.add(ledger.savings, "+500", MAY_1)
    await ledger.pair()
    double = await ledger.add(ledger.again, "-500", MAY_1)
    await ledger.pair()

    assert await ledger.paired() == {frozenset({debit, credit})}
    assert await ledger.duplicates() == {double: debit}

    await ledger.remove(debit)
    await ledger.pair()

    assert await ledger.paired() == {frozenset({double, credit})}
    assert await ledger.duplicates() == {}


async def test_nothing_is_moved_between_an_account_and_itself(ledger: Linked) -> None:
    await ledger.add(ledger.checking, "-500", MAY_1)
    await ledger.add(ledger.again, "+500", MAY_1)

    assert await ledger.pair() == set()
    assert await ledger.paired() == set()


async def test_it_takes_the_same_statements_whatever_the_size(db: Db, make_user: MakeUser) -> None:
    taken: dict[int, int] = {}
    for size in (1, 30):
        ledger = Linked(db, await make_user())
        for number in range(size):
            for account in (ledger.checking, ledger.again):
                await ledger.add(account, f"-{number + 1}", MAY_1 + number * DAY)
        with counted_statements() as sent:
            await ledger.pair()
        taken[size] = len([sql for sql in sent if "set_config" not in sql])
        assert len(await ledger.duplicates()) == size

    assert taken[1] == taken[30] <= 8


async def test_somebody_elses_are_no_twins(db: Db, make_user: MakeUser) -> None:
    robin, sam = Linked(db, await make_user()), Linked(db, await make_user())
    theirs: UUID = sam.checking
    await sam.add(theirs, "-4.50", MAY_1)
    await robin.add(robin.checking, "-4.50", MAY_1)

    assert await robin.pair({robin.checking: frozenset({theirs})}) == set()
    assert await robin.duplicates() == {}
