"""Embeddings of transactions: any known model's, each under an index of its own."""

from db.base import APP_ROLE, SYSTEM_ROLE
from migrations.ddl import run, viewers_rows

revision = "analytics_0004"
down_revision = "analytics_0003"
branch_labels = None
depends_on = None

SCHEMA = "analytics_schema"

EMBEDDINGS = """
    create table analytics_schema.transaction_embeddings (
      transaction_id uuid not null,
      embedding_model varchar(50) not null default 'text-embedding-ada-002',
      user_id uuid not null,
      transaction_date date not null,
      embedding extensions.vector not null,
      text_content text,
      created_at timestamptz not null default now(),
      constraint pk_transaction_embeddings primary key (transaction_id, embedding_model),
      constraint ck_transaction_embeddings_embedding_model_known check (embedding_model in
        ('text-embedding-ada-002', 'text-embedding-3-small', 'text-embedding-3-large', 'all-MiniLM-L6-v2', 'l2_supercat_256')),
      constraint ck_transaction_embeddings_embedding_length check (extensions.vector_dims(embedding) = case embedding_model
        when 'text-embedding-ada-002' then 1536 when 'text-embedding-3-small' then 1536 when 'text-embedding-3-large' then 3072
        when 'all-MiniLM-L6-v2' then 384 when 'l2_supercat_256' then 256 end)
    );
    comment on column analytics_schema.transaction_embeddings.text_content is 'what was embedded';
    create index ix_transaction_embeddings_user_id on analytics_schema.transaction_embeddings
      (user_id, created_at, transaction_id, embedding_model);
    create index ix_transaction_embeddings_user_id_embedding_model on analytics_schema.transaction_embeddings (user_id, embedding_model);
"""

#: Model, the type that its index is over. `halfvec` (pgvector 0.7) is for more dimensions than an index over `vector` takes.
NEARNESS = (
    ("text-embedding-ada-002", "text_embedding_ada_002", "vector", 1536),
    ("text-embedding-3-small", "text_embedding_3_small", "vector", 1536),
    ("text-embedding-3-large", "text_embedding_3_large", "halfvec", 3072),
    ("all-MiniLM-L6-v2", "all_minilm_l6_v2", "vector", 384),
    ("l2_supercat_256", "l2_supercat_256", "vector", 256),
)

GRANTS = f"""
    grant select, insert, delete, update (embedding, text_content, created_at)
      on analytics_schema.transaction_embeddings to {APP_ROLE};
    grant select, delete on analytics_schema.transaction_embeddings to {SYSTEM_ROLE};
"""


def upgrade() -> None:
    run(EMBEDDINGS)
    for model, name, kind, dimensions in NEARNESS:
        run(_if_known(kind, _index(model, name, kind, dimensions)))
    run(viewers_rows(SCHEMA, "transaction_embeddings"))
    run(GRANTS)


def downgrade() -> None:
    run("drop table analytics_schema.transaction_embeddings;")


def _index(model: str, name: str, kind: str, dimensions: int) -> str:
    return f"""
        create index ix_transaction_embeddings_{name} on analytics_schema.transaction_embeddings
          using hnsw ((embedding::extensions.{kind}({dimensions})) extensions.{kind}_cosine_ops) where embedding_model = '{model}';
    """


def _if_known(kind: str, statement: str) -> str:
    """A server without the type does without the index: everything is compared then, which is slower and no less right."""
    return f"""
        do $index$
        begin
          if to_regtype('extensions.{kind}') is not null then
            execute $statement${statement}$statement$;
          else
            raise warning 'pgvector has no % before 0.7: no index of that kind is made', '{kind}';
          end if;
        end
        $index$;
    """
