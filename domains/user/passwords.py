"""Password hashing: argon2id, off the event loop, at most two at once (each takes 64 MiB)."""

import asyncio
from functools import partial

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

AT_ONCE = 2


class Passwords:
    """Hashes and checks passwords with RFC 9106's second recommended parameters (argon2-cffi's defaults)."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._nobody: str | None = None

    async def hash(self, password: str) -> str:
        """An encoded argon2id hash with a fresh salt."""
        async with self._turn:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def matches(self, stored: str | None, password: str) -> bool:
        """Whether the password is the stored one. An account without one costs the same work, so time tells nothing."""
        if stored is None:
            self._nobody = self._nobody or await self.hash("no account has this password")
        async with self._turn:
            found = await asyncio.to_thread(partial(self._verify, stored or self._nobody or "", password))
        return found and stored is not None

    def needs_rehash(self, stored: str) -> bool:
        """Whether the stored hash was made with weaker parameters than today's."""
        return self._hasher.check_needs_rehash(stored)

    def _verify(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False
