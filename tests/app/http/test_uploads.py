"""POST /uploads."""

from collections.abc import AsyncIterator

import httpx
import pytest
from pydantic import SecretStr

from app.http.uploads import file_name
from app.settings import Settings
from domains.bank.errors import UploadNotFound
from domains.flows import uploads as flow
from domains.flows.services import Services
from resolvers.ids import from_global_id
from tests.app.http.conftest import Token, api
from tests.conftest import MakeUser

OFX = b"OFXHEADER:100\r\nDATA:OFXSGML\r\n\r\n<OFX></OFX>"


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


async def test_a_file_is_kept_for_its_sender_only(
    client: httpx.AsyncClient, make_user: MakeUser, sign_in: Token, services: Services
) -> None:
    viewer, stranger = await make_user(), await make_user()
    headers = bearer(await sign_in(viewer)) | {
        "content-type": "application/x-ofx; charset=x",
        "content-disposition": 'attachment; filename="my.ofx"',
    }

    response = await client.post("/uploads", content=OFX, headers=headers)

    assert (response.status_code, list(response.json())) == (201, ["uploadId"])
    upload_id = from_global_id(response.json()["uploadId"], "Upload")
    assert upload_id is not None
    assert await flow.open_upload(services, viewer, upload_id) == ("my.ofx", OFX)
    with pytest.raises(UploadNotFound):
        await flow.open_upload(services, stranger, upload_id)


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({}, 401, "UNAUTHENTICATED"),
        ({"authorization": "Bearer " + "A" * 43}, 401, "UNAUTHENTICATED"),
        ({"cookie": "token=" + "A" * 43}, 401, "UNAUTHENTICATED"),
    ],
)
async def test_signed_out_nothing_is_kept(client: httpx.AsyncClient, headers: dict[str, str], status: int, code: str) -> None:
    response = await client.post("/uploads", content=OFX, headers=headers)

    assert (response.status_code, response.json()["errors"][0]["extensions"]["code"]) == (status, code)
    assert "www-authenticate" in response.headers


@pytest.mark.parametrize(
    ("method", "content", "headers", "status", "code"),
    [
        ("POST", b"", {}, 400, "BAD_REQUEST"),
        ("POST", OFX, {"content-type": "nonsense"}, 400, "BAD_REQUEST"),
        ("POST", OFX, {"content-type": "multipart/form-data; boundary=x"}, 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("POST", OFX, {"content-type": "application/x-www-form-urlencoded"}, 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("POST", OFX, {"content-encoding": "gzip"}, 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("GET", b"", {}, 405, "METHOD_NOT_ALLOWED"),
        ("PUT", OFX, {}, 405, "METHOD_NOT_ALLOWED"),
    ],
)
async def test_what_is_no_file_is_refused(
    client: httpx.AsyncClient,
    make_user: MakeUser,
    sign_in: Token,
    method: str,
    content: bytes,
    headers: dict[str, str],
    status: int,
    code: str,
) -> None:
    token = await sign_in(await make_user())

    response = await client.request(method, "/uploads", content=content, headers=bearer(token) | headers)

    assert (response.status_code, response.json()["errors"][0]["extensions"]["code"]) == (status, code)


async def test_a_file_past_the_limit_is_refused_whether_or_not_it_says_so(settings: Settings, make_user: MakeUser, sign_in: Token) -> None:
    headers = bearer(await sign_in(await make_user()))

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b"x" * 100

    async with api(settings, upload_limit_bytes=2048) as client:
        said = await client.post("/uploads", content=b"x" * 2049, headers=headers)
        unsaid = await client.post("/uploads", content=pieces(), headers=headers)
        just = await client.post("/uploads", content=b"x" * 2048, headers=headers)

    assert [each.status_code for each in (said, unsaid, just)] == [413, 413, 201]


async def test_too_many_waiting_files_are_refused(client: httpx.AsyncClient, make_user: MakeUser, sign_in: Token) -> None:
    headers = bearer(await sign_in(await make_user()))

    for _ in range(100):
        response = await client.post("/uploads", content=OFX, headers=headers)
        if response.status_code != 201:
            break

    assert (response.status_code, response.json()["errors"][0]["extensions"]["code"]) == (409, "UPLOADS_WAITING")


async def test_without_redis_it_is_503(settings: Settings) -> None:
    async with api(settings, redis_dsn=SecretStr("redis://127.0.0.1:1/0")) as client:
        response = await client.post("/uploads", content=OFX, headers=bearer("A" * 43))

    assert (response.status_code, response.json()["errors"][0]["extensions"]["code"]) == (503, "UNAVAILABLE")
    assert int(response.headers["retry-after"]) >= 1


@pytest.mark.parametrize(
    ("disposition", "query", "expected"),
    [
        (b'attachment; filename="statement 1.ofx"', b"", "statement 1.ofx"),
        (b"attachment; filename*=UTF-8''Kontoausz%C3%BCge.csv", b"", "Kontoauszüge.csv"),
        (b'attachment; filename="a.ofx"', b"filename=b.ofx", "a.ofx"),
        (b"attachment", b"filename=b.ofx", "b.ofx"),
        (None, b"filename=%C3%BC%20x.qfx", "ü x.qfx"),
        (None, b"", "statement"),
        (None, b"filename=..%2F..%2Fetc%2Fpasswd", "passwd"),
        (None, b"filename=C%3A%5CUsers%5Cme%5Cbank.csv", "bank.csv"),
        (None, b"filename=a%00b%0D%0Ac%E2%80%AE.csv", "abc.csv"),
        (None, b"filename=" + b"x" * 300, "x" * 255),
        (None, b"filename=%2F", "statement"),
        (None, b"filename=..", "statement"),
    ],
)
def test_the_file_s_name_is_what_is_left_when_all_that_could_harm_is_gone(disposition: bytes | None, query: bytes, expected: str) -> None:
    headers: dict[bytes, bytes] = {} if disposition is None else {b"content-disposition": disposition}

    assert file_name(headers, query) == expected
