"""The `jobs` table that every domain has: work is a row, written with the change that caused it.

    queued --claim--> running --finish--> done
       ^                 |-----fail-----> queued (later), or dead
       `----release------'

A claim counts the attempt and takes a lease: a token and an instant after which anybody may claim again. Whoever lost the lease can
neither renew nor finish, so its effect, written in the transaction of `finish`, is rolled back. Only the database's clock counts.

A second request for the same (topic, key) joins the live row. When that row is already running, it may have read the past: it is
marked dirty, and its end adds a fresh row (a new id, so that no fence of the first run stops the second).
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid4

import structlog
from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Interval,
    RowMapping,
    Select,
    Table,
    Uuid,
    and_,
    any_,
    bindparam,
    case,
    delete,
    func,
    literal,
    or_,
    select,
    union_all,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from db.base import applied_jobs_table, jobs_table
from db.errors import LeaseLost

if TYPE_CHECKING:
    from db.engines import Db, SystemSession, WriteSession

log = structlog.get_logger(__name__)

QUEUED: Final = "queued"
RUNNING: Final = "running"
DONE: Final = "done"
DEAD: Final = "dead"
#: What `fail` answers when another worker holds the job by now.
LOST: Final = "lost"

#: Topic of live events whose process may be killed before it publishes them: the relay does then.
PUBLISH: Final = "live.publish"

MAX_ATTEMPTS: Final = 8
BACK_OFF_BASE_S: Final = 5.0
BACK_OFF_CAP_S: Final = 15 * 60.0

DONE_KEPT: Final = timedelta(hours=48)
DEAD_KEPT: Final = timedelta(days=90)
#: A fence must outlive every attempt at its job.
FENCES_KEPT: Final = timedelta(days=30)
LONGEST_ERROR: Final = 500


class _Viewers:
    """Default of `add`: the row is the session's viewer's (nobody's in a system session)."""


_VIEWERS: Final = _Viewers()


@dataclass(frozen=True, slots=True)
class JobRef:
    """Where a job is and how often it has been claimed: what the queue carries, as `domain:id:lease_token`.

    The token, not the attempt: an attempt is given back on a shutdown, a token never returns, so no two runs share a reference.
    """

    domain: str
    id: UUID
    lease_token: int

    def __str__(self) -> str:
        return f"{self.domain}:{self.id}:{self.lease_token}"

    @classmethod
    def parse(cls, text: str) -> "JobRef":
        """Errors: ValueError."""
        domain, job_id, token = text.split(":")
        return cls(domain, UUID(job_id), int(token))


@dataclass(frozen=True, slots=True)
class DueJob:
    """A row that waits for a worker. `payload` is only read for live events."""

    ref: JobRef
    topic: str
    user_id: UUID | None
    payload: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Claim:
    """A job that is ours until its lease ends. `attempt` counts from 1; `user_id` None: upkeep; `created_at`: when it was asked for."""

    domain: str
    id: UUID
    topic: str
    key: str
    user_id: UUID | None
    payload: dict[str, Any]
    attempt: int
    max_attempts: int
    lease_token: int
    created_at: datetime


def back_off_s(attempt: int, draw: float | None = None) -> float:
    """Seconds until the next try after `attempt` (from 1) failed: full jitter, `draw` of [0, 1) times min(cap, base * 2^(attempt-1)).

    Source: "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    """
    bound = min(BACK_OFF_CAP_S, BACK_OFF_BASE_S * 2.0 ** min(attempt - 1, 30))
    return bound * (random.random() if draw is None else draw)  # noqa: S311 - spreads load, guards nothing


async def add(
    session: "SystemSession | WriteSession",
    topic: str,
    *,
    key: str,
    payload: dict[str, Any] | None = None,
    user_id: UUID | _Viewers | None = _VIEWERS,
    run_at: datetime | None = None,
    delay_s: float = 0.0,
    max_attempts: int = MAX_ATTEMPTS,
    wake: bool = True,
) -> UUID:
    """Request a job in the session's domain and transaction; answers the id of its row, or of the live one it joined.

    payload: ids only. run_at: an instant (UTC); without it the job is due `delay_s` seconds from now.
    Effects: the relay is woken by the commit, unless `wake` is off or the job is for later.
    """
    jobs = jobs_table(session.domain)
    if isinstance(user_id, _Viewers):
        user_id = None if session.viewer is None else session.viewer.user_id
    due_at: Any = run_at if run_at is not None else func.now() + _seconds(delay_s)
    row = insert(jobs).values(
        id=uuid4(), user_id=user_id, topic=topic, key=key, payload=payload or {}, run_at=due_at, max_attempts=max_attempts
    )
    never_tried = and_(jobs.c.state == QUEUED, jobs.c.attempt == 0)
    joined = row.on_conflict_do_update(
        index_elements=[jobs.c.topic, jobs.c.key],
        index_where=is_live(jobs),
        # a job that is backing off keeps its time: a caller's impatience must not burn its attempts
        set_={
            "dirty": True,
            "run_at": case((never_tried, func.least(jobs.c.run_at, row.excluded.run_at)), else_=jobs.c.run_at),
        },
    ).returning(jobs.c.id)
    job_id: UUID = (await session.execute(joined)).scalar_one()
    if wake and run_at is None and delay_s <= 0:
        session.wake()
    return job_id


async def add_ended(session: "SystemSession", topic: str, *, key: str, payload: dict[str, Any]) -> None:
    """A row like another job's that is done when it is written, and nobody's: where the time that something takes must not tell
    whether there was anything to do."""
    jobs = jobs_table(session.domain)
    row = insert(jobs).values(id=uuid4(), user_id=None, topic=topic, key=key, payload=payload, state=DONE, finished_at=func.now())
    await session.execute(row.on_conflict_do_nothing().returning(jobs.c.id))


async def add_held(session: "WriteSession", topic: str, *, key: str, lease_s: float, payload: dict[str, Any] | None = None) -> Claim | None:
    """Request a job that the caller runs itself right after its commit: the row is born claimed.

    A caller that is killed loses the lease, and a worker takes over. None when a live row had the key already: that row is marked
    dirty, so whoever holds it is followed by a run that sees this transaction.
    """
    jobs = jobs_table(session.domain)
    held = insert(jobs).values(
        id=uuid4(),
        user_id=session.viewer.user_id,
        topic=topic,
        key=key,
        payload=payload or {},
        state=RUNNING,
        attempt=1,
        lease_token=1,
        leased_until=func.now() + _seconds(lease_s),
    )
    joined = held.on_conflict_do_update(index_elements=[jobs.c.topic, jobs.c.key], index_where=is_live(jobs), set_={"dirty": True})
    row = (await session.execute(joined.returning(jobs))).mappings().one()
    if row["dirty"]:
        return None
    return Claim(session.domain, *(row[name] for name in Claim.__dataclass_fields__ if name != "domain"))


async def add_once(session: "SystemSession", topic: str, *, job_id: UUID, key: str, payload: dict[str, Any]) -> bool:
    """Request upkeep under an id of the caller's: at most once ever for that id, and not while the same (topic, key) is live."""
    jobs = jobs_table(session.domain)
    row = insert(jobs).values(id=job_id, user_id=None, topic=topic, key=key, payload=payload)
    added = await session.execute(row.on_conflict_do_nothing().returning(jobs.c.id))
    if added.scalar_one_or_none() is None:
        return False
    session.wake()
    return True


async def claim(db: "Db", domain: str, job_id: UUID, *, lease_s: float, lease_token: int | None = None) -> Claim | None:
    """Take the job if it is due, or if its holder's lease has ended; None when it is not to be had.

    lease_token: only if it has been claimed this often, so that a stale reference takes nothing.
    Effects: counts the attempt; a job that has used up its attempts (its process was killed each time) becomes dead.
    """
    async with db.system(domain) as session:
        values = {"job_id": job_id, "token": lease_token, "lease": timedelta(seconds=lease_s)}
        row = (await session.execute(_claim(domain, any_token=lease_token is None), values)).mappings().one_or_none()
        if row is None:
            return None
        if row["state"] == DEAD:
            await _bury(session, row)
            return None
        return Claim(domain, *(row[name] for name in Claim.__dataclass_fields__ if name != "domain"))


async def renew(db: "Db", claim: Claim, lease_s: float) -> bool:
    """Hold the lease for another `lease_s` seconds; False when it was lost."""
    async with db.system(claim.domain) as session:
        values = _key_of(claim) | {"lease": timedelta(seconds=lease_s)}
        return (await session.execute(_renew(claim.domain), values)).scalar_one_or_none() is not None


async def check(session: "SystemSession | WriteSession", claim: Claim) -> None:
    """Make sure, until the end of the caller's transaction, that the job is still ours. Errors: LeaseLost."""
    jobs = jobs_table(claim.domain)
    held = select(jobs.c.id).where(_held(jobs)).with_for_update(read=True)
    if (await session.execute(held, _key_of(claim))).scalar_one_or_none() is None:
        raise LeaseLost(f"{claim.topic} {claim.id}")


async def finish(session: "SystemSession | WriteSession", claim: Claim) -> None:
    """Mark the job done in the caller's transaction: the effect and the mark are committed together.

    Effects: a job that was requested again while it ran is queued afresh.
    Errors: LeaseLost, which must roll the caller's effect back.
    """
    if session.domain != claim.domain:
        raise ValueError(f"a job of {claim.domain} cannot be finished in a transaction of {session.domain}")
    if session.viewer is not None and session.viewer.user_id != claim.user_id:
        raise ValueError("a job cannot be finished in a transaction of another user")
    row = (await session.execute(_finish(claim.domain), _key_of(claim))).mappings().one_or_none()
    if row is None:
        raise LeaseLost(f"{claim.topic} {claim.id}")
    if row["dirty"]:
        await _add_again(session, row)


async def fail(db: "Db", claim: Claim, error: str, *, retry_in_s: float | None) -> str:
    """Record a failed attempt: queued again in `retry_in_s` seconds, or dead (None, or the last attempt). Answers the state, or LOST.

    error: a code or the name of an exception, never its text, which may hold somebody's data.
    """
    jobs = jobs_table(claim.domain)
    dies = retry_in_s is None or claim.attempt >= claim.max_attempts
    values: dict[str, Any] = {"state": DEAD if dies else QUEUED, "leased_until": None, "last_error": error[:LONGEST_ERROR]}
    values |= {"finished_at": func.now()} if dies else {"run_at": func.now() + _seconds(retry_in_s or 0.0)}
    async with db.system(claim.domain) as session:
        failed = update(jobs).where(_held(jobs)).values(values).returning(jobs)
        row = (await session.execute(failed, _key_of(claim))).mappings().one_or_none()
        if row is None:
            return LOST
        if dies:
            await _bury(session, row)
        elif not retry_in_s:
            session.wake()
        return str(row["state"])


async def release(db: "Db", claim: Claim) -> bool:
    """Give the job back unharmed (this process is stopping): queued at once, the attempt not counted. False when it was lost."""
    jobs = jobs_table(claim.domain)
    async with db.system(claim.domain) as session:
        released = update(jobs).where(_held(jobs)).values(state=QUEUED, attempt=jobs.c.attempt - 1, leased_until=None, run_at=func.now())
        given_back = (await session.execute(released.returning(jobs.c.id), _key_of(claim))).scalar_one_or_none() is not None
        if given_back:
            session.wake()
        return given_back


async def postpone(db: "Db", ref: JobRef, delay_s: float) -> None:
    """Let a waiting job wait longer, unclaimed: it must not stand before others that can be run."""
    jobs = jobs_table(ref.domain)
    is_here = and_(jobs.c.id == ref.id, jobs.c.lease_token == ref.lease_token, or_(_is_waiting(jobs), _is_abandoned(jobs)))
    async with db.system(ref.domain) as session:
        await session.execute(update(jobs).where(is_here).values(state=QUEUED, leased_until=None, run_at=func.now() + _seconds(delay_s)))


async def due(db: "Db", domains: Sequence[str], limit: int) -> list[DueJob]:
    """What waits for a worker, longest first: at most `limit` rows per domain and state. One statement; the domains share a DSN."""
    async with db.system(domains[0]) as session:
        rows = (await session.execute(_due(tuple(domains)), {"limit": limit})).all()
    return [DueJob(JobRef(domain, job_id, token), topic, user_id, payload) for domain, job_id, token, topic, user_id, payload, _ in rows]


async def applied(session: "SystemSession | WriteSession", job_id: UUID) -> bool:
    """Fence an effect in another domain than the job's: True when this job's effect is there already.

    Waits for a concurrent run of the same job to commit or roll back.
    """
    fences = applied_jobs_table(session.domain)
    user_id = None if session.viewer is None else session.viewer.user_id
    left = insert(fences).values(job_id=job_id, user_id=user_id).on_conflict_do_nothing().returning(fences.c.job_id)
    return (await session.execute(left)).scalar_one_or_none() is None


async def record_outcome(session: "SystemSession | WriteSession", job_id: UUID, outcome: dict[str, Any]) -> None:
    """Leave with the fence what the effect came to (plain JSON), for a run that finds it applied."""
    fences = applied_jobs_table(session.domain)
    await session.execute(update(fences).where(fences.c.job_id == job_id).values(outcome=outcome))


async def find_outcome(session: "SystemSession | WriteSession", job_id: UUID) -> dict[str, Any] | None:
    """What an applied effect came to; None when it left nothing."""
    fences = applied_jobs_table(session.domain)
    outcome = (await session.execute(select(fences.c.outcome).where(fences.c.job_id == job_id))).scalar_one_or_none()
    return None if outcome is None else dict(outcome)


async def find_outcomes(session: "SystemSession | WriteSession", job_ids: Sequence[UUID]) -> dict[UUID, dict[str, Any]]:
    """What each of these jobs' applied effects came to; those that left nothing are not there."""
    fences = applied_jobs_table(session.domain)
    left = and_(fences.c.job_id == any_(literal(list(job_ids), ARRAY(Uuid))), fences.c.outcome.is_not(None))
    found = await session.execute(select(fences.c.job_id, fences.c.outcome).where(left))
    return {job_id: dict(outcome) for job_id, outcome in found}


async def drop(session: "SystemSession", ids: Sequence[UUID]) -> None:
    """Delete the rows of live events that were published."""
    jobs = jobs_table(session.domain)
    await session.execute(delete(jobs).where(jobs.c.topic == PUBLISH, jobs.c.id == any_(literal(list(ids), ARRAY(Uuid)))))


async def purge(session: "SystemSession", *, limit: int = 1_000) -> int:
    """Delete jobs done 48 hours ago, dead for 90 days, and fences of 30 days; at most `limit` of each. Answers how many went."""
    jobs, fences = jobs_table(session.domain), applied_jobs_table(session.domain)
    old = or_(
        and_(jobs.c.state == DONE, jobs.c.finished_at < func.now() - _interval(DONE_KEPT)),
        and_(jobs.c.state == DEAD, jobs.c.finished_at < func.now() - _interval(DEAD_KEPT)),
    )
    gone = await session.execute(delete(jobs).where(jobs.c.id.in_(select(jobs.c.id).where(old).limit(limit))).returning(jobs.c.id))
    aged = select(fences.c.job_id).where(fences.c.applied_at < func.now() - _interval(FENCES_KEPT)).limit(limit)
    lifted = await session.execute(delete(fences).where(fences.c.job_id.in_(aged)).returning(fences.c.job_id))
    return len(gone.all()) + len(lifted.all())


async def now(session: "SystemSession") -> datetime:
    """The database's clock: the one that leases and schedules go by."""
    at: datetime = (await session.execute(select(func.now()))).scalar_one()
    return at


async def _bury(session: "SystemSession", row: RowMapping) -> None:
    """Report a job that is dead now. A request that joined it during its last attempt still gets attempts of its own."""
    log.error(
        "job.dead",
        domain=session.domain,
        topic=row["topic"],
        job_id=str(row["id"]),
        attempt=row["attempt"],
        code=row["last_error"],
    )
    if row["dirty"]:
        await _add_again(session, row, delay_s=back_off_s(row["attempt"]))


async def _add_again(session: "SystemSession | WriteSession", row: RowMapping, delay_s: float = 0.0) -> None:
    await add(
        session,
        row["topic"],
        key=row["key"],
        payload=row["payload"],
        user_id=row["user_id"],
        delay_s=delay_s,
        max_attempts=row["max_attempts"],
    )


# Statements of every job are built once per domain: building one costs more than running it.


@lru_cache(maxsize=64)
def _claim(domain: str, *, any_token: bool) -> Any:
    jobs = jobs_table(domain)
    is_used_up = jobs.c.attempt >= jobs.c.max_attempts
    conditions = [jobs.c.id == bindparam("job_id"), or_(_is_waiting(jobs), _is_abandoned(jobs))]
    if not any_token:
        conditions.append(jobs.c.lease_token == bindparam("token"))
    return (
        update(jobs)
        .where(*conditions)
        .values(
            state=case((is_used_up, DEAD), else_=RUNNING),
            attempt=case((is_used_up, jobs.c.attempt), else_=jobs.c.attempt + 1),
            lease_token=jobs.c.lease_token + 1,
            leased_until=case((is_used_up, None), else_=func.now() + bindparam("lease", type_=Interval)),
            # this run reads what every request so far has committed; a dead one leaves the mark for `_bury`
            dirty=case((is_used_up, jobs.c.dirty), else_=False),
            last_error=case((is_used_up, func.coalesce(jobs.c.last_error, "PROCESS_LOST")), else_=jobs.c.last_error),
            finished_at=case((is_used_up, func.now()), else_=None),
        )
        .returning(jobs)
    )


@lru_cache(maxsize=64)
def _renew(domain: str) -> Any:
    jobs = jobs_table(domain)
    return update(jobs).where(_held(jobs)).values(leased_until=func.now() + bindparam("lease", type_=Interval)).returning(jobs.c.id)


@lru_cache(maxsize=64)
def _finish(domain: str) -> Any:
    jobs = jobs_table(domain)
    done = update(jobs).where(_held(jobs))
    return done.values(state=DONE, leased_until=None, last_error=None, finished_at=func.now()).returning(jobs)


@lru_cache(maxsize=64)
def _due(domains: tuple[str, ...]) -> Any:
    """Two index scans per domain: one over the waiting, one over the abandoned."""
    parts: list[Select[Any]] = []
    for domain in domains:
        jobs = jobs_table(domain)
        for condition, order in ((_is_waiting(jobs), jobs.c.run_at), (_is_abandoned(jobs), jobs.c.leased_until)):
            payload = case((jobs.c.topic == PUBLISH, jobs.c.payload), else_=None).label("payload")
            columns = [literal(domain).label("domain"), jobs.c.id, jobs.c.lease_token, jobs.c.topic, jobs.c.user_id, payload, jobs.c.run_at]
            part = select(*columns).where(condition).order_by(order).limit(bindparam("limit", type_=BigInteger)).subquery()
            parts.append(select(part))
    return union_all(*parts).order_by("run_at")


def is_live(jobs: Table) -> ColumnElement[bool]:
    """Whether a row still stands for work: waiting, or being done."""
    return jobs.c.state.in_([literal(QUEUED, literal_execute=True), literal(RUNNING, literal_execute=True)])


def _is_waiting(jobs: Table) -> ColumnElement[bool]:
    return and_(jobs.c.state == literal(QUEUED, literal_execute=True), jobs.c.run_at <= func.now())


def _is_abandoned(jobs: Table) -> ColumnElement[bool]:
    return and_(jobs.c.state == literal(RUNNING, literal_execute=True), jobs.c.leased_until < func.now())


def _held(jobs: Table) -> ColumnElement[bool]:
    """The row of `_key_of` a claim, as long as nobody has claimed it since."""
    return and_(jobs.c.id == bindparam("job_id"), jobs.c.lease_token == bindparam("token"), jobs.c.state == RUNNING)


def _key_of(claim: Claim) -> dict[str, Any]:
    return {"job_id": claim.id, "token": claim.lease_token}


def _seconds(value: float) -> ColumnElement[timedelta]:
    return _interval(timedelta(seconds=value))


def _interval(value: timedelta) -> ColumnElement[timedelta]:
    return literal(value, Interval)
