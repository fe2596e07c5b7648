"""The keys under everything that is encrypted: one data key per user, wrapped by a key of the operator's ring.

Which key wraps may change while processes run: whoever meets the id of a key that their ring lacks reads the ring again, and whoever
wraps looks whether it has changed. So a new key may wrap at once where the ring is a file that all read (`domains/user/rotation.py`).

AES-256-GCM. A ciphertext is `1 | nonce (12) | sealed`; a wrapped data key is `1 | length of key id | key id | nonce | sealed`,
so that a ring can hold old keys beside the one that wraps now. What is sealed is bound to its table, column and user:
moved elsewhere it does not open. Destroying a user's row of `user_keys` makes everything sealed for them unreadable.
"""

import base64
import os
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from uuid import UUID

import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from db.attempts import uncounted
from db.engines import Db, Viewer
from db.user import queries
from domains.core.cipher import DecryptionFailed, NewKey

log = structlog.get_logger(__name__)

FORMAT = b"\x01"
NONCE_BYTES = 12
KEY_BYTES = 32
#: Unwrapped keys kept in memory, and for how long: an erased user's key lives no longer than this.
KEPT = 1_000
KEPT_S = 60.0


class KeyringInvalid(ValueError):
    """The ring's text is not `id:base64(32 bytes)[,id:base64(32 bytes)...]`."""


class KeyUnknown(DecryptionFailed):
    """The ring lacks the key that wraps a user's data key."""


class RingSource(Protocol):
    """Where the ring is kept."""

    def read(self) -> "KeyRing | None":
        """The ring, if it is another than the last time it was read here. Errors: KeyringInvalid; OSError."""
        ...


class KeyRing:
    """The operator's keys by id. The first one wraps; all of them unwrap."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        if not keys or any(len(key) != KEY_BYTES or not 0 < len(name.encode()) <= 100 for name, key in keys.items()):
            raise KeyringInvalid("a key ring needs at least one key of 32 bytes, each with an id of 1 to 100 bytes")
        self._keys = dict(keys)
        self.current = next(iter(self._keys))
        self.ids = tuple(self._keys)

    @classmethod
    def from_text(cls, text: str) -> "KeyRing":
        """Parse `id:base64,id:base64`. Errors: KeyringInvalid, which never quotes the text."""
        keys: dict[str, bytes] = {}
        for place, part in enumerate(text.split(","), start=1):
            name, _, encoded = part.strip().partition(":")
            try:
                keys[name] = base64.b64decode(encoded, validate=True)
            except ValueError as error:
                raise KeyringInvalid(f"key {place} of the ring is not base64") from error
        return cls(keys)

    def wrap(self, data_key: bytes, user_id: UUID) -> bytes:
        name = self.current.encode()
        sealed = _seal(self._keys[self.current], data_key, _wrap_place(user_id))
        return FORMAT + bytes([len(name)]) + name + sealed

    def unwrap(self, wrapped: bytes, user_id: UUID) -> bytes:
        """Errors: DecryptionFailed; KeyUnknown, for a key that is not on the ring."""
        if wrapped[:1] != FORMAT or len(wrapped) < 2:
            raise DecryptionFailed("a wrapped key of an unknown format")
        end = 2 + wrapped[1]
        key = self._keys.get(wrapped[2:end].decode(errors="replace"))
        if key is None:
            raise KeyUnknown("the key ring lacks the key that wraps this user's data key")
        return _open(key, wrapped[end:], _wrap_place(user_id))


class RingFile:
    """A ring in a file. Looking whether it has changed costs a `stat`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[int, int, int] | None = None

    def read(self) -> KeyRing | None:
        found = self.path.stat()
        version = (found.st_mtime_ns, found.st_ino, found.st_size)
        if version == self._seen:
            return None
        ring = KeyRing.from_text(self.path.read_text().strip())
        self._seen = version
        return ring


def generate_key() -> str:
    """A new ring entry, as `id:base64`. The id is of this millisecond, so that no two of an operator's are alike."""
    return f"k{time.time_ns() // 1_000_000}:{base64.b64encode(os.urandom(KEY_BYTES)).decode()}"


@dataclass(frozen=True, slots=True)
class DataKey:
    """The `UserKey` of one user, unwrapped."""

    user_id: UUID
    key: bytes = field(repr=False)

    def seal(self, table: str, column: str, plain: bytes) -> bytes:
        return FORMAT + _seal(self.key, plain, _place(self.user_id, table, column))

    def open(self, table: str, column: str, ciphertext: bytes) -> bytes:
        if ciphertext[:1] != FORMAT:
            raise DecryptionFailed("a ciphertext of an unknown format")
        return _open(self.key, ciphertext[1:], _place(self.user_id, table, column))


class UserCipher:
    """The `Cipher` of the application: makes a user's data key on first use and keeps unwrapped ones for a minute.

    source: where the ring may have changed meanwhile; None: it is the process's own, until its end.
    """

    def __init__(self, db: Db, ring: KeyRing, source: RingSource | None = None) -> None:
        self._db = db
        self._ring = ring
        self._source = source
        self._kept: OrderedDict[UUID, tuple[float, bytes]] = OrderedDict()

    async def key_of(self, user_id: UUID, *, make: bool) -> DataKey:
        return DataKey(user_id, await self._data_key(user_id, make=make))

    def new_key(self, user_id: UUID) -> NewKey:
        self._read_ring()
        data_key = AESGCM.generate_key(bit_length=8 * KEY_BYTES)
        return NewKey(DataKey(user_id, data_key), self._ring.wrap(data_key, user_id), self._ring.current)

    async def encrypt(self, user_id: UUID, table: str, column: str, plain: bytes) -> bytes:
        return (await self.key_of(user_id, make=True)).seal(table, column, plain)

    async def decrypt(self, user_id: UUID, table: str, column: str, ciphertext: bytes) -> bytes:
        if ciphertext[:1] != FORMAT:
            raise DecryptionFailed("a ciphertext of an unknown format")
        return (await self.key_of(user_id, make=False)).open(table, column, ciphertext)

    async def _data_key(self, user_id: UUID, *, make: bool) -> bytes:
        kept = self._kept.get(user_id)
        if kept is not None and kept[0] > time.monotonic():
            return kept[1]
        viewer = Viewer(user_id)
        async with self._db.read("user", viewer) as read:
            wrapped = await read.value(queries.wrapped_key())
        if wrapped is None:
            if not make:
                raise DecryptionFailed("the user has no data key")
            wrapped = await self._make(viewer)
        key = self._unwrap(wrapped, user_id)
        self._keep(user_id, key)
        return key

    def _unwrap(self, wrapped: bytes, user_id: UUID) -> bytes:
        try:
            return self._ring.unwrap(wrapped, user_id)
        except KeyUnknown:
            if not self._read_ring():
                raise
        return self._ring.unwrap(wrapped, user_id)

    def _read_ring(self) -> bool:
        """Look whether the ring has changed. A ring that cannot be read, as while its file is replaced by hand, leaves the last one."""
        try:
            found = None if self._source is None else self._source.read()
        except (KeyringInvalid, OSError) as error:
            log.error("keys.ring_not_read", error=type(error).__name__)
            return False
        self._ring = found or self._ring
        return found is not None

    async def _make(self, viewer: Viewer) -> bytes:
        """A data key for the user; when two make one at once, the first one's is both's."""
        made = self.new_key(viewer.user_id)
        with uncounted():
            async with self._db.write("user", viewer) as session:
                return await queries.add_wrapped_key(session, made.wrapped, made.key_id)

    def _keep(self, user_id: UUID, key: bytes) -> None:
        self._kept[user_id] = (time.monotonic() + KEPT_S, key)
        self._kept.move_to_end(user_id)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)


def _seal(key: bytes, plain: bytes, place: bytes) -> bytes:
    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plain, place)


def _open(key: bytes, sealed: bytes, place: bytes) -> bytes:
    try:
        return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], place)
    except (InvalidTag, ValueError) as error:
        raise DecryptionFailed("damaged, or sealed for another place") from error


def _place(user_id: UUID, table: str, column: str) -> bytes:
    return f"{table}|{column}|{user_id}".encode()


def _wrap_place(user_id: UUID) -> bytes:
    return _place(user_id, "user_keys", "wrapped_key")
