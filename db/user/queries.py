"""Every statement of the user domain."""

from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, DefaultClause, LargeBinary, Select, String, Uuid, bindparam, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from db.engines import SystemSession, WriteSession
from db.statements import Columns, as_arrays, compiled, given_rows, is_one_of, leaf, owned, read_columns
from db.user.models import CHOICES, oauth_connections, user_keys, user_preferences, users

ACTIVE = "active"


class Account(NamedTuple):
    """What signing in needs to know."""

    id: UUID
    password_hash: str | None
    status: str
    timezone: str
    currency: str
    locale: str


@compiled
def users_by_id(columns: Columns) -> Select[Any]:
    """The viewer, when asked for by their own id."""
    return select(*read_columns(users, columns, users.c.id)).where(owned(users), is_one_of(users.c.id))


@compiled
def preferences_by_user(columns: Columns) -> Select[Any]:
    """What the viewer has chosen, and the defaults for the rest: a row for everybody there is."""
    rows = user_preferences
    chosen = (leaf(_preference(name)).label(name) for name in columns)
    mine = users.outerjoin(rows, rows.c.user_id == users.c.id)
    return select(leaf(users.c.id).label("key"), *chosen).select_from(mine).where(owned(users), is_one_of(users.c.id))


def _preference(name: str) -> ColumnElement[Any]:
    """The column, with its own default where nothing was chosen."""
    rows = user_preferences.c
    if name == "is_telegram_linked":
        return rows.telegram_chat_id.is_not(None)
    if name == "currency":
        return func.coalesce(rows.currency, users.c.currency)
    default = rows[name].server_default
    return func.coalesce(rows[name], default.arg) if name in CHOICES and isinstance(default, DefaultClause) else rows[name]


@compiled
def oauth_connections_by_id(columns: Columns) -> Select[Any]:
    rows = oauth_connections
    chosen = (leaf(_oauth_column(name)).label(name) for name in columns)
    return select(leaf(rows.c.id).label("key"), *chosen).where(owned(rows), is_one_of(rows.c.id))


@compiled
def oauth_connections_by_user(columns: Columns) -> Select[Any]:
    """Oldest first."""
    rows = oauth_connections
    chosen = (leaf(_oauth_column(name)).label(name) for name in columns)
    mine = select(leaf(rows.c.user_id).label("key"), *chosen).where(owned(rows), is_one_of(rows.c.user_id))
    return mine.order_by(rows.c.connected_at, rows.c.id)


def _oauth_column(name: str) -> ColumnElement[Any]:
    """The column, or a text of the provider's profile."""
    rows = oauth_connections.c
    return rows.profile_data[name].astext if name in ("name", "email") else rows[name]


@compiled
def timezone() -> Select[Any]:
    """The viewer's time zone, an IANA name."""
    return select(users.c.timezone).where(owned(users))


@compiled
def last_seen_at() -> Select[Any]:
    """When the viewer last signed in; when they signed up, if they never did since."""
    return select(func.coalesce(users.c.last_login_at, users.c.created_at)).where(owned(users))


@compiled
def wrapped_key() -> Select[Any]:
    """The viewer's wrapped data key."""
    return select(user_keys.c.wrapped_key).where(owned(user_keys))


async def add_wrapped_key(session: WriteSession, wrapped: bytes, key_id: str) -> bytes:
    """Store the viewer's data key unless they have one; answers the one they have now."""
    row = {"user_id": session.viewer.user_id, "wrapped_key": wrapped, "key_id": key_id}
    added = await session.execute(insert(user_keys).values(row).on_conflict_do_nothing().returning(user_keys.c.wrapped_key))
    if (mine := added.scalar_one_or_none()) is not None:
        return bytes(mine)
    found = await session.run(select(user_keys.c.wrapped_key).where(owned(user_keys)))
    return bytes(found.scalar_one())


async def add_first_key(session: SystemSession, user_id: UUID, wrapped: bytes, key_id: str) -> None:
    """Store the data key of whoever was made in this transaction; of nobody, if nobody was."""
    made = select(users.c.id, bindparam("wrapped", type_=LargeBinary), bindparam("key_id", type_=String)).where(users.c.id == user_id)
    statement = insert(user_keys).from_select(["user_id", "wrapped_key", "key_id"], made)
    await session.run(statement, wrapped=wrapped, key_id=key_id)


class WrappedKey(NamedTuple):
    """A user's data key, and by which key of the ring it is wrapped."""

    user_id: UUID
    wrapped: bytes
    key_id: str


async def count_wrapped_keys(session: SystemSession) -> dict[str, int]:
    """How many users' data keys each key of the ring wraps, by its id."""
    found = await session.execute(select(user_keys.c.key_id, func.count().label("users")).group_by(user_keys.c.key_id))
    return {row.key_id: row.users for row in found}


async def keys_not_under(session: SystemSession, key_id: str, after: UUID | None, *, limit: int) -> list[WrappedKey]:
    """The next so many data keys that another key wraps, in the order of their users; `after` is the last user seen."""
    rows = user_keys.c
    statement = select(rows.user_id, rows.wrapped_key, rows.key_id).where(rows.key_id != key_id).order_by(rows.user_id).limit(limit)
    found = await session.execute(statement if after is None else statement.where(rows.user_id > after))
    return [WrappedKey(*row) for row in found]


async def replace_wrapped_keys(session: SystemSession, replaced: Sequence[tuple[WrappedKey, WrappedKey]]) -> int:
    """Store each second in place of its first, where that is still what is there; how many were. One statement, in the users' order."""
    if not replaced:
        return 0
    kinds = {"user_id": Uuid, "was": LargeBinary, "wrapped": LargeBinary, "key_id": String}
    given = given_rows(kinds)
    statement = (
        update(user_keys)
        .where(user_keys.c.user_id == given.c.user_id, user_keys.c.wrapped_key == given.c.was)
        .values(wrapped_key=given.c.wrapped, key_id=given.c.key_id)
        .returning(user_keys.c.user_id)
    )
    rows = [{"user_id": new.user_id, "was": old.wrapped, "wrapped": new.wrapped, "key_id": new.key_id} for old, new in replaced]
    done = await session.execute(statement, as_arrays(rows, kinds))
    return len(done.all())


async def find_account(session: SystemSession, email_normalized: str) -> Account | None:
    """Who signs in with this address, unless they are deleted."""
    found = await session.run(
        select(*(users.c[name] for name in Account._fields)).where(
            users.c.email_normalized == bindparam("email"), users.c.deleted_at.is_(None)
        ),
        email=email_normalized,
    )
    row = found.one_or_none()
    return None if row is None else Account(*row)


async def add_user(session: SystemSession, row: dict[str, Any]) -> bool:
    """Create the account; False when the address is taken."""
    statement = insert(users).values(row).on_conflict_do_nothing().returning(users.c.id)
    return (await session.execute(statement)).scalar_one_or_none() is not None


async def list_users(session: SystemSession, after: UUID | None, *, limit: int) -> list[UUID]:
    """The next so many of those who are not deleted, in the order of their ids; `after` is the last one seen."""
    statement = select(users.c.id).where(users.c.deleted_at.is_(None)).order_by(users.c.id).limit(limit)
    return list((await session.execute(statement if after is None else statement.where(users.c.id > after))).scalars())


async def record_sign_in(session: SystemSession, user_id: UUID, address: str | None) -> None:
    values = {"last_login_at": func.now(), "last_login_ip": address, "login_count": users.c.login_count + 1}
    await session.execute(update(users).where(users.c.id == user_id).values(values))


async def replace_password_hash(session: SystemSession, user_id: UUID, old: str, new: str) -> None:
    """Keep the same password under stronger parameters, unless it was changed meanwhile."""
    await session.execute(update(users).where(users.c.id == user_id, users.c.password_hash == old).values(password_hash=new))


async def currency_of(session: WriteSession) -> str:
    """The viewer's currency as it is now."""
    return str((await session.run(select(users.c.currency).where(owned(users)))).scalar_one())


async def store_preferences(session: WriteSession, currency: str, chosen: dict[str, Any]) -> None:
    """Store what the viewer has chosen and leave the rest as it is, or as its default is. `currency` is that of a first amount."""
    row = insert(user_preferences).values({"user_id": session.viewer.user_id, "currency": currency, **chosen})
    await session.execute(row.on_conflict_do_update(index_elements=["user_id"], set_={name: row.excluded[name] for name in chosen}))


class WaysIn(NamedTuple):
    """How the viewer can sign in."""

    has_password: bool
    oauth_connection_ids: list[UUID]


async def lock_ways_in(session: WriteSession) -> WaysIn:
    """How the viewer can sign in; nobody takes a way from them until this has committed."""
    found = await session.run(select(users.c.password_hash.is_not(None)).where(owned(users)).with_for_update())
    ids = await session.run(select(oauth_connections.c.id).where(owned(oauth_connections)))
    return WaysIn(bool(found.scalar_one()), list(ids.scalars()))


async def delete_oauth_connection(session: WriteSession, connection_id: UUID) -> None:
    rows = oauth_connections
    await session.run(delete(rows).where(owned(rows), rows.c.id == bindparam("gone")), gone=connection_id)


async def emails_of(session: SystemSession, user_ids: Sequence[UUID]) -> dict[UUID, str]:
    """The addresses of these users, those who are deleted left out."""
    of_these = select(users.c.id, users.c.email).where(is_one_of(users.c.id, "ids"), users.c.deleted_at.is_(None))
    found = await session.run(of_these, ids=list(user_ids))
    return {row.id: row.email for row in found}
