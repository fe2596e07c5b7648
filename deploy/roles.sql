-- Roles, their limits and the extensions of Florin: run in Florin's database, as a superuser, or as its owner who has CREATEROLE.
-- Running it again changes nothing.
-- Made by `python -m migrations.bootstrap`; a test holds this file against it.
begin;

-- Two at once wait for one another here.
select pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('florin.bootstrap', 0));

do $roles$
declare
  wanted constant text[] := array['florin_owner', 'florin_app', 'florin_system'];
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
      ('florin_app', 'statement_timeout', '30s'),
      ('florin_app', 'lock_timeout', '5s'),
      ('florin_app', 'idle_in_transaction_session_timeout', '60s'),
      ('florin_app', 'client_connection_check_interval', '1s'),
      ('florin_system', 'statement_timeout', '120s'),
      ('florin_system', 'lock_timeout', '5s'),
      ('florin_system', 'idle_in_transaction_session_timeout', '60s'),
      ('florin_system', 'client_connection_check_interval', '1s'),
      ('florin_owner', 'search_path', 'pg_catalog'),
      ('florin_app', 'search_path', 'pg_catalog'),
      ('florin_system', 'search_path', 'pg_catalog')
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
  execute format('grant connect, temporary, create on database %I to florin_owner', current_database());
  execute format('grant connect, temporary on database %I to florin_app, florin_system', current_database());
  if not pg_catalog.has_database_privilege('florin_owner', current_database(), 'create') then
    raise exception 'florin_owner may not make schemas in database %', current_database()
      using hint = 'run this as the owner of the database';
  end if;
end
$database$;

create schema if not exists extensions;
grant usage on schema extensions to florin_owner, florin_app, florin_system;

-- vector is needed. Without the others, which some servers do not have, searches read more than they had to.
do $extensions$
declare
  extension text;
  place constant text := 'extensions';
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
    create extension timescaledb with schema extensions;
  end if;
exception when feature_not_supported or undefined_file or insufficient_privilege then
  raise notice 'extension timescaledb is not to be had here: %', sqlerrm;
end
$timescaledb$;

commit;
