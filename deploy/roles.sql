-- Roles, their limits and the extensions of Florin: run as a superuser, in Florin's database. Running it again changes nothing.
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
    end;
  end loop;
end
$settings$;

do $database$
begin
  execute format('grant connect, temporary, create on database %I to florin_owner', current_database());
  execute format('grant connect, temporary on database %I to florin_app, florin_system', current_database());
end
$database$;

create schema if not exists extensions;
grant usage on schema extensions to florin_owner, florin_app, florin_system;

do $extensions$
declare
  extension text;
begin
  foreach extension in array array['vector', 'btree_gin', 'pg_trgm'] loop
    if not exists (select from pg_catalog.pg_extension where extname = extension) then
      execute format('create extension %I with schema extensions', extension);
    elsif not exists (
      select from pg_catalog.pg_extension where extname = extension and extnamespace = 'extensions'::regnamespace
    ) then
      raise exception 'extension % is in another schema', extension
        using hint = format('alter extension %I set schema extensions', extension);
    end if;
  end loop;
end
$extensions$;

commit;
