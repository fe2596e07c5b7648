"""What an installation tells of itself to Tink."""

from dataclasses import dataclass, field
from typing import Final

#: Where people are sent to, outside of a test.
LINK_URL: Final = "https://link.tink.com"
#: Where requests go, outside of a test: the base URL of the wire.
API_URL: Final = "https://api.tink.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class TinkConfig:
    """client_id, client_secret: of the app in Tink's Console.

    market: the country whose banks are offered, two letters (ISO 3166-1). link_url: where Tink Link is, without a path.
    secret: the installation's key for account ids (`rules.account_id`); it hides account numbers in `persistent_id`.
    client_name: what people read at Tink Link, to know for whom they are there (its `id_hint`); Latin-1.
    """

    client_id: str
    client_secret: str = field(repr=False)
    market: str
    link_url: str = LINK_URL
    secret: bytes = field(repr=False)
    client_name: str = "Florin"
