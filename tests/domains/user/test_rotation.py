"""Keys of the ring come into use and go out of it while processes seal and open."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import select, update

from db.engines import Db, Viewer
from db.user.models import user_keys
from db.user.queries import WrappedKey, replace_wrapped_keys
from domains.core.cipher import DecryptionFailed
from domains.user import rotation
from domains.user.keys import KeyRing, RingFile, UserCipher, generate_key
from domains.user.rotation import RingRefused, add_key, count_keys, drop_key, rotate_keys
from tests.conftest import MakeUser
from tests.db.leaks import cancelled_at

PLACE = ("bank_schema.uploads", "ciphertext")


def ring_in(path: Path) -> KeyRing:
    return KeyRing.from_text(path.read_text().strip())


def cipher_of(db: Db, path: Path) -> UserCipher:
    return UserCipher(db, ring_in(path), RingFile(path))


def settle(path: Path) -> None:
    """Make the ring's last change one of long ago."""
    long_ago = path.stat().st_mtime - 2 * rotation.SETTLED_S
    os.utime(path, (long_ago, long_ago))


def damage(path: Path) -> None:
    path.write_text("k1:not base64")


@pytest.fixture
def ring(tmp_path: Path) -> Path:
    path = tmp_path / "keyring"
    path.write_text(generate_key() + "\n")
    return path


@pytest.fixture
async def people(db: Db, make_user: MakeUser, ring: Path) -> list[Viewer]:
    """Seven with a data key under the ring's only key."""
    found = [await make_user() for _ in range(7)]
    cipher = cipher_of(db, ring)
    for each in found:
        await cipher.key_of(each.user_id, make=True)
    return found


async def key_ids(db: Db, people: list[Viewer]) -> set[str]:
    async with db.system("user") as session:
        found = await session.execute(select(user_keys.c.key_id).where(user_keys.c.user_id.in_([each.user_id for each in people])))
    return set(found.scalars())


async def test_every_data_key_is_wrapped_anew_and_the_old_key_is_not_needed_any_more(db: Db, people: list[Viewer], ring: Path) -> None:
    before = cipher_of(db, ring)
    sealed = {each.user_id: await before.encrypt(each.user_id, *PLACE, b"plain") for each in people}
    old = ring_in(ring).current

    new = add_key(ring)
    rotated = await rotate_keys(db, ring_in(ring))
    settle(ring)
    await drop_key(db, ring, old)

    assert rotated.replaced == len(people)
    assert rotated.left == 0
    assert ring_in(ring).ids == (new,)
    assert await key_ids(db, people) == {new}
    after = cipher_of(db, ring)
    for user_id, each in sealed.items():
        assert b"plain" not in each
        assert await after.decrypt(user_id, *PLACE, each) == b"plain"
    assert (await rotate_keys(db, ring_in(ring))).replaced == 0


def test_a_ring_that_was_changed_is_still_for_its_account_only(ring: Path) -> None:
    add_key(ring)

    assert ring.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in ring.parent.iterdir() if path.name != "keyring.lock"] == ["keyring"]


async def test_stopped_anywhere_it_is_run_again(db: Db, people: list[Viewer], ring: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rotation, "BATCH", 3)
    add_key(ring)

    async def rotate() -> None:
        await rotate_keys(db, ring_in(ring))

    for at in range(1, 40, 3):
        await cancelled_at(rotate(), at)
    await rotate_keys(db, ring_in(ring))

    assert await key_ids(db, people) == {ring_in(ring).current}
    cipher = cipher_of(db, ring)
    for each in people:
        await cipher.key_of(each.user_id, make=False)


async def test_a_key_that_changed_meanwhile_is_left_alone(db: Db, people: list[Viewer], ring: Path) -> None:
    robin = people[0].user_id
    stale, new = WrappedKey(robin, b"not what is there", "k0"), WrappedKey(robin, b"overwritten", "k9")

    async with db.system("user") as session:
        assert await replace_wrapped_keys(session, [(stale, new)]) == 0

    await cipher_of(db, ring).key_of(robin, make=False)


async def test_a_data_key_that_no_key_opens_is_told_and_the_others_go_on(db: Db, people: list[Viewer], ring: Path) -> None:
    lost = people[3].user_id
    async with db.system("user") as session:
        await session.execute(update(user_keys).where(user_keys.c.user_id == lost).values(wrapped_key=b"\x01\x02xx", key_id="xx"))
    add_key(ring)

    rotated = await rotate_keys(db, ring_in(ring))

    assert {each.user_id for each in people} & set(rotated.failed) == {lost}
    assert rotated.replaced == len(people) - 1
    async with db.system("user") as session:
        await session.execute(user_keys.delete().where(user_keys.c.user_id == lost))


async def test_a_key_in_use_is_not_dropped(db: Db, people: list[Viewer], ring: Path) -> None:
    old = ring_in(ring).current
    new = add_key(ring)

    for key_id, reason in ((old, "just changed"), (new, "just changed")):
        with pytest.raises(RingRefused, match=reason):
            await drop_key(db, ring, key_id)
    settle(ring)
    for key_id, reason in ((old, f"still wraps {len(people)} "), (new, "wraps new data keys"), ("k0", "not on the ring")):
        with pytest.raises(RingRefused, match=reason):
            await drop_key(db, ring, key_id)

    assert ring_in(ring).ids == (new, old)
    assert (await count_keys(db))[old] == len(people)
    await rotate_keys(db, ring_in(ring))


async def test_a_process_that_was_started_before_knows_the_new_key(db: Db, people: list[Viewer], make_user: MakeUser, ring: Path) -> None:
    running, fixed = cipher_of(db, ring), UserCipher(db, ring_in(ring))
    new = add_key(ring)
    await rotate_keys(db, ring_in(ring))
    sam = await make_user()

    await running.key_of(people[0].user_id, make=False)
    assert running.new_key(sam.user_id).key_id == new
    with pytest.raises(DecryptionFailed):
        await fixed.key_of(people[0].user_id, make=False)
    damage(ring)
    with pytest.raises(DecryptionFailed):
        await UserCipher(db, KeyRing.from_text(generate_key()), RingFile(ring)).key_of(people[0].user_id, make=False)
    assert running.new_key(sam.user_id).key_id == new


SEALER = """
import asyncio, sys
from pathlib import Path
from uuid import UUID
from db.engines import Db, Dsns
from domains.user import keys

PLACE = ("bank_schema.uploads", "ciphertext")

async def main(app, system, pooler, path, users):
    keys.KEPT_S = 0.0
    db = Db(Dsns(app=app, system=system, pooler=pooler), None)
    cipher = keys.UserCipher(db, keys.KeyRing.from_text(Path(path).read_text().strip()), keys.RingFile(Path(path)))
    print("ready", flush=True)
    waiting = asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    done = 0
    while not waiting.done():
        for user in users:
            sealed = await cipher.encrypt(UUID(user), *PLACE, b"plain")
            assert b"plain" not in sealed
            assert await cipher.decrypt(UUID(user), *PLACE, sealed) == b"plain"
            done += 1
    await db.close()
    print(done, flush=True)

asyncio.run(main(*sys.argv[1:5], sys.argv[5:]))
"""


async def test_rotated_over_and_over_while_tasks_and_processes_seal_and_open(
    db: Db, people: list[Viewer], make_user: MakeUser, ring: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("domains.user.keys.KEPT_S", 0.0)
    kept = [(each.user_id, await cipher_of(db, ring).encrypt(each.user_id, *PLACE, b"kept")) for each in people]
    dsns = (db.dsns.of("user", "app"), db.dsns.of("user", "system"), db.dsns.pooler)
    command = [sys.executable, "-c", SEALER, *dsns, str(ring), *(str(each.user_id) for each in people)]
    others = [
        subprocess.Popen(command, cwd=Path(__file__).parents[3], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: ASYNC220
        for _ in range(2)
    ]
    stop = asyncio.Event()

    async def use(cipher: UserCipher) -> int:
        done = 0
        while not stop.is_set():
            newcomer = await make_user()
            for user_id in (newcomer.user_id, people[done % len(people)].user_id):
                sealed = await cipher.encrypt(user_id, *PLACE, b"plain")
                assert await cipher.decrypt(user_id, *PLACE, sealed) == b"plain"
            kept.append((newcomer.user_id, await cipher.encrypt(newcomer.user_id, *PLACE, b"kept")))
            done += 1
        return done

    try:
        for each in others:
            assert each.stdout is not None
            assert await asyncio.to_thread(each.stdout.readline) == "ready\n"
        using = [asyncio.create_task(use(cipher_of(db, ring))) for _ in range(3)]
        first = ring_in(ring).current
        for _ in range(8):
            add_key(ring)
            await asyncio.gather(rotate_keys(db, ring_in(ring)), rotate_keys(db, ring_in(ring)))
            await asyncio.sleep(0.05)
        stop.set()
        counts = await asyncio.gather(*using)
        said = await asyncio.gather(*(asyncio.to_thread(each.communicate, "stop\n", 30) for each in others))
    finally:
        for each in others:
            if each.poll() is None:
                each.kill()
                each.wait()

    assert min(counts) > 0
    assert [each.returncode for each in others] == [0] * len(others)
    assert all(int(out) > 0 for out, _ in said)
    await rotate_keys(db, ring_in(ring))  # what was first wrapped while the last one ran
    for key_id in ring_in(ring).ids[1:]:
        settle(ring)
        await drop_key(db, ring, key_id)
    assert first not in ring_in(ring).ids
    cipher = cipher_of(db, ring)
    assert [await cipher.decrypt(user_id, *PLACE, sealed) for user_id, sealed in kept] == [b"kept"] * len(kept)
