"""A database with many rows of many users in every table, in which one of them is looked at."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from tests.db.samples import sample_rows

#: Rows per table, of which every twentieth is the user's who is looked at; vectors are most of them theirs.
ROWS: Final = 100_000
VECTORS: Final = 10_000
EVERY: Final = 20
OTHERS: Final = 997

_SOMEBODY: Final = "md5('user' || n % 997)::uuid"
#: The day that a row is of, and its instant: one after the other, back in time.
_DAY: Final = "current_date - (n / 20 % 1500)"
_INSTANT: Final = "now() - n * interval '1 minute'"

#: What differs from row to row, by table and column; `n` counts rows, `u` is the owner. What is not here is as in `sample_rows`.
_VARIES: Final[Mapping[str, Mapping[str, str]]] = {
    "users": {"id": "u", "email": "u || '@example.com'", "email_normalized": "u || '@example.com'"},
    "oauth_connections": {"provider_user_id": "'p' || n"},
    "bank_connections": {
        "provider_item_id": "'item' || n",
        "next_sync_at": "case n % 100 when 0 then now() + n * interval '1 minute' end",
    },
    "bank_accounts": {
        "provider_account_id": "'account' || n",
        "connection_id": "md5('bank_connections' || (1 + n / 2000 % 49) * 2000 + n % 20)::uuid",
    },
    "uploads": {"created_at": _INSTANT, "expires_at": "now() + n * interval '1 minute'", "ciphertext": "'\\x00'::bytea"},
    "statement_imports": {"upload_id": "null::uuid", "connection_id": "null::uuid", "created_at": _INSTANT},
    "sync_history": {
        "connection_id": "md5('bank_connections' || (1 + n / 2000 % 49) * 2000 + n % 20)::uuid",
        "import_id": "null::uuid",
        "sync_type": "'scheduled'",
        "started_at": _INSTANT,
    },
    "bank_links": {"expires_at": "now() + n * interval '1 minute'", "created_at": _INSTANT},
    "bank_webhooks": {"digest": "md5('a' || n) || md5('b' || n)", "received_at": _INSTANT},
    "transactions": {
        "account_id": "md5('bank_accounts' || (1 + n / 2000 % 49) * 2000 + n % 20)::uuid",
        "transaction_date": _DAY,
        "provider_transaction_id": "'t' || n",
        "amount": "n / 20",
        "description": "'word' || n / 20 % 800 || ' at the till'",
        "merchant_name": "'Shop ' || n / 20 % 400",
        "category_detailed": "case n / 20 % 100 when 0 then 'FOOD_AND_DRINK_COFFEE' else 'CATEGORY_' || n / 20 % 100 end",
        "status": "case n / 20 % 100 when 0 then 'pending' else 'posted' end",
        "tags": "array['tag' || n / 20 % 300]",
        "is_recurring": "n / 20 % 100 = 1",
        "recurring_series_id": "case n / 20 % 100 when 1 then md5('recurring_patterns' || n / 20 / 100 % 5 * 20 + 20)::uuid end",
    },
    "transaction_keys": {
        "account_id": "md5('bank_accounts' || (1 + n / 2000 % 49) * 2000 + n % 20)::uuid",
        "provider_transaction_id": "'t' || n",
        "transaction_id": "md5('transactions' || n)::uuid",
        "transaction_date": _DAY,
        "deleted_at": "case n / 20 % 100 when 7 then now() end",
    },
    "deleted_transactions": {"transaction_date": _DAY, "deleted_at": _INSTANT},
    "transaction_reviews": {
        "created_at": _INSTANT,
        "kind": "case n / 20 % 4 when 0 then 'removal' when 1 then 'posting' when 2 then 'transfer' else 'duplicate' end",
        "state": "case n / 20 % 50 when 0 then 'suggested' else 'applied' end",
        "decided_by": "case n / 20 % 50 when 0 then null else 'auto' end",
        "decided_at": "case n / 20 % 50 when 0 then null else now() end",
        "transaction_id": "md5('transactions' || n)::uuid",
        "transaction_date": _DAY,
        "other_id": "case n / 20 % 4 when 0 then null else md5('transactions' || n + 20)::uuid end",
        "other_date": "case n / 20 % 4 when 0 then null else current_date - ((n + 20) / 20 % 1500) end",
    },
    "monthly_category_summary": {"month": "date '1990-01-01' + (n / 20 % 400) * interval '1 month'", "category": "'CATEGORY_' || n / 8000"},
    "user_categories": {"category_id": "md5('user_categories' || n)::uuid::text", "display_name": "'Mine ' || n"},
    "recurring_patterns": {"group_key": "'g' || n", "next_expected_date": "current_date + n / 20 % 400 - 200"},
    "budgets": {"created_at": _INSTANT, "closes_on": _DAY},
    "budget_utilization": {"budget_id": "md5('budgets' || n)::uuid"},
    "budget_history": {
        "budget_id": "md5('budgets' || n % 20 + 20 * (n / 20 % 50))::uuid",
        "period_start": "date '1900-01-01' + n / 1000 * interval '1 month'",
        "period_end": "date '1900-02-01' + n / 1000 * interval '1 month'",
    },
    "savings_goals": {"created_at": _INSTANT},
    "goal_contributions": {
        "goal_id": "md5('savings_goals' || n % 20 + 20 * (n / 20 % 50))::uuid",
        "contribution_date": _DAY,
        "amount": "1 + n % 7",
    },
    "insights": {
        "created_at": _INSTANT,
        "type": "case n / 20 % 50 when 0 then 'forecast' else 'spending_spike' end",
        "priority": "case n / 20 % 3 when 0 then 'high' else 'low' end",
    },
    "spending_patterns": {
        "merchant_name": "'Shop ' || n",
        "category": "'CATEGORY_' || n / 20 % 300",
        "last_observed_at": _INSTANT,
    },
    "llm_query_cache": {
        "created_at": _INSTANT,
        "query_hash": "md5('a' || n) || md5('b' || n)",
        "query_type": "case n / 20 % 50 when 0 then 'categorization' else 'insight' end",
        "expires_at": "now() + n * interval '1 minute'",
    },
    "merchant_category_votes": {"merchant_name": "'shop ' || n / 20", "is_counted": "n % 100 > 0"},
    "transaction_embeddings": {
        "transaction_id": "md5('transactions' || n)::uuid",
        "user_id": "case when n % 10 > 0 then md5('user0')::uuid else u end",
        "created_at": _INSTANT,
        "embedding": "(select array_agg(sin(n * k) + cos(n / 7 + k)) from generate_series(1, 256) k)::real[]::extensions.vector",
    },
    "notifications": {
        "created_at": _INSTANT,
        "type": "case n / 20 % 50 when 0 then 'insight' else 'budget_alert' end",
        "channel": "case n / 20 % 50 when 1 then 'email' else 'in_app' end",
        "status": "case n / 20 % 50 when 2 then 'failed' else 'sent' end",
        "error_message": "case n / 20 % 50 when 2 then 'CHANNEL_AWAY' end",
        "sent_at": "case n / 20 % 50 when 2 then null else now() end",
        "next_retry_at": "case n / 20 % 50 when 2 then now() - interval '1 minute' end",
        "read_at": "case n / 20 % 50 when 3 then null else now() end",
        "correlation_id": "md5('event' || n)::uuid",
    },
    "notification_rules": {"created_at": _INSTANT},
    "audit_logs": {
        "timestamp": "now() - n * interval '1 second'",
        "sequence": "1 + n / 20",
        "action": "case n / 20 % 50 when 0 then 'USER_LOGOUT' else 'USER_LOGIN' end",
    },
    "data_export_requests": {"created_at": _INSTANT, "status": "'failed'", "completed_at": "now()"},
    "export_chunks": {"request_id": "md5('data_export_requests' || n)::uuid"},
    "deletion_requests": {"created_at": _INSTANT, "status": "'rejected'", "completed_at": "now()"},
}
#: One row per user.
_ONE_EACH: Final = ("users", "user_keys", "user_preferences", "ledgers", "audit_heads")

_OPERATIONAL: Final = (".jobs", ".applied_jobs", ".idempotency_keys")

_TYPES = """select attname, format_type(atttypid, atttypmod) from pg_attribute
  where attrelid = $1::regclass and attnum > 0 and not attisdropped"""


async def fill(connections: Sequence[Any], watched: UUID) -> None:
    """Fill every table that has rows of users, through several log-ins of the superuser at once, and count what is there."""
    waiting = [(table, row) for table, row in sample_rows(watched).items() if not table.endswith(_OPERATIONAL)]

    async def work(connection: Any) -> None:
        # no look-ups of parents, no chains
        await connection.execute("set session_replication_role = replica; set synchronous_commit = off")
        while waiting:
            await _fill_one(connection, *waiting.pop(), watched)
        await connection.execute("set session_replication_role = origin")

    await asyncio.gather(*map(work, connections))
    await connections[0].execute("analyze")


async def _fill_one(superuser: Any, table: str, row: Mapping[str, Any], watched: UUID) -> None:
    name = table.partition(".")[2]
    types = dict(await superuser.fetch(_TYPES, table))
    varies = _VARIES.get(name, {})
    columns = {column: _literal(value, types[column]) for column, value in row.items()}
    columns |= {"id": f"md5('{name}' || n)::uuid"} if "id" in columns else {}
    columns |= {"user_id": "u"} if "user_id" in columns else {}
    columns |= {column: f"({expression})::{types[column]}" for column, expression in varies.items()}
    if name in _ONE_EACH:
        source = f"(select n, case n when 0 then '{watched}'::uuid else {_SOMEBODY} end as u from generate_series(0, 996) n) each"
    else:
        many = VECTORS if name == "transaction_embeddings" else ROWS
        mine = f"case n % {EVERY} when 0 then '{watched}'::uuid else {_SOMEBODY} end"
        source = f"(select n, {mine} as u from generate_series(1, {many}) n) each"
    expressions = ", ".join(columns.values()).replace("md5('user0')::uuid", f"'{watched}'::uuid")
    await superuser.execute(f"insert into {table} ({', '.join(columns)}) select {expressions} from {source}")


def _literal(value: Any, kind: str) -> str:
    if value is None:
        return f"null::{kind}"
    text = "\\x" + value.hex() if isinstance(value, bytes) else str(value)
    return "'" + text.replace("'", "''") + f"'::{kind}"
