"""What an operator does with the key ring. Never tells a key, only its id."""

from pathlib import Path

from app.errors import OperatorError
from app.settings import Settings
from app.wiring import open_services, read_keyring
from domains.user import rotation

#: Of users whose data keys do not open, as many are told one by one.
FAILED_TOLD = 20


async def list_keys(settings: Settings) -> str:
    """The ids of the ring's keys in its order, and those that wrap data keys without being on it: how many each wraps."""
    ring = read_keyring(settings)
    async with open_services(settings) as services:
        wrapped = await rotation.count_keys(services.db)
    lines = [f"{key_id}  {wrapped.get(key_id, 0):,}" + ("  wraps new data keys" if key_id == ring.current else "") for key_id in ring.ids]
    lines += [f"{key_id}  {count:,}  not on the ring" for key_id, count in sorted(wrapped.items()) if key_id not in ring.ids]
    return "\n".join(lines)


def add_key(settings: Settings) -> str:
    """A new key, first on the ring's file. Errors: OperatorError."""
    key_id = rotation.add_key(_file(settings))
    return f"{key_id} wraps new data keys. Wrap the others anew: florin keys rotate"


async def rotate_keys(settings: Settings) -> str:
    """Every data key under the ring's first key. Errors: OperatorError, with the users whose keys do not open."""
    ring = read_keyring(settings)
    async with open_services(settings) as services:
        rotated = await rotation.rotate_keys(services.db, ring)
    told = f"{rotated.replaced:,} data key(s) are wrapped by {ring.current} now"
    if rotated.left:
        told += f"; {rotated.left:,} were changed by others meanwhile: run it again to see that none is left"
    if rotated.failed:
        users = [f"user {user_id}" for user_id in rotated.failed[:FAILED_TOLD]]
        raise OperatorError("\n".join([f"{told}.", f"{len(rotated.failed):,} do not open by any key of the ring:", *users]))
    return told


async def drop_key(settings: Settings, key_id: str) -> str:
    """Take a key that wraps nothing off the ring's file. Errors: OperatorError."""
    path = _file(settings)
    async with open_services(settings) as services:
        try:
            await rotation.drop_key(services.db, path, key_id)
        except rotation.RingRefused as error:
            raise OperatorError(str(error)) from error
    return f"{key_id} is off the ring"


def _file(settings: Settings) -> Path:
    read_keyring(settings)
    path = settings.ring_file()
    if path is None:
        raise OperatorError(
            "FLORIN_KEYRING holds the ring, and only you can change it. docs/operating.md says in which order; `florin secrets` makes keys."
        )
    return path
