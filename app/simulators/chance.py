"""What happens at a bank when nobody says what."""

from collections.abc import Callable, Collection
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING, Final

from domains.core.money import quantize

if TYPE_CHECKING:
    from app.simulators.bank import SimBank, SimTransaction

#: A bank changes by itself only what it listed in so many last days: a provider that is asked for days again must ask for more.
CHANGES_WITHIN_DAYS: Final = 7


def happen(bank: "SimBank", random: Random, without: Collection[str] = ()) -> str:
    """One event, none of those `without`; its name. One that has nothing to happen to is a purchase instead."""
    names = [name for name in _EVENTS if name not in without]
    name = random.choices(names, weights=[_EVENTS[each][0] for each in names])[0]
    if _EVENTS[name][1](bank, random):
        return name
    bank.buy(_card(bank, random))
    return "buy"


def _buy(bank: "SimBank", random: Random) -> bool:
    bank.buy(_card(bank, random))
    return True


def _buy_posted(bank: "SimBank", random: Random) -> bool:
    bank.buy(_card(bank, random), is_pending=False)
    return True


def _buy_again(bank: "SimBank", random: Random) -> bool:
    """The same coffee, twice on one day: two movements that nothing but their ids tells apart."""
    row = _one(bank, random, "pending") or _one(bank, random, "posted")
    if row is None:
        return False
    bank.buy(
        row.account_id,
        amount=row.amount,
        is_pending=row.status == "pending",
        on=row.on,
        description=row.description,
        direction=row.direction,
    )
    return True


def _refund(bank: "SimBank", random: Random) -> bool:
    bank.buy(_card(bank, random), is_pending=False, direction="credit")
    return True


def _earn(bank: "SimBank", _random: Random) -> bool:
    bank.earn()
    return True


def _transfer(bank: "SimBank", random: Random) -> bool:
    if len(bank.accounts) < 2:
        return False
    source, target = random.sample(list(bank.accounts), 2)
    if bank.accounts[source].currency != bank.accounts[target].currency:
        return False
    bank.transfer(source, target)
    return True


def _post(bank: "SimBank", random: Random) -> bool:
    row = _one(bank, random, "pending")
    return row is not None and bool(bank.post(row.id))


def _post_more(bank: "SimBank", random: Random) -> bool:
    """With a tip of up to 30 %, or as the pump's real sum."""
    row = _one(bank, random, "pending")
    if row is None:
        return False
    amount = quantize(row.amount * Decimal(100 + random.randrange(1, 31)) / 100, row.currency)
    return bool(bank.post(row.id, amount=amount, is_linked=random.random() < 0.8))


def _post_unlinked(bank: "SimBank", random: Random) -> bool:
    row = _one(bank, random, "pending")
    return row is not None and bool(bank.post(row.id, is_linked=False))


def _amend(bank: "SimBank", random: Random) -> bool:
    row = _one(bank, random)
    if row is None:
        return False
    amount = None if random.random() < 0.5 else row.amount + 1
    return bool(bank.amend(row.id, amount=amount))


def _redate(bank: "SimBank", random: Random) -> bool:
    row = _one(bank, random)
    if row is None:
        return False
    earliest = bank.today - timedelta(days=CHANGES_WITHIN_DAYS)
    on = min(max(row.on + timedelta(days=random.choice((-2, -1, 1, 2))), earliest), bank.today)
    return on != row.on and bool(bank.redate(row.id, on))


def _reid(bank: "SimBank", random: Random) -> bool:
    row = _one(bank, random)
    return row is not None and bool(bank.reid(row.id))


def _remove(bank: "SimBank", random: Random) -> bool:
    row = _one(bank, random)
    return row is not None and bool(bank.remove(row.id))


def _advance(bank: "SimBank", random: Random) -> bool:
    bank.advance(random.choice((1, 1, 1, 2, 4)))
    return True


def _card(bank: "SimBank", random: Random) -> str | None:
    usable = [each.id for each in bank.accounts.values() if each.type != "savings"]
    return random.choice(usable) if usable else None


def _one(bank: "SimBank", random: Random, status: str | None = None) -> "SimTransaction | None":
    """Something of the last days, of that status or of any."""
    earliest = bank.today - timedelta(days=CHANGES_WITHIN_DAYS)
    rows = [row for id in bank.accounts for row in bank.ledger(id) if row.on >= earliest and status in (None, row.status)]
    return random.choice(rows) if rows else None


#: Name -> how often, in a hundred, and what happens.
_EVENTS: Final[dict[str, tuple[int, "Callable[[SimBank, Random], bool]"]]] = {
    "buy": (24, _buy),
    "buy_posted": (8, _buy_posted),
    "buy_again": (5, _buy_again),
    "refund": (3, _refund),
    "earn": (2, _earn),
    "transfer": (4, _transfer),
    "post": (16, _post),
    "post_more": (5, _post_more),
    "post_unlinked": (5, _post_unlinked),
    "amend": (6, _amend),
    "redate": (4, _redate),
    "reid": (4, _reid),
    "remove": (4, _remove),
    "advance": (10, _advance),
}
