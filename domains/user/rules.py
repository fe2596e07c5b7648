"""Rules about people's accounts: addresses, passwords, settings, preferences. Pure."""

import re
import unicodedata
from collections.abc import Sequence
from decimal import Decimal
from functools import cache
from itertools import pairwise
from zoneinfo import available_timezones

import idna

from domains.core import currencies
from domains.core.money import fits, has_minor_units_of
from domains.user.errors import (
    AlertAmountInvalid,
    AlertThresholdsInvalid,
    CurrencyInvalid,
    DashboardLayoutInvalid,
    EmailInvalid,
    FullNameInvalid,
    LocaleInvalid,
    PasswordTooWeak,
    TimeZoneInvalid,
)

EMAIL_MAX = 255
LOCAL_PART_MAX = 64
#: NIST SP 800-63B asks for eight characters at least and for sixty-four to be allowed; composition rules are advised against.
PASSWORD_MIN = 10
PASSWORD_MAX = 256
#: Letters that must differ from each other.
DIFFERENT_MIN = 4
FULL_NAME_MAX = 255
LOCALE_MAX = 10
#: How many shares of a budget one may be told at, and the largest.
THRESHOLDS_AT_MOST = 10
LARGEST_THRESHOLD = Decimal(10)

_LOCAL_PART = re.compile(r"[^\s@\"(),:;<>\[\\\]\x00-\x1f\x7f]+")
_INVISIBLE = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp", "Zs"})
#: They turn the direction of what stands behind them, on anybody's screen.
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_LOCALE = re.compile(r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?")
#: Of the most used passwords, those long enough to pass otherwise.
_MOST_USED = frozenset(
    """
    1234567890 0123456789 0987654321 9876543210 12345678910 123456789a 1234567891 1111111111 0000000000 1q2w3e4r5t
    q1w2e3r4t5 qwertyuiop qwerty12345 qwerty123456 asdfghjkl1 asdfghjkl; zxcvbnm123 1qaz2wsx3edc 1qazxsw23edc password12
    password123 password1234 password12345 passwordpassword p@ssw0rd123 passw0rd123 iloveyou12 iloveyou123 iloveyou1234
    letmein123 welcome123 welcome1234 administrator changeme123 football123 baseball123 superman123 princess123 sunshine123
    michael123 liverpool1 basketball jordan2323 abc1234567 abcd123456 abcdef123456 abcdefghij aaaaaaaaaa unbelievable
    """.split()  # noqa: SIM905 - a list of words reads as words
)


def normalise_email(text: str) -> str:
    """The form in which two spellings of one address are equal: NFKC, case folded, the host in IDNA. Errors: EmailInvalid."""
    email = find_email(text)
    if email is None:
        raise EmailInvalid(field="email")
    return email


def find_email(text: str) -> str | None:
    """As `normalise_email`, or None for what is not an address."""
    typed = text.strip()
    if len(typed) > EMAIL_MAX:
        return None
    local, at, host = _folded(typed).rpartition("@")
    if not at or len(local) > LOCAL_PART_MAX or _LOCAL_PART.fullmatch(local) is None or _is_treacherous(local):
        return None
    if local.startswith(".") or local.endswith(".") or ".." in local:
        return None
    domain = _find_domain(host)
    email = f"{local}@{domain}"
    return email if domain is not None and len(email) <= EMAIL_MAX else None


def _find_domain(host: str) -> str | None:
    """The host in IDNA, or None unless it is a name with a dot in it: no address of a machine, no name of one network."""
    try:
        domain = idna.encode(host, uts46=True, std3_rules=True).decode("ascii")
    except idna.IDNAError:
        return None
    _, dot, top = domain.rpartition(".")
    return domain if dot and top and not top.isdigit() else None


def _folded(text: str) -> str:
    """NFKC and casefold, twice: what composes anew may fold once more, and then the folded form folds to itself."""
    for _ in range(2):
        text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return text


def _is_treacherous(local: str) -> bool:
    """Whether people or other programs would take it for another address.

    Invisible letters; and letters such as the dotless i, whose capital is somebody else's: a program that compares capitals would
    send this person's mail there.
    """
    if any(unicodedata.category(letter) in _INVISIBLE for letter in local):
        return True
    return _folded(local.upper()) != local or "i\u0307" in local


def check_password(password: str, email_normalized: str) -> None:
    """Long enough, not too long to hash, not the address itself, not one that everybody tries. Errors: PasswordTooWeak."""
    normal = normalise_password(password)
    if len(normal) < PASSWORD_MIN or len(password) > PASSWORD_MAX or any(unicodedata.category(letter) == "Cs" for letter in password):
        raise PasswordTooWeak(field="password")
    folded = normal.casefold()
    if folded in _MOST_USED or folded in (email_normalized, email_normalized.partition("@")[0]) or len(set(folded)) < DIFFERENT_MIN:
        raise PasswordTooWeak(field="password")


def normalise_password(password: str) -> str:
    """What is hashed and compared: the same password typed on another keyboard may come in other code points. NFKC, as NIST advises."""
    return unicodedata.normalize("NFKC", password)


def clean_full_name(name: str | None) -> str | None:
    """The name with single spaces, in NFC; None for an empty one. Errors: FullNameInvalid."""
    cleaned = " ".join(unicodedata.normalize("NFC", name or "").split())
    if len(cleaned) > FULL_NAME_MAX or any(
        letter in _TURNING or unicodedata.category(letter) in ("Cc", "Cs", "Co", "Cn") for letter in cleaned
    ):
        raise FullNameInvalid(field="fullName")
    return cleaned or None


def check_timezone(name: str) -> str:
    """Errors: TimeZoneInvalid."""
    if name not in _timezones():
        raise TimeZoneInvalid(field="timezone")
    return name


def check_currency(code: str) -> str:
    """Errors: CurrencyInvalid."""
    if not currencies.is_known(code):
        raise CurrencyInvalid(field="currency")
    return code


def check_locale(tag: str) -> str:
    """Errors: LocaleInvalid."""
    if len(tag) > LOCALE_MAX or _LOCALE.fullmatch(tag) is None:
        raise LocaleInvalid(field="locale")
    return tag


def check_alert_amount(amount: Decimal, currency: str) -> Decimal:
    """From which amount on a transaction is told of; 0 is of every one. Errors: AlertAmountInvalid."""
    if amount < 0 or not fits(amount) or not has_minor_units_of(amount, currency):
        raise AlertAmountInvalid(field="transactionAlertThreshold")
    return amount


def check_alert_thresholds(shares: Sequence[Decimal]) -> list[Decimal]:
    """At which shares of a budget its owner is told (1 is all of it), ascending; none is never. Errors: AlertThresholdsInvalid."""
    is_bounded = len(shares) <= THRESHOLDS_AT_MOST and all(0 < share <= LARGEST_THRESHOLD for share in shares)
    if not is_bounded or any(before >= after for before, after in pairwise(shares)):
        raise AlertThresholdsInvalid(field="budgetAlertThresholds")
    return list(shares)


def check_dashboard_layout(layout: object) -> dict[str, object]:
    """Whatever a front-end keeps, as an object. How large and deep it may be, the scalar says. Errors: DashboardLayoutInvalid."""
    if not isinstance(layout, dict):
        raise DashboardLayoutInvalid(field="dashboardLayout")
    return layout


@cache
def _timezones() -> frozenset[str]:
    return frozenset(name for name in available_timezones() if not name.startswith(("posix/", "right/")) and name != "localtime")
