"""How people get and spend money: habits, which say for any day what moves on it.

All of them are pure functions of their owner's name and the day. Amounts are in the account's currency. `about` is the category that
a row is about; the bank does not send it, it is there for whoever checks what our own rules make of the bank's words.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Literal, Protocol

from domains.bank.providers.sandbox.dice import Dice

#: The first day that anybody of the sandbox got or spent anything.
EPOCH = date(2023, 1, 1)
_CENT = Decimal("0.01")
_FRIDAY = 4
_SHORTEST_MONTH = 28

Direction = Literal["debit", "credit"]


@dataclass(frozen=True, slots=True)
class Movement:
    """Money on one account, as it is when all is settled.

    number:   tells apart what one habit does on one day. is_card: authorised on the day, posted some days on.
    held:     what is reserved until it posts, where that is another amount (a tip follows, a pump holds a round sum).
    is_late:  booked on the day it posts, not on the day it was paid.
    """

    account: str
    habit: str
    on: date
    amount: Decimal
    direction: Direction
    text: str
    about: str
    number: int = 0
    is_card: bool = False
    held: Decimal | None = None
    is_late: bool = False
    meta: tuple[tuple[str, str], ...] = ()

    @property
    def signed(self) -> Decimal:
        return self.amount if self.direction == "credit" else -self.amount


class Price(Protocol):
    """What something costs on a day."""

    def on(self, day: date, dice: Dice) -> Decimal: ...


class Habit(Protocol):
    """What somebody does again and again."""

    def movements(self, owner: str, day: date) -> Iterator[Movement]: ...


@dataclass(frozen=True, slots=True)
class Fixed:
    """Always the same."""

    amount: str

    def on(self, day: date, dice: Dice) -> Decimal:  # noqa: ARG002
        return Decimal(self.amount)


@dataclass(frozen=True, slots=True)
class Raised:
    """Raised by a share each year, on the first of a month; to whole steps of an amount."""

    amount: str
    share: str
    month: int
    step: str = "0.01"

    def on(self, day: date, dice: Dice) -> Decimal:  # noqa: ARG002
        raises = day.year - EPOCH.year + (day.month >= self.month)
        step = Decimal(self.step)
        grown = Decimal(self.amount) * (1 + Decimal(self.share)) ** raises
        return ((grown / step).quantize(Decimal(1), rounding=ROUND_HALF_EVEN) * step).quantize(_CENT)


@dataclass(frozen=True, slots=True)
class Stepped:
    """A subscription: dearer by the same step each year, on the first of a month."""

    amount: str
    step: str
    month: int

    def on(self, day: date, dice: Dice) -> Decimal:  # noqa: ARG002
        return Decimal(self.amount) + Decimal(self.step) * (day.year - EPOCH.year + (day.month >= self.month))


@dataclass(frozen=True, slots=True)
class Between:
    """Now less, now more; all of it dearer by 2.5 % of the first year's price each year."""

    low: str
    high: str

    def on(self, day: date, dice: Dice) -> Decimal:
        level = 1 + Decimal("0.025") * (day.year - EPOCH.year)
        return dice.amount(Decimal(self.low) * level, Decimal(self.high) * level)


@dataclass(frozen=True, slots=True)
class Rounded:
    """Notes out of a machine: between so many and so many of them."""

    note: int
    least: int
    most: int

    def on(self, day: date, dice: Dice) -> Decimal:  # noqa: ARG002
        return Decimal(self.note * (self.least + dice.number(self.most - self.least + 1))).quantize(_CENT)


@dataclass(frozen=True, slots=True)
class Seasonal:
    """From low to high and back over the year, highest in the peak month; some chance in it."""

    low: str
    high: str
    peak: int

    def on(self, day: date, dice: Dice) -> Decimal:
        distance = abs((day.month - self.peak + 6) % 12 - 6)
        share = Decimal(6 - distance) / 6
        middle = Decimal(self.low) + (Decimal(self.high) - Decimal(self.low)) * share
        return dice.amount(middle * Decimal("0.9"), middle * Decimal("1.1"))


@dataclass(frozen=True, slots=True)
class Shop:
    """Where one spends. `text` is what the bank writes; see `written`."""

    text: str
    price: Price
    about: str
    weight: int = 1


@dataclass(frozen=True, slots=True)
class Monthly:
    """On a day of each month (or of some); from 29 on, that day or the month's last."""

    key: str
    account: str
    day: int
    price: Price
    text: str
    about: str
    direction: Direction = "debit"
    months: tuple[int, ...] = tuple(range(1, 13))
    is_card: bool = False
    on_workday: bool = False

    def movements(self, owner: str, day: date) -> Iterator[Movement]:
        if not self._is_due(day):
            return
        dice = Dice(owner, self.key, day)
        amount = self.price.on(day, dice)
        yield Movement(self.account, self.key, day, amount, self.direction, written(self.text, day, dice), self.about, is_card=self.is_card)

    def _is_due(self, day: date) -> bool:
        if day.month not in self.months:
            return False
        if self.day <= _SHORTEST_MONTH and not self.on_workday:
            return day.day == self.day
        due = day.replace(day=min(self.day, last_day(day).day))
        return day == (due - timedelta(days=max(due.weekday() - _FRIDAY, 0)) if self.on_workday else due)


@dataclass(frozen=True, slots=True)
class Fortnightly:
    """Every other Friday."""

    key: str
    account: str
    first: date
    price: Price
    text: str
    about: str
    direction: Direction = "credit"

    def movements(self, owner: str, day: date) -> Iterator[Movement]:
        if (day - self.first).days % 14 == 0 and day >= self.first:
            dice = Dice(owner, self.key, day)
            yield Movement(self.account, self.key, day, self.price.on(day, dice), self.direction, written(self.text, day, dice), self.about)


@dataclass(frozen=True, slots=True)
class Season:
    """A part of each year: from one (month, day) until another, both included, within one year."""

    first: tuple[int, int]
    last: tuple[int, int]

    def holds(self, day: date) -> bool:
        return self.first <= (day.month, day.day) <= self.last


@dataclass(frozen=True, slots=True)
class Shopping:
    """Now and then, in one of some shops: how often of a thousand, from Monday to Sunday.

    tip:      of a hundred, added when it posts. hold: what is reserved until then instead.
    refund:   of a thousand purchases, how many are given back in full some days later; `refund_text` is what the bank writes.
    within, without: the part of the year that it is done in, or that it is not done in (while away).
    """

    key: str
    account: str
    chances: tuple[int, int, int, int, int, int, int]
    shops: tuple[Shop, ...]
    is_card: bool = True
    tip: int = 0
    hold: str | None = None
    is_late: bool = False
    refund: int = 0
    refund_text: str = ""
    within: Season | None = None
    without: Season | None = None
    weights: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "weights", tuple(shop.weight for shop in self.shops))

    def movements(self, owner: str, day: date) -> Iterator[Movement]:
        if (self.within and not self.within.holds(day)) or (self.without and self.without.holds(day)):
            return
        dice = Dice(owner, self.key, day)
        if not dice.happens(self.chances[day.weekday()]):
            return
        shop = dice.choice(self.shops, self.weights)
        amount = shop.price.on(day, dice)
        held = Decimal(self.hold) if self.hold else amount if self.tip else None
        paid = amount + (amount * self.tip / 100).quantize(_CENT) if self.tip else amount
        text = written(shop.text, day, dice)
        yield Movement(self.account, self.key, day, paid, "debit", text, shop.about, is_card=self.is_card, held=held, is_late=self.is_late)
        if self.refund and dice.happens(self.refund):
            back = day + timedelta(days=5 + dice.number(8))
            again = written(self.refund_text or shop.text, back, dice)
            yield Movement(self.account, f"{self.key}-refund", back, paid, "credit", again, shop.about, number=day.toordinal())


@dataclass(frozen=True, slots=True)
class Transfer:
    """Between two own accounts, each month: both sides, on one day, with one reference."""

    key: str
    source: str
    target: str
    day: int
    price: Price
    source_text: str
    target_text: str
    source_about: str
    target_about: str

    def movements(self, owner: str, day: date) -> Iterator[Movement]:
        if day.day == self.day:
            yield from pair(self, owner, day, self.price.on(day, Dice(owner, self.key, day)))


class Route(Protocol):
    """From which account to which, and what the bank writes on either."""

    @property
    def key(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def target(self) -> str: ...
    @property
    def source_text(self) -> str: ...
    @property
    def target_text(self) -> str: ...
    @property
    def source_about(self) -> str: ...
    @property
    def target_about(self) -> str: ...


def pair(route: Route, owner: str, day: date, amount: Decimal, *, arrives: Decimal | None = None) -> Iterator[Movement]:
    """Both sides of a transfer; `arrives` where the other account has another currency."""
    dice = Dice(owner, route.key, day, "reference")
    meta = (("reference", dice.digits(10)),)
    source, target = written(route.source_text, day, dice), written(route.target_text, day, dice)
    yield Movement(route.source, route.key, day, amount, "debit", source, route.source_about, meta=meta)
    yield Movement(route.target, route.key, day, amount if arrives is None else arrives, "credit", target, route.target_about, meta=meta)


def written(text: str, day: date, dice: Dice) -> str:
    """The bank's words: `{day:...}` is the day, `{n4}` four digits, `{c7}` a code of seven; none of them is worth reading."""
    if "{" not in text:
        return text
    for count in range(3, 12):
        for mark, draw in ((f"{{n{count}}}", dice.digits), (f"{{c{count}}}", dice.code)):
            if mark in text:
                text = text.replace(mark, draw(count))
    return text.format(day=day)


def last_day(day: date) -> date:
    """The last day of its month."""
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
