"""Where a mutation came from, as the audit trail will tell; reads carry nothing of it."""

from typing import Any
from uuid import uuid4

import pytest

from db.engines import Origin, Viewer
from domains.flows.services import Services
from resolvers.context import OperationContext
from resolvers.transport.admission import origin_of


def scope(client: tuple[str, int] | None = ("203.0.113.9", 1), agent: bytes | None = b"Phone/1.0") -> dict[str, Any]:
    return {"client": client, "headers": [(b"host", b"x")] + ([] if agent is None else [(b"user-agent", agent)])}


@pytest.mark.parametrize(
    ("client", "address"),
    [
        (("203.0.113.9", 1), "203.0.113.9"),
        (("2001:db8::1:2", 1), "2001:db8::1:2"),
        (("::ffff:203.0.113.9", 1), "203.0.113.9"),
        (("a socket", 1), None),
        (None, None),
    ],
)
def test_the_address_is_the_clients_own_and_not_that_of_its_network(client: Any, address: str | None) -> None:
    assert origin_of(scope(client), "r").address == address


@pytest.mark.parametrize(
    ("agent", "kept"),
    [
        (b"Phone/1.0", "Phone/1.0"),
        (b"  a\x00b\x1b[31mc\x7f\x85d ", "ab[31mcd"),
        (b"x" * 2000, "x" * 512),
        (b"\x01\x02", None),
        (b"", None),
        (None, None),
    ],
)
def test_a_user_agent_is_bounded_and_printable(agent: bytes | None, kept: str | None) -> None:
    assert origin_of(scope(agent=agent), "r").user_agent == kept


def test_a_request_id_is_bounded() -> None:
    assert origin_of(scope(), "r" * 300) == Origin("api", "203.0.113.9", "Phone/1.0", "r" * 100)


def test_a_viewer_is_the_same_wherever_they_are() -> None:
    here, there = (Viewer(uuid4(), origin=origin) for origin in (Origin("api", "1"), None))
    same = Viewer(here.user_id)

    assert here == same
    assert hash(here) == hash(same)
    assert here != there
    assert "Origin" not in repr(here)


def test_the_viewer_of_a_mutation_carries_its_origin_and_that_of_a_read_none(services: Services) -> None:
    viewer, origin = Viewer(uuid4()), Origin("api", "203.0.113.9")

    mutation = OperationContext(services, viewer, request_id="r", cursor_secret=b"", origin=origin)
    read = OperationContext(services, viewer, request_id="r", cursor_secret=b"")

    assert (mutation.required_viewer.origin, mutation.fresh().required_viewer.origin) == (origin, origin)
    assert read.required_viewer is viewer
    assert read.required_viewer.origin is None
