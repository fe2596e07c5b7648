"""Identifiers."""

from uuid import UUID, uuid4


def new_id() -> UUID:
    """A fresh random id (UUID version 4)."""
    return uuid4()


def parse_id(text: str) -> UUID | None:
    """The id in its one canonical spelling (36 characters, lower case), or None: `{...}`, `urn:` and upper case are not ids."""
    try:
        value = UUID(text)
    except ValueError:
        return None
    return value if str(value) == text else None
