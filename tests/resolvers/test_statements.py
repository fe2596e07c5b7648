"""A relation takes the same few statements for one parent and for a hundred, whichever way an operation runs."""

import asyncio
from collections.abc import Iterator
from datetime import time, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from graphql import FieldNode, GraphQLSchema, TypeInfo, TypeInfoVisitor, Visitor, parse, visit
from sqlalchemy import insert

from db.analytics.models import merchant_categories
from db.analytics.queries.merchants import Vote
from db.bank import queries as bank
from db.bank import queries_syncs as syncs
from db.bank.models import statement_imports
from db.budget import queries as budgets
from db.budget.queries_goals import add_contribution
from db.engines import Viewer
from db.transaction.models import deleted_transactions, own_transactions
from db.transaction.queries import reconciling
from domains.flows.close_periods import close_periods
from domains.flows.services import Services
from domains.notification.rules import Conditions, Hours
from domains.notification.service import change_rules
from domains.notification.service.add_notifications import add_notifications
from domains.transaction.service.record_patterns import record_patterns
from resolvers.assembly import ROOTS
from resolvers.declared import CountOf, DeclaredField, Link, PageOf
from resolvers.execution.operation import Gateway
from tests.conftest import MakeUser
from tests.resolvers.analytics.rows import add_insight, add_pattern, ask_model, embed, vote
from tests.resolvers.api import Client, gid
from tests.resolvers.household import FOOD, GROCERIES, MONTH, TODAY, add_goal, bring, moved
from tests.resolvers.household import account as statement_account
from tests.resolvers.notification.notices import notice
from tests.resolvers.transaction.test_series import pattern

#: Each with how many statements its plan takes.
QUERIES: dict[str, tuple[str, int]] = {
    "accounts and connections": ("{ me { accounts { name connection { institutionName accounts { id } } } } }", 3),
    "connections": ("{ me { email connections { status accounts { name } } } }", 3),
    "preferences": ("{ me { preferences { dailySummaryTime transactionAlertThreshold { amount currency } } } }", 1),
    "links": ("{ me { currency oauthConnections { provider email } } }", 2),
    "imports": ("{ me { statementImports(first: 100) { nodes { filename error { code } } totalCount } } }", 3),
    "syncs": ("{ me { syncHistory(first: 100) { nodes { status connection { status } statementImport { filename } } totalCount } } }", 4),
    "syncs of connections": (
        """{ me { connections { syncHistory(first: 2, filter: {status: STARTED}) {
          nodes { errorCode } pageInfo { endCursor } totalCount } } } }""",
        3,
    ),
    "pages of accounts": ("{ me { accounts { transactions(first: 2) { nodes { id } pageInfo { endCursor } totalCount } } } }", 3),
    "transactions": (
        """{ me { transactions(first: 100) {
          nodes { amount { amount } category { displayName parent { icon } } userCategory { color } account { name connection { status } } }
        } } }""",
        5,
    ),
    "edges": ("{ me { transactions(first: 100) { edges { cursor node { account { name } } } totalCount } } }", 3),
    "budgets": (
        """{ me { budgets { name category { displayName children { id } }
          utilization { amountSpent { amount } percentageUsed unconverted { amount currency } version } } } }""",
        4,
    ),
    "closed periods": (
        """{ me { budgetHistory(first: 100) { nodes { periodStart budget { name } category { displayName } } totalCount }
          budgets { history(first: 2) { nodes { amountSpent { amount } } totalCount } } } }""",
        7,
    ),
    "contributions": (
        """{ me { goalContributions(first: 100) { nodes { amount { amount } goal { name } } totalCount }
          goals { contributions(first: 2) { nodes { contributionDate } totalCount } } } }""",
        6,
    ),
    "goals": ("{ me { goals { name percentageComplete requiredMonthlyContribution { amount } } } }", 1),
    "notifications": ("{ me { unreadNotificationCount notifications(first: 100) { nodes { message data } totalCount } } }", 3),
    "rules of notification": (
        "{ me { notificationRules { name conditions { amountThreshold { amount } categoryIds timeOfDay { start } daysOfWeek } } } }",
        1,
    ),
    "templates of notification": ("{ notificationTemplates(first: 100) { nodes { key body } totalCount } }", 2),
    "categories": ("{ categories { displayName parent { id displayName } children { id icon } } }", 3),
    "more of transactions": (
        """{ me { transactions(first: 100) { nodes { duplicateOf { id } recurringPattern { frequency } automaticCategory { icon }
          automaticCategoryDetailed { icon } location { city } paymentMeta { type all } } } } }""",
        5,
    ),
    "fields and reviews of transactions": (
        "{ me { transactions(first: 30) { nodes { fields { name source } reviews { kind other { description } } } } } }",
        4,
    ),
    "reviews": ("{ me { reviews(first: 100) { nodes { kind transaction { description } other { description } } totalCount } } }", 3),
    "deleted transactions": ("{ me { deletedTransactions(first: 100) { nodes { description account { name } } totalCount } } }", 3),
    "transfers": (
        """{ me { transactions(first: 100) { nodes {
          transfer { other { amount { amount } } fromAccount { name } toAccount { name } review { decidedBy } } } } } }""",
        5,
    ),
    "patterns": (
        "{ me { recurringPatterns(first: 100) { nodes { frequency transactions(first: 2) { nodes { id } totalCount } } } } }",
        3,
    ),
    "insights": ("{ me { insights(first: 100) { nodes { data affectedCategories { category { displayName } } } totalCount } } }", 4),
    "habits": ("{ me { spendingPatterns(first: 100) { nodes { data category { displayName } } totalCount } } }", 3),
    "model queries": ("{ me { modelQueries(first: 100) { nodes { text response costUsd } totalCount } } }", 2),
    "votes": (
        """{ me { merchantVotes(first: 100) { nodes { merchantName category { icon } categoryDetailed { icon }
          everybody { userCount category { color } categoryDetailed { color } } } totalCount } } }""",
        5,
    ),
    "embeddings": (
        """{ me { embeddings(first: 100) { nodes { model transaction { description } } totalCount }
          transactions(first: 100) { nodes { embeddings { text } } } } }""",
        5,
    ),
    "months": ("{ me { monthlySummaries(first: 100) { nodes { month category { displayName } } totalCount } } }", 3),
    "own categories": ("{ me { categories(first: 100) { nodes { displayName parent { icon } children { id } } totalCount } } }", 4),
    "audit log": ("{ me { auditLog { nodes { sequence action service } totalCount } } }", 2),
    "requests": (
        "{ me { dataExportRequests { nodes { status } totalCount } deletionRequests { nodes { reason } totalCount } } }",
        4,
    ),
    "dashboard": (
        """{ me {
          accounts { name currentBalance { amount currency } }
          budgets { name amount { amount } utilization { amountSpent { amount } amountRemaining { amount } isExceeded } }
          transactions(first: 50) { nodes { amount { amount currency } description category { displayName } account { name } } }
        } }""",
        6,
    ),
}
IMPORTS = "query($ids: [ID!]!) { nodes(ids: $ids) { ... on StatementImport { filename error { code message } } } }"


def rule(name: str) -> change_rules.CreateRule:
    said = Conditions(Decimal(500), "USD", (FOOD,), time_of_day=Hours(time(9), time(18)), days_of_week=("Monday",))
    return change_rules.CreateRule(name, "custom", said, ("in_app",), "immediate", "normal", enabled=True)


@pytest.fixture(scope="module")
async def households(api: Gateway, services: Services, make_user: MakeUser) -> dict[int, Client]:
    """Somebody with one of everything, and somebody with a hundred."""
    people = {many: await make_user() for many in (1, 100)}
    await asyncio.gather(*(furnish(services, viewer, many) for many, viewer in people.items()))
    return {many: Client(api, services, viewer) for many, viewer in people.items()}


async def furnish(services: Services, viewer: Viewer, many: int) -> None:
    async with services.db.write("bank", viewer) as session:
        for number in range(many):
            item = {"id": uuid4(), "provider": "file", "provider_item_id": f"bank-{number}"}
            connection_id = await bank.find_or_add_connection(session, item, per_user=True)
            names = ("account_subtype", "account_official_name", "account_mask", "persistent_id")
            row = {"id": uuid4(), "account_type": "checking", "account_name": f"A {number}", "currency": "USD", **dict.fromkeys(names)}
            await bank.find_or_add_accounts(session, connection_id, [{**row, "provider_account_id": "one"}])
            failed = {"status": "failed", "error_code": "STATEMENT_REJECTED", "error_message": "No.", "completed_at": services.clock.now()}
            import_id = uuid4()
            await bank.add_import(session, {"id": import_id, "filename": f"{number}.csv", **failed})
            await syncs.begin_sync(session, import_id, services.clock.now())
            await syncs.place_sync(session, import_id, connection_id)
    await bring(services, viewer, statement_account("Daily", [moved(MONTH, "1.00") for _ in range(many)]))
    async with services.db.write("notification", viewer) as session:
        await add_notifications(session, [notice(str(number)) for number in range(many)])
        for number in range(many):
            await change_rules.create_rule(session, rule(f"Rule {number}"), str(number))
    await add_doubts(services, viewer)
    await add_patterns(services, viewer)
    await add_analytics(services, viewer, many)
    async with services.db.write("budget", viewer) as session:
        for number in range(many):
            await budgets.add_budget(
                session,
                {
                    "id": uuid4(),
                    "name": f"Budget {number}",
                    "category": (FOOD, GROCERIES)[number % 2],
                    "amount": 10,
                    "currency": "USD",
                    "start_date": TODAY - timedelta(days=7),
                    "period": "weekly",
                },
            )
    goals = await asyncio.gather(*(add_goal(services, viewer, f"Goal {number}", target_date=MONTH) for number in range(many)))
    async with services.db.write("budget", viewer) as session:
        for goal_id in goals:
            row = {"id": uuid4(), "goal_id": goal_id, "amount": 1, "currency": "USD", "contribution_date": TODAY}
            await add_contribution(session, row)
    await close_periods(services, viewer)
    await add_transfers(services, viewer, many)


async def add_transfers(services: Services, viewer: Viewer, many: int) -> None:
    """So many, between two more accounts."""
    about: dict[str, Any] = {"category_detailed": None, "description": "X", "original_description": "X"}
    left, arrived = [[moved(MONTH, f"{n + 2}.00", direction=way, **about) for n in range(many)] for way in ("debit", "credit")]
    await bring(services, viewer, statement_account("Spare", left), statement_account("Savings", arrived))


async def add_doubts(services: Services, viewer: Viewer) -> None:
    """For each transaction a doubt about it and another, and one like it in the bin."""
    async with services.db.write("transaction", viewer) as session:
        rows = list(await session.run(own_transactions.select()))
        pairs = [{"transaction_id": row.id, "transaction_date": MONTH, "other_id": uuid4(), "other_date": MONTH} for row in rows]
        await reconciling.suggest_reviews(session, [{"kind": "posting", "score": None, **pair} for pair in pairs])
        content = {"amount": 1, "currency": "USD", "direction": "debit", "description": "gone"}
        of_all = {"user_id": viewer.user_id, "transaction_date": MONTH, "content": content}
        gone = [{"id": uuid4(), "account_id": row.account_id, **of_all} for row in rows]
        await session.execute(insert(deleted_transactions), gone)


async def add_analytics(services: Services, viewer: Viewer, many: int) -> None:
    """So many insights, habits, questions, votes; an embedding for each transaction. Of each merchant something is known in general."""
    names = [f"shop {uuid4()}" for _ in range(many)]
    for number, name in enumerate(names):
        await add_insight(services, viewer, affected_categories=[FOOD, GROCERIES])
        await add_pattern(services, viewer, category=(FOOD, GROCERIES)[number % 2])
        await ask_model(services, viewer, name)
    await vote(services, viewer, *(Vote(name, FOOD, GROCERIES) for name in names))
    async with services.db.system("analytics") as system:
        known = {"category": FOOD, "category_detailed": GROCERIES}
        await system.execute(insert(merchant_categories), [{"merchant_name": name, **known} for name in names])
    async with services.db.write("transaction", viewer) as session:
        ids = [row.id for row in await session.run(own_transactions.select())]
    await embed(services, viewer, *ids)


async def add_patterns(services: Services, viewer: Viewer) -> None:
    """One for each transaction."""
    async with services.db.write("transaction", viewer) as session:
        for row in await session.run(own_transactions.select()):
            await record_patterns(session, [pattern(str(row.id), transaction_ids=[row.id])])


@pytest.mark.parametrize("name", QUERIES)
async def test_one_parent_and_a_hundred_take_the_same_statements(households: dict[int, Client], name: str) -> None:
    query, statements = QUERIES[name]

    planned = {many: await client.counted(query, planned=True) for many, client in households.items()}
    interpreted = {many: await client.counted(query, planned=False) for many, client in households.items()}

    assert [taken for _, taken in planned.values()] == [statements, statements]
    assert interpreted[1][1] == interpreted[100][1]
    assert [data for data, _ in planned.values()] == [data for data, _ in interpreted.values()]


@pytest.mark.parametrize("many", [1, 100])
async def test_nodes_of_one_type_take_one_statement_and_one_per_relation(households: dict[int, Client], many: int) -> None:
    client = households[many]
    assert client.viewer is not None
    async with client.services.db.write("bank", client.viewer) as session:
        keys = [row.id for row in await session.run(statement_imports.select())]

    data, statements = await client.counted(IMPORTS, planned=False, ids=[gid("StatementImport", key) for key in keys])

    assert statements == 2
    assert len(data["nodes"]) == many
    assert all(node["error"] == {"code": "STATEMENT_REJECTED", "message": "No."} for node in data["nodes"])


def test_every_relation_is_counted_above(api: Gateway) -> None:
    schema = api.schema._schema
    counted = {place for query in (IMPORTS, *(query for query, _ in QUERIES.values())) for place in fields_of(schema, query)}

    assert set(relations(api)) - counted == set()


def relations(api: Gateway) -> Iterator[tuple[str, str]]:
    """Every declared link and page of a type that may have many parents; a payload is one parent by itself."""
    for name, kind in api.schema._schema.type_map.items():
        if name in ROOTS or name.endswith(("Payload", "Updated")) or name.startswith("__"):
            continue
        for field, definition in getattr(kind, "fields", {}).items():
            declared = definition.extensions.get("strawberry-definition")
            if isinstance(declared, DeclaredField) and isinstance(declared.how, Link | PageOf | CountOf):
                yield name, field


def fields_of(schema: GraphQLSchema, query: str) -> set[tuple[str, str]]:
    """Every (type, field) that a document selects."""
    found: set[tuple[str, str]] = set()
    types = TypeInfo(schema)

    class Collect(Visitor):
        def enter_field(self, node: FieldNode, *_: Any) -> None:
            parent = types.get_parent_type()
            if parent is not None:
                found.add((parent.name, node.name.value))

    visit(parse(query), TypeInfoVisitor(types, Collect()))
    return found
