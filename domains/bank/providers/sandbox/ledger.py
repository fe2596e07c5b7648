"""A person's whole history, day by day from the first: what their habits moved, and what followed from the accounts' state.

Everything is made as it is when all has settled, so what happened on a day never depends on the day it is looked at.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import ROUND_DOWN, Decimal

from domains.bank.providers.sandbox.dice import Dice
from domains.bank.providers.sandbox.habits import Movement, last_day, pair
from domains.bank.providers.sandbox.people import Interest, Person, Policy, Rescue, Settling, Sweep, TopUp

_CENT = Decimal("0.01")
_HUNDRED = Decimal(100)
_DAYS_A_YEAR = 365


class Ledger:
    """What moved on a person's accounts, and what they hold."""

    def __init__(self, person: Person) -> None:
        self._person = person
        self._held = dict(person.openings())
        self._owed_at_close: dict[str, Decimal] = {}
        self._later: dict[date, list[Movement]] = {}

    def days(self, first: date, last: date) -> Iterator[Movement]:
        """All movements from the first day until the last, both included, in their order. To be asked once, from the very first day."""
        for number in range((last - first).days + 1):
            yield from self._day(first + timedelta(days=number))

    def _day(self, day: date) -> Iterator[Movement]:
        due = self._later.pop(day, [])
        for habit in self._person.habits:
            for movement in habit.movements(self._person.key, day):
                if movement.on == day:
                    due.append(movement)
                else:
                    self._later.setdefault(movement.on, []).append(movement)
        for movement in due:
            yield self._take(movement)
        for policy in self._person.policies:
            for movement in self._follow(policy, day):
                yield self._take(movement)

    def _take(self, movement: Movement) -> Movement:
        self._held[movement.account] += movement.signed
        return movement

    def _follow(self, policy: Policy, day: date) -> Iterator[Movement]:
        match policy:
            case Settling():
                return self._settle(policy, day)
            case Interest():
                return self._interest(policy, day)
            case Sweep():
                return self._sweep(policy, day)
            case Rescue():
                return self._rescue(policy, day)
            case TopUp():
                return self._top_up(policy, day)

    def _settle(self, policy: Settling, day: date) -> Iterator[Movement]:
        if day.day == policy.paid_on:
            owed = self._owed_at_close.pop(policy.key, -self._held[policy.target])
            if owed > 0:
                yield from pair(policy, self._person.key, day, owed)
        if day.day == policy.closes_on:
            self._owed_at_close[policy.key] = -self._held[policy.target]

    def _interest(self, policy: Interest, day: date) -> Iterator[Movement]:
        if day.month not in policy.months or day != last_day(day):
            return
        days = _DAYS_A_YEAR // len(policy.months)
        earned = (self._held[policy.account] * Decimal(policy.rate) * days / _DAYS_A_YEAR).quantize(_CENT, rounding=ROUND_DOWN)
        if earned > 0:
            text = policy.text.format(day=day)
            yield Movement(policy.account, policy.key, day, earned, "credit", text, policy.about)

    def _sweep(self, policy: Sweep, day: date) -> Iterator[Movement]:
        held = self._held[policy.source]
        if day.day == policy.day and held > Decimal(policy.ceiling):
            yield from pair(policy, self._person.key, day, (held - Decimal(policy.floor)) // _HUNDRED * _HUNDRED)

    def _rescue(self, policy: Rescue, day: date) -> Iterator[Movement]:
        if self._held[policy.target] < Decimal(policy.least):
            missing = Decimal(policy.least) - self._held[policy.target]
            parts = -(-missing // Decimal(policy.amount))
            yield from pair(policy, self._person.key, day, max(parts, Decimal(1)) * Decimal(policy.amount))

    def _top_up(self, policy: TopUp, day: date) -> Iterator[Movement]:
        if (day.month, day.day) != (policy.month, policy.day):
            return
        missing = (Decimal(policy.level) - self._held[policy.target]) // 10 * 10
        if missing > 0:
            rate = Dice(self._person.key, policy.key, day.year).amount(*map(Decimal, policy.rates))
            yield from pair(policy, self._person.key, day, (missing * rate).quantize(_CENT), arrives=missing.quantize(_CENT))
