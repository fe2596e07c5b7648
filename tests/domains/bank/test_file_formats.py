"""Which format a file has, what text its bytes are, and what may be said about it."""

from typing import Any

import pytest

from domains.bank.errors import StatementOptionsInvalid, StatementRejected
from domains.bank.providers.file.detect import detect_format
from domains.bank.providers.file.options import FileOptions
from domains.bank.providers.file.text import Lines, decode, encoding_named, one_line
from tests.domains.bank.statements import HEADER, XML_HEADER, ofx, parse


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (HEADER.encode(), "ofx"),
        (XML_HEADER.encode(), "ofx"),
        (b"\n\n  <ofx><a>", "ofx"),
        (ofx().encode("utf-16"), "ofx"),
        (ofx().encode("utf-16-be"), "ofx"),
        (b"\xef\xbb\xbf" + ofx().encode(), "ofx"),
        (b"Date,Amount\n", "csv"),
        ("Date,Amount\n".encode("utf-16"), "csv"),
        (b"Description\nbought at <OFXORD> st", "csv"),
    ],
)
def test_content_tells_the_format_whatever_the_name_says(data: bytes, kind: str) -> None:
    assert detect_format(data) == kind


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"\xef\xbb\xbf \r\n\x00", "empty"),
        (b"%PDF-1.7", "PDF"),
        (b"PK\x03\x04", "spreadsheet"),
        (b"\xd0\xcf\x11\xe0", "Excel"),
        (b"\x1f\x8b\x08", "compressed"),
        (b"\x89PNG\r\n", "picture"),
        (b"<!DOCTYPE html><title>Sign in</title>", "web page"),
        (b'<?xml version="1.0"?><Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.02">', "CAMT"),
        (b"!Type:Bank\nD01/02/2024\n", "QIF"),
        (b":20:STARTUMS\n:25:1/2\n", "MT940"),
    ],
)
def test_what_is_sent_by_mistake_is_named(data: bytes, words: str) -> None:
    with pytest.raises(StatementRejected) as refused:
        parse(data)

    assert words in refused.value.reason


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("UTF-8", "utf-8"),
        ("1252", "cp1252"),
        ("Windows-1250", "cp1250"),
        ("CP850", "cp850"),
        ("8859-1", "cp1252"),
        ("ISO-8859-15", "iso8859_15"),
        ("ISO_8859_2", "iso8859_2"),
        ("US-ASCII", "cp1252"),
        ("Shift_JIS", "cp932"),
        ("rot13", None),
        ("idna", None),
        ("zlib", None),
        ("cp65001", None),
        ("8859-99", None),
        ("", None),
    ],
)
def test_charsets_are_known_by_the_names_that_banks_use(name: str, codec: str | None) -> None:
    assert encoding_named(name) == codec


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Bäckerei Müller, Straßenbahn Zürich, 3 €", "cp1252"),
        ("Libellé; Café à la gare où ça grève; Pâtisserie Noël", "cp1252"),
        ("Descripción; Peña Señor Año Niño", "cp1252"),
        ("Café België één € 5", "cp1252"),
        ("£5, £6, plain words", "cp1252"),
        ("Żabka sklep spożywczy Łódź; Piekarnia Święta Małgorzata", "cp1250"),
        ("Магазин Пятёрочка; Кофейня на углу", "cp1251"),
        ("Καφές στην πλατεία", "cp1253"),
    ],
)
def test_undeclared_text_is_recognised(text: str, encoding: str) -> None:
    assert decode(text.encode(encoding), declared=None, told=None) == text
    assert decode(text.encode("utf-8"), declared=None, told=None) == text


def test_bytes_that_are_no_text_are_refused_with_their_line() -> None:
    with pytest.raises(StatementRejected) as refused:
        decode(b"one\ntwo \x81\x8d\n", declared=None, told=None)

    assert (refused.value.line, refused.value.field) == (2, "encoding")


@pytest.mark.parametrize(
    ("text", "offset", "line"), [("a\nb\nc", 4, 3), ("a\nb\nc", 0, 1), ("a\nb", 1, 1), ("a\rb", 2, 2), ("a\r\nb", 3, 2), ("", 0, 1)]
)
def test_lines_are_counted_from_one(text: str, offset: int, line: int) -> None:
    assert Lines(text).at(offset) == line


def test_a_text_on_one_line_is_trimmed_and_cut() -> None:
    assert one_line("  a \t b\n\nc  ", 100) == "a b c"
    assert one_line("ab cd", 3) == "ab"
    assert one_line("x" * 1_000_000, 10) == "x" * 10


def test_options_survive_json() -> None:
    said: dict[str, Any] = {
        "delimiter": ";",
        "encoding": "utf-8",
        "date_order": "DMY",
        "decimal_separator": ",",
        "columns": {"date": "When", "amount": "How much"},
        "currency": "EUR",
        "account_id": "joint",
        "account_name": "Joint",
        "account_type": "savings",
        "invert_amounts": True,
    }

    assert FileOptions.from_json(said).to_json() == said
    assert FileOptions().to_json() == {}
    assert FileOptions.from_json({"currency": None}) == FileOptions()


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"delimiter": "x"}, "delimiter"),
        ({"date_order": "YDM"}, "date_order"),
        ({"decimal_separator": "'"}, "decimal_separator"),
        ({"account_type": "cash"}, "account_type"),
        ({"currency": "euro"}, "currency"),
        ({"currency": "eur"}, "currency"),
        ({"encoding": " "}, "encoding"),
        ({"account_name": ""}, "account_name"),
        ({"account_id": "x" * 256}, "account_id"),
        ({"columns": {"sum": "Sum"}}, "columns.sum"),
        ({"columns": {"date": 0}}, "columns.date"),
        ({"columns": {"date": True}}, "columns.date"),
        ({"columns": {"date": ""}}, "columns.date"),
        ({"columns": {"date": 1, "amount": "Sum"}}, "columns"),
        ({"columns": "date"}, "columns"),
        ({"invert_amounts": "yes"}, "invert_amounts"),
        ({"sheet": 1}, "sheet"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(options: dict[str, Any], field: str) -> None:
    with pytest.raises(StatementOptionsInvalid) as refused:
        FileOptions.from_json(options)

    assert refused.value.field == field
