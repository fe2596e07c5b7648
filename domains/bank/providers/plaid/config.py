"""What an operator says about Plaid."""

from dataclasses import dataclass, field
from typing import Final

#: Where Plaid is. The sandbox has invented banks and no costs.
PRODUCTION_URL: Final = "https://production.plaid.com"
SANDBOX_URL: Final = "https://sandbox.plaid.com"
#: Plaid's version of its API that all this is written for; it goes with each request.
API_VERSION: Final = "2020-09-14"
#: As far back as Plaid goes. It cannot be changed for a connection once that is made.
DAYS_REQUESTED: Final = 730
#: The languages of Plaid's own dialogue. Source: its document of `/link/token/create`.
LANGUAGES: Final = frozenset(["da", "nl", "en", "et", "fr", "de", "hi", "it", "lv", "lt", "no", "pl", "pt", "ro", "es", "sv", "vi"])


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaidConfig:
    """countries: two-letter codes, those whose banks are offered; Plaid must have enabled each. language: where a person's is not one
    of Plaid's. webhook_url: where Plaid tells us of changes; without one, connections are fetched by the calendar only.
    client_name: what people read in Plaid's dialogue, at most 30 characters.
    """

    client_id: str
    secret: str = field(repr=False)
    countries: tuple[str, ...] = ("US",)
    language: str = "en"
    webhook_url: str | None = None
    client_name: str = "Florin"
    days_requested: int = DAYS_REQUESTED

    def language_for(self, locale: str) -> str:
        """The person's, from a locale such as de-AT, where Plaid speaks it."""
        wanted = locale.replace("_", "-").partition("-")[0].lower()
        wanted = "no" if wanted in ("nb", "nn") else wanted
        return wanted if wanted in LANGUAGES else self.language
