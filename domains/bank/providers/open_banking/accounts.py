"""Accounts as a bank lists them, and who they are in every consent. No I/O.

Words of 4.0 (ISO 20022: ExternalCashAccountType1Code) and those of 3.1 (OBExternalAccountSubType1Code).
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from domains.bank import rules
from domains.bank.providers import reading
from domains.bank.providers.open_banking.config import BankConfig
from domains.bank.providers.protocol import AccountType

#: The bank's word -> our type, subtype, and a name for an account that has none.
_TYPES: Final[Mapping[str, tuple[AccountType, str, str]]] = {
    "CACC": ("checking", "checking", "Current account"),
    "TRAN": ("checking", "checking", "Current account"),
    "SLRY": ("checking", "checking", "Current account"),
    "ODFT": ("checking", "checking", "Current account"),
    "CASH": ("checking", "cash management", "Cash account"),
    "WALT": ("checking", "ewallet", "Wallet"),
    "SVGS": ("savings", "savings", "Savings account"),
    "LLSV": ("savings", "savings", "Savings account"),
    "ONDP": ("savings", "savings", "Savings account"),
    "MOMA": ("savings", "money market", "Money market account"),
    "CARD": ("credit", "credit card", "Card"),
    "LOAN": ("loan", "loan", "Loan"),
    "MGLD": ("loan", "loan", "Loan"),
    "MORT": ("loan", "mortgage", "Mortgage"),
    "TRAS": ("investment", "brokerage", "Investment account"),
    "CURRENTACCOUNT": ("checking", "checking", "Current account"),
    "EMONEY": ("checking", "ewallet", "Wallet"),
    "PREPAIDCARD": ("checking", "prepaid", "Prepaid card"),
    "SAVINGS": ("savings", "savings", "Savings account"),
    "CREDITCARD": ("credit", "credit card", "Credit card"),
    "CHARGECARD": ("credit", "charge card", "Charge card"),
    "MORTGAGE": ("loan", "mortgage", "Mortgage"),
}
_OTHER: Final[tuple[AccountType, str, str]] = ("checking", "other", "Account")
#: Accounts that are not there (yet, or any more).
_ABSENT: Final = frozenset({"DELETED", "PENDING", "PROFORMA"})
#: Which of several identifications says who an account is: the first of these. A card's number changes when the card is replaced.
_SCHEMES: Final = ("SORTCODEACCOUNTNUMBER", "IBAN", "BBAN", "WALLET", "PAYM", "PAN")
_HIDDEN: Final = re.compile(r"[*•#]|[Xx]{3}")
_IDENTIFICATION_CHARS: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedAccount:
    """resource_id: the bank's id in this consent, which may be another one in the next. The others: as in StatementAccount."""

    resource_id: str
    provider_account_id: str
    persistent_id: str | None
    name: str
    official_name: str | None
    mask: str | None
    account_type: AccountType
    account_subtype: str
    currency: str | None


def read_accounts(rows: Iterable[Any], bank: BankConfig, secret: bytes) -> list[ListedAccount]:
    """The accounts of all pages, each once.

    An account is named by a keyed hash of its identification, or where it has none (or one that two of them share) of the bank's id for
    it, which may be another one in the next consent. One that is partly hidden, as cards' are, tells the accounts of one connection
    apart, and is no lasting name beyond it. No number is kept in clear. Errors: ProviderGarbled.
    """
    found: dict[str, ListedAccount] = {}
    for index, row in enumerate(rows):
        account = _account(row, f"Account[{index}]", bank, secret)
        if account is not None:
            found[account.resource_id] = account
    times = Counter(account.provider_account_id for account in found.values())
    return [account if times[account.provider_account_id] == 1 else _by_resource(account, bank, secret) for account in found.values()]


def _account(row: Any, field: str, bank: BankConfig, secret: bytes) -> ListedAccount | None:
    resource_id = reading.identifier(reading.member(row, "AccountId", field), f"{field}.AccountId")
    status = reading.optional_word(row.get("Status"), f"{field}.Status")
    if status is not None and status.upper() in _ABSENT:
        return None
    kind = reading.optional_word(row.get("AccountTypeCode") or row.get("AccountSubType"), f"{field}.AccountTypeCode")
    account_type, subtype, label = _TYPES.get(_bare(kind or ""), _OTHER)
    currency = row.get("Currency")
    description = reading.optional_text(row.get("Description"), f"{field}.Description")
    named = _identification(row, field)
    account = ListedAccount(
        resource_id=resource_id,
        provider_account_id="",
        persistent_id=None,
        name=reading.optional_text(row.get("Nickname"), f"{field}.Nickname") or description or label,
        official_name=description,
        mask=None if named is None else rules.account_mask(named[1]),
        account_type=account_type,
        account_subtype=subtype,
        currency=None if currency is None else reading.currency(currency, f"{field}.Currency"),
    )
    if named is None:
        return _by_resource(account, bank, secret)
    ours = rules.account_id(secret, "open banking", bank.id, *named, account.currency or "")
    return replace(account, provider_account_id=ours, persistent_id=None if _HIDDEN.search(named[1]) else ours)


def _by_resource(account: ListedAccount, bank: BankConfig, secret: bytes) -> ListedAccount:
    named = rules.account_id(secret, "open banking resource", bank.id, account.resource_id)
    return replace(account, provider_account_id=named, persistent_id=None)


def _identification(row: Mapping[str, Any], field: str) -> tuple[str, str, str] | None:
    """Scheme, number and second number of the identification that ranks first."""
    found = []
    for index, each in enumerate(reading.items(row.get("Account"), f"{field}.Account")):
        place = f"{field}.Account[{index}]"
        scheme = _bare(reading.word(reading.member(each, "SchemeName", place), f"{place}.SchemeName").rpartition(".")[2])
        number = reading.identifier(each.get("Identification"), f"{place}.Identification", _IDENTIFICATION_CHARS)
        second = reading.optional_identifier(each.get("SecondaryIdentification"), f"{place}.SecondaryIdentification")
        found.append((scheme, number, second or ""))
    return min(found, key=_rank, default=None)


def _rank(named: tuple[str, str, str]) -> tuple[bool, int, tuple[str, str, str]]:
    is_hidden = _HIDDEN.search(named[1]) is not None
    return is_hidden, _SCHEMES.index(named[0]) if named[0] in _SCHEMES else len(_SCHEMES), named


def _bare(word: str) -> str:
    return "".join(each for each in word if each.isalnum()).upper()
