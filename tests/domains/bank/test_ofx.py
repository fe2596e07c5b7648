"""OFX as banks write it: both syntaxes and everything between, signs, names, balances, refusals with their line."""

import re
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from domains.bank.errors import StatementRejected
from tests.domains.bank.statements import ACCOUNT, HEADER, SIGN_ON, XML_HEADER, body, ofx, only_account, parse, row, rows_of, signed


def refusal(data: bytes | str, **options: Any) -> StatementRejected:
    with pytest.raises(StatementRejected) as refused:
        parse(data, **options)
    return refused.value


def test_a_bank_statement_becomes_an_account_with_its_rows_and_balances() -> None:
    balance = "<LEDGERBAL><BALAMT>1,234.56<DTASOF>20240131120000[-5:EST]</LEDGERBAL><AVAILBAL><BALAMT>1000<DTASOF>20240131</AVAILBAL>"
    rows = [row("20240115", "-12.50", "F0000001", "Corner Café", "CARD 1234"), row("20240131", "+2500", "F0000002", "ACME Payroll")]
    text = ofx(rows, balance=balance)

    statement = parse(text)
    (account,) = statement.accounts

    assert (statement.provider, statement.institution_id, statement.institution_name) == ("file", "4711", "Test Bank")
    assert (account.name, account.mask) == ("Test Bank Checking", "8901")
    assert (account.account_type, account.account_subtype) == ("checking", "checking")
    assert (account.currency, account.current_balance, account.available_balance) == ("EUR", Decimal("1234.56"), Decimal(1000))
    assert account.balance_on == date(2024, 1, 31)
    coffee, salary = account.transactions
    assert (coffee.amount, coffee.direction, coffee.currency) == (Decimal("12.50"), "debit", "EUR")
    assert (coffee.transaction_date, coffee.posted_date, coffee.authorized_date) == (date(2024, 1, 15), date(2024, 1, 15), None)
    assert (coffee.description, coffee.merchant_name) == ("Corner Café", "Corner Café")
    assert coffee.original_description == "Corner Café CARD 1234"
    assert (coffee.status, dict(coffee.payment_meta), coffee.line) == ("posted", {"type": "DEBIT"}, 16)
    assert (salary.amount, salary.direction, salary.line) == (Decimal(2500), "credit", 17)
    assert coffee.provider_transaction_id != salary.provider_transaction_id


SAME = [row("20240115", "-12.50", "F0000001", "Coffee", "CARD"), row("20240116", "7", "F0000002", "Refund")]
LEAVES = "TRNTYPE|DTPOSTED|TRNAMT|FITID|NAME|MEMO|CURDEF|BANKID|ACCTID|ACCTTYPE|CODE|SEVERITY|TRNUID|DTSTART|DTEND|DTSERVER|LANGUAGE"
CLOSED = re.sub(rf"<({LEAVES})>([^<\n]*)", r"<\1>\2</\1>", body(SAME))
PRIVATE = "<STMTTRN><X.LOT><NAME>else<X.A>1</X.LOT><X.B>2</X.B>"
EMPTY = "<STMTTRN><REFNUM><X.NEW><CHECKNUM>"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(ofx(SAME), id="sgml, leaves left open"),
        pytest.param(HEADER + CLOSED, id="sgml header, every leaf closed"),
        pytest.param(XML_HEADER + CLOSED, id="xml"),
        pytest.param(XML_HEADER + body(SAME), id="xml header over an sgml body"),
        pytest.param(CLOSED, id="no header at all"),
        pytest.param("\r\n\r\n\r\n" + ofx(SAME), id="blank lines before the header"),
        pytest.param(HEADER.strip() + body(SAME), id="no blank line after the header"),
        pytest.param(HEADER.replace("\n", " ") + body(SAME), id="header on one line"),
        pytest.param(HEADER.replace("\n", "") + body(SAME), id="header on one line without spaces"),
        pytest.param(HEADER + body(SAME).replace("\n", ""), id="body on one line"),
        pytest.param(ofx(SAME).replace("\n", "\r\n"), id="CRLF"),
        pytest.param(ofx(SAME).replace("\n", "\r"), id="CR only"),
        pytest.param(ofx(SAME).replace("\n", "\r\r\n"), id="CR CR LF"),
        pytest.param(HEADER + body(SAME).replace("<", "\n\t  <"), id="a tag per line, indented"),
        pytest.param(HEADER + body(SAME).lower(), id="lower case"),
        pytest.param(HEADER + body(SAME).replace("</STMTTRN>", "</STMTTRN  >"), id="white space in tags"),
        pytest.param(HEADER + body(SAME).replace("<OFX>", '<OFX xmlns="http://ofx.net/types">'), id="attributes"),
        pytest.param(HEADER + body(SAME).replace("<STMTTRN>", "<!-- a row --><STMTTRN><MEMO/>"), id="comments and empty elements"),
        pytest.param(HEADER + body(SAME).replace("<STMTTRN>", EMPTY), id="empty leaves left open, one of them unknown"),
        pytest.param(HEADER + body(SAME).replace("<STMTTRN>", PRIVATE), id="private tags"),
        pytest.param(ofx(SAME) + "\x1a\x00\x00\n", id="padding at the end"),
        pytest.param(ofx(SAME).replace("<TRNAMT>", "<TRNAMT>\n   "), id="white space before values"),
    ],
)
def test_all_ways_to_write_the_same_statement_are_read_alike(text: str) -> None:
    read = only_account(text)

    expected = only_account(ofx(SAME))
    assert read.provider_account_id == expected.provider_account_id
    assert [(signed(each), each.transaction_date) for each in read.transactions] == [
        (Decimal("-12.50"), date(2024, 1, 15)),
        (Decimal(7), date(2024, 1, 16)),
    ]
    assert [each.description.casefold() for each in read.transactions] == ["coffee", "refund"]


@pytest.mark.parametrize(
    ("declared", "encoding"),
    [
        ("ENCODING:USASCII\nCHARSET:1252", "cp1252"),
        ("ENCODING:USASCII\nCHARSET:1252", "utf-8"),
        ("ENCODING:UTF-8\nCHARSET:NONE", "utf-8"),
        ("ENCODING:UTF-8\nCHARSET:NONE", "utf-8-sig"),
        ("ENCODING:UTF-8\nCHARSET:NONE", "cp1252"),
        ("ENCODING:UNICODE\nCHARSET:NONE", "utf-8"),
        ("ENCODING:UNICODE\nCHARSET:NONE", "utf-16"),
        ("ENCODING:UNICODE\nCHARSET:NONE", "utf-16-le"),
        ("ENCODING:UNICODE\nCHARSET:NONE", "utf-16-be"),
        ("ENCODING:USASCII\nCHARSET:8859-1", "latin-1"),
        ("ENCODING:USASCII\nCHARSET:ISO-8859-1", "latin-1"),
        ("ENCODING:USASCII\nCHARSET:NONE", "cp1252"),
        ("ENCODING:USASCII\nCHARSET:850", "cp850"),
    ],
)
def test_text_is_read_in_the_charset_that_is_declared_or_evident(declared: str, encoding: str) -> None:
    text = ofx([row(name="Café Zürich Ñandú")]).replace("ENCODING:USASCII\nCHARSET:1252", declared)

    (transaction,) = rows_of(text.encode(encoding))

    assert transaction.description == "Café Zürich Ñandú"


def test_other_scripts_are_read_when_they_are_declared() -> None:
    cyrillic = ofx([row(name="Магазин")]).replace("CHARSET:1252", "CHARSET:1251").encode("cp1251")
    chinese = ofx([row(name="咖啡店")]).replace("CHARSET:1252", "CHARSET:936").encode("gbk")
    xml = (XML_HEADER.replace("UTF-8", "ISO-8859-2") + body([row(name="Łódź")])).encode("iso8859_2")

    assert rows_of(cyrillic)[0].description == "Магазин"
    assert rows_of(chinese)[0].description == "咖啡店"
    assert rows_of(xml)[0].description == "Łódź"


def test_the_encoding_that_the_owner_states_wins() -> None:
    data = ofx([row(name="Магазин")]).encode("cp1251")

    assert rows_of(data, encoding="windows-1251")[0].description == "Магазин"
    assert refusal(data, encoding="rot13").field == "encoding"
    assert refusal(data, encoding="utf-8").line == 16


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("Marks &amp; Spencer", "Marks & Spencer"),
        ("Marks & Spencer", "Marks & Spencer"),
        ("A&W &lt;Root Beer&gt;", "A&W <Root Beer>"),
        ("Caf&eacute; &#233;&#xE9;&nbsp;x", "Café éé x"),
        ("R&COPY &REG;X &unknown; &amp;amp;", "R&COPY ®X &unknown; &amp;"),
        ("&#0;a&#8238;b&#xD800;c&#99999999;", "abc&#99999999;"),
        ("<![CDATA[5 < 6 & <NAME> &amp;]]>", "5 < 6 & <NAME> &amp;"),
        ("<![CDATA[A ]]><![CDATA[B]]>", "A B"),
        ("5 < 6 <- so", "5 < 6 <- so"),
        ("a<!-- not said -->b", "ab"),
        ("two   words\tand\n more", "two words and more"),
        ("tab\x00nul\x07bell\x9f\u202eesrever\u200b\ufeff", "tabnulbellesrever"),
        ("family 👩\u200d👩\u200d👧 کتاب\u200cها", "family 👩\u200d👩\u200d👧 کتاب\u200cها"),
    ],
)
def test_text_keeps_what_was_meant_and_loses_what_harms(written: str, read: str) -> None:
    assert rows_of(XML_HEADER + body([row(name=written)]))[0].description == read


@pytest.mark.parametrize(
    ("written", "day"),
    [
        ("20240229", date(2024, 2, 29)),
        ("20240131235959", date(2024, 1, 31)),
        ("20240131235959.999[-5:EST]", date(2024, 1, 31)),
        ("20240131000000.000[+13:NZDT]", date(2024, 1, 31)),
        ("20240131000000[-:EST]", date(2024, 1, 31)),
        ("20240131093914:014", date(2024, 1, 31)),
        ("202401310000", date(2024, 1, 31)),
        ("2024-01-31", date(2024, 1, 31)),
        ("2024-01-31T00:00:00Z", date(2024, 1, 31)),
        ("19700101", date(1970, 1, 1)),
        ("20271122", date(2027, 11, 22)),
    ],
)
def test_a_date_is_the_day_that_the_bank_wrote(written: str, day: date) -> None:
    assert rows_of(ofx([row(written)]))[0].transaction_date == day


@pytest.mark.parametrize(
    "written",
    ["", " ", "0", "2024", "20240230", "20241301", "00000000", "2024013", "202401311", "31.01.2024", "yesterday", "19691231", "20280101"],
)
def test_a_row_without_a_day_is_refused_with_its_line(written: str) -> None:
    refused = refusal(ofx([row(), row(written), row()]))

    assert refused.line == 17
    assert "date" in refused.reason
    assert refused.message == f"Line 17: {refused.reason}"


@pytest.mark.parametrize(
    ("written", "amount"),
    [
        ("-12.50", "-12.50"),
        ("+12.5", "12.5"),
        ("12,50", "12.50"),
        ("-1.234,56", "-1234.56"),
        ("1,234.56", "1234.56"),
        ("1,23,456.78", "123456.78"),
        ("-00000000001500.0000", "-1500"),
        (".5", "0.5"),
        ("-5.", "-5"),
        ("115.8331", "115.8331"),
        ("45.980000000000004", "45.98"),
        ("0", "0"),
        ("-0.00", "0"),
        ("- 12.00", "-12"),
        ("999999999999999.9999", "999999999999999.9999"),
    ],
)
def test_an_amount_is_read_to_its_last_digit(written: str, amount: str) -> None:
    (transaction,) = rows_of(ofx([row(amount=written)]))

    assert signed(transaction) == Decimal(amount)
    assert transaction.amount >= 0


@pytest.mark.parametrize(
    "written",
    ["", "$120", "1,234", "12.345.678", "1.2.3", "1,2,3.4", "NaN", "Infinity", "1e5", "١٢", "--5", "5-", "0.12345", "9" * 16, "9" * 5000],
)
def test_what_is_no_amount_is_refused_with_its_line(written: str) -> None:
    refused = refusal(ofx([row(), row(amount=written), row()]))

    assert refused.line == 17
    assert "amount" in refused.reason
    assert len(refused.message) < 200


def test_names_fall_back_on_each_other_and_a_cut_name_is_continued_by_its_memo() -> None:
    cut = "A merchant with a very long nam"
    payee = "<PAYEE><NAME>Payee Ltd<ADDR1>Street<CITY>Town</PAYEE>"
    read = rows_of(
        ofx(
            [
                row(name=None, memo="Only a memo", fitid="F000001"),
                row(name=cut, memo=f"{cut}e, Berlin", fitid="F000002"),
                row(name=None, fitid="F000003", extra=payee),
                row(name="Shop", memo="POS;Shop 5", fitid="F000004"),
                row(name=None, fitid="F000005"),
            ]
        )
    )

    assert [(each.description, each.original_description, each.merchant_name) for each in read] == [
        ("Only a memo", "Only a memo", "Only a memo"),
        (f"{cut}e, Berlin", f"{cut}e, Berlin", f"{cut}e, Berlin"),
        ("Payee Ltd", "Payee Ltd", "Payee Ltd"),
        ("Shop", "POS;Shop 5", "Shop"),
        ("Debit", "Debit", None),
    ]


def test_facts_about_the_payment_are_kept_and_sure_kinds_give_a_category() -> None:
    check = row(fitid="F000001", extra="<CHECKNUM>319<REFNUM>R-77")
    zeros = row(fitid="F000002", extra="<CHECKNUM>0<REFNUM>000")
    interest = row(amount="0.42", fitid="F000003").replace("<TRNTYPE>DEBIT", "<TRNTYPE>int")
    fee = row(fitid="F000004").replace("<TRNTYPE>DEBIT", "<TRNTYPE>SRVCHG")
    initiated = row(fitid="F000005", extra="<DTUSER>20240113<DTAVAIL>20240116")

    read = rows_of(ofx([check, zeros, interest, fee, initiated]))

    assert [dict(each.payment_meta) for each in read] == [
        {"type": "DEBIT", "check_number": "319", "reference": "R-77"},
        {"type": "DEBIT"},
        {"type": "INT"},
        {"type": "SRVCHG"},
        {"type": "DEBIT"},
    ]
    assert [each.category_detailed for each in read] == [None, None, "INCOME_INTEREST_EARNED", "BANK_FEES_OTHER_BANK_FEES", None]
    assert (read[4].authorized_date, read[4].posted_date) == (date(2024, 1, 13), date(2024, 1, 15))


def test_a_currency_of_its_own_is_what_a_row_is_in_and_an_original_one_is_only_noted() -> None:
    abroad = row(fitid="F000001", extra="<CURRENCY><CURRATE>1.06<CURSYM>USD</CURRENCY>")
    converted = row(fitid="F000002", extra="<ORIGCURRENCY><CURRATE>0.9<CURSYM>USD</ORIGCURRENCY>")

    first, second = rows_of(ofx([abroad, converted]))

    assert (first.currency, second.currency) == ("USD", "EUR")
    assert dict(second.payment_meta) == {"type": "DEBIT", "original_currency": "USD", "currency_rate": "0.9"}


def test_an_account_without_a_currency_takes_the_one_of_its_rows_then_the_stated_one_or_is_refused() -> None:
    in_dollars = ofx([row(extra="<CURRENCY><CURRATE>1<CURSYM>AUD</CURRENCY>")], currency="")

    assert only_account(in_dollars).currency == "AUD"
    assert only_account(ofx([row()], currency=""), currency="CHF").currency == "CHF"
    assert rows_of(ofx([row()]), currency="CHF")[0].currency == "EUR"
    refused = refusal(ofx([row()], currency=""))
    assert (refused.field, refused.line) == ("currency", 14)
    assert refusal(ofx([row()], currency="E1R")).line == 14


def test_a_card_statement_is_a_credit_account_and_money_spent_is_money_out() -> None:
    text = ofx([row(amount="-20"), row(amount="100", name="Payment")], balance="<LEDGERBAL><BALAMT>-80<DTASOF>20240131</LEDGERBAL>")
    card = text.replace("BANKMSGSRSV1", "CREDITCARDMSGSRSV1").replace("STMTTRNRS", "CCSTMTTRNRS").replace("STMTRS", "CCSTMTRS")
    card = card.replace(ACCOUNT, "<CCACCTFROM><ACCTID>4111 1111 1111 1234</CCACCTFROM>")

    account = only_account(card)

    assert (account.account_type, account.account_subtype) == ("credit", "credit_card")
    assert (account.name, account.mask) == ("Test Bank Credit card", "1234")
    assert [signed(each) for each in account.transactions] == [Decimal(-20), Decimal(100)]
    assert account.current_balance == Decimal(-80)
    assert [signed(each) for each in only_account(card, invert_amounts=True).transactions] == [Decimal(20), Decimal(-100)]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("SAVINGS", ("savings", "savings")),
        ("MONEYMRKT", ("savings", "money_market")),
        ("CD", ("savings", "cd")),
        ("CREDITLINE", ("credit", "line_of_credit")),
        ("", ("checking", None)),
        ("OTHER", ("checking", None)),
    ],
)
def test_kinds_of_account(kind: str, expected: tuple[str, str | None]) -> None:
    account = only_account(ofx(account=ACCOUNT.replace("CHECKING", kind)))

    assert (account.account_type, account.account_subtype) == expected


def test_the_owner_may_say_what_one_account_is_but_not_what_several_are() -> None:
    told = only_account(ofx([row()]), account_type="savings", account_name="Rainy days", account_id="joint")
    same = only_account(ofx([row()], account=ACCOUNT.replace("8901", "9999")), account_id="joint")
    second = f"<STMTTRNRS><STMTRS><CURDEF>EUR{ACCOUNT.replace('8901', '9999')}</STMTRS></STMTTRNRS>"
    two = ofx([row()]).replace("</STMTTRNRS>", f"</STMTTRNRS>{second}")

    assert (told.account_type, told.name, told.mask) == ("savings", "Rainy days", "8901")
    assert told.provider_account_id == same.provider_account_id != only_account(ofx([row()])).provider_account_id
    assert len(parse(two).accounts) == 2
    assert refusal(two, account_name="Rainy days").field == "account_name"


def test_two_statements_of_one_account_are_one_account_with_the_later_balance() -> None:
    later = f"<STMTTRNRS><STMTRS><CURDEF>EUR{ACCOUNT}<BANKTRANLIST>{row('20240201', fitid='F000002')}</BANKTRANLIST>"
    later += "<LEDGERBAL><BALAMT>30<DTASOF>20240229</LEDGERBAL></STMTRS></STMTTRNRS>"
    first = ofx([row(fitid="F000001")], balance="<LEDGERBAL><BALAMT>50<DTASOF>20240131</LEDGERBAL>")

    account = only_account(first.replace("<BANKMSGSRSV1>", f"<BANKMSGSRSV1>{later}"))

    assert (account.current_balance, account.balance_on) == (Decimal(30), date(2024, 2, 29))
    assert len(account.transactions) == 2


def test_an_empty_statement_and_a_missing_or_empty_balance_are_fine() -> None:
    empty = "<LEDGERBAL><BALAMT> <DTASOF>20240131</LEDGERBAL><AVAILBAL><BALAMT></BALAMT></AVAILBAL>"

    account = only_account(ofx(balance=empty))
    without = only_account(ofx([row()]).replace("<BANKTRANLIST>", "").replace("</BANKTRANLIST>", "").replace(row(), ""))

    assert (account.transactions, account.current_balance, account.available_balance, account.balance_on) == ([], None, None, None)
    assert without.transactions == []


def test_accounts_that_are_only_listed_come_without_rows_and_name_those_with_a_statement() -> None:
    listed = (
        "<SIGNUPMSGSRSV1><ACCTINFOTRNRS><TRNUID>1<STATUS><CODE>0<SEVERITY>INFO</STATUS><ACCTINFORS><DTACCTUP>20240101"
        f"<ACCTINFO><DESC>Household<BANKACCTINFO>{ACCOUNT}<SUPTXDL>Y</BANKACCTINFO></ACCTINFO>"
        "<ACCTINFO><DESC>Plastic<CCACCTINFO><CCACCTFROM><ACCTID>4111111111111111</CCACCTFROM><SUPTXDL>Y</CCACCTINFO></ACCTINFO>"
        "</ACCTINFORS></ACCTINFOTRNRS></SIGNUPMSGSRSV1>"
    )
    text = ofx([row()]).replace("<BANKMSGSRSV1>", f"{listed}<BANKMSGSRSV1>")

    household, plastic = parse(text, currency="USD").accounts

    assert (household.name, household.official_name, household.currency) == ("Household", "Household", "EUR")
    assert len(household.transactions) == 1
    assert (plastic.name, plastic.account_type, plastic.currency, plastic.transactions) == ("Plastic", "credit", "USD", [])
    assert refusal(text).field == "currency"


def test_pending_rows_are_counted_and_left_out() -> None:
    pending = "<BANKTRANLISTP><DTASOF>20240131<STMTTRNP><TRNTYPE>DEBIT<DTTRAN>20240131<TRNAMT>-5<NAME>Soon</STMTTRNP></BANKTRANLISTP>"

    statement = parse(ofx([row()], balance=pending))

    assert (len(statement.accounts[0].transactions), statement.left_out) == (1, 1)


NO_LOGIN = SIGN_ON.replace("INFO", "ERROR<MESSAGE>Wrong password")
NO_LOGIN_AT_ALL = SIGN_ON.replace("<CODE>0<SEVERITY>INFO", "<CODE>15500")
NO_ACCOUNT = ofx([row()]).replace("<TRNUID>1<STATUS><CODE>0<SEVERITY>INFO", "<TRNUID>1<STATUS><CODE>2003<SEVERITY>ERROR<MESSAGE>Closed")


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (f"{HEADER}<OFX>\n{NO_LOGIN}</OFX>", 12, "signing on failed: Wrong password (code 0)"),
        (f"{HEADER}<OFX>\n{NO_LOGIN_AT_ALL}</OFX>", 12, "signing on failed: no reason is given (code 15500)"),
        (NO_ACCOUNT, 13, "gave no statement: Closed (code 2003)"),
        (f"{HEADER}<OFX>{SIGN_ON}</OFX>", None, "no account"),
        (f"{HEADER}<OFX></OFX>", None, "no account"),
        (HEADER, 11, "no <OFX>"),
        (ofx([row()])[:-30], 13, "ends inside <STMTTRNRS>"),
        (ofx([row(), row(memo="cut")]).split("<MEMO>")[0], 17, "ends inside <STMTTRN>"),
        (ofx([row()]).replace("<STMTTRN>", "<STMTTRM>"), 16, "</STMTTRN> closes what was not opened"),
        (ofx([row(), row()]).replace("</STMTTRN>", "", 1), 17, "<STMTTRN> cannot stand inside <STMTTRN>"),
        (ofx([row()]).replace("STMTTRN>", "SOMETHING>"), 16, "<SOMETHING> is no transaction"),
        (ofx([row()]).replace("BANKTRANLIST", "BANKTRANLISX"), 16, "<STMTTRN> cannot stand inside <BANKTRANLISX>"),
        (ofx([row()]).replace("</STMTTRN>", "</STMTTRN>lost"), 16, "Text stands outside"),
        (ofx([row()]).replace("<STMTTRN>", "<STMTTRN>lost"), 16, "Text stands directly inside <STMTTRN>"),
        (ofx([row()]).replace(ACCOUNT, ""), 14, "which account"),
        (ofx([row()], account=ACCOUNT.replace("<ACCTID>DE-123 4567 8901", "")), 14, "no number"),
        (ofx([row()]) + "\n" + ofx([row()]), 19, "one by one"),
        (ofx([row()]).replace("<STMTTRN>", "<STMTTRN><!-- "), 16, "comment has no end"),
        (ofx([row(name="<![CDATA[x")]), 16, "CDATA section has no end"),
        (ofx([row()], balance="<LEDGERBAL><BALAMT>lots</LEDGERBAL>"), 17, "'lots' is not an amount"),
        (ofx(["<X>" * 40]), 16, "nested too deep"),
    ],
)
def test_a_broken_file_is_refused_whole_with_line_and_reason(text: str, line: int | None, words: str) -> None:
    refused = refusal(text)

    assert (refused.line, refused.code) == (line, "STATEMENT_REJECTED")
    assert words in refused.reason


@pytest.mark.parametrize(("end", "line"), [("\n", 17), ("\r\n", 17), ("\r", 17), ("\r\r\n", 17)])
def test_lines_are_counted_as_an_editor_shows_them(end: str, line: int) -> None:
    assert refusal(ofx([row(), row(amount="x")]).replace("\n", end)).line == line
    assert refusal(ofx([row(), row(amount="x")]).replace("\n", end).encode("utf-16")).line == line


def test_entities_and_document_types_are_never_followed() -> None:
    laughs = '<!DOCTYPE OFX [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>\n'
    outside = '<!DOCTYPE OFX [<!ENTITY secret SYSTEM "file:///etc/passwd">]>\n'
    inside = body([row(name="&secret;")]).replace("<STMTTRN>", '<!ENTITY secret SYSTEM "file:///etc/passwd"><STMTTRN>')

    assert "Entities are declared" in refusal(XML_HEADER + laughs + body([row(name="&b;")])).reason
    assert "Entities are declared" in refusal(XML_HEADER + outside + body([row(name="&secret;")])).reason
    assert "never read" in refusal(XML_HEADER + inside).reason
    ignored = '<!DOCTYPE OFX SYSTEM "http://example.org/ofx160.dtd">\n'
    assert rows_of(XML_HEADER + ignored + body([row(name="&secret;")]))[0].description == "&secret;"


def test_quickens_dialect_is_ofx_with_a_brand() -> None:
    brand = SIGN_ON.replace("<FI><ORG>Test Bank<FID>4711</FI>", "<INTU.BID>3000<INTU.USERID>joe")

    statement = parse(ofx([row()], sign_on=brand), "download.qfx")

    assert (statement.institution_id, statement.institution_name) == ("3000", None)
    assert statement.accounts[0].name == "Checking"
