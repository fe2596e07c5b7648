"""Fetching from a bank that is linked: when, how far, and what it came to.

request     a job per connection, which is at the same time the lease on it: what is asked while it runs has it run once more
begin       the line of the history, made by the job's first run; the next time by the calendar
stages      how far it is, for whoever watches
finish      cursor, balances and the end of the line, in one transaction with the end of the job; or fail
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from db import jobs
from db.bank import queries_connections as connections
from db.bank import queries_syncs
from db.bank.queries_connections import StoredConnection
from db.bank.queries_syncs import MANUAL, RETRY, SCHEDULED
from db.engines import SystemSession, WriteSession
from domains.bank import rules
from domains.bank.errors import BankConnectionEnded, BankConnectionNotFound, BankProviderNotFound, SyncTooSoon
from domains.bank.providers.protocol import Credentials, Fetched
from domains.bank.sealing import seal_credentials
from domains.bank.service.place_accounts import PlacedAccount, store_balances
from domains.core.cipher import UserKey

SYNC: Final = "bank.sync"
CLOSE_SYNC: Final = "bank.close_sync"
#: Somebody is to be told something of a connection.
NOTICE: Final = "notification.notice"
NEEDS_LOGIN: Final = "NEEDS_LOGIN"
BROKEN: Final = "BROKEN"
CONSENT_ENDS: Final = "CONSENT_ENDS"
#: Of live events: a fetch of a connection has got on.
TOPIC: Final = "bank_sync"
#: What a fetch whose job died says. Its rows may be in by then.
GIVEN_UP: Final = "SYNC_GIVEN_UP"
GIVEN_UP_MESSAGE: Final = "The fetch could not be completed. It is tried again."
#: What a fetch says whose connection was removed meanwhile.
ENDED: Final = "BANK_CONNECTION_ENDED"
ENDED_MESSAGE: Final = "The connection was removed meanwhile."
NOT_READY: Final = "HISTORY_NOT_READY"
NOT_READY_MESSAGE: Final = "The bank still gathers the history. The rest follows."
#: The outcome of what has taken nothing in.
NOTHING: Final[Mapping[str, int]] = {}
#: When somebody is told that a consent ends.
CONSENT_WARNED: Final = timedelta(days=7)


class RepairedMeanwhile(Exception):
    """Other credentials are in force than those a fetch was begun with: it goes no further."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why nothing was fetched. code: permanent; detail: the provider's own word for it, where it has one.

    needs_login: its owner has to do something before it can work. retry_after_s: the bank asked to be left alone for so long.
    """

    code: str
    message: str
    detail: str | None = None
    needs_login: bool = False
    retry_after_s: float | None = None


async def request_sync(session: WriteSession, connection_id: UUID, sync_type: str, *, delay_s: float = 0.0) -> UUID:
    """Have a connection be fetched from; answers the job. While it is, this has it done once more afterwards."""
    job_id = await jobs.add(session, SYNC, key=str(connection_id), payload=_payload(connection_id, sync_type), delay_s=delay_s)
    session.publish(TOPIC, connection_id, 0)
    return job_id


async def request_sync_by_hand(session: WriteSession, connection_id: UUID, providers: Collection[str], at: datetime) -> bool:
    """As its owner asks; one that goes on is joined. Answers whether it was asked for. `providers`: those that are set up.

    Errors: BankConnectionNotFound; BankConnectionEnded; BankProviderNotFound; SyncTooSoon.
    """
    connection = await find_live(session, connection_id)
    if connection.provider not in providers:
        raise BankProviderNotFound(field="id")
    if connection.sync_requested_at is not None:
        left_s = (connection.sync_requested_at + rules.BY_HAND_EVERY - at).total_seconds()
        if left_s > 0:
            raise SyncTooSoon(max(1, round(left_s)), field="id")
    await connections.change_connection(session, connection_id, {"sync_requested_at": at})
    live = await connections.find_live_job(session, SYNC, connection_id)
    if live is None or not live.is_running:
        await request_sync(session, connection_id, MANUAL)
    return True


async def find_live(session: WriteSession, connection_id: UUID) -> StoredConnection:
    """The viewer's connection, locked. Errors: BankConnectionNotFound; BankConnectionEnded."""
    connection = await connections.find_connection(session, connection_id, lock=True)
    if connection is None:
        raise BankConnectionNotFound(field="id")
    if connection.status == connections.DISCONNECTED:
        raise BankConnectionEnded(field="id")
    return connection


async def request_due(session: SystemSession, providers: Sequence[str], at: datetime, every: timedelta) -> int:
    """Queue what is due, once however many times were missed; answers how many there were. `providers`: those that are set up."""
    due = await connections.list_due(session, SYNC, providers, at)
    for each in due:
        payload = _payload(each.id, SCHEDULED)
        await jobs.add(session, SYNC, key=str(each.id), payload=payload, user_id=each.user_id)
    if due:
        await connections.postpone(session, [(each.id, rules.next_tick(at, every, each.id)) for each in due])
    return len(due)


async def begin_sync(
    session: WriteSession, connection_id: UUID, job_id: UUID, sync_type: str, at: datetime, every: timedelta
) -> StoredConnection | None:
    """Begin the line of the history, and say when the calendar has the connection fetched next; None when there is nothing to fetch."""
    connection = await connections.find_connection(session, connection_id, lock=True)
    if connection is None or connection.status == connections.DISCONNECTED:
        return None
    as_retry = sync_type == SCHEDULED and connection.sync_failures > 0
    version = await queries_syncs.begin_fetch(session, job_id, connection_id, RETRY if as_retry else sync_type, at)
    if version is None:
        return None
    await connections.change_connection(
        session, connection_id, {"next_sync_at": rules.next_tick(at, every, connection_id, connection.provider)}
    )
    session.publish(TOPIC, connection_id, version)
    return connection


async def note_progress(session: WriteSession, connection_id: UUID, job_id: UUID, **values: Any) -> None:
    """How far the fetch is: its stage, or what is there by now."""
    version = await queries_syncs.change_fetch(session, job_id, values)
    if version is not None:
        session.publish(TOPIC, connection_id, version)


async def store_credentials(session: WriteSession, began: StoredConnection, credentials: Credentials, key: UserKey) -> StoredConnection:
    """New ones are in force, whatever becomes of the fetch; answers the connection as it is known with them.

    Errors: BankConnectionNotFound; BankConnectionEnded; RepairedMeanwhile: those of the repair stay.
    """
    if _is_replaced(await find_live(session, began.id), began):
        raise RepairedMeanwhile
    sealed = seal_credentials(key, credentials)
    await connections.change_connection(session, began.id, sealed)
    return began._replace(**sealed)


async def finish_sync(
    session: WriteSession,
    began: StoredConnection,
    job_id: UUID,
    fetched: Fetched,
    accounts: Sequence[PlacedAccount],
    outcome: Mapping[str, int],
    at: datetime,
) -> None:
    """All is in: cursor, balances, consent, and the end of the line. `began`: the connection as the fetch knows it.

    Effects: the connection works. One that was removed meanwhile stays so, or is as it was linked anew, and its line says it.
    """
    connection = await connections.find_connection(session, began.id, lock=True)
    if connection is None or connection.status == connections.DISCONNECTED or connection.linked_at != began.linked_at:
        await end_as_removed(session, began.id, job_id, outcome, at)
        return
    await connections.change_connection(session, began.id, _works(connection, fetched, at) | _said_meanwhile(connection, began))
    await store_balances(session, accounts, at)
    ended: dict[str, Any] = {"status": queries_syncs.SUCCESS, "stage": queries_syncs.STAGE_DONE, "pages": fetched.pages}
    if not fetched.is_ready:
        ended |= {"status": queries_syncs.PARTIAL, "error_code": NOT_READY, "error_message": NOT_READY_MESSAGE}
    await _end(session, began.id, job_id, ended | _counts(outcome), at)


async def fail_sync(
    session: WriteSession,
    connection_id: UUID,
    job_id: UUID,
    failure: Failure,
    at: datetime,
    every: timedelta,
    outcome: Mapping[str, int] = NOTHING,
    *,
    began: StoredConnection | None = None,
) -> None:
    """Nothing was fetched: the line says why, and the connection when it is tried again. `outcome`: what earlier runs had taken in.

    began: the connection as the fetch knows it. One that was repaired meanwhile has not failed: the fetch that follows says how it is.
    Effects: once it counts as broken, or its owner has to do something, one notice is queued.
    """
    connection = await connections.find_connection(session, connection_id, lock=True)
    if connection is None or connection.status == connections.DISCONNECTED:
        await end_as_removed(session, connection_id, job_id, outcome, at)
        return
    if began is not None and _is_replaced(connection, began):
        await _end_failed(session, connection_id, job_id, failure, outcome, at)
        return
    failures = connection.sync_failures + 1
    status = _status_after(connection.status, failures, failure)
    tick = rules.next_tick(at, every, connection_id, connection.provider)
    values = {
        "status": status,
        "error_code": failure.detail or failure.code,
        "error_message": failure.message,
        "sync_failures": failures,
        "last_sync_at": at,
        "last_sync_status": queries_syncs.SYNC_FAILED,
        # only the bank itself can say that asking is of no use: a message of its may have been older than a repair
        "next_sync_at": None if failure.needs_login else rules.retry_at(at, failures, tick, failure.retry_after_s),
    }
    await connections.change_connection(session, connection_id, values)
    if status not in (connection.status, connections.ACTIVE):
        await request_notice(session, connection_id, NEEDS_LOGIN if failure.needs_login else BROKEN)
    await _end_failed(session, connection_id, job_id, failure, outcome, at)


async def require_login(session: WriteSession, connection_id: UUID, detail: str, message: str) -> bool:
    """The provider says, unasked, that its customer has to sign in or agree again; False when that is known, or the connection ended.

    Effects: one notice is queued.
    """
    connection = await connections.find_connection(session, connection_id, lock=True)
    if connection is None or connection.status in (connections.DISCONNECTED, connections.REQUIRES_UPDATE):
        return False
    values = {"status": connections.REQUIRES_UPDATE, "error_code": detail, "error_message": message, "next_sync_at": None}
    await connections.change_connection(session, connection_id, values)
    await request_notice(session, connection_id, NEEDS_LOGIN)
    return True


async def end_as_removed(session: WriteSession, connection_id: UUID, job_id: UUID, outcome: Mapping[str, int], at: datetime) -> None:
    """The end of the line of a fetch whose connection was removed while it went on. `outcome`: what had been taken in by then."""
    await _end_failed(session, connection_id, job_id, Failure(ENDED, ENDED_MESSAGE), outcome, at)


async def request_notice(session: WriteSession | SystemSession, connection_id: UUID, kind: str, user_id: UUID | None = None) -> None:
    """Have the connection's owner be told; in a session without a viewer it is named who that is."""
    payload = {"connection_id": str(connection_id), "kind": kind}
    owner = user_id if session.viewer is None else session.viewer.user_id
    await jobs.add(session, NOTICE, key=f"{connection_id}:{kind}", payload=payload, user_id=owner)


async def warn_of_consents(session: SystemSession, at: datetime) -> int:
    """Have owners be told of consents that end within a week, once each; answers how many."""
    ending = await connections.warn_of_consents(session, at, CONSENT_WARNED)
    for each in ending:
        await request_notice(session, each.id, CONSENT_ENDS, each.user_id)
    return len(ending)


async def request_closing_of_syncs(session: SystemSession) -> int:
    """Queue the end of every line whose job died: nothing else would ever say how it ended. Answers how many there are."""
    abandoned = await queries_syncs.list_abandoned_fetches(session, [CLOSE_SYNC])
    for job_id, user_id in abandoned:
        await jobs.add(session, CLOSE_SYNC, key=str(job_id), payload={"sync_job_id": str(job_id)}, user_id=user_id)
    return len(abandoned)


async def close_sync(session: WriteSession, job_id: UUID, at: datetime, every: timedelta, outcome: Mapping[str, int] = NOTHING) -> bool:
    """End the line of a job that is dead; False when it had ended, or its job lives. `outcome`: what its runs had taken in.

    Effects: the connection has failed, unless another fetch of it was begun meanwhile, which says how it is.
    """
    found = await queries_syncs.find_fetch(session, job_id)
    if found is None or found[1] != queries_syncs.STARTED or await queries_syncs.has_live_job(session, job_id):
        return False
    failure = Failure(GIVEN_UP, GIVEN_UP_MESSAGE)
    if await queries_syncs.has_later_fetch(session, job_id):
        await _end_failed(session, found[0], job_id, failure, outcome, at)
    else:
        await fail_sync(session, found[0], job_id, failure, at, every, outcome)
    return True


def _payload(connection_id: UUID, sync_type: str) -> dict[str, str]:
    return {"connection_id": str(connection_id), "sync_type": sync_type}


def _status_after(status: str, failures: int, failure: Failure) -> str:
    if failure.needs_login or status == connections.REQUIRES_UPDATE:
        return connections.REQUIRES_UPDATE
    return connections.ERROR if failures >= rules.BROKEN_AFTER else status


def _works(connection: StoredConnection, fetched: Fetched, at: datetime) -> dict[str, Any]:
    consent_expires_at = fetched.consent_expires_at or connection.consent_expires_at
    values: dict[str, Any] = {
        "status": connections.ACTIVE,
        "error_code": None,
        "error_message": None,
        "sync_failures": 0,
        "sync_cursor": fetched.cursor,
        "consent_expires_at": consent_expires_at,
        "last_sync_at": at,
        "last_sync_status": queries_syncs.SUCCESS if fetched.is_ready else queries_syncs.PARTIAL,
    }
    if consent_expires_at != connection.consent_expires_at:
        values["consent_warned_at"] = None
    if fetched.is_ready:
        values["last_successful_sync_at"] = at
    elif at < connection.created_at + rules.NOT_READY_FOR:
        values["next_sync_at"] = at + rules.NOT_READY_AGAIN
    return values


def _is_replaced(connection: StoredConnection, began: StoredConnection) -> bool:
    """Whether other credentials than a fetch has are in force by now."""
    return connection.access_token_encrypted != began.access_token_encrypted


def _said_meanwhile(connection: StoredConnection, began: StoredConnection) -> dict[str, Any]:
    """What was said of a connection while a fetch went on, and is newer than it. A fetch follows that knows it."""
    kept = []
    if _is_replaced(connection, began):
        kept += ["consent_expires_at", "consent_warned_at"]
    if connection.status == connections.REQUIRES_UPDATE != began.status:
        kept += ["status", "error_code", "error_message"]
    return {name: getattr(connection, name) for name in kept}


def _counts(outcome: Mapping[str, int]) -> dict[str, int]:
    return {f"transactions_{name}": outcome[name] for name in ("added", "updated", "removed") if name in outcome}


async def _end_failed(
    session: WriteSession, connection_id: UUID, job_id: UUID, failure: Failure, outcome: Mapping[str, int], at: datetime
) -> None:
    why = {"error_code": failure.code, "error_message": failure.message}
    values = {"status": queries_syncs.SYNC_FAILED, "stage": queries_syncs.STAGE_FAILED, **why, **_counts(outcome)}
    await _end(session, connection_id, job_id, values, at)


async def _end(session: WriteSession, connection_id: UUID, job_id: UUID, values: dict[str, Any], at: datetime) -> None:
    version = await queries_syncs.end_fetch(session, job_id, values, at)
    if version is not None:
        session.publish(TOPIC, connection_id, version)
