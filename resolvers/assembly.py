"""From declarations to root types: contributions are moved to the types they extend, and every promise is checked.

Everything wrong here is a mistake of ours, found when the process starts: TypeError.
"""

from typing import Any

import strawberry
from strawberry.federation.schema_directives import Cost
from strawberry.types.base import StrawberryList, StrawberryOptional
from strawberry.types.field import StrawberryField

from resolvers.declared import (
    EVERYBODY_KEY,
    VIEWER_KEY,
    Column,
    CountOf,
    Declarations,
    DeclaredField,
    GlobalId,
    Link,
    MoneyOf,
    PageOf,
    columns_read,
    sort_columns,
)
from resolvers.loaders import get_loader
from resolvers.paging import PageInfo
from resolvers.prices import put_prices

ROOTS = ("Query", "Mutation", "Subscription")
ROOT_KEYS = (VIEWER_KEY, EVERYBODY_KEY)
CURSOR = "Where this row stands in this order: give it as `after` to go on from here."
#: The only column that a contributed field may read of its parent.
ENTITY_KEY = "id"


def assemble(declarations: Declarations) -> dict[str, type]:
    """The root types by name, complete with what the domains contribute."""
    for name, made in declarations.types.items():
        for field in _fields(made):
            declarations.field_owners.setdefault((name, field.python_name), declarations.owners[name])
    roots = {name: type(name, (), {"__annotations__": {}, "__module__": __name__}) for name in ROOTS}
    roots = {name: strawberry.type(root) for name, root in roots.items()}
    for target, domain, part in declarations.contributions:
        _contribute(declarations, roots, target, domain, part)
    _make_connections(declarations)
    for name, made in (declarations.types | roots).items():
        for field in _fields(made):
            if isinstance(field, DeclaredField):
                _check(declarations, name, field)
    put_prices([*declarations.types.values(), *roots.values()], roots["Mutation"])
    for name in declarations.types:
        declarations.columns[name] = _columns_of(declarations, name)
    for name, (loader, _) in declarations.entities.items():
        _check_entity(name, loader)
    return {name: root for name, root in roots.items() if _fields(root)}


def _fields(made: type) -> list[StrawberryField]:
    fields: list[StrawberryField] = made.__strawberry_definition__.fields  # type: ignore[attr-defined]
    return fields


def _contribute(declarations: Declarations, roots: dict[str, type], target: str, domain: str, part: type) -> None:
    made = roots.get(target) or declarations.types.get(target)
    if made is None:
        raise TypeError(f"{domain} extends {target}, which nobody declares")
    fields = _fields(made)
    taken = {field.python_name: field for field in fields}
    for field in _fields(part):
        name = field.python_name
        if taken.get(name) is field:
            continue  # assembled before
        if name in taken:
            raise TypeError(f"{domain} adds {target}.{name}, which {declarations.field_owners[(target, name)]} owns")
        if target not in roots:
            _check_reads_only_the_key(domain, target, field)
        fields.append(field)
        declarations.field_owners[(target, name)] = domain


def _check_reads_only_the_key(domain: str, target: str, field: StrawberryField) -> None:
    if not isinstance(field, DeclaredField) or not isinstance(field.how, Link | PageOf | CountOf):
        raise TypeError(f"{domain} adds {target}.{field.python_name}: a field on another's type is a link, links, page or count")
    if field.how.key != ENTITY_KEY:
        raise TypeError(f"{domain} adds {target}.{field.python_name}, which reads {field.how.key!r}: only the key may be read")


def _check(declarations: Declarations, type_name: str, field: DeclaredField) -> None:
    place, how = f"{type_name}.{field.python_name}", field.how
    match how:
        case Link():
            if how.target not in declarations.types:
                raise TypeError(f"{place} links to {how.target}, which nobody declares")
            get_loader(declarations.loader_of(how.target, how.loader), "many" if how.many else "one")
        case PageOf():
            get_loader(how.loader, "page")
            if how.count is not None:
                get_loader(how.count, "count")
        case CountOf():
            get_loader(how.loader, "count")
        case Column():
            _check_leaf(place, field)
        case GlobalId() | MoneyOf():
            pass
        case None:
            raise TypeError(f"{place} does not say where its value comes from")
    if type_name in ROOTS and not set(columns_read(how)) <= set(ROOT_KEYS):
        raise TypeError(f"{place}: a root field is keyed by VIEWER_KEY or EVERYBODY_KEY")


def _check_leaf(place: str, field: DeclaredField) -> None:
    kind: Any = field.type
    while isinstance(kind, StrawberryOptional | StrawberryList):
        kind = kind.of_type
    definition = getattr(kind, "__strawberry_definition__", None)
    if definition is not None and hasattr(definition, "is_input"):
        raise TypeError(f"{place}: a column is a leaf, {kind.__name__} is an object")


def _check_entity(name: str, loader: str) -> None:
    spec = get_loader(loader, "one")
    if spec.key != ENTITY_KEY:
        raise TypeError(f'{name}: {loader!r} finds an entity by its id, so declare it with key="id"')


def _make_connections(declarations: Declarations) -> None:
    """One connection and one edge type per node type that some field pages."""
    hows = [field.how for made in declarations.types.values() for field in _fields(made) if isinstance(field, DeclaredField)]
    hows += [field.how for _, _, part in declarations.contributions for field in _fields(part) if isinstance(field, DeclaredField)]
    paged = [how for how in hows if isinstance(how, PageOf)]
    for how in paged:
        if how.target not in declarations.types:
            raise TypeError(f"a page of {how.target}, which nobody declares")
        if how.target not in declarations.connections:
            counted = any(other.count for other in paged if other.target == how.target)
            declarations.connections[how.target] = _connection(declarations.types[how.target], how.target, counted=counted)
        declarations.owners.setdefault(f"{how.target}Connection", declarations.owners[how.target])
        declarations.owners.setdefault(f"{how.target}Edge", declarations.owners[how.target])


def _connection(node: type, name: str, *, counted: bool) -> type:
    edge = _described(f"{name}Edge", f"{name} at its place in a list.", node=(node, f"The {name}."), cursor=(str, CURSOR))
    edge.__strawberry_definition__.directives = [Cost(weight=0)]  # type: ignore[attr-defined]
    fields: dict[str, tuple[Any, str]] = {
        "edges": (list[edge], "The page's rows with their cursors."),  # type: ignore[valid-type]
        "nodes": (list[node], "The page's rows, for who needs no cursor per row."),  # type: ignore[valid-type]
        "page_info": (PageInfo, "Whether there is more, and where to go on."),
    }
    if counted:
        fields["total_count"] = (int, "How many there are under the filter, on all pages. Counted only when asked for.")
    made = _described(f"{name}Connection", f"A page of a list of {name}.", **fields)
    for field in _fields(made):
        if field.python_name == "total_count":
            field.directives = [Cost(weight=1)]  # a statement of its own
    return made


def _described(name: str, description: str, **fields: tuple[Any, str]) -> type:
    body: dict[str, Any] = {field: strawberry.field(description=said) for field, (_, said) in fields.items()}
    body["__annotations__"] = {field: kind for field, (kind, _) in fields.items()}
    return strawberry.type(type(name, (), body), description=description)


def _columns_of(declarations: Declarations, name: str) -> tuple[str, ...]:
    """Every column that some field of the type, or the cursor of some page of it, reads: what graphql-core loads."""
    columns: dict[str, None] = {}
    for field in _fields(declarations.types[name]):
        if isinstance(field, DeclaredField):
            columns.update(dict.fromkeys(columns_read(field.how)))
    for how in _all_pages(declarations):
        if how.target == name:
            columns.update(dict.fromkeys(sort_columns(how.paging)))
    columns.update(dict.fromkeys(declarations.extra_columns.get(name, ())))
    return tuple(columns)


def _all_pages(declarations: Declarations) -> list[PageOf]:
    fields = (field for made in declarations.types.values() for field in _fields(made))
    return [field.how for field in fields if isinstance(field, DeclaredField) and isinstance(field.how, PageOf)]
