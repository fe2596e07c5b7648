"""One <STMTTRN> as a row."""

from collections.abc import Callable

from domains.bank.providers.file.ofx_tree import Aggregate
from domains.bank.providers.file.ofx_values import CATEGORIES, Values
from domains.bank.providers.file.rows import Draft, direction_of
from domains.bank.providers.file.text import one_line
from domains.bank.providers.file.values import description_text, name_text

_CUT_NAME_CHARS = 31  # <NAME> ends at 32 characters by the specification, and <MEMO> then often begins with the whole of it


def bank_row(row: Aggregate, values: Values, account_currency: Callable[[], str]) -> Draft:
    """`account_currency` is asked only where the row names no currency of its own.

    Errors: StatementRejected for a missing or unreadable date or amount.
    """
    day = values.day(row, "DTPOSTED")
    amount = values.amount(row, "TRNAMT")
    direction = direction_of(amount)
    kind = (row.value("TRNTYPE") or "").upper()
    name, memo = _name(row), row.value("MEMO") or ""
    description, original = _descriptions(name, memo, kind)
    return Draft(
        bank_id=row.value("FITID"),
        amount=abs(amount),
        currency=_currency(row, values) or account_currency(),
        direction=direction,
        transaction_date=day,
        description=description,
        original_description=original,
        merchant_name=name_text(description if name else memo),
        authorized_date=values.day_or_none(row, "DTUSER"),
        posted_date=day,
        category_detailed=CATEGORIES.get((kind, direction)),
        payment_meta=_payment_meta(row, kind),
        line=values.line(row),
    )


def _name(row: Aggregate) -> str:
    payee = row.child("PAYEE")
    return row.value("NAME") or (payee.value("NAME") if payee is not None else None) or row.value("PAYEE") or ""


def _descriptions(name: str, memo: str, kind: str) -> tuple[str, str]:
    """What a person reads, and all the bank's words. A memo that continues a cut name replaces it."""
    continues = len(name) >= _CUT_NAME_CHARS and memo.startswith(name)
    description = memo if memo and (continues or not name) else name
    adds = memo not in description
    original = description if not adds else memo if name in memo else f"{name} {memo}"
    return description_text(description or kind.title()), description_text(original or kind.title())


def _currency(row: Aggregate, values: Values) -> str | None:
    """What the amount is in. (<ORIGCURRENCY> is only what it was converted from.)"""
    return values.currency(row.child("CURRENCY"), "CURSYM") or values.currency(row, "CURRENCY")


def _payment_meta(row: Aggregate, kind: str) -> dict[str, str]:
    meta = {"type": one_line(kind, 32)} if kind else {}
    check, reference = row.value("CHECKNUM"), row.value("REFNUM")
    if check and check.strip("0"):
        meta["check_number"] = one_line(check, 32)
    if reference and reference.strip("0"):
        meta["reference"] = one_line(reference, 64)
    original = row.child("ORIGCURRENCY")
    if original is not None and (was := original.value("CURSYM")):
        meta["original_currency"] = one_line(was, 10)
        if rate := original.value("CURRATE"):
            meta["currency_rate"] = one_line(rate, 40)
    return meta
