"""Faults come as planned, or as often as told; and what they do can be seen on a socket."""

import asyncio
import time
from collections import Counter

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from app.simulators.faults import PAGES, TRANSPORT, Faults, WithFaults
from app.simulators.server import serve

BODY = b'{"made": true, "and": "a few more bytes of it"}'


class Counting:
    """An app that counts what it did."""

    def __init__(self) -> None:
        self.done = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.done += 1
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": BODY})


def test_planned_ones_come_in_their_order_and_do_not_wait_for_those_of_another_kind() -> None:
    faults = Faults(1)
    faults.plan("mutation", "reset", "server_error", "revoked")

    assert faults.take("revoked")
    assert not faults.take("duplicate_page")
    assert [faults.take_transport() for _ in range(3)] == ["reset", "server_error", None]
    assert faults.planned == ("mutation",)
    assert faults.take("mutation")
    assert not faults.take("mutation")
    assert faults.happened == ["revoked", "reset", "server_error", "mutation"]


def test_without_a_rate_nothing_happens_by_chance_and_with_one_as_often_as_told() -> None:
    never, often = Faults(1), Faults(1, rate=0.25)

    assert [never.take_transport() for _ in range(100)] == [None] * 100
    happened = Counter(often.take_transport() for _ in range(4000))
    assert set(happened) == {None, *TRANSPORT}
    assert 0.2 < 1 - happened[None] / 4000 < 0.3


def test_consent_is_never_revoked_by_chance() -> None:
    faults = Faults(1, rate=1.0)

    assert not faults.take("revoked")
    assert all(faults.take(each) for each in PAGES if each != "revoked")


def test_the_same_seed_gives_the_same_faults() -> None:
    one, other = Faults(9, rate=0.3), Faults(9, rate=0.3)

    assert [one.take_transport() for _ in range(50)] == [other.take_transport() for _ in range(50)]


def test_cleared_faults_do_not_happen() -> None:
    faults = Faults(1, rate=1.0)
    faults.plan("reset", "mutation")

    faults.clear()

    assert faults.take_transport() is None
    assert not faults.take("mutation")


def test_what_there_is_no_fault_of() -> None:
    faults = Faults(1)

    with pytest.raises(ValueError, match="no fault"):
        faults.plan("flood")
    with pytest.raises(ValueError, match="of pages"):
        faults.take("reset")


async def asked(faults: Faults, *planned: str) -> tuple[httpx.Response | httpx.TransportError, int]:
    """What a client with a second's patience gets, and how often the app has acted."""
    app = Counting()
    faults.plan(*planned)
    async with serve(WithFaults(app, faults)) as url, httpx.AsyncClient(timeout=1) as client:
        try:
            return await client.get(url), app.done
        except httpx.TransportError as error:
            return error, app.done


@pytest.mark.parametrize(("fault", "status", "done"), [("server_error", 500, 0), ("rate_limited", 429, 0), ("garbage", 200, 0)])
async def test_faults_that_are_answers(fault: str, status: int, done: int) -> None:
    answer, acted = await asked(Faults(1, retry_after="17"), fault)

    assert isinstance(answer, httpx.Response)
    assert (answer.status_code, acted) == (status, done)
    assert answer.headers.get("retry-after") == ("17" if status == 429 else None)
    assert answer.content != BODY


async def test_a_time_out_says_nothing_though_it_was_done() -> None:
    answer, acted = await asked(Faults(1, stall_s=20), "time_out")

    assert isinstance(answer, httpx.ReadTimeout)
    assert acted == 1


async def test_a_reset_breaks_the_connection_in_the_middle_though_it_was_done(caplog: pytest.LogCaptureFixture) -> None:
    answer, acted = await asked(Faults(1), "reset")

    assert isinstance(answer, httpx.ReadError | httpx.RemoteProtocolError)
    assert acted == 1
    assert caplog.text == "", "it is meant: nobody needs to be told"


async def test_a_drip_is_slow_and_whole() -> None:
    began = time.monotonic()
    answer, acted = await asked(Faults(1, stall_s=0.5), "drip")

    assert isinstance(answer, httpx.Response)
    assert (answer.content, acted) == (BODY, 1)
    assert time.monotonic() - began >= 0.4


async def test_a_stall_ends_by_itself_with_the_answer() -> None:
    answer, _ = await asked(Faults(1, stall_s=0.1), "time_out")

    assert isinstance(answer, httpx.Response)
    assert answer.content == BODY


async def test_a_server_ends_at_once_though_somebody_is_kept_waiting(caplog: pytest.LogCaptureFixture) -> None:
    faults = Faults(1, stall_s=600)
    faults.plan("time_out")
    loop = asyncio.get_running_loop()
    async with httpx.AsyncClient(timeout=30) as client:
        async with serve(WithFaults(Counting(), faults)) as url:
            waiting = asyncio.create_task(client.get(url))
            while not faults.happened:
                await asyncio.sleep(0.005)
            began = loop.time()
        assert loop.time() - began < 10
        with pytest.raises(httpx.TransportError):
            await waiting
    assert caplog.text == ""


async def test_a_taken_port_is_said() -> None:
    async with serve(Counting()) as url:
        with pytest.raises(OSError, match="in use"):
            async with serve(Counting(), port=int(url.rpartition(":")[2])):
                pass
