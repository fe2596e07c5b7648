"""What `florin doctor` finds, says and never says."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from urllib.parse import quote
from uuid import uuid4

import pytest
from pydantic import SecretStr

from app.doctor import Finding, Level, _clock, _redis, _transactions, examine, is_healthy, report
from app.settings import Settings
from db.base import DOMAINS
from db.inspection import Parts, RedisFacts, describe
from domains.user.keys import generate_key
from migrations.run import upgrade_async
from tests.db.samples import insert, sample_rows, transaction
from tests.migrations.fresh import Fresh, fresh_database
from tests.servers.suite import Servers


@pytest.fixture
def settings(settings_of_one: Settings) -> Settings:
    return settings_of_one


def on(fresh: Fresh, settings: Settings) -> Settings:
    """The suite's settings, with the log-ins of another database."""
    dsns = {"database_dsn": fresh.app, "database_system_dsn": fresh.system, "database_owner_dsn": fresh.owner}
    return settings.model_copy(update={name: SecretStr(dsn) for name, dsn in dsns.items()})


def failed(findings: list[Finding]) -> list[str]:
    return [finding.seen for finding in findings if finding.level is Level.FAILED]


async def migrated(fresh: Fresh) -> None:
    await upgrade_async(dict.fromkeys(DOMAINS, fresh.owner))


async def test_an_installation_as_it_must_be_has_nothing_to_put_right(servers: Servers, settings: Settings) -> None:
    async with fresh_database(servers) as fresh:
        await migrated(fresh)

        findings = await examine(on(fresh, settings))

    assert [finding for finding in findings if finding.level is not Level.OK] == []
    assert {finding.subject.partition("@")[0] for finding in findings} == {
        "Key ring",
        "Postgres florin_app",
        "Postgres florin_system",
        "Postgres florin_owner",
        "Redis",
    }


async def test_tables_that_are_behind_are_named(servers: Servers, settings: Settings) -> None:
    async with fresh_database(servers) as fresh:
        await upgrade_async(dict.fromkeys(DOMAINS, fresh.owner), [domain for domain in DOMAINS if domain != "budget"])

        findings = await examine(on(fresh, settings))

    (seen,) = failed(findings)
    assert seen.startswith("not migrated: budget (nothing of budget_")


async def test_a_log_in_that_row_security_does_not_hold_is_refused(servers: Servers, settings: Settings) -> None:
    async with fresh_database(servers) as fresh:
        await migrated(fresh)

        findings = await examine(on(fresh, settings).model_copy(update={"database_dsn": SecretStr(fresh.superuser)}))

    assert failed(findings) == ["postgres is a superuser", "postgres has BYPASSRLS"]


async def test_a_table_without_row_security_is_found(servers: Servers, settings: Settings) -> None:
    async with fresh_database(servers) as fresh:
        await migrated(fresh)
        async with fresh.connect("superuser") as superuser:
            await superuser.execute("alter table budget_schema.budgets no force row level security")

        findings = await examine(on(fresh, settings))

    assert failed(findings) == ["no row security on budgets of budget"]


async def test_a_table_of_the_applications_own_is_found(servers: Servers, settings: Settings) -> None:
    async with fresh_database(servers) as fresh:
        await migrated(fresh)
        async with fresh.connect("superuser") as superuser:
            await superuser.execute("alter table budget_schema.savings_goals owner to florin_app")

        findings = await examine(on(fresh, settings))

    assert failed(findings) == ["savings_goals of budget do not belong to florin_owner"]


async def test_a_data_key_that_nothing_on_the_ring_opens_is_found(servers: Servers, settings: Settings) -> None:
    user = uuid4()
    rows = sample_rows(user)
    async with fresh_database(servers) as fresh:
        await migrated(fresh)
        async with fresh.connect("superuser") as superuser:
            for table in ("user_schema.users", "user_schema.user_keys"):
                await insert(superuser, table, rows[table])

        findings = await examine(on(fresh, settings))

    assert failed(findings) == ["1 user(s) have a data key under ring-1, which is not on the ring"]


async def test_data_keys_under_an_older_key_are_told_of(servers: Servers, settings: Settings) -> None:
    user = uuid4()
    rows = sample_rows(user)
    ring = SecretStr(f"{generate_key()},ring-1:{generate_key().partition(':')[2]}")
    async with fresh_database(servers) as fresh:
        await migrated(fresh)
        async with fresh.connect("superuser") as superuser:
            for table in ("user_schema.users", "user_schema.user_keys"):
                await insert(superuser, table, rows[table])

        findings = await examine(on(fresh, settings).model_copy(update={"keyring": ring}))

    assert [f.seen for f in findings if f.level is Level.WARNING] == ["1 data key(s) are wrapped by an older key of the ring"]
    assert is_healthy(findings)


async def test_a_missing_extension_says_what_it_costs(servers: Servers, settings: Settings) -> None:
    async with fresh_database(servers) as fresh:
        await migrated(fresh)
        async with fresh.connect("superuser") as superuser:
            await superuser.execute("drop extension pg_trgm cascade")
            await superuser.execute("alter extension btree_gin set schema public")

        findings = await examine(on(fresh, settings))

    assert failed(findings) == ["extension btree_gin is in schema public"]
    (missing,) = [f for f in findings if f.level is Level.WARNING]
    assert missing.seen.startswith("extension pg_trgm is missing: ")


async def test_dead_and_waiting_jobs_are_told_of(servers: Servers, settings: Settings) -> None:
    async with fresh_database(servers) as fresh:
        await migrated(fresh)
        async with fresh.connect("superuser") as superuser:
            add = "insert into bank_schema.jobs (topic, key, state, run_at) values ('probe', $1, $2, now() - interval '1 hour')"
            await superuser.execute(add, "a", "dead")
            await superuser.execute(add, "b", "queued")

        findings = await examine(on(fresh, settings))

    seen = [f.seen for f in findings if f.level is Level.WARNING]
    assert seen == ["1 job(s) of bank failed for good", "1 job(s) of bank wait, the oldest for 3600 s"]


async def test_a_server_that_is_not_there_is_one_failed_finding(
    servers: Servers, settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> None:
    nowhere = tmp_path_factory.mktemp("nowhere")
    gone = {
        "database_dsn": f"postgresql+asyncpg://florin_app:hunter2@/florin?host={quote(str(nowhere))}",
        "redis_dsn": f"unix://{nowhere}/redis.sock?db=0",
    }

    async with fresh_database(servers) as fresh:
        await migrated(fresh)

        findings = await examine(on(fresh, settings).model_copy(update={name: SecretStr(dsn) for name, dsn in gone.items()}))

    assert [f.subject for f in findings if f.level is Level.FAILED] == ["Postgres florin_app@socket/florin", "Redis"]
    assert all(seen.startswith("cannot be examined: ") for seen in failed(findings))


@pytest.mark.parametrize("as_json", [True, False])
async def test_no_secret_is_ever_printed(settings: Settings, capsys: pytest.CaptureFixture[str], as_json: bool) -> None:
    wrong = "postgresql+asyncpg://florin_app:hunter2@127.0.0.1:1/florin"
    changed = settings.model_copy(update={"database_dsn": SecretStr(wrong), "redis_dsn": SecretStr("redis://:hunter3@127.0.0.1:1/0")})

    report(await examine(changed), as_json=as_json)

    printed = capsys.readouterr().out
    secrets = ["hunter2", "hunter3", settings.keyring_text().partition(":")[2], settings.cursor_secret().hex()]
    assert printed.count("\n") >= 4
    assert not any(secret in printed for secret in secrets)
    if as_json:
        assert {"subject", "level", "seen", "advice"} == set.intersection(*(set(json.loads(line)) for line in printed.splitlines()))


def test_a_place_is_described_without_its_password() -> None:
    assert describe("postgresql+asyncpg://me:secret@db.example:5433/money?ssl=require") == "Postgres me@db.example/money"


@pytest.mark.parametrize(("skew_s", "levels"), [(0.4, []), (-1.5, [Level.WARNING]), (31.0, [Level.FAILED])])
def test_a_clock_that_differs_is_told_of(skew_s: float, levels: list[Level]) -> None:
    assert [finding.level for finding in _clock("Redis", RedisFacts("redis", "7.2.0", "noeviction", skew_s))] == levels


@pytest.mark.parametrize(
    ("facts", "levels"),
    [
        (RedisFacts("redis", "6.0.16", "noeviction", 0.0), [Level.FAILED]),
        (RedisFacts("redis", "8.2.1", "allkeys-lru", 0.0), [Level.OK, Level.WARNING]),
        (RedisFacts("valkey", "8.1.0", "noeviction", 0.0), [Level.OK]),
    ],
)
async def test_redis_is_new_enough_and_keeps_what_it_is_given(
    monkeypatch: pytest.MonkeyPatch, facts: RedisFacts, levels: list[Level]
) -> None:
    async def look(_dsn: str) -> RedisFacts:
        return replace(facts)

    monkeypatch.setattr("app.doctor.look_at_redis", look)

    assert [finding.level async for finding in _redis("redis://somewhere")] == levels


async def test_partitions_that_are_missing_are_named(servers: Servers, settings: Settings) -> None:
    month = datetime.now(UTC).date()
    async with fresh_database(servers) as fresh:
        await migrated(fresh)
        async with fresh.connect("superuser") as connection:
            await connection.execute("select transaction_schema.rebuild_transactions(false)")
            await connection.execute(f"drop table transaction_schema.transactions_y{month.year}, audit_schema.audit_logs_{month:%Y_%m}")

        findings = await examine(on(fresh, settings))

    warned = {finding.seen: finding.advice for finding in findings if finding.level is Level.WARNING}
    assert warned[f"no partition of transactions for {month.year}"] == "Start a worker: it makes them."
    assert any(seen.startswith(f"no partition of the audit trail for {month:%Y-%m}") for seen in warned)


@pytest.mark.parametrize(
    ("parts", "has_timescaledb", "warned"),
    [
        (Parts(False, 7, None, False, 0, None), False, []),
        (Parts(False, 7, date(2027, 1, 1), False, 0, None), False, ["no partition of transactions for 2027"]),
        (Parts(False, 7, None, False, 0, None), True, ["TimescaleDB is here, and transactions are no hypertable"]),
        (Parts(True, 30, None, True, 0, "Success"), True, []),
        (Parts(True, 30, None, False, 24, None), True, ["old transactions are not compressed"]),
        (
            Parts(True, 30, None, True, 24, "Failed"),
            True,
            ["24 chunk(s) of old transactions wait to be compressed; the last run: Failed"],
        ),
        (
            Parts(True, 30, None, True, 1, None),
            True,
            ["1 chunk(s) of old transactions wait to be compressed; the last run: none yet"],
        ),
    ],
)
def test_what_transactions_are_kept_in_is_told(parts: Parts, has_timescaledb: bool, warned: list[str]) -> None:
    findings = list(_transactions("here", parts, has_timescaledb))

    assert [finding.seen for finding in findings if finding.level is not Level.OK] == warned
    assert all(finding.advice for finding in findings if finding.level is not Level.OK)
    kept = "hypertable of 30 chunk(s)" if parts.is_hypertable else "7 partition(s), a year each"
    assert [kept in finding.seen for finding in findings if finding.level is Level.OK] == [True]


async def test_a_hypertable_whose_old_chunks_wait_is_told_where_there_is_timescaledb(servers: Servers, settings: Settings) -> None:
    async with fresh_database(servers) as fresh:
        await migrated(fresh)
        async with fresh.connect("system") as system:
            if await system.fetchval("select relkind = 'p' from pg_class where oid = 'transaction_schema.transactions'::regclass"):
                pytest.skip("this server has no TimescaleDB; where it is installed: FLORIN_TEST_POSTGRES=FOLDER FLORIN_TEST_TIMESCALEDB=1")
            await insert(system, "transaction_schema.transactions", transaction(uuid4(), transaction_date=date(2019, 3, 20)))

        findings = await examine(on(fresh, settings))

    seen = {finding.seen: finding.level for finding in findings}
    assert seen["transactions in a hypertable of 1 chunk(s)"] is Level.OK
    (waiting,) = [words for words, level in seen.items() if level is not Level.OK]
    assert waiting.startswith("1 chunk(s) of old transactions wait to be compressed; the last run: ")
