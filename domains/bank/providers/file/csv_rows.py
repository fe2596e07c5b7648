"""Rows of a CSV table as drafts of transactions."""

from dataclasses import dataclass
from decimal import Decimal

from domains.bank.errors import StatementRejected
from domains.bank.providers.file.csv_amounts import Amounts
from domains.bank.providers.file.csv_columns import Columns
from domains.bank.providers.file.csv_dates import Dates
from domains.bank.providers.file.csv_table import Row
from domains.bank.providers.file.options import is_currency_code
from domains.bank.providers.file.rows import Draft, direction_of
from domains.bank.providers.file.text import one_line
from domains.bank.providers.file.values import description_text, name_text

_OUT = frozenset(
    {"debit", "d", "dr", "db", "af", "soll", "s", "-", "out", "dare", "debe", "debito", "débito", "débit", "cargo", "sortie", "debet"}
    | {"belastung", "lastschrift", "uscita", "addebito", "withdrawal"}
)
_IN = frozenset(
    {"credit", "c", "cr", "bij", "haben", "h", "+", "in", "avere", "haber", "credito", "crédito", "crédit", "abono", "entrée", "kredit"}
    | {"gutschrift", "entrata", "accredito", "deposit"}
)
#: What has not moved money, or never will.
_NOT_BOOKED = frozenset(
    {"pending", "reverted", "declined", "failed", "cancelled", "canceled", "rejected", "denied", "authorised", "authorized", "expired"}
    | {"vorgemerkt", "abgelehnt", "storniert", "ausstehend", "fehlgeschlagen", "en attente", "refusé", "annulé", "echoué", "échoué"}
    | {"pendiente", "rechazado", "cancelado", "rechazada", "cancelada", "in sospeso", "in attesa", "rifiutato", "annullato"}
    | {"in behandeling", "gereserveerd", "geweigerd", "geannuleerd"}
)
_BALANCE_WORDS = ("balance", "saldo", "solde", "kontostand")


def sign_in_words(cell: str) -> int:
    """-1 for money out, 1 for money in, 0 for any other word."""
    word = cell.strip().casefold()
    return -1 if word in _OUT else 1 if word in _IN else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Conventions:
    """What holds for a whole file.

    signs_in: the column that says debit or credit in words, where amounts have no sign.
    has_negative_debits: the debit column shows money out with a minus; otherwise a minus there is a reversal.
    currency: what the file says for all rows; fallback: what to take where nothing says it.
    """

    dates: Dates
    amounts: Amounts
    signs_in: int | None
    has_negative_debits: bool
    currency: str | None
    fallback: str | None
    invert: bool


class RowReader:
    """Reads one row after another by the file's conventions."""

    def __init__(self, columns: Columns, conventions: Conventions) -> None:
        self._columns = columns
        self._by = conventions
        self._dates = conventions.dates
        self._amounts = conventions.amounts
        self._day = columns.first(columns.date_role or "date") or 0
        self._is_booking_day = columns.date_role in ("posted_date", "date")
        self._other_day = columns.first("transaction_date") if columns.date_role != "transaction_date" else None
        self._known_currencies: set[str] = set()
        self._text = {role: columns.places.get(role, ()) for role in ("payee", "description", "memo")}
        self._meta = [(role, columns.first(role)) for role in ("type", "reference", "category", "value_date")]

    def is_booked(self, row: Row) -> bool:
        place = self._columns.first("status")
        return place is None or row[place].strip().casefold() not in _NOT_BOOKED

    def is_balance_line(self, row: Row) -> bool:
        """A row that only tells a balance: no amount, a balance, and words that say so."""
        balance = self._columns.first("balance")
        money = [place for role in ("amount", "debit", "credit") for place in self._columns.places.get(role, ())]
        if balance is None or not row[balance].strip() or any(row[place].strip() for place in money):
            return False
        words = " ".join(row).casefold()
        return any(word in words for word in _BALANCE_WORDS)

    def draft(self, row: Row, line: int) -> Draft:
        """Errors: StatementRejected."""
        day = self._dates.day(row[self._day], line)
        amount, beside = self._signed_amount(row, line)
        description, original, payee = self._texts(row)
        meta = {role: one_line(row[place], 255) for role, place in self._meta if place is not None and row[place].strip()}
        identity = self._columns.first("id")
        other = row[self._other_day].strip() if self._other_day is not None else ""
        return Draft(
            bank_id=row[identity].strip() if identity is not None else None,
            amount=abs(amount),
            currency=self._row_currency(row, beside, line),
            direction=direction_of(amount),
            transaction_date=day,
            description=description,
            original_description=original,
            merchant_name=payee,
            authorized_date=self._dates.day(other, line) if other else None,
            posted_date=day if self._is_booking_day else None,
            payment_meta=meta,
            line=line,
        )

    def balance(self, row: Row, line: int) -> Decimal | None:
        place = self._columns.first("balance")
        return self._amounts.read(row[place], line)[0] if place is not None else None

    def _signed_amount(self, row: Row, line: int) -> tuple[Decimal, str | None]:
        place = self._columns.first("amount")
        amount, beside = self._amounts.read(row[place], line) if place is not None else self._from_two_columns(row, line)
        if amount is None:
            raise StatementRejected("This row has no amount.", line=line)
        if self._by.signs_in is not None:
            amount = abs(amount) * self._sign(row[self._by.signs_in], line)
        fee = self._columns.first("fee")
        if fee is not None and (taken := self._amounts.read(row[fee], line)[0]):
            amount -= abs(taken)
        return (-amount if self._by.invert else amount), beside

    def _from_two_columns(self, row: Row, line: int) -> tuple[Decimal | None, str | None]:
        """Debit and credit: one of them has a value."""
        out, into = self._columns.first("debit"), self._columns.first("credit")
        debit, debit_unit = self._amounts.read(row[out], line) if out is not None else (None, None)
        credit, credit_unit = self._amounts.read(row[into], line) if into is not None else (None, None)
        if debit and credit:
            raise StatementRejected("This row has both a debit and a credit.", line=line)
        if debit:
            return (debit if self._by.has_negative_debits else -debit), debit_unit
        return (credit if credit is not None else debit), credit_unit or debit_unit

    def _sign(self, cell: str, line: int) -> int:
        sign = sign_in_words(cell)
        if sign == 0:
            raise StatementRejected(f"{one_line(cell, 40)!r} says neither money in nor money out.", line=line)
        return sign

    def _row_currency(self, row: Row, beside: str | None, line: int) -> str:
        place = self._columns.first("currency")
        code = row[place].strip().upper() if place is not None else ""
        if code and code not in self._known_currencies:
            if not is_currency_code(code):
                raise StatementRejected(f"{one_line(code, 20)!r} is not a currency (a code of three letters, such as EUR).", line=line)
            self._known_currencies.add(code)
        currency = code or beside or self._by.currency or self._by.fallback
        if currency is None:
            reason = "The file does not say which currency its amounts are in. State the `currency`."
            raise StatementRejected(reason, line=line, field="currency")
        return currency

    def _texts(self, row: Row) -> tuple[str, str, str | None]:
        """What a person reads, all the words, and the candidate for a merchant."""
        payee, said, memo = (self._joined(row, self._text[role]) for role in ("payee", "description", "memo"))
        kind = self._meta[0][1]
        shown = payee or said or memo or (row[kind].strip() if kind is not None else "")
        all_words = shown
        for part in (said, memo):
            if part and part not in all_words:
                all_words = f"{all_words} {part}"
        return description_text(shown), description_text(all_words), name_text(payee or said or memo)

    def _joined(self, row: Row, places: tuple[int, ...]) -> str:
        if len(places) == 1:
            return row[places[0]].strip()
        parts: list[str] = []
        for place in places:
            cell = row[place].strip()
            if cell and cell not in parts:
                parts.append(cell)
        return " ".join(parts)
