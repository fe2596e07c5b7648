"""Who is who: the same account and the same movement, recognised in every statement that holds them. And when a bank is asked again."""

import hashlib
import hmac
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Final, Protocol, TypeVar
from uuid import UUID

_ID_DIGITS = 40  # of SHA-256, hexadecimal: 160 bits
_MASK_CHARS = 4
#: Ids that say "none", in the spelling that `_bare` gives.
_NO_ID = frozenset({"", "none", "null", "nil", "na", "nonref", "notprovided", "unknown", "undefined", "fitid"})
#: A shorter number is a position in the file, not an identity: some banks count each download from 1.
_SHORTEST_NUMBER = 6

#: When a fetch that failed is tried again: after the first, second, ... failure in a row; then the calendar says when.
RETRIES: Final = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=30), timedelta(hours=2))
#: After how many failures in a row a connection counts as broken, and its owner is told.
BROKEN_AFTER: Final = len(RETRIES)
#: While a provider still gathers the history of a new connection it is asked again so soon, for so long.
NOT_READY_AGAIN: Final = timedelta(minutes=1)
NOT_READY_FOR: Final = timedelta(hours=2)
#: At most one fetch by hand in so long.
BY_HAND_EVERY: Final = timedelta(minutes=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

Given = TypeVar("Given")
Known = TypeVar("Known")


class Movement(Protocol):
    """What makes a movement of money itself; a StatementTransaction is one."""

    @property
    def transaction_date(self) -> date: ...
    @property
    def amount(self) -> Decimal: ...
    @property
    def currency(self) -> str: ...
    @property
    def direction(self) -> str: ...
    @property
    def original_description(self) -> str: ...


def occurrence_ids(movements: Iterable[Movement]) -> list[str]:
    """An id per movement of one account that has none from its bank, in the order given.

    It is made of date, amount, direction, description and the how-manieth of its like it is. So two equal coffees on one day
    are two, and any statement that holds the whole day gives both the ids they had before, in whatever order it lists them.
    """
    seen: Counter[str] = Counter()
    ids = []
    for movement in movements:
        key = "\x1f".join((_money_key(movement), comparable(movement.original_description)))
        seen[key] += 1
        ids.append(_digest("row", key, str(seen[key])))
    return ids


def bank_ids(numbers: Sequence[str], movements: Sequence[Movement], content: Callable[[int], object]) -> list[str | None]:
    """An id per movement of one account that its bank numbered; None for a row listed a second time.

    The id is bound to date and amount: a bank that uses a number again for something else adds a row, and never rewrites
    another one. Rows that share number, date and amount but not their content are counted in the order of their content.
    The very same row twice is one; only where the bank's number is shown to be no identity (it stands on rows of another date
    or amount too) are equal rows counted as so many movements.
    """
    groups: dict[tuple[str, str], list[int]] = {}
    first_money: dict[str, str] = {}
    shared: set[str] = set()
    for index, (number, movement) in enumerate(zip(numbers, movements, strict=True)):
        money = _money_key(movement)
        groups.setdefault((number, money), []).append(index)
        if first_money.setdefault(number, money) != money:
            shared.add(number)
    ids: list[str | None] = [None] * len(numbers)
    for (number, money), indexes in groups.items():
        if len(indexes) > 1:
            indexes = _countable(indexes, content, is_identity=number not in shared)
        for occurrence, index in enumerate(indexes):
            ids[index] = _digest("number", number, money, str(occurrence))
    return ids


def is_bank_id(number: str | None) -> bool:
    """Whether a bank said a number at all: "", "0" and "NONREF" are none."""
    return bool(number) and (bare := _bare(number or "")) not in _NO_ID and bool(bare.strip("0"))


def is_lasting_bank_id(number: str) -> bool:
    """Whether a bank's number can name the same movement in another file: "17" is a position in this one."""
    bare = _bare(number)
    return not bare.isdigit() or len(bare) >= _SHORTEST_NUMBER


def account_id(secret: bytes, *parts: str) -> str:
    """The id of an account from what names it at its bank (bank, number, kind), which cannot be read back from it.

    Spaces, dashes and letter case do not count. `secret` belongs to the installation: an account number has too few digits to
    be hidden by a hash alone. The same secret and parts give the same id for ever.
    """
    message = "\x1f".join(map(bare_number, parts))
    return hmac.new(secret, message.encode(), hashlib.sha256).hexdigest()


def bare_number(text: str) -> str:
    """What tells accounts apart in a number: "DE12 3456" and "de12-3456" are one."""
    return re.sub(r"[\s.\-/]", "", unicodedata.normalize("NFKC", text)).casefold()


class Account(Protocol):
    """What tells accounts apart; a StatementAccount is one."""

    @property
    def provider_account_id(self) -> str: ...
    @property
    def persistent_id(self) -> str | None: ...
    @property
    def name(self) -> str: ...
    @property
    def mask(self) -> str | None: ...
    @property
    def account_type(self) -> str: ...
    @property
    def currency(self) -> str: ...


class StoredAccount(Protocol):
    """An account that we have, of whatever connection."""

    @property
    def id(self) -> UUID: ...
    @property
    def connection_id(self) -> UUID: ...
    @property
    def persistent_id(self) -> str | None: ...
    @property
    def account_name(self) -> str | None: ...
    @property
    def account_mask(self) -> str | None: ...
    @property
    def account_type(self) -> str | None: ...
    @property
    def currency(self) -> str: ...
    @property
    def institution_id(self) -> str | None: ...
    @property
    def institution_name(self) -> str | None: ...
    @property
    def provider(self) -> str: ...


def find_again(given: Sequence[Account], stored: Sequence[StoredAccount]) -> dict[str, UUID]:
    """Which of the accounts that a bank lists are stored ones, that another connection to it reached: provider's id -> our id.

    By what names an account for good, else by mask, kind, name and currency together, unless lasting names tell them apart; only where it
    is exactly one of each. Who calls this gives what may be found: accounts at the same bank, through the same provider, that nothing
    reaches any more.
    """
    found = _pairs(given, lambda each: each.persistent_id, stored, lambda each: each.persistent_id)
    taken = {each.id for _, each in found}
    named = {account.provider_account_id for account, _ in found}
    rest = [each for each in given if each.provider_account_id not in named]
    left = [each for each in stored if each.id not in taken]
    alike = _pairs(rest, _features, left, _stored_features)
    found += [(account, each) for account, each in alike if not _are_apart(account.persistent_id, each.persistent_id)]
    return {account.provider_account_id: each.id for account, each in found}


def twins(accounts: Sequence[StoredAccount]) -> dict[UUID, frozenset[UUID]]:
    """For each account those that are the same account, reached by another connection: with one lasting name, or of one mask, kind and
    currency at one bank. One without such is not there."""
    groups: defaultdict[Hashable, set[UUID]] = defaultdict(set)
    by_id = {each.id: each for each in accounts}
    for each in accounts:
        if each.persistent_id is not None:
            groups["persistent", each.provider, each.persistent_id].add(each.id)
        if each.account_mask is not None and each.account_type is not None:
            for bank in _banks(each):
                groups["features", bank, each.account_mask, each.account_type, each.currency].add(each.id)
    found: defaultdict[UUID, set[UUID]] = defaultdict(set)
    for group in groups.values():
        for account_id in group:
            found[account_id] |= {other for other in group if _may_be_one(by_id[account_id], by_id[other])}
    return {account_id: frozenset(others) for account_id, others in found.items() if others}


def _may_be_one(one: StoredAccount, other: StoredAccount) -> bool:
    """Two of one connection are two; and a provider that has lasting names knows what it says."""
    if one.connection_id == other.connection_id:
        return False
    return one.provider != other.provider or not _are_apart(one.persistent_id, other.persistent_id)


def _are_apart(one: str | None, other: str | None) -> bool:
    return one is not None and other is not None and one != other


def is_same_bank(one: tuple[str | None, str | None], other: tuple[str | None, str | None]) -> bool:
    """Whether two (id, name) of institutions, as one provider tells them, are of one."""
    if one[0] is not None and other[0] is not None:
        return one[0] == other[0]
    return one[1] is not None and other[1] is not None and comparable(one[1]) == comparable(other[1])


#: Without its customer present, an account may be asked for four times a day in Europe and the United Kingdom (Commission Delegated
#: Regulation (EU) 2018/389, article 36, 5b): more is refused.
LEAST_EVERY: Final = {"open_banking": timedelta(hours=6), "tink": timedelta(hours=6)}


def next_tick(at: datetime, every: timedelta, connection_id: UUID, provider: str | None = None) -> datetime:
    """When a connection is fetched next, half a period from now or later: the calendar's own instants for it. `provider`: whose rules
    may make the period longer.

    They are spread over the period by a hash of the id, so that connections that were made together are not fetched together; however
    many were missed, one follows.
    """
    every = max(every, LEAST_EVERY.get(provider or "", every))
    offset = int.from_bytes(hashlib.blake2b(connection_id.bytes, digest_size=8).digest()) / 2**64 * every
    earliest = at + every / 2
    passed = (earliest - _EPOCH - offset) // every
    return _EPOCH + offset + (passed + 1) * every


def retry_at(at: datetime, failures: int, tick: datetime, retry_after_s: float | None = None) -> datetime:
    """When a fetch that failed so often in a row (from 1) is tried again. `tick`: the calendar's next instant; not before retry_after_s."""
    least = at + timedelta(seconds=retry_after_s or 0.0)
    return max(least, tick if failures > len(RETRIES) else at + RETRIES[failures - 1])


def _pairs(
    given: Iterable[Given], key: Callable[[Given], Hashable], stored: Iterable[Known], stored_key: Callable[[Known], Hashable]
) -> list[tuple[Given, Known]]:
    """Those whose keys are equal and unique on either side. None is no key."""
    of_given, of_stored = _by_key(given, key), _by_key(stored, stored_key)
    return [(each[0], of_stored[k][0]) for k, each in of_given.items() if len(each) == 1 and len(of_stored.get(k, ())) == 1]


def _by_key(rows: Iterable[Given], key: Callable[[Given], Hashable]) -> Mapping[Hashable, list[Given]]:
    found: defaultdict[Hashable, list[Given]] = defaultdict(list)
    for each in rows:
        if (named := key(each)) is not None:
            found[named].append(each)
    return found


def _features(account: Account) -> Hashable:
    return None if account.mask is None else (account.mask, account.account_type, comparable(account.name), account.currency)


def _stored_features(account: StoredAccount) -> Hashable:
    if account.account_mask is None or account.account_name is None:
        return None
    return (account.account_mask, account.account_type, comparable(account.account_name), account.currency)


def _banks(account: StoredAccount) -> list[Hashable]:
    """What names the account's bank: its id, which means something within one provider, and its name, which does everywhere."""
    named: list[Hashable] = []
    if account.institution_id is not None:
        named.append((account.provider, account.institution_id))
    if account.institution_name is not None:
        named.append(comparable(account.institution_name))
    return named


def account_mask(number: str) -> str | None:
    """The last four letters or digits of an account's number, or None if it has none."""
    return "".join(each for each in number if each.isalnum())[-_MASK_CHARS:] or None


def comparable(text: str) -> str:
    """A description as far as it tells movements apart: letter case, accents' spelling and spacing do not."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    return " ".join(text.casefold().split())


def _countable(indexes: list[int], content: Callable[[int], object], *, is_identity: bool) -> list[int]:
    ordered = sorted((repr(content(index)), index) for index in indexes)
    if not is_identity:
        return [index for _, index in ordered]
    return [index for place, (said, index) in enumerate(ordered) if place == 0 or ordered[place - 1][0] != said]


def _money_key(movement: Movement) -> str:
    amount = format(movement.amount.normalize(), "f")
    return f"{movement.transaction_date.isoformat()}\x1f{amount}\x1f{movement.currency}\x1f{movement.direction}"


def _bare(bank_id: str) -> str:
    plain = bank_id.casefold()
    return plain if plain.isalnum() else "".join(each for each in plain if each.isalnum())


def _digest(*parts: str) -> str:
    return hashlib.sha256("\x1d".join(parts).encode()).hexdigest()[:_ID_DIGITS]
