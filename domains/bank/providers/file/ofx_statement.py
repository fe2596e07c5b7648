"""OFX and its Quicken dialect (QFX) as statements: bank accounts, cards, and the cash of investment accounts."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from domains.bank import rules
from domains.bank.errors import StatementRejected
from domains.bank.providers.file.ofx_investment import cash_rows, security_names, total_value
from domains.bank.providers.file.ofx_transaction import bank_row
from domains.bank.providers.file.ofx_tree import Aggregate, read_tree
from domains.bank.providers.file.ofx_values import ACCOUNT_TYPES, Values
from domains.bank.providers.file.options import FileOptions
from domains.bank.providers.file.rows import Draft, identified
from domains.bank.providers.file.text import Lines, decode, one_line
from domains.bank.providers.file.values import MAX_ACCOUNTS, MAX_TRANSACTIONS, TOO_MANY, DateRange, name_text
from domains.bank.providers.protocol import AccountType, Statement, StatementAccount

_HEADER_BYTES = 65_536
_START = re.compile(r"<OFX(?:\s[^<>]*)?/?>", re.IGNORECASE)
_CHARSET = re.compile(r"CHARSET\s*:\s*(NONE|[0-9]{3,5}|[A-Za-z0-9._-]{1,20}?)(?=\s|COMPRESSION|$)", re.IGNORECASE)
_ENCODING = re.compile(r"ENCODING\s*:\s*(UNICODE|UTF-?8)", re.IGNORECASE)
_XML_ENCODING = re.compile(r"<\?xml[^<>]{0,200}?\sencoding\s*=\s*[\"']([A-Za-z0-9._-]{1,40})[\"']", re.IGNORECASE)

_LABELS = {
    "checking": "Checking",
    "savings": "Savings",
    "credit": "Credit card",
    "investment": "Investments",
    "loan": "Loan",
}


@dataclass(slots=True)
class _Account:
    """An account while its statements are gathered: one file may hold several of the same."""

    bank: str
    number: str
    kind: str
    account_type: AccountType
    subtype: str | None
    place: Aggregate
    official_name: str | None = None
    currency: str | None = None
    balance: Decimal | None = None
    available: Decimal | None = None
    balance_on: date | None = None
    drafts: list[Draft] = field(default_factory=list)


def parse_ofx(data: bytes, provider: str, options: FileOptions, days: DateRange, secret: bytes) -> Statement:
    """Errors: StatementRejected."""
    text = decode(data, declared=_declared_charset(data), told=options.encoding)
    lines = Lines(text)
    start = _START.search(text)
    if start is None:
        raise StatementRejected("The file has an OFX header but no <OFX>: it is cut short. Download it again.", line=lines.at(len(text)))
    if entity := re.search("<!ENTITY", text[: start.start()], re.IGNORECASE):
        raise StatementRejected("Entities are declared here, which statements do not need.", line=lines.at(entity.start()))
    root = read_tree(text, start.start(), lines)
    return _Reading(root, Values(text, lines, days, invert_amounts=options.invert_amounts), options, secret).statement(provider)


def _declared_charset(data: bytes) -> str | None:
    head = data[:_HEADER_BYTES].decode("latin-1")
    start = _START.search(head)
    header = head[: start.start()] if start else head[:2_048]
    if match := _XML_ENCODING.search(header):
        return match[1]
    if _ENCODING.search(header):
        return "utf-8"
    match = _CHARSET.search(header)
    return match[1] if match and match[1].upper() != "NONE" else None


class _Reading:
    def __init__(self, root: Aggregate, values: Values, options: FileOptions, secret: bytes) -> None:
        self.root = root
        self.values = values
        self.options = options
        self.secret = secret
        self.accounts: dict[tuple[str, str, str], _Account] = {}
        self.institution_id: str | None = None
        self.institution_name: str | None = None
        self.securities = security_names(root)
        self.rows = 0
        self.left_out = 0

    def statement(self, provider: str) -> Statement:
        self._read_sign_on()
        for response in self._responses():
            self._read_response(response)
        self._read_account_list()
        if not self.accounts:
            raise StatementRejected("The file is a whole OFX answer but holds no account and no statement. Export the statement itself.")
        self._check_account_options()
        return Statement(
            provider=provider,
            institution_id=self.institution_id,
            institution_name=self.institution_name,
            accounts=[self._finished(account) for account in self.accounts.values()],
            left_out=self.left_out,
        )

    def _read_sign_on(self) -> None:
        for message_set in self.root.all("SIGNONMSGSRSV1"):
            for answer in message_set.all("SONRS"):
                self._check_status(answer, "signing on failed")
                institution = answer.child("FI")
                brand = answer.value("INTU.BID")
                self.institution_id = name_text(institution.value("FID") if institution is not None else None) or name_text(brand)
                self.institution_name = name_text(institution.value("ORG") if institution is not None else None)

    def _responses(self) -> Iterator[Aggregate]:
        """The statement responses, in the order of the file, each with a status that is not an error."""
        for message_set in self.root.children:
            for wrapper in message_set.children:
                if wrapper.tag in ("STMTTRNRS", "CCSTMTTRNRS", "INVSTMTTRNRS", "ACCTINFOTRNRS"):
                    self._check_status(wrapper, "it gave no statement")
                    yield from (each for each in wrapper.children if each.tag in ("STMTRS", "CCSTMTRS", "INVSTMTRS"))

    def _check_status(self, answer: Aggregate, what: str) -> None:
        status = answer.child("STATUS")
        if status is None:
            return
        severity, code = (status.value("SEVERITY") or "").upper(), status.value("CODE") or "0"
        if severity == "ERROR" or (not severity and code.strip("0")):
            message = one_line(status.value("MESSAGE") or "", 300) or "no reason is given"
            raise StatementRejected(f"The bank answered that {what}: {message} (code {one_line(code, 20)}).", line=self.values.line(status))

    def _read_response(self, response: Aggregate) -> None:
        account = self._account(response)
        account.currency = self.values.currency(response, "CURDEF") or account.currency
        self._read_balances(account, response)
        if response.tag == "INVSTMTRS":
            self._read_investments(account, response)
            return
        for listed in response.all("BANKTRANLIST"):
            for row in listed.children:
                if row.tag != "STMTTRN":
                    raise StatementRejected(f"<{row.tag}> is no transaction that can be read.", line=self.values.line(row))
                self._add(account, [bank_row(row, self.values, lambda: self._currency_of(account))])
        # A pending row has no id that survives its posting: taken now, it would be counted twice later.
        self.left_out += sum(len(pending.all("STMTTRNP")) for pending in response.all("BANKTRANLISTP"))

    def _read_investments(self, account: _Account, response: Aggregate) -> None:
        for listed in response.all("INVTRANLIST"):
            for row in listed.children:
                if row.tag == "INVBANKTRAN":
                    self._add(account, [bank_row(each, self.values, lambda: self._currency_of(account)) for each in row.all("STMTTRN")])
                else:
                    self._add(account, cash_rows(row, self.values, lambda: self._currency_of(account), self.securities))
        positions = [position for held in response.all("INVPOSLIST") for position in held.all("INVPOS")]
        account.balance = total_value(response, positions, self.values, account.currency)
        cash = response.child("INVBAL")
        account.available = self.values.balance(cash, "AVAILCASH")
        account.balance_on = self.values.day_or_none(response, "DTASOF") if account.balance is not None else None
        if response.child("INV401KBAL") is not None:
            account.subtype = "401k"

    def _add(self, account: _Account, drafts: list[Draft]) -> None:
        account.drafts.extend(drafts)
        self.rows += len(drafts)
        if self.rows > MAX_TRANSACTIONS:
            raise StatementRejected(TOO_MANY)

    def _account(self, response: Aggregate) -> _Account:
        for tag in ("BANKACCTFROM", "CCACCTFROM", "INVACCTFROM"):
            named = response.child(tag)
            if named is not None:
                return self._account_named(named)
        raise StatementRejected("This statement does not say which account it is of.", line=self.values.line(response))

    def _account_named(self, named: Aggregate) -> _Account:
        number = named.value("ACCTID")
        if number is None:
            raise StatementRejected("An account here has no number (<ACCTID> is missing or empty).", line=self.values.line(named))
        bank = named.value("BANKID") or named.value("BROKERID") or ""
        kind = {"CCACCTFROM": "CREDITCARD", "INVACCTFROM": "INVESTMENT"}.get(named.tag) or (named.value("ACCTTYPE") or "").upper()
        key = (rules.bare_number(bank), rules.bare_number(number), rules.bare_number(kind))
        if key not in self.accounts:
            if len(self.accounts) >= MAX_ACCOUNTS:
                raise StatementRejected(f"The file holds more than {MAX_ACCOUNTS} accounts.", line=self.values.line(named))
            account_type, subtype = self._type_of(kind)
            self.accounts[key] = _Account(bank, number, kind, account_type, subtype, named)
        return self.accounts[key]

    def _type_of(self, kind: str) -> tuple[AccountType, str | None]:
        if self.options.account_type is not None:
            return self.options.account_type, None
        if kind == "CREDITCARD":
            return "credit", "credit_card"
        if kind == "INVESTMENT":
            return "investment", "brokerage"
        return ACCOUNT_TYPES.get(kind, ("checking", None))

    def _read_balances(self, account: _Account, response: Aggregate) -> None:
        """The latest balance, where a file holds several statements of one account."""
        ledger, available = response.child("LEDGERBAL"), response.child("AVAILBAL")
        on = self.values.day_or_none(ledger, "DTASOF") if ledger is not None else None
        if account.balance_on is not None and (on is None or on < account.balance_on):
            return
        account.balance = self.values.balance(ledger, "BALAMT")
        account.available = self.values.balance(available, "BALAMT")
        account.balance_on = on if account.balance is not None else None

    def _read_account_list(self) -> None:
        """Names for the accounts of the statements, and accounts that the bank lists without a statement."""
        for message_set in self.root.all("SIGNUPMSGSRSV1"):
            for wrapper in message_set.all("ACCTINFOTRNRS"):
                for listing in wrapper.all("ACCTINFORS"):
                    for entry in listing.all("ACCTINFO"):
                        self._read_listed(entry)

    def _read_listed(self, entry: Aggregate) -> None:
        for named in entry.children:
            if named.tag in ("BANKACCTFROM", "CCACCTFROM", "INVACCTFROM"):
                self._account_named(named).official_name = name_text(entry.value("DESC"))

    def _currency_of(self, account: _Account) -> str:
        """Errors: StatementRejected when neither the file nor the options name one."""
        currency = account.currency or self.options.currency
        if currency is None:
            reason = "The file does not say which currency this account is in. State the `currency`."
            raise StatementRejected(reason, line=self.values.line(account.place), field="currency")
        return currency

    def _check_account_options(self) -> None:
        for name in ("account_id", "account_name", "account_type"):
            if len(self.accounts) > 1 and getattr(self.options, name) is not None:
                reason = f"The file holds {len(self.accounts)} accounts, so no single one can be described."
                raise StatementRejected(reason, field=name)

    def _finished(self, account: _Account) -> StatementAccount:
        if account.currency is None:
            stated = {draft.currency for draft in account.drafts}
            account.currency = stated.pop() if len(stated) == 1 else None
        chosen = self.options.account_id
        parts = ("told", chosen) if chosen else ("ofx", account.bank, account.number, account.kind)
        label = _LABELS[account.account_type]
        return StatementAccount(
            provider_account_id=rules.account_id(self.secret, *parts),
            name=self.options.account_name or account.official_name or name_text(f"{self.institution_name or ''} {label}") or label,
            currency=self._currency_of(account),
            account_type=account.account_type,
            account_subtype=account.subtype,
            official_name=account.official_name,
            mask=rules.account_mask(account.number),
            current_balance=account.balance,
            available_balance=account.available,
            balance_on=account.balance_on,
            transactions=identified(account.drafts),
        )
