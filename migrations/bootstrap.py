"""What `florin_owner` cannot make: the three roles, their limits, the extensions. Everything else is its.

A superuser can, and on a managed server, which lets nobody be one, whoever owns the database and may make roles.

python -m migrations.bootstrap > deploy/roles.sql        for operators, who run it with psql and then set passwords (\\password)
"""

import asyncio
import base64
import hashlib
import hmac
import secrets
import sys
from collections.abc import Mapping
from typing import Any

import asyncpg

from db.base import APP_ROLE, EXTENSIONS_SCHEMA, OWNER_ROLE, SYSTEM_ROLE
from db.dsn import driver_dsn

ROLES = (OWNER_ROLE, APP_ROLE, SYSTEM_ROLE)
ATTEMPTS = 8
SCRAM_ITERATIONS = 4096

ROLES_SQL = f"""\
-- Roles, their limits and the extensions of Florin: run in Florin's database, as a superuser, or as its owner who has CREATEROLE.
-- Running it again changes nothing.
-- Made by `python -m migrations.bootstrap`; a test holds this file against it.
begin;

-- Two at once wait for one another here.
select pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('florin.bootstrap', 0));

do $roles$
declare
  wanted constant text[] := array['{OWNER_ROLE}', '{APP_ROLE}', '{SYSTEM_ROLE}'];
  name text;
  other text;
begin
  foreach name in array wanted loop
    if not exists (select from pg_catalog.pg_roles where rolname = name) then
      execute format('create role %I login nosuperuser nocreatedb nocreaterole noreplication nobypassrls', name);
    end if;
    if exists (select from pg_catalog.pg_roles where rolname = name and (rolsuper or rolbypassrls)) then
      raise exception 'role % is superuser or has BYPASSRLS: row security would not hold it', name;
    end if;
  end loop;
  foreach name in array wanted loop
    foreach other in array wanted loop
      if name <> other and pg_catalog.pg_has_role(name, other, 'member') then
        raise exception 'role % is a member of %: each has its own rights', name, other;
      end if;
    end loop;
  end loop;
end
$roles$;

-- Nothing runs, waits or stays open for ever; a statement whose client is gone stops. Names are always written with their schema.
do $settings$
declare
  setting record;
begin
  for setting in
    select * from (values
      ('{APP_ROLE}', 'statement_timeout', '30s'),
      ('{APP_ROLE}', 'lock_timeout', '5s'),
      ('{APP_ROLE}', 'idle_in_transaction_session_timeout', '60s'),
      ('{APP_ROLE}', 'client_connection_check_interval', '1s'),
      ('{SYSTEM_ROLE}', 'statement_timeout', '120s'),
      ('{SYSTEM_ROLE}', 'lock_timeout', '5s'),
      ('{SYSTEM_ROLE}', 'idle_in_transaction_session_timeout', '60s'),
      ('{SYSTEM_ROLE}', 'client_connection_check_interval', '1s'),
      ('{OWNER_ROLE}', 'search_path', 'pg_catalog'),
      ('{APP_ROLE}', 'search_path', 'pg_catalog'),
      ('{SYSTEM_ROLE}', 'search_path', 'pg_catalog')
    ) as wanted (role, name, value)
    where not exists (
      select from pg_catalog.pg_db_role_setting s join pg_catalog.pg_roles r on r.oid = s.setrole
      where r.rolname = wanted.role and s.setdatabase = 0 and s.setconfig @> array[wanted.name || '=' || wanted.value]
    )
  loop
    begin
      execute format('alter role %I set %I = %L', setting.role, setting.name, setting.value);
    exception when invalid_parameter_value then
      -- client_connection_check_interval exists on some platforms only.
      raise notice 'not set here: % for %', setting.name, setting.role;
    when insufficient_privilege then
      raise warning 'not yours to set: % for %', setting.name, setting.role
        using hint = format('as whoever made the role: alter role %I set %I = %L', setting.role, setting.name, setting.value);
    end;
  end loop;
end
$settings$;

do $database$
begin
  execute format('grant connect, temporary, create on database %I to {OWNER_ROLE}', current_database());
  execute format('grant connect, temporary on database %I to {APP_ROLE}, {SYSTEM_ROLE}', current_database());
  if not pg_catalog.has_database_privilege('{OWNER_ROLE}', current_database(), 'create') then
    raise exception '{OWNER_ROLE} may not make schemas in database %', current_database()
      using hint = 'run this as the owner of the database';
  end if;
end
$database$;

create schema if not exists {EXTENSIONS_SCHEMA};
grant usage on schema {EXTENSIONS_SCHEMA} to {OWNER_ROLE}, {APP_ROLE}, {SYSTEM_ROLE};

-- vector is needed. Without the others, which some servers do not have, searches read more than they had to.
do $extensions$
declare
  extension text;
  place constant text := '{EXTENSIONS_SCHEMA}';
begin
  foreach extension in array array['vector', 'btree_gin', 'pg_trgm'] loop
    if exists (select from pg_catalog.pg_extension where extname = extension and extnamespace <> place::regnamespace) then
      raise exception 'extension % is in another schema', extension
        using hint = format('alter extension %I set schema %I', extension, place);
    elsif exists (select from pg_catalog.pg_extension where extname = extension) then
      continue;
    end if;
    begin
      execute format('create extension %I with schema %I', extension, place);
    exception when feature_not_supported or undefined_file or insufficient_privilege then
      -- not installed on this server, or only for others to create
      if extension = 'vector' then
        raise exception 'extension vector is not to be had: %', sqlerrm
          using hint = format('install pgvector, or have it made for you: create extension vector with schema %I', place);
      end if;
      raise notice 'extension % is not to be had here: %', extension, sqlerrm;
    end;
  end loop;
end
$extensions$;

-- TimescaleDB, where the server was started with it: of any other it would end the connection. It may be in any schema.
do $timescaledb$
begin
  if exists (select from pg_catalog.pg_settings where name = 'timescaledb.disable_load')
     and not exists (select from pg_catalog.pg_extension where extname = 'timescaledb') then
    create extension timescaledb with schema {EXTENSIONS_SCHEMA};
  end if;
exception when feature_not_supported or undefined_file or insufficient_privilege then
  raise notice 'extension timescaledb is not to be had here: %', sqlerrm;
end
$timescaledb$;

commit;
"""


async def bootstrap(superuser_dsn: str, passwords: Mapping[str, str]) -> None:
    """Make roles, limits and extensions in the DSN's database, and give the named roles these passwords (ASCII).

    Idempotent, and safe beside others who do the same, in this database or another of the cluster.
    Errors:  ValueError for a password that is not printable ASCII or of no role of ours; asyncpg's errors.
    """
    unknown = set(passwords) - set(ROLES)
    if unknown:
        raise ValueError(f"no roles of Florin: {sorted(unknown)}")
    connection = await asyncpg.connect(driver_dsn(superuser_dsn))
    try:
        await _retried(connection, passwords)
    finally:
        await connection.close()


async def _retried(connection: Any, passwords: Mapping[str, str]) -> None:
    """Roles belong to the cluster and locks to a database: a bootstrap in another database may be changing the same rows."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            await connection.execute(ROLES_SQL)
            for role, password in passwords.items():
                await _set_password(connection, role, password)
            return
        except (asyncpg.UniqueViolationError, asyncpg.DuplicateObjectError, asyncpg.InternalServerError):
            await connection.execute("rollback")
            if attempt == ATTEMPTS:
                raise
            await asyncio.sleep(0.02 * attempt)


async def _set_password(connection: Any, role: str, password: str) -> None:
    """Send the verifier, never the password (statements may be logged), and only when it would change, where that can be told."""
    if not password.isascii() or not password.isprintable():
        raise ValueError(f"the password of {role} must be printable ASCII")
    stored = None
    if await connection.fetchval("select has_table_privilege('pg_catalog.pg_authid', 'select')"):  # of managed servers it is nobody's
        stored = await connection.fetchval("select rolpassword from pg_catalog.pg_authid where rolname = $1", role)
    if stored is None or not verifies(stored, password):
        await connection.execute(f"alter role {role} password '{verifier(password, secrets.token_bytes(16))}'")


def verifier(password: str, salt: bytes, iterations: int = SCRAM_ITERATIONS) -> str:
    """A password as Postgres keeps it: SCRAM-SHA-256 of RFC 5803."""
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    stored_key = hashlib.sha256(client_key).digest()
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    salt64, stored64, server64 = (base64.b64encode(part).decode() for part in (salt, stored_key, server_key))
    return f"SCRAM-SHA-256${iterations}:{salt64}${stored64}:{server64}"


def verifies(stored: str, password: str) -> bool:
    """Whether what Postgres keeps was made from this password."""
    kind, _, rest = stored.partition("$")
    iterations, _, salted = rest.partition(":")
    if kind != "SCRAM-SHA-256" or not iterations.isdigit():
        return False
    salt = base64.b64decode(salted.partition("$")[0])
    return hmac.compare_digest(stored, verifier(password, salt, int(iterations)))


if __name__ == "__main__":
    sys.stdout.write(ROLES_SQL)
