"""Statements that banks really sent, taken in by the database: each ends in its rows or in its refusal, and a second time in nothing new.

What the parser makes of each is in tests/domains/bank; here, that all of it arrives. They are not part of the repository.
"""

import asyncio
from decimal import Decimal

import pytest

from db.engines import Viewer
from domains.bank.errors import StatementRejected
from domains.bank.providers.file.options import FileOptions
from domains.flows.import_statement import import_file
from domains.flows.services import Services
from tests.conftest import MakeUser
from tests.domains.bank.test_real_statements import EXPECTED, FOLDER, Account, Refusal
from tests.e2e import rows
from tests.servers.everywhere import Everywhere

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"{FOLDER}, the folder of real statements, is not there")

#: A list of accounts without their currency: where there is an owner, it is theirs.
_LISTED = [("0001", "savings"), ("0002", "checking"), ("0003", "credit"), ("1111", "credit")]
_ENDS = EXPECTED | {"account_listing_aggregation.ofx": [Account(mask, kind, "USD", None) for mask, kind in _LISTED]}

_ACCOUNTS = """select id, account_mask, account_type, currency, current_balance from bank_schema.bank_accounts where user_id = $1"""
_SUMS = """select account_id, count(*), sum(case direction when 'credit' then amount else -amount end)
  from transaction_schema.transactions where user_id = $1 group by 1"""


@pytest.fixture
async def robin(make_user: MakeUser) -> Viewer:
    return await make_user()


async def take(services: Services, viewer: Viewer, name: str) -> dict[str, int]:
    data = await asyncio.to_thread((FOLDER / name).read_bytes)
    return await import_file(services, viewer, data, name, FileOptions())


async def stored(superuser: Everywhere, viewer: Viewer) -> list[tuple[object, ...]]:
    """(mask, kind, currency, balance, how many rows, what they come to) of each account."""
    sums = {account_id: tuple(of) for account_id, *of in await superuser.fetch(_SUMS, viewer.user_id)}
    return [(*said, *sums.get(account_id, (0, 0))) for account_id, *said in await superuser.fetch(_ACCOUNTS, viewer.user_id)]


@pytest.mark.parametrize(("name", "accounts"), [pytest.param(name, end, id=name) for name, end in _ENDS.items() if isinstance(end, list)])
async def test_a_real_statement_ends_in_its_rows_and_a_second_time_in_nothing_new(
    name: str, accounts: list[Account], services: Services, robin: Viewer, superuser: Everywhere
) -> None:
    said = [(each.mask, each.kind, each.currency, _number(each.balance), each.count, _number(each.total)) for each in accounts]

    first = await take(services, robin, name)
    held = await rows.holdings(superuser, robin.user_id)
    second = await take(services, robin, name)

    assert sorted(await stored(superuser, robin)) == sorted(said)
    assert first == {"added": sum(each.count for each in accounts), "updated": 0, "unchanged": 0}
    assert second == {"added": 0, "updated": 0, "unchanged": first["added"]}
    assert await rows.holdings(superuser, robin.user_id) == held


@pytest.mark.parametrize(("name", "refusal"), [pytest.param(name, end, id=name) for name, end in _ENDS.items() if isinstance(end, Refusal)])
async def test_a_real_statement_that_is_broken_ends_in_its_refusal_and_leaves_nothing(
    name: str, refusal: Refusal, services: Services, robin: Viewer, superuser: Everywhere
) -> None:
    with pytest.raises(StatementRejected) as refused:
        await take(services, robin, name)

    assert (refused.value.line, refusal.words in refused.value.reason) == (refusal.line, True)
    assert [rows_of for rows_of in (await rows.holdings(superuser, robin.user_id)).values() if rows_of] == []
    assert await rows.imports(superuser, robin.user_id) == []
    assert await rows.uploads(superuser, robin.user_id) == 0
    assert await rows.live_jobs(superuser, robin.user_id) == []


def test_no_statement_is_left_out() -> None:
    assert {file.name for file in FOLDER.glob("*.ofx")} == set(_ENDS)


def _number(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
