"""What a process hands to its use cases. Built once by `app.wiring`; nothing here is global."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from db.engines import Db, SystemSession, Viewer
from db.limits import Bucket
from db.live import Hub
from db.redis import RedisConnections
from domains.bank.providers.protocol import LinkedProvider, StatementFileReader
from domains.core.cipher import Cipher
from domains.core.clock import Clock
from domains.user.passwords import Passwords

VIEWER = Bucket(capacity=10_000, per_second=500)
ADDRESS = Bucket(capacity=2_000, per_second=20)
SIGN_IN_PER_ACCOUNT = Bucket(capacity=10, per_second=1 / 30)
SIGN_IN_PER_ADDRESS = Bucket(capacity=100, per_second=1 / 3)


@dataclass(frozen=True, slots=True)
class Options:
    """Figures that an operator may change."""

    access_token_ttl_s: int = 12 * 3600
    upload_kept_s: int = 24 * 3600
    #: Whether workers let go what no policy keeps any more (domains/flows/retention_policies.py). An operator may ask for it anyway.
    applies_retention: bool = True
    #: How often each connection is fetched from.
    sync_every_s: int = 4 * 3600
    #: A fetch that takes longer is given up, and tried again.
    fetch_within_s: float = 10 * 60.0
    #: Where a bank may send people back to: an exact list.
    bank_redirect_urls: tuple[str, ...] = ()
    #: What a viewer may spend: operation cost, refilled per second.
    viewer_bucket: Bucket = VIEWER
    #: What a client address may spend without being signed in.
    address_bucket: Bucket = ADDRESS
    #: Attempts to sign in, per account and per client address.
    sign_in_per_account: Bucket = SIGN_IN_PER_ACCOUNT
    sign_in_per_address: Bucket = SIGN_IN_PER_ADDRESS


@dataclass(frozen=True, slots=True)
class Services:
    db: Db
    redis: RedisConnections
    hub: Hub
    cipher: Cipher
    clock: Clock
    passwords: Passwords
    #: Readers of statement files, by the name of their provider.
    statements: Mapping[str, StatementFileReader]
    #: Providers that can be linked and fetched from, by name: those that the operator has set up.
    banks: Mapping[str, LinkedProvider]
    options: Options


class Job(Protocol):
    """The job that a flow runs in: claimed, leased, on behalf of `viewer`."""

    @property
    def id(self) -> UUID: ...
    @property
    def domain(self) -> str: ...
    @property
    def viewer(self) -> Viewer: ...
    @property
    def run(self) -> int:
        """Which run of the job this is: later ones have greater numbers."""
        ...

    async def check(self, session: SystemSession) -> None:
        """Make sure, in a transaction of the job's own domain, that nobody else has taken it over. Errors: LeaseLost."""
        ...

    async def finish(self, session: SystemSession) -> None:
        """Mark the job done in the transaction of its last effect. Errors: LeaseLost, which rolls that effect back."""
        ...
