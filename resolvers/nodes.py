"""Entities by id, whatever their type: `node`, `nodes`, `_entities`."""

from typing import Any

import strawberry

from domains.core.ids import parse_id
from resolvers.declared import Declarations, KeyType
from resolvers.ids import split_global_id
from resolvers.loaders import get_loader


@strawberry.interface(description="Something with a global id.")
class Node:
    id: strawberry.ID = strawberry.field(description="The global id: opaque, and the same for ever.")

    @classmethod
    def resolve_type(cls, row: Any, _info: Any, _abstract: Any) -> str:
        name: str = row.type_name
        return name


class TypedRow:
    """A row that knows its type's name, for fields that may return several types."""

    __slots__ = ("_row", "type_name")

    def __init__(self, type_name: str, row: Any) -> None:
        self.type_name = type_name
        self._row = row

    def __getattr__(self, name: str) -> Any:
        return getattr(self._row, name)


def checked_key(key: str, kind: KeyType) -> str | None:
    """The key as loaders take it, or None when no row can have it."""
    return key if kind == "text" or parse_id(key) is not None else None


async def load_node(declarations: Declarations, context: Any, global_id: str, expected: str | None = None) -> TypedRow | None:
    """The entity with a global id; None for what is malformed, not there, or not the viewer's."""
    parts = split_global_id(global_id)
    if parts is None or (expected is not None and parts[0] != expected):
        return None
    type_name, text = parts
    if type_name not in declarations.entities:
        return None
    loader, kind = declarations.entities[type_name]
    key = checked_key(text, kind)
    if key is None:
        return None
    row = await context.loaders.load(get_loader(loader), key, declarations.columns[type_name])
    return None if row is None else TypedRow(type_name, row)
