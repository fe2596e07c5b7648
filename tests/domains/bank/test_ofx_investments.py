"""Investment statements: their cash, their worth, and what moves neither."""

from datetime import date
from decimal import Decimal

import pytest

from domains.bank.errors import StatementRejected
from tests.domains.bank.statements import investment, only_account, parse, row, rows_of, signed

SECID = "<SECID><UNIQUEID>US0001<UNIQUEIDTYPE>CUSIP</SECID>"
SECURITIES = f"<STOCKINFO><SECINFO>{SECID}<SECNAME>Acme &amp; Sons<TICKER>ACME</SECINFO></STOCKINFO>"
BOUGHT, SOLD = "TRANSFER_OUT_INVESTMENT_AND_RETIREMENT_FUNDS", "TRANSFER_IN_INVESTMENT_AND_RETIREMENT_FUNDS"


def told(number: str, day: str = "20240110", memo: str = "") -> str:
    return f"<INVTRAN><FITID>{number}<DTTRADE>{day}<DTSETTLE>20240112{f'<MEMO>{memo}' if memo else ''}</INVTRAN>"


def buy(number: str = "B000001", total: str = "-1000.00", extra: str = "") -> str:
    return f"<BUYSTOCK><INVBUY>{told(number)}{SECID}<UNITS>+010.50<UNITPRICE>95<TOTAL>{total}{extra}</INVBUY><BUYTYPE>BUY</BUYSTOCK>\n"


def event(tag: str, number: str, total: str, kind: str = "") -> str:
    return f"<{tag}>{told(number, memo='FROM THE BROKER')}{SECID}{kind}<TOTAL>{total}</{tag}>\n"


def test_what_moves_cash_is_a_row_with_its_kind_of_category() -> None:
    sell = f"<SELLMF><INVSELL>{told('S000001')}{SECID}<UNITS>-1<TOTAL>96</INVSELL><SELLTYPE>SELL</SELLMF>\n"
    split = f"<SPLIT>{told('X000001')}{SECID}<FRACCASH>4.80</SPLIT>\n"
    text = investment(
        buy()
        + sell
        + event("INCOME", "I000001", "5.53", "<INCOMETYPE>DIV")
        + event("INCOME", "I000002", "1.10", "<INCOMETYPE>INTEREST")
        + event("INCOME", "I000003", "7", "<INCOMETYPE>CGLONG")
        + event("RETOFCAP", "C000001", "8")
        + event("INVEXPENSE", "E000001", "-2")
        + event("MARGININTEREST", "E000002", "-3")
        + split,
        securities=SECURITIES,
    )

    rows = rows_of(text)

    assert [(signed(each), each.description, each.category_detailed) for each in rows] == [
        (Decimal(-1000), "Bought Acme & Sons", BOUGHT),
        (Decimal(96), "Sold Acme & Sons", SOLD),
        (Decimal("5.53"), "Dividend Acme & Sons", "INCOME_DIVIDENDS"),
        (Decimal("1.10"), "Interest Acme & Sons", "INCOME_INTEREST_EARNED"),
        (Decimal(7), "Capital gain Acme & Sons", "INCOME_OTHER_INCOME"),
        (Decimal(8), "Return of capital Acme & Sons", SOLD),
        (Decimal(-2), "Investment expense Acme & Sons", "BANK_FEES_OTHER_BANK_FEES"),
        (Decimal(-3), "Margin interest Acme & Sons", "BANK_FEES_INTEREST_CHARGE"),
        (Decimal("4.80"), "Cash for fractional shares Acme & Sons", SOLD),
    ]
    assert (rows[0].transaction_date, rows[0].posted_date, rows[0].merchant_name) == (date(2024, 1, 10), date(2024, 1, 12), None)
    assert dict(rows[0].payment_meta) == {"type": "BUYSTOCK", "security": "Acme & Sons", "units": "10.5", "unit_price": "95"}
    assert rows[2].original_description == "FROM THE BROKER Acme & Sons"


def test_a_reinvested_dividend_is_income_and_a_purchase() -> None:
    text = investment(event("REINVEST", "R000001", "-14.47", "<INCOMETYPE>DIV"), securities=SECURITIES)

    income, purchase = rows_of(text)

    assert (signed(income), income.category_detailed) == (Decimal("14.47"), "INCOME_DIVIDENDS")
    assert (signed(purchase), purchase.category_detailed) == (Decimal("-14.47"), BOUGHT)
    assert income.provider_transaction_id != purchase.provider_transaction_id


def test_what_moves_only_securities_is_no_row() -> None:
    transfer = f"<TRANSFER>{told('T000001')}{SECID}<UNITS>5<TFERACTION>IN</TRANSFER>\n"
    journal = f"<JRNLFUND>{told('J000001')}<SUBACCTTO>CASH<SUBACCTFROM>MARGIN<TOTAL>500</JRNLFUND>\n"
    split = f"<SPLIT>{told('X000001')}{SECID}<OLDUNITS>1<NEWUNITS>2</SPLIT>\n"
    option = f"<CLOSUREOPT>{told('O000001')}{SECID}<OPTACTION>EXPIRE<UNITS>1</CLOSUREOPT>\n"

    assert rows_of(investment(transfer + journal + split + option)) == []


def test_the_banks_rows_inside_are_rows_and_currencies_of_their_own_count() -> None:
    cash = f"<INVBANKTRAN>{row('20240120', '115.8331', 'C000001', 'Transferred')}<SUBACCTFUND>CASH</INVBANKTRAN>\n"
    abroad = buy(extra="<CURRENCY><CURRATE>1.1<CURSYM>GBP</CURRENCY>")

    first, second = rows_of(investment(cash + abroad))

    assert (signed(first), first.description, first.currency) == (Decimal("115.8331"), "Transferred", "USD")
    assert (second.currency, second.description) == ("GBP", "Bought US0001")


def position(value: str, extra: str = "") -> str:
    return f"<POSSTOCK><INVPOS>{SECID}<UNITS>1<UNITPRICE>1{f'<MKTVAL>{value}' if value else ''}{extra}</INVPOS></POSSTOCK>"


@pytest.mark.parametrize(
    ("balances", "worth", "cash", "subtype"),
    [
        ("", None, None, "brokerage"),
        ("<INVBAL><AVAILCASH>100<MARGINBALANCE>-20<SHORTBALANCE>7</INVBAL>", "80", "100", "brokerage"),
        (f"<INVPOSLIST>{position('10.5')}{position('2')}</INVPOSLIST>", "12.5", None, "brokerage"),
        (f"<INVPOSLIST>{position('10.5')}</INVPOSLIST><INVBAL><AVAILCASH>100</INVBAL>", "110.5", "100", "brokerage"),
        (f"<INVPOSLIST>{position('10.5')}{position('')}</INVPOSLIST><INVBAL><AVAILCASH>100</INVBAL>", None, "100", "brokerage"),
        (f"<INVPOSLIST>{position('1', '<CURRENCY><CURRATE>1<CURSYM>GBP</CURRENCY>')}</INVPOSLIST>", None, None, "brokerage"),
        (f"<INVPOSLIST>{position('1', '<CURRENCY><CURRATE>1<CURSYM>USD</CURRENCY>')}</INVPOSLIST>", "1", None, "brokerage"),
        (f"<INVPOSLIST>{position('792')}</INVPOSLIST><INV401KBAL><TOTAL>1000</INV401KBAL>", "1000", None, "401k"),
        (f"<INVPOSLIST>{position('792')}</INVPOSLIST><INV401KBAL><TOTAL>0.0</INV401KBAL>", "792", None, "401k"),
        ("<INV401KBAL><TOTAL>0.0</INV401KBAL>", "0", None, "401k"),
    ],
)
def test_an_account_is_worth_its_cash_and_its_positions_or_is_not_valued(
    balances: str, worth: str | None, cash: str | None, subtype: str
) -> None:
    account = only_account(investment("", balances))

    assert (account.account_type, account.account_subtype) == ("investment", subtype)
    assert account.current_balance == (Decimal(worth) if worth is not None else None)
    assert account.available_balance == (Decimal(cash) if cash is not None else None)
    assert account.balance_on == (date(2024, 1, 31) if worth is not None else None)


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ("<BUYSTOCK><BUYTYPE>BUY</BUYSTOCK>", "nothing about what was traded"),
        (buy().replace("<TOTAL>-1000.00", ""), "no amount"),
        (buy().replace("<DTTRADE>20240110", ""), "no date"),
        (f"<INCOME>{SECID}<TOTAL>1</INCOME>", "no date"),
        ("<WINDFALL><FITID>1</WINDFALL>", "<WINDFALL> is no investment transaction"),
        (row(), "<STMTTRN> cannot stand inside <INVTRANLIST>"),
    ],
)
def test_an_entry_that_cannot_be_read_is_refused_with_its_line(entries: str, words: str) -> None:
    with pytest.raises(StatementRejected) as refused:
        parse(investment(buy("B000009") + entries))

    assert words in refused.value.reason
    assert refused.value.line == 16
