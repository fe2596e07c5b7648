"""Expected failures become types of the schema."""

from datetime import UTC, datetime
from types import ModuleType
from typing import ClassVar

import pytest

from domains.core.errors import AppError
from resolvers.declared import Declarations, declaring
from resolvers.payloads import expose, payload_error
from resolvers.schema import Schema, export_sdl


class Alike(AppError):
    """Too alike.

    The rest is for us.
    """

    code = "ALIKE"
    default_message = "They are too alike."
    limit: ClassVar[int] = 3
    until: datetime | None

    def __init__(self, until: datetime | None = None) -> None:
        super().__init__()
        self.until = until


class MoreAlike(Alike):
    code = "MORE_ALIKE"
    default_message = "They are the same."


class Unexposed(AppError):
    code = "UNEXPOSED"
    default_message = "Nobody shows this."


class Odd(AppError):
    code = "ODD"
    default_message = "Odd."
    thing: list[int]


def module_of(*classes: type) -> ModuleType:
    module = ModuleType(__name__)
    module.__dict__.update({cls.__name__: cls for cls in classes})
    return module


def test_a_failure_is_shown_with_what_it_carries() -> None:
    until = datetime(2026, 1, 1, tzinfo=UTC)
    with declaring(Declarations("d")) as declarations:
        expose(module_of(Alike))
        expose(module_of(Alike))

    shown = payload_error(Alike(until))
    assert list(declarations.types) == ["Alike"]
    assert (shown.code, shown.message, shown.field, shown.until) == ("ALIKE", "They are too alike.", None, until)  # type: ignore[union-attr]


def test_a_failure_without_a_type_is_shown_as_its_nearest_base() -> None:
    with declaring(Declarations("d")):
        expose(module_of(Alike))

    shown = payload_error(MoreAlike())

    assert shown is not None
    assert type(shown).__name__ == "Alike"
    assert (shown.code, shown.message) == ("MORE_ALIKE", "They are the same.")
    assert payload_error(Unexposed()) is None


def test_what_clients_cannot_be_shown_is_refused_at_the_start() -> None:
    with declaring(Declarations("d")), pytest.raises(TypeError, match=r"Odd\.thing"):
        expose(module_of(Odd))


def test_every_failure_is_an_error_with_code_message_and_field(toy: Schema) -> None:
    sdl = export_sdl(toy)

    for name in ("PotMissing", "PotTooSmall", "IdempotencyKeyReused"):
        assert f"type {name} implements Error {{" in sdl
    assert '"""There is no such pot."""' in sdl
