"""CSV as statements."""

import itertools
import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from decimal import Decimal

from domains.bank import rules
from domains.bank.errors import StatementRejected
from domains.bank.providers.file.csv_account import AccountIdentity, currency_above, identity_of, number_above
from domains.bank.providers.file.csv_amounts import Amounts, decide_separator
from domains.bank.providers.file.csv_columns import Columns
from domains.bank.providers.file.csv_dates import Dates, decide_order, is_remark
from domains.bank.providers.file.csv_rows import Conventions, RowReader, sign_in_words
from domains.bank.providers.file.csv_table import Row, Table, read_table
from domains.bank.providers.file.options import DecimalSeparator, FileOptions
from domains.bank.providers.file.rows import Draft, identified
from domains.bank.providers.file.text import decode
from domains.bank.providers.file.values import MAX_ACCOUNTS, MAX_TRANSACTIONS, TOO_MANY, DateRange
from domains.bank.providers.protocol import Statement, StatementAccount
from domains.core import currencies

_MONEY = ("amount", "debit", "credit", "balance", "fee")

_SUM_WORDS = "totals?|sum|summe|suma|somme|totaux|totaal|totale|saldo|solde|balance|kontostand"
_SUM = re.compile(rf"\s*(?:grand |sub|net )?(?:{_SUM_WORDS})\b", re.IGNORECASE)

#: Rows with their lines, in the order of the file.
Rows = list[tuple[int, Row]]


def parse_csv(data: bytes, filename: str, provider: str, options: FileOptions, days: DateRange, secret: bytes) -> Statement:
    """Errors: StatementRejected."""
    table = read_table(decode(data, declared=None, told=options.encoding), options)
    columns = _without_direction_words(table)
    rows = _body(table, columns)
    stated = columns.currency or currency_above(table.preamble)
    conventions = Conventions(
        dates=Dates(decide_order(_distinct(rows, _date_places(columns)), columns.languages, options.date_order), days),
        amounts=Amounts(_separator(rows, columns, options, stated)),
        signs_in=_signs_in(rows, columns),
        has_negative_debits=_has_negative_debits(rows, columns),
        currency=stated,
        fallback=options.currency,
        invert=options.invert_amounts,
    )
    reader = RowReader(columns, conventions)
    accounts, left_out = _accounts(rows, columns, reader, number_above(table.preamble))
    if len(accounts) > 1 and (options.account_id or options.account_name):
        field = "account_id" if options.account_id else "account_name"
        raise StatementRejected(f"The file holds {len(accounts)} accounts, so no single one can be described.", field=field)
    return Statement(
        provider=provider,
        accounts=[
            _account(identity_of(number, filename, options, secret), held, reader, options, stated) for number, held in accounts.items()
        ],
        left_out=left_out,
    )


def _body(table: Table, columns: Columns) -> Rows:
    """The rows of transactions, each as wide as the table; the text below them (totals, remarks) is left out.

    Errors: StatementRejected for a row with more cells than columns.
    """
    rows = table.rows
    day, width = columns.first(columns.date_role or "date") or 0, columns.width
    if not columns.has_header and rows and _is_words(rows[0][1], day):
        rows = rows[1:]  # the columns were named by number, and there is a header all the same
    end = len(rows)
    if table.ends_abruptly and end > 1 and len(rows[-1][1]) < width == len(rows[-2][1]):
        raise StatementRejected("The file ends inside this row: it is cut short. Download it again.", line=rows[-1][0])
    while end and _is_footer(rows[end - 1][1], day, width):
        end -= 1
    body: Rows = []
    for line, row in itertools.islice(rows, end):
        if len(row) != width:
            if len(row) > width and any(cell.strip() for cell in row[width:]):
                reason = f"This row has {len(row)} cells and the table has {width} columns."
                raise StatementRejected(f"{reason} A cell that has the delimiter in it must be quoted.", line=line)
            row = [*row[:width], *[""] * (width - len(row))]
        body.append((line, row))
    return body


def _is_footer(row: Row, day: int, width: int) -> bool:
    """One remark in an otherwise empty row, or a sum. A transaction whose cells have slipped, or that is cut off, is neither."""
    filled = [cell.strip() for cell in row if cell.strip()]
    if width > 2 and len(filled) == 1:
        return is_remark(filled[0])
    return _is_words(row, day) and (len(filled) <= 2 or bool(_SUM.match(row[day])))


def _is_words(row: Row, place: int) -> bool:
    return place < len(row) and is_remark(row[place].strip()) and not any(each.isdigit() for each in row[place])


def _without_direction_words(table: Table) -> Columns:
    """A column that says only "debit" or "credit" is no description, whatever its header."""
    columns = table.columns
    places = dict(columns.places)
    for role in ("description", "memo"):
        for place in places.get(role, ()):
            cells = {row[place] for _, row in table.rows if place < len(row) and row[place].strip()}
            if cells and len(places[role]) > 1 and all(sign_in_words(cell) for cell in cells):
                places[role] = tuple(each for each in places[role] if each != place)
                places.setdefault("direction", (place,))
    return replace(columns, places=places)


def _signs_in(rows: Rows, columns: Columns) -> int | None:
    """The column that tells money out from money in, if amounts themselves do not."""
    amount = columns.first("amount")
    if amount is None or any(_is_negative(row[amount]) for _, row in rows):
        return None
    stated = columns.first("direction")
    if stated is not None:
        return stated
    kind = columns.first("type")
    if kind is not None and rows and all(sign_in_words(row[kind]) for _, row in rows):
        return kind
    return None


def _has_negative_debits(rows: Rows, columns: Columns) -> bool:
    place = columns.first("debit")
    if place is None:
        return False
    filled = [row[place] for _, row in rows if row[place].strip("0., -–—")]
    return bool(filled) and all(_is_negative(cell) for cell in filled)


def _is_negative(cell: str) -> bool:
    """Whether digits stand beside a minus or in brackets."""
    return ("-" in cell or "−" in cell or "(" in cell) and any(each.isdigit() for each in cell)


def _date_places(columns: Columns) -> list[int]:
    return [place for role in ("posted_date", "date", "transaction_date", "value_date") for place in columns.places.get(role, ())]


def _separator(rows: Rows, columns: Columns, options: FileOptions, stated: str | None) -> DecimalSeparator:
    place = columns.first("currency")
    named = {row[place].strip().upper() for _, row in rows} if place is not None else {stated or options.currency or ""}
    whole = bool(named) and all(currencies.is_known(code) and currencies.digits(code) == 0 for code in named)
    money = [place for role in _MONEY for place in columns.places.get(role, ())]
    return decide_separator(_distinct(rows, money), options.decimal_separator, whole_units=whole)


def _distinct(rows: Rows, places: Iterable[int]) -> dict[str, int]:
    """What stands in these columns, each with the line where it stands first."""
    found: dict[str, int] = {}
    for place in places:
        for line, row in rows:
            found.setdefault(row[place], line)
    return found


class _Held:
    """What was read of one account: its rows and, beside them, where the balances stand."""

    def __init__(self) -> None:
        self.drafts: list[Draft] = []
        self.rows: Rows = []


def _accounts(rows: Rows, columns: Columns, reader: RowReader, number: str | None) -> tuple[dict[str | None, _Held], int]:
    """Rows by account number (None where the file says none), and how many moved no money."""
    place = columns.first("account")
    accounts: dict[str | None, _Held] = {} if place is not None and rows else {number: _Held()}
    spelled: dict[str, str] = {}  # bare number -> as the file spelled it first
    left_out = 0
    for line, row in rows:
        if not reader.is_booked(row):
            left_out += 1
            continue
        if reader.is_balance_line(row):
            continue
        if place is not None:
            number = row[place].strip()
            if not number:
                raise StatementRejected("This row does not say which account it is of.", line=line)
        held = accounts.get(number)
        if held is None and number:
            number = spelled.setdefault(rules.bare_number(number), number)
            held = accounts.get(number)
        if held is None:
            held = accounts[number] = _Held()
            if len(accounts) > MAX_ACCOUNTS:
                raise StatementRejected(f"The file holds more than {MAX_ACCOUNTS} accounts.", line=line)
        held.drafts.append(reader.draft(row, line))
        held.rows.append((line, row))
    if sum(len(held.drafts) for held in accounts.values()) > MAX_TRANSACTIONS:
        raise StatementRejected(TOO_MANY)
    return accounts or {number: _Held()}, left_out


def _account(identity: AccountIdentity, held: _Held, reader: RowReader, options: FileOptions, stated: str | None) -> StatementAccount:
    balance, balance_on = _last_balance(held, reader)
    return StatementAccount(
        provider_account_id=identity.provider_account_id,
        name=identity.name,
        currency=_currency(held, options, stated),
        account_type=options.account_type or "checking",
        mask=identity.mask,
        current_balance=balance,
        balance_on=balance_on,
        transactions=identified(held.drafts),
    )


def _currency(held: _Held, options: FileOptions, stated: str | None) -> str:
    """The currency of an account: what the file says for all, else what most rows are in."""
    if stated is not None:
        return stated
    counted: dict[str, int] = {}
    for draft in held.drafts:
        counted[draft.currency] = counted.get(draft.currency, 0) + 1
    if counted:
        return max(sorted(counted), key=lambda code: counted[code])
    if options.currency is None:
        raise StatementRejected("The file does not say which currency the account is in. State the `currency`.", field="currency")
    return options.currency


def _last_balance(held: _Held, reader: RowReader) -> tuple[Decimal | None, date | None]:
    """The balance after the latest row: the last of a file that goes up in time, the first of one that goes down.

    Within one day only the balances themselves can tell the direction; if they do not, there is no balance.
    """
    if not held.drafts:
        return None, None
    first, last = held.drafts[0], held.drafts[-1]
    if first.transaction_date == last.transaction_date and len(held.drafts) > 1:
        going_up = _goes_up(held, reader)
        if going_up is None:
            return None, None
    else:
        going_up = first.transaction_date <= last.transaction_date
    line, row = held.rows[-1 if going_up else 0]
    balance = reader.balance(row, line)
    return balance, (last if going_up else first).transaction_date if balance is not None else None


def _goes_up(held: _Held, reader: RowReader) -> bool | None:
    """Whether each balance follows from the one above it (True) or below it (False); None if neither, or both."""
    balances = [reader.balance(row, line) for line, row in held.rows]
    moves = [-draft.amount if draft.direction == "debit" else draft.amount for draft in held.drafts]
    pairs = list(zip(itertools.pairwise(balances), itertools.pairwise(moves), strict=True))
    if any(before is None or after is None for (before, after), _ in pairs):
        return None
    up = all((before or 0) + move == (after or 0) for (before, after), (_, move) in pairs)
    down = all((after or 0) + move == (before or 0) for (before, after), (move, _) in pairs)
    return None if up == down else up
