"""What Plaid says, in our words: exactly, and nothing that must not be kept."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from db.transaction.reference.categories import CATEGORIES
from domains.bank.providers import strict_json
from domains.bank.providers.errors import (
    ProviderError,
    ProviderGarbled,
    ProviderRefused,
    ProviderUnavailable,
    ReauthenticationRequired,
)
from domains.bank.providers.plaid.accounts import read_accounts
from domains.bank.providers.plaid.categories import CONFIDENCE, DETAILS, PRIMARIES, VERSION_2, category_of
from domains.bank.providers.plaid.errors import error_of
from domains.bank.providers.plaid.mapping import read_removed, read_transaction
from domains.bank.providers.plaid.sync import Changes
from domains.bank.providers.protocol import StatementAccount, StatementTransaction
from domains.transaction.categorisation import PRIMARIES as OUR_PRIMARIES

TODAY = date(2026, 11, 22)


def transaction(**changed: Any) -> StatementTransaction:
    account_id, row = read_transaction(said(**changed), "added[0]", TODAY)
    assert account_id == "acc-1"
    assert row is not None
    return row


def said(**changed: Any) -> dict[str, Any]:
    usual = {
        "account_id": "acc-1", "transaction_id": "t-1", "amount": Decimal("72.10"),
        "iso_currency_code": "USD", "unofficial_currency_code": None,
        "date": "2026-11-20", "authorized_date": "2026-11-18", "name": "PURCHASE WM SUPERCENTER #1700", "merchant_name": "Walmart",
        "pending": False, "pending_transaction_id": None, "personal_finance_category": None, "payment_meta": {}, "location": {},
    }  # fmt: skip
    return {**usual, **changed}


def account(**changed: Any) -> StatementAccount | None:
    balances = {
        "available": Decimal("100"),
        "current": Decimal("110.5"),
        "limit": None,
        "iso_currency_code": "USD",
        "unofficial_currency_code": None,
    }
    usual = {
        "account_id": "acc-1", "balances": {**balances, **changed.pop("balances", {})}, "mask": "0000", "name": "Checking",
        "official_name": "Gold Standard Checking", "type": "depository", "subtype": "checking",
    }  # fmt: skip
    found = read_accounts([{**usual, **changed}], "accounts", TODAY)
    return found[0] if found else None


@pytest.mark.parametrize(
    ("text", "amount", "direction"),
    [
        ("72.1", "72.1", "debit"), ("-72.1", "72.1", "credit"), ("0", "0", "debit"), ("0.0001", "0.0001", "debit"), ("1e2", "100", "debit"),
        ("123456789012345.6789", "123456789012345.6789", "debit"), ("28.340000000000003", "28.34", "debit"),
    ],
)  # fmt: skip
def test_amounts_are_exactly_what_the_text_says_and_money_out_is_positive(text: str, amount: str, direction: str) -> None:
    row = transaction(amount=strict_json.parse(f'{{"amount": {text}}}'.encode())["amount"])

    assert (row.amount, row.direction) == (Decimal(amount), direction)


@pytest.mark.parametrize("text", ["1.23456", "12345678901234567", "true", '"x"', "null", "[1]"])
def test_an_amount_that_cannot_be_kept_exactly_is_not_kept(text: str) -> None:
    with pytest.raises(ProviderGarbled) as caught:
        transaction(amount=strict_json.parse(f'{{"amount": {text}}}'.encode())["amount"])

    assert caught.value.detail == "ADDED_0__AMOUNT"


def test_a_posted_row_has_both_its_days_and_a_pending_one_is_not_posted() -> None:
    posted, pending = transaction(pending_transaction_id="t-0"), transaction(pending=True)

    assert (posted.transaction_date, posted.authorized_date, posted.posted_date) == (
        date(2026, 11, 20),
        date(2026, 11, 18),
        date(2026, 11, 20),
    )
    assert (posted.status, posted.pending_transaction_id) == ("posted", "t-0")
    assert (pending.status, pending.posted_date, pending.pending_transaction_id) == ("pending", None, None)


@pytest.mark.parametrize(
    ("words", "description", "original"),
    [
        ({"original_description": "POS 4411 WM"}, "PURCHASE WM SUPERCENTER #1700", "POS 4411 WM"),
        ({}, "PURCHASE WM SUPERCENTER #1700", "PURCHASE WM SUPERCENTER #1700"),
        ({"name": None}, "Walmart", "Walmart"),
        ({"name": "  two\u0000\n lines\u202e "}, "two lines", "two lines"),
        ({"name": "x" * 10_000}, "x" * 1_000, "x" * 1_000),
        ({"name": None, "merchant_name": None}, "", ""),
    ],
)
def test_the_banks_words_are_kept_readable(words: dict[str, Any], description: str, original: str) -> None:
    row = transaction(**words)

    assert (row.description, row.original_description) == (description, original)


@pytest.mark.parametrize(
    "wrong",
    [{"date": "1800-01-01"}, {"date": "2026-02-30"}, {"date": None}, {"transaction_id": ""}, {"account_id": 5},
     {"pending": "no"}, {"name": 5}, {"authorized_date": "yesterday"}, {"transaction_id": "t" * 256}],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused_and_only_its_name_is_told(wrong: dict[str, Any]) -> None:
    with pytest.raises(ProviderGarbled) as caught:
        read_transaction(said(**wrong), "added[0]", TODAY)

    assert caught.value.detail == f"ADDED_0__{next(iter(wrong)).upper()}"


def test_an_unofficial_currency_counts_and_one_that_is_no_currency_leaves_the_row_out() -> None:
    assert transaction(iso_currency_code=None, unofficial_currency_code="BTC").currency == "BTC"
    assert read_transaction(said(iso_currency_code=None, unofficial_currency_code="USDT"), "added[0]", TODAY) == ("acc-1", None)
    assert account(balances={"iso_currency_code": None, "unofficial_currency_code": "POINTS"}) is None


def test_where_it_was_made_is_kept_as_far_as_it_can_be() -> None:
    row = transaction(
        logo_url="https://logos.example/w.png",
        location={
            "address": "13425 Community Rd", "city": "Poway", "region": "CA", "postal_code": "92064", "country": "US",
            "lat": Decimal("32.9590680000001"), "lon": Decimal("-117.037666"), "store_number": "1700",
        },
    )  # fmt: skip

    assert row.merchant_logo_url == "https://logos.example/w.png"
    assert row.location == {
        "address": "13425 Community Rd", "city": "Poway", "region": "CA", "postal_code": "92064", "country": "US",
        "lat": "32.959068", "lon": "-117.037666",
    }  # fmt: skip
    assert transaction(logo_url="javascript:alert(1)").merchant_logo_url is None
    assert transaction(location={"country": "United States", "lat": 91, "lon": True}).location == {}
    assert transaction(location=None).location == {}


def test_payment_facts_are_kept_and_account_numbers_are_not() -> None:
    meta = {
        "reference_number": "20261122004711", "payment_method": "ACH", "payment_processor": "Zelle", "payee": "Jo Smith",
        "payer": "Acct 12345678",
        "by_order_of": "DE89 3704 0044 0532 0130 00", "reason": "Rent 11/2026 to 12-3456-7890", "ppd_id": "9876543210",
    }  # fmt: skip

    row = transaction(payment_meta=meta, check_number="319", payment_channel="other", account_owner="Jo", transaction_code="standing order")

    assert row.payment_meta == {
        "reference": "20261122004711", "type": "standing order", "processor": "Zelle", "payee": "Jo Smith",
        "check_number": "319", "channel": "other",
    }  # fmt: skip
    assert transaction(payment_meta={"payment_method": "ACH", "reference_number": "GB33BUKB20201555555555"}).payment_meta == {"type": "ACH"}


def test_a_removal_names_the_row_and_the_account_where_that_is_told() -> None:
    assert read_removed({"transaction_id": "t-1", "account_id": "acc-1"}, "removed[0]") == ("acc-1", "t-1")
    assert read_removed({"transaction_id": "t-1"}, "removed[0]") == (None, "t-1")


# Accounts


def test_an_account_is_what_plaid_says_of_it() -> None:
    assert account(persistent_account_id="p-1") == StatementAccount(
        provider_account_id="acc-1",
        name="Checking",
        official_name="Gold Standard Checking",
        mask="0000",
        account_type="checking",
        account_subtype="checking",
        currency="USD",
        current_balance=Decimal("110.5"),
        available_balance=Decimal("100"),
        balance_on=TODAY,
        persistent_id="p-1",
    )


@pytest.mark.parametrize(
    ("type", "subtype", "ours", "sign"),
    [
        ("depository", "checking", "checking", 1), ("depository", "savings", "savings", 1), ("depository", "money market", "savings", 1),
        ("depository", "paypal", "checking", 1), ("credit", "credit card", "credit", -1), ("loan", "mortgage", "loan", -1),
        ("loan", "student", "loan", -1), ("investment", "401k", "investment", 1), ("brokerage", "brokerage", "investment", 1),
        ("other", None, "checking", 1), ("payroll", "payroll", "checking", 1),
    ],
)  # fmt: skip
def test_what_is_owed_is_negative(type: str, subtype: str | None, ours: str, sign: int) -> None:
    found = account(type=type, subtype=subtype)

    assert found is not None
    assert (found.account_type, found.current_balance, found.available_balance) == (ours, sign * Decimal("110.5"), Decimal("100"))


def test_a_cards_limit_is_one_and_what_it_owes_its_owner_is_positive() -> None:
    found = account(type="credit", subtype="credit card", balances={"current": Decimal("-12.34"), "limit": 2000, "available": None})

    assert found is not None
    assert (found.current_balance, found.available_balance, found.credit_limit) == (Decimal("12.34"), None, Decimal(2000))


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"name": None}, ("Gold Standard Checking", "0000", "2026-11-22", "110.5")),
        ({"name": None, "official_name": None}, ("Account", "0000", "2026-11-22", "110.5")),
        ({"mask": "X123456"}, ("Checking", "3456", "2026-11-22", "110.5")),
        ({"balances": {"last_updated_datetime": "2026-11-19T23:30:00Z"}}, ("Checking", "0000", "2026-11-19", "110.5")),
        ({"balances": {"current": Decimal("23631.98055")}}, ("Checking", "0000", "2026-11-22", "23631.9806")),
    ],
)
def test_an_account_is_named_and_dated_as_well_as_can_be(changed: dict[str, Any], expected: tuple[str, str, str, str]) -> None:
    found = account(**changed)

    assert found is not None
    assert (found.name, found.mask, str(found.balance_on), str(found.current_balance)) == expected


@pytest.mark.parametrize(
    "wrong",
    [
        {"account_id": None},
        {"balances": {"current": "much"}},
        {"balances": {"current": Decimal("NaN")}},
        {"balances": {"available": 10**16}},
    ],
)
def test_an_account_that_cannot_be_meant_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ProviderGarbled):
        account(**wrong)


# Pages


def page(**changed: Any) -> dict[str, Any]:
    return {"added": [], "modified": [], "removed": [], "accounts": [], **changed}


def test_of_rows_with_one_id_the_last_counts_and_a_removal_after_the_rows_of_its_page() -> None:
    changes = Changes()
    gone = [{"transaction_id": "t-2", "account_id": "acc-1"}]

    changes.take(page(added=[said(amount=1), said(amount=2)], modified=[said(amount=3)]), TODAY)
    changes.take(page(added=[said(transaction_id="t-2")], removed=gone), TODAY)
    changes.take(page(removed=[{"transaction_id": "t-3"}]), TODAY)
    changes.take(page(added=[said(transaction_id="t-3")]), TODAY)

    assert {id: row.amount for id, (_, row) in changes.rows.items()} == {"t-1": Decimal(3), "t-3": Decimal("72.10")}
    assert changes.removed == {"t-2": "acc-1"}


# Categories


def test_every_category_is_one_of_ours_and_ours_are_all_there() -> None:
    ours = {row.id: row.parent_id for row in CATEGORIES}

    assert set(PRIMARIES) == {id for id, parent in ours.items() if parent is None} == set(OUR_PRIMARIES)
    assert set(DETAILS) == {id for id, parent in ours.items() if parent is not None}
    assert set(VERSION_2.values()) <= set(DETAILS)
    assert not set(VERSION_2) & set(DETAILS)


@pytest.mark.parametrize(
    ("primary", "detailed", "ours"),
    [
        ("GENERAL_MERCHANDISE", "GENERAL_MERCHANDISE_SUPERSTORES", "GENERAL_MERCHANDISE_SUPERSTORES"),
        ("GENERAL_MERCHANDISE", "GENERAL_MERCHANDISE_NOVELTY", "GENERAL_MERCHANDISE"),
        ("INCOME", "INCOME_SALARY", "INCOME_WAGES"),
        ("LOAN_DISBURSEMENTS", "LOAN_DISBURSEMENTS_EWA", "TRANSFER_IN_CASH_ADVANCES_AND_LOANS"),
        ("LOAN_PAYMENTS", "LOAN_PAYMENTS_BNPL", "LOAN_PAYMENTS_OTHER_PAYMENT"),
        ("OTHER", "OTHER_OTHER", None),
        ("NOVELTY", "NOVELTY_OF_2030", None),
        (None, None, None),
        (5, ["x"], None),
    ],
)
def test_an_unknown_detail_is_its_primary_and_an_unknown_primary_nothing(primary: Any, detailed: Any, ours: str | None) -> None:
    found, confidence = category_of({"primary": primary, "detailed": detailed, "confidence_level": "HIGH"})

    assert (found, confidence) == (ours, None if ours is None else Decimal("0.90"))


@pytest.mark.parametrize(("level", "confidence"), [*CONFIDENCE.items(), (None, None), ("CERTAIN", None), (7, None)])
def test_how_sure_plaid_is(level: Any, confidence: Decimal | None) -> None:
    row = transaction(personal_finance_category={"primary": "TRAVEL", "detailed": "TRAVEL_FLIGHTS", "confidence_level": level})

    assert (row.category_detailed, row.category_confidence) == ("TRAVEL_FLIGHTS", confidence)


# Errors


@pytest.mark.parametrize(
    ("type", "code", "meaning"),
    [
        ("ITEM_ERROR", "ITEM_LOGIN_REQUIRED", ReauthenticationRequired),
        ("ITEM_ERROR", "USER_PERMISSION_REVOKED", ReauthenticationRequired),
        ("ITEM_ERROR", "PENDING_EXPIRATION", ReauthenticationRequired), ("ITEM_ERROR", "ITEM_NOT_FOUND", ReauthenticationRequired),
        ("ITEM_ERROR", "NO_ACCOUNTS", ReauthenticationRequired), ("ITEM_ERROR", "OF_TOMORROW", ReauthenticationRequired),
        ("INVALID_INPUT", "INVALID_ACCESS_TOKEN", ReauthenticationRequired), ("ITEM_ERROR", "PRODUCT_NOT_READY", ProviderUnavailable),
        ("RATE_LIMIT_EXCEEDED", "TRANSACTIONS_LIMIT", ProviderUnavailable), ("INSTITUTION_ERROR", "INSTITUTION_DOWN", ProviderUnavailable),
        ("API_ERROR", "INTERNAL_SERVER_ERROR", ProviderUnavailable), ("API_ERROR", "PLANNED_MAINTENANCE", ProviderUnavailable),
        ("INVALID_INPUT", "INVALID_API_KEYS", ProviderRefused), ("INVALID_REQUEST", "MISSING_FIELDS", ProviderRefused),
        ("INSTITUTION_ERROR", "INSTITUTION_NO_LONGER_SUPPORTED", ProviderRefused),
        ("ITEM_ERROR", "PRODUCTS_NOT_SUPPORTED", ProviderRefused),
        ("OF_TOMORROW", "WHO_KNOWS", ProviderRefused),
    ],
)  # fmt: skip
def test_what_an_error_means(type: str, code: str, meaning: type[ProviderError]) -> None:
    found = error_of({"error_type": type, "error_code": code, "error_message": "somebody's data", "display_message": None})

    assert (found.__class__, found.detail) == (meaning, code)
    assert "somebody" not in f"{found} {found!r}"


@pytest.mark.parametrize("body", [None, [], "sorry", {}, {"error_code": None}, {"error_code": ""}, {"error_code": 5}])
def test_an_error_that_is_none_of_plaids_is_garbled(body: object) -> None:
    assert error_of(body).__class__ is ProviderGarbled
