"""Check that nothing of the trail was changed, taken out or put in."""

from collections.abc import AsyncIterator
from typing import Any, Final
from uuid import UUID

from db.audit import queries
from db.engines import Db, SystemSession
from domains.audit import rules
from domains.audit.rules import Break, Entry, Link

BATCH: Final = 1_000


async def verify_chain(session: SystemSession, user_id: UUID | None) -> Break | None:
    """The first place where the chain of a user (None: of nobody) does not hold; None when it does. Changes nothing.

    The transaction must be this check's alone: it reads one snapshot, in batches. What retention has dropped is known by the head, so
    the chain begins after that; an older entry that is left over in a later month is checked by itself.
    """
    await queries.hold_snapshot(session)
    head = await queries.find_head(session, user_id)
    if head is None:
        async for link in _links(session, user_id):
            return Break(link.entry.sequence, "the chain has entries and no head")
        return None
    sequence, previous = head.dropped_sequence, head.dropped_hash
    async for link in _links(session, user_id):
        if link.entry.sequence <= head.dropped_sequence:
            broken = rules.check_content(link)
        else:
            sequence += 1
            broken, previous = rules.check_link(link, sequence, previous), link.entry_hash
        if broken is not None:
            return broken
    if sequence < head.sequence:
        return Break(sequence + 1, f"the entry is missing, and so is all after it up to {head.sequence}")
    if sequence > head.sequence or previous != head.entry_hash:
        return Break(sequence, "the chain does not end where its head says")
    return None


async def verify_chains(db: Db) -> AsyncIterator[tuple[UUID | None, Break | None]]:
    """Every chain and what is wrong with it, each in a transaction of its own: the entries without a user, then user by user."""
    after: UUID | None = None
    async with db.system("audit") as session:
        yield None, await verify_chain(session, None)
    while True:
        async with db.system("audit") as session:
            owners = await queries.list_chain_owners(session, after, limit=BATCH)
        for owner in owners:
            async with db.system("audit") as session:
                yield owner, await verify_chain(session, owner)
        if len(owners) < BATCH:
            break
        after = owners[-1]
    async with db.system("audit") as session:
        headless = await queries.list_headless(session, limit=BATCH)
    for owner_or_nobody in headless:
        async with db.system("audit") as session:
            yield owner_or_nobody, await verify_chain(session, owner_or_nobody)


async def _links(session: SystemSession, user_id: UUID | None) -> AsyncIterator[Link]:
    """The entries of a chain in their order, `BATCH` a statement."""
    after: tuple[int, UUID] | None = None
    while True:
        rows = await queries.list_chain(session, user_id, after, limit=BATCH)
        for row in rows:
            yield _link(row)
        if len(rows) < BATCH:
            return
        after = (rows[-1].sequence, rows[-1].id)


def _link(row: Any) -> Link:
    stored = row._mapping
    return Link(Entry(**{name: stored[name] for name in rules.FIELDS}), stored["previous_hash"], stored["entry_hash"])
