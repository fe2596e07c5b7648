"""Every statement of the audit domain."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Date,
    Integer,
    Select,
    String,
    Table,
    TableClause,
    Text,
    Uuid,
    and_,
    any_,
    bindparam,
    cast,
    column,
    func,
    insert,
    literal,
    or_,
    select,
    text,
    tuple_,
    update,
)
from sqlalchemy import table as named_table
from sqlalchemy.dialects.postgresql import REGCLASS, distinct_on
from sqlalchemy.dialects.postgresql import insert as upsert

from db.audit.models import LIVE_DELETION, LIVE_EXPORT, audit_heads, audit_logs, data_export_requests, deletion_requests, legal_holds
from db.base import INSTANT
from db.engines import SystemSession, WriteSession
from db.statements import Columns, compiled, is_one_of, leaf, owned, read_columns

AnySession = SystemSession | WriteSession

# Reads for clients

#: The order of the trail: the newest first.
NEWEST = ("timestamp", "sequence")


@dataclass(frozen=True, slots=True)
class EntryFilter:
    """What the trail is narrowed to; None leaves a criterion out. Instants are half-open: from `since` until before `until`."""

    actions: Sequence[str] | None = None
    resource_type: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def criteria(self) -> tuple[str, ...]:
        return tuple(name for name in self.__slots__ if getattr(self, name) is not None)

    def values(self) -> dict[str, Any]:
        return {f"by_{name}": getattr(self, name) for name in self.criteria()}


def _criterion(name: str) -> Any:
    """One criterion; its value is bound as `by_<name>`."""
    rows = audit_logs.c
    match name:
        case "actions":
            return rows.action == any_(bindparam("by_actions", type_=ARRAY(String)))
        case "resource_type":
            return rows.resource_type == bindparam("by_resource_type", type_=String)
        case "since":
            return rows.timestamp >= bindparam("by_since", type_=INSTANT)
        case "until":
            return rows.timestamp < bindparam("by_until", type_=INSTANT)
    raise ValueError(name)


@compiled
def entry_page(columns: Columns, criteria: tuple[str, ...], *, after: bool) -> Select[Any]:
    """A page of the viewer's entries, the newest first. Bound: `keys`, `size`, criteria; with `after`, `after_<column>` of NEWEST."""
    rows = audit_logs
    wanted = [owned(rows), is_one_of(rows.c.user_id), *(_criterion(name) for name in criteria)]
    if after:
        seen = (bindparam("after_timestamp", type_=INSTANT), bindparam("after_sequence", type_=BigInteger))
        wanted.append(tuple_(*(rows.c[name] for name in NEWEST)) < tuple_(*seen))
    order = [rows.c[name].desc() for name in NEWEST]
    size = bindparam("size", type_=Integer)
    return select(*read_columns(rows, columns, rows.c.user_id)).where(*wanted).order_by(*order).limit(size)


@compiled
def entry_count(criteria: tuple[str, ...]) -> Select[Any]:
    """How many entries each user has under the criteria: (key, count)."""
    rows = audit_logs
    wanted = [owned(rows), is_one_of(rows.c.user_id), *(_criterion(name) for name in criteria)]
    return select(leaf(rows.c.user_id).label("key"), func.count()).where(*wanted).group_by(rows.c.user_id)


def _requests_by_id(table: Table, columns: Columns) -> Select[Any]:
    return select(*read_columns(table, columns, table.c.id)).where(owned(table), is_one_of(table.c.id))


def _request_page(table: Table, columns: Columns, *, after: bool) -> Select[Any]:
    wanted = [owned(table), is_one_of(table.c.user_id)]
    if after:
        seen = (bindparam("after_created_at", type_=INSTANT), bindparam("after_id", type_=Uuid))
        wanted.append(tuple_(table.c.created_at, table.c.id) < tuple_(*seen))
    page = select(*read_columns(table, columns, table.c.user_id)).where(*wanted)
    return page.order_by(table.c.created_at.desc(), table.c.id.desc()).limit(bindparam("size", type_=Integer))


def _request_count(table: Table) -> Select[Any]:
    mine = and_(owned(table), is_one_of(table.c.user_id))
    return select(leaf(table.c.user_id).label("key"), func.count()).where(mine).group_by(table.c.user_id)


@compiled
def exports_by_id(columns: Columns) -> Select[Any]:
    return _requests_by_id(data_export_requests, columns)


@compiled
def export_page(columns: Columns, *, after: bool) -> Select[Any]:
    """A page of the viewer's export requests, the newest first. Bound: `keys`, `size`; with `after`, `after_created_at`, `after_id`."""
    return _request_page(data_export_requests, columns, after=after)


@compiled
def export_count() -> Select[Any]:
    return _request_count(data_export_requests)


@compiled
def deletions_by_id(columns: Columns) -> Select[Any]:
    return _requests_by_id(deletion_requests, columns)


@compiled
def deletion_page(columns: Columns, *, after: bool) -> Select[Any]:
    """As `export_page`, of deletion requests."""
    return _request_page(deletion_requests, columns, after=after)


@compiled
def deletion_count() -> Select[Any]:
    return _request_count(deletion_requests)


# Writing the trail

_COLUMNS = tuple(column.name for column in audit_logs.c)


class Head(NamedTuple):
    """The end of a chain, and the last entry of it that retention has dropped (0: none)."""

    sequence: int
    entry_hash: bytes
    dropped_sequence: int
    dropped_hash: bytes


def _is_of(table: Table, user_id: UUID | None) -> Any:
    """The rows of one chain. Not by `is not distinct from`, which no index serves."""
    return table.c.user_id.is_(None) if user_id is None else table.c.user_id == user_id


async def ensure_month(session: AnySession, day: date) -> None:
    """Make the partition of the day's month unless it is there. The database refuses days far from today."""
    await session.execute(select(func.audit_schema.ensure_month(bindparam("day", type_=Date))), {"day": day})


async def lock_head(session: AnySession, user_id: UUID | None) -> Head:
    """The end of the chain, which nobody else moves until this transaction ends. The first time it is made."""
    row = upsert(audit_heads).values(user_id=user_id)
    # an update that changes nothing takes the lock and sees what the last holder committed, in one statement
    locked = row.on_conflict_do_update(index_elements=[audit_heads.c.user_id], set_={"sequence": audit_heads.c.sequence})
    found = (await session.execute(locked.returning(*(audit_heads.c[name] for name in Head._fields)))).one()
    return Head(*found)


async def add_entry(session: AnySession, row: dict[str, Any]) -> None:
    await session.execute(insert(audit_logs).values(row))


async def move_head(session: AnySession, user_id: UUID | None, sequence: int, entry_hash: bytes) -> None:
    moved = update(audit_heads).where(_is_of(audit_heads, user_id))
    await session.execute(moved.values(sequence=sequence, entry_hash=entry_hash))


# Checking the trail


async def hold_snapshot(session: SystemSession) -> None:
    """Have the rest of the transaction read one snapshot; its first statement."""
    await session.execute(text("set transaction isolation level repeatable read, read only"))


async def find_head(session: SystemSession, user_id: UUID | None) -> Head | None:
    statement = select(*(audit_heads.c[name] for name in Head._fields)).where(_is_of(audit_heads, user_id))
    row = (await session.execute(statement)).one_or_none()
    return None if row is None else Head(*row)


async def list_chain(session: SystemSession, user_id: UUID | None, after: tuple[int, UUID] | None, *, limit: int) -> list[Any]:
    """The chain's entries in their order, all columns, after a (sequence, id) if there is one."""
    rows = audit_logs.c
    statement = select(audit_logs).where(_is_of(audit_logs, user_id)).order_by(rows.sequence, rows.id).limit(limit)
    if after is not None:
        sequence, entry_id = after
        statement = statement.where(rows.sequence >= sequence, or_(rows.sequence > sequence, rows.id > entry_id))
    return list((await session.execute(statement)).all())


async def list_chain_owners(session: SystemSession, after: UUID | None, *, limit: int) -> list[UUID]:
    """The users with a chain, in the order of their ids."""
    owner = audit_heads.c.user_id
    statement = select(owner).where(owner.is_not(None)).order_by(owner).limit(limit)
    if after is not None:
        statement = statement.where(owner > after)
    return list((await session.execute(statement)).scalars())


async def list_headless(session: SystemSession, *, limit: int) -> list[UUID | None]:
    """Users (None: nobody) with entries and without a head: somebody has deleted it. Reads the whole trail."""
    heads, rows = audit_heads, audit_logs
    has_head = select(heads.c.sequence).where(heads.c.user_id.is_not_distinct_from(rows.c.user_id)).exists()
    # every chain has a first entry that is left: by it each is looked at once
    statement = select(rows.c.user_id).where(~has_head).group_by(rows.c.user_id).limit(limit)
    return list((await session.execute(statement)).scalars())


# Retention


async def record_drop(session: SystemSession, since: datetime, until: datetime) -> None:
    """Have each chain begin after its last entry of [since, until), which is about to be dropped."""
    rows, heads = audit_logs.c, audit_heads.c
    last = (
        select(rows.user_id, rows.sequence, rows.entry_hash)
        .ext(distinct_on(rows.user_id))
        .where(rows.timestamp >= since, rows.timestamp < until)
        .order_by(rows.user_id, rows.sequence.desc())
        .subquery("last")
    )
    of_chain = and_(heads.user_id.is_not_distinct_from(last.c.user_id), heads.dropped_sequence < last.c.sequence)
    values = {"dropped_sequence": last.c.sequence, "dropped_hash": last.c.entry_hash}
    await session.execute(update(audit_heads).where(of_chain).values(values))


async def drop_month(session: SystemSession, month: date) -> bool:
    """Drop the month's partition; False when there is none. The database refuses what ended less than seven years ago."""
    dropped = await session.execute(select(func.audit_schema.drop_month(bindparam("month", type_=Date))), {"month": month})
    return bool(dropped.scalar_one())


async def list_months(session: SystemSession) -> list[date]:
    """The first days of the months (UTC) that there are partitions for, the oldest first."""
    part, of_parent = _catalog("pg_class", "oid", "relname"), _catalog("pg_inherits", "inhrelid", "inhparent")
    is_ours = of_parent.c.inhparent == cast(literal("audit_schema.audit_logs"), REGCLASS)
    found = select(cast(part.c.relname, Text)).select_from(part.join(of_parent, part.c.oid == of_parent.c.inhrelid)).where(is_ours)
    named = [name.rsplit("_", 2) for name in (await session.execute(found)).scalars()]
    return sorted(date(int(year), int(month), 1) for _, year, month in named)


async def count_entries(session: SystemSession, since: datetime, until: datetime) -> int:
    """How many entries, of everybody, are of [since, until)."""
    rows = audit_logs.c
    counted = select(func.count()).select_from(audit_logs).where(rows.timestamp >= since, rows.timestamp < until)
    return int((await session.execute(counted)).scalar_one())


def _catalog(name: str, *columns: str) -> TableClause:
    return named_table(name, *(column(each) for each in columns), schema="pg_catalog")


# Legal holds


async def list_held(session: SystemSession, *, limit: int) -> list[UUID | None]:
    """Whom holds in force are about, each once (None: everybody); at most so many."""
    hold = legal_holds.c
    found = select(hold.user_id).distinct().where(hold.released_at.is_(None)).order_by(hold.user_id.nulls_first()).limit(limit)
    return list((await session.execute(found)).scalars())


async def add_hold(session: SystemSession, row: dict[str, Any]) -> None:
    await session.execute(insert(legal_holds).values(row))


async def release_hold(session: SystemSession, hold_id: UUID) -> bool:
    """False when there is no such hold, or it was released before."""
    hold = legal_holds.c
    released = update(legal_holds).where(hold.id == hold_id, hold.released_at.is_(None)).values(released_at=func.now())
    return (await session.execute(released.returning(hold.id))).scalar_one_or_none() is not None


async def list_holds(session: SystemSession, *, limit: int = 1_000) -> list[Any]:
    """The holds that are in force, the oldest first: rows with `id`, `user_id` (None: everybody), `reason`, `placed_by`, `placed_at`."""
    hold = legal_holds.c
    found = select(legal_holds).where(hold.released_at.is_(None)).order_by(hold.placed_at, hold.id).limit(limit)
    return list((await session.execute(found)).all())


async def is_month_held(session: SystemSession, since: datetime, until: datetime) -> bool:
    """Whether a hold is in force for everybody, or for somebody with an entry in [since, until)."""
    hold, rows = legal_holds.c, audit_logs.c
    theirs = select(rows.id).where(rows.user_id == hold.user_id, rows.timestamp >= since, rows.timestamp < until).exists()
    held = select(hold.id).where(hold.released_at.is_(None), or_(hold.user_id.is_(None), theirs)).limit(1)
    return (await session.execute(held)).scalar_one_or_none() is not None


# Requests

RequestKind = Literal["export", "deletion"]
_REQUESTS: Mapping[RequestKind, tuple[Table, str]] = {
    "export": (data_export_requests, LIVE_EXPORT),
    "deletion": (deletion_requests, LIVE_DELETION),
}


class StoredRequest(NamedTuple):
    id: UUID
    status: str


async def add_request(session: WriteSession, kind: RequestKind, row: dict[str, Any]) -> bool:
    """Store a request; False when the viewer has a live one of the kind."""
    table, live = _REQUESTS[kind]
    statement = upsert(table).values({**row, "user_id": session.viewer.user_id})
    unless = statement.on_conflict_do_nothing(index_elements=[table.c.user_id], index_where=text(live))
    return (await session.execute(unless.returning(table.c.id))).scalar_one_or_none() is not None


async def lock_request(session: WriteSession, kind: RequestKind, request_id: UUID) -> StoredRequest | None:
    table, _ = _REQUESTS[kind]
    statement = select(table.c.id, table.c.status).where(owned(table), table.c.id == bindparam("id")).with_for_update()
    row = (await session.run(statement, id=request_id)).one_or_none()
    return None if row is None else StoredRequest(*row)


async def cancel_request(session: WriteSession, kind: RequestKind, request_id: UUID) -> None:
    table, _ = _REQUESTS[kind]
    cancelled = update(table).where(owned(table), table.c.id == bindparam("at_id"))
    await session.run(cancelled.values(status="cancelled", cancelled_at=func.now()), at_id=request_id)


class OpenRequest(NamedTuple):
    """A request that an operator has to see to. `detail`: the format of an export, the reason for a deletion."""

    kind: RequestKind
    id: UUID
    user_id: UUID
    status: str
    detail: str | None
    created_at: datetime


async def list_open_requests(session: SystemSession, *, limit: int) -> list[OpenRequest]:
    """At most `limit` of each kind, the oldest first."""
    found: list[OpenRequest] = []
    for kind, (table, live) in _REQUESTS.items():
        detail = table.c.export_format if kind == "export" else table.c.reason
        columns = (table.c.id, table.c.user_id, table.c.status, detail, table.c.created_at)
        rows = await session.execute(select(*columns).where(text(live)).order_by(table.c.created_at).limit(limit))
        found.extend(OpenRequest(kind, *row) for row in rows)
    return found
