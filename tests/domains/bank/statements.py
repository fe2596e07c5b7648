"""Statement files made for the tests, and a provider with a clock that stands still."""

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from domains.bank.providers.file.options import FileOptions
from domains.bank.providers.file.provider import FileProvider
from domains.bank.providers.protocol import Statement, StatementAccount, StatementTransaction
from domains.core.clock import FixedClock

TODAY = datetime(2026, 11, 22, 12, tzinfo=UTC)
PROVIDER = FileProvider(FixedClock(TODAY), secret=b"a secret of this installation")

HEADER = """OFXHEADER:100
DATA:OFXSGML
VERSION:102
SECURITY:NONE
ENCODING:USASCII
CHARSET:1252
COMPRESSION:NONE
OLDFILEUID:NONE
NEWFILEUID:NONE

"""
XML_HEADER = (
    '<?xml version="1.0" encoding="UTF-8" standalone="no"?>\n'
    '<?OFX OFXHEADER="200" VERSION="211" SECURITY="NONE" OLDFILEUID="NONE" NEWFILEUID="NONE"?>\n'
)
SIGN_ON = (
    "<SIGNONMSGSRSV1><SONRS><STATUS><CODE>0<SEVERITY>INFO</STATUS><DTSERVER>20240131<LANGUAGE>ENG"
    "<FI><ORG>Test Bank<FID>4711</FI></SONRS></SIGNONMSGSRSV1>\n"
)
ACCOUNT = "<BANKACCTFROM><BANKID>10020030<ACCTID>DE-123 4567 8901<ACCTTYPE>CHECKING</BANKACCTFROM>"


def parse(data: bytes | str, filename: str = "statement", **options: Any) -> Statement:
    content = data.encode() if isinstance(data, str) else data
    return PROVIDER.parse(content, filename, FileOptions.from_json(options))


def only_account(data: bytes | str, filename: str = "statement", **options: Any) -> StatementAccount:
    (account,) = parse(data, filename, **options).accounts
    return account


def rows_of(data: bytes | str, filename: str = "statement", **options: Any) -> list[StatementTransaction]:
    return list(only_account(data, filename, **options).transactions)


def signed(transaction: StatementTransaction) -> Decimal:
    return transaction.amount if transaction.direction == "credit" else -transaction.amount


def row(
    date: str = "20240115",
    amount: str = "-12.50",
    fitid: str | None = None,
    name: str | None = "Coffee",
    memo: str | None = None,
    extra: str = "",
) -> str:
    """One <STMTTRN> on a line of its own, leaves left open."""
    leaves = [f"<TRNTYPE>DEBIT<DTPOSTED>{date}<TRNAMT>{amount}"]
    leaves += [f"<{tag}>{text}" for tag, text in (("FITID", fitid), ("NAME", name), ("MEMO", memo)) if text is not None]
    return f"<STMTTRN>{''.join(leaves)}{extra}</STMTTRN>\n"


def body(rows: Iterable[str] = (), account: str = ACCOUNT, balance: str = "", currency: str = "EUR", sign_on: str = SIGN_ON) -> str:
    return (
        f"<OFX>\n{sign_on}<BANKMSGSRSV1><STMTTRNRS><TRNUID>1<STATUS><CODE>0<SEVERITY>INFO</STATUS>\n"
        f"<STMTRS><CURDEF>{currency}{account}\n<BANKTRANLIST><DTSTART>20240101<DTEND>20240131\n"
        f"{''.join(rows)}</BANKTRANLIST>{balance}</STMTRS></STMTTRNRS></BANKMSGSRSV1></OFX>\n"
    )


def ofx(rows: Iterable[str] = (), account: str = ACCOUNT, balance: str = "", currency: str = "EUR", sign_on: str = SIGN_ON) -> str:
    """An OFX 1.02 statement of one bank account."""
    return HEADER + body(rows, account, balance, currency, sign_on)


def investment(entries: str, balances: str = "", securities: str = "", currency: str = "USD") -> str:
    """An OFX 1.02 statement of one investment account."""
    return (
        f"{HEADER}<OFX>{SIGN_ON}<INVSTMTMSGSRSV1><INVSTMTTRNRS><TRNUID>1<STATUS><CODE>0<SEVERITY>INFO</STATUS>\n"
        f"<INVSTMTRS><DTASOF>20240131<CURDEF>{currency}<INVACCTFROM><BROKERID>broker.example<ACCTID>77-001</INVACCTFROM>\n"
        f"<INVTRANLIST><DTSTART>20240101<DTEND>20240131\n{entries}</INVTRANLIST>{balances}</INVSTMTRS></INVSTMTTRNRS></INVSTMTMSGSRSV1>\n"
        f"<SECLISTMSGSRSV1><SECLIST>{securities}</SECLIST></SECLISTMSGSRSV1></OFX>"
    )
