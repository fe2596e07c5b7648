"""What was done, by month, in one chain per user; what people ask of their data; what must be kept whatever they ask."""

from db.base import APP_ROLE, SYSTEM_ROLE
from migrations.ddl import close_schema, drop_operational_tables, open_schema, operational_tables, run, viewers_rows

revision = "audit_0001"
down_revision = None
branch_labels = None
depends_on = None

SCHEMA = "audit_schema"

# What is personal is ciphertext under the user's key from the first row: destroying the key erases it, and the chain, which hashes
# ciphertext, still holds. An entry without a user carries nothing personal.
AUDIT_LOGS = """
    create table audit_schema.audit_logs (
      id uuid not null default gen_random_uuid(),
      user_id uuid,
      service_name varchar(50) not null,
      action varchar(100) not null,
      resource_type varchar(50),
      resource_id varchar(255),
      ip_address bytea,
      user_agent bytea,
      request_id varchar(100),
      correlation_id uuid,
      old_values bytea,
      new_values bytea,
      metadata bytea,
      timestamp timestamptz not null default now(),
      sequence bigint not null,
      previous_hash bytea not null,
      entry_hash bytea not null,
      constraint pk_audit_logs primary key (id, timestamp),
      constraint ck_audit_logs_service_name_known check (service_name in ('api', 'worker', 'cli')),
      constraint ck_audit_logs_action_is_constant check (action ~ '^[A-Z][A-Z0-9_]*$'),
      constraint ck_audit_logs_sequence_positive check (sequence > 0),
      constraint ck_audit_logs_hashes_whole check (octet_length(previous_hash) = 32 and octet_length(entry_hash) = 32)
    ) partition by range (timestamp);
    comment on column audit_schema.audit_logs.user_id is 'NULL: nobody in particular; such entries are a chain of their own';
    comment on column audit_schema.audit_logs.timestamp is 'when it happened; entries may be written a little later, in another order';
    comment on column audit_schema.audit_logs.sequence is 'from 1, without a gap, per user: the order in which entries were written';
"""

INDEXES = """
    create index ix_audit_logs_user_id on audit_schema.audit_logs (user_id, timestamp desc, sequence desc);
    create index ix_audit_logs_action on audit_schema.audit_logs (user_id, action, timestamp desc, sequence desc);
    create index ix_audit_logs_chain on audit_schema.audit_logs (user_id, sequence);
"""

# For statements and not for rows: a TRUNCATE fires nothing else, and a trigger on the parent does not guard its partitions, so each
# partition gets its own. They hold for the owner and the superuser too, until somebody switches them off; then the chain tells.
REFUSE_CHANGE = """
    create function audit_schema.refuse_change() returns trigger
    language plpgsql set search_path = pg_catalog as $$
    begin
      raise exception 'the audit trail is never changed: % of % refused', tg_op, tg_table_name using errcode = 'insufficient_privilege';
    end
    $$;
    revoke execute on function audit_schema.refuse_change() from public;
    create trigger refuse_change before update or delete or truncate on audit_schema.audit_logs
      for each statement execute function audit_schema.refuse_change();
"""

# Whoever asks writes a month's bounds, not SQL, and none far from today. Made aside and attached, under the lock that attaching takes
# anyway: see transaction_schema.ensure_partition. Nobody reads a partition but through its parent: it has row security and no policy.
ENSURE_MONTH = f"""
    create function audit_schema.ensure_month(on_date date) returns boolean
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
    declare
      this_month date;
      first_instant timestamptz;
      last_instant timestamptz;
      partition text;
    begin
      if on_date is null or on_date not between current_date - 400 and current_date + 400 then
        raise exception 'no month of the audit trail is made for %: it is more than 400 days from today', on_date
          using errcode = 'datetime_field_overflow';
      end if;
      this_month := date_trunc('month', on_date::timestamp)::date;
      partition := 'audit_logs_' || to_char(this_month, 'YYYY_MM');
      if to_regclass('audit_schema.' || partition) is not null then
        return false;
      end if;
      lock table only audit_schema.audit_logs in share update exclusive mode;
      if to_regclass('audit_schema.' || partition) is not null then
        return false;
      end if;
      first_instant := this_month::timestamp at time zone 'UTC';
      last_instant := (this_month + interval '1 month') at time zone 'UTC';
      execute format('create table audit_schema.%I (like audit_schema.audit_logs including all)', partition);
      execute format('alter table audit_schema.%I enable row level security, force row level security', partition);
      execute format('create trigger refuse_change before update or delete or truncate on audit_schema.%I'
                     ' for each statement execute function audit_schema.refuse_change()', partition);
      execute format('alter table audit_schema.audit_logs attach partition audit_schema.%I for values from (%L) to (%L)',
                     partition, first_instant, last_instant);
      return true;
    end
    $$;
    comment on function audit_schema.ensure_month(date) is
      'Make the partition of the date''s month (UTC); false: it was there. Within 400 days of today.';
    revoke execute on function audit_schema.ensure_month(date) from public;
    grant execute on function audit_schema.ensure_month(date) to {APP_ROLE}, {SYSTEM_ROLE};

    select audit_schema.ensure_month((current_date + make_interval(months => m))::date) from generate_series(0, 3) m;
"""

DROP_MONTH = f"""
    create function audit_schema.drop_month(on_date date) returns boolean
    language plpgsql security definer set search_path = pg_catalog, pg_temp set lock_timeout = '5s' as $$
    declare
      kept constant interval := interval '7 years';
      this_month date := date_trunc('month', on_date::timestamp)::date;
      partition text := 'audit_logs_' || to_char(this_month, 'YYYY_MM');
    begin
      if on_date is null or (this_month + interval '1 month') at time zone 'UTC' > now() - kept then
        raise exception 'the audit trail of % is kept: entries are for %', on_date, kept using errcode = 'object_not_in_prerequisite_state';
      end if;
      if to_regclass('audit_schema.' || partition) is null then
        return false;
      end if;
      execute format('drop table audit_schema.%I', partition);
      return true;
    end
    $$;
    comment on function audit_schema.drop_month(date) is
      'Drop the partition of the date''s month (UTC); false: it was not there. Only what ended seven years ago.';
    revoke execute on function audit_schema.drop_month(date) from public;
    grant execute on function audit_schema.drop_month(date) to {SYSTEM_ROLE};
"""

# Rewritten by every entry: most of the page is kept free for it.
HEADS = f"""
    create table audit_schema.audit_heads (
      user_id uuid,
      sequence bigint not null default 0,
      entry_hash bytea not null default decode(repeat('00', 32), 'hex'),
      dropped_sequence bigint not null default 0,
      dropped_hash bytea not null default decode(repeat('00', 32), 'hex'),
      constraint uq_audit_heads_user_id unique nulls not distinct (user_id),
      constraint ck_audit_heads_dropped_first check (dropped_sequence between 0 and sequence)
    ) with (fillfactor = 50);
    comment on column audit_schema.audit_heads.user_id is 'NULL: the chain of the entries without a user';
    comment on column audit_schema.audit_heads.dropped_sequence is 'the last entry that retention has dropped, where the rest begins';

    grant select, insert on audit_schema.audit_logs to {APP_ROLE}, {SYSTEM_ROLE};
    grant select, insert, update (sequence, entry_hash) on audit_schema.audit_heads to {APP_ROLE};
    grant select, insert, update (sequence, entry_hash, dropped_sequence, dropped_hash), delete
      on audit_schema.audit_heads to {SYSTEM_ROLE};
"""

REQUESTS = f"""
    create table audit_schema.data_export_requests (
      id uuid not null default gen_random_uuid(),
      user_id uuid not null,
      status varchar(20) not null default 'pending',
      export_format varchar(10) not null default 'json',
      file_url text,
      file_size_bytes bigint,
      completed_at timestamptz,
      cancelled_at timestamptz,
      expires_at timestamptz,
      created_at timestamptz not null default now(),
      constraint pk_data_export_requests primary key (id),
      constraint ck_data_export_requests_status_known check (status in ('pending', 'processing', 'completed', 'failed', 'cancelled')),
      constraint ck_data_export_requests_export_format_known check (export_format in ('json', 'csv')),
      constraint ck_data_export_requests_file_size_bytes_not_negative check (file_size_bytes >= 0),
      constraint ck_data_export_requests_cancelled_once check ((status = 'cancelled') = (cancelled_at is not null))
    );
    create index ix_data_export_requests_user_id on audit_schema.data_export_requests (user_id, created_at desc, id desc);
    create unique index uq_data_export_requests_live on audit_schema.data_export_requests (user_id)
      where status in ('pending', 'processing');
    grant select, insert, update (status, cancelled_at) on audit_schema.data_export_requests to {APP_ROLE};
    grant select, insert, update (status, file_url, file_size_bytes, completed_at, cancelled_at, expires_at), delete
      on audit_schema.data_export_requests to {SYSTEM_ROLE};

    create table audit_schema.deletion_requests (
      id uuid not null default gen_random_uuid(),
      user_id uuid not null,
      status varchar(20) not null default 'pending',
      reason text,
      approved_by uuid,
      approved_at timestamptz,
      completed_at timestamptz,
      cancelled_at timestamptz,
      created_at timestamptz not null default now(),
      constraint pk_deletion_requests primary key (id),
      constraint ck_deletion_requests_status_known
        check (status in ('pending', 'approved', 'processing', 'completed', 'rejected', 'cancelled')),
      constraint ck_deletion_requests_reason_bounded check (length(reason) <= 2000),
      constraint ck_deletion_requests_cancelled_once check ((status = 'cancelled') = (cancelled_at is not null))
    );
    create index ix_deletion_requests_user_id on audit_schema.deletion_requests (user_id, created_at desc, id desc);
    create unique index uq_deletion_requests_live on audit_schema.deletion_requests (user_id)
      where status in ('pending', 'approved', 'processing');
    grant select, insert, update (status, cancelled_at) on audit_schema.deletion_requests to {APP_ROLE};
    grant select, insert, update (status, approved_by, approved_at, completed_at, cancelled_at), delete
      on audit_schema.deletion_requests to {SYSTEM_ROLE};
"""

# The application's role has no right on it: whoever is held need not be told.
LEGAL_HOLDS = f"""
    create table audit_schema.legal_holds (
      id uuid not null default gen_random_uuid(),
      user_id uuid,
      reason text not null,
      placed_by varchar(255) not null,
      placed_at timestamptz not null default now(),
      released_at timestamptz,
      constraint pk_legal_holds primary key (id),
      constraint ck_legal_holds_released_after_placed check (released_at >= placed_at)
    );
    comment on column audit_schema.legal_holds.user_id is 'NULL: everybody';
    grant select, insert, update (released_at) on audit_schema.legal_holds to {SYSTEM_ROLE};
"""


def upgrade() -> None:
    run(open_schema(SCHEMA))
    run(AUDIT_LOGS + INDEXES + REFUSE_CHANGE)
    run(ENSURE_MONTH)
    run(DROP_MONTH)
    run(HEADS + REQUESTS + LEGAL_HOLDS)
    run(viewers_rows(SCHEMA, "audit_logs", "audit_heads", "data_export_requests", "deletion_requests", "legal_holds"))
    run(operational_tables(SCHEMA))


def downgrade() -> None:
    run(drop_operational_tables(SCHEMA))
    run("""
        drop table audit_schema.audit_logs, audit_schema.audit_heads, audit_schema.data_export_requests,
          audit_schema.deletion_requests, audit_schema.legal_holds;
        drop function audit_schema.ensure_month(date), audit_schema.drop_month(date), audit_schema.refuse_change();
    """)
    run(close_schema(SCHEMA))
