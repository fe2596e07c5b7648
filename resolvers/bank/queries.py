"""What bank adds to people, and the lists of what was fetched."""

from resolvers.bank.inputs import (
    IMPORT_SORTS,
    SYNC_SORTS,
    BankAccountFilter,
    BankConnectionFilter,
    BankSyncFilter,
    StatementImportFilter,
)
from resolvers.fields import extends, links, page


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
