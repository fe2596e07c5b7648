"""Transfers and duplicates as a client sees them: what its owner says of two moves budgets at once, and nobody else can say it."""

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from domains.transaction.pairing import REASONS
from resolvers.transaction.inputs import TransactionReviewReason
from tests.resolvers.api import Client, codes, gid
from tests.resolvers.budget.budgets import create, one
from tests.resolvers.conftest import MakeClient
from tests.resolvers.household import GROCERIES, MONTH, account, bring, moved
from tests.resolvers.test_operations import DOCUMENTS

PAIR, MARK = "transaction/pair_transfer", "transaction/mark_duplicate"
LIST = """{ me { transactions(first: 100, sort: AMOUNT_DESC) { nodes {
  id direction isDuplicate duplicateOf { id } category { id } transfer { other { id } fromAccount { name } toAccount { name } }
} } } }"""
REVIEWS = """{ me { reviews(filter: {kind: TRANSFER}) { nodes { state score reasons transaction { id } other { id } } } } }"""
SUMS = "{ me { monthlySummaries { nodes { direction total { amount } transactionCount } } } }"
TRANSFERS = """{ me { transactions(first: 100) { nodes {
  transfer { other { amount { amount } } fromAccount { name } toAccount { name } }
} } } }"""


async def somebody(make_client: MakeClient, arrived: str = "55", days: int = 0) -> tuple[Client, str, str]:
    """Who bought something for 60, and had 55 back on another account: two that nobody pairs without asking."""
    client = await make_client()
    assert client.viewer is not None
    about = {"direction": "credit", "category_detailed": None, "description": "X", "original_description": "X"}
    accounts = account("Daily", [moved(MONTH, "60")]), account("Savings", [moved(MONTH + timedelta(days=days), arrived, **about)])
    await bring(client.services, client.viewer, *accounts)
    ends = {each["direction"]: each["id"] for each in await listed(client)}
    return client, ends["DEBIT"], ends["CREDIT"]


async def listed(client: Client) -> list[Any]:
    nodes: list[Any] = (await client.data(LIST))["me"]["transactions"]["nodes"]
    return nodes


async def sums(client: Client) -> list[Any]:
    nodes: list[Any] = (await client.data(SUMS))["me"]["monthlySummaries"]["nodes"]
    return nodes


async def pair(client: Client, debit_id: str, credit_id: str) -> Any:
    return (await client.data(DOCUMENTS[PAIR], input={"debitId": debit_id, "creditId": credit_id}))["transactionPairTransfer"]


async def mark(client: Client, transaction_id: str, of_id: str) -> Any:
    return (await client.data(DOCUMENTS[MARK], input={"id": transaction_id, "ofId": of_id}))["transactionMarkDuplicate"]


async def test_what_the_bank_brings_both_ends_of_is_a_transfer_on_both(make_client: MakeClient) -> None:
    client = await make_client()
    assert client.viewer is not None
    left = moved(MONTH, "500", category_detailed="TRANSFER_OUT_SAVINGS")
    arrived = moved(MONTH + timedelta(days=1), "500", direction="credit", category_detailed="TRANSFER_IN_SAVINGS")
    await bring(client.services, client.viewer, account("Daily", [left]), account("Savings", [arrived]))

    first, second = await listed(client)

    assert {first["id"], second["id"]} == {first["transfer"]["other"]["id"], second["transfer"]["other"]["id"]}
    assert first["transfer"]["other"]["id"] == second["id"]
    assert [each["transfer"]["fromAccount"] for each in (first, second)] == [{"name": "Daily"}] * 2
    assert [each["transfer"]["toAccount"] for each in (first, second)] == [{"name": "Savings"}] * 2


async def test_a_transfer_that_its_owner_tells_moves_budgets_at_once_and_keeps_the_category(make_client: MakeClient) -> None:
    client, debit, credit = await somebody(make_client)
    budget = (await create(client))["budget"]["id"]
    spent_before = (await one(client, budget))["utilization"]

    paired = await pair(client, debit, credit)

    transfer = {
        "other": {"id": credit, "amount": {"amount": "55.00", "currency": "USD"}, "transactionDate": MONTH.isoformat()},
        "fromAccount": paired["transaction"]["transfer"]["fromAccount"],
        "toAccount": paired["transaction"]["transfer"]["toAccount"],
        "review": {"id": paired["transaction"]["transfer"]["review"]["id"], "decidedBy": "USER"},
    }
    assert paired["errors"] == []
    assert paired["transaction"]["id"] == debit
    assert paired["transaction"]["category"]["id"] == gid("Category", GROCERIES)
    assert paired["transaction"]["transfer"] == transfer
    assert [transfer[which]["name"] for which in ("fromAccount", "toAccount")] == ["Daily", "Savings"]
    spent = (await one(client, budget))["utilization"]
    assert [Decimal(each["amountSpent"]["amount"]) for each in (spent_before, spent)] == [60, 0]
    assert spent["version"] == spent_before["version"] + 1
    assert await sums(client) == []


async def test_telling_it_again_moves_nothing(make_client: MakeClient) -> None:
    client, debit, credit = await somebody(make_client)
    budget = (await create(client))["budget"]["id"]
    first = await pair(client, debit, credit)
    before = await one(client, budget)

    assert await pair(client, debit, credit) == first
    assert await one(client, budget) == before


async def test_deciding_its_review_takes_a_transfer_apart_and_makes_it_again(make_client: MakeClient) -> None:
    client, debit, credit = await somebody(make_client)
    budget = (await create(client))["budget"]["id"]
    review = (await pair(client, debit, credit))["transaction"]["transfer"]["review"]["id"]
    seen = []
    for accept in (False, False, True):
        decided = (await client.data(DOCUMENTS["transaction/decide_review"], input={"id": review, "accept": accept}))[
            "transactionReviewDecide"
        ]
        assert decided["errors"] == []
        spent = (await one(client, budget))["utilization"]["amountSpent"]["amount"]
        seen.append((decided["transactionReview"]["state"], spent, [each["transfer"] is not None for each in await listed(client)]))

    apart = ("REJECTED", "60.00", [False, False])
    assert seen == [apart, apart, ("APPLIED", "0.00", [True, True])]


async def test_a_likely_pair_waits_in_the_inbox_with_what_speaks_against_it(make_client: MakeClient) -> None:
    client, debit, credit = await somebody(make_client, arrived="60", days=2)

    [review] = (await client.data(REVIEWS))["me"]["reviews"]["nodes"]

    assert {review["transaction"]["id"], review["other"]["id"]} == {debit, credit}
    assert (review["state"], review["score"], review["reasons"]) == ("SUGGESTED", "0.72", ["DAYS_APART", "KNOWN_OTHERWISE"])
    assert [each["transfer"] for each in await listed(client)] == [None, None]


async def test_a_review_of_a_transfer_that_cannot_be_any_more_is_not_accepted(make_client: MakeClient) -> None:
    client, debit, credit = await somebody(make_client)
    assert client.viewer is not None
    review = (await pair(client, debit, credit))["transaction"]["transfer"]["review"]["id"]
    await client.data(DOCUMENTS["transaction/decide_review"], input={"id": review, "accept": False})
    await bring(client.services, client.viewer, account("Third", [moved(MONTH, "10")]))
    other = next(each["id"] for each in await listed(client) if each["id"] not in (debit, credit))
    await pair(client, other, credit)

    refused = (await client.data(DOCUMENTS["transaction/decide_review"], input={"id": review, "accept": True}))["transactionReviewDecide"]

    assert [(each["code"], each["field"]) for each in refused["errors"]] == [("TRANSACTION_PAIRED", "id")]
    assert next(each["transfer"]["other"]["id"] for each in await listed(client) if each["id"] == credit) == other


async def test_a_duplicate_that_its_owner_tells_stays_visible_and_counts_no_more(make_client: MakeClient) -> None:
    client = await make_client()
    assert client.viewer is not None
    await bring(client.services, client.viewer, account("Daily", [moved(MONTH, "60"), moved(MONTH, "40")]))
    budget = (await create(client))["budget"]["id"]
    original, double = [each["id"] for each in await listed(client)]

    marked = await mark(client, double, original)

    said = {"id": original, "description": "Corner Shop", "transactionDate": MONTH.isoformat()}
    assert marked == {"transaction": {"id": double, "isDuplicate": True, "duplicateOf": said}, "errors": []}
    assert [each["isDuplicate"] for each in await listed(client)] == [False, True]
    assert Decimal((await one(client, budget))["utilization"]["amountSpent"]["amount"]) == 60
    assert await sums(client) == [{"direction": "DEBIT", "total": {"amount": "60.00"}, "transactionCount": 1}]


@pytest.mark.parametrize(
    ("what", "which", "expected"),
    [
        (pair, ("credit", "debit"), ("PAIR_IMPOSSIBLE", "debitId")),
        (pair, ("debit", "debit"), ("PAIR_IMPOSSIBLE", "debitId")),
        (pair, ("debit", "nobody's"), ("TRANSACTION_NOT_FOUND", "creditId")),
        (pair, ("a budget", "credit"), ("TRANSACTION_NOT_FOUND", "debitId")),
        (pair, ("nonsense", "credit"), ("TRANSACTION_NOT_FOUND", "debitId")),
        (mark, ("debit", "debit"), ("PAIR_IMPOSSIBLE", "ofId")),
        (mark, ("debit", "credit"), ("PAIR_IMPOSSIBLE", "ofId")),
        (mark, ("debit", "nobody's"), ("TRANSACTION_NOT_FOUND", "ofId")),
    ],
)
async def test_what_cannot_be_is_told_and_nothing_is_changed(make_client: MakeClient, what: Any, which: Any, expected: Any) -> None:
    client, debit, credit = await somebody(make_client)
    ids = {
        "debit": debit,
        "credit": credit,
        "nobody's": gid("Transaction", uuid4()),
        "a budget": gid("Budget", uuid4()),
        "nonsense": "nonsense",
    }
    before = await listed(client), await sums(client)

    refused = await what(client, *(ids[each] for each in which))

    assert refused["transaction"] is None
    assert [(each["code"], each["field"]) for each in refused["errors"]] == [expected]
    assert (await listed(client), await sums(client)) == before


async def test_one_that_is_in_another_transfer_is_in_no_second_one(make_client: MakeClient) -> None:
    client, debit, credit = await somebody(make_client)
    assert client.viewer is not None
    await pair(client, debit, credit)
    await bring(client.services, client.viewer, account("Third", [moved(MONTH, "10")]))
    other = next(each["id"] for each in await listed(client) if each["id"] not in (debit, credit))

    refused = await pair(client, other, credit)

    assert [(each["code"], each["field"]) for each in refused["errors"]] == [("TRANSACTION_PAIRED", "creditId")]


@pytest.mark.parametrize(("name", "fields"), [(PAIR, ("debitId", "creditId")), (MARK, ("id", "ofId"))])
async def test_whoever_is_signed_out_says_nothing(make_client: MakeClient, nobody: Client, name: str, fields: tuple[str, str]) -> None:
    client, debit, credit = await somebody(make_client)
    before = await listed(client)

    answer = await nobody.ask(DOCUMENTS[name], input=dict(zip(fields, (debit, credit), strict=True)))

    assert codes(answer) == ["UNAUTHENTICATED"]
    assert await listed(client) == before


@pytest.mark.parametrize(("what", "which"), [(pair, (0, 1)), (mark, (0, 1))])
async def test_nobody_says_it_of_somebody_elses(make_client: MakeClient, what: Any, which: tuple[int, int]) -> None:
    robin, *theirs = await somebody(make_client)
    sam = await make_client()
    before = await listed(robin)

    refused = await what(sam, *(theirs[each] for each in which))

    assert [each["code"] for each in refused["errors"]] == ["TRANSACTION_NOT_FOUND"]
    assert await listed(robin) == before


async def test_the_transfers_of_many_take_the_statements_of_one(make_client: MakeClient) -> None:
    taken: dict[int, tuple[int, int]] = {}
    for many in (1, 30):
        client = await make_client()
        assert client.viewer is not None
        about = {"category_detailed": None, "description": "X", "original_description": "X"}
        left = [moved(MONTH, str(number + 1), **about) for number in range(many)]
        arrived = [moved(MONTH, str(number + 1), direction="credit", **about) for number in range(many)]
        await bring(client.services, client.viewer, account("Daily", left), account("Savings", arrived))
        found, planned = await client.counted(TRANSFERS, planned=True)
        same, interpreted = await client.counted(TRANSFERS, planned=False)
        nodes = found["me"]["transactions"]["nodes"]
        assert len([each for each in nodes if each["transfer"] is not None]) == 2 * many
        assert found == same
        taken[many] = planned, interpreted

    assert taken[1] == taken[30]
    assert taken[1][0] == 4


def test_every_reason_of_a_score_has_a_name_for_clients() -> None:
    assert {each.value for each in TransactionReviewReason} == set(REASONS)
