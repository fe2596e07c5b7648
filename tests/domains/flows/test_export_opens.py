"""A copy of somebody's data opens to its owner alone, whole or not at all."""

from uuid import UUID, uuid4

import pytest

from db.audit.models import export_chunks
from db.engines import Viewer
from domains.audit.errors import DataExportRequestNotFound
from domains.core.cipher import DecryptionFailed
from domains.flows import export_data
from domains.flows.data_requests import cancel_export
from domains.flows.export_data import open_download
from domains.flows.services import Services
from tests.conftest import MakeUser
from tests.db.samples import superuser
from tests.domains.audit.exports import answer, ask, chunks_of, erase_key, fetched, row_of
from tests.servers.suite import Servers


@pytest.fixture
async def robin(make_user: MakeUser) -> Viewer:
    return await make_user()


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a small household fills several."""
    monkeypatch.setattr(export_data, "PIECE_BYTES", 1_000)


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize(
    "tamper",
    [
        "update audit_schema.export_chunks c set ciphertext = o.ciphertext from audit_schema.export_chunks o"
        " where c.request_id = $1 and o.request_id = $1 and (c.seq, o.seq) in ((1, 2), (2, 1))",
        "update audit_schema.export_chunks set ciphertext = set_byte(ciphertext, 40, get_byte(ciphertext, 40) # 1)"
        " where request_id = $1 and seq = 1",
        "with last as (delete from audit_schema.export_chunks where request_id = $1 and is_last returning seq)"
        " update audit_schema.export_chunks set is_last = true where request_id = $1 and seq = (select seq - 1 from last)",
    ],
    ids=["swapped", "changed", "cut"],
)
async def test_a_file_that_was_tampered_with_is_never_whole(services: Services, servers: Servers, robin: Viewer, tamper: str) -> None:
    request_id = await ask(services, robin)
    assert await answer(services, request_id) == "done"
    whole = await fetched(services, robin, request_id)
    async with superuser(servers.databases["audit"]) as connection:
        assert await connection.execute(tamper, request_id) != "UPDATE 0"

    download = await open_download(services, robin, request_id)
    came = b""
    with pytest.raises(DecryptionFailed):
        async for piece in download.pieces:
            came += piece

    assert len(came) < len(whole)
    assert whole.startswith(came)


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("which", ["seq = 0", "seq = 1", "is_last"])
async def test_a_file_that_lacks_a_piece_is_not_there(services: Services, servers: Servers, robin: Viewer, which: str) -> None:
    request_id = await ask(services, robin)
    assert await answer(services, request_id) == "done"
    async with superuser(servers.databases["audit"]) as connection:
        await connection.execute(f"delete from audit_schema.export_chunks where request_id = $1 and {which}", request_id)

    with pytest.raises(DataExportRequestNotFound):
        await open_download(services, robin, request_id)


async def test_a_piece_of_another_file_does_not_open_here(services: Services, robin: Viewer) -> None:
    one = await ask(services, robin)
    assert await answer(services, one) == "done"
    two = await ask(services, robin)
    assert await answer(services, two) == "done"
    chunks = export_chunks
    async with services.db.write("audit", robin) as session:
        await session.execute(chunks.delete().where(chunks.c.request_id == two))
        copied = chunks.select().where(chunks.c.request_id == one)
        [stored] = (await session.execute(copied)).mappings()
        await session.execute(chunks.insert().values({**stored, "request_id": two}))

    with pytest.raises(DataExportRequestNotFound):
        await open_download(services, robin, two)


async def test_without_the_key_there_is_no_file_and_none_is_made(services: Services, servers: Servers, robin: Viewer) -> None:
    made = await ask(services, robin)
    assert await answer(services, made) == "done"
    asked = await ask(services, robin)
    await erase_key(services, servers, robin)

    with pytest.raises(DataExportRequestNotFound):
        await open_download(services, robin, made)
    assert await answer(services, asked) == "done"
    assert ((await row_of(services, asked)).status, await chunks_of(services, asked)) == ("failed", [])


async def test_nobody_else_opens_it(services: Services, robin: Viewer, make_user: MakeUser) -> None:
    request_id = await ask(services, robin)
    assert await answer(services, request_id) == "done"

    for stranger, which in ((await make_user(), request_id), (robin, uuid4())):
        with pytest.raises(DataExportRequestNotFound):
            await open_download(services, stranger, which)
        with pytest.raises(DataExportRequestNotFound):
            await cancel_export(services, stranger, which)
    assert await fetched(services, robin, request_id)


async def test_a_file_that_would_be_too_large_fails_and_leaves_nothing(
    services: Services, robin: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_data, "PIECE_BYTES", 100)
    monkeypatch.setattr(export_data, "PIECES_AT_MOST", 5)
    request_id = await ask(services, robin)

    assert await answer(services, request_id) == "done"

    assert ((await row_of(services, request_id)).status, await chunks_of(services, request_id)) == ("failed", [])


async def test_what_is_stored_is_not_readable(services: Services, servers: Servers, robin: Viewer) -> None:
    request_id: UUID = await ask(services, robin)
    assert await answer(services, request_id) == "done"
    async with superuser(servers.databases["audit"]) as connection:
        stored = await connection.fetchval("select ciphertext from audit_schema.export_chunks where request_id = $1", request_id)

    assert (await fetched(services, robin, request_id))[:2] == b"PK"
    assert b"PK" not in stored[:4]
    assert b"README.json" not in stored
