"""What migrations say more than once. A released migration keeps its meaning: a change here gets a function of its own."""

from alembic import op

from db.base import APP_ROLE, SYSTEM_ROLE, VIEWER_SQL


def run(script: str) -> None:
    """Run SQL of any number of statements, in the migration's transaction."""
    connection = op.get_bind().connection
    connection.run_async(lambda driver: driver.execute(script))


def has_extension(name: str) -> bool:
    """Whether the database has it: btree_gin and pg_trgm are not to be had everywhere (docs/adr/0006)."""
    return bool(op.get_bind().exec_driver_sql(f"select exists (select from pg_catalog.pg_extension where extname = '{name}')").scalar())


def open_schema(schema: str) -> str:
    """Let the roles in, and make the function that keeps `updated_at`: one per schema, so that a schema can move alone."""
    return f"""
        grant usage on schema {schema} to {APP_ROLE}, {SYSTEM_ROLE};

        create function {schema}.update_updated_at_column() returns trigger
        language plpgsql set search_path = pg_catalog as $$
        begin
          new.updated_at = now();
          return new;
        end
        $$;
        revoke execute on function {schema}.update_updated_at_column() from public;
    """


def close_schema(schema: str) -> str:
    return f"""
        drop function {schema}.update_updated_at_column();
        revoke usage on schema {schema} from {APP_ROLE}, {SYSTEM_ROLE};
    """


def touch(schema: str, *tables: str) -> str:
    return "".join(
        f"create trigger update_{table}_updated_at before update on {schema}.{table}"
        f" for each row execute function {schema}.update_updated_at_column();\n"
        for table in tables
    )


def rows_of(schema: str, table: str, condition: str) -> str:
    """Row security: the application's role has the rows that meet the condition, the system's role all; nobody else any."""
    return f"""
        alter table {schema}.{table} enable row level security;
        alter table {schema}.{table} force row level security;
        create policy viewer on {schema}.{table} to {APP_ROLE} using ({condition}) with check ({condition});
        create policy system on {schema}.{table} to {SYSTEM_ROLE} using (true) with check (true);
    """


def viewers_rows(schema: str, *tables: str, owner: str = "user_id") -> str:
    return "".join(rows_of(schema, table, f"{owner} = {VIEWER_SQL}") for table in tables)


def operational_tables(schema: str) -> str:
    """Jobs, fences of other domains' jobs, idempotency keys. `jobs` is rewritten all the time, hence its early vacuum."""
    return f"""
        create table {schema}.jobs (
          id uuid not null default gen_random_uuid(),
          user_id uuid,
          topic varchar(100) not null,
          key varchar(255) not null,
          payload jsonb not null default '{{}}',
          state varchar(20) not null default 'queued',
          run_at timestamptz not null default now(),
          attempt integer not null default 0,
          max_attempts integer not null default 8,
          lease_token bigint not null default 0,
          leased_until timestamptz,
          dirty boolean not null default false,
          last_error text,
          created_at timestamptz not null default now(),
          finished_at timestamptz,
          constraint pk_jobs primary key (id),
          constraint ck_jobs_state_known check (state in ('queued', 'running', 'done', 'dead')),
          constraint ck_jobs_running_is_leased check (state <> 'running' or leased_until is not null),
          constraint ck_jobs_max_attempts_positive check (max_attempts > 0)
        ) with (autovacuum_vacuum_scale_factor = 0.02);
        comment on column {schema}.jobs.user_id is 'NULL: upkeep, which only the system sees';
        create unique index uq_jobs_live on {schema}.jobs (topic, key) where state in ('queued', 'running');
        create index ix_jobs_due on {schema}.jobs (run_at) where state = 'queued';
        create index ix_jobs_leased on {schema}.jobs (leased_until) where state = 'running';
        create index ix_jobs_user_id on {schema}.jobs (user_id);

        create table {schema}.applied_jobs (
          job_id uuid not null,
          user_id uuid,
          applied_at timestamptz not null default now(),
          outcome jsonb,
          constraint pk_applied_jobs primary key (job_id)
        );
        comment on column {schema}.applied_jobs.outcome is
          'what the job''s effect in this domain came to, for a run that repeats it';

        create table {schema}.idempotency_keys (
          user_id uuid not null,
          mutation varchar(100) not null,
          key varchar(255) not null,
          fingerprint varchar(64) not null,
          answer jsonb,
          created_at timestamptz not null default now(),
          constraint pk_idempotency_keys primary key (user_id, mutation, key)
        );

        {viewers_rows(schema, "jobs", "applied_jobs", "idempotency_keys")}

        grant select, insert, update (payload, state, run_at, attempt, lease_token, leased_until, dirty, last_error, finished_at)
          on {schema}.jobs to {APP_ROLE};
        grant select, insert, update (outcome) on {schema}.applied_jobs to {APP_ROLE};
        grant select, insert, update (answer) on {schema}.idempotency_keys to {APP_ROLE};
        grant select, insert, update, delete on {schema}.jobs, {schema}.applied_jobs, {schema}.idempotency_keys to {SYSTEM_ROLE};
    """


def drop_operational_tables(schema: str) -> str:
    return f"drop table {schema}.jobs, {schema}.applied_jobs, {schema}.idempotency_keys;"
