"""One row of a user per table, written by the superuser: whatever the application may do, the row is there."""

import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from db.base import DOMAINS, schema_of
from domains.audit.rules import NO_HASH, Entry, entry_hash
from domains.audit.sealing import SEALED

NOW = datetime.now(UTC)
MONTH = date(NOW.year, NOW.month, 1)

Samples = dict[str, dict[str, Any]]


def sample_rows(user_id: UUID) -> Samples:
    """A row per table that holds something of a user, parents first. A new table needs one: a test counts them."""
    connection_id, upload_id, budget_id, transaction_id, account_id = (uuid4() for _ in range(5))
    import_id = uuid4()
    own_category_id = uuid4()
    used = {"id": uuid4(), "user_id": user_id}
    rows: Samples = {
        "user_schema.users": {"id": user_id, "email": f"{user_id}@example.com", "email_normalized": f"{user_id}@example.com"},
        "user_schema.user_keys": {"user_id": user_id, "wrapped_key": b"wrapped", "key_id": "ring-1"},
        "user_schema.user_preferences": {"user_id": user_id, "currency": "EUR"},
        "user_schema.oauth_connections": {
            "id": uuid4(),
            "user_id": user_id,
            "provider": "google",
            "provider_user_id": str(user_id),
        },
        "bank_schema.bank_connections": {"id": connection_id, "user_id": user_id, "provider": "file", "provider_item_id": "item"},
        "bank_schema.bank_accounts": {
            "id": account_id,
            "connection_id": connection_id,
            "user_id": user_id,
            "provider_account_id": "account",
        },
        "bank_schema.uploads": {
            "id": upload_id,
            "user_id": user_id,
            "filename": "statement.ofx",
            "size_bytes": 9,
            "sha256": hashlib.sha256(b"statement").hexdigest(),
            "ciphertext": b"ciphertext",
            "expires_at": NOW,
        },
        "bank_schema.statement_imports": {
            "id": import_id,
            "user_id": user_id,
            "upload_id": upload_id,
            "connection_id": connection_id,
            "filename": "statement.ofx",
        },
        "bank_schema.sync_history": {
            "id": uuid4(),
            "user_id": user_id,
            "connection_id": connection_id,
            "import_id": import_id,
            "sync_type": "manual",
        },
        "bank_schema.bank_links": {
            "id": uuid4(),
            "user_id": user_id,
            "provider": "sandbox",
            "connection_id": connection_id,
            "secret_encrypted": b"ciphertext",
            "expires_at": NOW,
        },
        "bank_schema.bank_revocations": {
            "id": uuid4(),
            "user_id": user_id,
            "connection_id": connection_id,
            "access_token_encrypted": b"ciphertext",
            "gives_up_at": NOW,
        },
        "bank_schema.bank_webhooks": {
            "provider": "sandbox",
            "digest": hashlib.sha256(user_id.bytes).hexdigest(),
            "user_id": user_id,
            "connection_id": connection_id,
            "kind": "SYNC_UPDATES_AVAILABLE",
        },
        "transaction_schema.transactions": transaction(user_id, id=transaction_id, account_id=account_id),
        "transaction_schema.transaction_keys": {
            "user_id": user_id,
            "account_id": account_id,
            "provider_transaction_id": "t-1",
            "transaction_id": transaction_id,
            "transaction_date": MONTH,
            "fingerprint": b"fingerprint",
        },
        "transaction_schema.deleted_transactions": {
            "id": uuid4(),
            "user_id": user_id,
            "account_id": account_id,
            "transaction_date": MONTH,
            "content": '{"amount": "4.50"}',
        },
        "transaction_schema.transaction_reviews": {
            "id": uuid4(),
            "user_id": user_id,
            "kind": "removal",
            "transaction_id": transaction_id,
            "transaction_date": MONTH,
        },
        "transaction_schema.ledgers": {"user_id": user_id, "version": 1},
        "transaction_schema.monthly_category_summary": {
            "user_id": user_id,
            "month": MONTH,
            "direction": "debit",
            "currency": "EUR",
            "total_amount": Decimal(10),
            "transaction_count": 3,
        },
        "transaction_schema.user_categories": {
            "id": own_category_id,
            "user_id": user_id,
            "category_id": str(own_category_id),
            "type": "expense",
            "display_name": "Sourdough",
        },
        "transaction_schema.recurring_patterns": {
            **used,
            "group_key": "gym",
            "amount_min": Decimal(20),
            "amount_max": Decimal(25),
            "currency": "EUR",
            "frequency": "monthly",
            "last_transaction_date": MONTH,
            "next_expected_date": MONTH,
        },
        "budget_schema.budgets": budget(user_id, id=budget_id),
        "budget_schema.budget_utilization": {
            "id": uuid4(),
            "budget_id": budget_id,
            "currency": "EUR",
            "period_start": MONTH,
            "period_end": date(NOW.year + 1, 1, 1),
        },
        "analytics_schema.insights": {
            "id": uuid4(),
            "user_id": user_id,
            "type": "forecast",
            "title": "Less coffee",
            "description": "You spend less on coffee.",
        },
        "analytics_schema.spending_patterns": {
            "id": uuid4(),
            "user_id": user_id,
            "pattern_type": "day_of_week",
            "pattern_data": "{}",
            "currency": "EUR",
        },
        "analytics_schema.llm_query_cache": {
            "id": uuid4(),
            "user_id": user_id,
            "query_hash": hashlib.sha256(str(user_id).encode()).hexdigest(),
            "query_text": "Where does my money go?",
            "query_type": "insight",
            "response": "{}",
            "model": "model-1",
        },
        "analytics_schema.merchant_category_votes": {
            "id": uuid4(),
            "user_id": user_id,
            "merchant_name": "corner shop",
            "category": "FOOD_AND_DRINK",
        },
        "analytics_schema.transaction_embeddings": {
            "transaction_id": transaction_id,
            "user_id": user_id,
            "transaction_date": MONTH,
            "embedding_model": "l2_supercat_256",
            "embedding": str([0.1] * 256),
        },
        "budget_schema.budget_history": {
            "id": uuid4(),
            "user_id": user_id,
            "budget_id": budget_id,
            "category": "FOOD_AND_DRINK",
            "currency": "EUR",
            "period_start": date(2020, 1, 1),
            "period_end": date(2020, 2, 1),
            "budget_amount": Decimal(100),
            "amount_spent": Decimal(40),
        },
        "budget_schema.savings_goals": {**used, "name": "Boat", "target_amount": Decimal(1000), "currency": "EUR"},
        "budget_schema.goal_contributions": {
            "id": uuid4(),
            "user_id": user_id,
            "goal_id": used["id"],
            "amount": Decimal(-5),
            "currency": "EUR",
        },
        "notification_schema.notifications": {**used, "type": "budget_alert", "channel": "in_app", "message": "80 %"},
        "notification_schema.notification_rules": {**used, "rule_type": "budget_threshold", "conditions": json.dumps({})},
    }
    rows |= _trail(user_id)
    for domain in DOMAINS:
        schema = schema_of(domain)
        rows[f"{schema}.jobs"] = {"id": uuid4(), "user_id": user_id, "topic": "probe", "key": str(uuid4())}
        rows[f"{schema}.applied_jobs"] = {"job_id": uuid4(), "user_id": user_id}
        key = {"user_id": user_id, "mutation": "budgetCreate", "key": "k", "fingerprint": "0" * 64, "answer": json.dumps({"id": 1})}
        rows[f"{schema}.idempotency_keys"] = key
    return rows


def _trail(user_id: UUID) -> Samples:
    """A chain of one entry, which holds, and a request of each kind."""
    sealed = dict.fromkeys(SEALED, b"ciphertext")
    plain = {"resource_type": None, "resource_id": None, "request_id": None, "correlation_id": None}
    said = {"id": uuid4(), "user_id": user_id, "timestamp": NOW, "service_name": "api", "action": "USER_LOGIN"}
    digest = entry_hash(NO_HASH, Entry(sequence=1, **said, **plain, **sealed))
    export_id = uuid4()
    return {
        "audit_schema.audit_logs": {**said, **sealed, "sequence": 1, "previous_hash": NO_HASH, "entry_hash": digest},
        "audit_schema.audit_heads": {"user_id": user_id, "sequence": 1, "entry_hash": digest},
        "audit_schema.data_export_requests": {"id": export_id, "user_id": user_id},
        "audit_schema.export_chunks": {"request_id": export_id, "seq": 0, "user_id": user_id, "ciphertext": b"ciphertext"},
        "audit_schema.deletion_requests": {"id": uuid4(), "user_id": user_id},
    }


def transaction(user_id: UUID, **values: Any) -> dict[str, Any]:
    row = {
        "id": uuid4(),
        "transaction_date": MONTH,
        "user_id": user_id,
        "account_id": uuid4(),
        "provider": "file",
        "provider_transaction_id": "t-1",
        "amount": Decimal("12.50"),
        "direction": "debit",
        "description": "Coffee",
    }
    return row | values


def budget(user_id: UUID, **values: Any) -> dict[str, Any]:
    row = {
        "id": uuid4(),
        "user_id": user_id,
        "category": "FOOD_AND_DRINK",
        "amount": Decimal(100),
        "currency": "EUR",
        "start_date": MONTH,
    }
    return row | values


async def insert(connection: Any, table: str, row: Mapping[str, Any]) -> None:
    names = ", ".join(row)
    places = ", ".join(f"${n}" for n in range(1, len(row) + 1))
    await connection.execute(f"insert into {table} ({names}) values ({places})", *row.values())


async def insert_all(connection: Any, rows: Samples) -> None:
    for table, row in rows.items():
        await insert(connection, table, row)


@asynccontextmanager
async def login(dsn: str, viewer: UUID | None = None) -> AsyncIterator[Any]:
    """A connection in a transaction that is rolled back, on behalf of the viewer if there is one."""
    connection = await asyncpg.connect(dsn.replace("+asyncpg", "", 1))
    transaction = connection.transaction()
    try:
        await transaction.start()
        if viewer is not None:
            await connection.execute(f"set local app.user_id = '{viewer}'")
        yield connection
    finally:
        await transaction.rollback()
        await connection.close()


@asynccontextmanager
async def superuser(dsn: str) -> AsyncIterator[Any]:
    """A connection whose statements are committed one by one."""
    connection = await asyncpg.connect(dsn.replace("+asyncpg", "", 1))
    try:
        yield connection
    finally:
        await connection.close()
