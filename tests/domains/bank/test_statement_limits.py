"""Sizes that are refused, texts that are cut, and files made to be slow."""

import contextlib
import time
from datetime import UTC, datetime

import pytest

from domains.bank.errors import StatementRejected
from domains.bank.providers.file import csv_statement, csv_table, ofx_statement, ofx_tree, values
from domains.bank.providers.file.options import FileOptions
from domains.bank.providers.file.provider import FileProvider
from domains.core.clock import FixedClock
from tests.domains.bank.statements import ACCOUNT, HEADER, investment, ofx, only_account, parse, row, rows_of

CSV = "Date,Description,Amount\n"
MEGABYTE = 1024 * 1024
#: Generous, so that a busy machine does not fail: what grows with the square of a file's size takes hours.
SLOWEST_S = 20.0


def refusal(data: bytes | str) -> StatementRejected:
    with pytest.raises(StatementRejected) as refused:
        parse(data, currency="EUR")
    return refused.value


def test_a_file_may_have_ten_mebibytes() -> None:
    longest = ofx([row()]) + " " * (10 * MEGABYTE - len(ofx([row()])))

    assert len(rows_of(longest)) == 1
    assert "larger than 10 MiB" in refusal(longest + " ").reason


def test_a_file_may_have_two_hundred_thousand_transactions(monkeypatch: pytest.MonkeyPatch) -> None:
    assert values.MAX_TRANSACTIONS == 200_000
    for module in (csv_statement, csv_table, ofx_statement, ofx_tree):
        monkeypatch.setattr(module, "MAX_TRANSACTIONS", 20)
    line = "2024-01-01,x,1\n"
    cash = f"<INVBANKTRAN>{row() * 11}</INVBANKTRAN>"

    assert len(rows_of(ofx([row()] * 20))) == 20
    assert "more than 200,000 transactions" in refusal(ofx([row()] * 21)).reason
    assert "more than 200,000 transactions" in refusal(investment(cash * 2)).reason
    assert len(rows_of(CSV + line * 20, currency="EUR")) == 20
    assert "more than 200,000 transactions" in refusal(CSV + line * 21).reason
    assert refusal(CSV + line * 2_000).line == 1_022


def test_a_file_may_have_a_hundred_accounts() -> None:
    def accounts(count: int) -> str:
        each = "<STMTTRNRS><STMTRS><CURDEF>EUR" + ACCOUNT + "</STMTRS></STMTTRNRS>"
        return f"{HEADER}<OFX><BANKMSGSRSV1>{''.join(each.replace('8901', f'{n:04}') for n in range(count))}</BANKMSGSRSV1></OFX>"

    def rows(count: int) -> str:
        return "Date,Description,Amount,Account\n" + "".join(f"2024-01-01,x,1,A{n}\n" for n in range(count))

    assert len(parse(accounts(100)).accounts) == 100
    assert "more than 100 accounts" in refusal(accounts(101)).reason
    assert len(parse(rows(100), currency="EUR").accounts) == 100
    refused = refusal(rows(101))
    assert (refused.line, "more than 100 accounts" in refused.reason) == (102, True)


@pytest.mark.parametrize("text", [ofx([row(name="word " * 1000)]), f"Date,Payee,Amount\n2024-01-01,{'word ' * 1000},1\n"])
def test_long_texts_are_cut_to_what_is_kept(text: str) -> None:
    (cut,) = rows_of(text, currency="EUR")

    assert (len(cut.description), len(cut.original_description), len(cut.merchant_name or "")) == (999, 999, 254)
    assert cut.description.endswith("word")


def test_long_facts_and_names_are_cut() -> None:
    long = "x" * 500
    text = ofx([row(fitid=long, extra=f"<CHECKNUM>{long}<REFNUM>{long}")]).replace("Test Bank", long).replace("4711", long)

    statement = parse(text)
    (account,) = statement.accounts
    (kept,) = account.transactions

    assert (len(statement.institution_id or ""), len(statement.institution_name or ""), len(account.name)) == (255, 255, 255)
    assert {key: len(value) for key, value in kept.payment_meta.items()} == {"type": 5, "check_number": 32, "reference": 64}
    assert len(kept.provider_transaction_id or "") == 40


def test_dates_end_one_year_from_today() -> None:
    on = {1970: FixedClock(datetime(2026, 11, 22, tzinfo=UTC)), 2030: FixedClock(datetime(2029, 11, 22, tzinfo=UTC))}
    text = ofx([row("20301101")])

    assert len(FileProvider(on[2030], b"s").parse(text.encode(), "x", FileOptions()).accounts[0].transactions) == 1
    with pytest.raises(StatementRejected, match="2030-11-01 is not between 1970-01-01 and 2027-11-23"):
        FileProvider(on[1970], b"s").parse(text.encode(), "x", FileOptions())


TAIL = "</BANKTRANLIST></STMTRS></STMTTRNRS></BANKMSGSRSV1></OFX>"
OPENED = ofx().split("</BANKTRANLIST>")[0]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(OPENED + "<STMTTRN></STMTTRN>" * 60_000 + TAIL, id="many empty transactions"),
        pytest.param(OPENED + "<A>" * 1_000_000, id="deep"),
        pytest.param(OPENED + "<A></A>" * 500_000 + TAIL, id="many unknown aggregates"),
        pytest.param(OPENED + ("<A>" * 25 + "<STATUS></STATUS>" * 500 + "</A>" * 25) * 200 + TAIL, id="much inside unknown aggregates"),
        pytest.param(OPENED + "<STMTTRN><MEMO>" + "<" * 4_000_000, id="signs for less"),
        pytest.param(OPENED + "<STMTTRN><MEMO>" + "<a" * 400_000, id="tags without end"),
        pytest.param(OPENED + ("<A>x</A" + " " * 200) * 20_000, id="closing tags without end"),
        pytest.param(OPENED + "<STMTTRN><MEMO>" + "&" * 4_000_000 + "</STMTTRN>" + TAIL, id="ampersands"),
        pytest.param(OPENED + "<!--" * 1_000_000, id="comments without end"),
        pytest.param(OPENED + "<STMTTRN><MEMO>x" + "<![CDATA[]]>" * 300_000, id="empty sections"),
        pytest.param(OPENED + "<STMTTRN><DTPOSTED>20240101<TRNAMT>" + "1" * 4_000_000 + "</STMTTRN>" + TAIL, id="digits"),
        pytest.param(OPENED + "<STMTTRN><DTPOSTED>20240101<TRNAMT>" + "1," * 2_000_000 + "</STMTTRN>" + TAIL, id="thousands"),
        pytest.param("OFXHEADER:100" + "CHARSET:" * 500_000 + "<OFX></OFX>", id="header"),
        pytest.param(CSV + '"' * 4_000_000, id="quotation marks"),
        pytest.param(CSV + '"' + "a\n" * 2_000_000, id="a quotation mark without end"),
        pytest.param(CSV + "2024-01-01,x,1" + "," * 4_000_000, id="a wide row"),
        pytest.param("," * 4_000_000, id="a wide header"),
        pytest.param(CSV + ("1 " * 60_000 + ",x,1\n") * 30, id="long dates"),
        pytest.param(CSV + ("2024-01-01,x," + "1'" * 60_000 + "\n") * 30, id="long amounts"),
        pytest.param(CSV + "x\n" * 600_000, id="tiny rows"),
        pytest.param(("DE" + "1" * 120_000 + "\n") * 30, id="long numbers"),
        pytest.param("é" * 2_000_000, id="nothing but accents"),
    ],
)
def test_no_file_is_slow_to_read_or_refuse(text: str) -> None:
    began = time.process_time()
    for encoding in ("utf-8", "cp1252"):
        with contextlib.suppress(StatementRejected):
            parse(text.encode(encoding), currency="EUR")
    assert time.process_time() - began < SLOWEST_S


def test_reading_is_linear() -> None:
    """Ten times the rows take about ten times as long; a hundred would be the square."""

    def seconds(rows: int) -> float:
        text = CSV + "".join(f"2024-01-{1 + n % 28:02},Shop {n},-{n % 90}.{n % 100:02}\n" for n in range(rows))
        began = time.process_time()
        assert len(only_account(text, currency="EUR").transactions) == rows
        return time.process_time() - began

    assert seconds(30_000) < 40 * max(seconds(3_000), 0.01)
