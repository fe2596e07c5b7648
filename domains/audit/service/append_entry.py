"""Write an entry at the end of its chain."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from uuid import UUID

from db.audit import queries
from db.engines import SystemSession, WriteSession
from domains.audit import rules


@dataclass(frozen=True, slots=True)
class NewEntry:
    """An entry that is not in the chain yet. `bytes` are ciphertext under the user's key (without a user: plain JSON)."""

    id: UUID
    user_id: UUID | None
    timestamp: datetime
    service_name: str
    action: str
    resource_type: str | None = None
    resource_id: str | None = None
    request_id: str | None = None
    correlation_id: UUID | None = None
    ip_address: bytes | None = None
    user_agent: bytes | None = None
    old_values: bytes | None = None
    new_values: bytes | None = None
    metadata: bytes | None = None


async def append_entry(session: SystemSession | WriteSession, new: NewEntry) -> int:
    """Append to the chain of the entry's user; answers its number there.

    Effects: the user's other writers wait at the head of the chain until this transaction ends: there is one chain, without a gap.
    """
    await queries.ensure_month(session, new.timestamp.astimezone(UTC).date())
    head = await queries.lock_head(session, new.user_id)
    entry = rules.Entry(sequence=head.sequence + 1, **asdict(new))
    digest = rules.entry_hash(head.entry_hash, entry)
    await queries.add_entry(session, {**asdict(entry), "previous_hash": head.entry_hash, "entry_hash": digest})
    await queries.move_head(session, new.user_id, entry.sequence, digest)
    return entry.sequence
