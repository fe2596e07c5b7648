"""Subscriptions: every event is read anew, sockets of one user share the reading, and all is given back at the end."""

import asyncio
import uuid
from collections.abc import AsyncGenerator
from typing import Any, cast

import orjson
import pytest

from resolvers.context import OperationContext
from resolvers.execution.operation import Answer, Gateway, encode
from resolvers.schema import Schema
from tests.resolvers.core.asking import codes, is_planned, prepare
from tests.resolvers.core.toy import ALICE, BOB, Household, ToyRead, context_of

CHANGED = "subscription { potChanged { version pot { id name size { amount } } } }"


def events(gateway: Gateway, context: OperationContext, query: str = CHANGED, **variables: Any) -> AsyncGenerator[Answer, None]:
    return cast("AsyncGenerator[Answer, None]", gateway.subscribe(prepare(gateway, query, **variables), context))


async def collected(gateway: Gateway, household: Household, query: str = CHANGED, **variables: Any) -> list[dict[str, Any]]:
    async with context_of(household) as context:
        return [orjson.loads(encode(answer)) async for answer in events(gateway, context, query, **variables)]


async def test_each_event_is_answered_with_what_holds_then(gateway: Gateway, household: Household) -> None:
    async with context_of(household) as context:
        stream = events(gateway, context)
        first = await anext(stream)
        household.tables["pots"][0]["amount"] = "77.0000"
        second = await anext(stream)
        with pytest.raises(StopAsyncIteration):
            await anext(stream)

    assert is_planned(gateway, CHANGED)
    assert first["data"]["potChanged"]["version"] == 0
    assert first["data"]["potChanged"]["pot"]["size"] == {"amount": "0.50"}
    assert second["data"]["potChanged"]["version"] == 1
    assert second["data"]["potChanged"]["pot"]["size"] == {"amount": "77.00"}
    assert household.opened == household.closed == 2


async def test_arguments_reach_the_source(gateway: Gateway, household: Household) -> None:
    found = await collected(gateway, household, "subscription ($n: Int!) { x: potChanged(times: $n) { v: version } }", n=3)

    assert [answer["data"] for answer in found] == [{"x": {"v": 0}}, {"x": {"v": 1}}, {"x": {"v": 2}}]
    assert found[0]["extensions"] == {"cost": {"requested": 1}}
    assert household.opened == 0


async def test_both_executors_answer_an_event_alike(gateway: Gateway, household: Household) -> None:
    planned = await collected(gateway, household)
    core = await collected(gateway, household, CHANGED.replace("name", "name owner { greeting }"))

    for answer in core:
        assert answer["data"]["potChanged"]["pot"].pop("owner") == {"greeting": "Hello Al"}
    assert [answer["data"] for answer in planned] == [answer["data"] for answer in core]


async def test_a_row_that_fails_is_told_and_the_stream_goes_on(gateway: Gateway, household: Household) -> None:
    household.failing["pots.by_id"] = ZeroDivisionError("secret")

    found = await collected(gateway, household)

    assert [answer["data"] for answer in found] == [{"potChanged": {"version": n, "pot": None}} for n in (0, 1)]
    assert [codes(answer) for answer in found] == [["INTERNAL_SERVER_ERROR"]] * 2


async def test_a_source_that_fails_ends_the_stream_with_its_error(gateway: Gateway, household: Household) -> None:
    found = await collected(gateway, household, "subscription { potChanged(times: -1) { version } }")

    assert [answer["data"] for answer in found] == [None]
    assert codes(found[0]) == ["POT_MISSING"]


async def test_closing_the_stream_closes_the_source(gateway: Gateway, household: Household) -> None:
    async with context_of(household) as context:
        stream = events(gateway, context)
        await anext(stream)
        assert household.tables["open_sources"] == [{}]
        await stream.aclose()

    assert household.tables["open_sources"] == []


class Gate:
    """Holds every reading until it is opened."""

    def __init__(self, household: Household) -> None:
        self.household = household
        self.opened = asyncio.Event()

    async def open_read(self, domain: str, viewer: object, *, fresh: bool) -> ToyRead:
        self.household.opened += 1
        await self.opened.wait()
        return ToyRead(self.household)


async def waiting(gateway: Gateway, household: Household, user: uuid.UUID) -> Any:
    async with context_of(household, user) as context:
        stream = events(gateway, context)
        try:
            return (await anext(stream))["data"]
        finally:
            await stream.aclose()


async def test_a_user_s_sockets_share_one_reading_of_an_event_and_others_do_not(
    gateway: Gateway, household: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(household)
    monkeypatch.setattr(household, "open_read", gate.open_read)
    sockets = [asyncio.create_task(waiting(gateway, household, user)) for user in (ALICE, ALICE, ALICE, BOB)]
    await asyncio.sleep(0.01)
    sockets[0].cancel()
    await asyncio.sleep(0)
    gate.opened.set()

    answers = await asyncio.gather(*sockets, return_exceptions=True)

    assert household.opened == 2
    assert isinstance(answers[0], asyncio.CancelledError)
    assert answers[1] == answers[2] == answers[3] != None  # noqa: E711 - one chain
    assert household.closed == 2


async def test_an_event_past_its_deadline_is_told(toy: Schema, household: Household, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(household, "open_read", Gate(household).open_read)
    gateway = Gateway(toy, deadline_s=0.02)

    found = await collected(gateway, household)

    assert [codes(answer) for answer in found] == [["TIMED_OUT"]] * 2
