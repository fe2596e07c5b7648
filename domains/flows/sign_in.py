"""Between a stranger and a session: signing up, in and out.

Nothing here tells whether an address has an account: signing up is always accepted, a refused sign-in has one answer,
and each does the same work either way.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from db import jobs, limits
from db.auth import queries as sessions
from db.engines import Origin, Viewer
from db.errors import DatabaseUnavailable
from db.user import queries as users
from domains.auth.errors import SignInFailed, SignInThrottled
from domains.core.audit import RECORD, Action, Trail
from domains.core.ids import new_id
from domains.flows.audit_trail import open_first_trail, open_trail
from domains.flows.services import Services
from domains.notification.service.change_rules import GIVE_DEFAULTS
from domains.user import rules

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SignUp:
    """What a stranger gives. `timezone` is an IANA name, `currency` ISO 4217, `locale` BCP 47."""

    email: str
    password: str
    full_name: str | None = None
    timezone: str = "UTC"
    currency: str = "USD"
    locale: str = "en-US"


@dataclass(frozen=True, slots=True)
class OpenedSession:
    """A bearer token, shown this once, and the instant (UTC) it ends."""

    access_token: str
    expires_at: datetime


async def sign_up(services: Services, command: SignUp, origin: Origin | None = None) -> None:
    """Create an account, with its data key, unless the address has one.

    Effects: a job that gives them the default rules of notification and the first entry of their trail, in the transaction that
             makes the account.
    Errors: EmailInvalid, PasswordTooWeak, FullNameInvalid, TimeZoneInvalid, CurrencyInvalid, LocaleInvalid.
    """
    email = rules.normalise_email(command.email)
    rules.check_password(command.password, email)
    user_id = new_id()
    row = {
        "id": user_id,
        "email": command.email.strip(),
        "email_normalized": email,
        "full_name": rules.clean_full_name(command.full_name),
        "timezone": rules.check_timezone(command.timezone),
        "currency": rules.check_currency(command.currency),
        "locale": rules.check_locale(command.locale),
    }
    row["password_hash"] = await services.passwords.hash(rules.normalise_password(command.password))
    made = services.cipher.new_key(user_id)
    trail = open_first_trail(user_id, made, origin)
    async with services.db.system("user") as session:
        await jobs.add(session, GIVE_DEFAULTS, key=str(user_id), user_id=user_id)
        await trail.note(session, Action.USER_REGISTERED)
        is_made = await users.add_user(session, row)
        await users.add_first_key(session, user_id, made.wrapped, made.key_id)
        if not is_made:
            await session.rollback()  # after the same statements, so that nobody can tell by the time it takes


async def sign_in(services: Services, email: str, password: str, address: str | None, origin: Origin | None = None) -> OpenedSession:
    """Open a session for whoever has this address and password. `address` is the client's IP address.

    Effects: an entry in the trail of the account that was meant, also when it fails; an attempt that was throttled leaves none.
    Errors: SignInFailed (one answer for every reason), SignInThrottled; RedisUnavailable.
    """
    normalized, password = rules.find_email(email), rules.normalise_password(password)
    await _throttle(services, normalized or "", address)
    async with services.db.system("user") as session:
        account = await users.find_account(session, normalized) if normalized else None
    stored = account.password_hash if account is not None and account.status == users.ACTIVE else None
    # both at once: finding a key is over long before the password is, so its time does not tell who has one
    is_right, trail = await asyncio.gather(services.passwords.matches(stored, password), _trail_of(services, account, origin))
    if not is_right or account is None or stored is None or trail is None:
        await _note_failure(services, trail)
        raise SignInFailed
    async with services.db.system("user") as session:
        await users.record_sign_in(session, account.id, origin.address if origin else address)
        await trail.note(session, Action.USER_LOGIN)
        if services.passwords.needs_rehash(stored):
            await users.replace_password_hash(session, account.id, stored, await services.passwords.hash(password))
    return await _open(services, account)


async def _trail_of(services: Services, account: users.Account | None, origin: Origin | None) -> Trail | None:
    return None if account is None else await open_trail(services, Viewer(account.id, origin=origin))


async def _note_failure(services: Services, trail: Trail | None) -> None:
    """An entry for the account that was meant. Without one as much is written, and nothing is told to anybody."""
    async with services.db.system("user") as session:
        if trail is not None:
            await trail.note(session, Action.USER_LOGIN_FAILED)
        else:
            await jobs.add_ended(session, RECORD, key=str(new_id()), payload={})


async def open_session_for(services: Services, email: str, origin: Origin | None = None) -> OpenedSession:
    """A session without a password, for an operator who has the machine anyway. Their user is told by the trail. Errors: SignInFailed."""
    normalized = rules.find_email(email)
    async with services.db.system("user") as session:
        account = await users.find_account(session, normalized) if normalized else None
    if account is None or account.status != users.ACTIVE:
        raise SignInFailed("No active account has this address.")
    trail = await open_trail(services, Viewer(account.id, origin=origin))
    async with services.db.system("user") as session:
        await trail.note(session, Action.OPERATOR_SESSION_OPENED)
    return await _open(services, account)


async def sign_out(services: Services, viewer: Viewer, token: str) -> bool:
    """End the session of this token, which is the viewer's; False when it had ended before.

    Effects: an entry in their trail, if the database is there: without it people must be able to sign out all the same.
    """
    has_ended = await sessions.end_session(services.redis, token)
    if has_ended:
        try:
            trail = await open_trail(services, viewer)
            async with services.db.write("user", viewer) as session:
                await trail.note(session, Action.USER_LOGOUT)
        except DatabaseUnavailable as error:
            log.warning("audit.not_noted", action=Action.USER_LOGOUT.value, error=type(error).__name__)
    return has_ended


async def _open(services: Services, account: users.Account) -> OpenedSession:
    now, ttl_s = services.clock.now(), services.options.access_token_ttl_s
    settings = (account.timezone, account.currency, account.locale)
    token = await sessions.open_session(services.redis, account.id, settings, at=now, ttl_s=ttl_s)
    return OpenedSession(token, now + timedelta(seconds=ttl_s))


async def _throttle(services: Services, email: str, address: str | None) -> None:
    """Every attempt costs one, right or wrong, per account and per client address; the wait grows with the tries."""
    options = services.options
    charges = [await limits.take(services.redis, f"sign-in:{sessions.hash_token(email)}", options.sign_in_per_account)]
    if address is not None:
        charges.append(await limits.take(services.redis, f"sign-in-from:{address}", options.sign_in_per_address))
    wait_s = max(charge.retry_after_s for charge in charges)
    if not all(charge.granted for charge in charges):
        raise SignInThrottled(f"Too many attempts. Try again in {max(1, round(wait_s))} seconds.")
