"""What Tink writes is read exactly, or refused by its place and never by its content."""

import copy
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.simulators.tink import shapes
from domains.bank.providers.errors import ProviderGarbled
from domains.bank.providers.tink.values import SCALE_AT_MOST, read_account, read_exact, read_money, read_row

TODAY = date(2026, 11, 20)
SECRET = b"names accounts"
#: From Tink's documentation of its API, with the values that say what kind they are replaced.
TRANSACTION: dict[str, Any] = {
    "accountId": "4a2945d1481c4f4b98ab1b135afd96c0",
    "amount": {"currencyCode": "GBP", "value": {"scale": "1", "unscaledValue": "-1300"}},
    "categories": {"pfm": {"id": "d8f37f7d19c240abb4ef5d5dbebae4ef", "name": ""}},
    "counterparties": {"payee": {"identifiers": {"financialInstitution": {"accountNumber": "SE6651152689155983335132"}}, "name": "J"}},
    "dates": {"booked": "2020-12-15", "transaction": "2020-12-14", "value": "2020-12-15"},
    "descriptions": {"detailed": {"unstructured": "PAYMENT 123/987"}, "display": "Tesco", "original": "TESCO STORES 3297"},
    "id": "d8f37f7d19c240abb4ef5d5dbebae4ef",
    "identifiers": {"providerTransactionId": "500015d3-acf3-48cc-9918-9e53738d3692"},
    "merchantInformation": {"merchantCategoryCode": "4111", "merchantName": "Local Transit Company"},
    "providerMutability": "MUTABILITY_UNDEFINED",
    "reference": "RF12310007894321",
    "status": "BOOKED",
    "types": {"financialInstitutionTypeCode": "DEB", "type": "PAYMENT"},
}
ACCOUNT: dict[str, Any] = {
    "balances": {"booked": {"amount": {"currencyCode": "EUR", "value": {"scale": "-3", "unscaledValue": "19"}}}},
    "customerSegment": "UNDEFINED_CUSTOMER_SEGMENT",
    "dates": {"lastRefreshed": "2020-12-15T12:16:58Z"},
    "financialInstitutionId": "6e68cc6287704273984567b3300c5822",
    "id": "ee7ddbd178494220bb184791783f4f63",
    "identifiers": {
        "financialInstitution": {"accountNumber": "SE6930000000011273547693"},
        "iban": {"bban": "0000011273547693", "iban": "SE6930000000011273547693"},
        "pan": {"masked": "4000 12** **** 9010"},
    },
    "name": "PERSONKONTO",
    "type": "CHECKING",
}


def changed(document: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy with another value at a dotted path; without it, where the value is `...`."""
    made = copy.deepcopy(document)
    *above, last = path.split(".")
    inner = made
    for name in above:
        inner = inner[name]
    if value is ...:
        inner.pop(last)
    else:
        inner[last] = value
    return made


def test_a_transaction_of_the_documentation_is_read() -> None:
    row = read_row(TRANSACTION, "transactions[0]", TODAY)

    assert row.account_id == "4a2945d1481c4f4b98ab1b135afd96c0"
    assert row.content is not None
    assert row.content.provider_transaction_id == "d8f37f7d19c240abb4ef5d5dbebae4ef"
    assert (row.content.amount, row.content.currency, row.content.direction) == (Decimal("130.0"), "GBP", "debit")
    assert (row.content.transaction_date, row.content.posted_date) == (date(2020, 12, 15), date(2020, 12, 15))
    assert row.content.authorized_date == date(2020, 12, 14)
    assert row.content.description == "Tesco"
    assert row.content.original_description == "TESCO STORES 3297 PAYMENT 123/987"
    assert row.content.merchant_name == "Local Transit Company"
    assert row.content.status == "posted"
    assert row.content.category_detailed is None
    assert row.content.payment_meta == {"type": "payment", "mcc": "4111", "reference": "RF12310007894321"}


def test_an_account_of_the_documentation_is_read_and_its_number_is_not_kept() -> None:
    account = read_account(ACCOUNT, "accounts[0]", SECRET)

    assert account.id == "ee7ddbd178494220bb184791783f4f63"
    assert (account.name, account.kind, account.subtype, account.mask) == ("PERSONKONTO", "checking", "checking", "7693")
    assert (account.booked, account.available, account.currency) == (Decimal(19_000), None, "EUR")
    assert account.refreshed_on == date(2020, 12, 15)
    assert len(account.persistent_id or "") == 64
    assert "11273547693" not in repr(account)


@pytest.mark.parametrize(
    ("type_", "kind", "subtype"),
    [
        ("CHECKING", "checking", "checking"),
        ("SAVINGS", "savings", "savings"),
        ("CREDIT_CARD", "credit", "credit card"),
        ("UNDEFINED", "checking", None),
        (None, "checking", None),
        ("SOMETHING_NEW", "checking", "something new"),
    ],
)
def test_a_type_that_is_new_is_no_reason_to_fail(type_: str | None, kind: str, subtype: str | None) -> None:
    account = read_account(changed(ACCOUNT, "type", type_), "accounts[0]", SECRET)

    assert (account.kind, account.subtype) == (kind, subtype)


@pytest.mark.parametrize(
    ("identifiers", "mask"),
    [
        ({"sortCode": {"code": "040004", "accountNumber": "12345678"}}, "5678"),
        ({"pan": {"masked": "4000 12** **** 9010"}}, "9010"),
        ({"financialInstitution": {"accountNumber": "..1234"}}, "1234"),
        ({"sortCode": {"code": "040004"}}, None),
        ({}, None),
        (None, None),
    ],
)
def test_an_account_is_known_by_whatever_number_it_has(identifiers: object, mask: str | None) -> None:
    account = read_account(changed(ACCOUNT, "identifiers", identifiers), "accounts[0]", SECRET)

    assert account.mask == mask
    assert (account.persistent_id is None) == (mask is None)


def test_what_names_an_account_for_good_is_of_this_installation_and_of_one_currency() -> None:
    names = {
        read_account(ACCOUNT, "a", SECRET).persistent_id,
        read_account(changed(ACCOUNT, "id", "other"), "a", SECRET).persistent_id,
        read_account(ACCOUNT, "a", b"another").persistent_id,
        read_account(changed(ACCOUNT, "balances.booked.amount.currencyCode", "SEK"), "a", SECRET).persistent_id,
    }

    assert len(names) == 3


# Amounts

STORED = st.integers(-(10**18), 10**18)


@given(STORED, st.integers(-3, SCALE_AT_MOST), st.booleans())
def test_an_exact_number_is_exact_or_refused(unscaled: int, scale: int, is_text: bool) -> None:
    expected = Decimal(unscaled) * Decimal(10) ** -scale if scale >= 0 else Decimal(unscaled * 10**-scale)
    value: dict[str, object] = {"unscaledValue": unscaled, "scale": scale}
    if is_text:
        value = {"unscaledValue": str(unscaled), "scale": str(scale)}
    digits_after = scale - (len(str(abs(unscaled))) - len(str(abs(unscaled)).rstrip("0"))) if unscaled else 0

    if abs(expected) < 10**15 and digits_after <= 4:
        assert read_exact(value, "amount") == expected
    elif abs(expected) >= 10**15 or digits_after < 9:
        with pytest.raises(ProviderGarbled):
            read_exact(value, "amount")


@given(STORED.filter(lambda number: number % 10 != 0), st.integers(0, 4), st.integers(0, 9))
def test_zeros_at_the_end_change_nothing(unscaled: int, scale: int, zeros: int) -> None:
    plain = {"unscaledValue": str(unscaled), "scale": str(scale)}
    longer = {"unscaledValue": f"{unscaled}{'0' * zeros}", "scale": str(scale + zeros)}

    if abs(unscaled) < 10 ** (15 + scale):
        assert read_exact(plain, "amount") == read_exact(longer, "amount")


@given(st.decimals(-(10**12), 10**12, places=2), st.integers(0, 2))
def test_what_the_simulator_writes_is_what_it_meant(amount: Decimal, variant: int) -> None:
    assert read_money(shapes.money(amount, "GBP", variant=variant), "amount") == (amount, "GBP")


def test_exact_numbers_of_the_documentation() -> None:
    assert str(read_exact({"unscaledValue": "1230", "scale": "1"}, "amount")) in ("123", "123.0")
    assert str(read_exact({"unscaledValue": "19", "scale": "-3"}, "amount")) == "19000"
    assert str(read_exact({"unscaledValue": 1050, "scale": 2}, "amount")) in ("10.5", "10.50")
    assert read_exact({"unscaledValue": "0", "scale": "20"}, "amount") == 0
    assert read_exact({"unscaledValue": "-0", "scale": "0"}, "amount") == 0


@pytest.mark.parametrize(
    "value",
    [
        {},
        None,
        "1.00",
        [],
        {"unscaledValue": "1"},
        {"scale": "1"},
        {"unscaledValue": "1", "scale": None},
        {"unscaledValue": "NaN", "scale": "0"},
        {"unscaledValue": "Infinity", "scale": "0"},
        {"unscaledValue": "1e3", "scale": "0"},
        {"unscaledValue": "1.5", "scale": "0"},
        {"unscaledValue": "", "scale": "0"},
        {"unscaledValue": "--1", "scale": "0"},
        {"unscaledValue": "1 ", "scale": "0"},
        {"unscaledValue": "١", "scale": "0"},
        {"unscaledValue": "9" * 41, "scale": "40"},
        {"unscaledValue": 10**5_000, "scale": "0"},
        {"unscaledValue": True, "scale": "0"},
        {"unscaledValue": Decimal("1.5"), "scale": "0"},
        {"unscaledValue": "1", "scale": "1000000000"},
        {"unscaledValue": "1", "scale": 10**9},
        {"unscaledValue": "1", "scale": -(10**9)},
        {"unscaledValue": "1", "scale": "21"},
        {"unscaledValue": "1", "scale": "-21"},
        {"unscaledValue": "1", "scale": "2.0"},
        {"unscaledValue": "1", "scale": Decimal(2)},
        {"unscaledValue": "1", "scale": False},
        {"unscaledValue": "1", "scale": "-15"},
        {"unscaledValue": "12345", "scale": "5"},
        {"unscaledValue": "1" + "0" * 15, "scale": "0"},
    ],
)
def test_what_is_no_exact_number_that_can_be_kept_is_refused(value: object) -> None:
    with pytest.raises(ProviderGarbled) as raised:
        read_exact(value, "amount.value")

    assert (raised.value.detail or "").startswith("AMOUNT_VALUE")


@pytest.mark.parametrize("currency", ["", "EURO", "€", "E1R", "eu", None, 978, ["EUR"], "E" * 10_000])
def test_what_is_no_currency_is_refused(currency: object) -> None:
    with pytest.raises(ProviderGarbled, match="CURRENCYCODE"):
        read_money(changed(TRANSACTION["amount"], "currencyCode", currency), "amount")


def test_a_currency_that_no_list_has_is_money_all_the_same() -> None:
    assert read_money(changed(TRANSACTION["amount"], "currencyCode", "xbt"), "amount") == (Decimal(-130), "XBT")


# Rows


@pytest.mark.parametrize("status", ["UNDEFINED", "SOMETHING_NEW"])
def test_what_is_neither_booked_nor_pending_has_moved_nothing(status: str) -> None:
    row = read_row(changed(changed(TRANSACTION, "status", status), "amount", None), "transactions[0]", TODAY)

    assert row.content is None
    assert row.id == "d8f37f7d19c240abb4ef5d5dbebae4ef"


def test_what_is_pending_stands_on_the_day_it_is_expected_and_has_not_posted() -> None:
    row = read_row(changed(changed(TRANSACTION, "status", "PENDING"), "dates.booked", "2026-11-24"), "transactions[0]", TODAY)

    assert row.content is not None
    assert (row.content.status, row.content.transaction_date, row.content.posted_date) == ("pending", date(2026, 11, 24), None)


def test_what_is_pending_on_no_day_waits_for_one_and_what_is_booked_on_none_is_refused() -> None:
    assert read_row(changed(changed(TRANSACTION, "status", "PENDING"), "dates", {}), "transactions[0]", TODAY).content is None
    with pytest.raises(ProviderGarbled, match="TRANSACTIONS_0__DATES_BOOKED"):
        read_row(changed(TRANSACTION, "dates", None), "transactions[0]", TODAY)


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("dates.booked", "1800-01-01", "DATES_BOOKED"),
        ("dates.booked", "2029-01-01", "DATES_BOOKED"),
        ("dates.value", "2026-02-30", "DATES_VALUE"),
        ("dates.transaction", 20_201_214, "DATES_TRANSACTION"),
        ("dates", "2020-12-15", "DATES"),
        ("id", "", "ID"),
        ("id", "x" * 256, "ID"),
        ("id", None, "ID"),
        ("accountId", ..., "ACCOUNTID"),
        ("status", ..., "STATUS"),
        ("status", 7, "STATUS"),
        ("amount", ..., "AMOUNT"),
        ("descriptions", "TESCO", "DESCRIPTIONS"),
        ("descriptions.original", {"a": 1}, "DESCRIPTIONS_ORIGINAL"),
        ("descriptions.detailed", "TESCO", "DESCRIPTIONS"),
        ("merchantInformation", [1], "MERCHANTINFORMATION"),
        ("types", [1], "TYPES"),
        ("reference", 7, "REFERENCE"),
    ],
)
def test_a_row_that_cannot_be_meant_is_refused_by_its_place(path: str, value: object, field: str) -> None:
    with pytest.raises(ProviderGarbled) as raised:
        read_row(changed(TRANSACTION, path, value), "transactions[3]", TODAY)

    assert (raised.value.detail or "").removeprefix("TRANSACTIONS_3__").startswith(field)


def test_a_row_that_is_no_object_is_refused() -> None:
    for value in (None, 7, "row", [TRANSACTION]):
        with pytest.raises(ProviderGarbled, match="TRANSACTIONS_3_"):
            read_row(value, "transactions[3]", TODAY)


def test_words_are_cut_and_cleaned() -> None:
    long = changed(changed(TRANSACTION, "descriptions.display", "Ä\u0000b\u202e" * 5_000), "merchantInformation.merchantName", "M" * 10_000)

    row = read_row(long, "transactions[0]", TODAY)

    assert row.content is not None
    assert len(row.content.description) == 255
    assert "\u202e" not in row.content.description
    assert row.content.merchant_name == "M" * 255


def test_a_bank_without_words_still_moved_money() -> None:
    row = read_row(changed(TRANSACTION, "descriptions", {}), "transactions[0]", TODAY)

    assert row.content is not None
    assert (row.content.description, row.content.original_description) == ("?", "?")


def test_a_transaction_of_nothing_is_no_debit() -> None:
    row = read_row(changed(TRANSACTION, "amount.value.unscaledValue", "0"), "transactions[0]", TODAY)

    assert row.content is not None
    assert (row.content.amount, row.content.direction) == (Decimal(0), "credit")


def test_nothing_of_a_counterpartys_account_is_kept() -> None:
    assert "SE6651152689155983335132" not in repr(read_row(TRANSACTION, "transactions[0]", TODAY))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("id", ...),
        ("name", 7),
        ("type", {"a": 1}),
        ("balances", [1]),
        ("balances.booked", 7),
        ("balances.booked.amount.value.scale", "1000000000"),
        ("dates.lastRefreshed", "yesterday"),
        ("dates.lastRefreshed", "1800-01-01T00:00:00Z"),
        ("identifiers", "SE69"),
        ("identifiers.iban", "SE69"),
        ("financialInstitutionId", 7),
    ],
)
def test_an_account_that_cannot_be_meant_is_refused(path: str, value: object) -> None:
    with pytest.raises(ProviderGarbled, match="ACCOUNTS_0_"):
        read_account(changed(ACCOUNT, path, value), "accounts[0]", SECRET)


def test_an_account_without_balances_or_a_name_is_one() -> None:
    account = read_account(changed(changed(ACCOUNT, "balances", None), "name", ""), "accounts[0]", SECRET)

    assert (account.name, account.currency, account.booked) == ("Account", None, None)
