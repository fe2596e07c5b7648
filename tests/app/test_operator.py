"""What an operator does for a user from the machine: the same flows, and refusals that tell what to do."""

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import pytest

from app.errors import OperatorError
from app.operator import import_file, open_session, read_options
from app.settings import Settings
from db.auth.queries import authenticate
from db.redis import RedisConnections
from db.transaction.models import own_transactions
from domains.budget.service.apply_fold import TOPIC
from domains.budget.service.change_budgets import CreateBudget
from domains.flows.change_budgets import create_budget
from domains.flows.services import Services
from tests.conftest import MakeUser

TODAY = datetime.now(UTC).date().isoformat()
STATEMENT = f"Date,Description,Amount\n{TODAY},STARBUCKS STORE #1234,-4.50\n{TODAY},STARBUCKS STORE #1234,-4.50\n{TODAY},SALARY,2500.00\n"


@pytest.fixture
def statement(tmp_path: Path) -> Path:
    file = tmp_path / "august.csv"
    file.write_text(STATEMENT)
    return file


@pytest.fixture
def broken(statement: Path) -> Path:
    statement.write_text(STATEMENT + f"{TODAY},HALF A ROW,-12.three\n")
    return statement


async def test_a_file_is_imported_once_however_often_it_is_given(settings: Settings, make_user: MakeUser, statement: Path) -> None:
    viewer = await make_user()
    email = f"{viewer.user_id}@example.com"

    assert await import_file(settings, statement, email) == "added 3, updated 0, unchanged 0"
    assert await import_file(settings, statement, email.upper()) == "added 0, updated 0, unchanged 3"


async def test_listeners_in_other_processes_hear_of_an_import(
    settings: Settings, services: Services, make_user: MakeUser, statement: Path
) -> None:
    viewer = await make_user()
    command = CreateBudget("Food", "FOOD_AND_DRINK", Decimal(200), "USD", "monthly", datetime.now(UTC).date().replace(day=1))
    budget_id = await create_budget(services, viewer, command, str(uuid4()))

    async with services.hub.subscribe(viewer.user_id, (TOPIC,)) as slot:
        await import_file(settings, statement, f"{viewer.user_id}@example.com")
        async with asyncio.timeout(5):
            events = await slot.take()

    assert events is not None
    assert [(event.topic, event.id) for event in events] == [(TOPIC, budget_id)]


async def test_a_broken_file_is_refused_with_its_line_and_nothing_of_it_stays(
    settings: Settings, services: Services, make_user: MakeUser, broken: Path
) -> None:
    viewer = await make_user()

    with pytest.raises(OperatorError, match=r"^august\.csv: Line 5: "):
        await import_file(settings, broken, f"{viewer.user_id}@example.com")

    async with services.db.write("transaction", viewer) as session:
        assert (await session.execute(own_transactions.select())).all() == []


async def test_a_file_that_is_too_large_is_refused_before_it_is_read(settings: Settings, make_user: MakeUser, statement: Path) -> None:
    viewer = await make_user()
    small = settings.model_copy(update={"upload_limit_bytes": 20})

    with pytest.raises(OperatorError, match=r"^august\.csv is larger than 20 bytes\.$"):
        await import_file(small, statement, f"{viewer.user_id}@example.com")


async def test_nobody_s_statement_is_refused(settings: Settings, statement: Path) -> None:
    with pytest.raises(OperatorError, match=r"^No active account has this address\.$"):
        await import_file(settings, statement, "nobody@example.com")


async def test_a_token_signs_in_as_its_user(settings: Settings, services: Services, redis: RedisConnections, make_user: MakeUser) -> None:
    viewer = await make_user(timezone="Europe/Berlin", currency="EUR")

    token = await open_session(settings, f"{viewer.user_id}@example.com")

    opened = await authenticate(redis, token, services.options.viewer_bucket, 1)
    assert opened is not None
    session, _ = opened
    assert (session.user_id, session.timezone, session.currency) == (viewer.user_id, "Europe/Berlin", "EUR")


async def test_a_token_for_nobody_is_refused(settings: Settings) -> None:
    with pytest.raises(OperatorError, match=r"^No active account has this address\.$"):
        await open_session(settings, "nobody@example.com")


async def test_an_operator_says_what_a_file_does_not(settings: Settings, make_user: MakeUser, tmp_path: Path) -> None:
    viewer = await make_user()
    file = tmp_path / "german.csv"
    file.write_text("Wann;Wofuer;Wieviel\n03.04.2026;Kaffee;-4,50\n")
    email = f"{viewer.user_id}@example.com"
    said = [
        "columns.date=Wann",
        "columns.description=Wofuer",
        "columns.amount=Wieviel",
        "date_order=DMY",
        "decimal_separator=,",
        "currency=EUR",
    ]

    assert await import_file(settings, file, email, read_options(said)) == "added 1, updated 0, unchanged 0"
    with pytest.raises(OperatorError):
        await import_file(settings, file, email)


@pytest.mark.parametrize(
    "said", ["date_order", "=DMY", "date_order=XYZ", "nonsense=1", "columns.nonsense=1", "columns.date=0", "columns=1"]
)
def test_an_option_that_cannot_be_meant_is_refused(said: str) -> None:
    with pytest.raises(OperatorError):
        read_options([said])
