"""Between a stranger and a session: signing up, in and out.

Nothing here tells whether an address has an account: signing up is always accepted, a refused sign-in has one answer,
and each does the same work either way.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from db import jobs, limits
from db.auth import queries as sessions
from db.user import queries as users
from domains.auth.errors import SignInFailed, SignInThrottled
from domains.core.ids import new_id
from domains.flows.services import Services
from domains.notification.service.change_rules import GIVE_DEFAULTS
from domains.user import rules


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


async def sign_up(services: Services, command: SignUp) -> None:
    """Create an account unless the address has one.

    Effects: a job that gives them the default rules of notification, in the transaction that makes the account.
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
    async with services.db.system("user") as session:
        await jobs.add(session, GIVE_DEFAULTS, key=str(user_id), user_id=user_id)
        if not await users.add_user(session, row):
            await session.rollback()  # after the same statements, so that nobody can tell by the time it takes


async def sign_in(services: Services, email: str, password: str, address: str | None) -> OpenedSession:
    """Open a session for whoever has this address and password. `address` is the client's IP address.

    Errors: SignInFailed (one answer for every reason), SignInThrottled; RedisUnavailable.
    """
    normalized, password = rules.find_email(email), rules.normalise_password(password)
    await _throttle(services, normalized or "", address)
    async with services.db.system("user") as session:
        account = await users.find_account(session, normalized) if normalized else None
    stored = account.password_hash if account is not None and account.status == users.ACTIVE else None
    if not await services.passwords.matches(stored, password) or account is None or stored is None:
        raise SignInFailed
    async with services.db.system("user") as session:
        await users.record_sign_in(session, account.id, address)
        if services.passwords.needs_rehash(stored):
            await users.replace_password_hash(session, account.id, stored, await services.passwords.hash(password))
    return await _open(services, account)


async def open_session_for(services: Services, email: str) -> OpenedSession:
    """A session without a password, for an operator who has the machine anyway. Errors: SignInFailed."""
    normalized = rules.find_email(email)
    async with services.db.system("user") as session:
        account = await users.find_account(session, normalized) if normalized else None
    if account is None or account.status != users.ACTIVE:
        raise SignInFailed("No active account has this address.")
    return await _open(services, account)


async def sign_out(services: Services, token: str) -> bool:
    """End the session of this token; False when it had ended before."""
    return await sessions.end_session(services.redis, token)


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
