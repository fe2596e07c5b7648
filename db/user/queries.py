"""Every statement of the user domain."""

from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Select, bindparam, func, select, update
from sqlalchemy.dialects.postgresql import insert

from db.engines import SystemSession, WriteSession
from db.statements import Columns, compiled, is_one_of, owned, read_columns
from db.user.models import user_keys, users

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
def timezone() -> Select[Any]:
    """The viewer's time zone, an IANA name."""
    return select(users.c.timezone).where(owned(users))


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


async def record_sign_in(session: SystemSession, user_id: UUID, address: str | None) -> None:
    values = {"last_login_at": func.now(), "last_login_ip": address, "login_count": users.c.login_count + 1}
    await session.execute(update(users).where(users.c.id == user_id).values(values))


async def replace_password_hash(session: SystemSession, user_id: UUID, old: str, new: str) -> None:
    """Keep the same password under stronger parameters, unless it was changed meanwhile."""
    await session.execute(update(users).where(users.c.id == user_id, users.c.password_hash == old).values(password_hash=new))
