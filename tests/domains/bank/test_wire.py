"""What the wire sends, what it reads, and whom it talks to: on real sockets."""

import asyncio
import json
import ssl
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from domains.bank.providers.errors import ProviderGarbled, ProviderUnavailable
from domains.bank.providers.wire import NoCircuits, Timeouts, Wire, segment
from tests.domains.bank.far_end import Counted, Slept, far_end, ok, silence, wired
from tests.servers.certificates import Authority


async def test_a_call_sends_what_it_is_given_and_answers_what_comes_back() -> None:
    async with far_end(ok(b'{"id": "x"}', "X-Request-Id: r-1", status="201 Created")) as end, wired(end) as wire:
        answer = await wire.call(
            "POST", "/link", json={"name": "Zoë", "count": 1}, params={"a b": "c&d"}, headers={"Authorization": "Bearer t"}, circuit="p:"
        )

    sent = end.requests[0]
    assert (sent.method, sent.target) == ("POST", "/link?a+b=c%26d")
    assert json.loads(sent.body) == {"name": "Zoë", "count": 1}
    assert sent.headers["content-type"] == "application/json"
    assert sent.headers["authorization"] == "Bearer t"
    assert sent.headers["host"] == end.url.removeprefix("http://")
    assert (answer.status, answer.headers["x-request-id"], answer.body) == (201, "r-1", {"id": "x"})


async def test_a_form_is_sent_as_one() -> None:
    async with far_end() as end, wired(end) as wire:
        await wire.call("POST", "/token", form={"grant_type": "refresh_token", "scope": "a b"}, circuit="p:")

    assert end.requests[0].headers["content-type"] == "application/x-www-form-urlencoded"
    assert end.requests[0].body == b"grant_type=refresh_token&scope=a+b"


async def test_the_base_urls_own_path_stays_in_front_and_a_whole_url_of_the_server_is_taken_as_it_is() -> None:
    async with far_end() as end:
        wire = Wire(f"{end.url}/open-banking/v4.0/", circuits=NoCircuits())
        await wire.call("GET", "/accounts", circuit="p:")
        await wire.call("GET", f"{end.url}/next?page=2", params={"n": 3}, circuit="p:")
        await wire.close()

    assert [each.target for each in end.requests] == ["/open-banking/v4.0/accounts", "/next?page=2&n=3"]


@pytest.mark.parametrize(
    "path",
    [
        "//evil.example/x",
        "https://evil.example/x",
        "http://127.0.0.1.evil.example/x",
        "http://user@127.0.0.1/x",
        "/accounts/../../admin",
        "/accounts/%2E%2e/admin",
        "/accounts/.",
        "accounts",
        "/a b",
        "/a\r\nX: y",
        "/ä",
        "http://[",
        "",
    ],
)
async def test_a_path_that_leads_elsewhere_is_refused_and_nothing_is_sent(path: str) -> None:
    circuits = Counted()
    async with far_end() as end, wired(end, circuits=circuits) as wire:
        with pytest.raises(ProviderGarbled, match="PATH"):
            await wire.call("GET", path, headers={"Authorization": "Bearer t"}, circuit="p:")

    assert end.requests == []
    assert circuits.told == []


def test_a_segment_ends_no_segment() -> None:
    assert segment("a/b?c#d e") == "a%2Fb%3Fc%23d%20e"


@pytest.mark.parametrize("status", ["400 Bad Request", "401 Unauthorized", "403 Forbidden", "404 Not Found", "409 Conflict"])
async def test_what_the_other_side_refuses_is_an_answer(status: str) -> None:
    circuits = Counted()
    async with far_end(ok(b'{"error_code": "X"}', status=status)) as end, wired(end, circuits=circuits) as wire:
        answer = await wire.call("GET", "/x", circuit="p:bank")

    assert (answer.status, answer.body) == (int(status[:3]), {"error_code": "X"})
    assert len(end.requests) == 1
    assert circuits.told == ["before p:bank", "succeeded p:bank"]


async def test_a_refusal_in_html_is_still_that_refusal() -> None:
    async with far_end(ok(b"<html>who are you?</html>", status="401 Unauthorized")) as end, wired(end) as wire:
        answer = await wire.call("GET", "/x", circuit="p:")

    assert (answer.status, answer.body) == (401, None)


async def test_no_content_is_nothing() -> None:
    async with far_end(b"HTTP/1.1 204 No Content\r\n\r\n", ok(b"")) as end, wired(end) as wire:
        assert (await wire.call("DELETE", "/x", circuit="p:")).body is None
        assert (await wire.call("GET", "/x", circuit="p:")).body is None


@pytest.mark.parametrize("status", ["301 Moved Permanently", "302 Found", "304 Not Modified", "307 Temporary Redirect"])
async def test_a_redirect_is_not_followed(status: str) -> None:
    async with far_end() as elsewhere:
        location = f"Location: {elsewhere.url}/steal"
        async with far_end(ok(b"", location, status=status)) as end, wired(end) as wire:
            with pytest.raises(ProviderGarbled, match="REDIRECT"):
                await wire.call("GET", "/x", headers={"Authorization": "Bearer t"}, circuit="p:")

    assert len(end.requests) == 1
    assert elsewhere.requests == []


async def test_no_cookie_is_kept_for_the_next_person() -> None:
    async with far_end(ok(b"{}", "Set-Cookie: session=robin; Path=/")) as end, wired(end) as wire:
        await wire.call("GET", "/x", circuit="p:")
        await wire.call("GET", "/x", circuit="p:")

    assert len(end.requests) == 2
    assert "cookie" not in end.requests[1].headers


async def test_proxies_and_logins_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    async with far_end() as end, wired(end) as wire:
        await wire.call("GET", "/x", circuit="p:")

    assert "authorization" not in end.requests[0].headers


async def test_amounts_are_what_the_text_says() -> None:
    text = b'{"a": 0.1, "b": 1234567.89, "c": 1e-2, "d": 0.30000000000000004, "e": -100.10, "f": 12345678901234567890, "g": 5}'
    async with far_end(ok(text)) as end, wired(end) as wire:
        body: dict[str, Any] = (await wire.call("GET", "/x", circuit="p:")).body

    assert {name: str(value) for name, value in body.items()} == {
        "a": "0.1",
        "b": "1234567.89",
        "c": "0.01",
        "d": "0.30000000000000004",
        "e": "-100.10",
        "f": "12345678901234567890",
        "g": "5",
    }
    assert {type(value) for value in body.values()} == {Decimal, int}


async def test_many_tasks_share_it_and_no_more_connections_than_it_may_have_are_opened() -> None:
    async def slow(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.05)
        writer.write(ok(b'{"n": 1}'))

    async with far_end(*[slow] * 40) as end:
        wire = Wire(end.url, circuits=NoCircuits(), connections=4)
        answers = await asyncio.gather(*(wire.call("GET", f"/{n}", circuit="p:") for n in range(40)))
        await wire.close()

    assert [each.body for each in answers] == [{"n": 1}] * 40
    assert end.connections == 4
    assert sorted(each.target for each in end.requests) == sorted(f"/{n}" for n in range(40))


async def test_what_must_not_be_sent_twice_goes_over_a_connection_of_its_own() -> None:
    async with far_end() as end, wired(end) as wire:
        for is_repeatable in (True, True, False, False, True):
            await wire.call("POST", "/x", json={}, circuit="p:", is_repeatable=is_repeatable)

    assert end.connections == 3


async def test_one_that_gives_up_takes_nobody_with_it() -> None:
    async def slow(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.1)
        writer.write(ok())

    async with far_end(*[slow] * 3) as end:
        wire = Wire(end.url, circuits=NoCircuits(), connections=1)
        impatient = asyncio.create_task(wire.call("GET", "/1", circuit="p:"))
        patient = asyncio.create_task(wire.call("GET", "/2", circuit="p:"))
        await asyncio.sleep(0.05)
        impatient.cancel()
        assert (await patient).status == 200
        await wire.close()

    assert impatient.cancelled()


async def test_closing_ends_the_calls_under_way_and_later_ones() -> None:
    circuits = Counted()
    async with far_end(silence) as end, wired(end, circuits=circuits, within=Timeouts()) as wire:
        call = asyncio.create_task(wire.call("GET", "/x", circuit="p:"))
        while not end.requests:
            await asyncio.sleep(0.005)
        await wire.close()
        for each in (call, wire.call("GET", "/x", circuit="p:")):
            with pytest.raises(ProviderUnavailable, match="CLOSED"):
                async with asyncio.timeout(5):
                    await each

    assert len(end.requests) == 1
    assert circuits.told == ["before p:", "before p:"], "the bank is not to blame"


@pytest.mark.parametrize(
    "url",
    [
        "http://api.bank.example",
        "http://10.0.0.1",
        "http://127.0.0.1.example",
        "http://[::2]",
        "ftp://127.0.0.1",
        "//127.0.0.1",
        "https://",
        "https://user:secret@bank.example",
        "https://bank.example/?token=secret",
        "https://bank.example/#secret",
        "https://[secret",
    ],
)
def test_a_base_url_that_is_not_safe_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="base URL") as refused:
        Wire(url, circuits=NoCircuits())

    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("url", ["https://bank.example", "http://127.0.0.1:1", "http://127.1.2.3", "http://localhost:1", "http://[::1]:1"])
async def test_a_base_url_with_tls_or_on_this_machine_is_fine(url: str) -> None:
    await Wire(url, circuits=NoCircuits()).close()


async def test_plain_text_elsewhere_only_when_told() -> None:
    wire = Wire("http://bank.internal", circuits=NoCircuits(), allows_plain=True)

    assert repr(wire) == "Wire(bank.internal)"
    await wire.close()


def test_tls_cannot_be_switched_off() -> None:
    lax = ssl.create_default_context()
    lax.check_hostname = False
    laxer = ssl.create_default_context()
    laxer.check_hostname = False
    laxer.verify_mode = ssl.CERT_NONE
    choices: list[Any] = [False, lax, laxer]

    for verify in choices:
        with pytest.raises(ValueError, match="verified"):
            Wire("https://bank.example", circuits=NoCircuits(), verify=verify)


class Tls:
    """A bank's authority, its server, and what a client must trust."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder, "authority")
        self.folder = folder

    def server(self, *, addresses: tuple[str, ...] = ("127.0.0.1",), asks_for: Path | None = None) -> ssl.SSLContext:
        pair = self.authority.issue("server", hosts=("bank.example",), addresses=addresses)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(pair.cert, pair.key)
        if asks_for is not None:
            context.load_verify_locations(asks_for)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def client(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.authority.cert))


@pytest.fixture
def tls(tmp_path: Path) -> Tls:
    return Tls(tmp_path)


async def test_with_an_authority_that_is_trusted_it_talks(tls: Tls) -> None:
    async with far_end(tls=tls.server()) as end:
        wire = Wire(end.url, circuits=NoCircuits(), verify=tls.client())
        assert (await wire.call("GET", "/x", circuit="p:")).body == {"ok": True}
        await wire.close()


@pytest.mark.parametrize("kind", ["an authority that nobody knows", "another address"])
async def test_a_wrong_certificate_gets_no_request_and_no_second_try(tls: Tls, kind: str) -> None:
    slept, circuits = Slept(), Counted()
    server = tls.server() if kind == "an authority that nobody knows" else tls.server(addresses=("192.0.2.1",))
    trusted = ssl.create_default_context() if kind == "an authority that nobody knows" else tls.client()
    async with far_end(tls=server) as end:
        wire = Wire(end.url, circuits=circuits, verify=trusted, sleep=slept)
        with pytest.raises(ProviderUnavailable, match="CERTIFICATE"):
            await wire.call("GET", "/x", headers={"Authorization": "Bearer t"}, circuit="p:")
        await wire.close()

    assert end.requests == []
    assert slept.waits_s == []
    assert circuits.told == ["before p:", "failed p:"]


async def test_a_bank_that_wants_our_certificate_gets_it(tls: Tls, tmp_path: Path) -> None:
    ours = Authority(tmp_path, "ours")
    pair = ours.issue("florin")
    async with far_end(tls=tls.server(asks_for=ours.cert)) as end:
        wire = Wire(end.url, circuits=NoCircuits(), verify=tls.client(), cert=(str(pair.cert), str(pair.key)))
        assert (await wire.call("GET", "/x", circuit="p:")).status == 200
        await wire.close()
