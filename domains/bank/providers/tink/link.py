"""The address of Tink Link, where a person picks their bank and agrees, or agrees again.

Source: docs.tink.com, Transactions SDK reference, Continuous access: Connect accounts, Update consent, Supported locales
(as of January 2026).
"""

from typing import Final
from urllib.parse import urlencode

from domains.bank.providers.tink.config import TinkConfig

#: What Tink Link may do for the person with the code it is given. Source: docs.tink.com, Continuous access to a bank account.
LINK_SCOPE: Final = "authorization:read,authorization:grant,credentials:refresh,credentials:read,credentials:write,providers:read,user:read"
#: Tink Link itself, as a client of Tink; the same for everybody. Source: as above.
LINK_CLIENT: Final = "df05e4b379934cd09963197cc855bfe9"

_LOCALES: Final = frozenset(
    [
        "cs_CZ",
        "da_DK",
        "de_DE",
        "en_US",
        "en_GB",
        "es_ES",
        "et_EE",
        "fi_FI",
        "fr_FR",
        "it_IT",
        "lt_LT",
        "lv_LV",
        "nl_NL",
        "no_NO",
        "pt_PT",
        "pl_PL",
        "sv_SE",
    ]
)
_BY_LANGUAGE: Final = {locale[:2]: locale for locale in sorted(_LOCALES, reverse=True)} | {"en": "en_US", "nb": "no_NO", "nn": "no_NO"}
_SEPARATOR: Final = "/"


def locale_for(locale: str) -> str:
    """One that Tink Link speaks, from one such as de-AT: the same, else of the same language, else en_US."""
    parts = locale.replace("-", "_").split("_")
    language, country = parts[0].lower(), parts[-1].upper()
    wanted = f"{language}_{country}"
    return wanted if wanted in _LOCALES else _BY_LANGUAGE.get(language, "en_US")


def link_url(
    config: TinkConfig, *, code: str, redirect_url: str, locale: str, state: str, provider: str | None, credentials_id: str | None
) -> str:
    """Where to send the person. provider: Tink's name of the bank that they picked already. credentials_id: what is to be repaired."""
    query = {
        "client_id": config.client_id,
        "authorization_code": code,
        "redirect_uri": redirect_url,
        "market": config.market,
        "locale": locale_for(locale),
        "state": state,
    }
    if credentials_id is not None:
        query["credentials_id"] = credentials_id
    elif provider is not None:
        query["input_provider"] = provider
    page = "connect-accounts" if credentials_id is None else "update-consent"
    return f"{config.link_url.rstrip('/')}/1.0/transactions/{page}?{urlencode(query)}"


def item_id(user: str, credentials_id: str) -> str:
    """Our name for a connection: who it is at Tink, by their id of ours, and their consent."""
    return f"{user}{_SEPARATOR}{credentials_id}"


def parts_of(item: str) -> tuple[str, str]:
    """The person and the consent. Errors: ValueError for what `item_id` did not make."""
    user, _, credentials_id = item.rpartition(_SEPARATOR)
    if not user or not credentials_id:
        raise ValueError("That is no connection through Tink.")
    return user, credentials_id
