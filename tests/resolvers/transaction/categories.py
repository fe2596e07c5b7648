"""Documents about categories, shared by the tests of this folder."""

from typing import Any
from uuid import uuid4

from tests.resolvers.api import Client

LOOK = "id displayName icon color type sortOrder isOwn isHidden parent { id } children { id }"
ERRORS = "errors { __typename code message field ... on CategoryHasBudget { budgetName } }"
CREATE = f"mutation($input: CategoryCreateInput!) {{ categoryCreate(input: $input) {{ category {{ {LOOK} }} {ERRORS} }} }}"
UPDATE = f"mutation($input: CategoryUpdateInput!) {{ categoryUpdate(input: $input) {{ category {{ {LOOK} }} {ERRORS} }} }}"
DELETE = f"mutation($input: CategoryDeleteInput!) {{ categoryDelete(input: $input) {{ deletedCategoryId {ERRORS} }} }}"
ONE = f"query($id: ID!) {{ node(id: $id) {{ id ... on Category {{ {LOOK} }} }} }}"
PAGE = f"""query($first: Int, $after: String, $filter: CategoryFilter) {{ me {{ categories(first: $first, after: $after, filter: $filter) {{
  nodes {{ {LOOK} }} pageInfo {{ hasNextPage endCursor }} totalCount }} }} }}"""


async def create(client: Client, name: str, **said: Any) -> Any:
    given = {"idempotencyKey": str(uuid4()), "displayName": name, **said}
    return (await client.data(CREATE, input=given))["categoryCreate"]


async def made(client: Client, name: str, **said: Any) -> str:
    """The id of a new category: of expenses at the top, unless said otherwise."""
    payload = await create(client, name, **({} if "parent" in said else {"type": "EXPENSE"}) | said)
    assert payload["errors"] == []
    return str(payload["category"]["id"])


async def update(client: Client, category_id: str, **said: Any) -> Any:
    return (await client.data(UPDATE, input={"id": category_id, **said}))["categoryUpdate"]


async def delete(client: Client, category_id: str, **said: Any) -> Any:
    return (await client.data(DELETE, input={"id": category_id, **said}))["categoryDelete"]


async def one(client: Client, category_id: str) -> Any:
    return (await client.data(ONE, id=category_id))["node"]


async def listed(client: Client, **given: Any) -> list[Any]:
    """All of the viewer's categories under the filter, page by page."""
    nodes: list[Any] = []
    after = None
    while True:
        found = (await client.data(PAGE, first=100, after=after, filter=given))["me"]["categories"]
        nodes += found["nodes"]
        if not found["pageInfo"]["hasNextPage"]:
            assert found["totalCount"] == len(nodes)
            return nodes
        after = found["pageInfo"]["endCursor"]


def refusals(payload: Any) -> list[tuple[str, str | None]]:
    return [(error["__typename"], error["field"]) for error in payload["errors"]]
