"""The tree of categories."""

from tests.resolvers.api import Client, codes, gid
from tests.resolvers.conftest import MakeClient
from tests.resolvers.household import FOOD

TREE = "{ categories { id displayName icon color type parent { id } children { id } } }"


async def test_the_tree_is_whole_and_agrees_in_both_directions(make_client: MakeClient) -> None:
    client = await make_client()

    categories = (await client.data(TREE))["categories"]

    by_id = {each["id"]: each for each in categories}
    assert len(by_id) == len(categories) > 100
    tops = [each for each in categories if each["parent"] is None]
    assert len(tops) == 16
    for each in categories:
        assert each["displayName"]
        assert each["icon"]
        assert each["color"].startswith("#")
        assert all(by_id[child["id"]]["parent"] == {"id": each["id"]} for child in each["children"])
    assert sum(len(each["children"]) for each in categories) == len(categories) - len(tops)
    assert by_id[gid("Category", FOOD)]["type"] == "EXPENSE"
    assert {each["type"] for each in categories} == {"EXPENSE", "INCOME", "TRANSFER"}


async def test_a_category_is_the_same_by_its_id(make_client: MakeClient) -> None:
    client = await make_client()
    query = "query($id: ID!) { node(id: $id) { id ... on Category { displayName parent { displayName } } } }"

    node = (await client.data(query, id=gid("Category", "FOOD_AND_DRINK_GROCERIES")))["node"]
    missing = await client.data(query, id=gid("Category", "NO_SUCH"))

    assert node["displayName"] == "Groceries"
    assert node["parent"]["displayName"] is not None
    assert missing == {"node": None}


async def test_signed_out_there_are_no_categories(nobody: Client) -> None:
    assert codes(await nobody.ask(TREE)) == ["UNAUTHENTICATED"]
