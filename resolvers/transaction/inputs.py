"""What lists of transactions are narrowed to and ordered by, and what a user says of one."""

import enum
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import strawberry

from db.transaction.queries import reads
from resolvers.errors import BadUserInput
from resolvers.fields import Sort, choice, from_global_id, text_from_global_id

IDS_AT_MOST = 100
TAGS_AT_MOST = 20
TEXT_AT_MOST = 200


@strawberry.enum(description="Which way money went. Amounts are never negative.")
class TransactionDirection(enum.Enum):
    DEBIT = choice("debit", "Out of the account.")
    CREDIT = choice("credit", "Into the account.")


@strawberry.enum(description="Whether the bank has booked it.")
class TransactionStatus(enum.Enum):
    PENDING = choice("pending", "Announced, and may still change or vanish.")
    POSTED = choice("posted", "Booked.")
    CANCELLED = choice("cancelled", "Announced, and never booked. It counts nowhere.")


@strawberry.enum(description="The order of a list of transactions. Ties are broken by id, so that no page repeats or skips a row.")
class TransactionSort(enum.Enum):
    DATE_DESC = choice("date_desc", "By `transactionDate`, the newest first.")
    DATE_ASC = choice("date_asc", "By `transactionDate`, the oldest first.")
    AMOUNT_DESC = choice("amount_desc", "By the number in `amount`, the largest first, whatever its currency.")
    AMOUNT_ASC = choice("amount_asc", "By the number in `amount`, the smallest first, whatever its currency.")


SORTS: dict[enum.Enum, Sort] = {TransactionSort(name): Sort(columns, descending) for name, (columns, descending) in reads.SORTS.items()}


def _optional(description: str) -> Any:
    return strawberry.field(default=strawberry.UNSET, description=description)


@strawberry.input(description="Narrows a list of transactions. All that is given must hold; an empty list of ids matches nothing.")
class TransactionFilter:
    account_ids: list[strawberry.ID] | None = _optional("On any of these accounts, at most 100.")
    category_ids: list[strawberry.ID] | None = _optional("In any of these categories or a child of one, at most 100.")
    since: date | None = _optional("On this day or after, by `transactionDate`.")
    until: date | None = _optional("Before this day; the day itself is out. A month is from its first day until the next month's first.")
    amount_min: Decimal | None = _optional("Of at least this number, whatever the currency.")
    amount_max: Decimal | None = _optional("Of at most this number, whatever the currency.")
    direction: TransactionDirection | None = _optional("Only out of, or only into accounts.")
    status: TransactionStatus | None = _optional("Only in this status.")
    text: str | None = _optional(
        'Words of the description or the merchant, whole and in any order; `"..."` for a phrase, `-word` for one that must not '
        "be there, `or`. At most 200 characters."
    )
    tags: list[str] | None = _optional("With every one of these tags, as they are written; at most 20.")


@strawberry.input(description="What to change of a transaction. What is left out stays as it is.")
class TransactionUpdateInput:
    id: strawberry.ID = strawberry.field(description="The transaction.")
    category: strawberry.ID | None = _optional("Its category from now on, whatever the bank says; null gives it back to automatic ones.")
    notes: str | None = _optional("At most 2,000 characters; null or empty for none.")
    tags: list[str] | None = _optional("All its tags, at most 20 of 1 to 50 characters, each once; null or empty for none.")


def read_filter(given: TransactionFilter | None) -> reads.TransactionFilter:
    """What the statements take. Whatever is no id matches as little as an id that is not there. Errors: BadUserInput."""
    if given is None:
        return reads.TransactionFilter()
    said: dict[str, Any] = {name: None if value is strawberry.UNSET else value for name, value in vars(given).items()}
    for name, most in (("account_ids", IDS_AT_MOST), ("category_ids", IDS_AT_MOST), ("tags", TAGS_AT_MOST), ("text", TEXT_AT_MOST)):
        _check(name, said[name], most)
    for name, kind in (("account_ids", "BankAccount"), ("category_ids", "Category")):
        said[name] = _keys(said[name], kind)
    for name in ("direction", "status"):
        said[name] = said[name] and said[name].value
    return reads.TransactionFilter(**said)


def _check(name: str, value: str | Sequence[str] | None, most: int) -> None:
    if value is None:
        return
    if len(value) > most:
        what = "characters" if isinstance(value, str) else "entries"
        raise BadUserInput(f"`filter.{_graphql_name(name)}` may have {most} {what} at most.", argument="filter")
    if any("\0" in text for text in ([value] if isinstance(value, str) else value)):
        raise BadUserInput(f"`filter.{_graphql_name(name)}` has a character that text does not have.", argument="filter")


def _graphql_name(name: str) -> str:
    first, _, rest = name.partition("_")
    return first + rest.capitalize()


def _keys(given: Sequence[str] | None, kind: str) -> list[Any] | None:
    if given is None:
        return None
    read = text_from_global_id if kind == "Category" else from_global_id
    return [key for each in given if (key := read(each, kind)) is not None]
