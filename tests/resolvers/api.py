"""Asking the real schema as a client does: a document and its variables in, decoded JSON out."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any, cast

import orjson

from db.engines import Viewer
from db.read import Read
from domains.flows.services import Services
from resolvers.context import OperationContext
from resolvers.errors import present
from resolvers.execution.interpret import interpret
from resolvers.execution.operation import Gateway, GraphQLRequest, Prepared, RequestRefused, encode
from resolvers.ids import to_global_id

SECRET = b"what cursors are signed with in these tests"
Answer = dict[str, Any]


@dataclass(frozen=True)
class Client:
    """Somebody who asks; signed out without a viewer."""

    gateway: Gateway
    services: Services
    viewer: Viewer | None
    token: str | None = None
    address: str | None = None

    def but(self, **changes: Any) -> "Client":
        return replace(self, **changes)

    def context(self) -> OperationContext:
        return OperationContext(
            self.services, self.viewer, request_id="request-1", cursor_secret=SECRET, token=self.token, address=self.address
        )

    def prepare(self, query: str, variables: dict[str, Any]) -> Prepared:
        return self.gateway.prepare(GraphQLRequest(query, variables=variables))

    async def ask(self, query: str, **variables: Any) -> Answer:
        """The whole answer."""
        try:
            prepared = self.prepare(query, variables)
        except RequestRefused as refused:
            return decoded(self.gateway.refusal(refused, "request-1"))
        async with self.context() as context:
            return decoded(await self.gateway.execute(prepared, context))

    async def data(self, query: str, **variables: Any) -> Any:
        """The answer's data; there must be no error."""
        answer = await self.ask(query, **variables)
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    async def counted(self, query: str, *, planned: bool, **variables: Any) -> tuple[Any, int]:
        """The data and how many statements it took, by the compiled plan (which there must be) or by graphql-core."""
        prepared = self.prepare(query, variables)
        assert not planned or prepared.operation.plan(self.gateway.schema, prepared.variables) is not None, "this runs on graphql-core"
        async with self.context() as context:
            if planned:
                answer = await self.gateway.execute(prepared, context)
            else:
                result = await interpret(self.gateway.schema, prepared, context, None, hide_suggestions=True)
                answer = {"data": result.data, "errors": present(result.errors or (), "request-1")}
            statements = sum(cast(Read, read).statements for read in context.reads._open.values())
        assert not answer.get("errors"), answer["errors"]
        return decoded(answer)["data"], statements

    @asynccontextmanager
    async def following(self, query: str, **variables: Any) -> AsyncIterator[AsyncIterator[Answer]]:
        """The answers of a subscription."""
        prepared = self.prepare(query, variables)
        async with self.context() as context:
            answers = self.gateway.subscribe(prepared, context)
            try:
                yield (decoded(answer) async for answer in answers)
            finally:
                with suppress(RuntimeError):
                    await answers.aclose()  # type: ignore[attr-defined]


def decoded(answer: Answer) -> Answer:
    return orjson.loads(encode(answer))  # type: ignore[no-any-return]


def codes(answer: Answer) -> list[str]:
    """The codes of an answer's top-level errors."""
    return [error["extensions"]["code"] for error in answer.get("errors", [])]


def gid(type_name: str, key: object) -> str:
    return to_global_id(type_name, str(key))
