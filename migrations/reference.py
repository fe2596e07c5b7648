"""Reference data that migrations load."""

import json
from collections.abc import Iterable

from alembic import op
from sqlalchemy import text

from db.notification.reference.templates import TemplateRow
from db.transaction.reference.categories import CategoryRow

_CATEGORIES = text("""
    insert into transaction_schema.categories (id, parent_id, name, display_name, icon, color, type, sort_order)
    select * from json_to_recordset(:rows) as r (id text, parent_id text, name text, display_name text, icon text, color text,
                                                 type text, sort_order integer)
    on conflict (id) do update
      set parent_id = excluded.parent_id, name = excluded.name, display_name = excluded.display_name, icon = excluded.icon,
          color = excluded.color, type = excluded.type, sort_order = excluded.sort_order
""")


def load_categories(rows: Iterable[CategoryRow]) -> None:
    """Add the categories that are missing and bring the others to what the release says; none is removed: rows may refer to it."""
    op.get_bind().execute(_CATEGORIES, {"rows": json.dumps([row._asdict() for row in rows])})


_TEMPLATES = text("""
    insert into notification_schema.notification_templates (template_key, channel, locale, subject_template, body_template, variables)
    select * from json_to_recordset(:rows) as r (template_key text, channel text, locale text, subject_template text, body_template text,
                                                 variables jsonb)
    on conflict (template_key, channel, locale) do update
      set subject_template = excluded.subject_template, body_template = excluded.body_template, variables = excluded.variables
""")


def load_templates(rows: Iterable[TemplateRow]) -> None:
    """Add the templates that are missing and bring the others to what the release says; none is removed or put back in use."""
    op.get_bind().execute(_TEMPLATES, {"rows": json.dumps([row._asdict() for row in rows])})
