"""What the columns of a bank's CSV file are called, in the languages banks write.

Headers are compared without case, accents and punctuation, and without a currency at their end ("Betrag (EUR)").
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from domains.bank.errors import StatementRejected
from domains.bank.providers.file.csv_headers import HEADERS
from domains.bank.providers.file.text import one_line
from domains.core import currencies

#: header -> language -> role. A word may mean two things: "valuta" is the value date in German, the currency in Dutch.
_MEANINGS: dict[str, dict[str, str]] = {}
for _language, _roles in HEADERS.items():
    for _role, _words in _roles.items():
        for _word in _words.split("|"):
            _MEANINGS.setdefault(_word, {})[_language] = _role

#: Of these the first that a file has is the day its rows are booked under.
_DATES = ("posted_date", "date", "transaction_date", "value_date")
#: Told one of a group, the others of the group are not guessed: they would compete with it.
_GROUPS = (frozenset(_DATES), frozenset({"amount", "debit", "credit"}), frozenset({"description", "payee", "memo"}))
#: Roles that take all columns that fit; every other takes the first.
_JOINED = frozenset({"description", "payee", "memo"})
_NET = frozenset({"net", "net amount"})
_CURRENCY_AT_END = re.compile(r"(.+?)(?: (?:in|en))? (euros?|[a-z]{3})")
_PUNCTUATION = re.compile(r"[^\w]|_")
_MAX_HEADER_CHARS = 200
_SYMBOLS = {"€": " eur ", "£": " gbp "}


@dataclass(frozen=True, slots=True)
class Columns:
    """Which column (counted from 0) has which role.

    languages: those that the headers can be in, fewer the better they are known; empty when columns were named by number.
    currency: one that a header of money names.
    """

    places: Mapping[str, tuple[int, ...]]
    languages: frozenset[str]
    currency: str | None
    width: int
    has_header: bool = True

    def first(self, role: str) -> int | None:
        places = self.places.get(role)
        return places[0] if places else None

    @property
    def date_role(self) -> str | None:
        """The date that a row is booked under: the best that there is."""
        return next((role for role in _DATES if role in self.places), None)

    @property
    def is_usable(self) -> bool:
        money = "amount" in self.places or "debit" in self.places or "credit" in self.places
        return self.date_role is not None and money


def recognized(header: Sequence[str], told: Mapping[str, str | int]) -> Columns:
    """The columns of a header row. Headers that the owner named (`told`) win.

    Errors: StatementRejected when the owner named a header that is not there.
    """
    names = [normalized(cell) for cell in header]
    languages = _languages_of(names)
    places = {role: (_place_of(role, wanted, header, names),) for role, wanted in told.items()}
    taken = {place for found in places.values() for place in found}
    settled = {role for group in _GROUPS if group & told.keys() for role in group} | told.keys()
    for place, name in enumerate(names):
        role = _role_of(name, languages)
        if role == "own_or_other_account":
            role = None if any(date in places for date in _DATES) else "account"
        if role is None or role in settled or place in taken:
            continue
        if role not in places or role in _JOINED:
            places[role] = (*places.get(role, ()), place)
    if "fee" in places and "fee" not in told and "amount" in places and names[places["amount"][0]] in _NET:
        del places["fee"]  # taken off already
    return Columns(places, languages, _header_currency(header, places), len(header))


def by_number(told: Mapping[str, str | int], width: int) -> Columns:
    """The columns when the owner gave numbers: the file has no header."""
    places = {role: (int(number) - 1,) for role, number in told.items()}
    for role, (place,) in places.items():
        if place >= width:
            raise StatementRejected(f"There is no column {place + 1}: rows have {width} columns.", field=f"columns.{role}")
    return Columns(places, frozenset(), None, width, has_header=False)


def normalized(cell: str) -> str:
    """A header's words in lower case, without accents, punctuation and a currency at the end."""
    return _parted(cell)[0]


def may_mean(cell: str, *roles: str) -> bool:
    """Whether a cell reads as a header of one of these roles in any language."""
    return any(role in roles for role in _MEANINGS.get(normalized(cell), {}).values())


def _parted(cell: str) -> tuple[str, str | None]:
    """The words of a header and the currency at their end, if what stands before it is a header that is known."""
    if len(cell) > _MAX_HEADER_CHARS:
        return "", None
    for symbol, code in _SYMBOLS.items():
        cell = cell.replace(symbol, code)
    unaccented = "".join(each for each in unicodedata.normalize("NFKD", cell.casefold()) if not unicodedata.combining(each))
    plain = " ".join(_PUNCTUATION.sub(" ", unaccented).split())
    match = _CURRENCY_AT_END.fullmatch(plain)
    if match and match[1] in _MEANINGS:
        code = "EUR" if match[2].startswith("euro") else match[2].upper()
        if currencies.is_known(code):
            return match[1], code
    return plain, None


def _languages_of(names: Sequence[str]) -> frozenset[str]:
    """The languages that explain most of the headers."""
    score = {language: sum(language in _MEANINGS.get(name, {}) for name in names) for language in HEADERS}
    best = max(score.values())
    return frozenset(language for language, count in score.items() if count == best) if best else frozenset()


def _role_of(name: str, languages: frozenset[str]) -> str | None:
    meanings = _MEANINGS.get(name)
    if not meanings:
        return None
    preferred = [meanings[language] for language in HEADERS if language in languages and language in meanings]
    return preferred[0] if preferred else next(iter(meanings.values()))


def _place_of(role: str, wanted: str | int, header: Sequence[str], names: Sequence[str]) -> int:
    exact = [place for place, cell in enumerate(header) if cell.strip() == str(wanted).strip()]
    alike = [place for place, name in enumerate(names) if name and name == normalized(str(wanted))]
    found = exact or alike
    if not found:
        seen = ", ".join(one_line(cell, 40) for cell in header[:20])
        raise StatementRejected(f"There is no column {one_line(str(wanted), 60)!r}. There are: {seen}.", field=f"columns.{role}")
    return found[0]


def _header_currency(header: Sequence[str], places: Mapping[str, tuple[int, ...]]) -> str | None:
    found = set()
    for role in ("amount", "debit", "credit"):
        for place in places.get(role, ()):
            _, currency = _parted(header[place])
            if currency is not None:
                found.add(currency)
    return found.pop() if len(found) == 1 else None
