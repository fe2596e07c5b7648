"""How long Plaid waits for an answer to its message, beside a plain Starlette endpoint that reads the same and does nothing.

Each message is new: signed, verified, found to be of one of fifty connections, receipted, and followed by a job that is there already or
is added. One after the other on one connection, in rounds by turns; Plaid has been asked for its key before. `refused_p50_ms`: of forged
ones.
"""

import hashlib
import http.client
import os
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit
from uuid import uuid4

import orjson
import uvloop
from joserfc import jwt
from joserfc.jwk import ECKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from app.settings import Settings
from app.wiring import open_services
from bench.dashboard import server
from bench.servers import bench_servers, bench_user, environment_of
from domains.bank.providers.protocol import Credentials, Linked
from domains.bank.service.link_banks import store_connection

CONNECTIONS = 50
ROUNDS = 5
PER_ROUND = 100
WARM_UP = 50
#: Fewer than an address may send before it is told to wait.
FORGED = 40
KID = "bench"
PATH = "/webhooks/plaid"

Message = tuple[bytes, str]


async def take(request: Request) -> Response:
    await request.body()
    return Response(b"{}", media_type="application/json")


async def tell_key(_request: Request) -> Response:
    return JSONResponse({"key": orjson.loads(os.environ["BENCH_JWK"]), "request_id": "bench"})


#: The plain endpoint, and a Plaid that is only ever asked for its key.
plain = Starlette(routes=[Route(PATH, take, methods=["POST"])])
keys = Starlette(routes=[Route("/webhook_verification_key/get", tell_key, methods=["POST"])])


async def prepare(settings: Settings) -> list[str]:
    """Items of connections, each of somebody else."""
    items = [f"item-{uuid4()}" for _ in range(CONNECTIONS)]
    async with open_services(settings) as services:
        for item_id in items:
            viewer = await bench_user(services)
            key = await services.cipher.key_of(viewer.user_id, make=True)
            linked = Linked(item_id=item_id, credentials=Credentials(access_token="bench"))
            async with services.db.write("bank", viewer) as session:
                await store_connection(session, "plaid", linked, key, datetime.now(UTC), timedelta(hours=4))
    return items


def messages(items: Sequence[str], key: ECKey, count: int) -> list[Message]:
    """Bodies with their signatures, no two alike."""
    made: list[Message] = []
    for n in range(count):
        said = {"webhook_type": "TRANSACTIONS", "webhook_code": "SYNC_UPDATES_AVAILABLE", "item_id": items[n % len(items)]}
        body = orjson.dumps({**said, "initial_update_complete": True, "historical_update_complete": True, "number": n})
        claims = {"iat": int(time.time()), "request_body_sha256": hashlib.sha256(body).hexdigest()}
        made.append((body, jwt.encode({"alg": "ES256", "kid": KID}, claims, key, algorithms=["ES256"])))
    return made


def answered_in_ms(url: str, given: Sequence[Message], status: int) -> list[float]:
    """How long each took, on one connection."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    took: list[float] = []
    for body, token in given:
        began = time.perf_counter()
        connection.request("POST", PATH, body, {"content-type": "application/json", "plaid-verification": token})
        answer = connection.getresponse()
        answer.read()
        took.append((time.perf_counter() - began) * 1000)
        assert answer.status == status, answer.status
    connection.close()
    return took


def measure(items: Sequence[str], key: ECKey, ours_url: str, plain_url: str) -> dict[str, float]:
    given = messages(items, key, WARM_UP + ROUNDS * PER_ROUND)
    forged = [(body + b" ", token) for body, token in given[:FORGED]]
    for url in (ours_url, plain_url):
        answered_in_ms(url, given[:WARM_UP], 200)
    ours: list[float] = []
    others: list[float] = []
    for n in range(WARM_UP, len(given), PER_ROUND):
        ours += answered_in_ms(ours_url, given[n : n + PER_ROUND], 200)
        others += answered_in_ms(plain_url, given[n : n + PER_ROUND], 200)
    refused = answered_in_ms(ours_url, forged, 400)
    p50, p95, plain_p50, plain_p95 = part(ours, 50), part(ours, 95), part(others, 50), part(others, 95)
    figures = {"p50_ms": p50, "p95_ms": p95, "plain_p50_ms": plain_p50, "plain_p95_ms": plain_p95, "refused_p50_ms": part(refused, 50)}
    ratios = {"p50_ratio": p50 / plain_p50, "p95_ratio": p95 / plain_p95}
    return {name: round(value, 2) for name, value in {**figures, **ratios}.items()}


def part(times: Sequence[float], percent: int) -> float:
    return sorted(times)[len(times) * percent // 100]


def main() -> None:
    key = ECKey.generate_key("P-256")
    jwk = {**key.as_dict(private=False), "kid": KID, "alg": "ES256", "use": "sig", "created_at": 0, "expired_at": None}
    with bench_servers() as (settings, _):
        items = uvloop.run(prepare(settings))
        with server("bench.webhooks:keys", {"BENCH_JWK": orjson.dumps(jwk).decode()}) as (keys_url, _):
            plaid = {"FLORIN_PLAID_CLIENT_ID": "bench", "FLORIN_PLAID_SECRET": "bench"}
            environment = {**environment_of(settings), **plaid, "FLORIN_PLAID_URL": keys_url.removesuffix("/graphql")}
            with (
                server("app.asgi:app", {**environment, "FLORIN_LOG_LEVEL": "error"}) as (ours_url, _),
                server("bench.webhooks:plain", {}) as (plain_url, _),
            ):
                figures = measure(items, key, ours_url, plain_url)
    print(orjson.dumps(figures).decode())


if __name__ == "__main__":
    main()
