"""Whoever is given every id of somebody else learns nothing and changes nothing; also when only the database refuses.

The schema is walked: each argument that takes an id needs a case here, each type with an id a row of A's.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from graphql import GraphQLInputObjectType, GraphQLObjectType, get_named_type
from sqlalchemy import ColumnElement, FromClause, Uuid, bindparam

from db import statements
from db.analytics.queries.merchants import Vote
from db.bank import queries_syncs
from db.budget import queries as budgets
from domains.core.ids import parse_id
from domains.flows.close_periods import close_periods
from domains.flows.services import Services
from resolvers.execution.operation import Gateway
from resolvers.ids import split_global_id
from tests.conftest import MakeUser
from tests.db.samples import superuser
from tests.db.test_row_security import SHARED, TABLES
from tests.resolvers.analytics.rows import add_insight, add_pattern, ask_model, vote
from tests.resolvers.api import Answer, Client, gid
from tests.resolvers.bank.test_statement_import import begin, uploaded
from tests.resolvers.budget.budgets import create, delete, update
from tests.resolvers.conftest import MakeClient
from tests.resolvers.household import COFFEE, FOOD, MONTH, account, add_goal, bring, moved
from tests.resolvers.notification.notices import notice, tell
from tests.resolvers.notification.test_rules import create as create_rule
from tests.resolvers.test_operations import DOCUMENTS
from tests.resolvers.transaction.categories import made
from tests.resolvers.transaction.doubts import deleted, doubted
from tests.resolvers.transaction.test_series import SUMMARIES, key_of, pattern, record
from tests.resolvers.user.links import connect
from tests.servers.suite import Servers

QUIET_S = 0.25
#: Types whose rows are everybody's.
PUBLIC: set[str] = set()
#: What has an id and can be asked for by none: an upload is only ever imported.
UNASKABLE = {"Upload", "BankLink"}

PAGE = """query($filter: TransactionFilter, $after: String) { me {
  transactions(filter: $filter, after: $after) { nodes { id description account { id } } totalCount }
  accounts { id transactions(filter: $filter) { nodes { id } totalCount } }
} }"""
ENTITIES = "query($these: [_Any!]!) { _entities(representations: $these) { __typename ... on Node { id } } }"
SERIES = """query($filter: TransactionFilter) { me {
  recurringPatterns { nodes { id transactions(filter: $filter) { nodes { id } totalCount } } }
} }"""
FOLLOW = "subscription($ids: [ID!]) { budgetUpdated(ids: $ids) { budgetId version budget { name } } }"
IDS = (
    """{ me { id accounts { id } connections { id } transactions { nodes { id } pageInfo { endCursor } } budgets { id } goals { id } } }"""
)
SYNCS = """query($filter: BankSyncFilter) { me {
  syncHistory(filter: $filter) { nodes { id connection { id } } totalCount }
  connections { id syncHistory(filter: $filter) { nodes { id } totalCount } }
} }"""

Case = Callable[[Client, str], Awaitable[Answer]]


def page(name: str) -> Case:
    return lambda client, given: client.ask(PAGE, filter={name: [given]})


def narrowed(path: str, kind: str, name: str) -> Case:
    """A list, named by the fields on the way to it, with the given id in its filter."""
    document = f"query($filter: {kind}) {path}(filter: $filter) {{ nodes {{ id }} totalCount }}" + " }" * path.count("{")
    return lambda client, given: client.ask(document, filter={name: [given]})


def change(document: str, **said: str | None) -> Case:
    """A mutation with the given id for whatever is None, else as said."""

    def ask(client: Client, given: str) -> Awaitable[Answer]:
        return client.ask(DOCUMENTS[document], input={name: given if value is None else value for name, value in said.items()})

    return ask


def mine(document: str, own: str, **said: str | None) -> Case:
    """The same about something that is one's own."""

    async def ask(client: Client, given: str) -> Answer:
        found = (await client.data("{ me { budgets { id } transactions { nodes { id } } } }"))["me"]
        own_id = (found["budgets"] if own == "budget" else found["transactions"]["nodes"])[0]["id"]
        return await change(document, id=own_id, **said)(client, given)

    return ask


def beside(document: str, own: str, name: str) -> Case:
    """A mutation of two transactions: one's own under the first name, and the given id under the other."""

    async def ask(client: Client, given: str) -> Answer:
        found = (await client.data("{ me { transactions { nodes { id } } } }"))["me"]["transactions"]["nodes"]
        return await client.ask(DOCUMENTS[document], input={own: found[0]["id"], name: given})

    return ask


def change_some(document: str) -> Case:
    """A mutation of several."""
    return lambda client, given: client.ask(DOCUMENTS[document], input={"ids": [given]})


def new_rule(name: str) -> Case:
    """A rule of notification whose conditions have the given id under this name."""

    async def ask(client: Client, given: str) -> Answer:
        return {"said": await create_rule(client, conditions={name: [given]})}

    return ask


def own_rule(name: str) -> Case:
    """The same of a rule of one's own."""

    async def ask(client: Client, given: str) -> Answer:
        rule = (await create_rule(client))["notificationRule"]["id"]
        said = {"id": rule, "conditions": {name: [given]}}
        return await client.ask(DOCUMENTS["notification/update_notification_rule"], input=said)

    return ask


async def followed(client: Client, document: str, *, for_s: float = QUIET_S, **variables: Any) -> Answer:
    """Everything that a subscription says for a while, or until its end."""
    said: list[Answer] = []
    async with client.following(document, **variables) as answers:
        with suppress(TimeoutError):
            async with asyncio.timeout(for_s):
                async for answer in answers:
                    said.append(answer)  # noqa: PERF401 - what came before the time-out counts
    return {"said": said}


async def requested(client: Client, kind: str) -> Any:
    [made] = (await client.data(DOCUMENTS[f"audit/request_{kind}"], input={"idempotencyKey": str(uuid4())})).values()
    return made.get("dataExportRequest") or made["deletionRequest"]


async def create_with(client: Client, category: str) -> Answer:
    return {"said": await create(client, category=category)}


def own_category(document: str, name: str) -> Case:
    """A mutation of a category of one's own, with the given id under this name."""

    async def ask(client: Client, given: str) -> Answer:
        return await change(document, id=await made(client, f"Own {uuid4()}"), **{name: None})(client, given)

    return ask


def decide(client: Client, given: str) -> Awaitable[Answer]:
    return client.ask(DOCUMENTS["transaction/decide_review"], input={"id": given, "accept": True})


#: Every place where a client can put an id.
CASES: dict[str, Case] = {
    "Mutation.insightMarkViewed(input.id)": change("analytics/mark_insight_viewed", id=None),
    "Mutation.insightDismiss(input.id)": change("analytics/dismiss_insight", id=None),
    "Mutation.insightRate(input.id)": change("analytics/rate_insight", id=None, feedback="HELPFUL"),
    "User.spendingPatterns(filter.categoryIds)": narrowed("{ me { spendingPatterns", "SpendingPatternFilter", "categoryIds"),
    "Query.node(id)": lambda client, given: client.ask(DOCUMENTS["user/node"], id=given),
    "Query.nodes(ids)": lambda client, given: client.ask(DOCUMENTS["user/nodes"], ids=[given]),
    "User.transactions(filter.accountIds)": page("accountIds"),
    "User.transactions(filter.categoryIds)": page("categoryIds"),
    "BankAccount.transactions(filter.accountIds)": page("accountIds"),
    "BankAccount.transactions(filter.categoryIds)": page("categoryIds"),
    "User.syncHistory(filter.connectionIds)": lambda client, given: client.ask(SYNCS, filter={"connectionIds": [given]}),
    "BankConnection.syncHistory(filter.connectionIds)": lambda client, given: client.ask(SYNCS, filter={"connectionIds": [given]}),
    "Mutation.oauthConnectionDelete(input.id)": change("user/delete_oauth_connection", id=None),
    "Mutation.budgetCreate(input.category)": create_with,
    "Mutation.budgetUpdate(input.id)": change("budget/update_budget", id=None, name="Mine"),
    "Mutation.budgetUpdate(input.category)": mine("budget/update_budget", "budget", category=None),
    "Mutation.budgetDelete(input.id)": change("budget/delete_budget", id=None),
    "User.budgetHistory(filter.budgetIds)": narrowed("{ me { budgetHistory", "BudgetHistoryFilter", "budgetIds"),
    "Budget.history(filter.budgetIds)": narrowed("{ me { budgets { history", "BudgetHistoryFilter", "budgetIds"),
    "User.goalContributions(filter.goalIds)": narrowed("{ me { goalContributions", "GoalContributionFilter", "goalIds"),
    "SavingsGoal.contributions(filter.goalIds)": narrowed("{ me { goals { contributions", "GoalContributionFilter", "goalIds"),
    "Mutation.goalUpdate(input.id)": change("budget/update_goal", id=None, name="Mine"),
    "Mutation.goalDelete(input.id)": change("budget/delete_goal", id=None),
    "Mutation.goalContributionCreate(input.goalId)": change("budget/contribute_to_goal", goalId=None, idempotencyKey="k", amount="1"),
    "Mutation.goalContributionDelete(input.id)": change("budget/delete_goal_contribution", id=None),
    "Mutation.dataExportRequestCancel(input.id)": change("audit/cancel_export", id=None),
    "Mutation.deletionRequestCancel(input.id)": change("audit/cancel_deletion", id=None),
    "Mutation.bankLinkCreate(input.connectionId)": change(
        "bank/begin_bank_link", connectionId=None, provider="SANDBOX", idempotencyKey="k"
    ),
    "Mutation.bankLinkComplete(input.linkId)": change("bank/complete_bank_link", linkId=None, publicToken="robin", idempotencyKey="k"),
    "Mutation.bankConnectionSync(input.id)": change("bank/sync_bank_connection", id=None),
    "Mutation.bankConnectionRemove(input.id)": change("bank/remove_bank_connection", id=None, transactions="DELETE"),
    "Mutation.statementImport(input.uploadId)": change("bank/import_statement", uploadId=None, idempotencyKey="k"),
    "User.monthlySummaries(filter.categoryIds)": lambda client, given: client.ask(SUMMARIES, filter={"categoryIds": [given]}),
    "RecurringPattern.transactions(filter.accountIds)": lambda client, given: client.ask(SERIES, filter={"accountIds": [given]}),
    "RecurringPattern.transactions(filter.categoryIds)": lambda client, given: client.ask(SERIES, filter={"categoryIds": [given]}),
    "Mutation.categoryCreate(input.parent)": change("transaction/create_category", parent=None, displayName="Mine", idempotencyKey="k"),
    "Mutation.categoryUpdate(input.id)": change("transaction/update_category", id=None, displayName="Mine"),
    "Mutation.categoryUpdate(input.parent)": own_category("transaction/update_category", "parent"),
    "Mutation.categoryDelete(input.id)": change("transaction/delete_category", id=None),
    "Mutation.categoryDelete(input.moveTo)": own_category("transaction/delete_category", "moveTo"),
    "Mutation.transactionUpdate(input.id)": change("transaction/update_transaction", id=None, notes="Mine"),
    "Mutation.transactionUpdate(input.category)": mine("transaction/update_transaction", "transaction", category=None),
    "Mutation.transactionDelete(input.id)": change("transaction/delete_transaction", id=None),
    "Mutation.transactionRestore(input.id)": change("transaction/restore_transaction", id=None),
    "Mutation.transactionReviewDecide(input.id)": decide,
    "Mutation.transactionPairTransfer(input.debitId)": beside("transaction/pair_transfer", "creditId", "debitId"),
    "Mutation.transactionPairTransfer(input.creditId)": beside("transaction/pair_transfer", "debitId", "creditId"),
    "Mutation.transactionMarkDuplicate(input.id)": beside("transaction/mark_duplicate", "ofId", "id"),
    "Mutation.transactionMarkDuplicate(input.ofId)": beside("transaction/mark_duplicate", "id", "ofId"),
    "Mutation.notificationMarkRead(input.ids)": change_some("notification/mark_notifications_read"),
    "Mutation.notificationMarkUnread(input.ids)": change_some("notification/mark_notifications_unread"),
    "Mutation.notificationRuleCreate(input.conditions.categoryIds)": new_rule("categoryIds"),
    "Mutation.notificationRuleCreate(input.conditions.budgetIds)": new_rule("budgetIds"),
    "Mutation.notificationRuleUpdate(input.id)": change("notification/update_notification_rule", id=None, name="Mine"),
    "Mutation.notificationRuleUpdate(input.conditions.categoryIds)": own_rule("categoryIds"),
    "Mutation.notificationRuleUpdate(input.conditions.budgetIds)": own_rule("budgetIds"),
    "Mutation.notificationRuleDelete(input.id)": change("notification/delete_notification_rule", id=None),
    "Subscription.budgetUpdated(ids)": lambda client, given: followed(client, FOLLOW, ids=[given]),
    "Subscription.connectionSyncProgress(connectionId)": lambda client, given: followed(
        client, DOCUMENTS["bank/follow_bank_sync"], connectionId=given
    ),
    "Subscription.statementImportUpdated(id)": lambda client, given: followed(
        client, DOCUMENTS["bank/follow_import"], for_s=10.0, id=given
    ),
}


@dataclass(frozen=True)
class Two:
    """A's ids by type and a cursor of A's list; both are asked through a client."""

    a: Client
    b: Client
    ids: dict[str, str]
    cursor: str
    key: str

    @property
    def keys(self) -> list[str]:
        """A's ids as the database has them."""
        return [parts[1] for each in self.ids.values() if (parts := split_global_id(each)) is not None]


@pytest.fixture(params=["the filter and the database", "the database alone"])
async def two(request: pytest.FixtureRequest, api: Gateway, services: Services, make_user: MakeUser) -> Any:
    """A has one of everything, B their own; afterwards the application's filter may be gone."""
    a, b = [Client(api, services, await make_user()) for _ in range(2)]
    for client in (a, b):
        assert client.viewer is not None
        await bring(services, client.viewer, account("Daily", [moved(MONTH, "12.50"), moved(MONTH, "3.00", category_detailed=COFFEE)]))
    key = str(uuid4())
    await create(a, idempotencyKey=key)
    await create(b)
    await record(b, pattern("gym"))
    assert a.viewer is not None
    goal = await add_goal(services, a.viewer, "Boat")
    contribution = {"goalId": gid("SavingsGoal", goal), "idempotencyKey": key, "amount": "5"}
    given = await a.data(DOCUMENTS["budget/contribute_to_goal"], input=contribution)
    await create(a, name="Over", startDate="2026-01-01", endDate="2026-01-31")
    await close_periods(services, a.viewer)
    begun = await begin(a, await uploaded(a))
    link = await connect(services, a.viewer)
    insight, habit = await add_insight(services, a.viewer), await add_pattern(services, a.viewer)
    await ask_model(services, a.viewer, "Where does my money go?")
    await vote(services, a.viewer, Vote("corner shop", FOOD, None))
    said = (await a.data("{ me { modelQueries { nodes { id } } merchantVotes { nodes { id } } } }"))["me"]
    me = (await a.data(IDS))["me"]
    sync = await synced(a, begun["statementImport"]["id"], me["connections"][0]["id"])
    ids = {
        "User": me["id"],
        "Insight": gid("Insight", insight),
        "SpendingPattern": gid("SpendingPattern", habit),
        "ModelQuery": said["modelQueries"]["nodes"][0]["id"],
        "MerchantVote": said["merchantVotes"]["nodes"][0]["id"],
        "BankAccount": me["accounts"][0]["id"],
        "BankConnection": me["connections"][0]["id"],
        "Transaction": me["transactions"]["nodes"][0]["id"],
        "Budget": me["budgets"][0]["id"],
        "SavingsGoal": gid("SavingsGoal", goal),
        "Category": await made(a, "Sourdough"),
        "RecurringPattern": (await record(a, pattern("gym", transaction_ids=[key_of(me["transactions"]["nodes"][0]["id"])])))["gym"],
        "GoalContribution": given["goalContributionCreate"]["goalContribution"]["id"],
        "BudgetHistory": (await a.data("{ me { budgetHistory { nodes { id } } } }"))["me"]["budgetHistory"]["nodes"][0]["id"],
        "StatementImport": begun["statementImport"]["id"],
        "Notification": (await tell(services, a.viewer, notice()))[0],
        "NotificationRule": (await create_rule(a))["notificationRule"]["id"],
        "BankSync": sync,
        "OAuthConnection": gid("OAuthConnection", link),
        "DataExportRequest": (await requested(a, "export"))["id"],
        "DeletionRequest": (await requested(a, "deletion"))["id"],
        "Upload": await uploaded(a),
        "BankLink": (await link_begun(a))["id"],
        "TransactionReview": await doubted(a, me["transactions"]["nodes"][0]["id"]),
        "DeletedTransaction": await deleted(a, moved(MONTH, "99.00")),
    }
    found = Two(a, b, ids, me["transactions"]["pageInfo"]["endCursor"], key)
    if request.param == "the filter and the database":
        yield found
        return
    with unfiltered():
        yield found


async def synced(client: Client, import_gid: str, connection_gid: str) -> str:
    """The line of an import that goes on, in the history of this connection."""
    import_id, connection_id = [UUID(parts[1]) for each in (import_gid, connection_gid) if (parts := split_global_id(each)) is not None]
    async with client.services.db.write("bank", client.viewer) as session:
        await queries_syncs.begin_sync(session, import_id, client.services.clock.now())
        await queries_syncs.place_sync(session, import_id, connection_id)
    return str((await client.data("{ me { syncHistory { nodes { id } } } }"))["me"]["syncHistory"]["nodes"][0]["id"])


async def link_begun(client: Client) -> Any:
    said = {"provider": "SANDBOX", "idempotencyKey": str(uuid4())}
    return (await client.data(DOCUMENTS["bank/begin_bank_link"], input=said))["bankLinkCreate"]["bankLink"]


class unfiltered:
    """The application's owner filter lets every row through."""

    def __enter__(self) -> None:
        self._kept = statements._owner_filter
        statements._owner_filter = lets_everything_through
        statements.forget_compiled()

    def __exit__(self, *_: object) -> None:
        statements._owner_filter = self._kept
        statements.forget_compiled()


def lets_everything_through(_table: FromClause) -> ColumnElement[bool]:
    """As good as `true`, but that it takes the bound viewer, which a changing statement would else take for a column."""
    return bindparam("viewer", type_=Uuid).is_not(None)


async def rows_of(servers: Servers, user_id: UUID) -> dict[str, list[Any]]:
    """All that the database has of a user, but for jobs that publish events: those go by themselves."""
    found: dict[str, list[Any]] = {}
    for database in set(servers.databases.values()):
        async with superuser(database) as connection:
            for table in await connection.fetch(TABLES):
                if table["relname"] in SHARED:
                    continue
                where = WHERE.get(table["relname"], "user_id = $1")
                with suppress(asyncpg.UndefinedColumnError):
                    rows = await connection.fetch(f"select t::text as row from {table['name']} t where {where}", user_id)
                    found[table["name"]] = sorted(row["row"] for row in rows)
    assert found["user_schema.users"]
    return found


WHERE = {
    "users": "id = $1",
    "budget_utilization": "budget_id in (select id from budget_schema.budgets where user_id = $1)",
    "jobs": "user_id = $1 and topic <> 'live.publish'",
}


def other_than(given: str) -> str:
    """An id of the same type that nobody has."""
    parts = split_global_id(given)
    assert parts is not None
    return gid(parts[0], uuid4())


def without(answer: Answer, given: str) -> str:
    """The answer as text, whichever id it was asked with."""
    return repr(answer).replace(given, "<the id>")


async def both(case: Case, client: Client, given: str) -> tuple[Answer, str, Answer]:
    """What is said to an id of A's, one that nobody has, and what is said to that."""
    random = other_than(given)
    return await case(client, given), random, await case(client, random)


async def test_bola_no_id_of_a_is_anything_to_b(two: Two, servers: Servers) -> None:
    assert two.a.viewer is not None
    before = await rows_of(servers, two.a.viewer.user_id)

    for place, case in CASES.items():
        if place.startswith("Subscription."):  # each listens for a while: all at once
            found = await asyncio.gather(*(both(case, two.b, given) for given in two.ids.values()))
        else:
            found = [await both(case, two.b, given) for given in two.ids.values()]
        for (type_name, given), (theirs, random, nobodys) in zip(two.ids.items(), found, strict=True):
            assert without(theirs, given) == without(nobodys, random), f"{place} tells of A's {type_name}"
            assert not any(key in repr(theirs).replace(given, "") for key in two.keys), f"{place} shows A's {type_name}"
            assert "INTERNAL_SERVER_ERROR" not in repr(theirs), place

    assert await rows_of(servers, two.a.viewer.user_id) == before


async def test_bola_no_type_of_entity_finds_an_id_of_a_for_b(two: Two, api: Gateway) -> None:
    entities = api.schema.declarations.entities

    for type_name in entities:
        for given in two.ids.values():
            parts = split_global_id(given)
            assert parts is not None
            as_this_type = gid(type_name, parts[1])
            found = await two.b.data(ENTITIES, these=[{"__typename": type_name, "id": as_this_type}])
            assert found == {"_entities": [None]}, type_name
            assert await two.b.data("query($id: ID!) { node(id: $id) { id } }", id=as_this_type) == {"node": None}


async def test_bola_what_a_sees_of_itself_b_does_not(two: Two) -> None:
    """The ids above are A's, and good ones: else nothing here would prove anything."""
    askable = [each for name, each in two.ids.items() if name not in UNASKABLE]

    of_a = (await two.a.data(DOCUMENTS["user/nodes"], ids=askable))["nodes"]
    of_b = (await two.b.data(DOCUMENTS["user/nodes"], ids=askable))["nodes"]

    assert [node["id"] for node in of_a] == askable
    assert of_b == [None] * len(askable)


async def test_bs_own_lists_hold_nothing_of_a(two: Two) -> None:
    for name in (
        "user/me",
        "user/dashboard",
        "bank/accounts",
        "budget/budgets",
        "budget/goals",
        "transaction/transactions",
        "bank/sync_history",
        "user/profile",
    ):
        answer = repr(await two.b.ask(DOCUMENTS[name]))
        assert not any(each in answer for each in (*two.ids.values(), *two.keys)), name


async def test_a_cursor_of_as_list_continues_bs_list_with_bs_rows(two: Two) -> None:
    own = {node["id"] for node in (await two.b.data(PAGE))["me"]["transactions"]["nodes"]}

    found = (await two.b.data(PAGE, after=two.cursor))["me"]["transactions"]["nodes"]

    assert {node["id"] for node in found} <= own


async def test_as_idempotency_key_is_a_new_one_for_b(two: Two, servers: Servers) -> None:
    assert two.a.viewer is not None
    before = await rows_of(servers, two.a.viewer.user_id)

    made = await create(two.b, idempotencyKey=two.key)

    assert made["budget"]["id"] not in two.ids.values()
    assert await rows_of(servers, two.a.viewer.user_id) == before


async def test_b_is_told_nothing_while_a_changes_everything(two: Two) -> None:
    assert two.a.viewer is not None

    async def change_all() -> None:
        assert two.a.viewer is not None
        await update(two.a, two.ids["Budget"], name="Changed", amount="7")
        await bring(two.a.services, two.a.viewer, account("Daily", [moved(MONTH, "99.00")]))
        await delete(two.a, two.ids["Budget"])

    everything, _ = await asyncio.gather(followed(two.b, FOLLOW, for_s=1.5), change_all())
    asked_for = await followed(two.b, FOLLOW, ids=[two.ids["Budget"]])

    assert [answer["data"]["budgetUpdated"]["budget"]["name"] for answer in everything["said"]] == ["Food"]
    assert not any(key in repr(everything) for key in two.keys)
    assert asked_for == {"said": []}


def test_bola_every_place_for_an_id_has_a_case(api: Gateway) -> None:
    assert set(places(api)) == set(CASES)


def places(api: Gateway) -> Iterator[str]:
    """Each argument, or part of one, that takes an id."""
    for type_name, kind in api.schema._schema.type_map.items():
        if isinstance(kind, GraphQLObjectType):
            for field_name, field in kind.fields.items():
                for name, argument in field.args.items():
                    yield from (f"{type_name}.{field_name}({path})" for path in ids_in(name, argument.type))


def ids_in(path: str, kind: Any) -> Iterator[str]:
    named = get_named_type(kind)
    if named.name == "ID":
        yield path
    elif isinstance(named, GraphQLInputObjectType):
        for name, field in named.fields.items():
            yield from ids_in(f"{path}.{name}", field.type)


async def test_a_has_an_id_of_every_type_that_is_not_everybodys(two: Two, api: Gateway) -> None:
    assert set(two.ids) - UNASKABLE == set(api.schema.declarations.entities) - PUBLIC
    assert all(parse_id(key) is not None for key in two.keys)


async def test_the_filter_was_really_gone(make_client: MakeClient) -> None:
    """Without the filter the statements themselves ask for everybody's rows, and the database gives only one's own."""
    robin, sam = await make_client(), await make_client()
    budget = (await create(robin))["budget"]["id"]
    assert sam.viewer is not None

    with unfiltered():
        text = budgets.budgets_by_id(("id",)).sql
        seen = await sam.data(DOCUMENTS["user/node"], id=budget)

    assert "user_id" not in text
    assert "user_id" in budgets.budgets_by_id(("id",)).sql
    assert seen == {"node": None}
