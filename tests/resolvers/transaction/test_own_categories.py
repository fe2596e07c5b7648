"""Categories of one's own, and one's own look for those that everybody has."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from domains.core.ids import parse_id
from domains.transaction.service import change_categories
from resolvers.ids import split_global_id
from tests.resolvers.api import Client, codes, gid
from tests.resolvers.budget import budgets
from tests.resolvers.conftest import MakeClient
from tests.resolvers.household import COFFEE, FOOD, GROCERIES, MONTH, TODAY, account, bring, moved
from tests.resolvers.transaction.categories import CREATE, DELETE, UPDATE, create, delete, listed, made, one, refusals, update

SALARY = "INCOME_WAGES"
TRANSFER = "TRANSFER_OUT"
SUMS = """{ me { monthlySummaries { nodes { category { id displayName } direction total { amount } transactionCount isFrozen } } } }"""
LATEST = "{ me { transactions { nodes { id category { id displayName icon color isOwn parent { id displayName } } categoryMethod } } } }"
CATEGORISE = "mutation($input: TransactionUpdateInput!) { transactionUpdate(input: $input) { errors { __typename field } } }"
COUNTS = """query($ids: [ID!]) { me {
  transactions(filter: {categoryIds: $ids}) { totalCount } monthlySummaries(filter: {categoryIds: $ids}) { totalCount }
} }"""
SPENT = "{ me { budgets { name utilization { amountSpent { amount } transactionCount } } } }"


def key_of(global_id: str) -> str:
    parts = split_global_id(global_id)
    assert parts is not None
    return parts[1]


async def with_transactions(client: Client, *transactions: Any) -> list[str]:
    """The client's transactions, the newest first."""
    assert client.viewer is not None
    await bring(client.services, client.viewer, account("Daily", transactions))
    found = await client.data("{ me { transactions { nodes { id } } } }")
    return [node["id"] for node in found["me"]["transactions"]["nodes"]]


async def categorise(client: Client, transaction: str, category: str) -> list[Any]:
    errors: list[Any] = (await client.data(CATEGORISE, input={"id": transaction, "category": category}))["transactionUpdate"]["errors"]
    return errors


async def spent(client: Client) -> dict[str, tuple[str, int]]:
    rows = (await client.data(SPENT))["me"]["budgets"]
    return {row["name"]: (row["utilization"]["amountSpent"]["amount"], row["utilization"]["transactionCount"]) for row in rows}


async def test_a_new_category_is_a_finer_kind_of_its_parent(make_client: MakeClient) -> None:
    client = await make_client()
    before = {each["id"] for each in await listed(client)}

    payload = await create(client, "  Sour  dough ", parent=gid("Category", FOOD), icon="🥖", color="#a1b2c3")

    assert payload["errors"] == []
    category = payload["category"]
    category_id = category.pop("id")
    assert parse_id(key_of(category_id)) is not None
    siblings = (await one(client, gid("Category", FOOD)))["children"]
    assert category == {
        "displayName": "Sour dough",
        "icon": "🥖",
        "color": "#a1b2c3",
        "type": "EXPENSE",
        "sortOrder": (await one(client, siblings[-2]["id"]))["sortOrder"] + 1,
        "isOwn": True,
        "isHidden": False,
        "parent": {"id": gid("Category", FOOD)},
        "children": [],
    }
    assert siblings[-1] == {"id": category_id}
    assert {each["id"] for each in await listed(client)} == before | {category_id}
    assert [each["id"] for each in await listed(client, isOwn=True)] == [category_id]
    assert category_id not in repr(await client.data("{ categories { id } }"))


async def test_a_category_at_the_top_has_a_type_and_children_of_it(make_client: MakeClient) -> None:
    client = await make_client()

    top = await made(client, "Side jobs", type="INCOME")
    child = (await create(client, "Tutoring", parent=top))["category"]

    assert (await one(client, top))["children"] == [{"id": child["id"]}]
    assert (child["type"], child["parent"]) == ("INCOME", {"id": top})
    income = [each["id"] for each in await listed(client, type="INCOME")]
    assert income[-2:] == [top, child["id"]]
    assert refusals(await create(client, "Deeper", parent=child["id"])) == [("CategoryParentInvalid", "parent")]


#: What is refused in a new category.
INVALID: list[tuple[dict[str, Any], str, str]] = [
    ({"displayName": " "}, "CategoryNameInvalid", "displayName"),
    ({"displayName": "x" * 101}, "CategoryNameInvalid", "displayName"),
    ({"displayName": "a\u0000b"}, "CategoryNameInvalid", "displayName"),
    ({"displayName": "GROCERIES", "parent": gid("Category", FOOD), "type": None}, "CategoryNameTaken", "displayName"),
    ({"displayName": "Travel"}, "CategoryNameTaken", "displayName"),
    ({"color": "#A1B2C3"}, "CategoryLooksInvalid", "color"),
    ({"color": "red"}, "CategoryLooksInvalid", "color"),
    ({"icon": ""}, "CategoryLooksInvalid", "icon"),
    ({"icon": "x" * 51}, "CategoryLooksInvalid", "icon"),
    ({"type": None}, "CategoryTypeInvalid", "type"),
    ({"type": "INCOME", "parent": gid("Category", FOOD)}, "CategoryTypeInvalid", "type"),
    ({"parent": gid("Category", GROCERIES)}, "CategoryParentInvalid", "parent"),
    ({"parent": gid("Category", "NO_SUCH")}, "CategoryParentInvalid", "parent"),
    ({"parent": gid("Category", str(uuid4()))}, "CategoryParentInvalid", "parent"),
    ({"parent": "nonsense"}, "CategoryParentInvalid", "parent"),
]


@pytest.mark.parametrize(("said", "type_name", "field"), INVALID)
async def test_a_category_that_cannot_be_is_refused(make_client: MakeClient, said: dict[str, Any], type_name: str, field: str) -> None:
    client = await make_client()

    payload = await create(client, **{"name": "Sourdough", "type": "EXPENSE", **said})

    assert payload["category"] is None
    assert refusals(payload) == [(type_name, field)]
    assert await listed(client, isOwn=True) == []


async def test_one_key_is_one_category_and_another_input_is_an_error(make_client: MakeClient) -> None:
    client, key = await make_client(), "k"

    first = await create(client, "Sourdough", type="EXPENSE", idempotencyKey=key)
    same = await create(client, "Sourdough", type="EXPENSE", idempotencyKey=key)
    other = await create(client, "Rye", type="EXPENSE", idempotencyKey=key)

    assert same == first
    assert refusals(other) == [("IdempotencyKeyReused", "idempotencyKey")]
    assert refusals(await create(client, "Rye", type="EXPENSE", idempotencyKey="")) == [("IdempotencyKeyInvalid", "idempotencyKey")]
    assert [each["displayName"] for each in await listed(client, isOwn=True)] == ["Sourdough"]


async def test_twenty_calls_at_once_make_one_category_of_a_name(make_client: MakeClient) -> None:
    client = await make_client()

    answers = await asyncio.gather(*(create(client, f"sourd{'Oo'[n % 2]}ugh", type="EXPENSE") for n in range(20)))

    assert sum(answer["category"] is not None for answer in answers) == 1
    assert {refusals(answer)[0][0] for answer in answers if answer["category"] is None} == {"CategoryNameTaken"}
    assert len(await listed(client, isOwn=True)) == 1


async def test_there_is_a_most(make_client: MakeClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(change_categories, "OWN_AT_MOST", 2)
    client = await make_client()
    await made(client, "One")
    await made(client, "Two")
    await update(client, gid("Category", FOOD), displayName="Eating")

    assert refusals(await create(client, "Three", type="EXPENSE")) == [("CategoryLimitReached", None)]


async def test_the_same_name_may_be_under_two_parents_and_be_two_peoples(make_client: MakeClient) -> None:
    robin, sam = await make_client(), await make_client()

    ids = [await made(robin, "Other", parent=gid("Category", name)) for name in (FOOD, "TRAVEL")]
    ids.append(await made(sam, "Other", parent=gid("Category", FOOD)))

    assert len(set(ids)) == 3


async def test_a_default_category_looks_as_its_user_wants_and_can_be_given_back(make_client: MakeClient) -> None:
    robin, sam = await make_client(), await make_client()
    food = gid("Category", FOOD)
    plain = await one(robin, food)
    await with_transactions(robin, moved(MONTH, "5.00", category_detailed=FOOD))

    payload = await update(robin, food, displayName="Eating", icon="🍽", color="#102030", isHidden=True)

    assert payload["errors"] == []
    assert payload["category"] == {**plain, "displayName": "Eating", "icon": "🍽", "color": "#102030", "isHidden": True}
    [node] = (await robin.data(LATEST))["me"]["transactions"]["nodes"]
    assert node["category"] == {"id": food, "displayName": "Eating", "icon": "🍽", "color": "#102030", "isOwn": False, "parent": None}
    assert (await one(robin, gid("Category", GROCERIES)))["parent"] == {"id": food}
    assert await one(sam, food) == plain
    names = {each["id"]: each["displayName"] for each in (await robin.data("{ categories { id displayName } }"))["categories"]}
    assert names[food] == plain["displayName"]
    assert food not in {each["id"] for each in await listed(robin)}
    assert food in {each["id"] for each in await listed(robin, includeHidden=True)}
    given_back = await update(robin, food, displayName=None, icon=None, color=None, isHidden=None)
    assert given_back["category"] == plain


async def test_what_is_left_out_of_a_change_stays(make_client: MakeClient) -> None:
    client = await make_client()
    food, own = gid("Category", FOOD), await made(client, "Own", icon="x", color="#000000")
    await update(client, food, displayName="Eating", isHidden=True)

    looks = await update(client, food, color="#102030")
    changed = await update(client, own, displayName="Mine", isHidden=True)
    nothing = await update(client, own)

    assert (looks["category"]["displayName"], looks["category"]["color"], looks["category"]["isHidden"]) == ("Eating", "#102030", True)
    assert (changed["category"]["displayName"], changed["category"]["icon"], changed["category"]["color"]) == ("Mine", "x", "#000000")
    assert nothing["category"] == changed["category"]
    cleared = await update(client, own, icon=None, color=None, sortOrder=5)
    assert (cleared["category"]["icon"], cleared["category"]["color"], cleared["category"]["sortOrder"]) == (None, None, 5)


async def test_a_default_category_keeps_its_place_and_its_name_is_nobody_elses(make_client: MakeClient) -> None:
    client = await make_client()
    food, coffee = gid("Category", FOOD), gid("Category", COFFEE)
    own = await made(client, "Espresso", parent=food)

    assert refusals(await update(client, food, parent=gid("Category", "TRAVEL"))) == [("CategoryNotOwn", "parent")]
    assert refusals(await update(client, food, sortOrder=1)) == [("CategoryNotOwn", "sortOrder")]
    assert refusals(await update(client, coffee, displayName="espresso")) == [("CategoryNameTaken", "displayName")]
    name = (await one(client, coffee))["displayName"]
    assert refusals(await update(client, own, displayName=name.upper())) == [("CategoryNameTaken", "displayName")]
    await update(client, coffee, displayName="Kaffee")
    assert refusals(await update(client, own, displayName=name)) == []
    assert refusals(await update(client, coffee, displayName=None)) == [("CategoryNameTaken", "displayName")]
    assert (await one(client, coffee))["displayName"] == "Kaffee"


async def test_an_own_category_moves_within_its_type_and_two_levels(make_client: MakeClient) -> None:
    client = await make_client()
    top, other = await made(client, "Top"), await made(client, "Other")
    child = await made(client, "Child", parent=top)

    assert refusals(await update(client, top, parent=other)) == [("CategoryParentInvalid", "parent")]
    assert refusals(await update(client, child, parent=child)) == [("CategoryParentInvalid", "parent")]
    assert refusals(await update(client, other, parent=other)) == [("CategoryParentInvalid", "parent")]
    assert refusals(await update(client, child, parent=gid("Category", "INCOME"))) == [("CategoryTypeInvalid", "parent")]
    assert refusals(await update(client, child, parent=gid("Category", GROCERIES))) == [("CategoryParentInvalid", "parent")]
    assert refusals(await update(client, top, displayName=None)) == [("CategoryNameInvalid", "displayName")]
    await made(client, "Child", parent=other)
    assert refusals(await update(client, child, parent=other)) == [("CategoryNameTaken", "displayName")]
    assert (await one(client, child))["parent"] == {"id": top}
    assert (await update(client, child, parent=gid("Category", FOOD)))["category"]["parent"] == {"id": gid("Category", FOOD)}
    assert (await update(client, child, parent=None))["category"]["parent"] is None
    assert codes(await client.ask(UPDATE, input={"id": child, "sortOrder": None})) == ["BAD_USER_INPUT"]


async def test_a_transaction_is_in_an_own_category_wherever_it_is_asked_for(make_client: MakeClient) -> None:
    client = await make_client()
    own = await made(client, "Sourdough", parent=gid("Category", FOOD), icon="🥖", color="#a1b2c3")
    [transaction] = await with_transactions(client, moved(MONTH, "5.00"))

    assert await categorise(client, transaction, own) == []

    [node] = (await client.data(LATEST))["me"]["transactions"]["nodes"]
    food = (await one(client, gid("Category", FOOD)))["displayName"]
    shown = {"id": own, "displayName": "Sourdough", "icon": "🥖", "color": "#a1b2c3", "isOwn": True}
    assert node["category"] == {**shown, "parent": {"id": gid("Category", FOOD), "displayName": food}}
    for given in (own, gid("Category", FOOD)):
        counted = await client.data(COUNTS, ids=[given])
        assert counted == {"me": {"transactions": {"totalCount": 1}, "monthlySummaries": {"totalCount": 1}}}
    assert (await client.data(COUNTS, ids=[gid("Category", GROCERIES)]))["me"]["transactions"] == {"totalCount": 0}


async def test_a_budget_counts_own_children_and_may_be_for_one(make_client: MakeClient) -> None:
    client = await make_client()
    own, top = await made(client, "Sourdough", parent=gid("Category", FOOD)), await made(client, "Hobby")
    child = await made(client, "Bakery", parent=top)
    await with_transactions(client, *(moved(TODAY, amount) for amount in ("4.00", "40.00", "400.00")))
    by_amount = {
        node["amount"]["amount"]: node["id"]
        for node in (await client.data("{ me { transactions { nodes { id amount { amount } } } } }"))["me"]["transactions"]["nodes"]
    }
    await categorise(client, by_amount["4.00"], own)
    await categorise(client, by_amount["40.00"], child)

    for name, category in {"food": gid("Category", FOOD), "bread": own, "hobby": top, "bakery": child}.items():
        assert (await budgets.create(client, name=name, category=category))["errors"] == []
    before = await spent(client)
    await update(client, own, parent=top)
    after = await spent(client)

    assert before == {"food": ("404.00", 2), "bread": ("4.00", 1), "hobby": ("40.00", 1), "bakery": ("40.00", 1)}
    assert after == {"food": ("400.00", 1), "bread": ("4.00", 1), "hobby": ("44.00", 2), "bakery": ("40.00", 1)}
    income = await made(client, "Side jobs", type="INCOME")
    assert [error["code"] for error in (await budgets.create(client, category=income))["errors"]] == ["CATEGORY_NOT_BUDGETABLE"]
    assert (await budgets.listed(client))[1]["category"] == {"id": own}


async def test_own_transfers_count_nowhere(make_client: MakeClient) -> None:
    client = await make_client()
    own = await made(client, "Piggy bank", type="TRANSFER")
    [transaction] = await with_transactions(client, moved(TODAY, "5.00"))
    await budgets.create(client, name="food")

    await categorise(client, transaction, own)

    assert await spent(client) == {"food": ("0.00", 0)}
    assert (await client.data(SUMS))["me"]["monthlySummaries"]["nodes"] == []


async def test_deleting_gives_the_transactions_back_or_moves_them_and_the_figures_follow(make_client: MakeClient) -> None:
    client = await make_client()
    food = gid("Category", FOOD)
    one_, two = await made(client, "One", parent=food), await made(client, "Two")
    transactions = await with_transactions(
        client, moved(TODAY, "4.00", category_detailed=COFFEE), moved(TODAY, "4.00", category_detailed=COFFEE)
    )
    await categorise(client, transactions[0], one_)
    await categorise(client, transactions[1], two)
    await budgets.create(client, name="food")
    assert await spent(client) == {"food": ("4.00", 1)}

    moved_ = await delete(client, two, moveTo=one_)
    between = await spent(client)
    given_back = await delete(client, one_)

    assert moved_ == {"deletedCategoryId": two, "errors": []}
    assert between == {"food": ("8.00", 2)}
    assert given_back == {"deletedCategoryId": one_, "errors": []}
    assert await spent(client) == {"food": ("8.00", 2)}
    nodes = (await client.data(LATEST))["me"]["transactions"]["nodes"]
    assert [(node["category"]["id"], node["categoryMethod"]) for node in nodes] == [(gid("Category", COFFEE), "AUTO")] * 2
    [row] = (await client.data(SUMS))["me"]["monthlySummaries"]["nodes"]
    assert (row["category"]["id"], row["total"]["amount"], row["transactionCount"]) == (gid("Category", COFFEE), "8.00", 2)
    assert await one(client, two) is None
    assert refusals(await delete(client, two)) == [("CategoryNotFound", "id")]
    assert await categorise(client, transactions[0], two) == [{"__typename": "CategoryNotFound", "field": "category"}]


async def test_a_category_that_is_needed_is_not_deleted(make_client: MakeClient) -> None:
    client = await make_client()
    top = await made(client, "Top")
    child = await made(client, "Child", parent=top)
    [transaction] = await with_transactions(client, moved(TODAY, "4.00"))
    await categorise(client, transaction, child)
    budget = await budgets.create(client, name="For the child", category=child)

    kept = await delete(client, child, moveTo=top)

    assert refusals(kept) == [("CategoryHasBudget", "id")]
    assert (kept["deletedCategoryId"], kept["errors"][0]["budgetName"]) == (None, "For the child")
    assert refusals(await delete(client, top)) == [("CategoryHasChildren", "id")]
    for move_to, error in {
        gid("Category", SALARY): "CategoryTypeInvalid",
        gid("Category", TRANSFER): "CategoryTypeInvalid",
        gid("Category", "NO_SUCH"): "CategoryNotFound",
        "nonsense": "CategoryNotFound",
        child: "CategoryNotFound",
    }.items():
        await budgets.update(client, budget["budget"]["id"], category=top)
        assert refusals(await delete(client, child, moveTo=move_to)) == [(error, "moveTo")]
    assert refusals(await delete(client, gid("Category", FOOD))) == [("CategoryNotOwn", "id")]
    [node] = (await client.data(LATEST))["me"]["transactions"]["nodes"]
    assert node["category"]["id"] == child
    assert refusals(await delete(client, child)) == []


async def test_while_a_category_goes_nothing_is_put_in_it(make_client: MakeClient) -> None:
    client = await make_client()
    own = await made(client, "Own")
    transactions = await with_transactions(client, *(moved(TODAY, "1.00") for _ in range(6)))

    answers = await asyncio.gather(*(categorise(client, each, own) for each in transactions), delete(client, own), delete(client, own))

    *put, first, second = answers
    assert sorted([refusals(first), refusals(second)]) == [[], [("CategoryNotFound", "id")]]
    assert all(errors in ([], [{"__typename": "CategoryNotFound", "field": "category"}]) for errors in put)
    nodes = (await client.data(LATEST))["me"]["transactions"]["nodes"]
    assert {node["category"]["id"] for node in nodes} == {gid("Category", GROCERIES)}
    [row] = (await client.data(SUMS))["me"]["monthlySummaries"]["nodes"]
    assert (row["total"]["amount"], row["transactionCount"]) == ("6.00", 6)


async def test_somebody_elses_category_is_not_there_and_stays_as_it_is(make_client: MakeClient) -> None:
    robin, sam = await make_client(), await make_client()
    theirs, own = await made(robin, "Sourdough"), await made(sam, "Rye")
    [transaction] = await with_transactions(sam, moved(TODAY, "4.00"))
    before = await one(robin, theirs)

    for given in (theirs, gid("Category", str(uuid4())), gid("Category", "NO_SUCH"), gid("Budget", key_of(theirs)), "nonsense"):
        assert refusals(await update(sam, given, displayName="Mine")) == [("CategoryNotFound", "id")]
        assert refusals(await delete(sam, given)) == [("CategoryNotFound", "id")]
        assert refusals(await delete(sam, own, moveTo=given)) == [("CategoryNotFound", "moveTo")]
        assert refusals(await create(sam, "Under it", parent=given)) == [("CategoryParentInvalid", "parent")]
        assert refusals(await update(sam, own, parent=given)) == [("CategoryParentInvalid", "parent")]
        assert await categorise(sam, transaction, given) == [{"__typename": "CategoryNotFound", "field": "category"}]
        assert [error["code"] for error in (await budgets.create(sam, category=given))["errors"]] == ["CATEGORY_NOT_BUDGETABLE"]
    assert await one(sam, theirs) is None
    assert await one(robin, theirs) == before
    assert theirs not in repr(await listed(sam, includeHidden=True))


async def test_signed_out_nothing_can_be_changed(make_client: MakeClient, nobody: Client) -> None:
    robin = await make_client()
    own = await made(robin, "Sourdough")
    before = await one(robin, own)

    answers = [
        await nobody.ask(CREATE, input={"idempotencyKey": "k", "displayName": "Rye", "type": "EXPENSE"}),
        await nobody.ask(UPDATE, input={"id": own, "displayName": "Rye"}),
        await nobody.ask(DELETE, input={"id": own}),
    ]

    assert [codes(answer) for answer in answers] == [["UNAUTHENTICATED"]] * 3
    assert await one(robin, own) == before


async def test_categories_of_many_transactions_take_one_statement(make_client: MakeClient) -> None:
    client = await make_client()
    own = [await made(client, f"Own {n}", parent=gid("Category", FOOD)) for n in range(3)]
    await update(client, gid("Category", COFFEE), displayName="Kaffee")
    transactions = await with_transactions(client, *(moved(TODAY, "1.00", category_detailed=COFFEE) for _ in range(6)))
    for transaction, category in zip(transactions, own, strict=False):
        await categorise(client, transaction, category)

    data, planned = await client.counted("{ me { transactions { nodes { category { displayName isOwn } } } } }", planned=True)
    _, interpreted = await client.counted("{ me { transactions { nodes { category { displayName isOwn } } } } }", planned=False)

    names = [node["category"]["displayName"] for node in data["me"]["transactions"]["nodes"]]
    assert sorted(names) == ["Kaffee"] * 3 + ["Own 0", "Own 1", "Own 2"]
    assert (planned, interpreted) == (2, 3)


async def test_a_page_of_categories_goes_on_where_it_ended(make_client: MakeClient) -> None:
    client = await make_client()
    own = await made(client, "Sourdough", parent=gid("Category", FOOD))
    query = """query($first: Int, $after: String) { me { categories(first: $first, after: $after) {
      nodes { id sortOrder } pageInfo { hasNextPage endCursor } } } }"""

    found: list[Any] = []
    after = None
    while after is not None or not found:
        page = (await client.data(query, first=7, after=after))["me"]["categories"]
        found += page["nodes"]
        after = page["pageInfo"]["endCursor"] if page["pageInfo"]["hasNextPage"] else None

    assert [node["id"] for node in found] == [each["id"] for each in await listed(client)]
    assert [node["sortOrder"] for node in found] == sorted(node["sortOrder"] for node in found)
    assert own in {node["id"] for node in found}
