"""Each index serves a statement of somebody's own: seen in the plans over 100,000 rows of a thousand people (10,000 vectors).

Whatever a client's request or a use case sends to the server is caught on its way and explained, as the role and the viewer that sent it.
"""

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from app.embedded import Embedded
from db.analytics.queries import answers, embeddings, merchants
from db.analytics.vectors import MODELS
from db.audit import queries as audit
from db.audit import queries_exports as exports
from db.bank import queries as bank
from db.bank import queries_connections as connections
from db.bank import queries_links as links
from db.base import DOMAINS, schema_of
from db.budget.queries_history import list_users_with_ended_periods
from db.engines import Db, Dsns, Viewer
from db.notification.queries import notices, rules
from db.read import Read
from db.statements import Statement
from db.transaction.queries import closing, pairs, reconciling
from db.transaction.queries.rates import list_rates
from domains.analytics.service.embeddings import as_text
from domains.flows.services import Services
from migrations.run import upgrade_async
from resolvers.execution.operation import Gateway
from resolvers.schema import build_schema
from tests.db.crowd import fill
from tests.db.samples import login
from tests.db.test_document import FOLDER
from tests.migrations.fresh import Fresh, fresh_database
from tests.resolvers.api import Client, gid

MODEL = "l2_supercat_256"
FILLERS = 2


@dataclass(frozen=True)
class Crowd:
    """Somebody among many, and what they ask through."""

    fresh: Fresh
    services: Services
    client: Client
    viewer: Viewer
    #: One id of theirs per table.
    ids: dict[str, UUID]
    #: Index of a partition -> the table's index that it is part of.
    parents: dict[str, str]


@pytest.fixture(scope="module")
async def crowd(servers: Embedded, services: Services) -> AsyncIterator[Crowd]:
    viewer = Viewer(uuid4())
    async with AsyncExitStack() as stack:
        fresh = await stack.enter_async_context(fresh_database(servers))
        await upgrade_async(dict.fromkeys(DOMAINS, fresh.owner))
        async with fresh.connect("owner") as owner:  # by year, also where there is TimescaleDB: its plans are in test_timescaledb.py
            await owner.execute("select transaction_schema.rebuild_transactions(false)")
        connections = [await stack.enter_async_context(fresh.connect("superuser")) for _ in range(FILLERS)]
        await fill(connections, viewer.user_id)
        db = Db(Dsns(app=fresh.app, system=fresh.system), None)
        stack.push_async_callback(db.close)
        moved = replace(services, db=db)
        yield Crowd(
            fresh=fresh,
            services=moved,
            client=Client(Gateway(build_schema()), moved, viewer),
            viewer=viewer,
            ids=await _ids(connections[0], viewer.user_id),
            parents=dict(await connections[0].fetch("select inhrelid::regclass::text, inhparent::regclass::text from pg_inherits")),
        )


async def _ids(superuser: Any, user_id: UUID) -> dict[str, UUID]:
    tables = ("bank_schema.bank_accounts", "bank_schema.bank_connections", "budget_schema.budgets", "budget_schema.savings_goals")
    holders = {
        "bank_schema.bank_accounts": "transaction_schema.transactions",
        "bank_schema.bank_connections": "bank_schema.sync_history",
        "budget_schema.budgets": "budget_schema.budget_history",
        "budget_schema.savings_goals": "budget_schema.goal_contributions",
    }
    keys = dict(zip(tables, ("account_id", "connection_id", "budget_id", "goal_id"), strict=True))
    query = "select {key} from {holder} where user_id = $1 and {key} is not null limit 1"
    found = {
        table.partition(".")[2]: await superuser.fetchval(query.format(key=keys[table], holder=holders[table]), user_id) for table in tables
    }
    for name in ("recurring_patterns", "transactions"):
        column = "recurring_series_id" if name == "recurring_patterns" else "id"
        found[name] = await superuser.fetchval(
            f"select {column} from transaction_schema.transactions where user_id = $1 and {column} is not null limit 1", user_id
        )
    return found


@dataclass
class Sent:
    """Statements on their way: as the server gets them, with their arguments."""

    statements: list[tuple[str, list[Any]]] = field(default_factory=list)


@contextmanager
def caught() -> Iterator[Sent]:
    """Whatever is sent to the server in the block, through either door."""
    sent = Sent()
    rows = Read.rows

    async def reading(self: Read, statement: Statement, **values: Any) -> Any:
        sent.statements.append((statement.sql, statement.arguments({**values, "viewer": self.viewer_id})))
        return await rows(self, statement, **values)

    def executing(_connection: Any, _cursor: Any, sql: str, parameters: Any, *_: Any) -> None:
        sent.statements.append((sql, list(parameters)))

    Read.rows = reading  # type: ignore[method-assign]
    event.listen(Engine, "before_cursor_execute", executing)
    try:
        yield sent
    finally:
        event.remove(Engine, "before_cursor_execute", executing)
        Read.rows = rows  # type: ignore[method-assign]


async def indexes_used(crowd: Crowd, sent: Sent, role: str = "app") -> set[str]:
    """Names of the indexes in the plans of these statements."""
    used: set[str] = set()
    async with login(getattr(crowd.fresh, role), crowd.viewer.user_id if role == "app" else None) as connection:
        for sql, arguments in sent.statements:
            if re.match(r"\s*(select|with|insert|update|delete)\b", sql, re.IGNORECASE):
                plan = await connection.fetchval(f"explain (format json) {sql}", *arguments)
                used |= {
                    crowd.parents.get(f"{schema}.{name}", name).partition(".")[2] or name for schema, name in _indexes(json.loads(plan))
                }
    return used


def _indexes(plan: Any) -> Iterator[tuple[str, str]]:
    if isinstance(plan, list):
        for each in plan:
            yield from _indexes(each)
    elif isinstance(plan, dict):
        if "Index Name" in plan:
            yield plan.get("Schema") or _schema_of_partition(plan["Index Name"]), plan["Index Name"]
        for name in plan.get("Conflict Arbiter Indexes", ()):
            yield "", name
        for value in plan.values():
            if isinstance(value, list | dict):
                yield from _indexes(value)


def _schema_of_partition(index: str) -> str:
    return schema_of("audit" if index.startswith("audit") else "transaction")


# What is asked, per index: as a client does

NODES = "{ nodes { id } }"
#: Half of the trail: of a few rows any index is as good as another.
LATELY = datetime.now(UTC) - timedelta(hours=12)


def mine(field_: str, selection: str = NODES) -> str:
    return f"{{ me {{ {field_} {selection} }} }}"


def of(kind: str, selection: str) -> str:
    return f'{{ node(id: "{{{kind}}}") {{ ... on {kind} {{ {selection} }} }} }}'


#: A request per index; {table} stands for the id of something of the user's.
ASKED: dict[str, str] = {
    "ix_bank_accounts_user_id": "{ me { accounts { id } } }",
    "uq_bank_accounts_connection_id_provider_account_id": of("BankConnection", "accounts { id }"),
    "ix_bank_connections_user_id": "{ me { connections { id } } }",
    "ix_statement_imports_user_id_created_at": mine("statementImports"),
    "ix_sync_history_user_id_started_at": mine("syncHistory"),
    "ix_sync_history_user_id_connection_id_started_at": of("BankConnection", "syncHistory { nodes { id } }"),
    "ix_transactions_user_date": mine("transactions"),
    "ix_transactions_account": mine('transactions(filter: {accountIds: ["{BankAccount}"]})'),
    "ix_transactions_amount": mine("transactions(sort: AMOUNT_DESC)"),
    "ix_transactions_category": mine('transactions(filter: {categoryIds: ["{FOOD_AND_DRINK_COFFEE}"]})', "{ totalCount }"),
    "ix_transactions_merchant": mine('transactions(filter: {merchant: "Shop 7"})'),
    "ix_transactions_pending": mine("transactions(filter: {isPending: true})"),
    "ix_transactions_recurring": mine("transactions(filter: {isRecurring: true})"),
    "ix_transactions_search": mine('transactions(filter: {text: "word7"})'),
    "ix_transactions_tags": mine('transactions(filter: {tags: ["tag7"]})'),
    "ix_transactions_series": of("RecurringPattern", "transactions { nodes { id } }"),
    "ix_transaction_reviews_state": mine("reviews"),
    "ix_deleted_transactions_user_id": mine("deletedTransactions"),
    "ix_transaction_keys_transaction_id": '{ node(id: "{Transaction}") { id } }',
    "uq_monthly_category_summary_key": mine("monthlySummaries", "{ nodes { month } }"),
    "uq_user_categories_user_id_category_id": mine("categories(filter: {isOwn: true})"),
    "ix_recurring_patterns_user_id": mine("recurringPatterns"),
    "ix_budgets_user_id": "{ me { budgets { id } } }",
    "uq_budget_utilization_current": of("Budget", "utilization { version }"),
    "ix_budget_history_user_id_period_start": mine("budgetHistory"),
    "uq_budget_history_budget_id_period_start": of("Budget", "history { nodes { id } }"),
    "ix_savings_goals_user_id": "{ me { goals { id } } }",
    "ix_goal_contributions_user_id_contribution_date": mine("goalContributions"),
    "ix_goal_contributions_user_id_goal_id": of("SavingsGoal", "contributions { nodes { id } }"),
    "ix_insights_user_id": mine("insights"),
    "ix_insights_user_id_type": mine("insights(filter: {types: [FORECAST], priorities: [HIGH]})", "{ totalCount }"),
    "ix_spending_patterns_user_id": mine("spendingPatterns"),
    "uq_spending_patterns_key": mine('spendingPatterns(filter: {types: [DAY_OF_WEEK], categoryIds: ["{CATEGORY_7}"]})', "{ totalCount }"),
    "ix_llm_query_cache_user_id": mine("modelQueries"),
    "ix_llm_query_cache_user_id_query_type": mine("modelQueries(filter: {type: CATEGORIZATION})"),
    "uq_merchant_category_votes_user_id_merchant_name": mine("merchantVotes"),
    "ix_transaction_embeddings_user_id": mine("embeddings", "{ nodes { model } }"),
    "ix_notifications_user_id": mine("notifications"),
    "ix_notifications_type": mine("notifications(filter: {types: [INSIGHT]})"),
    "ix_notifications_channel": mine("notifications(filter: {channels: [EMAIL]})"),
    "ix_notifications_unread": "{ me { unreadNotificationCount } }",
    "ix_notification_rules_user_id": "{ me { notificationRules { id } } }",
    # the service is in neither index of the trail: what is in the other one might be read from it alone, once it was vacuumed
    "ix_audit_logs_user_id": mine(f'auditLog(filter: {{since: "{LATELY:%Y-%m-%dT%H:%M:%SZ}"}})', "{ nodes { action service } }"),
    "ix_audit_logs_action": mine("auditLog(filter: {actions: [USER_LOGOUT]})", "{ nodes { action } }"),
    "ix_data_export_requests_user_id": mine("dataExportRequests"),
    "ix_deletion_requests_user_id": mine("deletionRequests"),
    "ix_oauth_connections_user_id": "{ me { oauthConnections { id } } }",
    "pk_user_preferences": "{ me { preferences { weeklyReportEnabled } } }",
    "pk_users": "{ me { email } }",
}


@pytest.mark.parametrize("index", ASKED)
async def test_what_a_client_asks_finds_its_index(crowd: Crowd, index: str) -> None:
    kinds = {
        "BankAccount": "bank_accounts",
        "BankConnection": "bank_connections",
        "Budget": "budgets",
        "SavingsGoal": "savings_goals",
        "RecurringPattern": "recurring_patterns",
        "Transaction": "transactions",
    }
    query = ASKED[index]
    for kind, table in kinds.items():
        query = query.replace(f"{{{kind}}}", gid(kind, crowd.ids[table]))
    query = re.sub(r"\{([A-Z_0-9]+)\}", lambda match: gid("Category", match[1]), query)

    with caught() as sent:
        await crowd.client.data(query)

    assert index in await indexes_used(crowd, sent)


# And as the rest of ours does

Doing = Callable[[Crowd], Awaitable[Any]]


def writing(domain: str, what: Callable[[Any], Awaitable[Any]]) -> Doing:
    async def do(crowd: Crowd) -> None:
        async with crowd.services.db.write(domain, crowd.viewer) as session:
            await what(session)

    return do


def asking(domain: str, statement: Statement, **values: Any) -> Doing:
    async def do(crowd: Crowd) -> None:
        async with crowd.services.db.read(domain, crowd.viewer) as read:
            await read.value(embeddings.search_on())
            await read.rows(statement, **values)

    return do


def tidying(domain: str, what: Callable[[Any], Awaitable[Any]]) -> Doing:
    async def do(crowd: Crowd) -> None:
        async with crowd.services.db.system(domain) as session:
            await what(session)

    return do


ANSWER = [{"id": uuid4(), "type": "insight", "channel": "in_app", "message": "80 %", "correlation_id": uuid4(), "data": {}}]

SOME_IDS = [uuid4() for _ in range(20)]

DONE: dict[str, Doing] = {
    "ix_transaction_embeddings_l2_supercat_256": asking(
        "analytics", embeddings.nearest(MODEL, by_index=True), vector=as_text([0.5] * 256), size=10
    ),
    "ix_transaction_embeddings_user_id_embedding_model": asking("analytics", embeddings.count_up_to("all-MiniLM-L6-v2"), most=100),
    "uq_llm_query_cache_key": writing("analytics", lambda session: answers.find_answer(session, "0" * 64)),
    "ix_monthly_category_summary_frozen": writing("transaction", lambda session: closing.closed_among(session, {date(2015, 1, 1)})),
    "ix_transaction_keys_deleted": writing("transaction", lambda session: reconciling.find_tombstones(session, SOME_IDS)),
    "ix_uploads_user_id_created_at": writing("bank", bank.count_uploads),
    "ix_bank_links_user_id": writing("bank", lambda session: links.count_open_links(session, datetime.now(UTC))),
    "ix_transaction_reviews_transaction_id": writing("transaction", lambda session: pairs.find_pairs(session, "transfer", SOME_IDS)),
    "ix_transaction_reviews_other_id": writing("transaction", lambda session: pairs.find_pairs(session, "duplicate", SOME_IDS, "applied")),
    "ix_notifications_retry": writing("notification", lambda session: notices.retry_due(session, datetime.now(UTC), limit=10)),
}
BY_THE_SYSTEM: dict[str, Doing] = {
    "ix_merchant_category_votes_merchant_name": tidying("analytics", merchants.repair_merchants),
    "ix_budgets_closes_on": tidying("budget", lambda session: list_users_with_ended_periods(session, date(2000, 1, 1), "probe")),
    "ix_notifications_created_at": tidying("notification", lambda session: notices.fold_stats(session, datetime.now(UTC).date())),
    "ix_audit_logs_chain": tidying("audit", lambda session: audit.list_chain(session, uuid4(), None, limit=100)),
    "uq_deletion_requests_live": tidying("audit", lambda session: audit.list_open_requests(session, limit=10)),
    "ix_data_export_requests_expires_at": tidying("audit", lambda session: exports.purge_expired(session, limit=10)),
    "ix_merchant_category_votes_uncounted": tidying("analytics", lambda session: merchants.count_votes(session, uuid4())),
    "ix_llm_query_cache_expires_at": tidying("analytics", answers.purge_answers),
    "ix_uploads_expires_at": tidying("bank", bank.purge_uploads),
    "ix_bank_connections_next_sync_at": tidying(
        "bank", lambda session: connections.list_due(session, "probe", ["sandbox", "file"], datetime.now(UTC), limit=10)
    ),
    "ix_bank_links_expires_at": tidying("bank", links.purge_links),
    "ix_bank_webhooks_received_at": tidying("bank", links.purge_webhooks),
    "uq_notification_rules_default": tidying(
        "notification", lambda session: rules.list_without_defaults(session, [uuid4()], ["large_transaction"], "probe")
    ),
}


#: Indexes that no plan here shows, and why they are kept.
UNSEEN: dict[str, str] = {
    "ix_categories_parent_id": "reference data: some hundred rows, which are read whole until somebody adds many",
    "ix_statement_imports_upload_id": "the look that a deleted upload takes by its foreign key; no plan of ours shows it",
    **{
        f"ix_transaction_embeddings_{re.sub(r'[^a-z0-9]+', '_', model.lower())}": "one per model: the statement is the one that is seen"
        for model in MODELS
        if model != MODEL
    },
}


async def test_every_index_is_asked_for_here_or_keeps_a_rule(crowd: Crowd) -> None:
    """A unique index keeps a rule, whether or not a statement finds it."""
    query = """select i.relname from pg_index x join pg_class i on i.oid = x.indexrelid join pg_class t on t.oid = x.indrelid
      where t.relnamespace::regnamespace::text = any($1) and not t.relispartition and not x.indisunique and t.relname <> 'jobs'"""
    async with crowd.fresh.connect("superuser") as superuser:
        indexes = {row[0] for row in await superuser.fetch(query, [schema_of(domain) for domain in DOMAINS])}

    assert indexes - ASKED.keys() - DONE.keys() - BY_THE_SYSTEM.keys() - UNSEEN.keys() == set()
    assert UNSEEN.keys() - indexes == set()


#: What serves where the document has an index, or the correction by which it has none.
OF_THE_DOCUMENT: dict[str, str] = {
    "idx_users_email": "C40",
    "idx_users_status": "C40",
    "idx_users_created_at": "C40",
    "idx_oauth_user_id": "ix_oauth_connections_user_id",
    "idx_oauth_provider": "C40",
    "idx_bank_connections_user": "ix_bank_connections_user_id",
    "idx_bank_connections_status": "C40",
    "idx_bank_connections_last_sync": "C40",
    "idx_bank_accounts_user": "ix_bank_accounts_user_id",
    "idx_bank_accounts_connection": "uq_bank_accounts_connection_id_provider_account_id",
    "idx_sync_history_connection": "ix_sync_history_user_id_connection_id_started_at",
    "idx_transactions_user_date": "ix_transactions_user_date",
    "idx_transactions_account": "ix_transactions_account",
    "idx_transactions_category": "ix_transactions_category",
    "idx_transactions_merchant": "ix_transactions_merchant",
    "idx_transactions_amount": "ix_transactions_amount",
    "idx_transactions_status": "C40",
    "idx_transactions_pending": "ix_transactions_pending",
    "idx_transactions_tags": "ix_transactions_tags",
    "idx_transactions_search": "ix_transactions_search",
    "idx_recurring_user": "ix_recurring_patterns_user_id",
    "idx_insights_user": "ix_insights_user_id",
    "idx_insights_type": "ix_insights_user_id_type",
    "idx_insights_expires": "C40",
    "idx_merchant_categories_name": "C40",
    "idx_merchant_categories_category": "C40",
    "idx_transaction_embeddings_user": "ix_transaction_embeddings_user_id",
    "idx_spending_patterns_user": "ix_spending_patterns_user_id",
    "idx_llm_cache_type": "ix_llm_query_cache_user_id_query_type",
    "idx_llm_cache_expires": "ix_llm_query_cache_expires_at",
    "idx_budgets_user": "ix_budgets_user_id",
    "idx_budgets_category": "C40",
    "idx_budget_utilization_budget": "C40",
    "idx_budget_utilization_current": "uq_budget_utilization_current",
    "idx_savings_goals_user": "ix_savings_goals_user_id",
    "idx_savings_goals_status": "C40",
    "idx_goal_contributions_goal": "ix_goal_contributions_user_id_goal_id",
    "idx_budget_history_budget": "uq_budget_history_budget_id_period_start",
    "idx_notifications_user": "ix_notifications_user_id",
    "idx_notifications_status": "ix_notifications_retry",
    "idx_notifications_channel": "ix_notifications_channel",
    "idx_notifications_type": "ix_notifications_type",
    "idx_notification_rules_user": "ix_notification_rules_user_id",
    "idx_notification_rules_type": "C40",
    "idx_notification_templates_key": "C40",
    "idx_notification_stats_date": "C40",
    "idx_audit_logs_user": "ix_audit_logs_user_id",
    "idx_audit_logs_action": "ix_audit_logs_action",
    "idx_audit_logs_timestamp": "C40",
    "idx_data_export_user": "ix_data_export_requests_user_id",
    "idx_deletion_requests_user": "ix_deletion_requests_user_id",
}


@pytest.mark.skipif(not FOLDER.is_dir(), reason="DESIGN_DOCUMENTS does not name the folder of the design documents")
def test_every_index_of_the_document_is_served_or_corrected() -> None:
    named = set(re.findall(r"CREATE INDEX (idx_\w+)", (FOLDER / "database-design.md").read_text()))
    served = {index for index in OF_THE_DOCUMENT.values() if index != "C40"}

    assert named - OF_THE_DOCUMENT.keys() == set()
    assert served - ASKED.keys() - DONE.keys() - BY_THE_SYSTEM.keys() == set()


@pytest.mark.parametrize("index", DONE)
async def test_what_a_use_case_does_for_somebody_finds_its_index(crowd: Crowd, index: str) -> None:
    with caught() as sent:
        await DONE[index](crowd)

    assert index in await indexes_used(crowd, sent)


#: What pairs transactions: the days around a change, by these indexes.
AROUND = [(datetime.now(UTC).date() - timedelta(days=108 + far), datetime.now(UTC).date() - timedelta(days=91 + far)) for far in (0, 400)]
PAIRING: dict[str, Doing] = {
    "ix_transactions_user_date": writing("transaction", lambda session: pairs.find_movers(session, AROUND, Decimal("0.70"))),
    "ix_transactions_account": writing("transaction", lambda session: pairs.find_listed(session, SOME_IDS[:2], AROUND)),
    "ix_transaction_keys_transaction_id": writing("transaction", lambda session: pairs.find_sides(session, SOME_IDS[:2])),
    "pk_exchange_rates": writing("transaction", lambda session: list_rates(session, {"USD", "GBP"}, *AROUND[0])),
}


@pytest.mark.parametrize("index", PAIRING)
async def test_what_pairs_transactions_looks_at_the_days_around_and_not_at_the_ledger(crowd: Crowd, index: str) -> None:
    async with crowd.fresh.connect("superuser") as superuser:
        await superuser.execute(
            """insert into transaction_schema.exchange_rates
              select currency, date '2000-01-01' + day, 1.25 from generate_series(0, 9000) day, unnest(array['USD', 'GBP', 'JPY']) currency
              on conflict do nothing"""
        )
        await superuser.execute("analyze transaction_schema.exchange_rates")

    with caught() as sent:
        await PAIRING[index](crowd)

    assert index in await indexes_used(crowd, sent)


@pytest.mark.parametrize("index", BY_THE_SYSTEM)
async def test_what_upkeep_does_for_everybody_finds_its_index(crowd: Crowd, index: str) -> None:
    with caught() as sent:
        await BY_THE_SYSTEM[index](crowd)

    assert index in await indexes_used(crowd, sent, role="system")
