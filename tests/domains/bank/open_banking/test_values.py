"""Accounts, balances, days and ids, as a bank of the standard writes them."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domains.bank.providers.errors import ProviderGarbled
from domains.bank.providers.open_banking.accounts import ListedAccount, read_accounts
from domains.bank.providers.open_banking.balances import Balances, read_balances
from domains.bank.providers.open_banking.categories import category_of
from domains.bank.providers.open_banking.days import Asked, Cursor, written_day
from domains.bank.providers.open_banking.transactions import IdTwice, Reader
from tests.domains.bank.open_banking.world import SECRET, configured

TODAY = date(2026, 7, 20)
BANK = configured("https://bank.example")


# Accounts


def account(
    resource_id: str = "22289", number: str | None = "80200112344562", scheme: str = "SortCodeAccountNumber", **more: Any
) -> dict[str, Any]:
    named = [] if number is None else [{"SchemeName": f"UK.OBIE.{scheme}", "Identification": number, "Name": "Jane Smith"}]
    return {"AccountId": resource_id, "Status": "Enabled", "Currency": "GBP", "AccountTypeCode": "CACC", "Account": named, **more}


def listed(*rows: Mapping[str, Any]) -> list[ListedAccount]:
    return read_accounts(rows, BANK, SECRET)


def test_an_account_is_itself_in_another_consent_and_its_number_is_nowhere() -> None:
    one, other = listed(account("a")), listed(account("b"))

    assert one[0].provider_account_id == other[0].provider_account_id == one[0].persistent_id
    assert one[0].resource_id != other[0].resource_id
    assert one[0].mask == "4562"
    assert "80200112344562" not in repr(one)


def test_the_same_number_at_another_bank_in_another_currency_or_with_another_secret_is_another_account() -> None:
    ids = {
        listed(account())[0].provider_account_id,
        listed(account(Currency="EUR"))[0].provider_account_id,
        read_accounts([account()], replace(BANK, id="another-bank"), SECRET)[0].provider_account_id,
        read_accounts([account()], BANK, b"another secret")[0].provider_account_id,
        listed(account(Account=[{**account()["Account"][0], "SecondaryIdentification": "ROLL-1"}]))[0].provider_account_id,
    }

    assert len(ids) == 5


def test_of_several_numbers_the_same_one_counts_in_whatever_order_they_are_listed() -> None:
    both = [
        {"SchemeName": "UK.OBIE.IBAN", "Identification": "GB33BUKB20201555555555"},
        {"SchemeName": "UK.OBIE.PAN", "Identification": "4111111111111111"},
        {"SchemeName": "SortCodeAccountNumber", "Identification": "20201555555555"},
    ]

    one, other = listed(account(Account=both)), listed(account(Account=both[::-1]))

    assert one == other
    assert one[0].provider_account_id == listed(account(number="20201555555555"))[0].provider_account_id


@pytest.mark.parametrize("number", ["XXXXXXXXXXXX1234", "************1234", "4111########1234", "xxxx-xxxx-xxxx-1234"])
def test_a_card_of_which_only_the_end_is_told_has_no_lasting_name(number: str) -> None:
    one, other = listed(account("a", number, "PAN")), listed(account("b", number, "PAN"))

    assert one[0].persistent_id is None
    assert one[0].provider_account_id == other[0].provider_account_id
    assert one[0].mask == "1234"


def test_two_accounts_under_one_number_are_told_apart_by_the_banks_ids() -> None:
    found = listed(account("a"), account("b"), account("c", "80200112344563"))

    assert len({each.provider_account_id for each in found}) == 3
    assert [each.persistent_id is None for each in found] == [True, True, False]


def test_an_account_without_a_number_is_named_by_the_banks_id_and_one_listed_twice_is_one() -> None:
    found = listed(account("a", None), account("a", None), account("b", None))

    assert [each.resource_id for each in found] == ["a", "b"]
    assert found[0].mask is None
    assert found[0].provider_account_id not in ("a", found[1].provider_account_id)


@pytest.mark.parametrize("status", ["Deleted", "Pending", "ProForma"])
def test_accounts_that_are_not_there_are_left_out(status: str) -> None:
    assert listed(account(Status=status)) == []
    assert len(listed(account(Status="Disabled"))) == 1


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ({"AccountTypeCode": "CACC"}, ("checking", "checking")),
        ({"AccountTypeCode": "SVGS"}, ("savings", "savings")),
        ({"AccountTypeCode": "CARD"}, ("credit", "credit card")),
        ({"AccountTypeCode": "LOAN"}, ("loan", "loan")),
        ({"AccountTypeCode": "MORT"}, ("loan", "mortgage")),
        ({"AccountTypeCode": "TRAS"}, ("investment", "brokerage")),
        ({"AccountTypeCode": None, "AccountSubType": "CurrentAccount"}, ("checking", "checking")),
        ({"AccountTypeCode": None, "AccountSubType": "ChargeCard"}, ("credit", "charge card")),
        ({"AccountTypeCode": "VACC"}, ("checking", "other")),
        ({"AccountTypeCode": None}, ("checking", "other")),
    ],
)
def test_kinds_in_both_versions_words(said: Mapping[str, Any], kind: tuple[str, str]) -> None:
    found = listed(account(**said))[0]

    assert (found.account_type, found.account_subtype) == kind


def test_an_account_is_called_what_its_owner_calls_it_and_never_by_its_owner() -> None:
    assert listed(account(Nickname="Bills", Description="Classic Account"))[0].name == "Bills"
    assert listed(account(Description="Classic Account"))[0].name == "Classic Account"
    assert listed(account())[0].name == "Current account"
    assert "Jane" not in repr(listed(account()))


@pytest.mark.parametrize(
    "row",
    [
        {},
        [],
        None,
        {"AccountId": ""},
        {"AccountId": 22289},
        account(Currency="POUND"),
        account(Account={}),
        account(Account=[{}]),
        account(Account=[{"SchemeName": "UK.OBIE.IBAN"}]),
        account(Nickname=["x"]),
    ],
)
def test_an_account_that_cannot_be_meant_is_garbled(row: Any) -> None:
    with pytest.raises(ProviderGarbled):
        listed(row)


# Balances


def balance(
    kind: str, amount: str, sign: str = "Credit", at: str = "2026-07-20T08:00:00+01:00", currency: str = "GBP", **more: Any
) -> dict[str, Any]:
    money = {"Amount": amount, "Currency": currency}
    return {"AccountId": "a", "CreditDebitIndicator": sign, "Type": kind, "DateTime": at, "Amount": money, **more}


def line(amount: str, *, included: bool, kind: str | None = "Pre-Agreed") -> dict[str, Any]:
    said: dict[str, Any] = {"Included": included, "Amount": {"Amount": amount, "Currency": "GBP"}}
    return said if kind is None else {**said, "Type": kind}


def read(*rows: Mapping[str, Any], currency: str | None = "GBP") -> Balances:
    return read_balances(rows, "a", currency, TODAY)


@pytest.mark.parametrize(
    ("rows", "current", "available"),
    [
        ([balance("ITBD", "10.00"), balance("CLBD", "20.00"), balance("ITAV", "5.00")], "10.00", "5.00"),
        ([balance("CLBD", "20.00"), balance("CLAV", "7.00")], "20.00", "7.00"),
        ([balance("InterimBooked", "10.00"), balance("InterimAvailable", "5.00")], "10.00", "5.00"),
        ([balance("ITBD", "10.00", "Debit")], "-10.00", None),
        ([balance("ITBD", "0.00", "Debit")], "0.00", None),
        ([balance("ITAV", "5.00")], "5.00", "5.00"),
        ([balance("ITAV", "505.00", CreditLine=[line("500.00", included=True)])], "5.00", "505.00"),
        ([balance("ITBD", "505.00", CreditLine=[line("500.00", included=True)])], "5.00", None),
        ([balance("ITBD", "5.00", CreditLine=[line("500.00", included=False)])], "5.00", None),
        (
            [balance("ITBD", "150.00", "Debit"), balance("ITAV", "850.00", CreditLine=[line("1000.00", included=True, kind="Credit")])],
            "-150.00",
            "850.00",
        ),
        (
            [
                balance(
                    "ITAV",
                    "850.00",
                    CreditLine=[line("1000.00", included=True, kind="Credit"), line("850.00", included=True, kind="Available")],
                )
            ],
            "-150.00",
            "850.00",
        ),
        (
            [
                balance("ITBD", "1.00", at="2026-07-19T08:00:00Z"),
                balance("ITBD", "2.00"),
                balance("ITBD", "3.00", at="2026-07-18T08:00:00Z"),
            ],
            "2.00",
            None,
        ),
        ([balance("ITBD", "9.00", currency="EUR"), balance("ITBD", "2.00")], "2.00", None),
        ([], None, None),
    ],
)
def test_which_balance_is_which(rows: Sequence[Mapping[str, Any]], current: str | None, available: str | None) -> None:
    found = read(*rows)

    assert found.current == (None if current is None else Decimal(current))
    assert found.available == (None if available is None else Decimal(available))


def test_the_limit_is_what_was_agreed_and_not_what_is_left_of_it() -> None:
    rows = [balance("ITBD", "1.00", CreditLine=[line("100.00", included=False, kind="Available"), line("500.00", included=False)])]

    assert read(*rows).credit_limit == Decimal("500.00")
    assert read(balance("ITBD", "1.00", CreditLine=[line("50.00", included=False, kind="Temporary")])).credit_limit == Decimal("50.00")
    assert read(balance("ITBD", "1.00", CreditLine=[line("70.00", included=False, kind=None)])).credit_limit == Decimal("70.00")
    assert read(balance("ITBD", "1.00")).credit_limit is None


def test_the_day_of_a_balance_is_the_one_that_was_written() -> None:
    assert read(balance("ITBD", "1.00", at="2026-07-20T00:30:00+01:00")).on == date(2026, 7, 20)


def test_the_currency_of_an_account_that_does_not_say_is_its_balances() -> None:
    assert read(balance("ITBD", "1.00", currency="EUR"), currency=None).currency == "EUR"


@pytest.mark.parametrize(
    "row",
    [
        balance("ITBD", "-1.00"),
        balance("ITBD", "1.00", "Sideways"),
        balance("ITBD", "1.00", at="1800-01-01T00:00:00Z"),
        balance("ITBD", "NaN"),
        {**balance("ITBD", "1.00"), "AccountId": "b"},
        {**balance("ITBD", "1.00"), "Type": ["ITBD"]},
        balance("ITBD", "1.00", CreditLine=[{"Included": "yes"}]),
        balance("ITBD", "1.00", CreditLine={}),
    ],
)
def test_a_balance_that_cannot_be_meant_is_garbled(row: Mapping[str, Any]) -> None:
    with pytest.raises(ProviderGarbled):
        read(row)


# Days


@pytest.mark.parametrize(
    ("written", "day"),
    [
        ("2026-07-20T00:30:00+01:00", date(2026, 7, 20)),
        ("2026-07-19T23:30:00Z", date(2026, 7, 19)),
        ("2026-07-20T23:59:59.999+00:00", date(2026, 7, 20)),
        ("2026-07-20T12:00:00", date(2026, 7, 20)),
        ("2026-07-20", date(2026, 7, 20)),
    ],
)
def test_a_day_is_the_one_that_was_written(written: str, day: date) -> None:
    assert written_day(written, "x", TODAY) == day


def test_what_is_asked_for_begins_a_day_before_what_counts() -> None:
    assert Asked(date(2026, 7, 6)).from_booking_date_time == "2026-07-05T00:00:00Z"
    assert Asked(None).from_booking_date_time is None


@pytest.mark.parametrize(
    ("start", "days", "first_available", "window"),
    [
        (date(2026, 7, 6), [date(2026, 7, 8)], None, (date(2026, 7, 6), date(2026, 7, 21))),
        (date(2026, 7, 6), [], None, (date(2026, 7, 6), date(2026, 7, 21))),
        (date(2026, 7, 6), [date(2026, 7, 22)], None, (date(2026, 7, 6), date(2026, 7, 23))),
        (date(2026, 7, 6), [], date(2026, 7, 10), (date(2026, 7, 11), date(2026, 7, 21))),
        (date(2026, 7, 6), [], date(2026, 7, 1), (date(2026, 7, 6), date(2026, 7, 21))),
        (date(2026, 7, 6), [], date(2026, 7, 20), None),
        (date(2026, 1, 1), [date(2026, 4, 25), date(2026, 7, 1)], None, (date(2026, 4, 26), date(2026, 7, 21))),
        (date(2026, 1, 1), [], None, (date(2026, 7, 20), date(2026, 7, 21))),
        (None, [date(2026, 4, 25), date(2026, 7, 1)], None, (date(2026, 4, 26), date(2026, 7, 21))),
        (None, [], None, (date(2026, 7, 20), date(2026, 7, 21))),
        (None, [date(2026, 7, 10)], date(2026, 6, 1), (date(2026, 6, 2), date(2026, 7, 21))),
        (None, [date(2026, 7, 20)], None, None),
    ],
)
def test_the_window_holds_whole_days_that_the_bank_told_of(
    start: date | None, days: list[date], first_available: date | None, window: tuple[date, date] | None
) -> None:
    assert Asked(start).window(days, first_available, TODAY) == window


def test_a_cursor_says_when_and_of_which_accounts() -> None:
    text = Cursor.after(TODAY, ["an-account", "another"])
    cursor = Cursor.read(text)

    assert cursor is not None
    assert cursor.asked("an-account") == Asked(TODAY - timedelta(days=14))
    assert cursor.asked("a-new-one") == Asked(None)
    assert "an-account" not in text


# Ids


@dataclass(frozen=True)
class Movement:
    """What a bank booked. `minute`: when, London's time."""

    day: int
    minute: int
    amount: str
    words: str
    is_pending: bool = False
    id: str | None = None

    def row(self) -> dict[str, Any]:
        on = TODAY - timedelta(days=40 - self.day)
        said = {
            "AccountId": "a",
            "CreditDebitIndicator": "Debit",
            "Status": "PDNG" if self.is_pending else "BOOK",
            "BookingDateTime": f"{on}T{self.minute // 60:02}:{self.minute % 60:02}:00+01:00",
            "Amount": {"Amount": self.amount, "Currency": "GBP"},
            "TransactionInformation": self.words,
        }
        return said if self.id is None else {**said, "TransactionId": self.id}


# Few days, amounts and words, so that equal movements are frequent.
MOVEMENTS = st.builds(
    Movement,
    day=st.integers(0, 40),
    minute=st.integers(0, 1439),
    amount=st.sampled_from(["3.50", "3.5", "20.00"]),
    words=st.sampled_from(["Coffee", "COFFEE", "Bakery"]),
)
LEDGER = st.lists(MOVEMENTS, max_size=60)


def ids(movements: Sequence[Movement], start: date | None = None) -> list[str | None]:
    told = Reader("a", TODAY).read([each.row() for each in movements], start)
    return [each.provider_transaction_id for each in told.transactions]


def as_asked(movements: Sequence[Movement], asked: Asked) -> list[Movement]:
    """What a bank answers that compares instants: a booking in the first hour of a summer's day is the day before, in UTC."""
    if asked.start is None:
        return list(movements)
    return [each for each in movements if (40 - each.day) * 1440 - each.minute + 60 <= ((TODAY - asked.start).days + 1) * 1440]


@settings(deadline=None)
@given(LEDGER, st.integers(0, 40), st.randoms(use_true_random=False))
def test_made_up_ids_are_the_same_in_every_window_and_order(ledger: list[Movement], days: int, chance: random.Random) -> None:
    asked = Asked(TODAY - timedelta(days=days))
    whole, window = ids(ledger), ids(chance.sample(overlapped := as_asked(ledger, asked), len(overlapped)), asked.start)
    counted = [each for each in ledger if TODAY - timedelta(days=40 - each.day) >= (asked.start or TODAY)]

    assert len(set(whole)) == len(ledger)
    assert set(window) <= set(whole)
    assert len(window) == len(counted)


@settings(deadline=None)
@given(LEDGER, st.integers(0, 39), st.integers(0, 14))
def test_fetches_whose_windows_overlap_give_all_of_a_ledger_and_nothing_twice(ledger: list[Movement], until: int, overlap: int) -> None:
    first = [each for each in ledger if each.day <= until]
    asked = Asked(TODAY - timedelta(days=40 - until + overlap))

    assert set(ids(first)) | set(ids(as_asked(ledger, asked), asked.start)) == set(ids(ledger))


def test_what_was_pending_keeps_its_made_up_id_when_it_has_posted() -> None:
    coffee = Movement(30, 600, "3.50", "Coffee", is_pending=True)

    assert ids([coffee]) == ids([replace(coffee, is_pending=False)])


def test_of_equal_movements_the_posted_one_comes_first_in_whatever_order_they_are_listed() -> None:
    posted, pending = Movement(30, 600, "3.50", "Coffee"), Movement(30, 610, "3.50", "Coffee", is_pending=True)

    one = Reader("a", TODAY).read([posted.row(), pending.row()], None).transactions
    other = Reader("a", TODAY).read([pending.row(), posted.row()], None).transactions

    assert {each.provider_transaction_id: each.status for each in one} == {each.provider_transaction_id: each.status for each in other}
    assert next(each for each in one if each.status == "posted").provider_transaction_id == ids([posted])[0]


def test_a_row_that_is_listed_twice_under_one_id_is_one_and_posted_counts() -> None:
    row = Movement(30, 600, "3.50", "Coffee", id="T-000001")

    assert ids([row, row]) == ["T-000001"]
    both = Reader("a", TODAY).read([row.row(), replace(row, is_pending=True).row()], None).transactions
    assert [each.status for each in both] == ["posted"]
    with pytest.raises(IdTwice):
        ids([row, replace(row, amount="4.00")])


@pytest.mark.parametrize("none", ["0", "NONREF", "None", "n/a", "000000"])
def test_an_id_that_says_none_is_none(none: str) -> None:
    row = Movement(30, 600, "3.50", "Coffee")

    assert ids([replace(row, id=none)]) == ids([row])


def test_a_whole_transaction_as_4_0_has_it() -> None:
    row = {
        **Movement(30, 600, "1209.06", "AMAZON 123", id="T-000001").row(),
        "CreditDebitIndicator": "Credit",
        "ValueDateTime": "2026-07-12T00:00:00+01:00",
        "TransactionReference": "FP-77",
        "AddressLine": "1 High Street, London",
        "ChargeAmount": {"Amount": "1.50", "Currency": "GBP"},
        "BankTransactionCode": {"Code": "ReceivedCreditTransfer", "SubCode": "DomesticCreditTransfer"},
        "CurrencyExchange": {
            "SourceCurrency": "USD",
            "ExchangeRate": Decimal("1.2517"),
            "InstructedAmount": {"Amount": "1513.38", "Currency": "USD"},
        },
        "DebtorAccount": {"SchemeName": "UK.OBIE.IBAN", "Identification": "GB33BUKB20201555555555", "Name": "A. Payer"},
        "CategoryPurposeCode": "SALA",
    }
    found = Reader("a", TODAY).read([row], None).transactions[0]

    assert (found.amount, found.currency, found.direction) == (Decimal("1209.06"), "GBP", "credit")
    assert (found.transaction_date, found.posted_date, found.status) == (date(2026, 7, 10), date(2026, 7, 10), "posted")
    assert (found.merchant_name, found.description, found.category_detailed) == ("A. Payer", "AMAZON 123", "INCOME_WAGES")
    assert found.location == {"address": "1 High Street, London"}
    assert found.payment_meta == {
        "reference": "FP-77",
        "type": "ReceivedCreditTransfer/DomesticCreditTransfer",
        "value_date": "2026-07-12",
        "charge": "1.50 GBP",
        "original_currency": "USD",
        "original_amount": "1513.38",
        "currency_rate": "1.2517",
    }
    assert "GB33" not in repr(found)


@pytest.mark.parametrize("rate", [True, "x", "-1", None, Decimal("1E+40"), [], Decimal("1E-30")])
def test_a_rate_that_is_none_is_garbled_or_left_out(rate: Any) -> None:
    row = {**Movement(30, 600, "1.00", "X").row(), "CurrencyExchange": {"SourceCurrency": "USD", "ExchangeRate": rate}}

    if rate is None:
        assert Reader("a", TODAY).read([row], None).transactions[0].payment_meta == {"original_currency": "USD"}
    else:
        with pytest.raises(ProviderGarbled):
            Reader("a", TODAY).read([row], None)


@pytest.mark.parametrize(
    ("row", "direction", "category"),
    [
        ({"MerchantDetails": {"MerchantCategoryCode": "5411"}}, "debit", "FOOD_AND_DRINK_GROCERIES"),
        ({"MerchantDetails": {"MerchantCategoryCode": "3001"}}, "debit", "TRAVEL_FLIGHTS"),
        ({"MerchantDetails": {"MerchantCategoryCode": "0742"}}, "debit", None),
        ({"MerchantDetails": {"MerchantCategoryCode": "ABCD"}}, "debit", None),
        ({"MerchantDetails": {}}, "debit", None),
        ({"CategoryPurposeCode": "INTE"}, "credit", "INCOME_INTEREST_EARNED"),
        ({"CategoryPurposeCode": "INTE"}, "debit", "BANK_FEES_INTEREST_CHARGE"),
        ({"CategoryPurposeCode": "SALA"}, "debit", None),
        ({}, "credit", None),
    ],
)
def test_codes_that_say_the_category(row: Mapping[str, Any], direction: str, category: str | None) -> None:
    assert category_of(row, "x", direction) == category
