"""Linking a bank: a link is begun, completed once, and ends in a connection that works."""

import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from db import idempotency
from db.bank import queries_connections as connections
from db.bank import queries_links as links
from db.bank.queries_syncs import MANUAL
from db.engines import WriteSession
from domains.bank import rules
from domains.bank.errors import BankConnectionEnded, BankLinkExpired, BankLinkNotFound, BankLinkRefused, BankLinksWaiting
from domains.bank.providers.protocol import Linked
from domains.bank.sealing import digest, seal_credentials
from domains.bank.service.sync_connections import request_sync
from domains.core.cipher import UserKey
from domains.core.errors import TryAgain
from domains.core.ids import new_id

CREATE_MUTATION: Final = "bankLinkCreate"
COMPLETE_MUTATION: Final = "bankLinkComplete"
LINKS_OPEN_AT_MOST: Final = 20
#: Whoever completes a link has so long, with the bank to be asked; then another call may try.
CLAIMED_FOR: Final = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class NewLink:
    """A link that its provider has begun. `state_digest`: of the state with which the bank will send the person back, if it will."""

    id: UUID
    provider: str
    connection_id: UUID | None
    institution_id: str | None
    redirect_url: str | None
    state_digest: str | None
    secret_encrypted: bytes
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Completed:
    """The connection that a link came to. `is_repair`: it was there before; `is_replay`: the link had been completed before."""

    connection_id: UUID
    is_repair: bool = False
    is_replay: bool = False


async def find_link_of(session: WriteSession, idempotency_key: str, fingerprint: str) -> links.StoredLink | None:
    """The link that this key began before, unless it is gone by now. Errors: KeyReused."""
    answer = await idempotency.find(session, CREATE_MUTATION, idempotency_key, fingerprint)
    return None if answer is None else await links.lock_link(session, UUID(answer["id"]))


async def check_room(session: WriteSession, at: datetime) -> None:
    """Errors: BankLinksWaiting, when as many links of the viewer are open as may be."""
    if await links.count_open_links(session, at) >= LINKS_OPEN_AT_MOST:
        raise BankLinksWaiting


async def record_link(session: WriteSession, link: NewLink, idempotency_key: str, fingerprint: str, at: datetime) -> UUID:
    """Keep a link that was begun; answers its id, or that of the one which this key began at the same time.

    Errors: BankLinksWaiting; KeyReused.
    """
    answer = await idempotency.replay(session, CREATE_MUTATION, idempotency_key, fingerprint)
    if answer is not None:
        return UUID(answer["id"])
    await check_room(session, at)
    await links.add_link(session, {name: getattr(link, name) for name in NewLink.__slots__})
    await idempotency.record(session, CREATE_MUTATION, idempotency_key, {"id": str(link.id)})
    return link.id


async def claim_link(session: WriteSession, link_id: UUID, state: str | None, at: datetime) -> links.StoredLink:
    """Take a link to complete it; one that was completed is answered as it is. A state that is not the link's leaves it open.

    Errors: BankLinkNotFound; BankLinkExpired; BankLinkRefused; TryAgain while another call completes it.
    """
    link = await _find(session, link_id)
    if link.state_digest is not None and not hmac.compare_digest(digest(state or ""), link.state_digest):
        raise BankLinkRefused
    if link.completed_at is not None:
        return link
    if link.expires_at <= at or link.secret_encrypted is None:
        raise BankLinkExpired(field="linkId")
    if link.claimed_at is not None and at < link.claimed_at + CLAIMED_FOR:
        raise TryAgain("BANK_LINK_BUSY", "This link is being completed.")
    await links.change_link(session, link_id, {"claimed_at": at})
    return link


async def release_link(session: WriteSession, link_id: UUID) -> None:
    """It was not completed, and may be tried again."""
    await links.change_link(session, link_id, {"claimed_at": None})


async def complete_link(session: WriteSession, link_id: UUID, linked: Linked, key: UserKey, at: datetime, every: timedelta) -> Completed:
    """End a link in its connection.

    Effects: the connection works, with these credentials; the link's secret is destroyed; a first sync is queued.
    Errors:  BankLinkNotFound; BankLinkRefused (somebody else's connection, or another login than is repaired);
             BankConnectionEnded (what is to be repaired was removed meanwhile).
    """
    link = await _find(session, link_id)
    if link.result_connection_id is not None:
        return Completed(link.result_connection_id, is_replay=True)
    if link.connection_id is not None:
        await _check_repaired(session, link.connection_id, linked.item_id)
    before, connection_id = await store_connection(session, link.provider, linked, key, at, every)
    done = {"secret_encrypted": None, "claimed_at": None, "completed_at": at, "result_connection_id": connection_id}
    await links.change_link(session, link_id, done)
    await request_sync(session, connection_id, MANUAL)
    return Completed(connection_id, is_repair=before is not None and before.status != connections.DISCONNECTED)


async def store_connection(
    session: WriteSession, provider: str, linked: Linked, key: UserKey, at: datetime, every: timedelta
) -> tuple[connections.StoredConnection | None, UUID]:
    """The connection with the provider's item as it is now that it was linked; answers what it was before, and its id.

    One that had ended begins anew: all is fetched again. Errors: BankLinkRefused: the item is somebody else's.
    """
    connection_id = new_id()
    values = {
        **seal_credentials(key, linked.credentials),
        **_told(linked),
        "status": connections.ACTIVE,
        "error_code": None,
        "error_message": None,
        "sync_failures": 0,
        "consent_warned_at": None,
    }
    identity = {"id": connection_id, "provider": provider, "provider_item_id": linked.item_id}
    first_tick = rules.next_tick(at, every, connection_id, provider)
    found = await connections.add_connection(session, {**identity, **values, "next_sync_at": first_tick, "linked_at": at})
    if found is None:
        raise BankLinkRefused
    if found.id == connection_id:
        return None, connection_id
    values["next_sync_at"] = rules.next_tick(at, every, found.id, provider)
    if found.status == connections.DISCONNECTED:
        values |= {"sync_cursor": None, "linked_at": at}
    await connections.change_connection(session, found.id, values)
    return found, found.id


async def _find(session: WriteSession, link_id: UUID) -> links.StoredLink:
    link = await links.lock_link(session, link_id)
    if link is None:
        raise BankLinkNotFound(field="linkId")
    return link


async def _check_repaired(session: WriteSession, connection_id: UUID, item_id: str) -> None:
    connection = await connections.find_connection(session, connection_id, lock=True)
    if connection is None or connection.status == connections.DISCONNECTED:
        raise BankConnectionEnded
    if connection.provider_item_id != item_id:
        raise BankLinkRefused


def _told(linked: Linked) -> dict[str, Any]:
    """What is said of the connection; what is not said stays as it was."""
    said = {
        "institution_id": linked.institution_id,
        "institution_name": linked.institution_name,
        "institution_logo_url": linked.institution_logo_url,
        "metadata": dict(linked.metadata) or None,
    }
    return {name: value for name, value in said.items() if value is not None} | {"consent_expires_at": linked.consent_expires_at}
