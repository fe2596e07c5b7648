"""What kind of file it is, from its content: a name's extension says what somebody hoped."""

import re
from typing import Literal

from domains.bank.errors import StatementRejected

Format = Literal["ofx", "csv"]

_HEAD_BYTES = 65_536
_OFX = re.compile(rb"<OFX[\s/>]|OFXHEADER\s*[:=]", re.IGNORECASE)
_ASK = "Ask the bank for OFX, QFX or CSV instead."

#: Beginnings of what people send by mistake, and what to say.
_OTHERS: tuple[tuple[bytes, str], ...] = (
    (b"%PDF-", f"This is a PDF, made for people to read. {_ASK}"),
    (b"PK\x03\x04", "This is a ZIP archive or a spreadsheet. Unpack it, or save the sheet as CSV."),
    (b"\xd0\xcf\x11\xe0", "This is an old Excel spreadsheet. Save it as CSV."),
    (b"\x1f\x8b", "This is a compressed file. Unpack it first."),
    (b"\x89PNG", f"This is a picture. {_ASK}"),
    (b"\xff\xd8\xff", f"This is a picture. {_ASK}"),
    (b"{\\rtf", f"This is a word processor's document. {_ASK}"),
)
_WEB_PAGE = "This is a web page, perhaps the bank's sign-in. Download the statement again."
_MARKUP: tuple[tuple[re.Pattern[bytes], str], ...] = (
    (re.compile(rb"<!doctype\s+html|<html[\s>]", re.IGNORECASE), _WEB_PAGE),
    (re.compile(rb"urn:iso:std:iso:20022"), f"This is a CAMT statement, which is not read. {_ASK}"),
    (re.compile(rb"\A\s*!Type:|\A\s*!Account", re.IGNORECASE), f"This is a QIF file, which is not read. {_ASK}"),
    (re.compile(rb"\A\s*(?:\{1:|:20:)"), f"This is an MT940 statement, which is not read. {_ASK}"),
)


def detect_format(data: bytes) -> Format:
    """Errors: StatementRejected for an empty file and for what is certainly no statement that is read here."""
    if not data.strip(b" \t\r\n\x00\xef\xbb\xbf"):
        raise StatementRejected("The file is empty.")
    for beginning, reason in _OTHERS:
        if data.startswith(beginning):
            raise StatementRejected(reason)
    head = data[:_HEAD_BYTES].replace(b"\x00", b"")  # so that UTF-16 is recognised too
    if head.startswith((b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")):
        head = head.lstrip(b"\xff\xfe\xef\xbb\xbf")
    if _OFX.search(head):
        return "ofx"
    for pattern, reason in _MARKUP:
        if pattern.search(head):
            raise StatementRejected(reason)
    return "csv"
