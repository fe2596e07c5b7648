"""Banks: connections, accounts, and statements on their way in."""

import enum
from datetime import datetime

import strawberry

from resolvers.fields import JSON, CurrencyCode, Node, choice, column, entity, link, links, money, value


@strawberry.enum(description="How transactions of a connection reach us.")
class BankProvider(enum.Enum):
    PLAID = choice("plaid", "Plaid.")
    TINK = choice("tink", "Tink.")
    OPEN_BANKING = choice("open_banking", "The bank itself, by the UK Open Banking standard.")
    FILE = choice("file", "Statements that are uploaded.")
    SANDBOX = choice("sandbox", "A bank that does not exist, for trying things out.")
    MANUAL = choice("manual", "Entered by hand.")


@strawberry.enum(description="Whether a connection works.")
class BankConnectionStatus(enum.Enum):
    ACTIVE = choice("active", "It works.")
    ERROR = choice("error", "The last attempts failed; it is tried again.")
    DISCONNECTED = choice("disconnected", "Ended. What it brought stays.")
    REQUIRES_UPDATE = choice("requires_update", "The bank wants its customer to sign in there again.")


@strawberry.enum(description="How the last attempt to fetch went.")
class SyncStatus(enum.Enum):
    SUCCESS = choice("success", "All was fetched.")
    PARTIAL = choice("partial", "Some of it was fetched.")
    FAILED = choice("failed", "Nothing was fetched.")


@strawberry.enum(description="What kind of account it is.")
class BankAccountType(enum.Enum):
    CHECKING = choice("checking", "A current account.")
    SAVINGS = choice("savings", "A savings account.")
    CREDIT = choice("credit", "A credit card or a line of credit: what is owed is a negative balance.")
    INVESTMENT = choice("investment", "A brokerage or pension account.")
    LOAN = choice("loan", "A loan: what is owed is a negative balance.")


@strawberry.enum(description="Whether an account is still in use.")
class BankAccountStatus(enum.Enum):
    ACTIVE = choice("active", "In use.")
    CLOSED = choice("closed", "Closed at the bank. Its transactions stay.")


@strawberry.enum(description="Why something was fetched.")
class BankSyncType(enum.Enum):
    SCHEDULED = choice("scheduled", "It was time to.")
    MANUAL = choice("manual", "Somebody asked for it, or uploaded a statement.")
    RETRY = choice("retry", "The time before had failed.")
    WEBHOOK = choice("webhook", "The provider said that there is something new.")


@strawberry.enum(description="What a fetch has come to.")
class BankSyncStatus(enum.Enum):
    STARTED = choice("started", "It goes on.")
    SUCCESS = choice("success", "All is in.")
    PARTIAL = choice("partial", "Some of it is in; `errorCode` says what kept the rest.")
    FAILED = choice("failed", "It was given up; `errorCode` says why.")


@strawberry.enum(description="How far a fetch is.")
class BankSyncStage(enum.Enum):
    QUEUED = choice("queued", "It waits for a worker.")
    FETCHING = choice("fetching", "The bank is asked.")
    APPLYING = choice("applying", "All that it told is there, and is being taken in.")
    BUDGETS = choice("budgets", "All is in; budgets follow.")
    DONE = choice("done", "It went well.")
    FAILED = choice("failed", "It was given up; `errorCode` of the fetch says why.")


@strawberry.enum(description="How far an import is.")
class StatementImportStatus(enum.Enum):
    QUEUED = choice("queued", "The file was read and found good; its rows wait to be taken in.")
    RUNNING = choice("running", "Its rows are being taken in.")
    DONE = choice("done", "All of it is in; the counts are final.")
    FAILED = choice("failed", "Nothing of it is in; `error` says why.")


@entity(loader="bank.connection_by_id")
class BankConnection(Node):
    """A login at a bank, or the place that uploaded statements of one institution come to."""

    provider = column(BankProvider, description="How its transactions reach us.")
    institution_id = column(
        str | None, description="The bank's name among those of the provider, or in a statement; for telling banks apart."
    )
    institution_name = column(str | None, description="The bank, as it calls itself; null when a statement does not say.")
    institution_logo_url = column(str | None, description="A picture of the bank's logo.")
    status = column(BankConnectionStatus, description="Whether it works.")
    error_code = column(str | None, description="Why it does not work, in the provider's words; null when it does.")
    error_message = column(str | None, description="The same for people.")
    last_sync_at = column(datetime | None, description="When something was last fetched or tried to be.")
    last_sync_status = column(SyncStatus | None, description="How that went; null before the first time.")
    last_successful_sync_at = column(datetime | None, description="When it last went well.")
    linked_at = column(datetime | None, description="When it was linked, or linked anew after it had ended; null for uploaded statements.")
    next_sync_at = column(
        datetime | None,
        description="When it is fetched from next; null when nothing is by itself, as long as its owner has to do something.",
    )
    sync_failures = column(int, description="How often in a row fetching has failed up to now.")
    consent_expires_at = column(datetime | None, description="When the bank wants to be asked again; null when it does not say.")
    token_expires_at = column(datetime | None, description="Until when the bank lets us in without asking anew; null when it does not say.")
    metadata = column(JSON, description="What the provider says beyond this; an object whose fields are the provider's.")
    created_at = column(datetime, description="When it was made.")
    updated_at = column(datetime, description="When it last changed.")
    accounts = links(
        "BankAccount", loader="bank.accounts_by_connection", size=5, description="The accounts it reaches, those known longest first."
    )


@entity(loader="bank.account_by_id")
class BankAccount(Node):
    """An account at a bank. Its balances are what the bank last said, not sums of transactions; null where it said nothing."""

    name = column(str | None, "account_name", description="What the account is called.")
    official_name = column(str | None, "account_official_name", description="What the bank calls it on paper.")
    mask = column(str | None, "account_mask", description="The last characters of its number, for telling accounts apart.")
    type = column(BankAccountType | None, "account_type", description="What kind of account it is; null when nobody said.")
    subtype = column(str | None, "account_subtype", description="A finer kind, in the provider's words.")
    status = column(BankAccountStatus, description="Whether it is in use.")
    currency = column(CurrencyCode, description="What it is held in.")
    current_balance = money(nullable=True, description="What is on it, booked. Negative when overdrawn.")
    available_balance = money(nullable=True, description="What can be spent from it, pending movements counted.")
    credit_limit = money(nullable=True, description="Up to where it may be overdrawn.")
    balance_updated_at = column(datetime | None, description="For which instant the bank said so.")
    is_manual = column(bool, description="Whether it was made by hand.")
    metadata = column(JSON, description="What the provider says beyond this; an object whose fields are the provider's.")
    created_at = column(datetime, description="When it was first seen.")
    updated_at = column(datetime, description="When it last changed, its balances too.")
    connection = link("BankConnection", key="connection_id", nullable=False, description="What reaches it.")


@value
class StatementImportError:
    """Why an import ended without an effect."""

    code = column(str, "error_code", description="Permanent and in upper case, such as `STATEMENT_REJECTED`: decide by this.")
    message = column(str | None, "error_message", description="In English, for people; it may be reworded.")


@entity(loader="bank.import_by_id")
class StatementImport(Node):
    """A statement on its way in: read before the mutation answered, taken in by a worker soon after."""

    status = column(StatementImportStatus, description="How far it is. Follow it with `statementImportUpdated`.")
    filename = column(str, description="What the file was called when it was uploaded.")
    added = column(int, description="Transactions that were new. 0 until DONE, like the other counts.")
    updated = column(
        int, description="Transactions that were there and that the statement changed: pending ones that posted, for instance."
    )
    unchanged = column(int, description="Transactions that were there already, as the statement has them.")
    account_count = column(int, description="Accounts that the statement speaks of.")
    error = link(
        "StatementImportError", key="id", loader="bank.failure_by_import", description="Why it failed; null unless the status is FAILED."
    )
    created_at = column(datetime, description="When it was asked for.")
    completed_at = column(datetime | None, description="When it ended, either way.")


@entity(loader="bank.sync_by_id")
class BankSync(Node):
    """One fetch from a bank, or one uploaded statement, and what came of it. These lines stay whatever becomes of the connection."""

    type = column(BankSyncType, "sync_type", description="Why it was made.")
    status = column(BankSyncStatus, description="What it has come to.")
    stage = column(BankSyncStage | None, description="How far it is; null for an uploaded statement.")
    pages = column(int, description="Pages that the bank has given so far. 0 for an uploaded statement.")
    transactions_fetched = column(int, description="Transactions that the bank has told of so far, known ones too. 0 for a statement.")
    transactions_added = column(int, description="Transactions that were new. 0 until they are in.")
    transactions_updated = column(int, description="Transactions that were there and that it changed. 0 until they are in.")
    transactions_removed = column(int, description="Transactions that went, as the bank has taken them back. 0 until they have.")
    error_code = column(str | None, description="Permanent and in upper case, such as `STATEMENT_REJECTED`; null when nothing went wrong.")
    error_message = column(str | None, description="The same for people, in English; it may be reworded.")
    duration_ms = column(int | None, description="From its first beginning to its end, in milliseconds; null while it goes on.")
    started_at = column(datetime, description="When it first began.")
    completed_at = column(datetime | None, description="When it ended, either way.")
    connection = link("BankConnection", key="connection_id", description="What was fetched; null for a statement that could not be read.")
    statement_import = link("StatementImport", key="import_id", description="The statement that was taken in; null for a fetch.")
