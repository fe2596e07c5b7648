"""What a CSV file leaves open: decided from all of its rows, told by the owner, or refused with what to tell."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from domains.bank.errors import StatementRejected
from tests.domains.bank.statements import only_account, parse, rows_of, signed


def refusal(text: str | bytes, filename: str = "statement", **options: Any) -> StatementRejected:
    with pytest.raises(StatementRejected) as refused:
        parse(text, filename, **{"currency": "EUR"} | options)
    return refused.value


def days(text: str, **options: Any) -> list[date]:
    return [each.transaction_date for each in rows_of(text, **{"currency": "EUR"} | options)]


def amounts(text: str, **options: Any) -> list[Decimal]:
    return [signed(each) for each in rows_of(text, **{"currency": "EUR"} | options)]


def dated(*written: str) -> str:
    return "Date,Description,Amount\n" + "".join(f'"{each}",x,1\n' for each in written)


def valued(*written: str) -> str:
    return "Date,Description,Amount\n" + "".join(f'2024-01-31,x,"{each}"\n' for each in written)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (["03/04/2024", "13/04/2024"], [date(2024, 4, 3), date(2024, 4, 13)]),
        (["03/04/2024", "04/13/2024"], [date(2024, 3, 4), date(2024, 4, 13)]),
        (["03.04.2024"], [date(2024, 4, 3)]),
        (["3.4.24"], [date(2024, 4, 3)]),
        (["05/05/2024"], [date(2024, 5, 5)]),
        (["2024-04-03", "2024/04/03", "2024.4.3", "20240403"], [date(2024, 4, 3)] * 4),
        (["2024-04-03 23:59:59", "2024-04-03T23:59:59.123Z", "2024-04-03T23:59:59+02:00"], [date(2024, 4, 3)] * 3),
        (["13/04/2024 11:59 PM", "3/4/24"], [date(2024, 4, 13), date(2024, 4, 3)]),
        (["3 Apr 2024", "Apr 3, 2024", "03-APR-24", "3rd April 2024"], [date(2024, 4, 3)] * 4),
        (["3. März 2024", "3 mars 2024", "3 marzo 2024", "3 mrt. 2024", "3 maart 2024"], [date(2024, 3, 3)] * 5),
        (
            ["1 août 2024", "1 févr. 2024", "1 dic 2024", "1 Dez 24", "1 giugno 2024", "1 mei 2024"],
            [date(2024, m, 1) for m in (8, 2, 12, 12, 6, 5)],
        ),
        (["31/12/69", "01/01/70"], None),
    ],
)
def test_dates_are_read_in_the_order_that_the_column_shows(written: list[str], read: list[date] | None) -> None:
    if read is None:
        assert "2069-12-31 is not between 1970-01-01 and 2027-11-23" in refusal(dated(*written)).reason
    else:
        assert days(dated(*written)) == read


def test_dates_that_can_be_read_both_ways_are_refused_and_one_option_settles_it() -> None:
    text = dated("03/04/2024", "05/04/2024")

    refused = refusal(text)
    assert (refused.field, refused.line) == ("date_order", 2)
    assert "State the `date_order` (DMY or MDY)" in refused.reason
    assert days(text, date_order="DMY") == [date(2024, 4, 3), date(2024, 4, 5)]
    assert days(text, date_order="MDY") == [date(2024, 3, 4), date(2024, 5, 4)]
    assert days(dated("24-04-03"), date_order="YMD") == [date(2024, 4, 3)]


def test_another_date_column_or_the_language_of_the_headers_may_settle_it() -> None:
    assert days("Transaction Date,Posting Date,Description,Amount\n03/31/2024,04/01/2024,x,1\n") == [date(2024, 4, 1)]
    assert days("Datum,Beschreibung,Betrag\n03/04/2024,x,1\n") == [date(2024, 4, 3)]


def test_dates_that_contradict_each_other_are_refused() -> None:
    refused = refusal(dated("13/04/2024", "01/02/2024", "04/13/2024"))

    assert (refused.field, refused.line) == ("date_order", 4)


@pytest.mark.parametrize(
    "written", ["", "soon", "2024-02-30", "2024-13-01", "31/02/2024", "2024", "1/1", "99999999", "31 Foo 2024", "１/２/2024", "0" * 5000]
)
def test_a_row_without_a_day_is_refused_with_its_line(written: str) -> None:
    refused = refusal(dated("2024-01-31", written, "2024-01-31"))

    assert refused.line == 3
    assert "date" in refused.reason


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (["-1,234.56", "7"], ["-1234.56", "7"]),
        (["-1.234,56", "7"], ["-1234.56", "7"]),
        (["1,5"], ["1.5"]),
        (["1.5"], ["1.5"]),
        (["1.234", "1.234,5"], ["1234", "1234.5"]),
        (["1,234", "0.5"], ["1234", "0.5"]),
        (["1.234.567"], ["1234567"]),
        (["0,123"], ["0.123"]),
        (["1234,567"], ["1234.567"]),
        (["1 234,50", "1\u00a0234,50", "1\u202f234,50"], ["1234.50"] * 3),
        (["1'234.50", "1’234.50"], ["1234.50"] * 2),
        (["(12.00)", "12.00-", "−12.00", "–12.00", "-12.00", "- 12.00", "12.00 DR"], ["-12.00"] * 7),
        (["+12.00", "12.00 CR", "12.00"], ["12.00"] * 3),
        (["€12.00", "12.00 €", "EUR 12.00", "12.00EUR", "-€12.00", "€-12.00"], ["12.00"] * 4 + ["-12.00"] * 2),
        (["$12.00", "-$12.00"], ["12.00", "-12.00"]),
        ([".50", "-.5"], ["0.5", "-0.5"]),
        (["12.345678901234567e"], None),
        (["1.2.3,4"], None),
        (["1,2,3"], None),
        (["12,34,567.00"], ["1234567"]),
        (["999999999999999.9999"], ["999999999999999.9999"]),
        (["9999999999999999"], None),
        (["NaN"], None),
        (["Infinity"], None),
        (["1e5"], None),
        (["12 monkeys"], None),
        (["--1"], None),
        (["-(1)"], None),
        (["€1€"], None),
        (["1" * 100], None),
        (["١٢"], None),
        (["1.00001"], None),
    ],
)  # fmt: skip
def test_amounts_are_read_by_the_marks_that_the_column_shows(written: list[str], read: list[str] | None) -> None:
    if read is None:
        refused = refusal(valued(*written))
        assert refused.line == 2
        assert "amount" in refused.reason
        assert len(refused.message) < 200
    else:
        assert amounts(valued(*written)) == [Decimal(each) for each in read]


def test_amounts_that_can_be_read_both_ways_are_refused_and_one_option_settles_it() -> None:
    text = valued("5", "1,234", "-7")

    refused = refusal(text)
    assert (refused.field, refused.line) == ("decimal_separator", 3)
    assert amounts(text, decimal_separator=".") == [Decimal(5), Decimal(1234), Decimal(-7)]
    assert amounts(text, decimal_separator=",") == [Decimal(5), Decimal("1.234"), Decimal(-7)]
    assert amounts(text, currency="JPY") == [Decimal(5), Decimal(1234), Decimal(-7)]


def test_amounts_in_two_conventions_are_refused() -> None:
    refused = refusal(valued("1.5", "2", "1,5"))

    assert (refused.field, refused.line) == ("decimal_separator", 4)


def test_debit_and_credit_columns() -> None:
    positive = "Date,Description,Debit,Credit\n2024-01-31,a,5.00,\n2024-01-30,b,,7.00\n2024-01-29,c,0.00,3.00\n2024-01-28,reversal,-2.00,\n"
    negative = "Date,Description,Debit,Credit\n2024-01-31,a,-5.00,\n2024-01-30,b,,7.00\n2024-01-29,c,-1,0\n"

    assert amounts(positive) == [Decimal(-5), Decimal(7), Decimal(3), Decimal(2)]
    assert amounts(negative) == [Decimal(-5), Decimal(7), Decimal(-1)]
    assert "both a debit and a credit" in refusal("Date,Description,Debit,Credit\n2024-01-31,a,5.00,6.00\n").reason
    assert refusal("Date,Description,Debit,Credit\n2024-01-31,a,,\n").line == 2


def test_a_word_tells_money_out_from_money_in_only_where_amounts_have_no_sign() -> None:
    unsigned = "Date,Description,Amount,Debit/Credit\n2024-01-31,a,5.00,D\n2024-01-30,b,7.00,C\n"

    assert amounts(unsigned) == [Decimal(-5), Decimal(7)]
    assert amounts(unsigned.replace("5.00", "-5.00")) == [Decimal(-5), Decimal(7)]
    assert refusal(unsigned.replace(",C\n", ",X\n")).line == 3
    assert amounts("Date,Description,Amount,Type\n2024-01-31,a,5,Sale\n2024-01-31,b,7,debit\n") == [Decimal(5), Decimal(7)]


def test_amounts_can_be_turned_round() -> None:
    assert amounts(valued("5.00", "-7.00"), invert_amounts=True) == [Decimal(-5), Decimal(7)]


@pytest.mark.parametrize(
    ("text", "options", "currency"),
    [
        ("Date,Description,Amount,Currency\n2024-01-31,a,5,usd\n", {}, "USD"),
        ("Date,Description,Amount (CHF)\n2024-01-31,a,5\n", {}, "CHF"),
        ("Date,Description,Amount\n2024-01-31,a,£5\n", {}, "GBP"),
        ("Currency,PLN\n\nDate,Description,Amount\n2024-01-31,a,5\n", {}, "PLN"),
        ("Date,Description,Amount\n2024-01-31,a,$5\n", {"currency": "CAD"}, "CAD"),
        ("Date,Description,Amount\n", {"currency": "CAD"}, "CAD"),
        ("Date,Description,Amount,Currency\n2024-01-31,a,5,USD\n", {"currency": "CAD"}, "USD"),
    ],
)
def test_the_currency_is_the_files_and_only_then_the_stated_one(text: str, options: dict[str, str], currency: str) -> None:
    account = only_account(text, **options)

    assert account.currency == currency
    assert {each.currency for each in account.transactions} <= {currency}


def test_without_any_currency_a_file_is_refused() -> None:
    with pytest.raises(StatementRejected) as refused:
        parse(valued("$5"))

    assert (refused.value.field, refused.value.line) == ("currency", 2)
    assert refusal("Date,Description,Amount,Currency\n2024-01-31,a,5,dollars\n").line == 2


def test_columns_can_be_named_by_header_or_by_number() -> None:
    odd = "When;What;How much;Left\n31.01.2024;Tea;-1,50;10,00\n"
    by_name = {"date": "When", "description": "What", "amount": "how much", "balance": "Left"}
    by_number = {"date": 1, "description": 2, "amount": 3}
    bare = "2024-01-31,Tea,-1.50\n2024-02-01,Bun,-2.50\n"

    assert refusal(odd).field == "columns"
    assert amounts(odd, columns=by_name) == [Decimal("-1.50")]
    assert only_account(odd, columns=by_name, currency="EUR").current_balance == Decimal(10)
    assert amounts(odd, columns=by_number) == [Decimal("-1.50")]
    assert amounts(bare, columns=by_number) == [Decimal("-1.50"), Decimal("-2.50")]
    assert [each.line for each in rows_of(bare, columns=by_number, currency="EUR")] == [1, 2]
    missing = refusal(odd, columns={"date": "When", "amount": "Sum"})
    assert missing.field == "columns.amount"
    assert "There are: When, What, How much, Left." in missing.reason
    assert refusal(bare, columns={"date": 1, "amount": 9}).field == "columns.amount"
    assert refusal(bare, columns={"date": 1}).field == "columns"


def test_columns_that_are_told_are_not_outdone_by_others_that_were_recognised() -> None:
    text = "Posting Date,Value Date,Payee,Memo,Amount,Net\n2024-01-31,2024-01-30,Shop,Tea,-5,-4\n"

    (row,) = rows_of(text, columns={"date": "Value Date", "description": "Memo", "amount": "Net"}, currency="EUR")

    assert (row.transaction_date, row.description, signed(row)) == (date(2024, 1, 30), "Tea", Decimal(-4))


def test_delimiter_and_encoding_can_be_stated() -> None:
    text = "Date|Description|Amount\n2024-01-31|Łódź, Café; x|1\n"

    assert rows_of(text.encode("cp1250"), delimiter="|", encoding="windows-1250", currency="EUR")[0].description == "Łódź, Café; x"
    assert refusal(text, delimiter=";").field == "columns"
    assert refusal("Date,Description,Amount\n2024-01-31,caf\x81,1\n".encode("latin-1")).field == "encoding"


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("just some text\nwithout any table\n", 1, "No header row"),
        ("Date,Description\n2024-01-31,x\n", 1, "No header row"),
        (valued("1") + '2024-01-31,"x,1\n2024-02-01,y,2\n', 3, "quotation mark"),
        (valued("1") + '2024-01-31,"x" y,1\n', 3, "doubled"),
        (valued("1") + "2024-01-31,x,1,stray\n", 3, "4 cells and the table has 3 columns"),
        (valued("1") + "2024-01-31,x\n", 3, "no amount"),
        (valued("1") + "2024-01-31\n", 3, "no amount"),
        (valued("1") + ",x,1\n", 3, "no date"),
        (valued("1") + "Total,,1\n2024-01-31,x,1\n", 3, "'Total' is not a date"),
        (valued("1") + "2024-01-31,a\rb,1\n", 3, "line end"),
        (valued("1") + "2024-01-31,x", 3, "ends inside this row"),
        ("Date,Description,Amount,Type,Balance\n" + "2024-01-31Tea,PAYROLL,1,x,2\n", 2, "'2024-01-31Tea' is not a date"),
        ("Type,Date,Description,Amount\n" + "CREDIT2024-01-31,PAYROLL,ACME,1\n", 2, "'PAYROLL' is not a date"),
        ("Date,Description,Amount 2024-01-31,x,1\n2024-02-01,x,1\n", 1, "No header row"),
        ("Date,Description,Amount,Account\n2024-01-31,x,1,\n", 2, "which account"),
        (valued("x" * 200_000), 2, "quotation mark opens here"),
        (valued("1", "1").replace("\n", "\r") + "soon,x,1\r2024-01-31,x,1\r", 4, "'soon' is not a date"),
    ],
)  # fmt: skip
def test_a_broken_file_is_refused_whole_with_line_and_reason(text: str, line: int, words: str) -> None:
    refused = refusal(text)

    assert (refused.line, refused.code) == (line, "STATEMENT_REJECTED")
    assert words in refused.reason


@pytest.mark.parametrize(
    "around",
    [
        "{}\n\n  \n",
        "My bank\nExported,on,2024-02-01\n\n{}",
        "{}Total,,3.00\n",
        "{}\nThis is no invoice.\n,,\nEnd of file\n",
        "\ufeff{}",
        "{}Date,Description,Amount\n",
    ],
)
def test_what_stands_around_the_table_is_no_transaction(around: str) -> None:
    assert amounts(around.format(valued("1", "2"))) == [Decimal(1), Decimal(2)]


def test_rows_may_span_lines_and_each_knows_where_it_began() -> None:
    text = 'Date,Description,Amount\n2024-01-31,"a\nb",1\n\n2024-02-01,"say ""hi""",2\n'

    assert [(each.line, each.description) for each in rows_of(text, currency="EUR")] == [(2, "a b"), (5, 'say "hi"')]


def test_an_empty_table_is_an_account_without_rows() -> None:
    account = only_account("Date,Description,Amount,Balance\n", currency="EUR", account_name="Mine", account_type="savings")

    assert (account.name, account.account_type, account.transactions, account.current_balance) == ("Mine", "savings", [], None)


def test_the_account_is_the_stated_one_or_the_numbered_one_or_the_file() -> None:
    text, numbered = valued("1"), "Account number:,DE89 3704 0044 0532 0130 00\n\n" + valued("1")

    def identity(content: str, filename: str, **options: Any) -> str:
        return only_account(content, filename, currency="EUR", **options).provider_account_id

    one = identity(text, "Checking 2024-01.csv")
    assert (
        one
        == identity(text, "checking_2024-02 (1).csv")
        == identity(text, "Checking-20240131.CSV")
        == identity(text, "checking february 2024.csv")
    )
    assert one != identity(text, "Savings 2024-01.csv")
    assert one != identity(text, "Checking 4711.csv") != identity(text, "Checking 4712.csv")
    assert identity(numbered, "a.csv") == identity(numbered.replace(" ", ""), "b.csv") != identity(text, "a.csv")
    assert identity(text, "a.csv", account_id="x") == identity(numbered, "b.csv", account_id="X ") != identity(text, "a.csv")
    assert identity(text, "a.csv", account_name="Joint") == identity(text, "b.csv", account_name="Joint") != identity(text, "a.csv")
    assert (
        refusal("Date,Description,Amount,Account\n2024-01-31,x,1,A-1\n2024-01-31,x,1,A-2\n", account_name="Joint").field == "account_name"
    )


def test_the_banks_own_row_ids_are_used_where_a_file_has_them() -> None:
    text = (
        "Transaction ID,Date,Description,Amount\nTRANSFER-1,2024-01-31,Tea,-1\nTRANSFER-2,2024-01-31,Tea,-1\nTRANSFER-1,2024-01-31,Tea,-1\n"
    )

    rows = rows_of(text, currency="EUR")

    assert [each.line for each in rows] == [2, 3]
    assert rows_of(text.replace("Tea", "Green tea"), currency="EUR")[0].provider_transaction_id == rows[0].provider_transaction_id
