"""The real schema and people who ask it."""

from typing import Protocol

import pytest

from domains.flows.services import Services
from resolvers.execution.operation import Gateway
from resolvers.schema import build_schema
from tests.conftest import MakeUser
from tests.resolvers.api import Client


class MakeClient(Protocol):
    async def __call__(self, *, timezone: str = "UTC", currency: str = "USD") -> Client: ...


@pytest.fixture(scope="session")
def api() -> Gateway:
    """The gateway of the real schema."""
    return Gateway(build_schema())


@pytest.fixture
def make_client(api: Gateway, services: Services, make_user: MakeUser) -> MakeClient:
    """Somebody new."""

    async def make(*, timezone: str = "UTC", currency: str = "USD") -> Client:
        return Client(api, services, await make_user(timezone=timezone, currency=currency))

    return make


@pytest.fixture
def nobody(api: Gateway, services: Services) -> Client:
    """Whoever is signed out."""
    return Client(api, services, None)
