"""Builds what a process hands to its use cases, and takes it down again."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.banks import open_banks
from app.errors import SettingsInvalid
from app.settings import Settings
from db.engines import Db
from db.live import Hub
from db.redis import RedisConnections
from domains.bank.providers.file.provider import FileProvider
from domains.core.clock import Clock, SystemClock
from domains.flows.services import Options, Services
from domains.user.keys import KeyRing, KeyringInvalid, RingFile, UserCipher
from domains.user.passwords import Passwords


@asynccontextmanager
async def open_services(settings: Settings, *, clock: Clock | None = None, passwords: Passwords | None = None) -> AsyncIterator[Services]:
    """The services of one process, open for the block. Connections are made when first needed.

    Errors: SettingsInvalid.
    """
    clock = clock or SystemClock()
    ring, ring_file = read_keyring(settings), settings.ring_file()
    redis = RedisConnections(settings.redis())
    db = Db(settings.dsns(), redis, pool_size=settings.pool_size, now=clock.now)
    hub = Hub(redis)
    hub.start()
    try:
        async with open_banks(settings, redis, clock) as banks:
            yield Services(
                db=db,
                redis=redis,
                hub=hub,
                cipher=UserCipher(db, ring, None if ring_file is None else RingFile(ring_file)),
                clock=clock,
                passwords=passwords or Passwords(),
                statements={"file": FileProvider(clock, settings.secret_for("account ids"))},
                banks=banks,
                options=Options(
                    applies_retention=settings.retention == "on",
                    access_token_ttl_s=settings.access_token_ttl_s,
                    sync_every_s=settings.sync_every_s,
                    bank_redirect_urls=settings.bank_redirect_urls,
                ),
            )
    finally:
        await hub.close()
        await db.close()
        await redis.close()


def read_keyring(settings: Settings) -> KeyRing:
    """Errors: SettingsInvalid."""
    try:
        return KeyRing.from_text(settings.keyring_text())
    except KeyringInvalid as error:
        raise SettingsInvalid(f"FLORIN_KEYRING: {error}. It is written id:base64 of 32 bytes, the key in use first.") from None
