"""What the tables refuse, and what they keep by themselves."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from sqlalchemy import select
from sqlalchemy.exc import InvalidRequestError

from app.embedded import Embedded
from db.bank.models import BankAccount, BankConnection
from db.budget.models import Budget, BudgetUtilization, SavingsGoal
from db.engines import Db
from db.transaction.models import MUTABLE_COLUMNS, OwnTransaction, own_transactions, transactions
from db.transaction.reference.categories import CATEGORIES
from tests.conftest import MakeUser
from tests.db.samples import MONTH, budget, insert, login, sample_rows, transaction


@pytest.fixture
async def row(servers: Embedded) -> AsyncIterator[Any]:
    """A connection of the superuser, whose rows are rolled back."""
    async with login(servers.superuser_dsn) as connection:
        yield connection


def _user(**values: Any) -> dict[str, Any]:
    return sample_rows(uuid4())["user_schema.users"] | values


def _connection(**values: Any) -> dict[str, Any]:
    return sample_rows(uuid4())["bank_schema.bank_connections"] | values


def _preferences(**values: Any) -> dict[str, Any]:
    return sample_rows(uuid4())["user_schema.user_preferences"] | values


def _link(**values: Any) -> dict[str, Any]:
    return sample_rows(uuid4())["user_schema.oauth_connections"] | values


def _sync(**values: Any) -> dict[str, Any]:
    return {"user_id": uuid4(), "sync_type": "manual"} | values


def _goal(**values: Any) -> dict[str, Any]:
    return sample_rows(uuid4())["budget_schema.savings_goals"] | values


def _goal_contribution(**values: Any) -> dict[str, Any]:
    return sample_rows(uuid4())["budget_schema.goal_contributions"] | values


def _budget_history(**values: Any) -> dict[str, Any]:
    return sample_rows(uuid4())["budget_schema.budget_history"] | values


def _own_category(user_id: UUID, **values: Any) -> dict[str, Any]:
    return sample_rows(user_id)["transaction_schema.user_categories"] | values


def _override(user_id: UUID, **values: Any) -> dict[str, Any]:
    return {"user_id": user_id, "category_id": "FOOD_AND_DRINK", "display_name": "Eating", **values}


def _pattern(user_id: UUID, **values: Any) -> dict[str, Any]:
    return sample_rows(user_id)["transaction_schema.recurring_patterns"] | values


@pytest.mark.parametrize(
    ("table", "row_of", "changes"),
    [
        ("user_schema.users", _user, {"status": "gone"}),
        ("user_schema.users", _user, {"status": "deleted"}),
        ("user_schema.users", _user, {"deleted_at": datetime.now(UTC)}),
        ("user_schema.users", _user, {"currency": "usd"}),
        ("bank_schema.bank_connections", _connection, {"provider": "yodlee"}),
        ("bank_schema.bank_connections", _connection, {"provider": "plaid"}),
        ("bank_schema.bank_connections", _connection, {"last_sync_status": "fine"}),
        ("user_schema.user_preferences", _preferences, {"currency": "usd"}),
        ("user_schema.user_preferences", _preferences, {"weekly_report_day": "monday"}),
        ("user_schema.user_preferences", _preferences, {"transaction_alert_threshold": Decimal(-1)}),
        ("user_schema.user_preferences", _preferences, {"budget_alert_thresholds": [Decimal(0)]}),
        ("user_schema.user_preferences", _preferences, {"budget_alert_thresholds": [Decimal("10.1")]}),
        ("user_schema.user_preferences", _preferences, {"budget_alert_thresholds": [None]}),
        ("user_schema.user_preferences", _preferences, {"budget_alert_thresholds": [Decimal(1)] * 11}),
        ("user_schema.user_preferences", _preferences, {"dashboard_layout": "[]"}),
        ("user_schema.oauth_connections", _link, {"provider": "github"}),
        ("user_schema.oauth_connections", _link, {"access_token": "secret"}),
        ("user_schema.oauth_connections", _link, {"refresh_token": "secret"}),
        ("user_schema.oauth_connections", _link, {"token_expires_at": datetime.now(UTC)}),
        ("user_schema.oauth_connections", _link, {"profile_data": '{"birthday": "1980-01-01"}'}),
        ("user_schema.oauth_connections", _link, {"profile_data": "1"}),
        ("bank_schema.sync_history", _sync, {"sync_type": "nightly"}),
        ("bank_schema.sync_history", _sync, {"status": "done"}),
        ("bank_schema.sync_history", _sync, {"status": "success"}),
        ("bank_schema.sync_history", _sync, {"completed_at": datetime.now(UTC)}),
        ("bank_schema.sync_history", _sync, {"status": "failed", "completed_at": datetime.now(UTC)}),
        ("bank_schema.sync_history", _sync, {"transactions_added": -1}),
        ("bank_schema.sync_history", _sync, {"duration_ms": -1}),
        ("transaction_schema.transactions", transaction, {"amount": Decimal(-1)}),
        ("transaction_schema.transactions", transaction, {"direction": "in"}),
        ("transaction_schema.transactions", transaction, {"status": "booked"}),
        ("transaction_schema.transactions", transaction, {"category_confidence": Decimal("1.01")}),
        ("transaction_schema.transactions", transaction, {"currency": "EURO"[:3].lower()}),
        ("transaction_schema.user_categories", _own_category, {"type": None}),
        ("transaction_schema.user_categories", _own_category, {"type": "gift"}),
        ("transaction_schema.user_categories", _own_category, {"category_id": "FOOD_AND_DRINK"}),
        ("transaction_schema.user_categories", _own_category, {"display_name": None}),
        ("transaction_schema.user_categories", _own_category, {"color": "#ABCDEF"}),
        ("transaction_schema.user_categories", _override, {"type": "expense"}),
        ("transaction_schema.user_categories", _override, {"parent_id": "TRAVEL"}),
        ("transaction_schema.user_categories", _override, {"sort_order": 1}),
        ("transaction_schema.recurring_patterns", _pattern, {"frequency": "daily"}),
        ("transaction_schema.recurring_patterns", _pattern, {"amount_min": Decimal(26)}),
        ("transaction_schema.recurring_patterns", _pattern, {"amount_min": Decimal(-1)}),
        ("transaction_schema.recurring_patterns", _pattern, {"currency": "eur"}),
        ("transaction_schema.recurring_patterns", _pattern, {"confidence": Decimal(2)}),
        ("budget_schema.budgets", budget, {"amount": Decimal(-1)}),
        ("budget_schema.budgets", budget, {"period": "daily"}),
        ("budget_schema.budgets", budget, {"rollover_mode": "CAPPED"}),
        ("budget_schema.budgets", budget, {"rollover_mode": "CAPPED", "rollover_cap": Decimal(-1)}),
        ("budget_schema.budgets", budget, {"status": "deleted"}),
        ("budget_schema.budgets", budget, {"end_date": MONTH - timedelta(days=1)}),
        ("budget_schema.savings_goals", _goal, {"opening_amount": Decimal(-1)}),
        ("budget_schema.savings_goals", _goal, {"current_amount": Decimal(-1)}),
        ("budget_schema.goal_contributions", _goal_contribution, {"amount": Decimal(0)}),
        ("budget_schema.goal_contributions", _goal_contribution, {"currency": "usd"}),
        ("budget_schema.budget_history", _budget_history, {"budget_amount": Decimal(-1)}),
        ("budget_schema.budget_history", _budget_history, {"period_end": date(2020, 1, 1)}),
        ("budget_schema.budget_history", _budget_history, {"transaction_count": -1}),
    ],
)
async def test_words_and_amounts_outside_their_sets_are_refused(row: Any, table: str, row_of: Any, changes: dict[str, Any]) -> None:
    user = {} if row_of in (_user, _connection) else {"user_id": uuid4()}

    with pytest.raises(asyncpg.CheckViolationError):
        await insert(row, table, row_of(**user, **changes))


@pytest.mark.parametrize(
    ("table", "row_of", "column"),
    [
        ("user_schema.users", _user, "status"),
        ("user_schema.users", _user, "email_verified"),
        ("user_schema.user_preferences", _preferences, "currency"),
        ("user_schema.user_preferences", _preferences, "budget_alert_thresholds"),
        ("user_schema.user_preferences", _preferences, "dashboard_layout"),
        ("bank_schema.sync_history", _sync, "transactions_added"),
        ("bank_schema.bank_connections", _connection, "status"),
        ("transaction_schema.transactions", transaction, "status"),
        ("transaction_schema.transactions", transaction, "tags"),
        ("budget_schema.budgets", budget, "period"),
        ("budget_schema.budgets", budget, "currency"),
    ],
)
async def test_what_has_a_default_cannot_be_null(row: Any, table: str, row_of: Any, column: str) -> None:
    user = {} if row_of in (_user, _connection) else {"user_id": uuid4()}

    with pytest.raises(asyncpg.NotNullViolationError):
        await insert(row, table, row_of(**user) | {column: None})


async def test_a_user_has_one_look_per_category_and_one_pattern_per_group(row: Any) -> None:
    user = uuid4()
    for table, first in (("user_categories", _override(user)), ("recurring_patterns", _pattern(user))):
        await insert(row, f"transaction_schema.{table}", first)
        of_another = {**first, "id": uuid4(), "user_id": uuid4()}
        await insert(row, f"transaction_schema.{table}", of_another)

    with pytest.raises(asyncpg.UniqueViolationError):
        await insert(row, "transaction_schema.recurring_patterns", _pattern(user))


async def test_an_address_is_one_users_until_they_are_deleted(row: Any) -> None:
    gone = _user(status="deleted", deleted_at=datetime.now(UTC), email_normalized="a@example.com")
    await insert(row, "user_schema.users", gone)
    await insert(row, "user_schema.users", _user(email="A@example.com", email_normalized="a@example.com"))

    with pytest.raises(asyncpg.UniqueViolationError):
        await insert(row, "user_schema.users", _user(email="a@EXAMPLE.com", email_normalized="a@example.com"))


async def test_one_statement_of_a_joint_account_can_be_two_users(row: Any) -> None:
    await insert(row, "bank_schema.bank_connections", _connection(provider_item_id="joint"))
    await insert(row, "bank_schema.bank_connections", _connection(provider_item_id="joint"))
    bank = {"provider": "plaid", "provider_item_id": "joint", "access_token_encrypted": b"token"}
    await insert(row, "bank_schema.bank_connections", _connection(**bank))

    with pytest.raises(asyncpg.UniqueViolationError):
        await insert(row, "bank_schema.bank_connections", _connection(**bank))


async def test_a_file_connects_once_per_user(row: Any) -> None:
    first = _connection()
    await insert(row, "bank_schema.bank_connections", first)

    with pytest.raises(asyncpg.UniqueViolationError):
        await insert(row, "bank_schema.bank_connections", first | {"id": uuid4()})


async def test_a_disconnected_bank_needs_no_token_and_a_cursor_may_be_long(row: Any) -> None:
    ended = _connection(provider="plaid", status="disconnected", sync_cursor="c" * 256)
    await insert(row, "bank_schema.bank_connections", ended)

    assert await row.fetchval("select length(sync_cursor) from bank_schema.bank_connections where id = $1", ended["id"]) == 256


async def test_three_decimals_and_any_percentage_are_kept(row: Any) -> None:
    mine = budget(uuid4(), amount=Decimal("1.234"), currency="KWD")
    await insert(row, "budget_schema.budgets", mine)
    used = {"budget_id": mine["id"], "currency": "KWD", "period_start": MONTH, "period_end": MONTH + timedelta(days=31)}
    await insert(row, "budget_schema.budget_utilization", used | {"percentage_used": Decimal("10000000.5")})

    kept = await row.fetchrow(
        "select b.amount, u.percentage_used from budget_schema.budgets b join budget_schema.budget_utilization u on u.budget_id = b.id"
        " where b.id = $1",
        mine["id"],
    )
    assert tuple(kept) == (Decimal("1.2340"), Decimal("10000000.5"))


async def test_a_budget_has_one_current_period_and_each_period_once(row: Any) -> None:
    mine = budget(uuid4())
    await insert(row, "budget_schema.budgets", mine)
    used = {"budget_id": mine["id"], "currency": "EUR", "period_start": MONTH, "period_end": MONTH + timedelta(days=31)}
    await insert(row, "budget_schema.budget_utilization", used)

    for changes in ({"period_start": MONTH - timedelta(days=31)}, {"is_current": False}):
        async with row.transaction():
            with pytest.raises(asyncpg.UniqueViolationError):
                async with row.transaction():
                    await insert(row, "budget_schema.budget_utilization", used | changes)


async def test_a_month_is_summed_once_per_category_even_without_one(row: Any) -> None:
    table = "transaction_schema.monthly_category_summary"
    summed = sample_rows(uuid4())[table]
    await insert(row, table, summed)
    await insert(row, table, summed | {"currency": "USD"})

    with pytest.raises(asyncpg.UniqueViolationError):
        await insert(row, table, summed)


async def test_averages_rollover_and_pending_follow_from_what_they_are_made_of(row: Any) -> None:
    user = uuid4()
    await insert(row, "transaction_schema.monthly_category_summary", sample_rows(user)["transaction_schema.monthly_category_summary"])
    await insert(row, "budget_schema.budgets", budget(user, rollover_mode="SURPLUS"))
    await insert(row, "transaction_schema.transactions", transaction(user, status="pending"))

    made = await row.fetchrow(
        """
        select (select avg_amount from transaction_schema.monthly_category_summary where user_id = $1),
               (select rollover from budget_schema.budgets where user_id = $1),
               (select is_pending from transaction_schema.transactions where user_id = $1)
        """,
        user,
    )
    assert tuple(made) == (Decimal("3.3333"), True, True)


@pytest.mark.parametrize(
    ("category", "detailed", "users", "effective"),
    [
        (None, None, None, None),
        ("TRAVEL", None, None, "TRAVEL"),
        ("TRAVEL", "TRAVEL_FLIGHTS", None, "TRAVEL_FLIGHTS"),
        ("TRAVEL", "TRAVEL_FLIGHTS", "INCOME_WAGES", "INCOME_WAGES"),
    ],
)
async def test_the_effective_category_is_the_users_else_the_finest(
    row: Any, category: str | None, detailed: str | None, users: str | None, effective: str | None
) -> None:
    user = uuid4()
    named = {"category": category, "category_detailed": detailed, "user_category": users}
    await insert(row, "transaction_schema.transactions", transaction(user, **named))

    assert await row.fetchval("select effective_category from transaction_schema.transactions where user_id = $1", user) == effective


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("user_schema.users", "full_name = 'x'"),
        ("bank_schema.bank_connections", "status = 'error'"),
        ("user_schema.user_preferences", "email_notifications = false"),
        ("user_schema.oauth_connections", "profile_data = '{}'"),
        ("bank_schema.bank_accounts", "status = 'closed'"),
        ("transaction_schema.transactions", "notes = 'x'"),
        ("transaction_schema.monthly_category_summary", "is_frozen = true"),
        ("budget_schema.budgets", "notes = 'x'"),
        ("budget_schema.savings_goals", "description = 'x'"),
    ],
)
async def test_changing_a_row_moves_its_updated_at(row: Any, table: str, column: str) -> None:
    user = uuid4()
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    for name, values in sample_rows(user).items():
        await insert(row, name, values | ({"updated_at": long_ago} if name == table else {}))

    touched = await row.fetchval(f"update {table} set {column} where updated_at = $1 returning updated_at = now()", long_ago)

    assert touched is True


async def test_ending_an_upload_leaves_its_import(row: Any) -> None:
    user = uuid4()
    for name, values in sample_rows(user).items():
        await insert(row, name, values)

    await row.execute("delete from bank_schema.uploads where user_id = $1", user)

    kept = await row.fetchrow("select user_id, upload_id from bank_schema.statement_imports where user_id = $1", user)
    assert tuple(kept) == (user, None)


async def test_a_connection_with_accounts_is_not_deleted(row: Any) -> None:
    user = uuid4()
    for name, values in sample_rows(user).items():
        await insert(row, name, values)

    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await row.execute("delete from bank_schema.bank_connections where user_id = $1", user)


async def test_the_history_of_syncs_outlives_what_it_speaks_of(row: Any) -> None:
    user = uuid4()
    for name, values in sample_rows(user).items():
        await insert(row, name, values)

    await row.execute("delete from bank_schema.statement_imports where user_id = $1", user)
    kept = await row.fetch("select import_id, connection_id is not null as placed from bank_schema.sync_history where user_id = $1", user)
    await row.execute("delete from bank_schema.bank_accounts where user_id = $1", user)
    with pytest.raises(asyncpg.ForeignKeyViolationError, match="sync_history"):
        await row.execute("delete from bank_schema.bank_connections where user_id = $1", user)

    assert [tuple(each) for each in kept] == [(None, True)]


async def test_what_a_person_chose_and_whom_they_are_linked_to_goes_with_their_row(row: Any) -> None:
    rows = sample_rows(uuid4())
    for name in ("users", "user_preferences", "oauth_connections"):
        await insert(row, f"user_schema.{name}", rows[f"user_schema.{name}"])
    user = rows["user_schema.users"]["id"]

    await row.execute("delete from user_schema.users where id = $1", user)

    for name in ("user_preferences", "oauth_connections"):
        assert await row.fetchval(f"select count(*) from user_schema.{name} where user_id = $1", user) == 0


async def test_the_category_tree_is_loaded_whole(row: Any) -> None:
    stored = await row.fetch(
        "select id, parent_id, name, display_name, icon, color, type, sort_order from transaction_schema.categories order by sort_order"
    )

    assert [tuple(category) for category in stored] == list(CATEGORIES)
    assert (sum(c.parent_id is None for c in CATEGORIES), sum(c.parent_id is not None for c in CATEGORIES)) == (16, 104)
    assert all(c.parent_id is None or c.id.startswith(f"{c.parent_id}_") for c in CATEGORIES)
    assert len({c.id for c in CATEGORIES}) == len({c.sort_order for c in CATEGORIES}) == 120
    assert {c.type for c in CATEGORIES if c.parent_id in ("INCOME", "TRANSFER_IN", "TRANSFER_OUT")} == {"income", "transfer"}


async def test_the_view_has_the_columns_of_the_table_and_its_grants_those_of_the_model(row: Any) -> None:
    columns = await row.fetch(
        "select attname, has_column_privilege('florin_app', attrelid, attnum, 'update') from pg_attribute"
        " where attrelid = 'transaction_schema.own_transactions'::regclass and attnum > 0 order by attnum"
    )

    assert [name for name, _ in columns] == [column.name for column in transactions.c] == [column.name for column in own_transactions.c]
    assert tuple(name for name, may in columns if may) == MUTABLE_COLUMNS


async def test_entities_are_written_and_read_through_a_session(db: Db, make_user: MakeUser) -> None:
    viewer = await make_user()
    bought = OwnTransaction(**transaction(viewer.user_id, tags=["trip"], metadata_={"a": 1}))
    planned = Budget(**budget(viewer.user_id))
    boat = SavingsGoal(user_id=viewer.user_id, name="Boat", target_amount=Decimal(10), currency="EUR")
    bank = BankConnection(user_id=viewer.user_id, provider="file", provider_item_id="x", metadata_={"bank": 1})

    async with db.write("transaction", viewer) as session:
        session.add(bought)
    async with db.write("budget", viewer) as session:
        session.add_all([planned, boat])
    async with db.write("bank", viewer) as session:
        session.add(bank)
        await session.flush()
        session.add(BankAccount(connection_id=bank.id, user_id=viewer.user_id, provider_account_id="a"))

    async with db.write("transaction", viewer) as session:
        stored = (await session.execute(select(OwnTransaction))).scalar_one()
        stored.notes = "with Ben"
        await session.flush()
        assert stored.updated_at > stored.created_at
        assert (stored.tags, stored.metadata_, stored.currency, stored.is_pending) == (["trip"], {"a": 1}, "USD", False)
    async with db.write("budget", viewer) as session:
        stored_budget = await session.get_one(Budget, planned.id)
        assert (stored_budget.alert_thresholds, stored_budget.version) == ([Decimal("0.8"), Decimal("1.0"), Decimal("1.2")], 0)
        with pytest.raises(InvalidRequestError, match="lazy='raise'"):
            stored_budget.utilizations  # noqa: B018
        session.add(BudgetUtilization(budget_id=planned.id, currency="EUR", period_start=MONTH, period_end=date(MONTH.year + 1, 1, 1)))
    async with db.write("bank", viewer) as session:
        account = (await session.execute(select(BankAccount))).scalar_one()
        assert (account.status, account.metadata_, account.connection_id) == ("active", {}, bank.id)


async def test_another_viewer_finds_no_entity(db: Db, make_user: MakeUser) -> None:
    robin, sam = await make_user(), await make_user()
    planned = Budget(**budget(robin.user_id))
    async with db.write("budget", robin) as session:
        session.add(planned)

    async with db.write("budget", sam) as session:
        found: UUID | None = (await session.execute(select(Budget.id).where(Budget.id == planned.id))).scalar_one_or_none()

    assert found is None
