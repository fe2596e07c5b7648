"""Investment statements, as far as they move cash.

What changes only securities (transfers, splits, journals between sub-accounts) has no row. A purchase or a sale is a transfer
between the cash and the investments, never spending or income; dividends, interest, fees are what they are. A reinvested
dividend is both: income, and a purchase for the same money.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

from domains.bank.errors import StatementRejected
from domains.bank.providers.file.ofx_tree import BUYS, CASH_EVENTS, NO_CASH, SELLS, Aggregate
from domains.bank.providers.file.ofx_values import Values, plain_number
from domains.bank.providers.file.rows import Draft, direction_of
from domains.bank.providers.file.text import one_line
from domains.bank.providers.file.values import description_text
from domains.core.money import LARGEST

_BOUGHT = "TRANSFER_OUT_INVESTMENT_AND_RETIREMENT_FUNDS"
_SOLD = "TRANSFER_IN_INVESTMENT_AND_RETIREMENT_FUNDS"
_INCOME = {"DIV": "INCOME_DIVIDENDS", "INTEREST": "INCOME_INTEREST_EARNED"}
_OTHER_INCOME = "INCOME_OTHER_INCOME"
_INCOME_WORDS = {"DIV": "Dividend", "INTEREST": "Interest", "CGLONG": "Capital gain", "CGSHORT": "Capital gain"}
_WORDS = {
    "REINVEST": "Reinvestment",
    "RETOFCAP": "Return of capital",
    "INVEXPENSE": "Investment expense",
    "MARGININTEREST": "Margin interest",
    "SPLIT": "Cash for fractional shares",
}


def security_names(root: Aggregate) -> dict[str, str]:
    """Security id -> name, from the list that follows the statements."""
    names = {}
    for message_set in root.all("SECLISTMSGSRSV1"):
        for info in message_set.all("SECINFO"):
            identity = info.child("SECID")
            if identity is not None and (key := identity.value("UNIQUEID")):
                names[key] = one_line(info.value("SECNAME") or info.value("TICKER") or key, 120)
    return names


def cash_rows(row: Aggregate, values: Values, account_currency: Callable[[], str], securities: Mapping[str, str]) -> list[Draft]:
    """The cash effect of one entry of an <INVTRANLIST>: no row, one, or two for a reinvestment.

    Errors: StatementRejected for an unknown entry, or one without its date or total.
    """
    if row.tag in NO_CASH:
        return []
    if row.tag in BUYS or row.tag in SELLS:
        wrapper = row.child("INVBUY" if row.tag in BUYS else "INVSELL")
        if wrapper is None:
            raise StatementRejected(f"This <{row.tag}> says nothing about what was traded.", line=values.line(row))
        return [_row(row, wrapper, values, account_currency, securities)]
    if row.tag == "SPLIT":
        return [_row(row, row, values, account_currency, securities, total="FRACCASH")] if row.value("FRACCASH") else []
    if row.tag not in CASH_EVENTS:
        raise StatementRejected(f"<{row.tag}> is no investment transaction that can be read.", line=values.line(row))
    drawn = _row(row, row, values, account_currency, securities)
    if row.tag != "REINVEST":
        return [drawn]
    return _income_and_purchase(drawn, row)


def total_value(response: Aggregate, positions: Sequence[Aggregate], values: Values, currency: str | None) -> Decimal | None:
    """What the account is worth: a plan's own total, else cash and margin with the market value of all positions.

    A plan's total of nothing beside positions is a field left unfilled. None where a position has no value or one in another
    currency: a part would pass for the whole.
    """
    plan, cash = values.balance(response.child("INV401KBAL"), "TOTAL"), response.child("INVBAL")
    if plan or (cash is None and not positions):
        return plan
    worth = (values.balance(cash, "AVAILCASH") or Decimal(0)) + (values.balance(cash, "MARGINBALANCE") or Decimal(0))
    for position in positions:
        value = values.balance(position, "MKTVAL")
        priced_in = position.child("CURRENCY")
        if value is None or (priced_in is not None and priced_in.value("CURSYM") not in (None, currency)):
            return None
        worth += value
    return worth if abs(worth) <= LARGEST else None


def _row(
    row: Aggregate,
    holder: Aggregate,
    values: Values,
    account_currency: Callable[[], str],
    securities: Mapping[str, str],
    total: str = "TOTAL",
) -> Draft:
    """`holder` is the aggregate that has the total: the entry itself, or its <INVBUY> or <INVSELL>."""
    told = holder.child("INVTRAN")
    if told is None:
        raise StatementRejected(f"This <{row.tag}> has no date (<INVTRAN> is missing).", line=values.line(row))
    day = values.day(told, "DTTRADE")
    amount = values.amount(holder, total)
    memo, security = told.value("MEMO"), _security(holder, securities)
    words = f"{_words(row)} {security}" if security else memo or _words(row)
    return Draft(
        bank_id=told.value("FITID"),
        amount=abs(amount),
        currency=values.currency(holder.child("CURRENCY"), "CURSYM") or account_currency(),
        direction=direction_of(amount),
        transaction_date=day,
        description=description_text(words),
        original_description=description_text(f"{memo} {security}" if memo and security and security not in memo else memo or words),
        posted_date=values.day_or_none(told, "DTSETTLE"),
        category_detailed=_category(row, amount),
        payment_meta=_meta(row, holder, security),
        line=values.line(row),
    )


def _income_and_purchase(drawn: Draft, row: Aggregate) -> list[Draft]:
    """The bank numbers a reinvestment once: its income row gets a number of its own."""
    income = Draft(
        bank_id=f"{drawn.bank_id} income" if drawn.bank_id else None,
        amount=drawn.amount,
        currency=drawn.currency,
        direction="credit",
        transaction_date=drawn.transaction_date,
        description=drawn.description,
        original_description=drawn.original_description,
        posted_date=drawn.posted_date,
        category_detailed=_INCOME.get((row.value("INCOMETYPE") or "").upper(), _OTHER_INCOME),
        payment_meta=drawn.payment_meta,
        line=drawn.line,
    )
    drawn.direction = "debit"
    drawn.category_detailed = _BOUGHT
    return [income, drawn]


def _words(row: Aggregate) -> str:
    if row.tag == "INCOME":
        return _INCOME_WORDS.get((row.value("INCOMETYPE") or "").upper(), "Income")
    return "Bought" if row.tag in BUYS else "Sold" if row.tag in SELLS else _WORDS[row.tag]


def _category(row: Aggregate, amount: Decimal) -> str | None:
    if row.tag in BUYS or row.tag in SELLS or row.tag in ("RETOFCAP", "SPLIT"):
        return _BOUGHT if amount < 0 else _SOLD
    if row.tag == "INCOME":
        return _INCOME.get((row.value("INCOMETYPE") or "").upper(), _OTHER_INCOME) if amount >= 0 else None
    if amount >= 0:
        return None
    return "BANK_FEES_INTEREST_CHARGE" if row.tag == "MARGININTEREST" else "BANK_FEES_OTHER_BANK_FEES"


def _security(holder: Aggregate, securities: Mapping[str, str]) -> str | None:
    identity = holder.child("SECID")
    key = identity.value("UNIQUEID") if identity is not None else None
    return securities.get(key, one_line(key, 120)) if key else None


def _meta(row: Aggregate, holder: Aggregate, security: str | None) -> dict[str, str]:
    meta = {"type": row.tag}
    if security:
        meta["security"] = security
    for tag, key in (("UNITS", "units"), ("UNITPRICE", "unit_price")):
        if value := holder.value(tag):
            meta[key] = plain_number(value)
    return meta
