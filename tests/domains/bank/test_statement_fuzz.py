"""What is written can be read again, and whatever happens to a file on its way ends in rows or in a refusal."""

import csv
import io
import re
from datetime import date
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domains.bank.errors import StatementRejected
from domains.bank.providers.protocol import Statement
from tests.domains.bank.statements import XML_HEADER, body, investment, ofx, parse, row, rows_of, signed

Row = tuple[date, Decimal, str]

#: Printable text of every script, without what is cleaned or cannot be told from markup.
WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"]), min_size=1, max_size=40)
NAMES = WORDS.map(lambda text: " ".join(text.split())).filter(lambda text: any(each.isalnum() for each in text))
AMOUNTS = st.decimals(Decimal("-99999999.99"), Decimal("99999999.99"), places=2)
DAYS = st.dates(date(1970, 1, 1), date(2027, 11, 22))
ROWS = st.lists(st.tuples(DAYS, AMOUNTS, NAMES), max_size=25)


def read(text: str | bytes, **options: Any) -> list[Row]:
    return [(each.transaction_date, signed(each), each.description) for each in rows_of(text, currency="EUR", **options)]


def escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


@settings(deadline=None)
@given(ROWS, st.booleans(), st.sampled_from(["utf-8", "utf-16"]))
def test_ofx_that_is_written_is_read_again(rows: list[Row], closed: bool, encoding: str) -> None:
    transactions = [row(day.strftime("%Y%m%d"), str(amount), f"F-{n:06}", escaped(name)) for n, (day, amount, name) in enumerate(rows)]
    text = body(transactions)
    if closed:
        text = re.sub(r"<(TRNTYPE|DTPOSTED|TRNAMT|FITID|NAME)>([^<]*)", r"<\1>\2</\1>", text)

    assert read((XML_HEADER + text).encode(encoding)) == rows


@settings(deadline=None)
@given(
    ROWS,
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from([".", ","]),
    st.sampled_from(["%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    st.sampled_from(["\n", "\r\n"]),
)
def test_csv_that_is_written_is_read_again(rows: list[Row], delimiter: str, separator: str, dates: str, encoding: str, end: str) -> None:
    written = io.StringIO()
    writer = csv.writer(written, delimiter=delimiter, lineterminator=end)
    writer.writerow(["Date", "Description", "Amount"])
    writer.writerows([day.strftime(dates), name, str(amount).replace(".", separator)] for day, amount, name in rows)
    order = "MDY" if dates.startswith("%m") else "DMY"

    assert read(written.getvalue().encode(encoding), date_order=order, decimal_separator=separator) == rows


DIVIDEND = "<INCOME><INVTRAN><FITID>I000001<DTTRADE>20240110</INVTRAN><INCOMETYPE>DIV<TOTAL>5</INCOME>"
GERMAN = """IBAN;DE89370400440532013000

Buchungstag;Empfänger;Betrag (EUR)
31.01.2024;Bäcker;"-1.234,56"
01.02.2024;Lohn;2,00
"""
ENGLISH = """Date,Description,Amount,Balance
2024-01-31,Tea,-1.50,8.50
2024-02-01,"Bun, plain","1,234.00",10
"""
SAMPLES = [
    ofx([row("20240115", "-12.50", "F0000001", "Corner Café", "CARD"), row("20240116", "7", None, "Refund")]).encode(),
    (XML_HEADER + body([row("20240115", "-12,50", "17", "<![CDATA[A & B]]>", extra="<CURRENCY><CURSYM>USD</CURRENCY>")])).encode("utf-16"),
    investment(DIVIDEND, "<INVBAL><AVAILCASH>1</INVBAL>").encode(),
    ENGLISH.encode(),
    GERMAN.encode("cp1252"),
]
MARKUP = (
    "<|>|</|<OFX>|</OFX>|<STMTTRN>|</STMTTRN>|<!--|-->|<![CDATA[|]]>|<!ENTITY|<?|<TRNAMT>|<DTPOSTED>|<CURDEF>|<ACCTID>|&amp;|&#x110000;"
)
MARKS = "\"|,|;|\n|\r|\t|\x00|-|.|0|(|)|'|00000000|NaN|1e999|\u202e|\u2028|é"
BYTES = [b"\xff\xfe", b"\xef\xbb\xbf", b"\xe9", b"\xed\xa0\x80", b"9" * 400, b"<A>" * 50, b"|"]
PIECES = st.sampled_from([*(each.encode() for each in f"{MARKUP}|{MARKS}".split("|")), *BYTES])


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A sample with some of it cut, doubled, replaced or moved."""
    data = bytearray(draw(st.sampled_from(SAMPLES)))
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(data)))
        length = draw(st.integers(0, 12))
        match draw(st.sampled_from(["cut", "insert", "replace", "double", "end", "byte"])):
            case "cut":
                del data[at : at + length]
            case "insert":
                data[at:at] = draw(PIECES)
            case "replace":
                data[at : at + length] = draw(PIECES)
            case "double":
                data[at:at] = data[at : at + length]
            case "end":
                del data[at:]
            case _:
                data[at : at + 1] = bytes([draw(st.integers(0, 255))])
    return bytes(data)


def outcome(data: bytes, **options: Any) -> Statement | StatementRejected:
    try:
        return parse(data, **options)
    except StatementRejected as refused:
        return refused


def check(found: Statement | StatementRejected, data: bytes) -> None:
    """What holds of every statement and every refusal."""
    if isinstance(found, StatementRejected):
        assert found.reason
        assert len(found.message) < 400
        assert found.line is None or 1 <= found.line <= data.count(b"\n") + data.count(b"\r") + 1
        return
    for account in found.accounts:
        assert len(account.currency) == 3
        assert 1 <= len(account.name) <= 255
        ids = [each.provider_transaction_id for each in account.transactions]
        assert len(set(ids)) == len(ids)
        for each in account.transactions:
            assert each.amount.is_finite()
            assert 0 <= each.amount < 10**15
            assert date(1970, 1, 1) <= each.transaction_date <= date(2027, 11, 23)
            kept = " ".join([each.description, each.original_description, each.merchant_name or "", *each.payment_meta.values()])
            assert not re.search("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", kept)
            kept.encode()


@settings(max_examples=1500, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(damaged())
def test_a_damaged_file_ends_in_rows_or_in_a_refusal(data: bytes) -> None:
    found = outcome(data, currency="EUR")

    check(found, data)
    assert repr(outcome(data, currency="EUR")) == repr(found)


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.binary(max_size=400), st.binary(max_size=200).map(lambda junk: b"OFXHEADER:100\n<OFX>" + junk)))
def test_bytes_that_are_no_statement_end_in_a_refusal_or_in_rows(data: bytes) -> None:
    check(outcome(data, currency="EUR"), data)


OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "delimiter": st.sampled_from([",", ";", "\t", "|"]),
        "encoding": st.sampled_from(["utf-8", "utf-16", "windows-1252", "cp437", "shift_jis", "idna", "punycode", "zlib", "nonsense"]),
        "date_order": st.sampled_from(["DMY", "MDY", "YMD"]),
        "decimal_separator": st.sampled_from([".", ","]),
        "columns": st.one_of(
            st.dictionaries(st.sampled_from(["date", "amount", "description", "balance"]), st.integers(1, 6)),
            st.dictionaries(st.sampled_from(["date", "amount", "debit", "id"]), st.sampled_from(["Date", "Amount", "Nowhere", "Betrag"])),
        ),
        "account_id": st.just("x"),
        "invert_amounts": st.booleans(),
    },
)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(SAMPLES), OPTIONS)
def test_whatever_is_said_of_a_file_it_ends_in_rows_or_in_a_refusal(data: bytes, options: dict[str, Any]) -> None:
    check(outcome(data, **({"currency": "EUR"} | options)), data)


@settings(deadline=None)
@given(st.integers(0, 400))
def test_a_file_that_is_cut_short_never_passes_for_whole(at: int) -> None:
    whole = ofx([row(fitid=f"F00000{n}") for n in range(3)]).rstrip()
    cut = whole[: max(len(whole) - 1 - at, 0)]

    assert isinstance(outcome(cut.encode()), StatementRejected)


@st.composite
def scratched(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """A sample, and the same with one small damage."""
    sample = draw(st.sampled_from(SAMPLES))
    data = bytearray(sample)
    at = draw(st.integers(0, len(data) - 1))
    match draw(st.sampled_from(["cut", "insert", "byte"])):
        case "cut":
            del data[at : at + draw(st.integers(1, 3))]
        case "insert":
            data[at:at] = draw(PIECES)
        case _:
            data[at] = draw(st.integers(0, 255))
    return sample, bytes(data)


@settings(max_examples=1000, deadline=None)
@given(scratched())
def test_a_small_damage_never_makes_a_row_disappear_unnoticed(files: tuple[bytes, bytes]) -> None:
    whole, scratch = (outcome(data, currency="EUR") for data in files)

    assert isinstance(whole, Statement)
    if isinstance(scratch, Statement):
        rows = [sum(len(account.transactions) for account in statement.accounts) for statement in (whole, scratch)]
        assert rows[1] >= rows[0]
