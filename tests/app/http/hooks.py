"""Plaid's side of POST /webhooks/plaid, a bank that was linked, and what the messages about it leave."""

import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
from sqlalchemy import text
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from app.http.edge import Edge
from app.http.webhooks import PlaidWebhooks
from app.simulators.server import serve
from db import jobs
from db.engines import Viewer
from domains.bank.providers.plaid.config import PlaidConfig
from domains.bank.providers.plaid.provider import PlaidProvider
from domains.bank.providers.wire import NoCircuits, Wire
from domains.flows.services import Services
from tests.domains.bank.plaid.test_webhooks import jwk, signed
from tests.resolvers.transport.conftest import serving
from tests.servers.everywhere import Everywhere

PATH = "/webhooks/plaid"
SYNC = "bank.sync"


@dataclass
class Plaid:
    """Whoever is asked for keys. Down, it resets connections."""

    asked: list[str] = field(default_factory=list)
    is_down: bool = False

    async def answer(self, request: Request) -> Response:
        kid = (await request.json())["key_id"]
        self.asked.append(kid)
        if self.is_down:
            return JSONResponse({"error_type": "API_ERROR", "error_code": "INTERNAL_SERVER_ERROR"}, 500)
        if kid != jwk()["kid"]:
            return JSONResponse({"error_type": "INVALID_INPUT", "error_code": "INVALID_WEBHOOK_VERIFICATION_KEY_ID"}, 400)
        return JSONResponse({"key": jwk(), "request_id": "r"})

    def on_a_socket(self) -> AbstractAsyncContextManager[str]:
        """Its URL, for the block."""
        return serve(Starlette(routes=[Route("/webhook_verification_key/get", self.answer, methods=["POST"])]))


@dataclass(frozen=True)
class Endpoint:
    """The endpoint, and what stands behind it."""

    client: httpx.AsyncClient
    services: Services
    plaid: Plaid

    async def send(self, body: bytes, token: str | None) -> int:
        headers = {} if token is None else {"plaid-verification": token}
        return (await self.client.post(PATH, content=body, headers=headers)).status_code

    async def tell(self, body: bytes, *, at: datetime | None = None) -> int:
        """As Plaid does."""
        return await self.send(body, signed(body, at=at or now()))


@asynccontextmanager
async def endpoint(services: Services, **changes: Any) -> AsyncIterator[Endpoint]:
    """Of a process with these services."""
    plaid = Plaid()
    async with plaid.on_a_socket() as url:
        wire = Wire(url, circuits=NoCircuits(), retries=0)
        provider = PlaidProvider(wire, PlaidConfig(client_id="id", secret="secret"), services.clock)
        served = replace(services, banks={"plaid": provider}, **changes)
        app = Edge(Starlette(routes=[Route(PATH, PlaidWebhooks(served, provider))]))
        async with serving(app) as host, httpx.AsyncClient(base_url=f"http://{host}", timeout=20) as client:
            yield Endpoint(client, served, plaid)
        await wire.close()


@dataclass(frozen=True)
class Connection:
    id: UUID
    item_id: str
    viewer: Viewer


def now() -> datetime:
    return datetime.now(UTC)


def message(code: str, connection: Connection | None = None, **more: Any) -> bytes:
    """`code` as in TRANSACTIONS/SYNC_UPDATES_AVAILABLE."""
    kind, _, name = code.partition("/")
    item = {} if connection is None else {"item_id": connection.item_id}
    return json.dumps({"webhook_type": kind, "webhook_code": name, **item, "environment": "sandbox", **more}).encode()


def changed(connection: Connection, *, is_complete: bool = True) -> bytes:
    return message("TRANSACTIONS/SYNC_UPDATES_AVAILABLE", connection, initial_update_complete=True, historical_update_complete=is_complete)


async def syncs(everything: Everywhere, connection: Connection) -> list[Any]:
    """(state, whether it was asked for again while it ran, type) of every fetch of the connection that is asked for."""
    query = (
        "select state, dirty and state <> 'queued', payload->>'sync_type' from bank_schema.jobs"
        " where topic = $1 and key = $2 order by created_at"
    )
    return [tuple(row) for row in await everything.fetch(query, SYNC, str(connection.id))]


async def receipts(everything: Everywhere, connection: Connection) -> Counter[str]:
    rows = await everything.fetch("select kind from bank_schema.bank_webhooks where connection_id = $1", connection.id)
    return Counter(row["kind"] for row in rows)


async def notices(everything: Everywhere, connection: Connection) -> list[str]:
    query = "select payload->>'kind' as kind from bank_schema.jobs where topic = 'notification.notice' and payload->>'connection_id' = $1"
    return sorted(row["kind"] for row in await everything.fetch(query, str(connection.id)))


async def standing(everything: Everywhere, connection: Connection) -> Any:
    """(status, error code, whether the calendar has it fetched, when its consent ends)."""
    query = "select status, error_code, next_sync_at is not null, consent_expires_at from bank_schema.bank_connections where id = $1"
    return tuple((await everything.fetch(query, connection.id))[0])


async def stored(everything: Everywhere) -> int:
    return int(await everything.fetchval("select count(*) from bank_schema.bank_webhooks"))


async def claimed(services: Services, connection: Connection) -> jobs.Claim:
    """The fetch that is asked for, running."""
    async with services.db.system("bank") as session:
        query = text("select id from bank_schema.jobs where topic = :topic and key = :key and state = 'queued'")
        job_id = (await session.execute(query, {"topic": SYNC, "key": str(connection.id)})).scalar_one()
        due = text("update bank_schema.jobs set run_at = now() where id = :id")
        await session.execute(due, {"id": job_id})
    claim = await jobs.claim(services.db, "bank", job_id, lease_s=60)
    assert claim is not None
    return claim


async def end_jobs(services: Services, connection: Connection, topic: str = SYNC) -> None:
    """As if they had been done."""
    done = text(
        "update bank_schema.jobs set state = 'done', finished_at = now()"
        " where topic = :topic and user_id = :user_id and state = 'queued' and payload->>'connection_id' = :connection_id"
    )
    async with services.db.system("bank") as session:
        await session.execute(done, {"topic": topic, "user_id": connection.viewer.user_id, "connection_id": str(connection.id)})
