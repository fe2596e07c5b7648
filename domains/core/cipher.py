"""What every domain may ask of the keys, which belong to `user`."""

from typing import Protocol
from uuid import UUID


class DecryptionFailed(Exception):
    """The ciphertext is not what this place wrote: damaged, moved from another row's owner, or its key is gone."""


class Cipher(Protocol):
    """Authenticated encryption with one data key per user. A ciphertext is bound to its table, column and user."""

    async def encrypt(self, user_id: UUID, table: str, column: str, plain: bytes) -> bytes: ...

    async def decrypt(self, user_id: UUID, table: str, column: str, ciphertext: bytes) -> bytes:
        """Errors: DecryptionFailed."""
        ...
