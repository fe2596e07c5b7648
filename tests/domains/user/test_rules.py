"""Addresses, passwords and settings."""

import unicodedata
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domains.core import currencies
from domains.user.errors import (
    AlertAmountInvalid,
    AlertThresholdsInvalid,
    CurrencyInvalid,
    DashboardLayoutInvalid,
    EmailInvalid,
    FullNameInvalid,
    LocaleInvalid,
    PasswordTooWeak,
    TimeZoneInvalid,
)
from domains.user.rules import (
    LARGEST_THRESHOLD,
    THRESHOLDS_AT_MOST,
    check_alert_amount,
    check_alert_thresholds,
    check_currency,
    check_dashboard_layout,
    check_locale,
    check_password,
    check_timezone,
    clean_full_name,
    find_email,
    normalise_email,
    normalise_password,
)

ROBIN = "robin@example.com"


@pytest.mark.parametrize(
    ("typed", "normalised"),
    [
        ("Demo@Example.COM", "demo@example.com"),
        ("  demo@example.com\n", "demo@example.com"),
        ("robin+tag@mail.example.co.uk", "robin+tag@mail.example.co.uk"),
        ("É@example.com", "é@example.com"),
        ("e\u0301@example.com", "é@example.com"),
        ("ｄｅｍｏ@example.com", "demo@example.com"),
        ("\u212ain@example.com", "kin@example.com"),
        ("sam@Bücher.example", "sam@xn--bcher-kva.example"),
        ("sam@xn--bcher-kva.example", "sam@xn--bcher-kva.example"),
        ("o'neill_1@x.org", "o'neill_1@x.org"),
        ("δοκιμή@παράδειγμα.δοκιμή", "δοκιμή@xn--hxajbheg2az3al.xn--jxalpdlp"),
        (f"{'a' * 64}@x.org", f"{'a' * 64}@x.org"),
    ],
)
def test_spellings_of_one_address_are_equal(typed: str, normalised: str) -> None:
    assert normalise_email(typed) == normalised


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "@",
        "demo",
        "demo@",
        "@example.com",
        "demo@localhost",
        "demo@127.0.0.1",
        "demo@[127.0.0.1]",
        "demo@example.com.",
        "demo@example..com",
        "demo@-example.com",
        "demo@exa_mple.com",
        "demo@example.123",
        "de mo@example.com",
        "demo@example.com, sam@example.com",
        '"demo"@example.com',
        "a@b@example.com",
        ".demo@example.com",
        "demo.@example.com",
        "de..mo@example.com",
        "demo\u200b@example.com",
        "demo\u00ad@example.com",
        "demo\u202e@example.com",
        "dem\x00o@example.com",
        "dem\ud800o@example.com",
        f"{'a' * 65}@x.org",
        f"a@{'b' * 64}.org",
        f"{'a' * 60}@{'.'.join(['b' * 60] * 4)}.org",
        "a" * 10_000 + "@x.org",
    ],
)
def test_what_is_not_an_address_is_refused(typed: str) -> None:
    assert find_email(typed) is None
    with pytest.raises(EmailInvalid) as refused:
        normalise_email(typed)
    assert (refused.value.code, refused.value.field) == ("EMAIL_INVALID", "email")


@pytest.mark.parametrize("typed", ["adm\u0131n@example.com", "adm\u0130n@example.com", "admi\u0307n@example.com"])
def test_an_i_without_its_own_capital_is_nobodys_address(typed: str) -> None:
    assert find_email(typed) is None


@given(st.text(max_size=80), st.sampled_from(["example.com", "Bücher.example", "ＥＸＡＭＰＬＥ．com"]))
def test_a_normalised_address_is_its_own_and_fits(local: str, host: str) -> None:
    found = find_email(f"{local}@{host}")

    if found is not None:
        assert find_email(found) == found
        assert len(found) <= 255
        assert found.count("@") == 1


@given(st.text(max_size=300))
def test_any_text_is_an_address_or_is_not(text: str) -> None:
    found = find_email(text)

    assert found is None or "@" in found


@pytest.mark.parametrize("password", ["florin-demo-2026", "correct horse", "пароль-не-скажу", "a" * 100 + "bcd", "pass\U0001f600word123"])
def test_passwords_that_will_do(password: str) -> None:
    check_password(password, ROBIN)


@pytest.mark.parametrize(
    "password",
    [
        "",
        "short-123",
        "x" * 257,
        "password123",
        "PassWord123",
        "ｐａｓｓｗｏｒｄ１２３",
        "1234567890",
        "aaaaaaaaaaaaaaaa",
        "abababababab",
        "robin@example.com",
        "ROBIN@example.com",
        "lone\ud800surrogate",
    ],
)
def test_passwords_that_everybody_would_try_are_refused(password: str) -> None:
    with pytest.raises(PasswordTooWeak) as refused:
        check_password(password, ROBIN)

    assert (refused.value.code, refused.value.field) == ("PASSWORD_TOO_WEAK", "password")


def test_the_name_before_the_at_is_no_password() -> None:
    with pytest.raises(PasswordTooWeak):
        check_password("Robin.Lindqvist", "robin.lindqvist@example.com")


def test_a_password_is_the_same_from_any_keyboard() -> None:
    typed_on_a_mac = unicodedata.normalize("NFD", "grüße-aus-köln")

    assert normalise_password(typed_on_a_mac) == normalise_password("grüße-aus-köln")
    assert normalise_password("Florin-Demo") == "Florin-Demo"


def test_full_names() -> None:
    assert clean_full_name("  Robin   Demo ") == "Robin Demo"
    assert clean_full_name("Zoe\u0308") == "Zoë"
    assert clean_full_name("کیان\u200cمهر") == "کیان\u200cمهر"
    assert clean_full_name("") is clean_full_name("  ") is clean_full_name(None) is None
    for wrong in ("x" * 256, "nul\x00", "\u202enibor", "lone\ud800"):
        with pytest.raises(FullNameInvalid) as refused:
            clean_full_name(wrong)
        assert (refused.value.code, refused.value.field) == ("FULL_NAME_INVALID", "fullName")


@pytest.mark.parametrize("name", ["UTC", "Europe/Berlin", "America/Argentina/ComodRivadavia", "Asia/Kathmandu"])
def test_time_zones_of_the_database(name: str) -> None:
    assert check_timezone(name) == name


@pytest.mark.parametrize("name", ["", "Mars/Olympus", "europe/berlin", "../../etc/passwd", "localtime", "posix/UTC", "right/UTC", "+02:00"])
def test_other_time_zones_are_refused(name: str) -> None:
    with pytest.raises(TimeZoneInvalid) as refused:
        check_timezone(name)

    assert (refused.value.code, refused.value.field) == ("TIME_ZONE_INVALID", "timezone")


def test_currencies_in_circulation() -> None:
    assert [check_currency(code) for code in ("USD", "JPY", "BHD", "CLF")] == ["USD", "JPY", "BHD", "CLF"]
    for wrong in ("", "usd", "XXX", "DEM", "EURO"):
        with pytest.raises(CurrencyInvalid) as refused:
            check_currency(wrong)
        assert refused.value.field == "currency"


def test_locales_have_the_shape_of_language_tags() -> None:
    assert [check_locale(tag) for tag in ("en", "en-US", "zh-Hans-CN", "es-419", "fil-PH")] == [
        "en",
        "en-US",
        "zh-Hans-CN",
        "es-419",
        "fil-PH",
    ]
    for wrong in ("", "e", "EN-us", "en_US", "en-USA", "zh-Hans-CN-x", "en-US\n"):
        with pytest.raises(LocaleInvalid) as refused:
            check_locale(wrong)
        assert refused.value.field == "locale"


@given(st.lists(st.decimals(min_value=-1, max_value=12, places=2), max_size=13))
def test_thresholds_are_taken_as_they_are_or_refused(shares: list[Decimal]) -> None:
    is_good = (
        len(shares) <= THRESHOLDS_AT_MOST and sorted(set(shares)) == shares and all(0 < share <= LARGEST_THRESHOLD for share in shares)
    )

    if is_good:
        assert check_alert_thresholds(shares) == shares
    else:
        with pytest.raises(AlertThresholdsInvalid):
            check_alert_thresholds(shares)


@given(st.decimals(min_value=-10, max_value=10**15 - 1, places=4), st.sampled_from([*currencies.DIGITS]))
def test_an_amount_to_be_told_from_has_the_digits_of_its_currency(amount: Decimal, currency: str) -> None:
    step = Decimal(1).scaleb(-currencies.digits(currency))

    if amount >= 0 and amount % step == 0:
        assert check_alert_amount(amount, currency) == amount
    else:
        with pytest.raises(AlertAmountInvalid):
            check_alert_amount(amount, currency)


@pytest.mark.parametrize("layout", [[], "x", 1, True, None])
def test_a_layout_is_an_object(layout: object) -> None:
    assert check_dashboard_layout({"a": layout}) == {"a": layout}
    with pytest.raises(DashboardLayoutInvalid):
        check_dashboard_layout(layout)
