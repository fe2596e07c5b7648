"""People are told when a bank's connection needs them."""

from db.notification.reference.templates import TEMPLATES
from migrations.ddl import run
from migrations.reference import load_templates

revision = "notification_0002"
down_revision = "notification_0001"
branch_labels = None
depends_on = None

BEFORE = "'transaction_alert', 'budget_alert', 'insight', 'daily_summary', 'weekly_report'"
KEY = "connection_alert"


def _types(listed: str) -> str:
    return "".join(
        f"alter table notification_schema.{table} drop constraint ck_{table}_type_known,"
        f" add constraint ck_{table}_type_known check (type in ({listed}));"
        for table in ("notifications", "notification_stats")
    )


def upgrade() -> None:
    run(_types(f"{BEFORE}, '{KEY}'"))
    load_templates(TEMPLATES)


def downgrade() -> None:
    run(f"""
        alter table notification_schema.notifications no force row level security;
        delete from notification_schema.notifications where type = '{KEY}';
        alter table notification_schema.notifications force row level security;
        delete from notification_schema.notification_stats where type = '{KEY}';
        delete from notification_schema.notification_templates where template_key = '{KEY}';
        {_types(BEFORE)}
    """)
