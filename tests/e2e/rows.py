"""What the database holds, read past every policy: the whole of it counted, and one user's without what differs between equal runs."""

from typing import Any
from uuid import UUID

from db.base import DOMAINS, schema_of
from tests.servers.everywhere import Everywhere

SCHEMAS = tuple(schema_of(domain) for domain in DOMAINS)
MONEY = ("bank_schema", "transaction_schema", "analytics_schema", "budget_schema")
#: How a result came about, not what it is: these may differ between an import that was killed and one that was not.
_OF_BANKS = ("uploads", "statement_imports", "sync_history", "bank_links", "bank_revocations", "bank_webhooks")
_HOW = ("jobs", "applied_jobs", "idempotency_keys", *_OF_BANKS)
#: Ids, instants and what is encrypted with a key of the user's own.
_OF_ONE_RUN = ("uuid", "timestamptz", "bytea")
#: When somebody has to look again; NULL until a worker has looked once.
_NEXT_LOOK = ("closes_on",)

_TABLES = """select n.nspname as schema, c.relname as name, array_agg(a.attname::text order by a.attnum) as columns,
       array_agg(a.attname::text order by a.attnum) filter (where t.typname <> all ($2) and a.attname <> all ($3)) as lasting
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped join pg_type t on t.oid = a.atttypid
 where n.nspname = any ($1) and c.relkind in ('r', 'p') and not c.relispartition group by 1, 2 order by 1, 2"""


async def counts(superuser: Everywhere) -> dict[str, int]:
    """How many rows each table holds."""
    tables = [f"{each['schema']}.{each['name']}" for each in await superuser.fetch(_TABLES, SCHEMAS, _OF_ONE_RUN, _NEXT_LOOK)]
    return {table: await superuser.fetchval(f"select count(*) from {table}") for table in tables}


async def holdings(superuser: Everywhere, user_id: UUID) -> dict[str, list[str]]:
    """Every row of a user's money (accounts, transactions, sums, budgets, figures), as text, by table."""
    found: dict[str, list[str]] = {}
    for table in await superuser.fetch(_TABLES, MONEY, _OF_ONE_RUN, _NEXT_LOOK):
        whose = _whose(table["columns"])
        if table["name"] not in _HOW and whose is not None:
            rows = await superuser.fetch(
                f"select row_to_json(each)::text from (select {', '.join(table['lasting'])} "
                f"from {table['schema']}.{table['name']} where {whose}) each",
                user_id,
            )
            found[f"{table['schema']}.{table['name']}"] = sorted(row[0] for row in rows)
    return found


def _whose(columns: list[str]) -> str | None:
    """The condition that a row is the user's; None for reference data."""
    if "user_id" in columns:
        return "user_id = $1"
    return "budget_id in (select id from budget_schema.budgets where user_id = $1)" if "budget_id" in columns else None


async def imports(superuser: Everywhere, user_id: UUID) -> list[Any]:
    """(status, added, unchanged) of each import, the oldest first."""
    query = "select status, added, unchanged from bank_schema.statement_imports where user_id = $1 order by created_at"
    return [tuple(row) for row in await superuser.fetch(query, user_id)]


async def syncs(superuser: Everywhere, user_id: UUID) -> list[Any]:
    """(type, status, added, updated, error code, whether it knows its connection and how long it took) of each line of the history that
    an import has, the oldest import first; None for an import that has none."""
    query = """select s.id, s.sync_type, s.status, s.transactions_added, s.transactions_updated, s.error_code,
        s.connection_id is not null and s.connection_id = i.connection_id and s.duration_ms >= 0
        from bank_schema.statement_imports i left join bank_schema.sync_history s on s.import_id = i.id
        where i.user_id = $1 order by i.created_at"""
    found = [tuple(row)[1:] if row["id"] else None for row in await superuser.fetch(query, user_id)]
    lines = await superuser.fetchval("select count(*) from bank_schema.sync_history where user_id = $1", user_id)
    assert lines == len([each for each in found if each]), "a line without an import"
    return found


async def uploads(superuser: Everywhere, user_id: UUID) -> int:
    """Files that wait."""
    return int(await superuser.fetchval("select count(*) from bank_schema.uploads where user_id = $1", user_id))


async def live_jobs(superuser: Everywhere, user_id: UUID) -> list[str]:
    """Topic and state of what waits or runs for a user."""
    live: list[str] = []
    for schema in SCHEMAS:
        query = f"select topic || ' ' || state as job from {schema}.jobs where user_id = $1 and state in ('queued', 'running')"
        live += [row["job"] for row in await superuser.fetch(query, user_id)]
    return sorted(live)


async def attempts(superuser: Everywhere, user_id: UUID, topic: str) -> list[int]:
    """How often each of a user's jobs of this topic, all of them of `bank`, was begun."""
    rows = await superuser.fetch(
        "select attempt from bank_schema.jobs where user_id = $1 and topic = $2 order by created_at", user_id, topic
    )
    return [row["attempt"] for row in rows]


async def set_leases(superuser: Everywhere, offset: str) -> None:
    """Have every lease end so long from now ("1 hour", "-1 second"), as if that much less time had passed, or more."""
    for schema in SCHEMAS:
        await superuser.execute(f"update {schema}.jobs set leased_until = now() + $1::text::interval where state = 'running'", offset)


async def make_due(superuser: Everywhere, user_id: UUID) -> None:
    """Have a back-off end now."""
    for schema in SCHEMAS:
        await superuser.execute(f"update {schema}.jobs set run_at = now() where state = 'queued' and user_id = $1", user_id)
