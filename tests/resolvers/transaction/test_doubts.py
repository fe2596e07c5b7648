"""What clients see and say of doubts, of who set what, and of what was deleted."""

from typing import Any
from uuid import uuid4

import pytest

from resolvers.ids import to_global_id
from tests.domains.audit.trail import settle
from tests.resolvers.api import Client, gid
from tests.resolvers.conftest import MakeClient
from tests.resolvers.household import COFFEE, FOOD, MONTH, account, bring, moved
from tests.resolvers.test_operations import DOCUMENTS
from tests.resolvers.transaction.doubts import deleted, doubted, key_of

ONE = """query($id: ID!) { node(id: $id) { ... on Transaction {
  merchantName description notes fields { name source isLocked setAt confidence } } } }"""
INBOX = """query($filter: TransactionReviewFilter, $first: Int, $after: String) { me {
  reviews(filter: $filter, first: $first, after: $after) {
    nodes { id kind state decidedBy transaction { id } other { id } } totalCount pageInfo { endCursor hasNextPage }
  } } }"""
BIN = "{ me { deletedTransactions { nodes { id amount { amount currency } description account { name } } totalCount } } }"


async def somebody(make_client: MakeClient, *amounts: str, **changes: Any) -> tuple[Client, list[str]]:
    """Somebody with transactions of these amounts, and their ids."""
    client = await make_client()
    assert client.viewer is not None
    await bring(client.services, client.viewer, account("Daily", [moved(MONTH, amount, **changes) for amount in amounts]))
    nodes = (await client.data("{ me { transactions { nodes { id amount { amount } } } } }"))["me"]["transactions"]["nodes"]
    by_amount = {node["amount"]["amount"]: node["id"] for node in nodes}
    return client, [by_amount[amount] for amount in amounts]


async def said(client: Client, document: str, **given: Any) -> Any:
    [payload] = (await client.data(DOCUMENTS[f"transaction/{document}"], input=given)).values()
    return payload


async def fields(client: Client, transaction: str) -> dict[str, tuple[Any, ...]]:
    found = (await client.data(ONE, id=transaction))["node"]["fields"]
    return {each["name"]: (each["source"], each["isLocked"], each["setAt"] is not None, each["confidence"]) for each in found}


async def test_every_field_tells_who_set_it_and_whether_it_is_locked(make_client: MakeClient) -> None:
    client, [which] = await somebody(make_client, "12.50")
    before = await fields(client, which)

    more = {"merchantName": "The café", "notes": "mine", "tags": ["one"], "category": gid("Category", COFFEE), "lock": ["DESCRIPTION"]}
    await said(client, "update_transaction", id=which, **more)

    banks = ("BANK", False, False, None)
    assert before == {
        "AMOUNT": banks,
        "TRANSACTION_DATE": banks,
        "STATUS": banks,
        "DESCRIPTION": banks,
        "MERCHANT_NAME": banks,
        "CATEGORY": ("BANK", False, False, "0.95"),
        "NOTES": (None, False, False, None),
        "TAGS": (None, False, False, None),
    }
    mine = ("USER", True, True, None)
    assert await fields(client, which) == before | {
        "DESCRIPTION": ("BANK", True, False, None),
        "MERCHANT_NAME": mine,
        "CATEGORY": mine,
        "NOTES": mine,
        "TAGS": mine,
    }


async def test_fields_that_are_unlocked_are_the_banks_again(make_client: MakeClient) -> None:
    client, [which] = await somebody(make_client, "12.50")
    before = await fields(client, which)
    await said(client, "update_transaction", id=which, merchantName="The café", category=gid("Category", COFFEE), lock=["DESCRIPTION"])

    payload = await said(client, "update_transaction", id=which, unlock=["DESCRIPTION", "MERCHANT_NAME", "CATEGORY"])

    assert payload["errors"] == []
    assert payload["transaction"]["merchantName"] == "Corner Shop"
    assert await fields(client, which) == before


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"merchantName": " "}, "MERCHANT_NAME_INVALID"),
        ({"merchantName": "x" * 256}, "MERCHANT_NAME_INVALID"),
        ({"merchantName": "a\u0000"}, "MERCHANT_NAME_INVALID"),
        ({"description": ""}, "DESCRIPTION_INVALID"),
        ({"description": "x" * 501}, "DESCRIPTION_INVALID"),
    ],
)
async def test_a_name_that_is_none_is_refused_and_nothing_is_changed(make_client: MakeClient, given: dict[str, Any], error: str) -> None:
    client, [which] = await somebody(make_client, "12.50")

    payload = await said(client, "update_transaction", id=which, notes="mine", **given)

    assert (payload["transaction"], [each["code"] for each in payload["errors"]]) == (None, [error])
    assert (await client.data(ONE, id=which))["node"]["notes"] is None


async def test_deleting_moves_the_budget_at_once_and_restoring_moves_it_back(make_client: MakeClient) -> None:
    client, [which, other] = await somebody(make_client, "12.50", "3.00", category_detailed=COFFEE)
    made = {"idempotencyKey": str(uuid4()), "name": "Food", "category": gid("Category", FOOD), "amount": "100", "period": "MONTHLY"}
    await client.data(DOCUMENTS["budget/create_budget"], input=made)
    spent = "{ me { budgets { utilization { amountSpent { amount } } } } }"

    async def figure() -> str:
        return str((await client.data(spent))["me"]["budgets"][0]["utilization"]["amountSpent"]["amount"])

    before = await figure()
    gone = await said(client, "delete_transaction", id=which)
    without = await figure()
    shown = (await client.data(BIN))["me"]["deletedTransactions"]
    back = await said(client, "restore_transaction", id=gone["deletedTransaction"]["id"])

    assert (before, without, await figure()) == ("15.50", "3.00", "15.50")
    assert shown == {
        "nodes": [
            {
                "id": to_global_id("DeletedTransaction", key_of(which)),
                "amount": {"amount": "12.50", "currency": "USD"},
                "description": "Corner Shop",
                "account": {"name": "Daily"},
            }
        ],
        "totalCount": 1,
    }
    assert back["transaction"]["id"] == which
    assert (await client.data(BIN))["me"]["deletedTransactions"] == {"nodes": [], "totalCount": 0}
    assert other != which


async def test_asking_again_is_answered_as_the_first_time(make_client: MakeClient) -> None:
    client, [which] = await somebody(make_client, "12.50")

    gone = [await said(client, "delete_transaction", id=which) for _ in range(2)]
    back = [await said(client, "restore_transaction", id=which) for _ in range(2)]

    assert gone[0] == gone[1]
    assert gone[0]["errors"] == back[1]["errors"] == []
    assert back[0] == back[1]


async def test_the_inbox_shows_what_waits_and_the_filter_what_was_decided(make_client: MakeClient) -> None:
    client, [one, two] = await somebody(make_client, "12.50", "3.00")
    removal = await doubted(client, one)
    posting = await doubted(client, two, one, kind="posting")

    waiting = (await client.data(INBOX))["me"]["reviews"]
    first = (await client.data(INBOX, first=1))["me"]["reviews"]
    second = (await client.data(INBOX, first=1, after=first["pageInfo"]["endCursor"]))["me"]["reviews"]
    decided = await said(client, "decide_review", id=removal, accept=False)
    rejected = (await client.data(INBOX, filter={"state": "REJECTED"}))["me"]["reviews"]
    removals = (await client.data(INBOX, filter={"kind": "REMOVAL"}))["me"]["reviews"]

    assert {each["id"] for each in waiting["nodes"]} == {removal, posting}
    assert [each["id"] for each in (*first["nodes"], *second["nodes"])] == [each["id"] for each in waiting["nodes"]]
    assert (first["pageInfo"]["hasNextPage"], second["pageInfo"]["hasNextPage"]) == (True, False)
    assert (decided["transactionReview"]["state"], decided["transactionReview"]["decidedBy"]) == ("REJECTED", "USER")
    assert [each["id"] for each in rejected["nodes"]] == [removal]
    assert (removals["nodes"], removals["totalCount"]) == ([], 0)


async def test_a_transaction_shows_its_reviews_from_either_side(make_client: MakeClient) -> None:
    client, [one, two] = await somebody(make_client, "12.50", "3.00")
    posting = await doubted(client, two, one, kind="posting")

    found = (await client.data("{ me { transactions { nodes { id reviews { id kind state } } } } }"))["me"]["transactions"]["nodes"]

    shown = [{"id": posting, "kind": "POSTING", "state": "SUGGESTED"}]
    assert {each["id"]: each["reviews"] for each in found} == {one: shown, two: shown}


async def test_an_accepted_removal_moves_it_into_the_bin(make_client: MakeClient) -> None:
    client, [which] = await somebody(make_client, "12.50")
    review = await doubted(client, which)

    payload = await said(client, "decide_review", id=review, accept=True)

    assert payload["errors"] == []
    assert payload["transactionReview"] | {"decidedAt": None} == {
        "id": review,
        "kind": "REMOVAL",
        "state": "APPLIED",
        "decidedBy": "USER",
        "decidedAt": None,
        "transaction": None,
        "other": None,
    }
    assert (await client.data(BIN))["me"]["deletedTransactions"]["totalCount"] == 1


async def test_deciding_the_other_way_is_refused_with_its_code(make_client: MakeClient) -> None:
    client, [which] = await somebody(make_client, "12.50")
    review = await doubted(client, which)
    await said(client, "decide_review", id=review, accept=False)

    payload = await said(client, "decide_review", id=review, accept=True)

    assert payload == {
        "transactionReview": None,
        "errors": [
            {
                "code": "REVIEW_DECIDED",
                "message": "This was decided before, and cannot be decided the other way any more.",
                "field": "accept",
            }
        ],
    }


@pytest.mark.parametrize("document", ["delete_transaction", "restore_transaction", "decide_review"])
async def test_ids_that_are_not_there_malformed_or_of_another_type_are_answered_alike(make_client: MakeClient, document: str) -> None:
    client, [which] = await somebody(make_client, "12.50")
    more = {"accept": True} if document == "decide_review" else {}
    kind = "TransactionReview" if more else "Transaction"

    answers = [
        await said(client, document, id=given, **more)
        for given in (to_global_id(kind, uuid4()), "nonsense", gid("Category", FOOD), to_global_id("Budget", key_of(which)))
    ]

    assert all(answer == answers[0] for answer in answers)
    assert answers[0]["errors"][0]["code"] == ("REVIEW_NOT_FOUND" if more else "TRANSACTION_NOT_FOUND")
    assert len((await client.data("{ me { transactions { nodes { id } } } }"))["me"]["transactions"]["nodes"]) == 1


@pytest.mark.parametrize("document", ["delete_transaction", "restore_transaction", "decide_review"])
async def test_nobody_who_is_signed_out_says_anything(make_client: MakeClient, document: str) -> None:
    client, [which] = await somebody(make_client, "12.50")
    stranger = client.but(viewer=None)
    more = {"accept": True} if document == "decide_review" else {}

    answer = await stranger.ask(DOCUMENTS[f"transaction/{document}"], input={"id": which, **more})

    assert answer["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


async def test_every_one_of_these_leaves_an_entry_in_the_trail(make_client: MakeClient) -> None:
    client, [which, other] = await somebody(make_client, "12.50", "3.00")
    assert client.viewer is not None
    await said(client, "delete_transaction", id=which)
    await said(client, "delete_transaction", id=which)
    await said(client, "restore_transaction", id=which)
    await said(client, "decide_review", id=await doubted(client, other), accept=False)
    await settle(client.services, client.viewer.user_id)

    log = (await client.data("{ me { auditLog { nodes { action } } } }"))["me"]["auditLog"]["nodes"]

    assert [each["action"] for each in log if each["action"].startswith("TRANSACTION")] == [
        "TRANSACTION_REVIEW_DECIDED",
        "TRANSACTION_RESTORED",
        "TRANSACTION_DELETED",
    ]


async def test_what_was_deleted_is_a_node_until_it_is_restored(make_client: MakeClient) -> None:
    client, _ = await somebody(make_client, "12.50")
    gone = await deleted(client, moved(MONTH, "99.00"))
    node = "query($id: ID!) { node(id: $id) { id ... on DeletedTransaction { transactionDate direction } } }"

    shown = (await client.data(node, id=gone))["node"]
    await said(client, "restore_transaction", id=gone)

    assert shown == {"id": gone, "transactionDate": MONTH.isoformat(), "direction": "DEBIT"}
    assert (await client.data(node, id=gone))["node"] is None
