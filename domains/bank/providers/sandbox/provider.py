"""What the bank would say on a day, and how people link it."""

import asyncio
import hashlib
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from decimal import Decimal
from uuid import uuid4

from domains.bank.providers.errors import LinkRefused, ReauthenticationRequired
from domains.bank.providers.protocol import (
    Credentials,
    Fetched,
    LinkAnswer,
    Linked,
    LinkRequest,
    LinkStart,
    Listener,
    Reached,
    Statement,
    StatementAccount,
    StatementTransaction,
    TransactionStatus,
)
from domains.bank.providers.sandbox.habits import EPOCH, Movement
from domains.bank.providers.sandbox.ledger import Ledger
from domains.bank.providers.sandbox.people import Account, Person
from domains.bank.providers.sandbox.robin import ROBIN
from domains.bank.providers.sandbox.sam import SAM
from domains.core.clock import Clock, SystemClock

#: How far back the bank tells: from the first day of the month so many months ago.
HISTORY_MONTHS = 24
#: How many days a card payment stays pending: one of these.
PENDING_DAYS = (2, 3)
#: How long a person has to come back from the dialogue that there is not.
LINK_LASTS = timedelta(minutes=30)

PEOPLE: Mapping[str, Person] = {person.key: person for person in (ROBIN, SAM)}


class SandboxProvider:
    """A bank with two invented customers, `robin` and `sam`. No I/O, no chance: a profile and a day give one statement, always.

    As days pass, rows stay as they were and keep their ids. Only a card payment changes, once, when it posts, two or three days
    after it was made: its status and `posted_date`; in restaurants the tip is added, at pumps the real sum replaces what was held
    and the row moves to the day it posted. Amounts are what a bank writes, raw; no category is sent.

    It is linked with the name of a customer as public token. Each person who links has an own login, and each login all of the customer.
    """

    name = "sandbox"

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()

    async def begin_link(self, request: LinkRequest) -> LinkStart:
        """The secret holds whose login it will be: nobody else's answer completes it."""
        token = f"sandbox-link-{uuid4().hex}"
        return LinkStart(expires_at=self._clock.now() + LINK_LASTS, token=token, secret={"person": request.user_reference})

    async def complete_link(self, answer: LinkAnswer) -> Linked:
        """Errors: LinkRefused, unless the public token is a customer, and the one whose login is repaired."""
        profile = answer.public_token or ""
        item_id = self.item_id(profile, answer.secret.get("person", ""))
        if profile not in PEOPLE or (answer.reached is not None and answer.reached.item_id != item_id):
            raise LinkRefused("NO_SUCH_CUSTOMER")
        return self.login(item_id)

    async def fetch(self, reached: Reached, listener: Listener, today: date) -> Fetched:
        """All of the two years, of which each account's window says that it is all; a page per account. The cursor is the day."""
        profile = reached.item_id.partition(":")[0]
        if profile not in PEOPLE:
            raise ReauthenticationRequired("NO_SUCH_CUSTOMER")
        statement = await asyncio.to_thread(self.statement, profile, today)
        count = 0
        for page, account in enumerate(statement.accounts, 1):
            count += len(account.transactions)
            await listener.page_fetched(page, count)
        return Fetched(statement=statement, cursor=today.isoformat(), pages=len(statement.accounts))

    async def revoke(self, reached: Reached) -> None:
        """There is nothing to end."""

    def item_id(self, profile: str, person: str) -> str:
        return f"{profile}:{person}"

    def login(self, item_id: str) -> Linked:
        """What linking as this customer comes to."""
        profile = item_id.partition(":")[0]
        return Linked(
            item_id=item_id,
            credentials=Credentials(access_token=f"sandbox-access-{profile}"),
            institution_id=PEOPLE[profile].bank_id,
            institution_name=PEOPLE[profile].bank_name,
            metadata={"profile": profile},
        )

    def statement(self, profile: str, today: date) -> Statement:
        """All accounts, with every row from two years before this month until today, the first of them first; they are all there are.

        Balances hold what has posted; available ones take off what is pending, too. Errors: KeyError for an unknown profile.
        """
        person = PEOPLE[profile]
        moved: dict[str, list[Movement]] = {account.key: [] for account in person.accounts}
        for movement in Ledger(person).days(EPOCH, today):
            moved[movement.account].append(movement)
        accounts = [_account(person, account, moved[account.key], today) for account in person.accounts]
        return Statement(provider=self.name, institution_id=person.bank_id, institution_name=person.bank_name, accounts=accounts)


def history_start(today: date) -> date:
    """The first day that a statement of today tells of."""
    months = 12 * today.year + today.month - 1 - HISTORY_MONTHS
    return max(EPOCH, date(months // 12, months % 12 + 1, 1))


def posts_on(person: str, movement: Movement) -> date:
    """The day it posts: its own, or some days later when a card was used."""
    if not movement.is_card:
        return movement.on
    return movement.on + timedelta(days=PENDING_DAYS[_digest(person, movement)[0] % len(PENDING_DAYS)])


def _account(person: Person, account: Account, moved: Iterable[Movement], today: date) -> StatementAccount:
    held, reserved = Decimal(account.opening), Decimal(0)
    rows = []
    for movement in moved:
        row = _row(person.key, account, movement, today)
        if row.status == "posted":
            held += movement.signed
        else:
            reserved += row.amount if row.direction == "debit" else Decimal(0)
        if row.transaction_date >= history_start(today):
            rows.append(row)
    rows.sort(key=lambda row: row.transaction_date)
    limit = None if account.credit_limit is None else Decimal(account.credit_limit)
    return StatementAccount(
        provider_account_id=f"{person.bank_id}-{account.key}",
        name=account.name,
        official_name=account.official_name,
        mask=account.mask,
        account_type=account.account_type,
        account_subtype=account.subtype,
        currency=account.currency,
        current_balance=held,
        available_balance=held + (limit or Decimal(0)) - reserved,
        credit_limit=limit,
        balance_on=today,
        persistent_id=f"{person.bank_id}-{account.key}",
        transactions=tuple(rows),
        window=(history_start(today), today + timedelta(days=1)),
    )


def _row(person: str, account: Account, movement: Movement, today: date) -> StatementTransaction:
    posted_on = posts_on(person, movement)
    status: TransactionStatus = "posted" if posted_on <= today else "pending"
    is_posted = status == "posted"
    amount = movement.held if movement.held is not None and not is_posted else movement.amount
    return StatementTransaction(
        provider_transaction_id=f"sbx-{_digest(person, movement).hex()}",
        amount=amount,
        currency=account.currency,
        direction=movement.direction,
        transaction_date=posted_on if is_posted and movement.is_late else movement.on,
        description=" ".join(movement.text.split()),
        original_description=movement.text,
        authorized_date=movement.on if movement.is_card else None,
        posted_date=posted_on if is_posted else None,
        status=status,
        payment_meta=dict(movement.meta),
    )


def _digest(person: str, movement: Movement) -> bytes:
    """Twelve bytes that stand for the movement and for nothing that may change about it."""
    key = "|".join(map(str, (person, movement.account, movement.habit, movement.on, movement.number, movement.direction)))
    return hashlib.blake2b(key.encode(), digest_size=12).digest()
