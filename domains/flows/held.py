"""A job that the process which requested it runs itself."""

from dataclasses import dataclass
from uuid import UUID

from db import jobs
from db.engines import SystemSession, Viewer


@dataclass(frozen=True, slots=True)
class HeldJob:
    """A claim taken at birth, as flows want their job."""

    claim: jobs.Claim
    viewer: Viewer

    @property
    def id(self) -> UUID:
        return self.claim.id

    @property
    def domain(self) -> str:
        return self.claim.domain

    @property
    def run(self) -> int:
        return self.claim.lease_token

    async def check(self, session: SystemSession) -> None:
        """Errors: LeaseLost."""
        await jobs.check(session, self.claim)

    async def finish(self, session: SystemSession) -> None:
        """Errors: LeaseLost."""
        await jobs.finish(session, self.claim)
