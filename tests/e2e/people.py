"""A person with an HTTP client and a WebSocket client, neither of them ours."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Self
from uuid import uuid4

import httpx
from gql import Client, gql
from gql.transport.websockets import WebsocketsTransport

PASSWORD = "a lake in november"
TIMEOUT_S = 20.0
#: Within this a live event must have come, on a machine that does much else.
EVENT_WITHIN_S = 30.0

SIGN_UP = "mutation($input: SignUpInput!) { signUp(input: $input) { accepted errors { code } } }"
SIGN_IN = "mutation($input: SignInInput!) { signIn(input: $input) { session { accessToken expiresAt refreshToken } errors { code } } }"
BUDGET_CREATE = """mutation($input: BudgetCreateInput!) { budgetCreate(input: $input) {
    budget { id utilization { amountSpent { amount currency } amountRemaining { amount currency } version } } errors { code message } } }"""
BUDGET_UPDATE = "mutation($input: BudgetUpdateInput!) { budgetUpdate(input: $input) { budget { id version } errors { code message } } }"
STATEMENT_IMPORT = """mutation($input: StatementImportInput!) { statementImport(input: $input) {
    statementImport { id status added unchanged }
    errors { __typename code message field ... on StatementRejected { line reason } } } }"""
IMPORT_BY_ID = "query($id: ID!) { node(id: $id) { ... on StatementImport { status added updated unchanged error { code message } } } }"
TRANSACTIONS = """{ me { transactions(first: 100) { totalCount nodes {
    id description merchantName direction transactionDate amount { amount currency } category { id displayName } } } } }"""
CATEGORIES = "{ categories { id displayName } }"
BUDGETS = """{ me { budgets { id name utilization {
    amountSpent { amount } amountRemaining { amount } percentageUsed isExceeded version } } } }"""
#: The subscription of the project's first slice, as a front end holds it.
BUDGET_UPDATED = """subscription { budgetUpdated { budget { id name utilization {
    amountSpent { amount } amountRemaining { amount } percentageUsed isExceeded version } } } }"""


class Refused(Exception):
    """The answer has top-level errors: `codes` are theirs."""

    def __init__(self, errors: list[dict[str, Any]]) -> None:
        self.codes = [each["extensions"]["code"] for each in errors]
        super().__init__(errors)


@dataclass(slots=True)
class Person:
    """Somebody at one API process. `at` gives the same person at another one."""

    url: str
    email: str
    http: httpx.AsyncClient
    token: str | None = None

    async def sign_up(self) -> Self:
        asked = {"email": self.email, "password": PASSWORD, "currency": "USD"}
        answer = await self.ask(SIGN_UP, input=asked)
        assert answer["signUp"] == {"accepted": True, "errors": []}
        return self

    async def sign_in(self) -> Self:
        answer = (await self.ask(SIGN_IN, input={"email": self.email, "password": PASSWORD}))["signIn"]
        assert answer["errors"] == []
        self.token = answer["session"]["accessToken"]
        return self

    def at(self, url: str) -> "Person":
        return Person(url, self.email, self.http, self.token)

    async def ask(self, document: str, **variables: Any) -> dict[str, Any]:
        """The data of an operation. Errors: Refused."""
        answer = await self.http.post(f"{self.url}/graphql", json={"query": document, "variables": variables}, headers=self._headers())
        body = answer.json()
        if body.get("errors"):
            raise Refused(body["errors"])
        found: dict[str, Any] = body["data"]
        return found

    async def upload(self, data: bytes, filename: str = "statement.ofx") -> str:
        headers = self._headers() | {"content-type": "application/x-ofx", "content-disposition": f'attachment; filename="{filename}"'}
        answer = await self.http.post(f"{self.url}/uploads", content=data, headers=headers)
        assert answer.status_code == httpx.codes.CREATED, answer.text
        return str(answer.json()["uploadId"])

    async def import_statement(self, data: bytes) -> dict[str, Any]:
        """Upload a file and ask for its import; the payload."""
        asked = {"uploadId": await self.upload(data), "idempotencyKey": str(uuid4())}
        payload: dict[str, Any] = (await self.ask(STATEMENT_IMPORT, input=asked))["statementImport"]
        return payload

    async def until_imported(self, import_id: str) -> dict[str, Any]:
        """Ask until the import has ended; what it came to."""
        async with asyncio.timeout(EVENT_WITHIN_S):
            while True:
                found: dict[str, Any] = (await self.ask(IMPORT_BY_ID, id=import_id))["node"]
                if found["status"] in ("DONE", "FAILED"):
                    return found
                await asyncio.sleep(0.05)

    async def create_budget(self, name: str, category: str, amount: str, key: str | None = None) -> dict[str, Any]:
        """The payload of `budgetCreate`. `category` by its name."""
        asked = {"idempotencyKey": key or str(uuid4()), "name": name, "category": await self.category(category), "amount": amount}
        payload: dict[str, Any] = (await self.ask(BUDGET_CREATE, input=asked))["budgetCreate"]
        return payload

    async def category(self, name: str) -> str:
        """The id of the category of this name."""
        names = {each["displayName"]: each["id"] for each in (await self.ask(CATEGORIES))["categories"]}
        return str(names[name])

    async def transactions(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self.ask(TRANSACTIONS))["me"]["transactions"]["nodes"]
        return found

    async def budgets(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self.ask(BUDGETS))["me"]["budgets"]
        return found

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["Listener"]:
        """A `graphql-transport-ws` connection that holds `budgetUpdated` for the block."""
        transport = WebsocketsTransport(
            url=self.url.replace("http", "ws", 1) + "/graphql",
            init_payload={"authorization": f"Bearer {self.token}"},
            subprotocols=[WebsocketsTransport.GRAPHQLWS_SUBPROTOCOL],
        )
        async with Client(transport=transport) as session:
            listener = Listener()
            reading = asyncio.create_task(listener.read(session.subscribe(gql(BUDGET_UPDATED))))
            try:
                yield listener
            finally:
                reading.cancel()
                await asyncio.wait({reading})

    def _headers(self) -> dict[str, str]:
        return {} if self.token is None else {"authorization": f"Bearer {self.token}"}


@dataclass(slots=True)
class Listener:
    """What arrives on a socket, in order."""

    arrived: "asyncio.Queue[Any]" = field(default_factory=asyncio.Queue)

    async def read(self, events: AsyncIterator[Mapping[str, Any]]) -> None:
        try:
            async for event in events:
                self.arrived.put_nowait(event["budgetUpdated"]["budget"])
        except Exception as error:  # noqa: BLE001 - handed to whoever waits for the next event
            self.arrived.put_nowait(error)

    async def next(self) -> dict[str, Any]:
        """The next budget that is told of."""
        async with asyncio.timeout(EVENT_WITHIN_S):
            event = await self.arrived.get()
        if isinstance(event, Exception):
            raise event
        found: dict[str, Any] = event
        return found
