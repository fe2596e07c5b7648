"""The copy that somebody asked for of their data: an encrypted file, in chunks."""

from db.base import APP_ROLE, SYSTEM_ROLE
from migrations.ddl import run, viewers_rows

revision = "audit_0002"
down_revision = "audit_0001"
branch_labels = None
depends_on = None

SCHEMA = "audit_schema"

# The worker makes the file on behalf of whoever asked, and so with the application's role.
REQUESTS = f"""
    alter table audit_schema.data_export_requests
      add constraint uq_data_export_requests_id_user_id unique (id, user_id),
      add column build_id uuid;
    comment on column audit_schema.data_export_requests.build_id is 'the run that makes the file, or made it: no other may add to it';
    create index ix_data_export_requests_expires_at on audit_schema.data_export_requests (expires_at) where file_url is not null;
    grant update (build_id, file_url, file_size_bytes, completed_at, expires_at) on audit_schema.data_export_requests to {APP_ROLE};
    grant update (build_id) on audit_schema.data_export_requests to {SYSTEM_ROLE};
"""

# Ciphertext does not get smaller: Postgres need not try. The system deletes chunks and never reads them.
CHUNKS = f"""
    create table audit_schema.export_chunks (
      request_id uuid not null,
      seq integer not null,
      user_id uuid not null,
      is_last boolean not null default false,
      ciphertext bytea not null,
      created_at timestamptz not null default now(),
      constraint pk_export_chunks primary key (request_id, seq),
      constraint fk_export_chunks_request_id
        foreign key (request_id, user_id) references audit_schema.data_export_requests (id, user_id) on delete cascade,
      constraint ck_export_chunks_seq_not_negative check (seq >= 0),
      constraint ck_export_chunks_ciphertext_bounded check (octet_length(ciphertext) <= 1048576)
    );
    alter table audit_schema.export_chunks alter column ciphertext set storage external;
    grant select, insert, delete on audit_schema.export_chunks to {APP_ROLE};
    grant select (request_id, seq, user_id, is_last, created_at), delete on audit_schema.export_chunks to {SYSTEM_ROLE};
"""


def upgrade() -> None:
    run(REQUESTS + CHUNKS)
    run(viewers_rows(SCHEMA, "export_chunks"))


def downgrade() -> None:
    run(f"""
        drop table audit_schema.export_chunks;
        revoke update (build_id, file_url, file_size_bytes, completed_at, expires_at)
          on audit_schema.data_export_requests from {APP_ROLE};
        drop index audit_schema.ix_data_export_requests_expires_at;
        alter table audit_schema.data_export_requests drop constraint uq_data_export_requests_id_user_id, drop column build_id;
    """)
