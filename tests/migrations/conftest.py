from collections.abc import AsyncIterator

import pytest

from app.embedded import Embedded
from tests.migrations.fresh import Fresh, fresh_database


@pytest.fixture
async def fresh(servers: Embedded) -> AsyncIterator[Fresh]:
    """A database of this test's own: roles and extensions, no tables."""
    async with fresh_database(servers) as database:
        yield database
