"""Exchange rates: what a file may be, and what is known of a day."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domains.transaction import rates
from domains.transaction.rates import EuroRate, RatesRejected, RateTable, read_rates

MAY_1 = date(2026, 5, 1)
DAY = timedelta(days=1)
FILE = "Date,USD,JPY,CYP,\n2026-05-04,1.1712,182.94,N/A,\n2026-04-30,1.1698,N/A,N/A,\n"
TABLE = RateTable([("USD", MAY_1, Decimal("1.25")), ("GBP", MAY_1, Decimal("0.80")), ("USD", MAY_1 + 3 * DAY, Decimal("1.50"))])


def test_a_file_says_how_many_of_each_currency_one_euro_was() -> None:
    assert read_rates(FILE) == [
        EuroRate("USD", date(2026, 5, 4), Decimal("1.1712")),
        EuroRate("JPY", date(2026, 5, 4), Decimal("182.94")),
        EuroRate("USD", date(2026, 4, 30), Decimal("1.1698")),
    ]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("\ufeff" + FILE.replace("\n", "\r\n"), id="with a mark at its beginning and carriage returns"),
        pytest.param(FILE.replace(",\n", "\n"), id="without commas at the ends of lines"),
        pytest.param(FILE.replace(",", ", "), id="with spaces"),
    ],
)
def test_it_may_be_written_otherwise(text: str) -> None:
    assert read_rates(text) == read_rates(FILE)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "Line 1 is not"),
        ("Day,USD\n2026-05-04,1\n", "Line 1 is not"),
        ("Date\n", "Line 1 is not"),
        ("Date,USD,USD\n", "names a currency twice"),
        ("Date,US\n", "'US', which is no currency"),
        ("Date,EUR\n", "'EUR', which is no currency beside the euro"),
        ("Date,USD\n", "no rates"),
        ("Date,USD\n2026-05-04,N/A\n", "no rates"),
        ("Date,USD\n04/05/2026,1\n", "Line 2 does not begin with a day"),
        ("Date,USD\n2026-02-30,1\n", "Line 2 does not begin with a day"),
        ("Date,USD\n\n", "Line 2 does not begin with a day"),
        ("Date,USD\n2026-05-04,1\n2026-05-04,2\n", "Line 3 is about a day"),
        ("Date,USD\n2026-05-04\n", "Line 2 has 0 rates for 1 currencies"),
        ("Date,USD\n2026-05-04,1,2\n", "Line 2 has 2 rates for 1 currencies"),
        *(
            (f"Date,USD\n2026-05-04,{rate}\n", "Line 2 has no rate of USD")
            for rate in ("-1", "0", "0.0", "1e5", "NaN", "n/a", "1.123456789")
        ),
        *((f"Date,USD,JPY\n2026-05-04,1,{rate}\n", "Line 2 has no rate of JPY") for rate in ("", "Infinity", "1 000", "1٣", "1" * 13)),
        ('Date,USD\n2026-05-04,"1\0"\n', "Line 2"),
    ],
)
def test_whatever_is_no_such_file_is_refused_by_its_line(text: str, told: str) -> None:
    with pytest.raises(RatesRejected, match=told):
        read_rates(text)


def test_a_file_has_its_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("DAYS_AT_MOST", 1), ("CURRENCIES_AT_MOST", 2), ("FILE_AT_MOST", 20)):
        with monkeypatch.context() as patched:
            patched.setattr(rates, name, value)
            with pytest.raises(RatesRejected):
                read_rates(FILE)


@given(st.text(max_size=60))
def test_no_text_is_more_than_refused(text: str) -> None:
    for given_text in (text, f"Date,USD\n{text}", f"Date,USD\n2026-05-04,{text}"):
        try:
            assert all(each.per_eur > 0 for each in read_rates(given_text))
        except RatesRejected:
            continue


@pytest.mark.parametrize(
    ("source", "target", "days", "expected"),
    [
        ("EUR", "USD", 0, "1.25"),
        ("USD", "EUR", 0, "0.8"),
        ("GBP", "USD", 0, "1.5625"),
        ("USD", "GBP", 0, "0.64"),
        ("USD", "USD", 0, "1"),
        ("CHF", "CHF", 900, "1"),
        ("EUR", "USD", 2, "1.25"),
        ("EUR", "USD", 3, "1.50"),
        ("EUR", "USD", 10, "1.50"),
        ("EUR", "USD", 11, None),
        ("EUR", "GBP", 7, "0.80"),
        ("EUR", "GBP", 8, None),
        ("GBP", "USD", 8, None),
        ("EUR", "USD", -1, None),
        ("EUR", "CHF", 0, None),
    ],
)
def test_the_nearest_earlier_rate_holds_for_a_week_and_no_currency_is_worth_as_much_as_another(
    source: str, target: str, days: int, expected: str | None
) -> None:
    assert TABLE.rate(source, target, MAY_1 + days * DAY) == (None if expected is None else Decimal(expected))
