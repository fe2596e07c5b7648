"""The key ring and the users' data keys."""

import asyncio
from uuid import uuid4

import pytest

from db.engines import Db
from db.user.models import user_keys
from domains.core.cipher import DecryptionFailed
from domains.user.keys import KeyRing, KeyringInvalid, UserCipher, generate_key
from tests.conftest import MakeUser

PLACE = ("bank_schema.uploads", "ciphertext")


def ring_of(*entries: str) -> KeyRing:
    return KeyRing.from_text(",".join(entries))


@pytest.fixture(scope="module")
def entry() -> str:
    return generate_key()


async def test_what_is_sealed_opens_in_its_place_only(db: Db, make_user: MakeUser, entry: str) -> None:
    robin, sam = (await make_user()).user_id, (await make_user()).user_id
    cipher = UserCipher(db, ring_of(entry))
    await cipher.encrypt(sam, *PLACE, b"sam has a key too")

    sealed = await cipher.encrypt(robin, *PLACE, b"statement")

    assert b"statement" not in sealed
    assert await cipher.decrypt(robin, *PLACE, sealed) == b"statement"
    for user, table, column in ((sam, *PLACE), (robin, "bank_schema.other", PLACE[1]), (robin, PLACE[0], "other")):
        with pytest.raises(DecryptionFailed):
            await cipher.decrypt(user, table, column, sealed)


async def test_a_flipped_byte_anywhere_is_noticed(db: Db, make_user: MakeUser, entry: str) -> None:
    robin = (await make_user()).user_id
    cipher = UserCipher(db, ring_of(entry))
    sealed = await cipher.encrypt(robin, *PLACE, b"statement")

    for place in range(len(sealed)):
        damaged = sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :]
        with pytest.raises(DecryptionFailed):
            await cipher.decrypt(robin, *PLACE, damaged)
    for cut in (b"", sealed[:1], sealed[:12], sealed[:-1]):
        with pytest.raises(DecryptionFailed):
            await cipher.decrypt(robin, *PLACE, cut)


async def test_first_uses_at_once_make_one_key(db: Db, make_user: MakeUser, entry: str) -> None:
    robin = (await make_user()).user_id
    ciphers = [UserCipher(db, ring_of(entry)) for _ in range(8)]

    sealed = await asyncio.gather(*(cipher.encrypt(robin, *PLACE, b"x") for cipher in ciphers))

    assert [await UserCipher(db, ring_of(entry)).decrypt(robin, *PLACE, each) for each in sealed] == [b"x"] * 8


async def test_an_old_ring_key_still_opens_and_a_missing_one_does_not(db: Db, make_user: MakeUser, entry: str) -> None:
    robin = (await make_user()).user_id
    sealed = await UserCipher(db, ring_of(entry)).encrypt(robin, *PLACE, b"old")
    other = "other:" + generate_key().partition(":")[2]

    assert await UserCipher(db, ring_of(other, entry)).decrypt(robin, *PLACE, sealed) == b"old"
    with pytest.raises(DecryptionFailed):
        await UserCipher(db, ring_of(other)).decrypt(robin, *PLACE, sealed)


async def test_destroying_the_data_key_destroys_what_it_sealed(db: Db, make_user: MakeUser, entry: str) -> None:
    viewer = await make_user()
    sealed = await UserCipher(db, ring_of(entry)).encrypt(viewer.user_id, *PLACE, b"gone")

    async with db.system("user") as session:
        await session.execute(user_keys.delete().where(user_keys.c.user_id == viewer.user_id))

    with pytest.raises(DecryptionFailed):
        await UserCipher(db, ring_of(entry)).decrypt(viewer.user_id, *PLACE, sealed)


def test_nonces_do_not_repeat(entry: str) -> None:
    ring, user = ring_of(entry), uuid4()

    assert len({ring.wrap(bytes(32), user) for _ in range(10_000)}) == 10_000


@pytest.mark.parametrize("text", ["", "a", "a:", "a:!!!", "a:AAAA", ":" + "A" * 43 + "="])
def test_a_ring_that_cannot_be_used_is_refused_without_quoting_it(text: str) -> None:
    with pytest.raises(KeyringInvalid) as refusal:
        KeyRing.from_text(text)

    assert "AAAA" not in str(refusal.value)
    assert "!!!" not in str(refusal.value)
