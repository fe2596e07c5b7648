"""How banks can be linked, what bank adds to people, and the lists of what was fetched."""

from typing import Any

import strawberry

from domains.bank.providers.protocol import LinkedProvider
from resolvers.bank.inputs import (
    IMPORT_SORTS,
    SYNC_SORTS,
    BankAccountFilter,
    BankConnectionFilter,
    BankSyncFilter,
    StatementImportFilter,
)
from resolvers.bank.types import BankProvider
from resolvers.fields import Info, extends, links, page, payload
from resolvers.prices import at_most

PROVIDERS_AT_MOST = 5
#: What a list of banks is taken to hold; it is read from no database.
INSTITUTIONS_ASSUMED = 100


@payload
class BankInstitution:
    """A bank that can be chosen."""

    id: str = strawberry.field(description="For `institutionId` of `bankLinkCreate`.")
    name: str = strawberry.field(description="The bank, as the operator calls it.")
    logo_url: str | None = strawberry.field(description="A picture of its logo.")


@payload
class BankProviderOffer:
    """A way to link banks that the operator of this installation has set up."""

    provider: BankProvider = strawberry.field(description="For `provider` of `bankLinkCreate`.")
    institutions: list[BankInstitution] = strawberry.field(
        description="The banks to choose from; empty where the provider's own dialogue asks which.",
        directives=[at_most(INSTITUTIONS_ASSUMED)],
    )


def _offer(provider: LinkedProvider) -> BankProviderOffer:
    listed: Any = getattr(provider, "institutions", ())
    banks = [BankInstitution(id=each.id, name=each.name, logo_url=each.logo_url) for each in listed]
    return BankProviderOffer(provider=BankProvider(provider.name), institutions=banks)


async def _offers(info: Info) -> list[BankProviderOffer]:
    _ = info.context.required_viewer
    banks = info.context.services.banks
    return [_offer(banks[name]) for name in sorted(banks)]


@extends("Query")
class BankQueries:
    bank_providers: list[BankProviderOffer] = strawberry.field(
        resolver=_offers, description="How banks can be linked here.", directives=[at_most(PROVIDERS_AT_MOST)]
    )


@extends("User")
class UserBanks:
    accounts = links(
        "BankAccount",
        loader="bank.accounts_by_user",
        size=10,
        filter=BankAccountFilter,
        description="Every account, closed ones too unless `filter` says otherwise, those known longest first.",
    )
    connections = links(
        "BankConnection",
        loader="bank.connections_by_user",
        size=5,
        filter=BankConnectionFilter,
        description="Every connection, the oldest first.",
    )
    statement_imports = page(
        "StatementImport",
        loader="bank.import_page_by_user",
        count="bank.import_count_by_user",
        filter=StatementImportFilter,
        sorts=IMPORT_SORTS,
        description="Every statement that was to be taken in, the newest first.",
    )
    sync_history = page(
        "BankSync",
        loader="bank.sync_page_by_user",
        count="bank.sync_count_by_user",
        filter=BankSyncFilter,
        sorts=SYNC_SORTS,
        description="What was fetched from all banks, and which statements were taken in; the newest first unless `sort` says otherwise.",
    )


@extends("BankConnection")
class ConnectionSyncs:
    sync_history = page(
        "BankSync",
        loader="bank.sync_page_by_connection",
        count="bank.sync_count_by_connection",
        filter=BankSyncFilter,
        sorts=SYNC_SORTS,
        description="What was fetched from this bank, or taken in from its statements; the newest first unless `sort` says otherwise.",
    )
