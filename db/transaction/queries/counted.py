"""What a transaction must be to count: the one condition of every sum."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, FromClause, and_, literal

POSTED: Final = "posted"
PENDING: Final = "pending"
TRANSFER: Final = "transfer"


def counted(rows: FromClause, kind: ColumnElement[Any] | None = None, *, statuses: Sequence[str] = (POSTED,)) -> ColumnElement[bool]:
    """Rows that are sums' business: of these statuses, nothing that stands for another row, and no movement between own accounts.

    kind: the type of the row's category, where it is joined; then rows in categories of transfers count no more than paired ones.
    """
    has_status = rows.c.status == literal(statuses[0]) if len(statuses) == 1 else rows.c.status.in_([literal(each) for each in statuses])
    wanted = [has_status, ~rows.c.is_duplicate, rows.c.transfer_id.is_(None)]
    if kind is not None:
        wanted.append(kind.is_distinct_from(literal(TRANSFER)))
    return and_(*wanted)
