"""The end of a connection, as its owner asks.

remove     bank: its tokens are destroyed where they stood, its accounts closed, in one transaction; what follows is two jobs
revoke     its bank is told, with no transaction open, until it has heard it or a day has passed; then the last copy is destroyed
forget     transaction: its transactions go, in batches, where its owner wants that; sums and budgets follow
"""

import asyncio
from typing import Final
from uuid import UUID

from db.engines import Viewer
from domains.bank.providers.errors import ProviderError, ProviderUnavailable
from domains.bank.providers.protocol import Reached
from domains.bank.sealing import open_credentials
from domains.bank.service import remove_connections as service
from domains.bank.service.sync_connections import SYNC
from domains.core.audit import Action
from domains.core.cipher import DecryptionFailed
from domains.core.errors import TryAgain
from domains.flows.audit_trail import noted_write, open_trail
from domains.flows.link_bank import CONNECTION
from domains.flows.refold_budgets import refold_held
from domains.flows.services import Job, Services
from domains.transaction.service.forget_accounts import forget_some

REVOKED_WITHIN_S: Final = 60.0
#: Batches of one run; what is left is for the next.
BATCHES_AT_MOST: Final = 1_000


async def remove_connection(services: Services, viewer: Viewer, connection_id: UUID, *, forgets: bool) -> None:
    """End a connection; `forgets`: its transactions go with it. Removing it again changes nothing, but may still forget.

    Errors: BankConnectionNotFound.
    """
    async with noted_write(services, "bank", viewer) as (session, trail):
        await service.remove_connection(session, connection_id, services.clock.now(), forgets=forgets)
        told = {"transactions": "DELETE" if forgets else "KEEP"}
        await trail.note(session, Action.BANK_REMOVED, resource_type=CONNECTION, resource_id=connection_id, metadata=told)


async def run_revoking(services: Services, job: Job, revocation_id: UUID) -> None:
    """The job `bank.revoke`. Errors: ProviderError, after which it is tried again; LeaseLost."""
    async with services.db.write("bank", job.viewer) as session:
        found = await service.find_revocation(session, revocation_id)
        if found is None:
            await job.finish(session)
            return
    revocation, connection = found
    is_told = False
    if services.clock.now() < revocation.gives_up_at:
        key = await services.cipher.key_of(job.viewer.user_id, make=True)
        try:
            credentials = open_credentials(key, revocation)
        except DecryptionFailed:
            pass  # nobody can be told with what nobody can read
        else:
            await _revoke(
                services,
                connection.provider,
                Reached(item_id=connection.provider_item_id, credentials=credentials, institution_id=connection.institution_id),
            )
            is_told = True
    trail = await open_trail(services, job.viewer, correlation_id=job.id)
    async with services.db.write("bank", job.viewer) as session:
        await service.end_revocation(session, revocation_id)
        action = Action.BANK_ACCESS_REVOKED if is_told else Action.BANK_ACCESS_NOT_REVOKED
        await trail.note(session, action, resource_type=CONNECTION, resource_id=connection.id)
        await job.finish(session)


async def run_forgetting(services: Services, job: Job, connection_id: UUID) -> None:
    """The job `bank.forget_transactions`. Errors: TryAgain while a fetch of the connection still runs; LeaseLost."""
    async with services.db.write("bank", job.viewer) as session:
        account_ids = await service.find_forgotten(session, connection_id, SYNC)
    if account_ids is None:
        raise TryAgain("SYNC_RUNS", "A fetch of this connection still runs.", retry_after_s=2.0)
    for _ in range(BATCHES_AT_MOST):
        if not account_ids:
            break
        async with services.db.write("transaction", job.viewer) as session:
            forgotten = await forget_some(session, account_ids)
        await refold_held(services, job.viewer, forgotten.refold)
        if forgotten.is_over:
            break
    async with services.db.write("bank", job.viewer) as session:
        await job.finish(session)


async def _revoke(services: Services, name: str, reached: Reached) -> None:
    """Errors: ProviderError."""
    provider = services.banks.get(name)
    if provider is None:
        raise ProviderUnavailable("NOT_SET_UP")
    try:
        async with asyncio.timeout(REVOKED_WITHIN_S):
            await provider.revoke(reached)
    except TimeoutError as error:
        raise ProviderUnavailable("TIMED_OUT") from error


#: What is tried again, without being reported as a mistake of ours.
PASSING: Final = (ProviderError,)
