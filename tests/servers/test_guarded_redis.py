"""Redis with passwords, users, sockets and TLS, as every process of ours reaches it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from arq.connections import create_pool
from pydantic import SecretStr
from redis.exceptions import RedisError

from app.doctor import Level, examine
from app.settings import Settings
from app.worker import _redis_settings
from db.errors import RedisUnavailable
from db.redis import RedisConnections, answer
from tests.servers.guarded import CANARY, GuardedRedis, guarded_redis


@pytest.fixture(scope="module")
def server(make_folder: Callable[[], Path]) -> Iterator[GuardedRedis]:
    with guarded_redis(make_folder()) as guarded:
        yield guarded


@pytest.fixture
def tls(server: GuardedRedis) -> GuardedRedis:
    if server.tls_port is None:
        pytest.skip("this Redis was built without TLS: name another as FLORIN_TEST_REDIS")
    return server


async def who_answers(dsn: str, settings: Settings) -> str:
    """The user that commands, subscriptions and arq's launcher run as: the same for the three."""
    connections = RedisConnections(dsn)
    subscriber = connections.subscriber()
    queue = await create_pool(_redis_settings(settings.model_copy(update={"redis_dsn": SecretStr(dsn)})))
    try:
        await subscriber.subscribe("florin:probe")
        assert await answer(connections.client.publish("florin:probe", b"x")) == 1
        users = {await answer(connections.client.acl_whoami()), await queue.acl_whoami()}
    finally:
        await subscriber.aclose()  # type: ignore[no-untyped-call]
        await subscriber.connection_pool.disconnect()
        await queue.aclose()
        await connections.close()
    (user,) = users
    return str(user)


async def test_a_password_or_a_user_by_tcp_and_by_the_socket(server: GuardedRedis, settings: Settings) -> None:
    written = [
        f"redis://:{server.password}@localhost:{server.port}/0",
        f"redis://florin:{server.password}@127.0.0.1:{server.port}/1",
        f"unix://:{server.password}@{server.socket}?db=0",
        f"unix://florin:{server.password}@{server.socket}?db=1",
    ]

    assert [await who_answers(dsn, settings) for dsn in written] == ["default", "florin", "default", "florin"]


async def test_a_certificate_of_ours_by_the_name_that_was_asked_for(tls: GuardedRedis, settings: Settings) -> None:
    written = [
        tls.tls(),
        tls.tls(ssl_cert_reqs="required", ssl_check_hostname="true"),
        tls.tls(host="127.0.0.1", ssl_check_hostname="false"),
        tls.tls(ca=tls.stranger, ssl_cert_reqs="none"),
    ]

    assert [await who_answers(dsn, settings) for dsn in written] == ["florin"] * 4


async def test_another_name_another_authority_and_no_certificate_are_refused(tls: GuardedRedis, settings: Settings) -> None:
    for dsn in (tls.tls(host="127.0.0.1"), tls.tls(ca=tls.stranger), tls.tls(ssl_certfile="", ssl_keyfile="")):
        connections = RedisConnections(dsn)

        with pytest.raises(RedisUnavailable) as refusal:
            await answer(connections.client.ping())
        await connections.close()

        assert CANARY not in repr(refusal.value) + repr(refusal.value.__cause__)
        with pytest.raises((RedisError, OSError)):
            await create_pool(_redis_settings(settings.model_copy(update={"redis_dsn": SecretStr(dsn)})), retry=99)


@pytest.mark.parametrize("password", [f"{CANARY}-wrong", ""])
async def test_a_wrong_password_is_a_finding_that_does_not_quote_it(server: GuardedRedis, settings: Settings, password: str) -> None:
    dsn = SecretStr(f"redis://florin:{password}@localhost:{server.port}/0" if password else f"redis://localhost:{server.port}/0")

    findings = await examine(settings.model_copy(update={"redis_dsn": dsn}))

    (finding,) = [finding for finding in findings if finding.subject == "Redis"]
    assert finding.level is Level.FAILED
    assert finding.seen == "cannot be examined: RedisUnavailable (AuthenticationError)"
    assert CANARY not in repr(findings)
