"""Every mutation of the schema leaves an entry in the trail of whoever it is about, or stands here with the reason why not.

Each has an operation that clients may copy (a test of the contract sees to it): those are run.
"""

from typing import Any
from uuid import UUID

import pytest
from graphql import FieldNode, OperationDefinitionNode, parse
from sqlalchemy import text

from domains.flows.services import Services
from resolvers.execution.operation import Gateway
from tests.domains.audit.trail import entries, settle
from tests.resolvers.api import codes
from tests.resolvers.test_operations import DOCUMENTS, VARIABLES, Household, household

__all__ = ["household"]

EXEMPT = {
    "statementImport": "only asks for an import: the import leaves an entry when it ends, however it ends",
    "insightMarkViewed": "having seen something changes nothing about the account",
    "notificationMarkRead": "having read something changes nothing about the account",
    "notificationMarkUnread": "the same, taken back",
    "notificationMarkAllRead": "having read something changes nothing about the account",
}


def mutation_of(document: str) -> str | None:
    [operation] = parse(document).definitions
    assert isinstance(operation, OperationDefinitionNode)
    [field, *_] = operation.selection_set.selections
    assert isinstance(field, FieldNode)
    return field.name.value if operation.operation.value == "mutation" else None


MUTATIONS = {name: mutation for name, document in DOCUMENTS.items() if (mutation := mutation_of(document)) is not None}


def test_every_mutation_is_run_here(api: Gateway) -> None:
    mutations = api.schema._schema.mutation_type
    assert mutations is not None
    assert set(mutations.fields) == set(MUTATIONS.values())
    assert set(EXEMPT) <= set(mutations.fields)


@pytest.mark.parametrize("name", MUTATIONS)
async def test_a_mutation_leaves_one_entry_or_says_why_not(household: Household, services: Services, name: str) -> None:
    document, variables = DOCUMENTS[name], await VARIABLES[name](household)
    viewer = household.client.viewer
    assert viewer is not None
    await settle(services, viewer.user_id)
    before = len(await entries(services, viewer.user_id))

    answer = await household.client.ask(document, **variables)

    assert codes(answer) == []
    user_id = viewer.user_id if MUTATIONS[name] != "signUp" else await user_called(services, variables["input"]["email"])
    await settle(services, user_id)
    left = (await entries(services, user_id))[before if user_id == viewer.user_id else 0 :]
    assert len(left) == (0 if MUTATIONS[name] in EXEMPT else 1), EXEMPT.get(MUTATIONS[name])


async def user_called(services: Services, email: str) -> UUID:
    async with services.db.system("user") as session:
        found: Any = await session.execute(text("select id from user_schema.users where email = :email"), {"email": email})
        return UUID(str(found.scalar_one()))
