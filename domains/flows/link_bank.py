"""From a person who wants to link a bank to a connection that works, or works again.

    create     the provider begins; what it keeps to itself is sealed and stored, what the front end goes on with is answered
    complete   the link is claimed; the provider turns what the person came back with into credentials; they are sealed and stored with
               the connection, and a first sync is queued, in one transaction

Nothing is asked of a bank while a transaction is open. Completing goes on to its end when its caller goes away: what the person came back
with can be used only once.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from db import idempotency
from db.bank import queries_connections as connections
from db.bank.queries_links import StoredLink
from db.engines import Viewer
from db.errors import DatabaseUnavailable, KeyReused
from db.read import to_its_end
from domains.bank.errors import (
    BankAnswerIncomplete,
    BankConnectionEnded,
    BankConnectionNotFound,
    BankLinkRefused,
    BankProviderNotFound,
    BankRefused,
    RedirectUrlNotAllowed,
)
from domains.bank.providers.errors import LinkRefused, ProviderError, ProviderRefused, ReauthenticationRequired
from domains.bank.providers.protocol import LinkAnswer, Linked, LinkedProvider, LinkRequest, LinkStart, Reached
from domains.bank.sealing import digest, open_credentials, open_secret, seal_secret
from domains.bank.service import link_banks as service
from domains.bank.service.remove_connections import revoke_unused
from domains.core.audit import Action, Trail
from domains.core.cipher import DecryptionFailed, UserKey
from domains.core.errors import IdempotencyKeyReused, TryAgain
from domains.core.ids import new_id
from domains.flows.audit_trail import open_trail
from domains.flows.services import Services

#: What entries of the audit trail are about, as the API calls it.
LINK: Final = "BankLink"
CONNECTION: Final = "BankConnection"
#: Whatever a provider takes for its dialogue ends before the claim on the link does.
COMPLETED_WITHIN_S: Final = 50.0


@dataclass(frozen=True, slots=True)
class NewLink:
    """What is asked for. connection_id: what is to be repaired; the provider and the institution are then its own."""

    provider: str
    institution_id: str | None = None
    connection_id: UUID | None = None
    redirect_url: str | None = None


@dataclass(frozen=True, slots=True)
class BegunLink:
    """What the person's front end goes on with. `token` and `url` are gone when the link was completed meanwhile."""

    id: UUID
    provider: str
    expires_at: datetime
    token: str | None = field(repr=False)
    url: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the person came back with: `public_token`, or `code` and `state`."""

    public_token: str | None = field(default=None, repr=False)
    code: str | None = field(default=None, repr=False)
    state: str | None = field(default=None, repr=False)


async def create_link(services: Services, viewer: Viewer, asked: NewLink, idempotency_key: str) -> BegunLink:
    """Begin to link a bank, or to repair a connection.

    Errors: BankProviderNotFound; RedirectUrlNotAllowed; BankConnectionNotFound; BankConnectionEnded; BankLinksWaiting; BankLinkRefused;
            BankRefused; IdempotencyKeyReused; TryAgain when the bank does not answer.
    """
    if asked.redirect_url is not None and asked.redirect_url not in services.options.bank_redirect_urls:
        raise RedirectUrlNotAllowed(field="redirectUrl")
    key = await services.cipher.key_of(viewer.user_id, make=True)
    fingerprint = idempotency.fingerprint(asked)
    with _key_reused():
        async with services.db.write("bank", viewer) as session:
            before = await service.find_link_of(session, idempotency_key, fingerprint)
            if before is None:
                await service.check_room(session, services.clock.now())  # before a bank is asked: what is refused leaves nothing there
            repaired = None if asked.connection_id is None else await connections.find_connection(session, asked.connection_id)
        if before is not None:
            return _begun(before, key)
        provider, request = _request(services, viewer, key, asked, repaired)
        async with _told():
            start = await provider.begin_link(request)
        link = _new_link(asked, provider.name, request, start, key)
        return await _record(services, viewer, link, idempotency_key, fingerprint, key)


async def complete_link(services: Services, viewer: Viewer, link_id: UUID, answer: Answer, idempotency_key: str) -> UUID:
    """End a link in a connection; answers its id. A link that was completed answers the same again.

    Errors: BankAnswerIncomplete; BankLinkNotFound; BankLinkExpired; BankLinkRefused; BankConnectionEnded; BankProviderNotFound;
            BankRefused; IdempotencyKeyReused; TryAgain when the bank does not answer, or another call completes it.
    """
    if (answer.public_token is None) == (answer.code is None) or (answer.code is None) != (answer.state is None):
        raise BankAnswerIncomplete
    completed: list[UUID] = []

    async def work() -> None:
        completed.append(await _complete(services, viewer, link_id, answer, idempotency_key))

    with _key_reused():
        await to_its_end(work())
    return completed[0]


async def _complete(services: Services, viewer: Viewer, link_id: UUID, answer: Answer, idempotency_key: str) -> UUID:
    trail = await open_trail(services, viewer)
    key = await services.cipher.key_of(viewer.user_id, make=True)
    fingerprint = idempotency.fingerprint({"link": link_id, **{name: getattr(answer, name) for name in Answer.__slots__}})
    async with services.db.write("bank", viewer) as session:
        before = await idempotency.find(session, service.COMPLETE_MUTATION, idempotency_key, fingerprint)
        if before is not None:
            return UUID(before["id"])
        link = await service.claim_link(session, link_id, answer.state, services.clock.now())
        repaired = None if link.connection_id is None else await connections.find_connection(session, link.connection_id)
    if link.result_connection_id is not None:
        return link.result_connection_id
    try:
        linked = await _ask(services, link, answer, repaired, key)
    except Exception:
        with contextlib.suppress(DatabaseUnavailable):  # the claim ends by itself, later
            async with services.db.write("bank", viewer) as session:
                await service.release_link(session, link_id)
        raise
    try:
        return await _store(services, viewer, link_id, linked, key, trail, (idempotency_key, fingerprint))
    except (BankConnectionEnded, BankLinkRefused):
        if link.connection_id is not None:  # credentials came for what is not there any more: nobody will use them
            async with services.db.write("bank", viewer) as session:
                await revoke_unused(session, link.connection_id, linked.credentials, key, services.clock.now())
        raise


async def _ask(services: Services, link: StoredLink, answer: Answer, repaired: connections.StoredConnection | None, key: UserKey) -> Linked:
    provider = services.banks.get(link.provider)
    if provider is None:
        raise BankProviderNotFound
    secret = open_secret(key, link.secret_encrypted)["secret"]
    given = {name: getattr(answer, name) for name in Answer.__slots__}
    reached = None if repaired is None else _reached(repaired, key)
    async with _told(), asyncio.timeout(COMPLETED_WITHIN_S):
        return await provider.complete_link(LinkAnswer(secret=secret, redirect_url=link.redirect_url, reached=reached, **given))


async def _store(
    services: Services, viewer: Viewer, link_id: UUID, linked: Linked, key: UserKey, trail: Trail, idempotent: tuple[str, str]
) -> UUID:
    idempotency_key, fingerprint = idempotent
    every = timedelta(seconds=services.options.sync_every_s)
    async with services.db.write("bank", viewer) as session:
        answer = await idempotency.replay(session, service.COMPLETE_MUTATION, idempotency_key, fingerprint)
        if answer is not None:
            return UUID(answer["id"])
        done = await service.complete_link(session, link_id, linked, key, services.clock.now(), every)
        await idempotency.record(session, service.COMPLETE_MUTATION, idempotency_key, {"id": str(done.connection_id)})
        if not done.is_replay:
            action = Action.BANK_REPAIRED if done.is_repair else Action.BANK_LINKED
            told = {"institution": linked.institution_name} if linked.institution_name else None
            await trail.note(session, action, resource_type=CONNECTION, resource_id=done.connection_id, metadata=told)
    return done.connection_id


def _request(
    services: Services, viewer: Viewer, key: UserKey, asked: NewLink, repaired: connections.StoredConnection | None
) -> tuple[LinkedProvider, LinkRequest]:
    """Errors: BankConnectionNotFound; BankConnectionEnded; BankProviderNotFound."""
    if asked.connection_id is not None:
        if repaired is None:
            raise BankConnectionNotFound(field="connectionId")
        if repaired.status == connections.DISCONNECTED:
            raise BankConnectionEnded(field="connectionId")
    provider = services.banks.get(asked.provider if repaired is None else repaired.provider)
    if provider is None or (repaired is not None and repaired.provider != asked.provider):
        raise BankProviderNotFound(field="provider")
    request = LinkRequest(
        user_reference=str(viewer.user_id),
        redirect_url=asked.redirect_url,
        locale=viewer.locale,
        currency=viewer.currency,
        institution_id=asked.institution_id if repaired is None else repaired.institution_id,
        reached=None if repaired is None else _reached(repaired, key),
    )
    return provider, request


def _reached(connection: connections.StoredConnection, key: UserKey) -> Reached | None:
    """None where its tokens cannot be read any more: it is linked as if for the first time."""
    try:
        return reached_by(connection, key)
    except DecryptionFailed:
        return None


def reached_by(connection: connections.StoredConnection, key: UserKey) -> Reached:
    """A connection as its provider needs to know it. Errors: DecryptionFailed."""
    return Reached(
        item_id=connection.provider_item_id,
        credentials=open_credentials(key, connection),
        institution_id=connection.institution_id,
        cursor=connection.sync_cursor,
        consent_expires_at=connection.consent_expires_at,
    )


def _new_link(asked: NewLink, provider: str, request: LinkRequest, start: LinkStart, key: UserKey) -> service.NewLink:
    state = start.secret.get("state")
    kept = {"token": start.token, "url": start.url, "secret": dict(start.secret)}
    return service.NewLink(
        id=new_id(),
        provider=provider,
        connection_id=asked.connection_id,
        institution_id=request.institution_id,
        redirect_url=asked.redirect_url,
        state_digest=None if state is None else digest(state),
        secret_encrypted=seal_secret(key, kept),
        expires_at=start.expires_at,
    )


async def _record(
    services: Services, viewer: Viewer, link: service.NewLink, idempotency_key: str, fingerprint: str, key: UserKey
) -> BegunLink:
    trail = await open_trail(services, viewer)
    async with services.db.write("bank", viewer) as session:
        link_id = await service.record_link(session, link, idempotency_key, fingerprint, services.clock.now())
        await trail.note(session, Action.BANK_LINK_BEGUN, resource_type=LINK, resource_id=link_id, new={"provider": link.provider})
        stored = link if link_id == link.id else await service.find_link_of(session, idempotency_key, fingerprint)
    return _begun(stored or link, key)


def _begun(link: StoredLink | service.NewLink, key: UserKey) -> BegunLink:
    kept: dict[str, Any] = open_secret(key, link.secret_encrypted)
    return BegunLink(link.id, link.provider, link.expires_at, kept.get("token"), kept.get("url"))


@contextlib.contextmanager
def _key_reused() -> Any:
    try:
        yield
    except KeyReused as error:
        raise IdempotencyKeyReused(field="idempotencyKey") from error


@asynccontextmanager
async def _told() -> AsyncIterator[None]:
    """What a provider's failures are to whoever waits for it."""
    try:
        yield
    except (LinkRefused, ReauthenticationRequired) as error:
        raise BankLinkRefused from error
    except ProviderRefused as error:
        raise BankRefused from error
    except (ProviderError, TimeoutError) as error:
        wait_s = getattr(error, "retry_after_s", None) or 1.0
        raise TryAgain("BANK_UNAVAILABLE", "The bank does not answer at the moment. Try again.", retry_after_s=wait_s) from error
