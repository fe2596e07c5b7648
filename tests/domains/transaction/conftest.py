import pytest

from db.engines import Db
from tests.conftest import MakeUser
from tests.domains.transaction.ledger import Account


@pytest.fixture
async def account(db: Db, make_user: MakeUser) -> Account:
    """An empty account of somebody new."""
    return Account(db, await make_user())
