"""The compiled executor: how often it asks, and what for."""

import uuid

from resolvers.execution.operation import Gateway
from resolvers.ids import to_global_id
from tests.resolvers.core.asking import ask, is_planned
from tests.resolvers.core.toy import BOB, Household, furnish

EVERYTHING = """{ me { id name
  pots {
    id name size { amount currency } label { title } usage: maybeUsage { spent { amount } share }
    entries(first: 2) { nodes { id label { title } } }
  }
  entries(first: 50) {
    totalCount nodes { id amount { amount } label { title colour } pot { name owner { name } } } pageInfo { hasNextPage endCursor }
  }
} labels { id } }"""


async def test_the_number_of_statements_is_the_same_for_one_parent_and_for_a_hundred(gateway: Gateway) -> None:
    one, hundred = furnish(pots=1, entries=1), furnish(pots=100, entries=100)

    await ask(gateway, one, EVERYTHING)
    await ask(gateway, hundred, EVERYTHING)

    assert len(one.asked) == len(hundred.asked) == 11
    assert (hundred.opened, hundred.closed) == (1, 1)


async def test_graphql_core_s_statements_do_not_grow_with_the_parents_either(gateway: Gateway) -> None:
    query = EVERYTHING.replace("me { id", "me { greeting id")
    ten, hundred = furnish(pots=10, entries=10), furnish(pots=100, entries=100)

    await ask(gateway, ten, query)
    await ask(gateway, hundred, query)

    assert not is_planned(gateway, query)
    assert len(ten.asked) == len(hundred.asked) == 10
    assert (hundred.opened, hundred.closed) == (1, 1)


async def test_the_dashboard_s_shape_takes_seven_statements(gateway: Gateway) -> None:
    household = furnish(pots=10, entries=60)
    query = """{ me { name
      pots { name size { amount } maybeUsage { spent { amount } } }
      entries(first: 50) { nodes { id amount { amount } label { title } pot { name } } }
    } }"""

    await ask(gateway, household, query)

    assert is_planned(gateway, query)
    assert [name for name, _, _ in household.asked] == [
        "people.by_id",
        "people.pots_by_person",
        "entries.page_by_person",
        "pots.usage_by_pot",
        "pots.label_by_id",
        "pots.by_id",
    ]


async def test_the_viewer_is_known_without_a_statement(gateway: Gateway, household: Household) -> None:
    found = await ask(gateway, household, "{ me { __typename id } viewer { id } }")

    assert found["data"]["me"]["id"] == found["data"]["viewer"]["id"]
    assert (household.asked, household.opened) == ([], 0)


async def test_only_the_columns_that_are_answered_are_read_and_keys_once(gateway: Gateway, household: Household) -> None:
    await ask(gateway, household, "{ me { favourite { id name owner { id } } } }")

    assert household.asked == [
        ("people.by_id", (str(uuid.UUID(int=1)),), ("favourite_id",)),
        ("pots.by_id", (household.tables["pots"][1]["id"],), ("name", "person_id")),
        ("people.by_id", (str(uuid.UUID(int=1)),), ()),
    ]


async def test_keys_are_asked_for_once_and_nulls_never(gateway: Gateway, household: Household) -> None:
    await ask(gateway, household, "{ me { pots { label { title } } entries(first: 5) { nodes { label { title } pot { name } } } } }")

    labels = [keys for name, keys, _ in household.asked if name == "pots.label_by_id"]
    assert len(labels) == 1
    assert sorted(labels[0]) == ["FOOD", "FUN", "GONE", "RENT"]
    [pots] = [keys for name, keys, _ in household.asked if name == "pots.by_id"]
    assert None not in pots


async def test_where_nothing_is_there_nothing_is_asked_below(gateway: Gateway, household: Household) -> None:
    found = await ask(
        gateway, household, "{ me { favourite { name } pots { label { title } } entries { nodes { pot { name } } totalCount } } }", user=BOB
    )

    assert found["data"]["me"] == {"favourite": None, "pots": [], "entries": {"nodes": [], "totalCount": 0}}
    assert [name for name, _, _ in household.asked] == [
        "people.by_id",
        "people.pots_by_person",
        "entries.page_by_person",
        "entries.count_by_person",
    ]


async def test_the_same_field_twice_with_other_arguments_is_two_pages(gateway: Gateway, household: Household) -> None:
    query = """{ me {
      newest: entries(first: 1) { nodes { id } } oldest: entries(first: 1, sort: OLDEST) { nodes { id } }
      again: entries(first: 1) { nodes { note } edges { cursor } }
    } }"""

    found = await ask(gateway, household, query)

    assert found["data"]["me"]["newest"] != found["data"]["me"]["oldest"]
    assert found["data"]["me"]["again"]["nodes"] == [{"note": "note 29"}]
    assert len(household.asked) == 2


async def test_a_list_can_be_walked_by_its_cursors_in_every_sort(gateway: Gateway, household: Household) -> None:
    query = """query ($after: String, $sort: EntrySort) { me { entries(first: 7, after: $after, sort: $sort) {
      edges { cursor node { id } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    } } }"""
    for sort in ("NEWEST", "OLDEST", "LARGEST"):
        seen: list[str] = []
        after: str | None = None
        for number in range(5):
            found = (await ask(gateway, household, query, after=after, sort=sort))["data"]["me"]["entries"]
            seen += [edge["node"]["id"] for edge in found["edges"]]
            info = found["pageInfo"]
            assert info["hasPreviousPage"] is (number > 0)
            assert info["startCursor"] == found["edges"][0]["cursor"]
            after = info["endCursor"]
        assert info["hasNextPage"] is False
        assert len(seen) == len(set(seen)) == 30


async def test_a_cursor_of_another_sort_is_refused_at_its_field(gateway: Gateway, household: Household) -> None:
    query = "query ($after: String, $sort: EntrySort) { me { name entries(after: $after, sort: $sort) { pageInfo { endCursor } } } }"
    first = await ask(gateway, household, query, sort="OLDEST")
    cursor = first["data"]["me"]["entries"]["pageInfo"]["endCursor"]

    found = await ask(gateway, household, query, sort="NEWEST", after=cursor)

    [error] = found["errors"]
    assert (error["path"], error["extensions"]["code"]) == (["me", "entries"], "BAD_USER_INPUT")
    assert "another sort" in error["message"]


async def test_a_page_of_each_of_many_parents_is_one_statement(gateway: Gateway) -> None:
    household = furnish(pots=5, entries=30)

    found = await ask(gateway, household, "{ me { pots { name entries(first: 2) { nodes { note } pageInfo { hasNextPage } } } } }")

    pages = [pot["entries"] for pot in found["data"]["me"]["pots"]]
    assert [len(page["nodes"]) for page in pages] == [2] * 5
    assert all(page["pageInfo"]["hasNextPage"] for page in pages)
    assert [name for name, _, _ in household.asked] == ["people.pots_by_person", "entries.page_by_pot"]


async def test_domains_with_databases_of_their_own_have_a_snapshot_each(gateway: Gateway, household: Household) -> None:
    household.split = True

    await ask(gateway, household, "{ me { name pots { label { title } } entries { nodes { id } } } }")

    assert (household.opened, household.closed) == (3, 3)


async def test_two_households_do_not_meet_in_a_plan(gateway: Gateway) -> None:
    query = "{ me { name pots { name } } }"
    furnished, empty = furnish(), furnish(pots=0)

    first = await ask(gateway, furnished, query)
    second = await ask(gateway, empty, query)
    third = await ask(gateway, furnished, query, user=BOB)

    assert len(first["data"]["me"]["pots"]) == 4
    assert second["data"]["me"] == {"name": "Alice", "pots": []}
    assert third["data"]["me"] == {"name": "Bob", "pots": []}


async def test_ids_of_any_text_are_written_as_they_are_read(gateway: Gateway, household: Household) -> None:
    keys = ["FOOD", "a?b", "~~~", "x>y?z~"]
    household.tables["labels"] = [{"id": key, "title": key, "colour": None} for key in keys]

    found = await ask(gateway, household, "{ labels { id } }")

    assert [label["id"] for label in found["data"]["labels"]] == [to_global_id("Label", key) for key in keys]


async def test_a_count_by_itself_is_a_number_and_one_statement(gateway: Gateway) -> None:
    household = furnish(pots=2, entries=7)

    answer = await ask(gateway, household, "{ me { entryCount } }")

    assert is_planned(gateway, "{ me { entryCount } }")
    assert answer["data"] == {"me": {"entryCount": 7}}
    assert [name for name, _, _ in household.asked] == ["entries.count_by_person"]


async def test_a_count_of_nothing_is_nought(gateway: Gateway) -> None:
    assert (await ask(gateway, furnish(entries=0), "{ me { name entryCount } }"))["data"]["me"]["entryCount"] == 0
