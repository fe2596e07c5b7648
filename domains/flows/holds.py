"""Legal holds: what retention, sweeps and erasure must leave alone, whoever it belongs to.

The domain that keeps them is another than those whose rows they keep, so that a hold is in force for every batch that begins after it was
placed: batches are small, and each asks anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from db.audit import queries
from db.engines import Origin
from db.user import queries as users
from domains.audit.service import keep_trail
from domains.audit.service.keep_trail import PlaceHold
from domains.core.audit import Action
from domains.flows.audit_trail import open_nobodys_trail
from domains.flows.services import Services

RESOURCE: Final = "LegalHold"
#: With more than so many people held, everybody is: the safe side.
HELD_ONE_BY_ONE: Final = 100_000


@dataclass(frozen=True, slots=True)
class Held:
    """Whose data must stay: everybody's, or these users'."""

    everybody: bool
    users: frozenset[UUID]

    def holds(self, user_id: UUID | None) -> bool:
        return self.everybody or user_id in self.users


async def find_held(services: Services) -> Held:
    """As it is now. Ask again before each batch."""
    async with services.db.system("audit") as session:
        found = await queries.list_held(session, limit=HELD_ONE_BY_ONE + 1)
    named = frozenset(user_id for user_id in found if user_id is not None)
    return Held(None in found or len(found) > HELD_ONE_BY_ONE, named)


async def place_hold(services: Services, command: PlaceHold, origin: Origin) -> UUID:
    """Keep what the hold names from now on; answers its id.

    The entry is in nobody's chain, and does not say whose data it is: whoever is held need not be told.
    """
    async with services.db.system("audit") as session:
        hold_id = await keep_trail.place_hold(session, command)
        what = {"everybody": command.user_id is None}
        await open_nobodys_trail(origin).note(session, Action.LEGAL_HOLD_PLACED, resource_type=RESOURCE, resource_id=hold_id, metadata=what)
    return hold_id


async def release_hold(services: Services, hold_id: UUID, origin: Origin) -> bool:
    """False when there is no such hold in force."""
    async with services.db.system("audit") as session:
        is_released = await keep_trail.release_hold(session, hold_id)
        if is_released:
            await open_nobodys_trail(origin).note(session, Action.LEGAL_HOLD_RELEASED, resource_type=RESOURCE, resource_id=hold_id)
    return is_released


@dataclass(frozen=True, slots=True)
class ListedHold:
    """A hold that is in force. `email` is None for everybody's, and for users who are gone."""

    id: UUID
    user_id: UUID | None
    email: str | None
    reason: str
    placed_by: str
    placed_at: datetime


async def list_holds(services: Services) -> Sequence[ListedHold]:
    """Those in force, the oldest first; at most a thousand."""
    async with services.db.system("audit") as session:
        found = await queries.list_holds(session)
    async with services.db.system("user") as session:
        emails = await users.emails_of(session, sorted({each.user_id for each in found if each.user_id is not None}))
    return [ListedHold(each.id, each.user_id, emails.get(each.user_id), each.reason, each.placed_by, each.placed_at) for each in found]
