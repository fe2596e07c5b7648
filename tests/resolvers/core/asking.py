"""Asking the toy: a document and its variables in, the decoded JSON answer out."""

import uuid
from typing import Any

import orjson

from resolvers.errors import present
from resolvers.execution.interpret import interpret
from resolvers.execution.operation import Gateway, GraphQLRequest, Prepared, encode
from tests.resolvers.core.toy import ALICE, Household, context_of


def prepare(gateway: Gateway, query: str, **variables: Any) -> Prepared:
    return gateway.prepare(GraphQLRequest(query, variables=variables))


async def ask(gateway: Gateway, household: Household, query: str, *, user: uuid.UUID | None = ALICE, **variables: Any) -> dict[str, Any]:
    """The answer of the gateway."""
    prepared = prepare(gateway, query, **variables)
    async with context_of(household, user) as context:
        answer = await gateway.execute(prepared, context)
    return orjson.loads(encode(answer))  # type: ignore[no-any-return]


async def ask_core(
    gateway: Gateway, household: Household, query: str, *, user: uuid.UUID | None = ALICE, **variables: Any
) -> dict[str, Any]:
    """What graphql-core answers, with the same schema and loaders."""
    prepared = prepare(gateway, query, **variables)
    async with context_of(household, user) as context:
        result = await interpret(gateway.schema, prepared, context, None, hide_suggestions=True)
    answer: dict[str, Any] = {"data": result.data}
    if result.errors:
        answer["errors"] = present(result.errors, "request-1", variables)
    return orjson.loads(encode(answer))  # type: ignore[no-any-return]


def is_planned(gateway: Gateway, query: str, **variables: Any) -> bool:
    prepared = prepare(gateway, query, **variables)
    return prepared.operation.plan(gateway.schema, prepared.variables) is not None


def codes(answer: dict[str, Any]) -> list[str]:
    return [error["extensions"]["code"] for error in answer.get("errors", [])]
