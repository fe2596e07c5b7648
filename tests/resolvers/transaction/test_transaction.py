"""One transaction as a client sees it, and what its owner may change of it."""

from typing import Any
from uuid import uuid4

import pytest

from resolvers.ids import to_global_id
from tests.resolvers.api import Answer, Client, codes, gid
from tests.resolvers.conftest import MakeClient
from tests.resolvers.household import COFFEE, FOOD, GROCERIES, MONTH, account, bring, moved

ALL = """fragment All on Transaction {
  amount { amount currency } direction merchantName description originalDescription transactionDate authorizedDate postedDate
  status isPending isDuplicate category { id } categoryMethod userCategory { id } notes tags account { name }
}"""
ONE = "query($id: ID!) { node(id: $id) { ... on Transaction { ...All createdAt updatedAt categoryConfidence } } }" + ALL
UPDATE = (
    """mutation($input: TransactionUpdateInput!) { transactionUpdate(input: $input) {
  transaction { ...All } errors { __typename code message field }
} }"""
    + ALL
)
LIST = "{ me { transactions { nodes { id } } } }"
NOT_FOUND = {
    "__typename": "TransactionNotFound",
    "code": "TRANSACTION_NOT_FOUND",
    "message": "There is no such transaction.",
    "field": "id",
}


async def somebody(make_client: MakeClient, **changes: Any) -> tuple[Client, str]:
    """Somebody with one transaction, and its id."""
    client = await make_client(currency="EUR")
    assert client.viewer is not None
    await bring(client.services, client.viewer, account("Daily", [moved(MONTH, "12.50", **changes)]))
    [node] = (await client.data(LIST))["me"]["transactions"]["nodes"]
    return client, node["id"]


async def update(client: Client, transaction_id: str, **said: Any) -> Any:
    return (await client.data(UPDATE, input={"id": transaction_id, **said}))["transactionUpdate"]


async def one(client: Client, transaction_id: str) -> Any:
    return (await client.data(ONE, id=transaction_id))["node"]


async def test_a_transaction_as_a_client_sees_it(make_client: MakeClient) -> None:
    said = {"currency": "JPY", "direction": "credit", "authorized_date": MONTH, "posted_date": MONTH}
    client, transaction_id = await somebody(make_client, **said, description="Corner Shop", original_description="CORNER SHOP 0412")

    node = await one(client, transaction_id)

    assert node.pop("createdAt").endswith("Z")
    assert node.pop("updatedAt").endswith("Z")
    assert node.pop("merchantName") is not None
    assert node.pop("categoryConfidence") is not None
    assert node == {
        "amount": {"amount": "12.5", "currency": "JPY"},
        "direction": "CREDIT",
        "description": "Corner Shop",
        "originalDescription": "CORNER SHOP 0412",
        "transactionDate": MONTH.isoformat(),
        "authorizedDate": MONTH.isoformat(),
        "postedDate": MONTH.isoformat(),
        "status": "POSTED",
        "isPending": False,
        "isDuplicate": False,
        "category": {"id": gid("Category", GROCERIES)},
        "categoryMethod": "AUTO",
        "userCategory": None,
        "notes": None,
        "tags": [],
        "account": {"name": "Daily"},
    }


async def test_the_owners_category_wins_and_can_be_given_back(make_client: MakeClient) -> None:
    client, transaction_id = await somebody(make_client)

    chosen = await update(client, transaction_id, category=gid("Category", COFFEE))
    given_back = await update(client, transaction_id, category=None)

    assert chosen["errors"] == given_back["errors"] == []
    assert chosen["transaction"]["category"] == chosen["transaction"]["userCategory"] == {"id": gid("Category", COFFEE)}
    assert chosen["transaction"]["categoryMethod"] == "USER"
    assert given_back["transaction"]["category"] == {"id": gid("Category", GROCERIES)}
    assert given_back["transaction"]["userCategory"] is None
    assert given_back["transaction"]["categoryMethod"] == "AUTO"


async def test_what_is_left_out_stays_and_null_takes_away(make_client: MakeClient) -> None:
    client, transaction_id = await somebody(make_client)
    await update(client, transaction_id, category=gid("Category", COFFEE), notes="A gift", tags=["one", "two", "One"])

    notes = await update(client, transaction_id, notes="Two gifts")
    none = await update(client, transaction_id, notes=None, tags=None)

    kept = notes["transaction"]
    assert (kept["notes"], kept["tags"], kept["userCategory"]) == ("Two gifts", ["one", "two"], {"id": gid("Category", COFFEE)})
    assert (none["transaction"]["notes"], none["transaction"]["tags"]) == (None, [])
    assert none["transaction"]["userCategory"] == {"id": gid("Category", COFFEE)}


async def test_changing_nothing_is_no_error(make_client: MakeClient) -> None:
    client, transaction_id = await somebody(make_client)

    payload = await update(client, transaction_id)

    assert payload["errors"] == []
    assert payload["transaction"]["category"] == {"id": gid("Category", GROCERIES)}


INVALID: list[tuple[dict[str, Any], str, str]] = [
    ({"notes": "x" * 2_001}, "NotesTooLong", "notes"),
    ({"tags": [""]}, "TagInvalid", "tags"),
    ({"tags": ["x" * 51]}, "TagInvalid", "tags"),
    ({"tags": ["a\u0000b"]}, "TagInvalid", "tags"),
    ({"tags": [str(n) for n in range(21)]}, "TagInvalid", "tags"),
    ({"category": to_global_id("Category", "NO_SUCH")}, "CategoryNotFound", "category"),
    ({"category": to_global_id("Budget", GROCERIES)}, "CategoryNotFound", "category"),
    ({"category": "nonsense"}, "CategoryNotFound", "category"),
    ({"category": ""}, "CategoryNotFound", "category"),
]


@pytest.mark.parametrize(("said", "type_name", "field"), INVALID)
async def test_a_change_that_cannot_be_is_refused_and_nothing_changes(
    make_client: MakeClient, said: dict[str, Any], type_name: str, field: str
) -> None:
    client, transaction_id = await somebody(make_client)
    before = await one(client, transaction_id)

    payload = await update(client, transaction_id, **{"notes": "unseen", "tags": ["unseen"], **said})

    assert payload["transaction"] is None
    assert [(error["__typename"], error["field"]) for error in payload["errors"]] == [(type_name, field)]
    assert await one(client, transaction_id) == before


async def test_notes_may_hold_anything_that_people_write(make_client: MakeClient) -> None:
    client, transaction_id = await somebody(make_client)

    payload = await update(client, transaction_id, notes="  Zwölf\r\nBoxkämpfer\u0000 🥊 ")

    assert payload["transaction"]["notes"] == "Zwölf\nBoxkämpfer 🥊"


async def test_somebody_elses_transaction_is_not_there_and_stays_as_it_is(make_client: MakeClient) -> None:
    robin, transaction_id = await somebody(make_client)
    sam = await make_client()
    before = await one(robin, transaction_id)
    said = {"category": gid("Category", COFFEE), "notes": "mine now", "tags": ["mine"]}

    answers = [
        await update(sam, each, **said) for each in (transaction_id, gid("Transaction", uuid4()), "nonsense", gid("Budget", uuid4()))
    ]

    assert answers == [{"transaction": None, "errors": [NOT_FOUND]}] * 4
    assert await one(sam, transaction_id) is None
    assert await one(robin, transaction_id) == before


async def test_signed_out_nothing_can_be_changed(make_client: MakeClient, nobody: Client) -> None:
    robin, transaction_id = await somebody(make_client)

    answer: Answer = await nobody.ask(UPDATE, input={"id": transaction_id, "notes": "mine now"})

    assert answer["data"] is None
    assert codes(answer) == ["UNAUTHENTICATED"]
    assert (await one(robin, transaction_id))["notes"] is None


async def test_a_new_category_moves_the_budgets_in_the_same_answer(make_client: MakeClient) -> None:
    client, transaction_id = await somebody(make_client)
    create = """mutation($category: ID!) { budgetCreate(input: {idempotencyKey: "k", name: "Food", category: $category, amount: "100",
      currency: "USD", startDate: "%s"}) { budget { id version } errors { code } } }"""
    budget = (await client.data(create % MONTH.isoformat(), category=gid("Category", FOOD)))["budgetCreate"]["budget"]
    spent = "query($id: ID!) { node(id: $id) { ... on Budget { version utilization { amountSpent { amount } } } } }"

    before = (await client.data(spent, id=budget["id"]))["node"]
    await update(client, transaction_id, category=gid("Category", "TRANSPORTATION_TAXIS_AND_RIDE_SHARES"))
    after = (await client.data(spent, id=budget["id"]))["node"]

    assert before["utilization"]["amountSpent"] == {"amount": "12.50"}
    assert after["utilization"]["amountSpent"] == {"amount": "0.00"}
    assert after["version"] > before["version"]
