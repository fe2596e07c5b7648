"""Taking keys of the operator's ring into use and out of it, while processes wrap and unwrap.

    add       a new key, first of the ring's file: what is wrapped from now on is wrapped by it
    rotate    every data key that another wraps is wrapped anew, in batches; stopped anywhere, it is run again
    drop      a key that wraps nothing leaves the file

In a file this is safe at any time. Whoever wraps looks whether the file has changed, and whoever meets an id that they do not know
reads it again. Only a process that has read the file just before it changed wraps by the old key a moment longer: so a key is dropped
no sooner than `SETTLED_S` after the file's last change. A ring in a variable is its operator's to change (docs/operating.md).
"""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final
from uuid import UUID

from db.attempts import retrying
from db.engines import Db
from db.user import queries
from db.user.queries import WrappedKey
from domains.core.cipher import DecryptionFailed
from domains.user.keys import KeyRing, generate_key

#: Data keys per transaction.
BATCH: Final = 500
#: A transaction that began with the ring as it was before has ended by then.
SETTLED_S: Final = 120.0


class RingRefused(ValueError):
    """The ring stays as it is; the message says why."""


@dataclass(slots=True)
class Rotated:
    """replaced: by us. left: changed by somebody else meanwhile, or gone. failed: whose keys do not open by any key of the ring."""

    replaced: int = 0
    left: int = 0
    failed: list[UUID] = field(default_factory=list)


async def rotate_keys(db: Db, ring: KeyRing) -> Rotated:
    """Wrap every user's data key by the ring's first key. The data keys, and all they have sealed, stay as they are.

    What is stored replaces exactly what was read: a key that was destroyed or wrapped by another meanwhile is left alone.
    """
    rotated = Rotated()
    after: UUID | None = None
    while True:
        some = Rotated()
        # two that rotate at once may lock the same rows in another order
        found = await retrying(partial(_rotate_some, db, ring, after, some))
        rotated.replaced += some.replaced
        rotated.left += some.left
        rotated.failed += some.failed
        if len(found) < BATCH:
            return rotated
        after = found[-1].user_id


async def _rotate_some(db: Db, ring: KeyRing, after: UUID | None, rotated: Rotated) -> list[WrappedKey]:
    """One batch, counted in `rotated`; those that were looked at."""
    rotated.failed.clear()
    async with db.system("user") as session:
        found = await queries.keys_not_under(session, ring.current, after, limit=BATCH)
        anew = [(old, new) for old in found if (new := _wrapped_anew(ring, old, rotated)) is not None]
        rotated.replaced = await queries.replace_wrapped_keys(session, anew)
        rotated.left = len(anew) - rotated.replaced
    return found


def _wrapped_anew(ring: KeyRing, old: WrappedKey, rotated: Rotated) -> WrappedKey | None:
    try:
        key = ring.unwrap(old.wrapped, old.user_id)
    except DecryptionFailed:
        rotated.failed.append(old.user_id)
        return None
    return WrappedKey(old.user_id, ring.wrap(key, old.user_id), ring.current)


async def count_keys(db: Db) -> dict[str, int]:
    """How many data keys each key of the ring wraps, by its id."""
    async with db.system("user") as session:
        return await queries.count_wrapped_keys(session)


def add_key(path: Path) -> str:
    """Put a new key first on the ring of the file; its id. Errors: KeyringInvalid."""
    entry = generate_key()
    _rewrite(path, lambda entries: [entry, *entries])
    return entry.partition(":")[0]


async def drop_key(db: Db, path: Path, key_id: str) -> None:
    """Take a key off the ring of the file. Errors: RingRefused, while it is in use or may be; KeyringInvalid."""
    _check_settled(path, key_id)
    if count := (await count_keys(db)).get(key_id, 0):
        raise RingRefused(f"{key_id} still wraps {count:,} data key(s). Wrap them anew first: florin keys rotate")
    _rewrite(path, lambda entries: [entry for entry in entries if entry.partition(":")[0] != key_id])


def _check_settled(path: Path, key_id: str) -> None:
    """Errors: RingRefused, while the key wraps what is new, or may."""
    if (waited_s := time.time() - path.stat().st_mtime) < SETTLED_S:
        raise RingRefused(f"The ring has just changed. Try again in {SETTLED_S - waited_s:.0f} seconds.")
    ids = KeyRing.from_text(path.read_text().strip()).ids
    if key_id not in ids:
        raise RingRefused(f"{key_id} is not on the ring.")
    if key_id == ids[0]:
        raise RingRefused(f"{key_id} wraps new data keys. Add another first: florin keys add")


def _rewrite(path: Path, change: Callable[[list[str]], list[str]]) -> None:
    """Change the entries of the file: one at a time, and for every reader at once."""
    with _alone(path):
        entries = [entry.strip() for entry in path.read_text().strip().split(",")]
        text = ",".join(change(entries))
        KeyRing.from_text(text)
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        draft.unlink(missing_ok=True)
        with open(draft, "x", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    lock = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
