"""Lists of statements that were to be taken in."""

from typing import Any

import pytest

from tests.resolvers.api import Client, codes
from tests.resolvers.bank.test_statement_import import begin, uploaded, work
from tests.resolvers.conftest import MakeClient
from tests.resolvers.test_operations import DOCUMENTS

LIST = DOCUMENTS["bank/statement_imports"]


@pytest.mark.parametrize("planned", [True, False])
async def test_imports_are_listed_in_pages_the_newest_first(make_client: MakeClient, nobody: Client, planned: bool) -> None:
    client, other = await make_client(), await make_client()
    begun = [(await begin(client, await uploaded(client)))["statementImport"]["id"] for _ in range(3)]
    await begin(other, await uploaded(other))
    await work(client.services, client.viewer, begun[0])

    async def listed(**variables: Any) -> tuple[list[tuple[str, str]], int, str | None]:
        page = (await client.counted(LIST, planned=planned, **variables))[0]["me"]["statementImports"]
        end = page["pageInfo"]["endCursor"] if page["pageInfo"]["hasNextPage"] else None
        return [(node["id"], node["status"]) for node in page["nodes"]], page["totalCount"], end

    first, count, end = await listed(first=2)
    rest, _, last = await listed(first=2, after=end)
    done = await listed(filter={"status": "DONE"})

    assert first == [(begun[2], "QUEUED"), (begun[1], "QUEUED")]
    assert (rest, count, last) == ([(begun[0], "DONE")], 3, None)
    assert done == ([(begun[0], "DONE")], 1, None)
    assert codes(await nobody.ask(LIST)) == ["UNAUTHENTICATED"]
