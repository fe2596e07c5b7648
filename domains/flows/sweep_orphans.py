"""Rows whose parent is in another domain and gone: found by asking both, a batch of ids at a time, and deleted.

    ids      the child's domain: the next so many that the column holds
    ask      the parent's domain: which of them are there
    delete   the child's domain, in batches: the rows of those that are not, each batch with its entry in the audit trail

A row younger than an hour is no orphan, its parent may be on its way; nor is one of somebody who is held. The sweep may be stopped after
any batch, and begins anew the next night.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from db import retention
from db.engines import Origin
from db.retention import Orphans
from domains.core.audit import Action
from domains.flows.audit_trail import open_nobodys_trail
from domains.flows.holds import find_held
from domains.flows.services import Services
from domains.flows.soft_references import SWEPT, SoftReference

YOUNG: Final = timedelta(hours=1)
IDS_AT_ONCE: Final = 1_000
#: Of one reference in one run: a hundred million ids.
BATCHES_AT_MOST: Final = 100_000
#: Rows of a transaction.
ROWS_AT_ONCE: Final = 5_000


@dataclass(frozen=True, slots=True)
class Swept:
    """How many orphans of a reference went, or would."""

    reference: SoftReference
    rows: int


async def sweep_orphans(services: Services, origin: Origin) -> list[Swept]:
    """Sweep every soft reference."""
    return [Swept(each, await _sweep(services, each, origin)) for each in SWEPT]


async def plan_sweep(services: Services) -> list[Swept]:
    """What `sweep_orphans` would come to now. Changes nothing."""
    return [Swept(each, await _sweep(services, each, None)) for each in SWEPT]


async def _sweep(services: Services, reference: SoftReference, origin: Origin | None) -> int:
    """Without an origin it counts only."""
    rows, after = 0, None
    for _ in range(BATCHES_AT_MOST):
        async with services.db.system(reference.domain) as session:
            ids = await retention.list_values(session, reference.table, reference.column, after, limit=IDS_AT_ONCE)
        if not ids:
            break
        async with services.db.system(reference.parent_domain) as session:
            present = await retention.find_present(session, reference.parent, reference.key, ids, reference.ended)
        if missing := [each for each in ids if each not in present]:
            rows += await _remove(services, reference, missing, origin)
        after = ids[-1]
    return rows


async def _remove(services: Services, reference: SoftReference, missing: Sequence[UUID], origin: Origin | None) -> int:
    orphans = Orphans(reference.table, reference.column, missing, reference.since, services.clock.now() - YOUNG)
    removed = 0
    while True:
        held = await find_held(services)
        if held.everybody:
            return removed
        async with services.db.system(reference.domain) as session:
            if origin is None:
                return await retention.count_orphans(session, orphans, held.users)
            gone = await retention.delete_orphans(session, orphans, held.users, limit=ROWS_AT_ONCE)
            if gone:
                told = {"reference": str(reference), "rows": gone}
                await open_nobodys_trail(origin).note(session, Action.ORPHANS_REMOVED, metadata=told)
        removed += gone
        if not gone:
            return removed
