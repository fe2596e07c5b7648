"""Runs one domain's migrations on the connection that `migrations.run` hands over: see there."""

import re
from importlib import import_module
from typing import Any

from alembic import context
from sqlalchemy import Connection

from db.base import SYSTEM_ROLE, metadata_of, schema_of

#: Waiting for another migrator is fine; a lock on a table that is in use is not: everybody behind it would wait too.
MIGRATOR_WAIT_S = 120
LOCK_WAIT_S = 5

PARTITION = re.compile(r"transactions_y\d{4}|audit_logs_\d{4}_\d{2}")

#: Its expression comes back from the server in other words. A test compares it, with all else, as the server words both.
WORDED_BY_THE_SERVER = {"ix_transactions_search"}
#: Led by the user where the server has btree_gin (docs/adr/0006).
LED_BY_THE_USER_IF_POSSIBLE = {"ix_transactions_tags"}


def migrate(connection: Connection, domain: str) -> None:
    """One transaction per domain and run: a migration that fails leaves nothing."""
    schema = schema_of(domain)
    import_module(f"db.{domain}.models")
    with connection.begin():
        connection.exec_driver_sql(f"set local lock_timeout = '{MIGRATOR_WAIT_S}s'")
        connection.exec_driver_sql(f"select pg_advisory_xact_lock(hashtextextended('florin.migrate.{domain}', 0))")
        connection.exec_driver_sql(f"set local lock_timeout = '{LOCK_WAIT_S}s'")
        connection.exec_driver_sql(f"create schema if not exists {schema}")
        context.configure(
            connection=connection,
            target_metadata=metadata_of(domain),
            version_table_schema=schema,
            include_schemas=True,
            include_name=lambda name, kind, _parents: _is_ours(name, kind, schema),
            include_object=_is_compared,
            compare_type=True,
            compare_server_default=True,
        )
        with context.begin_transaction():
            context.run_migrations()
        if context.get_context().get_current_revision() is not None:
            # readiness asks how far the tables are, in processes that do not hold the owner's log-in
            connection.exec_driver_sql(f"grant select on {schema}.alembic_version to {SYSTEM_ROLE}")


def _is_ours(name: str | None, kind: str, schema: str) -> bool:
    if kind == "schema":
        return name == schema
    return kind != "table" or name is None or PARTITION.fullmatch(name) is None


def _is_compared(item: Any, name: str | None, _kind: str, _reflected: bool, _compared: Any) -> bool:
    """Views stand among the tables for statements' sake; migrations write them by hand."""
    return name not in WORDED_BY_THE_SERVER | LED_BY_THE_USER_IF_POSSIBLE and not item.info.get("is_view", False)


_connection = context.config.attributes.get("connection")
if _connection is None:
    raise RuntimeError("migrations run by `florin migrate`, which knows the owner's log-in of each domain")
migrate(_connection, context.config.attributes["domain"])
