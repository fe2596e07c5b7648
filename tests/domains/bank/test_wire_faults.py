"""The wire when the other side fails: how often it tries, how long it waits, what it gives up with, and what of it is ever told."""

import asyncio
import gzip
import logging
import traceback
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from app.simulators.faults import TRANSPORT, Faults, WithFaults
from app.simulators.server import serve
from domains.bank.providers.errors import ProviderError, ProviderGarbled, ProviderUnavailable
from domains.bank.providers.wire import MAX_BODY_BYTES, NoCircuits, Timeouts, Wire
from tests.domains.bank.far_end import QUICK, Act, Counted, Slept, drip, far_end, half_a_body, hang_up, ok, silence, wired

BROKEN = ok(b'{"error": "oh"}', status="500 Internal Server Error")
NOBODY = "http://127.0.0.1:1"
#: A drip never falls silent, so that only the length of a try ends it.
SHORT = Timeouts(connect_s=2, read_s=1, attempt_s=0.4, deadline_s=20)


@pytest.mark.parametrize(
    ("fault", "detail"),
    [
        (BROKEN, "HTTP_500"),
        (ok(b"", status="503 Service Unavailable"), "HTTP_503"),
        (ok(b"", status="408 Request Timeout"), "HTTP_408"),
        (ok(b"{}", status="429 Too Many Requests"), "HTTP_429"),
        (half_a_body, "CONNECTION_LOST"),
        (hang_up, "CONNECTION_LOST"),
        (b"\x00\x01 no http at all\r\n\r\n", "CONNECTION_LOST"),
        (silence, "TIME_OUT"),
        (drip, "TIME_OUT"),
    ],
    ids=["500", "503", "408", "429", "half a body", "hung up", "no http", "silence", "drip"],
)
async def test_what_passes_is_tried_again_and_given_up_after_three_more_tries(fault: bytes | Act, detail: str) -> None:
    slept, circuits = Slept(), Counted()
    async with far_end(fault, fault) as end, wired(end, slept, within=SHORT) as wire:
        answer = await wire.call("GET", "/x", circuit="p:")
        assert answer.body == {"ok": True}
        assert slept.waits_s == [0.5, 1.0]
        assert len(end.requests) == 3

    async with far_end(*[fault] * 9) as end, wired(end, slept, circuits, SHORT) as wire:
        with pytest.raises(ProviderUnavailable) as refused:
            await wire.call("GET", "/x", circuit="p:bank")

    assert refused.value.detail == detail
    assert len(end.requests) == 4
    assert slept.waits_s[2:] == [0.5, 1.0, 2.0]
    assert circuits.told == ["before p:bank", "failed p:bank"]


async def test_nobody_there() -> None:
    slept = Slept()
    wire = Wire(NOBODY, circuits=NoCircuits(), sleep=slept)

    with pytest.raises(ProviderUnavailable, match="NOT_REACHED"):
        await wire.call("POST", "/x", circuit="p:", is_repeatable=False)

    assert len(slept.waits_s) == 3, "nothing can have arrived: also what is not repeatable is tried again"
    await wire.close()


@pytest.mark.parametrize("fault", [BROKEN, half_a_body, hang_up, silence, drip], ids=["500", "half a body", "hung up", "silence", "drip"])
async def test_what_is_not_repeatable_is_not_repeated_once_it_may_have_arrived(fault: bytes | Act) -> None:
    slept = Slept()
    async with far_end(fault) as end, wired(end, slept, within=SHORT) as wire:
        with pytest.raises(ProviderUnavailable):
            await wire.call("POST", "/item/public_token/exchange", json={"public_token": "once"}, circuit="p:", is_repeatable=False)

    assert len(end.requests) == 1
    assert slept.waits_s == []


async def test_what_is_not_repeatable_is_repeated_when_it_was_turned_away() -> None:
    async with far_end(ok(b"", status="429 Too Many Requests")) as end, wired(end) as wire:
        assert (await wire.call("POST", "/x", json={}, circuit="p:", is_repeatable=False)).status == 200

    assert len(end.requests) == 2


async def test_by_chance_a_wait_is_half_of_it_to_all_of_it() -> None:
    asked: list[tuple[float, float]] = []

    def random(low: float, high: float) -> float:
        asked.append((low, high))
        return low

    slept = Slept()
    async with far_end(*[BROKEN] * 9) as end:
        wire = Wire(end.url, circuits=NoCircuits(), sleep=slept, random=random, retries=6)
        with pytest.raises(ProviderUnavailable):
            await wire.call("GET", "/x", circuit="p:")
        await wire.close()

    assert slept.waits_s == [0.25, 0.5, 1.0, 2.0, 4.0, 4.0]
    assert asked[:6] == [(0.25, 0.5), (0.5, 1.0), (1.0, 2.0), (2.0, 4.0), (4.0, 8.0), (4.0, 8.0)]


def limited(retry_after: str, *headers: str) -> bytes:
    return ok(b"", f"Retry-After: {retry_after}", *headers, status="429 Too Many Requests")


def in_http(at: datetime) -> str:
    return format_datetime(at, usegmt=True)


NOON = datetime(2020, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("answer", "waited_s"),
    [
        (limited("7"), 7.0),
        (limited("60"), 60.0),
        (limited("0"), 0.5),
        (limited("-5"), 0.5),
        (limited("soon"), 0.5),
        (limited("1.5"), 0.5),
        (limited("٣"), 0.5),
        (limited(in_http(NOON + timedelta(seconds=20)), f"Date: {in_http(NOON)}"), 20.0),
        (limited(in_http(NOON - timedelta(days=9)), f"Date: {in_http(NOON)}"), 0.5),
        (limited("Wed, 99 Foo 2020 12:00:00 GMT"), 0.5),
        (ok(b"", "Retry-After: 3", status="503 Service Unavailable"), 3.0),
    ],
)
async def test_retry_after_is_waited_for(answer: bytes, waited_s: float) -> None:
    slept = Slept()
    async with far_end(answer) as end, wired(end, slept, within=Timeouts()) as wire:
        assert (await wire.call("GET", "/x", circuit="p:")).status == 200

    assert slept.waits_s == [waited_s]


async def test_retry_after_as_a_date_without_the_other_sides_clock_is_held_against_ours() -> None:
    slept = Slept()
    async with far_end(limited(in_http(datetime.now(UTC) + timedelta(seconds=40)))) as end, wired(end, slept, within=Timeouts()) as wire:
        await wire.call("GET", "/x", circuit="p:")

    assert 30 < slept.waits_s[0] <= 40


@pytest.mark.parametrize(
    ("retry_after", "told_s"),
    [
        ("61", 61.0),
        ("3600", 3600.0),
        ("999999999", 86_400.0),
        ("9" * 4000, 86_400.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 86_400.0),
    ],
)
async def test_a_long_retry_after_is_told_and_not_waited_for(retry_after: str, told_s: float) -> None:
    slept = Slept()
    async with far_end(limited(retry_after)) as end, wired(end, slept, within=Timeouts()) as wire:
        with pytest.raises(ProviderUnavailable) as refused:
            await wire.call("GET", "/x", circuit="p:")

    assert refused.value.retry_after_s == told_s
    assert slept.waits_s == []
    assert len(end.requests) == 1


async def test_a_wait_that_would_pass_the_deadline_is_not_begun() -> None:
    slept = Slept()
    timeout = Timeouts(deadline_s=5)
    async with far_end(limited("4"), limited("6")) as end, wired(end, slept, within=timeout) as wire:
        with pytest.raises(ProviderUnavailable) as refused:
            await wire.call("GET", "/x", circuit="p:")

    assert slept.waits_s == [4.0]
    assert refused.value.retry_after_s == 6.0


async def test_the_deadline_is_of_all_tries_together() -> None:
    timeout = Timeouts(connect_s=2, read_s=5, attempt_s=5, deadline_s=0.5)
    loop = asyncio.get_running_loop()
    async with far_end(*[silence] * 9) as end, wired(end, within=timeout) as wire:
        began = loop.time()
        with pytest.raises(ProviderUnavailable, match="TIME_OUT"):
            await wire.call("GET", "/x", circuit="p:")

    assert len(end.requests) == 1
    assert 0.5 <= loop.time() - began < 4


LARGE = b'"' + b"a" * (MAX_BODY_BYTES + 1024 * 1024) + b'"'


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"<html>We will be right back.</html>", "JSON"),
        (b'{"cut": [1, 2', "JSON"),
        (b'{"amount": NaN}', "JSON"),
        (b'{"amount": Infinity}', "JSON"),
        (b'{"amount": -Infinity}', "JSON"),
        (b'{"amount": 1e999}', "JSON"),
        (b'{"amount": 1e-999}', "JSON"),
        (b'{"amount": 1e99999999999999999999}', "JSON"),
        (b'{"amount": 0.' + b"1" * 5000 + b"}", "JSON"),
        (b'{"amount": ' + b"1" * 5000 + b"}", "JSON"),
        (b'{"amount": 1, "amount": 2}', "JSON"),
        (b'{"name": "\xff\xfe"}', "JSON"),
        (b"[" * 100_000 + b"]" * 100_000, "JSON"),
        (b"[" * 200 + b"]" * 200, "JSON_TOO_DEEP"),
        (b'{"a":' * 66 + b"[]" + b"}" * 66, "JSON_TOO_DEEP"),
        (LARGE, "BODY_TOO_LARGE"),
    ],
    ids=lambda each: None if isinstance(each, bytes) else each,
)
async def test_what_cannot_be_meant_is_refused_at_once(body: bytes, detail: str) -> None:
    slept, circuits = Slept(), Counted()
    async with far_end(ok(body)) as end, wired(end, slept, circuits) as wire:
        with pytest.raises(ProviderGarbled) as refused:
            await wire.call("GET", "/x", circuit="p:")
        assert (await wire.call("GET", "/x", circuit="p:")).status == 200

    assert refused.value.detail == detail
    assert len(end.requests) == 2
    assert slept.waits_s == []
    assert circuits.told == ["before p:", "failed p:", "before p:", "succeeded p:"]


async def test_as_deep_as_may_be_is_read() -> None:
    async with far_end(ok(b"[" * 64 + b"]" * 64)) as end, wired(end) as wire:
        assert (await wire.call("GET", "/x", circuit="p:")).status == 200


async def test_just_as_large_as_may_be_is_read() -> None:
    body = b'"' + b"a" * (MAX_BODY_BYTES - 2) + b'"'
    async with far_end(ok(body), ok(gzip.compress(body), "Content-Encoding: gzip")) as end, wired(end) as wire:
        for _ in range(2):
            assert len((await wire.call("GET", "/x", circuit="p:")).body) == MAX_BODY_BYTES - 2


async def test_a_body_without_a_length_is_counted_as_it_comes() -> None:
    sent = 0

    async def endless(writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        piece = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
        for _ in range(1000):
            writer.write(piece)
            await writer.drain()
            sent += 1

    async with far_end(endless) as end, wired(end, within=Timeouts()) as wire:
        with pytest.raises(ProviderGarbled, match="BODY_TOO_LARGE"):
            await wire.call("GET", "/x", circuit="p:")

    assert 10 <= sent < 100


async def test_what_is_packed_is_unpacked() -> None:
    async with far_end(ok(gzip.compress(b'{"a": 0.1}'), "Content-Encoding: gzip")) as end, wired(end) as wire:
        answer = await wire.call("GET", "/x", circuit="p:")

    assert str(answer.body["a"]) == "0.1"
    assert end.requests[0].headers["accept-encoding"] == "gzip"


async def test_what_unpacks_to_more_than_may_be_is_refused_before_it_has() -> None:
    import tracemalloc

    bomb = gzip.compress(b" " * 200_000_000, compresslevel=9)
    async with far_end(ok(bomb, "Content-Encoding: gzip")) as end, wired(end) as wire:
        tracemalloc.start()
        with pytest.raises(ProviderGarbled, match="BODY_TOO_LARGE"):
            await wire.call("GET", "/x", circuit="p:")
        _now, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert len(bomb) < 300_000
    assert most < 3 * MAX_BODY_BYTES


@pytest.mark.parametrize(
    ("body", "packing"),
    [(b"{}", "br"), (b"{}", "gzip"), (gzip.compress(b'{"a": 1}')[:-12], "gzip"), (gzip.compress(gzip.compress(b"{}")), "gzip, gzip")],
    ids=["unknown", "not packed", "cut off", "twice"],  # what is packed holds the time
)
async def test_what_is_packed_otherwise_or_badly_is_refused(body: bytes, packing: str) -> None:
    async with far_end(ok(body, f"Content-Encoding: {packing}")) as end, wired(end) as wire:
        with pytest.raises(ProviderGarbled, match="CONTENT_ENCODING"):
            await wire.call("GET", "/x", circuit="p:")


class Open(NoCircuits):
    async def before(self, key: str) -> None:
        raise ProviderUnavailable("circuit_open", retry_after_s=30)


async def test_while_the_circuit_is_open_nothing_is_sent() -> None:
    async with far_end() as end, wired(end, circuits=Open()) as wire:
        with pytest.raises(ProviderUnavailable, match="CIRCUIT_OPEN"):
            await wire.call("GET", "/x", circuit="p:")

    assert end.requests == []


async def test_a_call_that_is_given_up_says_nothing_of_the_bank() -> None:
    circuits = Counted()
    async with far_end(silence) as end, wired(end, circuits=circuits, within=Timeouts()) as wire:
        call = asyncio.create_task(wire.call("GET", "/x", circuit="p:"))
        while not end.requests:
            await asyncio.sleep(0.005)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    assert circuits.told == ["before p:"]


SECRET = "tok-3f9c"


@pytest.mark.parametrize(
    "fault",
    [
        BROKEN,
        half_a_body,
        hang_up,
        silence,
        ok(f'{{"access_token": "{SECRET}", '.encode()),
        ok(f'["{SECRET}", NaN]'.encode()),
        ok(b"", f"Location: https://x.example/?token={SECRET}", status="302 Found"),
        ok(f"{SECRET} is not packed".encode(), "Content-Encoding: gzip"),
        f"HTTP/1.1 200 OK\r\nX: {SECRET}\r\n{SECRET}\r\n\r\n".encode(),
    ],
)
async def test_no_secret_is_in_an_error_or_a_log(fault: bytes | Act, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with caplog.at_level(logging.DEBUG, "httpx"), caplog.at_level(logging.DEBUG, "httpcore"):
        async with far_end(*[fault] * 4) as end, wired(end) as wire:
            with pytest.raises(ProviderError) as refused:
                await wire.call(
                    "POST",
                    "/x",
                    json={"secret": SECRET},
                    params={"code": SECRET},
                    headers={"Authorization": f"Bearer {SECRET}"},
                    circuit="p:",
                )

    assert len(end.requests) >= 1
    told = "".join(traceback.TracebackException.from_exception(refused.value, capture_locals=False).format())
    assert SECRET not in told
    assert SECRET not in repr(refused.value)
    seen: BaseException | None = refused.value
    while seen is not None:
        assert isinstance(seen, ProviderError), "no library's error travels along: some of them hold the whole request, or the body"
        seen = seen.__cause__ or seen.__context__
    assert SECRET not in caplog.text


@pytest.mark.parametrize("value", [f"{SECRET}\r\nX-Other: 1", f"{SECRET}\x00", f"{SECRET}ä"])
async def test_a_header_that_would_be_two_is_not_sent_and_not_quoted(value: str) -> None:
    async with far_end() as end, wired(end) as wire:
        with pytest.raises(ValueError, match="header") as refused:
            await wire.call("GET", "/x", headers={"Authorization": value}, circuit="p:")

    assert SECRET not in str(refused.value)
    assert end.requests == []


async def test_an_answer_shows_nothing_of_itself() -> None:
    async with far_end(ok(f'{{"access_token": "{SECRET}"}}'.encode(), f"Set-Cookie: s={SECRET}")) as end, wired(end) as wire:
        answer = await wire.call("GET", "/x", circuit="p:")

    assert repr(answer) == "Answer(status=200)"


async def test_each_fault_of_the_simulators_is_one_that_passes_or_that_is_refused() -> None:
    async def app(scope, receive, send) -> None:  # type: ignore[no-untyped-def]
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": b'{"made": true, "and": "a few more bytes"}'})

    faults = Faults(1, stall_s=5)
    async with serve(WithFaults(app, faults)) as url:
        wire = Wire(url, circuits=NoCircuits(), timeout=Timeouts(connect_s=2, read_s=QUICK.read_s, attempt_s=0.6), sleep=Slept())
        for fault in TRANSPORT:
            faults.plan(fault)
            try:
                answer = await wire.call("GET", "/x", circuit="p:")
            except ProviderGarbled:
                assert fault == "garbage"
            else:
                assert answer.body in ({"made": True, "and": "a few more bytes"}, None)
        assert faults.planned == ()
        assert faults.happened == list(TRANSPORT)
        await wire.close()
