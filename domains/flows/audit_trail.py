"""From a change to its entry in the audit trail, exactly once, whatever is killed in between.

    note       in the transaction of the change: one `jobs` row of topic `audit.record`, whose personal part is sealed already
    record     the worker: the entry at the end of its user's chain, with a fence, in the audit domain; then the job is done

The entry has the job's id, and the instant of the change: when the row was written, by the database's clock.
"""

from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final, Protocol
from uuid import UUID

from db import jobs
from db.engines import Origin, SystemSession, Viewer, WriteSession
from domains.audit.sealing import SEALED, seal_text, seal_values
from domains.audit.service.append_entry import NewEntry, append_entry
from domains.core.audit import RECORD, RECORD_ATTEMPTS, Action, Trail
from domains.core.changes import UNSET
from domains.core.cipher import NewKey, UserKey
from domains.core.ids import new_id
from domains.flows.services import Services

#: What is plain in a payload, beside the action.
PLAIN: Final = ("service_name", "resource_type", "resource_id", "request_id")
#: Work that nobody asks for from outside is the worker's.
UNASKED: Final = Origin("worker")


class EntryJob(Protocol):
    """The job that carries an entry."""

    @property
    def id(self) -> UUID: ...
    @property
    def domain(self) -> str: ...
    @property
    def user_id(self) -> UUID | None: ...
    @property
    def viewer(self) -> Viewer: ...
    @property
    def created_at(self) -> datetime: ...
    @property
    def payload(self) -> dict[str, Any]: ...

    async def finish(self, session: SystemSession) -> None: ...


async def open_trail(services: Services, viewer: Viewer, *, correlation_id: UUID | None = None) -> Trail:
    """The trail of what the viewer does. Before the transaction that it is used in: a first key is made in one of its own.

    correlation_id: what the entries have in common, such as the job that they come from.
    """
    key = await services.cipher.key_of(viewer.user_id, make=True)
    return _Trail(viewer.user_id, key, viewer.origin or UNASKED, correlation_id)


@asynccontextmanager
async def noted_write(services: Services, domain: str, viewer: Viewer) -> AsyncIterator[tuple[WriteSession, Trail]]:
    """One transaction on the viewer's behalf, and their trail to leave entries with it. Errors: those of `Db.write`."""
    trail = await open_trail(services, viewer)
    async with services.db.write(domain, viewer) as session:
        yield session, trail


def open_first_trail(user_id: UUID, made: NewKey, origin: Origin | None) -> Trail:
    """The trail of somebody who is made in the same transaction, and their key with them."""
    return _Trail(user_id, made.key, origin or UNASKED)


def open_nobodys_trail(origin: Origin) -> Trail:
    """The trail of what is done to nobody in particular, in a system session. Its entries must have nothing personal in them."""
    return _Trail(None, None, origin)


@dataclass(frozen=True, slots=True)
class _Trail:
    user_id: UUID | None
    key: UserKey | None
    origin: Origin
    correlation_id: UUID | None = None

    async def note(
        self,
        session: SystemSession | WriteSession,
        action: Action,
        *,
        resource_type: str | None = None,
        resource_id: UUID | str | None = None,
        old: Mapping[str, Any] | None = None,
        new: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        if session.is_replay:
            return
        plain = {
            "service_name": self.origin.service,
            "resource_type": resource_type,
            "resource_id": None if resource_id is None else str(resource_id),
            "request_id": self.origin.request_id,
            "correlation_id": None if self.correlation_id is None else str(self.correlation_id),
        }
        sealed = {column: b64encode(value).decode() for column, value in self._seal(old, new, metadata).items()}
        said = {name: value for name, value in plain.items() if value is not None}
        payload = {"action": action.value, **said, "sealed": sealed}
        # nobody waits for an entry: the relay finds the row when it looks next, and no commit has to wake it
        key, most = str(new_id()), RECORD_ATTEMPTS
        await jobs.add(session, RECORD, key=key, payload=payload, user_id=self.user_id, max_attempts=most, wake=False)

    def _seal(self, old: Mapping[str, Any] | None, new: Mapping[str, Any] | None, metadata: Mapping[str, Any] | None) -> dict[str, bytes]:
        if self.key is None and (old or new or self.origin.address or self.origin.user_agent):
            raise ValueError("an entry without a user has nothing personal in it")
        values = {"old_values": old, "new_values": new, "metadata": metadata}
        sealed = {column: seal_values(self.key, column, value) for column, value in values.items() if value}
        if self.key is not None:
            texts = {"ip_address": self.origin.address, "user_agent": self.origin.user_agent}
            sealed |= {column: seal_text(self.key, column, text) for column, text in texts.items() if text}
        return sealed


async def record_entry(services: Services, job: EntryJob) -> None:
    """The job `audit.record` of any domain. Errors: LeaseLost."""
    is_ours = job.domain == "audit"
    async with _session(services, job, "audit") as session:
        if not await jobs.applied(session, job.id):
            await append_entry(session, _entry(job))
        if is_ours:
            await job.finish(session)
    if not is_ours:
        async with _session(services, job, job.domain) as session:
            await job.finish(session)


def said(command: Any, *but: str) -> dict[str, Any]:
    """What a command says, by name: what is None or left out of it is left out."""
    return {name: value for name, value in asdict(command).items() if name not in but and value is not None and value is not UNSET}


def said_of(command: Any, *but: str) -> dict[str, list[str]]:
    """Of what a command says anything, as the details of a change whose values are not told."""
    names = (name for name, value in asdict(command).items() if name not in but and value is not UNSET)
    return {"changed": sorted(names)}


def _session(services: Services, job: EntryJob, domain: str) -> Any:
    """A session on behalf of the entry's user, or of nobody."""
    return services.db.system(domain) if job.user_id is None else services.db.write(domain, job.viewer)


def _entry(job: EntryJob) -> NewEntry:
    payload = job.payload
    correlation_id = payload.get("correlation_id")
    stored: dict[str, Any] = {name: payload.get(name) for name in PLAIN}
    stored |= {column: b64decode(value) for column, value in payload["sealed"].items() if column in SEALED}
    return NewEntry(
        id=job.id,
        user_id=job.user_id,
        timestamp=job.created_at,
        action=payload["action"],
        correlation_id=None if correlation_id is None else UUID(correlation_id),
        **stored,
    )
