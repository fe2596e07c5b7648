"""What every domain may ask of the keys, which belong to `user`."""

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID


class DecryptionFailed(Exception):
    """The ciphertext is not what this place wrote: damaged, moved from another row's owner, or its key is gone."""


class UserKey(Protocol):
    """One user's data key at hand: sealing and opening with it asks nobody anything, so it can be done inside a transaction."""

    def seal(self, table: str, column: str, plain: bytes) -> bytes: ...

    def open(self, table: str, column: str, ciphertext: bytes) -> bytes:
        """Errors: DecryptionFailed."""
        ...


@dataclass(frozen=True, slots=True)
class NewKey:
    """A data key for a user who is being made, and how it is stored: wrapped by the ring's key of this id."""

    key: UserKey
    wrapped: bytes
    key_id: str


class Cipher(Protocol):
    """Authenticated encryption with one data key per user. A ciphertext is bound to its table, column and user."""

    async def key_of(self, user_id: UUID, *, make: bool) -> UserKey:
        """The user's data key; without one, and `make`, a new one, in a transaction of its own: never ask inside another of theirs.

        Errors: DecryptionFailed when there is none and none is to be made.
        """
        ...

    def new_key(self, user_id: UUID) -> NewKey:
        """A data key that nobody has stored yet."""
        ...

    async def encrypt(self, user_id: UUID, table: str, column: str, plain: bytes) -> bytes: ...

    async def decrypt(self, user_id: UUID, table: str, column: str, ciphertext: bytes) -> bytes:
        """Errors: DecryptionFailed."""
        ...
