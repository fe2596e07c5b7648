"""What a bank knows of one customer, and what may happen to it. No protocol and no I/O: the truth that a ledger is compared with."""

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Final, Literal

from app.simulators import chance, shops
from app.simulators.shops import SHOPS, Shop
from domains.core.money import quantize

Direction = Literal["debit", "credit"]
AccountType = Literal["checking", "savings", "credit"]

#: What is pending for longer is let go by the bank: the shop never asked for its money. Plaid names 14 days as the longest.
PENDING_AT_MOST_DAYS: Final = 10
#: How many of the last days of the history still hold what is pending.
_PENDING_DAYS: Final = 2


@dataclass(kw_only=True)
class SimAccount:
    """An account. `opening`: its balance before all transactions, from the owner's side (what is owed on a card is negative).

    `persistent_id` stays when the owner links the bank again; it is up to a protocol to give other `id`s then.
    """

    id: str
    name: str
    official_name: str
    mask: str
    type: AccountType
    subtype: str
    currency: str
    persistent_id: str
    opening: Decimal = Decimal(0)
    credit_limit: Decimal | None = None


@dataclass(frozen=True, kw_only=True)
class SimTransaction:
    """One movement as the bank has it now. `amount` > 0; `on`: the day it is listed under; `category`: a detailed id of Plaid's.

    pending_id: the id it had while it was pending, where the bank says so. sequence: which movement it is, counted from 1: the
    same whatever becomes of its id, day and amount.
    """

    id: str
    account_id: str
    amount: Decimal
    direction: Direction
    currency: str
    on: date
    authorized_on: date | None
    description: str
    merchant: str | None
    category: str | None
    status: Literal["posted", "pending"]
    pending_id: str | None
    sequence: int


@dataclass(frozen=True)
class Change:
    """What happened to one id: with the transaction as it is after it, or, for "removed", as it was last."""

    revision: int
    kind: Literal["added", "modified", "removed"]
    transaction: SimTransaction


class SimBank:
    """One customer of one bank. Seeded: the same seed, day and calls give the same bank, to the last id.

    history_days: of how many days, the last of them today, it has something to tell from the start; 0: of none.
    `log` holds all that ever happened, the first first, `log[n]` with revision n + 1. Replaying it gives `ledger`.
    """

    def __init__(
        self,
        seed: int,
        *,
        today: date,
        currency: str = "USD",
        history_days: int = 60,
        accounts: Sequence[SimAccount] | None = None,
    ) -> None:
        self.seed = seed
        self.today = today
        self.log: list[Change] = []
        self._random = random.Random(f"bank {seed}")  # noqa: S311  a bank that can be had again, no secret
        self._transactions: dict[str, SimTransaction] = {}
        self._ids = 0
        self._sequence = 0
        self.accounts = {each.id: each for each in (accounts if accounts is not None else self._usual_accounts(currency))}
        self._live_through(history_days)

    @property
    def revision(self) -> int:
        return len(self.log)

    def changes_since(self, revision: int) -> list[Change]:
        """All that happened after it. Errors: ValueError for a revision that was never reached."""
        if not 0 <= revision <= self.revision:
            raise ValueError("There is no such revision.")
        return self.log[revision:]

    def ledger(self, account_id: str) -> list[SimTransaction]:
        """All that the bank has of the account now, pending and posted, by day and then as it was made."""
        rows = [each for each in self._transactions.values() if each.account_id == account_id]
        return sorted(rows, key=lambda row: (row.on, row.sequence))

    def find(self, transaction_id: str) -> SimTransaction | None:
        return self._transactions.get(transaction_id)

    def get(self, transaction_id: str) -> SimTransaction:
        """Errors: KeyError when the bank has no such id, or no more."""
        return self._transactions[transaction_id]

    def balances(self, account_id: str) -> tuple[Decimal, Decimal]:
        """Current (what has posted) and available (with the credit limit, less what is pending), from the owner's side."""
        account = self.accounts[account_id]
        current, held = account.opening, Decimal(0)
        for row in self.ledger(account_id):
            if row.status == "posted":
                current += row.amount if row.direction == "credit" else -row.amount
            elif row.direction == "debit":
                held += row.amount
        return current, current + (account.credit_limit or Decimal(0)) - held

    # What may happen

    def buy(
        self,
        account_id: str | None = None,
        *,
        amount: Decimal | None = None,
        is_pending: bool = True,
        on: date | None = None,
        description: str | None = None,
        direction: Direction = "debit",
    ) -> SimTransaction:
        """A purchase, or with "credit" a refund, at a shop that chance picks, today unless told."""
        shop = self._random.choice(SHOPS)
        account = self.accounts[account_id or self._card()]
        return self._make(account, shop, amount, on or self.today, direction, is_pending=is_pending, description=description)

    def earn(self, account_id: str | None = None, *, amount: Decimal | None = None, on: date | None = None) -> SimTransaction:
        """Wages, posted."""
        account = self.accounts[account_id or self._of_type("checking")]
        return self._make(account, shops.WAGES, amount, on or self.today, "credit")

    def transfer(
        self, from_id: str, to_id: str, *, amount: Decimal | None = None, on: date | None = None, arrives_on: date | None = None
    ) -> tuple[SimTransaction, SimTransaction]:
        """Money from one of the customer's accounts to another, posted: the debit and the credit."""
        source, target = self.accounts[from_id], self.accounts[to_id]
        away, here = (shops.TO_SAVINGS, shops.FROM_CHECKING)
        if target.type == "credit":
            away, here = (shops.CARD_PAYMENT, shops.PAYMENT_RECEIVED)
        debit = self._make(source, away, amount, on or self.today, "debit")
        credit = self._make(target, here, debit.amount, arrives_on or on or self.today, "credit")
        return debit, credit

    def post(self, id: str, *, is_linked: bool = True, amount: Decimal | None = None, on: date | None = None) -> SimTransaction:
        """What was pending is booked, today unless told: under a new id, which names the old one when `is_linked`. Two changes.

        Errors: KeyError; ValueError when it is not pending.
        """
        pending = self._pending(id)
        self.remove(id)
        return self._add(
            replace(
                pending,
                id=self._new_id(),
                status="posted",
                pending_id=id if is_linked else None,
                amount=pending.amount if amount is None else amount,
                on=on or self.today,
            )
        )

    def amend(
        self,
        id: str,
        *,
        amount: Decimal | None = None,
        description: str | None = None,
        merchant: str | None = None,
        category: str | None = None,
    ) -> SimTransaction:
        """The bank corrects what it said, under the same id; without anything given, its words. Errors: KeyError."""
        row = self.get(id)
        if amount is None and description is None and merchant is None and category is None:
            description = f"{row.description} REF {self._random.randrange(10_000):04}"
        return self._modify(
            replace(
                row,
                amount=row.amount if amount is None else amount,
                description=description or row.description,
                merchant=merchant or row.merchant,
                category=category or row.category,
            )
        )

    def redate(self, id: str, on: date) -> SimTransaction:
        """The bank lists it under another day. Errors: KeyError."""
        return self._modify(replace(self.get(id), on=on))

    def reid(self, id: str) -> SimTransaction:
        """The same movement under another id, and nobody says that it is the same. Two changes. Errors: KeyError."""
        row = self.remove(id)
        return self._add(replace(row, id=self._new_id()))

    def remove(self, id: str) -> SimTransaction:
        """The bank takes it back; answered as it was. Errors: KeyError."""
        row = self._transactions.pop(id)
        self._log("removed", row)
        return row

    def advance(self, days: int = 1) -> None:
        """Days go by. What was pending for longer than PENDING_AT_MOST_DAYS is removed."""
        self.today += timedelta(days=days)
        for row in list(self._transactions.values()):
            if row.status == "pending" and (self.today - row.on).days > PENDING_AT_MOST_DAYS:
                self.remove(row.id)

    def happen(self, random: random.Random) -> str:
        """One event that chance picks; its name."""
        return chance.happen(self, random)

    # How it is kept

    def _make(
        self,
        account: SimAccount,
        shop: Shop,
        amount: Decimal | None,
        on: date,
        direction: Direction,
        *,
        is_pending: bool = False,
        description: str | None = None,
    ) -> SimTransaction:
        self._sequence += 1
        return self._add(
            SimTransaction(
                id=self._new_id(),
                account_id=account.id,
                amount=self._spent(shop, account.currency) if amount is None else amount,
                direction=direction,
                currency=account.currency,
                on=on,
                authorized_on=on if shop in SHOPS else None,
                description=description or f"{shop.text} #{self._random.randrange(1000):03}",
                merchant=shop.merchant or None,
                category=shop.category,
                status="pending" if is_pending else "posted",
                pending_id=None,
                sequence=self._sequence,
            )
        )

    def _spent(self, shop: Shop, currency: str) -> Decimal:
        hundredths = self._random.randint(shop.low * 100, shop.high * 100)
        return max(quantize(Decimal(hundredths) / 100, currency), Decimal(1))

    def _add(self, row: SimTransaction) -> SimTransaction:
        return self._keep("added", row)

    def _modify(self, row: SimTransaction) -> SimTransaction:
        return self._keep("modified", row)

    def _keep(self, kind: Literal["added", "modified"], row: SimTransaction) -> SimTransaction:
        if row.amount <= 0:
            raise ValueError("Amounts are more than nothing; the direction says where they go.")
        self._transactions[row.id] = row
        self._log(kind, row)
        return row

    def _log(self, kind: Literal["added", "modified", "removed"], row: SimTransaction) -> None:
        self.log.append(Change(self.revision + 1, kind, row))

    def _pending(self, id: str) -> SimTransaction:
        row = self.get(id)
        if row.status != "pending":
            raise ValueError("It has posted already.")
        return row

    def _new_id(self) -> str:
        self._ids += 1
        return self._name("transaction", self._ids)

    def _name(self, *key: object) -> str:
        return hashlib.blake2b("|".join(map(str, (self.seed, *key))).encode(), digest_size=16).hexdigest()

    def _card(self) -> str:
        """An account that purchases are made with."""
        usable = [each.id for each in self.accounts.values() if each.type != "savings"]
        return self._random.choice(usable or list(self.accounts))

    def _of_type(self, kind: AccountType) -> str:
        return next((each.id for each in self.accounts.values() if each.type == kind), next(iter(self.accounts)))

    def _usual_accounts(self, currency: str) -> list[SimAccount]:
        kinds: tuple[tuple[AccountType, str, str, str, Decimal | None], ...] = (
            ("checking", "checking", "Everyday", "3200", None),
            ("savings", "savings", "Rainy Day", "8000", None),
            ("credit", "credit card", "Rewards Card", "-150", Decimal(5000)),
        )
        return [
            SimAccount(
                id=self._name("account", subtype),
                name=name,
                official_name=f"{name} {subtype.title()} Account",
                mask=f"{self._random.randrange(10_000):04}",
                type=kind,
                subtype=subtype,
                currency=currency,
                persistent_id=self._name("persistent", subtype),
                opening=Decimal(opening),
                credit_limit=limit,
            )
            for kind, subtype, name, opening, limit in kinds
        ]

    def _live_through(self, days: int) -> None:
        """What happened until today, as the bank tells it now: the last purchases are pending."""
        types = {account.type: account.id for account in self.accounts.values()}
        for back in range(days - 1, -1, -1):
            on = self.today - timedelta(days=back)
            if "checking" in types and on.day in (1, 15):
                self.earn(types["checking"], on=on)
            if "checking" in types and on.day == 2:
                self._make(self.accounts[types["checking"]], shops.RENT, None, on, "debit")
            if "checking" in types and "savings" in types and on.day == 16:
                self.transfer(types["checking"], types["savings"], on=on)
            if "checking" in types and "credit" in types and on.day == 20:
                self.transfer(types["checking"], types["credit"], on=on)
            for _ in range(self._random.randrange(3) if self.accounts else 0):
                self.buy(on=on, is_pending=back < _PENDING_DAYS)
