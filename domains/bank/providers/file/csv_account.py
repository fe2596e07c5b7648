"""Which account a CSV file is of: few say it in the rows, some above them, most only in the file's name or not at all."""

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

from domains.bank import rules
from domains.bank.providers.file.csv_columns import may_mean
from domains.bank.providers.file.options import FileOptions, is_currency_code
from domains.bank.providers.file.text import clean
from domains.bank.providers.file.values import name_text

_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}")
_ACCOUNT_NUMBER = re.compile(r"[A-Z0-9*Xx./ -]*[0-9]{3}[A-Z0-9*Xx./ -]*")
_MAX_NUMBER_CHARS = 64
#: What changes from one download of the same account to the next: dates, months, "(1)", "copy".
_YEAR_FIRST = r"(?:19|20)[0-9]{2}(?:[-_. ]?[01][0-9](?:[-_. ]?[0-3][0-9])?)?"
_YEAR_LAST = r"[0-3]?[0-9][-_. ][01]?[0-9][-_. ](?:19|20)?[0-9]{2}"
_DATE_IN_NAME = re.compile(rf"(?<![0-9])(?:{_YEAR_LAST}|{_YEAR_FIRST})(?![0-9])")
_TIME_IN_NAME = re.compile(r"(?<![0-9])[0-2][0-9][-_.h:]?[0-5][0-9](?:[-_.:]?[0-5][0-9])?(?![0-9])")
_COPY_IN_NAME = re.compile(r"\(\d{1,3}\)|\bcopy\b|\bkopie\b|\bcopie\b|\bcopia\b", re.IGNORECASE)
_MONTH_IN_NAME = re.compile(r"(?<![a-z])(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)(?:[a-z]{0,6})(?![a-z])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class AccountIdentity:
    provider_account_id: str
    name: str
    mask: str | None


def identity_of(number: str | None, filename: str, options: FileOptions, secret: bytes) -> AccountIdentity:
    """Who an account is, by the best that is known: the owner's word, its number, the name it was given, the file's name."""
    named = options.account_name
    file_label = _label_in(filename)
    if options.account_id:
        key = ("told", options.account_id)
    elif number:
        key = ("csv number", number)
    elif named:
        key = ("csv name", named)
    else:
        key = ("csv file", file_label)
    mask = rules.account_mask(number) if number else None
    return AccountIdentity(rules.account_id(secret, *key), named or name_text(file_label) or "Account", mask)


def number_above(preamble: Sequence[Sequence[str]]) -> str | None:
    """The account's number as it stands above the table, if it does: an IBAN, or what follows a label for one."""
    for row in preamble:
        for cell in row:
            for word in (cell, *re.split(r"[:\s]", cell)):
                compact = re.sub(r"\s", "", word).upper()
                if _IBAN.fullmatch(compact) and _iban_holds(compact):
                    return compact
    for row in preamble:
        for label, value in itertools.pairwise(row):
            plain = value.strip()
            if may_mean(label, "account", "own_or_other_account") and len(plain) <= _MAX_NUMBER_CHARS and _ACCOUNT_NUMBER.fullmatch(plain):
                return plain
    return None


def currency_above(preamble: Sequence[Sequence[str]]) -> str | None:
    """The currency as it stands above the table, beside a label for it."""
    for row in preamble:
        for label, value in itertools.pairwise(row):
            if may_mean(label, "currency") and is_currency_code(value.strip().upper()):
                return value.strip().upper()
    return None


def _label_in(filename: str) -> str:
    """A file's name without what changes from one download to the next."""
    stem = PurePath(clean(filename[-255:]).replace("\\", "/")).stem
    for changing in (_COPY_IN_NAME, _DATE_IN_NAME, _TIME_IN_NAME, _MONTH_IN_NAME):
        stem = changing.sub(" ", stem)
    return " ".join(re.sub(r"[_\s-]+", " ", stem).split()).strip(" .,") or "Account"


def _iban_holds(iban: str) -> bool:
    """ISO 13616: moved and spelled in digits, the remainder by 97 is one."""
    return int("".join(str(int(each, 36)) for each in iban[4:] + iban[:4])) % 97 == 1
