"""Transactions as a hypertable where the database has TimescaleDB, by year as before where not; the functions that know which.

A month per chunk, compressed after six (docs/adr/0008). What the document keeps for five years is dropped by the retention task and by no
`add_retention_policy`: that one asks neither whether summaries are closed nor whether somebody holds the rows (C21, C39).
"""

from db.base import SYSTEM_ROLE
from migrations.ddl import has_extension, run

revision = "transaction_0004"
down_revision = "transaction_0003"
branch_labels = None
depends_on = None

#: Rows that a migration moves: some ten seconds, during which nobody else reads or writes them. With more the table stays as it is, which
#: every statement can do with, and `florin hypertable` moves them when the operator has the time.
MOVED_BY_MIGRATION = 200_000

# Where its functions are: managed servers, and images that come with it, have it in `public`.
EXTENSION_PLACE = (
    "select quote_ident(n.nspname) from pg_extension e join pg_namespace n on n.oid = e.extnamespace where e.extname = 'timescaledb'"
)

# Everything that hangs on the table is taken over in the server's own words: this does for a table that later migrations have changed.
# The view keeps its grants, as it is replaced by itself, over the new table. Indexes come when the rows are there.
# Over a hypertable the view says `= any (array[viewer])`, the same in other words: from `=` there and `=` in a statement Postgres
# concludes that the two are equal and asks that before it reads, and TimescaleDB 2.24 cannot plan an UPDATE below such a question
# ("variable not found in subplan target list").
# Compressed by user, as one user's rows are asked for, in the order of the list and with the columns of the key: their least and
# greatest in each batch tell what need not be unpacked. Without the community licence there is no compression: a hypertable all the same.
REBUILD = f"""
    create function transaction_schema.rebuild_transactions(as_hypertable boolean, max_rows bigint default null) returns boolean
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
    declare
      present constant regclass := 'transaction_schema.transactions';
      extension_place constant text := ({EXTENSION_PLACE});
      viewer constant text := '(NULLIF(current_setting(''app.user_id''::text, true), ''''::text))::uuid';
      said constant text[] := array['= ' || viewer, '= ANY (ARRAY[' || viewer || '])'];
      view_words text;
      columns text;
      afterwards text[];
      words text;
    begin
      lock table transaction_schema.transactions in access exclusive mode;
      if as_hypertable = (select relkind <> 'p' from pg_class where oid = present) then
        return false;
      end if;
      if as_hypertable and extension_place is null then
        raise exception 'this database does not have the extension timescaledb'
          using errcode = 'feature_not_supported', hint = 'install TimescaleDB on the server and run deploy/roles.sql again';
      end if;
      if max_rows is not null
         and (select count(*) from (select from transaction_schema.transactions limit max_rows + 1) some_rows) > max_rows then
        raise exception 'more than % transactions', max_rows
          using errcode = 'program_limit_exceeded', hint = 'stop API and workers and run florin hypertable';
      end if;

      select format('create or replace view transaction_schema.own_transactions with (%s) as %s',
                    array_to_string(reloptions, ', '), pg_get_viewdef(oid))
      into view_words from pg_class where oid = 'transaction_schema.own_transactions'::regclass;
      if position(case when as_hypertable then said[1] else said[2] end in view_words) = 0 then
        raise exception 'the view own_transactions is not as it was made: %', view_words using errcode = 'object_not_in_prerequisite_state';
      end if;
      view_words := case when as_hypertable then replace(view_words, said[1], said[2]) else replace(view_words, said[2], said[1]) end;
      select string_agg(quote_ident(attname), ', ' order by attnum) into columns
      from pg_attribute where attrelid = present and attnum > 0 and not attisdropped and attgenerated = '';
      select array_agg(kept.words order by part, name) into afterwards from (
        select 1, conname::text,
               format('alter table transaction_schema.transactions add constraint %I %s', conname, pg_get_constraintdef(oid))
        from pg_constraint where conrelid = present and contype in ('p', 'u')
        union all
        select 2, indexrelid::regclass::text, replace(pg_get_indexdef(indexrelid), ' ON ONLY ', ' ON ')
        from pg_index i where indrelid = present and not exists (select from pg_constraint c where c.conindid = i.indexrelid)
        union all
        select 3, tgname::text, pg_get_triggerdef(t.oid) from pg_trigger t join pg_proc p on p.oid = t.tgfoid
        where t.tgrelid = present and not t.tgisinternal and p.pronamespace = 'transaction_schema'::regnamespace
        union all
        select 4, grantee::regrole::text,
               format('grant %s on transaction_schema.transactions to %s', string_agg(privilege_type, ', '), grantee::regrole)
        from pg_class c, aclexplode(c.relacl) where c.oid = present and grantee <> c.relowner group by grantee
      ) as kept (part, name, words);

      alter table transaction_schema.transactions rename to transactions_before;
      words := 'create table transaction_schema.transactions (like transaction_schema.transactions_before including comments'
               ' including compression including constraints including defaults including generated including storage)';
      if as_hypertable then
        execute words;
        execute format('select %s.create_hypertable(%L, %L, chunk_time_interval => interval %L, create_default_indexes => false)',
                       extension_place, 'transaction_schema.transactions', 'transaction_date', '1 month');
      else
        execute words || ' partition by range (transaction_date)';
        perform transaction_schema.ensure_partition(make_date(y, 1, 1)) from (
          select distinct extract(year from transaction_date)::integer from transaction_schema.transactions_before
          union select generate_series(extract(year from current_date)::integer - 5, extract(year from current_date)::integer + 1)
        ) as years (y);
      end if;
      execute format('insert into transaction_schema.transactions (%1$s) select %1$s from transaction_schema.transactions_before', columns);
      execute view_words;
      drop table transaction_schema.transactions_before;
      foreach words in array afterwards loop
        execute words;
      end loop;
      analyze transaction_schema.transactions;

      if as_hypertable then
        begin
          alter table transaction_schema.transactions set (timescaledb.compress, timescaledb.compress_segmentby = 'user_id',
                                                           timescaledb.compress_orderby = 'transaction_date desc, id desc');
          execute format('select %s.add_compression_policy(%L, compress_after => interval %L)',
                         extension_place, 'transaction_schema.transactions', '6 months');
        exception when feature_not_supported then
          raise warning 'old transactions are not compressed: %', sqlerrm;
        end;
      end if;
      return true;
    end
    $$;
    comment on function transaction_schema.rebuild_transactions(boolean, bigint) is
      'Make transactions a hypertable, or partitioned by year, with all their rows; false: they were. Only for the owner.';
    revoke execute on function transaction_schema.rebuild_transactions(boolean, bigint) from public;
"""


def _ensure_partition(unless: str) -> str:
    """As it was made first (transaction_0001), but that there is nothing to make where `unless` holds."""
    return f"""
    create or replace function transaction_schema.ensure_partition(on_date date) returns boolean
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
    declare
      first_year constant integer := 1970;
      last_year constant integer := extract(year from current_date)::integer + 2;
      this_year integer;
      partition text;
    begin
      if on_date is null or on_date not between make_date(first_year, 1, 1) and make_date(last_year, 12, 31) then
        raise exception 'no transactions are kept for %: only % to %', on_date, first_year, last_year
          using errcode = 'datetime_field_overflow';
      end if;
      this_year := extract(year from on_date)::integer;
      partition := format('transactions_y%s', this_year);
      if {unless}to_regclass('transaction_schema.' || partition) is not null then
        return false;
      end if;
      lock table only transaction_schema.transactions in share update exclusive mode;
      if to_regclass('transaction_schema.' || partition) is not null then
        return false;
      end if;
      execute format('create table transaction_schema.%I (like transaction_schema.transactions including all)', partition);
      execute format('alter table transaction_schema.transactions attach partition transaction_schema.%I for values from (%L) to (%L)',
                     partition, make_date(this_year, 1, 1), make_date(this_year + 1, 1, 1));
      return true;
    end
    $$;
    """


# A hypertable makes the chunk of a month with its first row.
IS_HYPERTABLE = "(select relkind <> 'p' from pg_class where oid = 'transaction_schema.transactions'::regclass)"

LIST_PARTITIONS = f"""
    create function transaction_schema.list_partitions()
    returns table (name text, first_day date, end_day date, is_compressed boolean)
    language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
    begin
      if {IS_HYPERTABLE} then
        return query execute
          'select c.chunk_name::text, (c.range_start at time zone ''UTC'')::date, (c.range_end at time zone ''UTC'')::date,'
          ' coalesce(c.is_compressed, false) from timescaledb_information.chunks c'
          ' where c.hypertable_schema = ''transaction_schema'' and c.hypertable_name = ''transactions'' order by 2';
      else
        return query
          select c.relname::text, make_date(right(c.relname, 4)::integer, 1, 1), make_date(right(c.relname, 4)::integer + 1, 1, 1), false
          from pg_inherits i join pg_class c on c.oid = i.inhrelid
          where i.inhparent = 'transaction_schema.transactions'::regclass order by 2;
      end if;
    end
    $$;
    comment on function transaction_schema.list_partitions() is
      'The parts that transactions are kept in, the oldest first: years, or chunks of a hypertable. end_day is the first day after.';
    revoke execute on function transaction_schema.list_partitions() from public;
    grant execute on function transaction_schema.list_partitions() to {SYSTEM_ROLE};
"""

# The part of a hypertable in dropping what retention has emptied: for functions of the owner, which say what may go.
DROP_EMPTY_CHUNKS = f"""
    create function transaction_schema.drop_empty_chunks(before date) returns integer
    language plpgsql set search_path = pg_catalog, pg_temp set timezone = 'UTC' as $$
    declare
      extension_place constant text := ({EXTENSION_PLACE});
      chunk record;
      dropped integer := 0;
    begin
      lock table only transaction_schema.transactions in access exclusive mode;
      for chunk in select first_day, end_day from transaction_schema.list_partitions() where end_day <= before loop
        if not exists (
          select from transaction_schema.transactions where transaction_date >= chunk.first_day and transaction_date < chunk.end_day
        ) then
          execute format('select from %s.drop_chunks(%L, older_than => %L::date, newer_than => %L::date)',
                         extension_place, 'transaction_schema.transactions', chunk.end_day, chunk.first_day);
          dropped := dropped + 1;
        end if;
      end loop;
      return dropped;
    end
    $$;
    comment on function transaction_schema.drop_empty_chunks(date) is
      'Drop the chunks that end before the date and hold no row. How many.';
    revoke execute on function transaction_schema.drop_empty_chunks(date) from public;
"""

# A table that is too large stays: that is no reason not to migrate.
TURN_WHAT_IS_SMALL = f"""
    do $$
    begin
      perform transaction_schema.rebuild_transactions(true, {MOVED_BY_MIGRATION});
    exception when program_limit_exceeded then
      raise warning 'transactions stay partitioned by year, as there are %: to make them a hypertable run florin hypertable', sqlerrm;
    end
    $$;
"""


def upgrade() -> None:
    run(_ensure_partition(f"{IS_HYPERTABLE} or "))
    run(REBUILD + LIST_PARTITIONS + DROP_EMPTY_CHUNKS)
    if has_extension("timescaledb"):
        run(TURN_WHAT_IS_SMALL)


def downgrade() -> None:
    run(f"""
        select transaction_schema.rebuild_transactions(false);
        drop function transaction_schema.rebuild_transactions(boolean, bigint), transaction_schema.list_partitions(),
          transaction_schema.drop_empty_chunks(date);
        {_ensure_partition("")}
    """)
