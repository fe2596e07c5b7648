"""The dashboard query: what a request costs the server and Postgres in CPU, ours beside the plain way, over equal data in one run.

Four accounts, ten budgets with utilisation, the newest fifty transactions with category and account. Ours is signed in, with row
security, cost and rate limits, as `florin serve` serves it; the plain server (bench/plain.py) is spared all that.
`statements` counts the SELECTs of one of our requests.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import httpx
import orjson
import psutil
import uvloop

from app.embedded import Embedded
from app.settings import Settings
from app.wiring import open_services
from bench.ingest import BUDGETS, statement
from bench.servers import bench_servers, bench_user, environment_of
from db.auth import queries as sessions
from db.engines import Viewer
from db.read import Read
from domains.bank.providers.protocol import Statement, StatementAccount
from domains.budget.service.change_budgets import CreateBudget
from domains.flows.change_budgets import create_budget
from domains.flows.import_statement import take_statement
from domains.flows.services import Services
from resolvers.execution.operation import Gateway, GraphQLRequest
from resolvers.schema import build_schema

USERS = 20
ROWS_PER_USER = 2_000
ACCOUNTS = 4
WARM_UP = 60
ROUNDS = 5
REQUESTS_PER_ROUND = 80

MONEY = "{ amount currency }"
CATEGORY = "category { id displayName icon color }"
QUERY = f"""query Dashboard {{ me {{
  id email
  accounts {{ id name mask currentBalance {MONEY} }}
  budgets {{ id name period amount {MONEY} {CATEGORY}
    utilization {{ amountSpent {MONEY} amountRemaining {MONEY} percentageUsed isExceeded transactionCount }} }}
  transactions(first: 50) {{ nodes {{
    id direction merchantName description transactionDate status tags amount {MONEY} {CATEGORY} account {{ id name mask }} }} }}
}} }}"""


def accounts_of(rows: int) -> Statement:
    """The rows of one busy account, dealt out to four."""
    given = statement(rows, datetime.now(UTC).date()).accounts[0].transactions
    accounts = [
        StatementAccount(
            provider_account_id=f"bench-{n}",
            name=f"Account {n}",
            mask=f"000{n}",
            currency="USD",
            account_type="checking",
            current_balance=Decimal(1000 + n),
            transactions=given[n::ACCOUNTS],
        )
        for n in range(ACCOUNTS)
    ]
    return Statement(provider="file", institution_id="bench", accounts=accounts)


async def fill(services: Services) -> list[tuple[Viewer, str]]:
    """Users with equal holdings, and a token for each."""
    made = []
    first = datetime.now(UTC).date().replace(day=1)
    given = accounts_of(ROWS_PER_USER)
    for _ in range(USERS):
        viewer = await bench_user(services)
        await take_statement(services, viewer, given)
        for category in BUDGETS:
            command = CreateBudget(category.title(), category, Decimal(500), "USD", "monthly", first)
            await create_budget(services, viewer, command, str(uuid4()))
        settings = (viewer.timezone, viewer.currency, viewer.locale)
        token = await sessions.open_session(services.redis, viewer.user_id, settings, at=services.clock.now(), ttl_s=3600)
        made.append((viewer, token))
    return made


async def prepare(settings: Settings) -> tuple[list[tuple[Viewer, str]], int]:
    """The users, and how many SELECTs the query takes."""
    async with open_services(settings) as services:
        users = await fill(services)
        return users, await count_statements(services, settings, users[0][0])


async def count_statements(services: Services, settings: Settings, viewer: Viewer) -> int:
    from resolvers.context import OperationContext

    ran: list[str] = []
    plain_rows = Read.rows

    async def counted(read: Read, statement: Any, **values: Any) -> Any:
        ran.append(statement.sql)
        return await plain_rows(read, statement, **values)

    gateway = Gateway(build_schema())
    prepared = gateway.prepare(GraphQLRequest(QUERY))
    Read.rows = counted  # type: ignore[method-assign]
    try:
        async with OperationContext(services, viewer, request_id="bench", cursor_secret=settings.cursor_secret()) as context:
            answer = await gateway.execute(prepared, context)
    finally:
        Read.rows = plain_rows  # type: ignore[method-assign]
    assert "errors" not in answer, answer
    assert len(answer["data"]["me"]["transactions"]["nodes"]) == 50
    return len(ran)


@contextmanager
def server(module: str, environment: dict[str, str]) -> Iterator[tuple[str, psutil.Process]]:
    """A uvicorn process of one worker, and its address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", module, "--port", str(port), "--loop", "uvloop", "--http", "httptools", "--no-access-log"]
    process = subprocess.Popen([*command, "--log-level", "warning"], env={**os.environ, **environment})
    url = f"http://127.0.0.1:{port}/graphql"
    try:
        _wait_until_it_answers(url)
        yield url, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(30)


def _wait_until_it_answers(url: str) -> None:
    for _ in range(300):
        try:
            httpx.post(url, json={"query": "{ __typename }"})
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError(url)


def cpu_s(processes: list[psutil.Process]) -> float:
    times = [process.cpu_times() for process in processes if process.is_running()]
    return sum(each.user + each.system for each in times)


class Subject:
    """A server under measurement: what it has cost so far."""

    def __init__(self, url: str, process: psutil.Process, postmaster: psutil.Process, headers: list[dict[str, str]]) -> None:
        self.url, self.process, self.postmaster, self.headers = url, process, postmaster, headers
        self.client = httpx.Client()
        self.requests, self.server_s, self.postgres_s = 0, 0.0, 0.0

    def run(self, requests: int, *, counts: bool) -> None:
        """Requests one after the other, users in turn."""
        before = cpu_s([self.process]), cpu_s(self.postmaster.children())
        for n in range(requests):
            answer = self.client.post(self.url, json={"query": QUERY}, headers=self.headers[n % len(self.headers)])
            body = answer.json()
            assert len(body["data"]["me"]["transactions"]["nodes"]) == 50, body
            assert len(body["data"]["me"]["budgets"]) == len(BUDGETS)
        after = cpu_s([self.process]), cpu_s(self.postmaster.children())
        if counts:
            self.requests += requests
            self.server_s += after[0] - before[0]
            self.postgres_s += after[1] - before[1]

    def per_request_ms(self) -> tuple[float, float]:
        return 1000 * self.server_s / self.requests, 1000 * self.postgres_s / self.requests


def postmaster_of(embedded: Embedded) -> psutil.Process:
    pid = (embedded.folder / "postgres" / "postmaster.pid").read_text().splitlines()[0]
    return psutil.Process(int(pid))


def main() -> None:
    with bench_servers() as (settings, embedded):
        users, statements = uvloop.run(prepare(settings))
        ours = [{"Authorization": f"Bearer {token}"} for _, token in users]
        plain = [{"x-user": str(viewer.user_id)} for viewer, _ in users]
        postmaster = postmaster_of(embedded)
        with (
            server("app.asgi:app", {**environment_of(settings), "FLORIN_LOG_LEVEL": "warning"}) as florin_server,
            server("bench.plain:app", {"PLAIN_DSN": embedded.superuser_dsn}) as plain_server,
        ):
            subjects = [Subject(*florin_server, postmaster, ours), Subject(*plain_server, postmaster, plain)]
            for subject in subjects:
                subject.run(WARM_UP, counts=False)
            for _ in range(ROUNDS):
                for subject in subjects:
                    subject.run(REQUESTS_PER_ROUND, counts=True)
        names = ("server_cpu_ms", "postgres_cpu_ms"), ("plain_server_cpu_ms", "plain_postgres_cpu_ms")
        figures: dict[str, float] = {"statements": statements}
        for pair, subject in zip(names, subjects, strict=True):
            figures |= dict(zip(pair, (round(value, 3) for value in subject.per_request_ms()), strict=True))
        print(orjson.dumps(figures).decode())


if __name__ == "__main__":
    main()
