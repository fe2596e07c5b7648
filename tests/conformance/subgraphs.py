"""The SDL of each domain as a subgraph of its own, cut from the one schema along the owners of its fields.

Each keeps the fields it owns of entities and root types, and names the entities it only points to by their key. What has no key
(values, enums, inputs, scalars) goes wherever it is reached, as a shareable type.
"""

from graphql import (
    InterfaceTypeDefinitionNode,
    ObjectTypeDefinitionNode,
    UnionTypeDefinitionNode,
    parse,
    print_ast,
)
from graphql.language import FieldDefinitionNode, NamedTypeNode, TypeDefinitionNode
from strawberry.utils.str_converters import to_camel_case

from resolvers.assembly import ROOTS
from resolvers.schema import DOMAINS, export_sdl, field_owners, owners

LINK = 'extend schema @link(url: "https://specs.apollo.dev/federation/v2.11", import: ["@cost", "@key", "@listSize", "@shareable"])'
#: Who serves what belongs to nobody: `node` and `nodes`, which reach every entity.
NOBODYS = "user"
#: Whose errors every domain answers with.
EVERYBODYS = "core"
_OF_FEDERATION = ("_Any", "_Entity", "_Service")


class Subgraphs:
    def __init__(self) -> None:
        nodes = [node for node in parse(export_sdl()).definitions if isinstance(node, TypeDefinitionNode)]
        self.types = {node.name.value: node for node in nodes if node.name.value not in _OF_FEDERATION}
        self.owners = owners(self.types)
        self.fields = {(kind, to_camel_case(name)): domain for (kind, name), domain in field_owners().items()}
        self.entities = {name for name, node in self.types.items() if any(each.name.value == "key" for each in node.directives or ())}

    def sdl(self, domain: str) -> str:
        """Empty for a domain that adds nothing."""
        pending = [name for name in (*ROOTS, *sorted(self.entities)) if name in self.types and self._own(name, domain)]
        found: dict[str, str] = {}
        while pending:
            name = pending.pop()
            if name in found or name not in self.types:
                continue
            node = self.types[name]
            fields = self._fields(name, domain)
            found[name] = self._printed(node, fields)
            pending += _reached(node, fields)
            if isinstance(node, InterfaceTypeDefinitionNode):
                pending += self._of_interface(name, domain)
        return "\n\n".join([LINK, *(found[name] for name in sorted(found))]) + "\n" if found else ""

    def _own(self, name: str, domain: str) -> list[FieldDefinitionNode]:
        node = self.types[name]
        fields = [field for field in getattr(node, "fields", ()) if not field.name.value.startswith("_")]
        own = []
        for field in fields:
            owner = self.fields.get((name, field.name.value), self.owners.get(name))
            if (NOBODYS if owner == "*" else owner) == domain:
                own.append(field)
        return own

    def _fields(self, name: str, domain: str) -> list[FieldDefinitionNode]:
        node = self.types[name]
        if name in ROOTS:
            return self._own(name, domain)
        if name not in self.entities:
            return list(getattr(node, "fields", None) or ())
        own = self._own(name, domain)
        key = [field for field in node.fields if field.name.value == "id" and field not in own]  # type: ignore[attr-defined]
        return key + own

    def _of_interface(self, name: str, domain: str) -> list[str]:
        """Its types: all of Node's, whose reader is asked for anything; of others (Error) those that the domain reaches or owns."""
        of = [
            kind
            for kind, node in self.types.items()
            if isinstance(node, ObjectTypeDefinitionNode) and any(each.name.value == name for each in node.interfaces or ())
        ]
        if name == "Node":
            return of if domain == NOBODYS else []
        return [kind for kind in of if self.owners.get(kind, domain) in (domain, EVERYBODYS)]

    def _printed(self, node: TypeDefinitionNode, fields: list[FieldDefinitionNode]) -> str:
        name = node.name.value
        if not isinstance(node, ObjectTypeDefinitionNode):
            return print_ast(node)
        directives = [print_ast(each) for each in node.directives or () if each.name.value != "key"]
        if name in self.entities:
            knows_more = any(field.name.value != "id" for field in fields)
            directives.append('@key(fields: "id")' if knows_more else '@key(fields: "id", resolvable: false)')
        elif name not in ROOTS:
            directives.append("@shareable")
        interfaces = " & ".join(each.name.value for each in node.interfaces or ())
        head = " ".join(filter(None, [f"type {name}", interfaces and f"implements {interfaces}", *directives]))
        said = f"{print_ast(node.description)}\n" if node.description else ""
        return f"{said}{head} {{\n" + "\n".join(print_ast(field) for field in fields) + "\n}"


def _reached(node: TypeDefinitionNode, fields: list[FieldDefinitionNode]) -> list[str]:
    found = [each.name.value for each in getattr(node, "interfaces", None) or ()]
    if isinstance(node, UnionTypeDefinitionNode):
        found += [each.name.value for each in node.types or ()]
    for field in fields:
        found.append(_named(field.type))
        found += [_named(argument.type) for argument in getattr(field, "arguments", None) or ()]
    return found


def _named(kind: object) -> str:
    while not isinstance(kind, NamedTypeNode):
        kind = kind.type  # type: ignore[attr-defined]
    return kind.name.value


def all_subgraphs() -> dict[str, str]:
    """Domain -> SDL, of those that add something."""
    cut = Subgraphs()
    return {domain: sdl for domain in DOMAINS if (sdl := cut.sdl(domain))}
