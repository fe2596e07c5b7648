"""The toy household's schema, assembled once."""

from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from resolvers.execution.operation import Gateway
from resolvers.schema import Schema
from tests.resolvers.core.toy import Household, furnish, make_toy


@pytest.fixture(scope="session")
def toy() -> Schema:
    return make_toy()


@pytest.fixture(scope="session")
def gateway(toy: Schema) -> Gateway:
    return Gateway(toy)


@pytest.fixture
def household() -> Household:
    return furnish()


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[EventDict]]:
    """What was logged, instead of it being printed."""
    with capture_logs() as events:
        yield events
