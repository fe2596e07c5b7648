"""Real statements, good and broken: each ends in exactly these rows, or in this refusal.

They are not part of the repository. STATEMENTS_DIR names their folder, or it lies beside the repository.
"""

import os
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from domains.bank.errors import StatementRejected
from domains.bank.providers.protocol import StatementTransaction
from tests.domains.bank.statements import parse, signed

BESIDE = Path(__file__).resolve().parents[3].parent / "shared" / "data" / "ofx"
FOLDER = Path(os.environ.get("STATEMENTS_DIR") or BESIDE)

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="STATEMENTS_DIR does not name the folder of real statements")


@dataclass(frozen=True)
class Account:
    """mask, kind, currency, balance; how many rows, their signed sum, the first and the last as (day, signed amount, words, line)."""

    mask: str
    kind: str
    currency: str
    balance: str | None
    count: int = 0
    total: str = "0"
    first: tuple[str, str, str, int] | None = None
    last: tuple[str, str, str, int] | None = None


@dataclass(frozen=True)
class Refusal:
    line: int | None
    words: str


NO_STATEMENT = Refusal(None, "holds no account and no statement")
COFFEE_SHOP = ("2009-04-01", "-6.60", "MCDONALD'S #112", 15)
ELECTRIC = "DIVIDEND EARNED FOR PERIOD OF 03/01/2011 THROUGH 03/31/2011 ANNUAL PERCENTAGE YIELD EARNED IS 0.05%"
TARGET = "Bought Target Retirement 2050 Trust Plus"
TWO_ACCOUNTS = [Account("9100", "checking", "USD", "111"), Account("9200", "savings", "USD", "222")]

EXPECTED: dict[str, list[Account] | Refusal] = {
    "account_listing_aggregation.ofx": Refusal(26, "which currency this account is in"),
    "anzcc.ofx": [
        Account("1234", "credit", "AUD", "-123.45", 1, "-5.50", *[("2017-05-08", "-5.50", "SOME MEMO", 29)] * 2),
    ],
    "bank_medium.ofx": [
        Account("5678", "checking", "CAD", "382.34", 3, "-345.27", COFFEE_SHOP, ("2009-04-03", "-22.00", "CONNIE'S HAIR D", 17)),
    ],
    "bank_small.ofx": NO_STATEMENT,
    "checking.ofx": [
        Account(
            "6877", "checking", "USD", "100.99", 3, "-59.50",
            ("2011-03-31", "0.01", ELECTRIC, 46),
            ("2011-04-07", "-25.00", "RETURNED CHECK FEE, CHECK # 319 FOR $45.33 ON 04/07/11", 62),
        ),
    ],
    "error_message.ofx": Refusal(22, "General Server Error (code 2000)"),
    "fail_nice-date_missing.ofx": Refusal(33, "no date"),
    "fail_nice-decimal_error.ofx": Refusal(36, "'201120000000' is not a date"),
    "fail_nice-empty_balance.ofx": [
        Account("9749", "checking", "CAD", None, 1, "120", *[("2011-03-08", "120", "Foobar", 29)] * 2),
    ],
    "fidelity-savings.ofx": [
        Account(
            "0001", "investment", "USD", None, 4, "-1778.3952",
            ("2012-07-20", "-1500", "Check Paid #0000001001", 47),
            ("2012-07-27", "-197.1220", "DIRECT DEBIT HOMESTREET LS LOAN PMT", 93),
        ),
    ],
    "fidelity.ofx": [
        Account(
            "7890", "investment", "USD", "32993.78", 17, "-10526.67",
            ("2012-07-20", "-2571.45", "Bought INTEL CORP", 11),
            ("2012-08-31", "0.16", "INTEREST EARNED", 11),
        ),
    ],
    "investment_401k.ofx": [
        Account("5601", "investment", "USD", "1000.00", 1, "-197.2", *[("2014-06-17", "-197.2", "Bought Foo Index Fund", 46)] * 2),
    ],
    "investment_medium.ofx": [
        Account(
            "C123", "investment", "CAD", "1.00", 3, "-3.95",
            ("2009-12-15", "-3.65", "CASH TRADE: AUD.USD", 43),
            ("2009-12-15", "-3.65", "CASH TRADE: AUD.USD", 71),
        ),
    ],
    "multiple_accounts.ofx": TWO_ACCOUNTS,
    "multiple_accounts2.ofx": TWO_ACCOUNTS,
    "ofx-v102-empty-tags.ofx": [
        Account("5678", "checking", "AUD", None, 1, "12.34", *[("2018-05-07", "12.34", "CBA:Transfer", 23)] * 2),
    ],
    "signon_fail.ofx": Refusal(11, "you supplied an invalid identification code or your password was incorrect (code 15500)"),
    "signon_success.ofx": NO_STATEMENT,
    "signon_success_no_message.ofx": NO_STATEMENT,
    "suncorp.ofx": [
        Account("6789", "checking", "AUD", "1234.12", 1, "-16.85", *[("2013-12-15", "-16.85", "EFTPOS WDL HANDYWAY ALDI STORE", 35)] * 2),
    ],
    "td_ameritrade.ofx": [Account("2121", "investment", "USD", "2000")],
    "tiaacref.ofx": [Account("C333", "investment", "USD", "4899.3583")],
    "vanguard.ofx": [
        Account("7890", "investment", "USD", "24479.72", 1, "4212.3", *[("2011-07-15", "4212.3", "Sold Name of share", 11)] * 2),
    ],
    "vanguard401k.ofx": [
        Account(
            "3456", "investment", "USD", "5171.44", 4, "-2019",
            ("2014-09-26", "-673.0", TARGET, 11),
            ("2014-10-10", "-336.5", TARGET, 11),
        ),
    ],
}  # fmt: skip


def at(transaction: StatementTransaction) -> tuple[date, Decimal, str, int | None]:
    return transaction.transaction_date, signed(transaction), transaction.description, transaction.line


def expected_at(row: tuple[str, str, str, int]) -> tuple[date, Decimal, str, int | None]:
    return date.fromisoformat(row[0]), Decimal(row[1]), row[2], row[3]


def test_every_file_of_the_folder_is_in_the_table() -> None:
    assert {path.name for path in FOLDER.glob("*.ofx")} == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_real_file_ends_in_its_rows_or_in_its_refusal(name: str) -> None:
    data, expected = (FOLDER / name).read_bytes(), EXPECTED[name]

    if isinstance(expected, Refusal):
        with pytest.raises(StatementRejected) as refused:
            parse(data, name)
        assert refused.value.line == expected.line
        assert expected.words in refused.value.reason
        return
    accounts = parse(data, name).accounts
    assert len(accounts) == len(expected)
    for account, known in zip(accounts, expected, strict=True):
        assert (account.mask, account.account_type, account.currency) == (known.mask, known.kind, known.currency)
        assert account.current_balance == (Decimal(known.balance) if known.balance is not None else None)
        assert (len(account.transactions), sum(map(signed, account.transactions))) == (known.count, Decimal(known.total))
        if known.first is not None and known.last is not None:
            assert at(account.transactions[0]) == expected_at(known.first)
            assert at(account.transactions[-1]) == expected_at(known.last)
        assert len({each.provider_transaction_id for each in account.transactions}) == known.count


def test_a_list_of_accounts_needs_only_to_be_told_the_currency() -> None:
    statement = parse((FOLDER / "account_listing_aggregation.ofx").read_bytes(), currency="USD")

    assert [(each.name, each.mask, each.account_type) for each in statement.accounts] == [
        ("USAA SAVINGS", "0001", "savings"),
        ("FOUR STAR CHECKING", "0002", "checking"),
        ("LINE OF CREDIT", "0003", "credit"),
        ("MY CREDIT CARD", "1111", "credit"),
    ]
    assert (statement.institution_id, statement.institution_name) == ("24591", "USAA")


def test_rows_in_another_currency_than_the_account_keep_theirs() -> None:
    (account,) = parse((FOLDER / "investment_medium.ofx").read_bytes()).accounts

    assert (account.currency, {each.currency for each in account.transactions}) == ("CAD", {"USD"})


@pytest.mark.parametrize("name", [name for name, expected in EXPECTED.items() if not isinstance(expected, Refusal)])
def test_no_account_number_of_a_real_file_is_kept(name: str) -> None:
    text = (FOLDER / name).read_text("cp1252")
    numbers = [part.split("<")[0].strip() for part in text.split("<ACCTID>")[1:]]

    kept = repr(parse(text.encode("cp1252"), name))

    assert numbers
    assert not [number for number in numbers if len(number) > 4 and number in kept]
