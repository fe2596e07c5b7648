"""Every statement of the bank domain."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Integer,
    Numeric,
    Select,
    String,
    Table,
    Uuid,
    and_,
    bindparam,
    cast,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert

from db.bank.models import PER_USER_ITEMS, SHARED_ITEMS, bank_accounts, bank_connections, statement_imports, uploads
from db.base import INSTANT, jobs_table
from db.engines import SystemSession, WriteSession
from db.jobs import is_live
from db.statements import Columns, as_arrays, compiled, given_rows, is_one_of, leaf, owned, read_columns

QUEUED = "queued"
RUNNING = "running"
DONE = "done"
FAILED = "failed"
#: Of an import that has not ended.
WAITING = (QUEUED, RUNNING)

# Reads for clients


@compiled
def accounts_by_id(columns: Columns) -> Select[Any]:
    return select(*read_columns(bank_accounts, columns, bank_accounts.c.id)).where(owned(bank_accounts), is_one_of(bank_accounts.c.id))


@compiled
def accounts_by_parent(parent: str, columns: Columns, *, with_status: bool = False) -> Select[Any]:
    """Accounts by `user_id` or `connection_id`, oldest first; with a status only those in it, bound as `status`."""
    accounts = bank_accounts
    key, order = accounts.c[parent], (accounts.c.created_at, accounts.c.id)
    wanted = [owned(accounts), is_one_of(key), *_in_status(accounts, given=with_status)]
    return select(*read_columns(accounts, columns, key)).where(*wanted).order_by(*order)


def _in_status(table: Table, *, given: bool) -> list[ColumnElement[bool]]:
    return [table.c.status == bindparam("status", type_=String)] if given else []


@compiled
def connections_by_id(columns: Columns) -> Select[Any]:
    rows = bank_connections
    return select(*read_columns(rows, columns, rows.c.id)).where(owned(rows), is_one_of(rows.c.id))


@compiled
def connections_by_user(columns: Columns, *, with_status: bool = False) -> Select[Any]:
    """Oldest first; with a status only those in it, bound as `status`."""
    rows = bank_connections
    order = (rows.c.created_at, rows.c.id)
    wanted = [owned(rows), is_one_of(rows.c.user_id), *_in_status(rows, given=with_status)]
    return select(*read_columns(rows, columns, rows.c.user_id)).where(*wanted).order_by(*order)


@compiled
def imports_by_id(columns: Columns) -> Select[Any]:
    rows = statement_imports
    return select(*read_columns(rows, columns, rows.c.id)).where(owned(rows), is_one_of(rows.c.id))


#: The order of a list of imports.
IMPORTS_NEWEST = ("created_at", "id")


@compiled
def import_page(columns: Columns, *, with_status: bool, after: bool) -> Select[Any]:
    """A page of the viewer's imports, the newest first: `size` of them, of `status`; with `after`, behind `after_<column>`."""
    rows = statement_imports
    place = [rows.c[name] for name in IMPORTS_NEWEST]
    wanted = [owned(rows), is_one_of(rows.c.user_id), *_in_status(rows, given=with_status)]
    if after:
        wanted.append(tuple_(*place) < tuple_(*(bindparam(f"after_{each.name}", type_=each.type) for each in place)))
    page = select(*read_columns(rows, columns, rows.c.user_id)).where(*wanted)
    return page.order_by(*(each.desc() for each in place)).limit(bindparam("size", type_=Integer))


@compiled
def import_count(*, with_status: bool) -> Select[Any]:
    """How many imports the viewer has: (key, count)."""
    rows = statement_imports
    wanted = [owned(rows), is_one_of(rows.c.user_id), *_in_status(rows, given=with_status)]
    return select(leaf(rows.c.user_id).label("key"), func.count().label("count")).where(*wanted).group_by(rows.c.user_id)


@compiled
def failed_imports_by_id(columns: Columns) -> Select[Any]:
    """Those that say why they failed."""
    rows = statement_imports
    failed = rows.c.error_code.is_not(None)
    return select(*read_columns(rows, columns, rows.c.id)).where(owned(rows), is_one_of(rows.c.id), failed)


# Uploads


class StoredUpload(NamedTuple):
    id: UUID
    filename: str
    content_type: str | None
    ciphertext: bytes


async def count_uploads(session: WriteSession) -> int:
    """The viewer's uploads that wait to be imported, counted one writer at a time."""
    key = f"uploads:{session.viewer.user_id}"
    await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(key, 0))))
    return int((await session.run(select(func.count()).select_from(uploads).where(owned(uploads)))).scalar_one())


async def add_upload(session: WriteSession, values: dict[str, Any]) -> None:
    await session.execute(insert(uploads).values(user_id=session.viewer.user_id, **values))


async def find_upload(session: WriteSession, upload_id: UUID) -> StoredUpload | None:
    statement = select(*(uploads.c[name] for name in StoredUpload._fields)).where(owned(uploads), uploads.c.id == bindparam("id"))
    row = (await session.run(statement, id=upload_id)).one_or_none()
    return None if row is None else StoredUpload(*row)


async def delete_upload(session: WriteSession, upload_id: UUID) -> None:
    """Delete the file, unless an import still needs it."""
    await session.run(delete(uploads).where(owned(uploads), uploads.c.id == bindparam("id"), ~_is_needed()), id=upload_id)


async def purge_uploads(session: SystemSession, *, limit: int = 1_000) -> int:
    """Delete uploads past their time, except those an import still needs. Answers how many went."""
    old = select(uploads.c.id).where(uploads.c.expires_at < func.now(), ~_is_needed()).limit(limit)
    gone = await session.execute(delete(uploads).where(uploads.c.id.in_(old)).returning(uploads.c.id))
    return len(gone.all())


def _is_needed() -> ColumnElement[bool]:
    """Whether an import that has not ended is of this upload."""
    rows = statement_imports
    return select(literal(1)).where(rows.c.upload_id == uploads.c.id, rows.c.status.in_(WAITING)).exists()


# Statement imports


class StoredImport(NamedTuple):
    id: UUID
    upload_id: UUID | None
    filename: str
    status: str
    options: dict[str, Any]


async def add_import(session: WriteSession, values: dict[str, Any]) -> None:
    await session.execute(insert(statement_imports).values(user_id=session.viewer.user_id, **values))


async def lock_import(session: WriteSession, import_id: UUID) -> StoredImport | None:
    rows = statement_imports
    statement = select(*(rows.c[name] for name in StoredImport._fields)).where(owned(rows), rows.c.id == bindparam("id")).with_for_update()
    row = (await session.run(statement, id=import_id)).one_or_none()
    return None if row is None else StoredImport(*row)


async def change_import(session: WriteSession, import_id: UUID, values: dict[str, Any]) -> int:
    """Write the values and answer the import's new version."""
    rows = statement_imports
    statement = update(rows).where(owned(rows), rows.c.id == bindparam("at_id"))
    changed = await session.run(statement.values(**values, version=rows.c.version + 1).returning(rows.c.version), at_id=import_id)
    return int(changed.scalar_one())


async def list_abandoned_imports(session: SystemSession, topics: Sequence[str], *, limit: int = 1_000) -> list[tuple[UUID, UUID]]:
    """(id, user_id) of imports that have not ended though no job of these topics works, or will work, on them."""
    rows, jobs = statement_imports, jobs_table(session.domain)
    live = select(literal(1)).where(_is_live_job(jobs, topics), jobs.c.key == cast(rows.c.id, String))
    found = await session.execute(select(rows.c.id, rows.c.user_id).where(rows.c.status.in_(WAITING), ~live.exists()).limit(limit))
    return [(import_id, user_id) for import_id, user_id in found]


async def is_worked_on(session: WriteSession, topic: str, import_id: UUID) -> bool:
    """Whether a job of this topic works, or will work, on the viewer's import."""
    jobs = jobs_table(session.domain)
    live = select(literal(1)).where(owned(jobs), _is_live_job(jobs, [topic]), jobs.c.key == bindparam("import_key"))
    return (await session.run(live, import_key=str(import_id))).scalar_one_or_none() is not None


def _is_live_job(jobs: Table, topics: Sequence[str]) -> ColumnElement[bool]:
    return and_(jobs.c.topic.in_(topics), is_live(jobs))


# Connections and accounts


async def find_or_add_connection(session: WriteSession, values: dict[str, Any], *, per_user: bool) -> UUID:
    """The viewer's connection with this provider's item, made if there is none. per_user: there is no login that could have ended; one that
    was removed is in use again."""
    rows = bank_connections
    keys = ["user_id", "provider", "provider_item_id"] if per_user else ["provider", "provider_item_id"]
    row = upsert(rows).values(user_id=session.viewer.user_id, **values)
    kept = row.on_conflict_do_update(
        index_elements=keys,
        index_where=PER_USER_ITEMS if per_user else SHARED_ITEMS,
        set_={
            "institution_name": func.coalesce(row.excluded.institution_name, rows.c.institution_name),
            "status": literal("active") if per_user else rows.c.status,
        },
    )
    connection_id: UUID = (await session.execute(kept.returning(rows.c.id))).scalar_one()
    return connection_id


async def record_sync(session: WriteSession, account_ids: Sequence[UUID], at: datetime) -> None:
    """Note that all was fetched for the connections of these accounts."""
    rows, accounts = bank_connections, bank_accounts
    reached = select(accounts.c.connection_id).where(owned(accounts), is_one_of(accounts.c.id))
    values = {"last_sync_at": at, "last_sync_status": "success", "last_successful_sync_at": at}
    await session.run(update(rows).where(owned(rows), rows.c.id.in_(reached)).values(values), keys=list(account_ids))


_ACCOUNT: dict[str, Any] = {
    "id": Uuid,
    "provider_account_id": String,
    "account_type": String,
    "account_subtype": String,
    "account_name": String,
    "account_official_name": String,
    "account_mask": String,
    "persistent_id": String,
    "currency": String,
}
_BALANCE: dict[str, Any] = {
    "id": Uuid,
    "currency": String,
    "current_balance": Numeric,
    "available_balance": Numeric,
    "credit_limit": Numeric,
    "balance_updated_at": INSTANT,
}


async def find_or_add_accounts(session: WriteSession, connection_id: UUID, rows: Sequence[dict[str, Any]]) -> dict[str, UUID]:
    """Ids of the connection's accounts by the provider's ids, those made that were missing; they are in use. Names the user sees stay."""
    given, accounts = given_rows(_ACCOUNT), bank_accounts
    taken = [literal(connection_id, Uuid), literal(session.viewer.user_id, Uuid), *(given.c[name] for name in _ACCOUNT)]
    row = upsert(accounts).from_select(["connection_id", "user_id", *_ACCOUNT], select(*taken))
    kept = row.on_conflict_do_update(
        index_elements=["connection_id", "provider_account_id"],
        set_={name: func.coalesce(row.excluded[name], accounts.c[name]) for name in ("account_official_name", "persistent_id")}
        | {"status": "active"},
    )
    found = await session.execute(kept.returning(accounts.c.provider_account_id, accounts.c.id), as_arrays(rows, _ACCOUNT))
    return dict(found.all())


async def store_balances(session: WriteSession, rows: Sequence[dict[str, Any]]) -> None:
    """Balances as the bank states them at `balance_updated_at`; one that is older than what is stored, or in another currency than
    the account's, changes nothing."""
    given, accounts = given_rows(_BALANCE), bank_accounts
    is_news = or_(accounts.c.balance_updated_at.is_(None), accounts.c.balance_updated_at <= given.c.balance_updated_at)
    statement = update(accounts).where(owned(accounts), and_(accounts.c.id == given.c.id, accounts.c.currency == given.c.currency, is_news))
    values = {name: given.c[name] for name in _BALANCE if name not in ("id", "currency")}
    await session.run(statement.values(values), **as_arrays(rows, _BALANCE))
