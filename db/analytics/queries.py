"""Every statement of the analytics domain."""

from typing import Any

from sqlalchemy import Select, select

from db.analytics.models import merchant_categories
from db.statements import compiled, is_one_of


@compiled
def merchants_by_name() -> Select[Any]:
    """What is known of the merchants with these normalised names."""
    rows = merchant_categories
    columns = (rows.c.merchant_name, rows.c.category, rows.c.category_detailed, rows.c.confidence)
    return select(*columns).where(is_one_of(rows.c.merchant_name))
