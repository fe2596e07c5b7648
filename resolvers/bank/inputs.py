"""What is said of a statement file or of a bank that is linked, and what lists of syncs are narrowed to and ordered by."""

import enum
from datetime import datetime
from typing import Any

import strawberry
from strawberry.utils.str_converters import to_camel_case

from db.bank import queries
from db.bank import queries_syncs as syncs
from domains.bank.errors import StatementOptionsInvalid
from domains.bank.providers.file.options import FileOptions
from domains.flows.link_bank import Answer, NewLink
from resolvers.bank.types import (
    BankAccountStatus,
    BankAccountType,
    BankConnectionStatus,
    BankProvider,
    BankSyncStatus,
    StatementImportStatus,
)
from resolvers.errors import BadUserInput
from resolvers.fields import CurrencyCode, Sort, choice, from_global_id, given_id

CONNECTIONS_AT_MOST = 100
#: How long what a bank or a front end hands over may be.
TEXT_AT_MOST = 4_000
INSTITUTION_AT_MOST = 255


@strawberry.enum(description="In which order a date is written.")
class DateOrder(enum.Enum):
    DMY = choice("DMY", "22/11/2026.")
    MDY = choice("MDY", "11/22/2026.")
    YMD = choice("YMD", "2026-11-22.")


@strawberry.enum(description="What separates the whole from the fraction of an amount.")
class DecimalSeparator(enum.Enum):
    POINT = choice(".", "1,234.56")
    COMMA = choice(",", "1.234,56")


@strawberry.enum(description="What separates the columns.")
class Delimiter(enum.Enum):
    COMMA = choice(",", "A comma.")
    SEMICOLON = choice(";", "A semicolon.")
    TAB = choice("\t", "A tab.")
    PIPE = choice("|", "A vertical bar.")


@strawberry.enum(description="What a column of a CSV file means.")
class StatementColumn(enum.Enum):
    POSTED_DATE = choice("posted_date", "The day the bank booked it; it wins over the other dates.")
    DATE = choice("date", "A day, where the file has but one.")
    TRANSACTION_DATE = choice("transaction_date", "The day it was done.")
    VALUE_DATE = choice("value_date", "The day from which it bears interest.")
    AMOUNT = choice("amount", "The amount, negative for what goes out.")
    DEBIT = choice("debit", "What goes out, in a column of its own.")
    CREDIT = choice("credit", "What comes in, in a column of its own.")
    DIRECTION = choice("direction", "A word or sign that says which way it goes.")
    FEE = choice("fee", "A fee on top of the amount.")
    CURRENCY = choice("currency", "The code of the amount's currency.")
    BALANCE = choice("balance", "What was on the account afterwards.")
    ACCOUNT = choice("account", "Which account it is on.")
    ID = choice("id", "The bank's own number of the movement.")
    DESCRIPTION = choice("description", "What it was.")
    PAYEE = choice("payee", "Who is at the other end.")
    MEMO = choice("memo", "What they wrote to it.")
    REFERENCE = choice("reference", "A reference that goes with it.")
    TYPE = choice("type", "The bank's kind of movement.")
    CATEGORY = choice("category", "The bank's category.")
    STATUS = choice("status", "Whether it is pending.")


@strawberry.input(description="One column of a CSV file: what it means, and its header or its number.")
class StatementColumnInput:
    meaning: StatementColumn = strawberry.field(description="What the column means.")
    header: str | None = strawberry.field(default=strawberry.UNSET, description="Its header, as it is in the file.")
    number: int | None = strawberry.field(
        default=strawberry.UNSET, description="Its place, counted from 1. Then the file needs no header, and all columns are named so."
    )


@strawberry.input(description="How to read a file, where what is detected would be wrong. All of it is optional.")
class StatementOptionsInput:
    delimiter: Delimiter | None = strawberry.field(default=strawberry.UNSET, description="CSV only: what separates its columns.")
    encoding: str | None = strawberry.field(default=strawberry.UNSET, description="The character encoding, such as `windows-1252`.")
    date_order: DateOrder | None = strawberry.field(default=strawberry.UNSET, description="CSV only: the order of its dates.")
    decimal_separator: DecimalSeparator | None = strawberry.field(
        default=strawberry.UNSET, description="CSV only: how amounts are written."
    )
    columns: list[StatementColumnInput] | None = strawberry.field(
        default=strawberry.UNSET, description="CSV only: columns whose headers do not say what they mean."
    )
    currency: CurrencyCode | None = strawberry.field(
        default=strawberry.UNSET, description="Of amounts for which the file names none. By default yours."
    )
    account_number: str | None = strawberry.field(
        default=strawberry.UNSET, description="For a file of one account that does not say which: any text that stands for it from now on."
    )
    account_name: str | None = strawberry.field(default=strawberry.UNSET, description="What to call that account when it is new.")
    account_type: BankAccountType | None = strawberry.field(default=strawberry.UNSET, description="What kind of account it is.")
    invert_amounts: bool = strawberry.field(default=False, description="For banks that write what goes out as positive.")


@strawberry.input(description="An uploaded statement to take in.")
class StatementImportInput:
    upload_id: strawberry.ID = strawberry.field(description="The `uploadId` that `POST /uploads` answered.")
    idempotency_key: str = strawberry.field(
        description="1 to 255 characters that you choose for this import. A retry with it and the same input answers the same for 48 hours."
    )
    options: StatementOptionsInput | None = strawberry.field(default=strawberry.UNSET, description="How to read the file.")


_ARGUMENTS = {"account_number": "account_id"}
_FIELDS = {"account_id": "accountNumber"}


def read_options(given: StatementOptionsInput | None) -> FileOptions:
    """Errors: StatementOptionsInvalid, its `field` being the path in the mutation's input."""
    if not given:
        return FileOptions()
    said: dict[str, Any] = {}
    for name, value in vars(given).items():
        if value is None or value is strawberry.UNSET or name == "columns":
            continue
        if isinstance(value, str) and "\0" in value:
            raise StatementOptionsInvalid("This text has a character that text does not have.", field=_field_of(name))
        said[_ARGUMENTS.get(name, name)] = value.value if isinstance(value, enum.Enum) else value
    try:
        return FileOptions(**said, columns=_read_columns(given.columns or []))
    except StatementOptionsInvalid as error:
        raise StatementOptionsInvalid(error.message, field=_field_of(error.field or "")) from error


def _read_columns(given: list[StatementColumnInput]) -> dict[str, str | int]:
    columns: dict[str, str | int] = {}
    for column in given:
        place = column.header if column.header else column.number
        if not place or (column.header and column.number) or "\0" in str(place) or column.meaning.value in columns:
            raise StatementOptionsInvalid("Each column is named once, by its header or by its number.", field="columns")
        columns[column.meaning.value] = place
    return columns


def _field_of(option: str) -> str:
    name = option.partition(".")[0]
    return f"options.{_FIELDS.get(name, to_camel_case(name))}"


@strawberry.enum(description="The order of a list of syncs. Ties are broken by id, so that no page repeats or skips one.")
class BankSyncSort(enum.Enum):
    STARTED_AT_DESC = choice("newest", "By `startedAt`, the newest first.")
    STARTED_AT_ASC = choice("oldest", "By `startedAt`, the oldest first.")


SYNC_SORTS: dict[enum.Enum, Sort] = {BankSyncSort(name): Sort(columns, descending) for name, (columns, descending) in syncs.SORTS.items()}


@strawberry.input(description="Narrows a list of accounts.")
class BankAccountFilter:
    status: BankAccountStatus | None = strawberry.field(default=strawberry.UNSET, description="Only in this status.")


@strawberry.input(description="Narrows a list of connections.")
class BankConnectionFilter:
    status: BankConnectionStatus | None = strawberry.field(default=strawberry.UNSET, description="Only in this status.")


@strawberry.input(description="Narrows a list of imports.")
class StatementImportFilter:
    status: StatementImportStatus | None = strawberry.field(default=strawberry.UNSET, description="Only in this status.")


@strawberry.enum(description="The order of a list of imports. Ties are broken by id, so that no page repeats or skips one.")
class StatementImportSort(enum.Enum):
    CREATED_AT_DESC = choice("newest", "By `createdAt`, the newest first.")


IMPORT_SORTS: dict[enum.Enum, Sort] = {StatementImportSort.CREATED_AT_DESC: Sort(queries.IMPORTS_NEWEST, descending=True)}


def read_status(given: BankAccountFilter | BankConnectionFilter | StatementImportFilter | None) -> dict[str, str]:
    """The status that is wanted as statements take it; nothing for any."""
    return {"status": given.status.value} if given is not None and given.status else {}


@strawberry.input(description="Narrows a list of syncs. All that is given must hold; an empty list of ids matches nothing.")
class BankSyncFilter:
    connection_ids: list[strawberry.ID] | None = strawberry.field(
        default=strawberry.UNSET, description="Of any of these connections, at most 100."
    )
    status: BankSyncStatus | None = strawberry.field(default=strawberry.UNSET, description="Only in this status.")
    since: datetime | None = strawberry.field(default=strawberry.UNSET, description="Begun at this instant or after.")
    until: datetime | None = strawberry.field(default=strawberry.UNSET, description="Begun before this instant.")


def read_sync_filter(given: BankSyncFilter | None) -> syncs.SyncFilter:
    """What the statements take. Whatever is no id matches as little as an id that is not there. Errors: BadUserInput."""
    if given is None:
        return syncs.SyncFilter()
    said: dict[str, Any] = {name: None if value is strawberry.UNSET else value for name, value in vars(given).items()}
    ids = said["connection_ids"]
    if ids is not None:
        if len(ids) > CONNECTIONS_AT_MOST:
            raise BadUserInput(f"`filter.connectionIds` may have {CONNECTIONS_AT_MOST} entries at most.", argument="filter")
        said["connection_ids"] = [key for each in ids if (key := from_global_id(each, "BankConnection")) is not None]
    said["status"] = said["status"] and said["status"].value
    return syncs.SyncFilter(**said)


# Banks that are linked

IDEMPOTENCY = "1 to 255 characters that you choose for this call. A retry with it and the same input answers the same for 48 hours."


@strawberry.input(description="A bank to link, or a connection to repair.")
class BankLinkCreateInput:
    provider: BankProvider = strawberry.field(description="How the bank is reached: one of `bankProviders`.")
    idempotency_key: str = strawberry.field(description=IDEMPOTENCY)
    institution_id: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="Which bank, as the provider calls it; where the provider's own dialogue asks, it is not needed.",
    )
    connection_id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="The connection to repair, of this provider; without it a new one is made."
    )
    redirect_url: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="Where the bank sends the person back to: one of the addresses that the operator allows, letter by letter.",
    )


@strawberry.input(description="What a person came back with from their bank: `publicToken`, or `code` and `state`.")
class BankLinkCompleteInput:
    link_id: strawberry.ID = strawberry.field(description="The `id` of the link that was begun.")
    idempotency_key: str = strawberry.field(description=IDEMPOTENCY)
    public_token: str | None = strawberry.field(default=strawberry.UNSET, description="What the provider's own dialogue has handed over.")
    code: str | None = strawberry.field(
        default=strawberry.UNSET, description="The parameter `code` of the address that the person came back to; for Tink `credentialsId`."
    )
    state: str | None = strawberry.field(
        default=strawberry.UNSET, description="The parameter `state` of the address that the person came back to."
    )


@strawberry.input(description="A connection to fetch from now.")
class BankConnectionSyncInput:
    id: strawberry.ID = strawberry.field(description="The connection.")


@strawberry.enum(description="What becomes of the transactions of a connection that is removed.")
class RemovedTransactions(enum.Enum):
    KEEP = choice("keep", "They stay, and so do their accounts, closed.")
    DELETE = choice("delete", "They are deleted for good, the edits of their owner too. Budgets and sums follow.")


@strawberry.input(description="A connection to remove.")
class BankConnectionRemoveInput:
    id: strawberry.ID = strawberry.field(description="The connection.")
    transactions: RemovedTransactions = strawberry.field(description="Whether its transactions stay.")


def read_new_link(given: BankLinkCreateInput) -> NewLink:
    """Errors: BadUserInput."""
    connection = given.connection_id
    return NewLink(
        provider=given.provider.value,
        institution_id=_text(given.institution_id, "institutionId", INSTITUTION_AT_MOST),
        connection_id=None if connection is None or connection is strawberry.UNSET else given_id(connection, "BankConnection"),
        redirect_url=_text(given.redirect_url, "redirectUrl"),
    )


def read_answer(given: BankLinkCompleteInput) -> Answer:
    """Errors: BadUserInput."""
    return Answer(public_token=_text(given.public_token, "publicToken"), code=_text(given.code, "code"), state=_text(given.state, "state"))


def _text(given: str | None, name: str, at_most: int = TEXT_AT_MOST) -> str | None:
    """None for what was not given, or is empty. Errors: BadUserInput."""
    if given is None or given is strawberry.UNSET or not given:
        return None
    if len(given) > at_most or not given.isprintable():
        raise BadUserInput(f"`input.{name}` has {at_most} printable characters at most.", argument="input")
    return given
