"""The contract: the exported schema is the schema, and every operation that clients may copy from `graphql/` runs."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import graphql
import pytest
from graphql import GraphQLEnumType, GraphQLObjectType, OperationDefinitionNode, parse, validate

from domains.flows.sign_in import open_session_for
from domains.flows.uploads import store_upload
from resolvers.assembly import ROOTS
from resolvers.cost import LIMITS
from resolvers.execution.operation import Gateway
from resolvers.schema import export_sdl
from tests.conftest import MakeUser
from tests.resolvers.analytics.rows import add_insight
from tests.resolvers.api import Client, codes, gid
from tests.resolvers.bank.test_statement_import import CSV
from tests.resolvers.household import COFFEE, FOOD, MONTH, TODAY, account, add_goal, bring, moved
from tests.resolvers.notification.notices import notice, tell
from tests.resolvers.published_costs import cost_of, read
from tests.resolvers.test_statements import fields_of
from tests.resolvers.transaction.categories import made
from tests.resolvers.transaction.doubts import doubted
from tests.resolvers.user.links import connect

CONTRACT = Path(__file__).parents[2] / "graphql"
DOCUMENTS = {f"{path.parent.name}/{path.stem}": path.read_text() for path in sorted((CONTRACT / "operations").glob("*/*.graphql"))}
PASSWORD = "a good long password"


@dataclass
class Household:
    """Somebody with one of everything, by id."""

    client: Client
    email: str
    account: str
    transaction: str
    budget: str
    goal: str
    upload: str

    async def imported(self) -> str:
        given = {"uploadId": self.upload, "idempotencyKey": str(uuid4())}
        return str((await self.client.data(DOCUMENTS["bank/import_statement"], input=given))["statementImport"]["statementImport"]["id"])


@pytest.fixture
async def household(api: Gateway, services: Any, make_user: MakeUser) -> Household:
    email = f"{uuid4()}@example.com"
    viewer = await make_user(email=email, password=PASSWORD)
    client = Client(api, services, viewer, token=(await open_session_for(services, email)).access_token)
    await bring(services, viewer, account("Daily", [moved(MONTH, "12.50"), moved(MONTH, "3.00", category_detailed=COFFEE)]))
    goal = await add_goal(services, viewer, "Boat", target_date=TODAY)
    made = await client.data(DOCUMENTS["budget/create_budget"], input=new_budget())
    found = (await client.data("{ me { accounts { id } transactions { nodes { id } } } }"))["me"]
    return Household(
        client,
        email,
        found["accounts"][0]["id"],
        found["transactions"]["nodes"][0]["id"],
        made["budgetCreate"]["budget"]["id"],
        gid("SavingsGoal", goal),
        gid("Upload", await store_upload(services, viewer, CSV, "november.csv", "text/csv")),
    )


def new_budget() -> dict[str, Any]:
    return {"idempotencyKey": str(uuid4()), "name": "Food", "category": gid("Category", FOOD), "amount": "100", "period": "MONTHLY"}


async def nothing(_: Household) -> dict[str, Any]:
    return {}


def given(make: Callable[[Household], Any]) -> Callable[[Household], Awaitable[dict[str, Any]]]:
    async def variables(household: Household) -> dict[str, Any]:
        return {"input": make(household)}

    return variables


def by(**make: Callable[[Household], Any]) -> Callable[[Household], Awaitable[dict[str, Any]]]:
    async def variables(household: Household) -> dict[str, Any]:
        return {name: value(household) for name, value in make.items()}

    return variables


async def an_import(household: Household) -> dict[str, Any]:
    return {"id": await household.imported()}


async def a_link(household: Household) -> dict[str, Any]:
    assert household.client.viewer is not None
    return {"input": {"id": gid("OAuthConnection", await connect(household.client.services, household.client.viewer))}}


async def a_contribution(household: Household) -> dict[str, Any]:
    said = {"idempotencyKey": str(uuid4()), "goalId": household.goal, "amount": "5"}
    made = await household.client.data(DOCUMENTS["budget/contribute_to_goal"], input=said)
    return {"input": {"id": made["goalContributionCreate"]["goalContribution"]["id"]}}


async def an_own_category(household: Household) -> dict[str, Any]:
    return {"input": {"id": await made(household.client, "Sourdough"), "moveTo": gid("Category", FOOD)}}


async def an_insight(household: Household) -> dict[str, Any]:
    assert household.client.viewer is not None
    return {"input": {"id": gid("Insight", await add_insight(household.client.services, household.client.viewer))}}


def new_rule() -> dict[str, Any]:
    said = {"amountThreshold": {"amount": "500"}, "timeOfDay": {"start": "09:00", "end": "18:00"}, "daysOfWeek": ["MONDAY"]}
    return {"idempotencyKey": str(uuid4()), "name": "Office", "ruleType": "CUSTOM", "conditions": said}


def a_rule(**said: Any) -> Callable[[Household], Awaitable[dict[str, Any]]]:
    """Of one's own, and what is said of it."""

    async def variables(household: Household) -> dict[str, Any]:
        made = await household.client.data(DOCUMENTS["notification/create_notification_rule"], input=new_rule())
        return {"input": {"id": made["notificationRuleCreate"]["notificationRule"]["id"], **said}}

    return variables


async def some_notifications(household: Household) -> dict[str, Any]:
    return {"input": {"ids": await tell(household.client.services, household.client.viewer, notice("1"), notice("2"))}}


def a_request(asking: str, name: str) -> Callable[[Household], Awaitable[dict[str, Any]]]:
    """An open one of one's own."""

    async def variables(household: Household) -> dict[str, Any]:
        made = await household.client.data(DOCUMENTS[f"audit/{asking}"], input={"idempotencyKey": str(uuid4())})
        return {"input": {"id": made[f"{name}Create"][name]["id"]}}

    return variables


def new_link() -> dict[str, Any]:
    return {"provider": "SANDBOX", "idempotencyKey": str(uuid4())}


async def a_begun_link(household: Household) -> dict[str, Any]:
    made = await household.client.data(DOCUMENTS["bank/begin_bank_link"], input=new_link())
    begun = made["bankLinkCreate"]["bankLink"]["id"]
    return {"input": {"linkId": begun, "publicToken": "robin", "idempotencyKey": str(uuid4())}}


async def a_linked_bank(household: Household) -> str:
    made = await household.client.data(DOCUMENTS["bank/complete_bank_link"], **await a_begun_link(household))
    return str(made["bankLinkComplete"]["bankConnection"]["id"])


def of_a_bank(name: str = "", **said: Any) -> Callable[[Household], Awaitable[dict[str, Any]]]:
    """What is said to a connection: as the variable of this name, or in an input."""

    async def variables(household: Household) -> dict[str, Any]:
        connection = await a_linked_bank(household)
        return {name: connection} if name else {"input": {"id": connection, **said}}

    return variables


async def two_ends(household: Household) -> dict[str, Any]:
    """What left the account, and what arrived on another."""
    assert household.client.viewer is not None
    arrived = moved(MONTH, "12.50", direction="credit", category_detailed=None)
    await bring(household.client.services, household.client.viewer, account("Savings", [arrived], account_type="savings"))
    found = (await household.client.data("{ me { transactions { nodes { id direction } } } }"))["me"]["transactions"]["nodes"]
    credit = next(each["id"] for each in found if each["direction"] == "CREDIT")
    return {"input": {"debitId": household.transaction, "creditId": credit}}


async def two_alike(household: Household) -> dict[str, Any]:
    found = (await household.client.data("{ me { transactions { nodes { id } } } }"))["me"]["transactions"]["nodes"]
    return {"input": {"id": found[0]["id"], "ofId": found[1]["id"]}}


async def a_deleted_one(household: Household) -> dict[str, Any]:
    await household.client.data(DOCUMENTS["transaction/delete_transaction"], input={"id": household.transaction})
    return {"input": {"id": household.transaction}}


async def a_doubt(household: Household) -> dict[str, Any]:
    return {"input": {"id": await doubted(household.client, household.transaction), "accept": False}}


#: Runs on graphql-core, as it reads no row.
READS_NO_ROW = {"bank/bank_providers"}
#: What each operation is run with.
VARIABLES: dict[str, Callable[[Household], Awaitable[dict[str, Any]]]] = {
    "analytics/dismiss_insight": an_insight,
    "analytics/embeddings": nothing,
    "analytics/insights": by(filter=lambda _: {"types": ["FORECAST"], "onlyUnviewed": True}),
    "analytics/mark_insight_viewed": an_insight,
    "analytics/merchant_votes": nothing,
    "analytics/model_queries": by(filter=lambda _: {"type": "INSIGHT"}),
    "analytics/rate_insight": an_insight,
    "analytics/spending_patterns": by(first=lambda _: 1, filter=lambda _: {"categoryIds": [gid("Category", FOOD)]}),
    "audit/audit_log": by(first=lambda _: 20, filter=lambda _: {"actions": ["BUDGET_CREATED"], "since": "2026-01-01T00:00:00Z"}),
    "audit/cancel_deletion": a_request("request_deletion", "deletionRequest"),
    "audit/cancel_export": a_request("request_export", "dataExportRequest"),
    "audit/request_deletion": given(lambda _: {"idempotencyKey": "k", "reason": "Moving on."}),
    "audit/request_export": given(lambda _: {"idempotencyKey": "k", "format": "CSV"}),
    "audit/requests": nothing,
    "auth/sign_in": given(lambda it: {"email": it.email, "password": PASSWORD}),
    "auth/sign_out": nothing,
    "auth/sign_up": given(lambda _: {"email": f"{uuid4()}@example.com", "password": PASSWORD}),
    "bank/account_transactions": by(id=lambda it: it.account, first=lambda _: 1, filter=lambda _: {"direction": "DEBIT"}),
    "bank/accounts": nothing,
    "bank/bank_providers": nothing,
    "bank/begin_bank_link": given(lambda _: new_link()),
    "bank/complete_bank_link": a_begun_link,
    "bank/connections": nothing,
    "bank/follow_bank_sync": of_a_bank("connectionId"),
    "bank/follow_import": an_import,
    "bank/import_statement": given(lambda it: {"uploadId": it.upload, "idempotencyKey": "k"}),
    "bank/remove_bank_connection": of_a_bank(transactions="DELETE"),
    "bank/statement_import": an_import,
    "bank/statement_imports": by(first=lambda _: 1, filter=lambda _: {"status": "DONE"}),
    "bank/sync_bank_connection": of_a_bank(),
    "bank/sync_history": by(first=lambda _: 1, filter=lambda _: {"status": "SUCCESS"}),
    "budget/budgets": nothing,
    "budget/contribute_to_goal": given(lambda it: {"idempotencyKey": "k", "goalId": it.goal, "amount": "-5", "notes": "Oars"}),
    "budget/contributions": by(first=lambda _: 5, filter=lambda it: {"goalIds": [it.goal], "since": "2026-01-01"}),
    "budget/create_budget": given(lambda _: new_budget()),
    "budget/create_goal": given(lambda _: {"idempotencyKey": "k", "name": "Boat", "targetAmount": "900", "targetDate": "2199-01-01"}),
    "budget/delete_goal": given(lambda it: {"id": it.goal}),
    "budget/update_goal": given(lambda it: {"id": it.goal, "targetAmount": "100", "status": "ACTIVE", "targetDate": None}),
    "budget/delete_budget": given(lambda it: {"id": it.budget}),
    "budget/follow_budgets": by(ids=lambda it: [it.budget]),
    "budget/delete_goal_contribution": a_contribution,
    "budget/goals": nothing,
    "budget/history": by(first=lambda _: 5, filter=lambda it: {"budgetIds": [it.budget], "until": "2026-11-01"}),
    "budget/update_budget": given(lambda it: {"id": it.budget, "amount": "50", "endDate": None}),
    "notification/create_notification_rule": given(lambda _: new_rule()),
    "notification/delete_notification_rule": a_rule(),
    "notification/mark_all_notifications_read": given(lambda _: {"until": "2026-11-22T12:00:00Z"}),
    "notification/mark_notifications_read": some_notifications,
    "notification/mark_notifications_unread": some_notifications,
    "notification/notification_rules": nothing,
    "notification/notification_templates": by(first=lambda _: 5, filter=lambda _: {"locale": "fr-FR"}),
    "notification/notifications": by(first=lambda _: 20, filter=lambda _: {"unreadOnly": True}),
    "notification/update_notification_rule": a_rule(enabled=False, conditions={"daysOfWeek": ["SUNDAY"]}),
    "transaction/categories": nothing,
    "transaction/create_category": given(lambda _: {"idempotencyKey": "k", "displayName": "Sourdough", "parent": gid("Category", FOOD)}),
    "transaction/delete_category": an_own_category,
    "transaction/decide_review": a_doubt,
    "transaction/delete_transaction": given(lambda it: {"id": it.transaction}),
    "transaction/deleted_transactions": nothing,
    "transaction/mark_duplicate": two_alike,
    "transaction/monthly_summaries": by(first=lambda _: 1, filter=lambda _: {"direction": "DEBIT"}),
    "transaction/my_categories": by(filter=lambda _: {"includeHidden": True}),
    "transaction/pair_transfer": two_ends,
    "transaction/recurring_patterns": by(filter=lambda _: {"active": True}, sort=lambda _: "NEXT_EXPECTED_DESC"),
    "transaction/restore_transaction": a_deleted_one,
    "transaction/reviews": by(filter=lambda _: {"kind": "REMOVAL"}),
    "transaction/transaction": by(id=lambda it: it.transaction),
    "transaction/transactions": by(first=lambda _: 1, sort=lambda _: "AMOUNT_DESC", filter=lambda _: {"text": "shop"}),
    "transaction/update_category": given(lambda _: {"id": gid("Category", FOOD), "displayName": "Eating"}),
    "transaction/update_transaction": given(lambda it: {"id": it.transaction, "category": gid("Category", FOOD), "tags": ["a"]}),
    "user/dashboard": nothing,
    "user/delete_oauth_connection": a_link,
    "user/me": nothing,
    "user/node": by(id=lambda it: it.budget),
    "user/nodes": by(ids=lambda it: [it.account, it.transaction, gid("Category", FOOD), "nonsense"]),
    "user/preferences": nothing,
    "user/profile": nothing,
    "user/update_preferences": given(lambda _: {"dailySummaryTime": "07:30", "budgetAlertThresholds": ["0.5", "1"]}),
}


def test_every_operation_has_what_it_is_run_with() -> None:
    assert sorted(VARIABLES) == sorted(DOCUMENTS)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_an_operation_is_valid_and_called_like_its_file(api: Gateway, name: str) -> None:
    document = parse(DOCUMENTS[name])

    [operation] = document.definitions
    assert isinstance(operation, OperationDefinitionNode)
    assert operation.name is not None
    assert operation.name.value == "".join(word.capitalize() for word in name.partition("/")[2].split("_"))
    assert validate(api.schema._schema, document) == []


@pytest.mark.parametrize("name", DOCUMENTS)
async def test_an_operation_runs_without_an_error_and_within_the_limits(household: Household, name: str) -> None:
    document, client = DOCUMENTS[name], household.client
    variables = await VARIABLES[name](household)
    prepared = client.prepare(document, variables)

    if prepared.operation_type == "subscription":
        async with client.following(document, **variables) as answers:
            answer = await anext(answers)
    else:
        answer = await client.ask(document, **variables)

    assert codes(answer) == []
    assert answer["extensions"]["cost"]["requested"] == cost_of(read(export_sdl()), document, variables)
    for payload in answer["data"].values():
        assert payload is not None
        assert not isinstance(payload, dict) or payload.get("errors", []) == []
    assert prepared.cost <= LIMITS.cost * 3 / 4
    if prepared.operation_type != "mutation" and "node" not in document and name not in READS_NO_ROW:
        assert prepared.operation.plan(client.gateway.schema, prepared.variables) is not None, "this runs on graphql-core"


def test_every_root_field_has_an_operation(api: Gateway) -> None:
    schema = api.schema._schema
    used = {place for document in DOCUMENTS.values() for place in fields_of(schema, document)}

    fields = {(root, name) for root in ROOTS for name in schema.type_map[root].fields}  # type: ignore[attr-defined]

    assert fields - used == {("Query", "_entities"), ("Query", "_service")}


def test_the_exported_schema_is_the_schema() -> None:
    assert (CONTRACT / "schema.graphql").read_text() == export_sdl(), "run `make schema`"


def test_everything_that_clients_see_is_described(api: Gateway) -> None:
    bare: list[str] = []
    for name, kind in api.schema._schema.type_map.items():
        if "_" in name or name in (*ROOTS, "String", "Int", "Float", "Boolean", "ID"):
            continue
        bare += [] if kind.description else [name]
        members = kind.values if isinstance(kind, GraphQLEnumType) else getattr(kind, "fields", {})
        bare += [f"{name}.{member}" for member, each in members.items() if not each.description]
    for name, kind in api.schema._schema.type_map.items():
        if isinstance(kind, GraphQLObjectType) and "_" not in name:
            fields = {field: each for field, each in kind.fields.items() if not field.startswith("_")}
            bare += [f"{name}.{field}" for field, each in fields.items() if not each.description]
            bare += [f"{name}.{field}({arg})" for field, each in fields.items() for arg, said in each.args.items() if not said.description]

    assert sorted(set(bare)) == []


EXAMPLES = [
    (page.name, block)
    for page in sorted((CONTRACT.parent / "docs").glob("*.md"))
    for block in re.findall(r"(?:^ {4}.*\n)+", page.read_text(), re.MULTILINE)
    if block.lstrip().startswith(("query", "mutation", "subscription", "{ me"))
]


@pytest.mark.parametrize(("page", "example"), EXAMPLES)
def test_an_example_of_the_documentation_fits_the_schema(api: Gateway, page: str, example: str) -> None:
    assert validate(api.schema._schema, parse(example)) == [], page


def test_the_folder_of_the_contract_does_not_shadow_the_library() -> None:
    assert "site-packages" in graphql.__file__
    assert list(CONTRACT.rglob("*.py")) == []
