"""What a user's own categories say of merchants."""

from typing import Any

from sqlalchemy import Select, func, select

from db.statements import compiled, owned
from db.transaction.models import own_transactions

#: Merchants and categories that are looked at, those of the latest transactions first.
CHOICES_AT_MOST = 10_000


@compiled
def chosen_categories() -> Select[Any]:
    """Per merchant and category that the viewer chose for it: (merchant_name, category, transactions, last_on)."""
    rows = own_transactions.c
    last_on = func.max(rows.transaction_date)
    chosen = select(rows.merchant_name, rows.user_category.label("category"), func.count().label("transactions"), last_on.label("last_on"))
    said = chosen.where(owned(own_transactions), rows.user_category.is_not(None), rows.merchant_name.is_not(None))
    groups = said.group_by(rows.merchant_name, rows.user_category)
    return groups.order_by(last_on.desc(), rows.merchant_name, rows.user_category).limit(CHOICES_AT_MOST)
