"""`florin doctor`: looks at everything an installation needs, changes nothing, and never prints a secret.

Each finding says what was looked at, what was seen, and, where it is not as it must be, what to do.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import chain
from typing import Final

from app.console import say
from app.settings import Settings
from app.wiring import read_keyring
from db.base import APP_ROLE, DOMAINS, EXTENSIONS_SCHEMA, OWNER_ROLE, SYSTEM_ROLE
from db.engines import Dsns
from db.errors import RedisUnavailable
from db.inspection import BOUNDS, Look, Parts, RedisFacts, ServerFacts, describe, look_at_redis, looking
from migrations.run import revisions

WITHIN_S: Final = 10.0
SUPPORTED: Final = range(15, 19)
OLDEST_REDIS: Final = (6, 2)
#: A clock that is off by this much makes log lines lie; by the other, tokens and leases end at the wrong time.
SKEW_TOLD_S: Final = 1.0
SKEW_FAILED_S: Final = 30.0
#: Work that waits longer than this has no worker.
WAITING_S: Final = 300.0
ROLES: Final = {"app": APP_ROLE, "read": APP_ROLE, "system": SYSTEM_ROLE, "owner": OWNER_ROLE}
#: For so long there must be partitions. The worker makes them for longer.
PARTITIONS_AHEAD: Final = timedelta(days=14)
#: Before 0.8 a filter on the user after the index scan may leave fewer neighbours than were asked for.
VECTOR_ITERATES: Final = (0, 8)


class Level(StrEnum):
    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, how it is, what was seen, and what to do about it."""

    subject: str
    level: Level
    seen: str
    advice: str = ""


async def examine(settings: Settings) -> list[Finding]:
    """Every finding, in the order to read them. Errors: SettingsInvalid."""
    dsns = settings.dsns()
    looks = [_within(describe(dsn), _database(dsn, domains, settings)) for dsn, domains in _log_ins(dsns).items()]
    servers = await asyncio.gather(*looks, _within("Redis", _redis(settings.redis())))
    return [*_keyring(settings), *chain.from_iterable(servers)]


def report(findings: Iterable[Finding], *, as_json: bool) -> None:
    """On stdout: a line per finding, its advice below it; or a JSON object per line."""
    for finding in findings:
        if as_json:
            say(json.dumps(asdict(finding)))
        else:
            say(f"{finding.level:<8} {finding.subject}: {finding.seen}")
            if finding.advice:
                say(f"{'':<8}   -> {finding.advice}")


def is_healthy(findings: Iterable[Finding]) -> bool:
    """Whether nothing failed; warnings are none."""
    return all(finding.level is not Level.FAILED for finding in findings)


async def _within(subject: str, findings: AsyncIterator[Finding]) -> list[Finding]:
    """What was found until something broke or took too long; that is a finding too."""
    found: list[Finding] = []
    try:
        async with asyncio.timeout(WITHIN_S):
            async for finding in findings:
                found.append(finding)  # noqa: PERF401 - what came before the failure is kept
    except Exception as error:  # noqa: BLE001 - whatever is wrong with a server is what this command is for
        found.append(
            Finding(subject, Level.FAILED, f"cannot be examined: {_why(error)}", "Check the DSN, the server and the network between.")
        )
    return found


def _why(error: Exception) -> str:
    """The kind of failure. A driver's message may quote a log-in, so only the server's own error code is added."""
    wrapped = getattr(error, "orig", None)  # SQLAlchemy's, around an adapter's, around the driver's
    raised = getattr(wrapped, "__cause__", None) or wrapped or error
    state = getattr(raised, "sqlstate", None)
    if isinstance(error, RedisUnavailable):
        state = str(error)  # the kind of what the driver raised
    kind = "time-out" if isinstance(error, TimeoutError) else type(raised).__name__
    return f"{kind} ({state})" if state else kind


def _log_ins(dsns: Dsns) -> dict[str, list[tuple[str, str]]]:
    """DSN -> the (domain, role) pairs that use it, each DSN once."""
    found: dict[str, list[tuple[str, str]]] = {}
    for role in ROLES:
        for domain in DOMAINS:
            if role != "owner" or dsns.owner or dsns.domains.get(domain, {}).get("owner"):
                found.setdefault(dsns.of(domain, role), []).append((domain, role))
    return found


def _keyring(settings: Settings) -> Iterator[Finding]:
    ring = read_keyring(settings)
    settings.cursor_secret()
    yield Finding("Key ring", Level.OK, f"{len(ring.ids)} key(s); {ring.current} wraps new data keys")


async def _database(dsn: str, users: list[tuple[str, str]], settings: Settings) -> AsyncIterator[Finding]:
    place = describe(dsn)
    async with looking(dsn) as look:
        facts = await look.server()
        for check in (_version, _role, _transport, _bounds, _clock):
            for finding in check(place, facts):
                yield finding
        domains = [domain for domain, role in users if role == "system"]
        if domains:
            for part in (_extensions, _tables, _partitions, _work):
                async for finding in part(place, look, domains):
                    yield finding
        if "user" in domains:
            async for finding in _data_keys(place, look, settings):
                yield finding


def _version(place: str, facts: ServerFacts) -> Iterator[Finding]:
    major = facts.version_num // 10_000
    seen = f"PostgreSQL {facts.version}" + (", a standby" if facts.is_standby else "")
    if major not in SUPPORTED:
        yield Finding(place, Level.FAILED, seen, f"Florin runs on {SUPPORTED[0]} to {SUPPORTED[-1]}.")
    else:
        yield Finding(place, Level.OK, seen)
    if facts.encoding != "UTF8":
        yield Finding(place, Level.FAILED, f"the database is encoded in {facts.encoding}", "Make it anew with encoding UTF8.")


def _role(place: str, facts: ServerFacts) -> Iterator[Finding]:
    """Row security holds nobody who is a superuser, has BYPASSRLS, or can become another of our roles."""
    for is_so, what in ((facts.is_superuser, "is a superuser"), (facts.bypasses_row_security, "has BYPASSRLS")):
        if is_so:
            yield Finding(
                place, Level.FAILED, f"{facts.role} {what}", "Log in as a role of deploy/roles.sql: row security does not hold this one."
            )
    if facts.member_of and not facts.is_superuser:
        yield Finding(
            place, Level.FAILED, f"{facts.role} is a member of {', '.join(facts.member_of)}", "Revoke it: each role has its own rights."
        )


def _transport(place: str, facts: ServerFacts) -> Iterator[Finding]:
    if not facts.is_encrypted and not facts.is_local:
        yield Finding(place, Level.WARNING, "the connection is not encrypted", "Add ?sslmode=verify-full to the DSN.")


def _bounds(place: str, facts: ServerFacts) -> Iterator[Finding]:
    if facts.role == OWNER_ROLE:
        return
    missing = [name for name in BOUNDS if facts.bounds.get(name, "0") in ("0", "0ms")]
    if missing:
        yield Finding(place, Level.WARNING, f"{facts.role} has no {', no '.join(missing)}", "Run deploy/roles.sql again: it sets them.")


def _clock(place: str, facts: ServerFacts | RedisFacts) -> Iterator[Finding]:
    skew = abs(facts.skew_s)
    if skew > SKEW_TOLD_S:
        level = Level.FAILED if skew > SKEW_FAILED_S else Level.WARNING
        yield Finding(place, level, f"its clock differs from this machine's by {skew:.1f} s", "Let NTP keep both.")


async def _extensions(place: str, look: Look, _domains: list[str]) -> AsyncIterator[Finding]:
    installed = await look.extensions()
    for name, level, lost in (
        ("vector", Level.FAILED, "embeddings cannot be kept"),
        ("btree_gin", Level.WARNING, "text search and tags read the index entries of all users"),
        ("pg_trgm", Level.WARNING, "searching within words reads every transaction of the user"),
    ):
        if name not in installed:
            yield Finding(place, level, f"extension {name} is missing: {lost}", "Install it on the server and run deploy/roles.sql again.")
        elif installed[name][1] != EXTENSIONS_SCHEMA:
            yield Finding(
                place,
                Level.FAILED,
                f"extension {name} is in schema {installed[name][1]}",
                f"alter extension {name} set schema {EXTENSIONS_SCHEMA}",
            )
    if "vector" in installed and _numbers(installed["vector"][0]) < VECTOR_ITERATES:
        seen = f"pgvector {installed['vector'][0]} cannot go on scanning its index"
        yield Finding(place, Level.WARNING, seen, "Update it to 0.8 or later for semantic search over many transactions.")
    present = [f"{name} {version}" for name, (version, _) in sorted(installed.items()) if name != "plpgsql"]
    yield Finding(place, Level.OK, f"extensions {', '.join(present)}")


async def _tables(place: str, look: Look, domains: list[str]) -> AsyncIterator[Finding]:
    behind, ahead = [], []
    for domain in domains:
        current, known = await look.revision(domain), revisions(domain)
        if current is None or current in known[:-1]:
            behind.append(f"{domain} ({current or 'nothing'} of {known[-1]})")
        elif current not in known:
            ahead.append(f"{domain} ({current})")
    if behind:
        yield Finding(place, Level.FAILED, f"not migrated: {', '.join(behind)}", "Run florin migrate.")
        return
    if ahead:
        yield Finding(place, Level.WARNING, f"migrated by a newer Florin: {', '.join(ahead)}", "Update this one too.")
    else:
        yield Finding(place, Level.OK, f"migrated: {', '.join(domains)}")
    for domain in domains:
        if open_ := await look.unguarded(domain):
            yield Finding(
                place, Level.FAILED, f"no row security on {', '.join(open_)} of {domain}", "Somebody took it off: see docs/operating.md."
            )
        if owned := await look.owned_by_application(domain):
            yield Finding(
                place,
                Level.FAILED,
                f"{', '.join(owned)} of {domain} do not belong to {OWNER_ROLE}",
                f"alter table ... owner to {OWNER_ROLE}",
            )


async def _partitions(place: str, look: Look, domains: list[str]) -> AsyncIterator[Finding]:
    """The worker makes partitions ahead of the calendar; where it has not run, imports make their years, and entries of the trail wait."""
    if "transaction" in domains and (parts := await look.parts_of_transactions(PARTITIONS_AHEAD)):
        for finding in _transactions(place, parts, "timescaledb" in await look.extensions()):
            yield finding
    if "audit" in domains and await look.revision("audit") is not None:
        made = await look.partitions("audit_schema.audit_logs")
        today = datetime.now(UTC).date()
        months = [f"{day:%Y-%m}" for day in (today, today + PARTITIONS_AHEAD) if f"audit_logs_{day:%Y_%m}" not in made]
        if months:
            yield Finding(
                place, Level.WARNING, f"no partition of the audit trail for {' and '.join(months)}", "Start a worker: it makes them."
            )


def _transactions(place: str, parts: Parts, has_timescaledb: bool) -> Iterator[Finding]:
    if parts.first_missing:
        seen = f"no partition of transactions for {parts.first_missing.year}"
        yield Finding(place, Level.WARNING, seen, "Start a worker: it makes them.")
    if not parts.is_hypertable:
        yield Finding(place, Level.OK, f"transactions in {parts.count} partition(s), a year each")
        if has_timescaledb:
            seen = "TimescaleDB is here, and transactions are no hypertable"
            yield Finding(place, Level.WARNING, seen, "When nobody needs them for a while: florin hypertable.")
        return
    yield Finding(place, Level.OK, f"transactions in a hypertable of {parts.count} chunk(s)")
    if not parts.is_compressing:
        yield Finding(place, Level.WARNING, "old transactions are not compressed", "See TimescaleDB in docs/operating.md.")
    elif parts.uncompressed:
        seen = f"{parts.uncompressed} chunk(s) of old transactions wait to be compressed; the last run: {parts.last_run or 'none yet'}"
        yield Finding(place, Level.WARNING, seen, "See timescaledb_information.job_errors, and TimescaleDB in docs/operating.md.")


async def _work(place: str, look: Look, domains: list[str]) -> AsyncIterator[Finding]:
    for domain in domains:
        if await look.revision(domain) is None:
            continue
        jobs = await look.jobs(domain)
        if jobs.dead:
            seen = f"{jobs.dead} job(s) of {domain} failed for good"
            yield Finding(place, Level.WARNING, seen, f"See last_error in {domain}_schema.jobs where state = 'dead'.")
        if jobs.overdue and jobs.oldest_s > WAITING_S:
            seen = f"{jobs.overdue} job(s) of {domain} wait, the oldest for {jobs.oldest_s:.0f} s"
            yield Finding(place, Level.WARNING, seen, "Is a worker running? florin worker")


async def _data_keys(place: str, look: Look, settings: Settings) -> AsyncIterator[Finding]:
    if await look.revision("user") is None:
        return
    ring = read_keyring(settings)
    wrapped = await look.data_keys()
    for key_id in sorted(wrapped.keys() - set(ring.ids)):
        yield Finding(
            place,
            Level.FAILED,
            f"{wrapped[key_id]} user(s) have a data key under {key_id}, which is not on the ring",
            "Put it back on the ring.",
        )
    old = sum(count for key_id, count in wrapped.items() if key_id in ring.ids and key_id != ring.current)
    if old:
        yield Finding(place, Level.WARNING, f"{old} data key(s) are wrapped by an older key of the ring", "Run florin keys rotate.")


async def _redis(dsn: str) -> AsyncIterator[Finding]:
    facts = await look_at_redis(dsn)
    seen = f"{facts.product} {facts.version}"
    if facts.product == "redis" and _numbers(facts.version) < OLDEST_REDIS:
        yield Finding("Redis", Level.FAILED, seen, "Florin needs Redis 6.2 or later, or Valkey.")
    else:
        yield Finding("Redis", Level.OK, seen)
    if facts.eviction != "noeviction":
        yield Finding(
            "Redis", Level.WARNING, f"maxmemory-policy is {facts.eviction}", "Set noeviction: an evicted session signs somebody out."
        )
    for finding in _clock("Redis", facts):
        yield finding


def _numbers(version: str) -> tuple[int, ...]:
    """The leading numbers of a version."""
    parts = version.split(".")[:2]
    return tuple(int(part) if part.isdecimal() else 0 for part in parts)
