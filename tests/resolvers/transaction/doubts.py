"""What is in doubt, and what is in the bin, for tests of what clients see of it."""

from uuid import UUID

from db.transaction.queries import deleted as bins
from db.transaction.queries import reconciling
from domains.bank.providers.protocol import StatementTransaction
from resolvers.ids import from_global_id, to_global_id
from tests.resolvers.api import Client
from tests.resolvers.household import account, bring

DELETE = "mutation($input: TransactionDeleteInput!) { transactionDelete(input: $input) { deletedTransaction { id } errors { code } } }"
LAST = "{ me { reviews(first: 1) { nodes { id } } } }"


def key_of(transaction: str) -> UUID:
    found = from_global_id(transaction, "Transaction")
    assert found is not None
    return found


async def doubted(client: Client, transaction: str, other: str | None = None, *, kind: str = "removal") -> str:
    """Something in doubt of a transaction of the client's; answers the review's id."""
    async with client.services.db.write("transaction", client.viewer) as session:
        one = await bins.find_place(session, key_of(transaction))
        two = None if other is None else await bins.find_place(session, key_of(other))
        assert one is not None
        about = {"kind": kind, "transaction_id": one.id, "transaction_date": one.transaction_date, "score": None}
        beside = {"other_id": two and two.id, "other_date": two and two.transaction_date}
        await reconciling.suggest_reviews(session, [about | beside])
    return str((await client.data(LAST))["me"]["reviews"]["nodes"][0]["id"])


async def deleted(client: Client, row: StatementTransaction) -> str:
    """A transaction that the client had and deleted; answers its id in the bin."""
    assert client.viewer is not None
    await bring(client.services, client.viewer, account("Gone", [row]))
    found = (await client.data("{ me { accounts { name transactions { nodes { id } } } } }"))["me"]["accounts"]
    [one] = next(each["transactions"]["nodes"] for each in found if each["name"] == "Gone")
    payload = (await client.data(DELETE, input={"id": one["id"]}))["transactionDelete"]
    assert payload["errors"] == []
    assert payload["deletedTransaction"]["id"] == to_global_id("DeletedTransaction", key_of(one["id"]))
    return str(payload["deletedTransaction"]["id"])
