"""What is promised to clients, as files in `graphql/`: `python -m resolvers.contract write|check|publish`.

schema.graphql               the federated SDL of this code, with what things cost
operations/manifest.json     the ready operations by the hash of their text, in Apollo's manifest format
published.graphql            the plain SDL that clients in the field were built on

`write` makes the first two from the code. `check` tells whether they are what the code says, and whether it still keeps every
promise of the third: a change that breaks a client is refused until it stands in `breaking.txt`, a line each with its reason,
which a reviewer sees. `publish`, done when a version goes out, makes the plain SDL of now the promise and empties that list.
"""

import sys
from collections.abc import Iterable
from pathlib import Path

import orjson
from graphql import (
    DirectiveDefinitionNode,
    GraphQLSchema,
    ObjectTypeDefinitionNode,
    OperationDefinitionNode,
    SchemaDefinitionNode,
    build_schema,
    find_breaking_changes,
    parse,
    print_ast,
    print_schema,
)

from resolvers import schema as ours
from resolvers.execution.persisted import APOLLO_FORMAT, sha256_of

FOLDER = Path(__file__).parents[1] / "graphql"
SCHEMA = "schema.graphql"
MANIFEST = "operations/manifest.json"
PUBLISHED = "published.graphql"
BREAKING = "breaking.txt"
ABOUT_BREAKING = """# Changes that break clients of the published schema, on purpose. One a line, then " -- " and why:
# what `make lint` says of the change -- the reason
"""
#: What federation adds for its routers: no client is built on it.
_OF_FEDERATION = ("_Any", "_Entity", "_Service")


def plain_sdl(schema: GraphQLSchema) -> str:
    """The schema without federation's own types and fields and without applied directives, as any tool reads it."""
    definitions = []
    for node in parse(print_schema(schema)).definitions:
        if isinstance(node, DirectiveDefinitionNode | SchemaDefinitionNode):
            continue  # of what things cost, and of federation; the root types have their usual names
        if isinstance(node, ObjectTypeDefinitionNode) and node.name.value == "Query":
            definitions.append(print_ast(_without_federation(node)))
        elif getattr(node, "name", None) is None or node.name.value not in _OF_FEDERATION:  # type: ignore[attr-defined]
            definitions.append(print_ast(node))
    return "\n\n".join(definitions) + "\n"


def _without_federation(query: ObjectTypeDefinitionNode) -> ObjectTypeDefinitionNode:
    fields = tuple(field for field in query.fields or () if not field.name.value.startswith("_"))
    return ObjectTypeDefinitionNode(
        name=query.name, description=query.description, interfaces=query.interfaces, directives=query.directives, fields=fields
    )


def manifest(operations: Iterable[Path]) -> str:
    """The documents of these files, each of one named operation, in the order of their names."""
    listed = []
    for path in operations:
        text = path.read_text()
        [definition] = [each for each in parse(text).definitions if isinstance(each, OperationDefinitionNode)]
        assert definition.name is not None, path  # noqa: S101 - a mistake of ours
        listed.append({"id": sha256_of(text), "name": definition.name.value, "type": definition.operation.value, "body": text})
    listed.sort(key=lambda each: each["name"])
    made = {"format": APOLLO_FORMAT, "version": 1, "operations": listed}
    return orjson.dumps(made, option=orjson.OPT_INDENT_2).decode() + "\n"


def written(folder: Path) -> dict[str, str]:
    """The files that are made from the code, by name."""
    return {
        SCHEMA: ours.export_sdl(),
        MANIFEST: manifest((folder / "operations").glob("*/*.graphql")),
    }


def breaking_changes(published: str, schema: GraphQLSchema) -> list[str]:
    """How a client built on the published SDL could break on this schema, a line each, sorted."""
    now = build_schema(plain_sdl(schema), assume_valid=True)
    found = find_breaking_changes(build_schema(published, assume_valid=True), now)
    return sorted(f"{change.type.name}: {change.description}" for change in found)


def allowed_breaks(text: str) -> list[str]:
    """The changes that a list allows. Errors: ValueError for a line without a reason."""
    found = []
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        change, _, reason = line.partition(" -- ")
        if not reason.strip():
            raise ValueError(f"{BREAKING}: a line needs ` -- ` and its reason: {line}")
        found.append(change.strip())
    return found


def complaints(folder: Path) -> list[str]:
    """What is wrong with the contract's files, a line each."""
    stale = [name for name, text in written(folder).items() if _read(folder / name) != text]
    found = [f"{name} is not what the code says: run `make schema`" for name in stale]
    try:
        allowed = allowed_breaks(_read(folder / BREAKING))
    except ValueError as error:
        return [*found, str(error)]
    breaks = breaking_changes(_read(folder / PUBLISHED), ours.build_schema()._schema)
    found += [f"breaks clients of {PUBLISHED}, and is not in {BREAKING}: {change}" for change in breaks if change not in allowed]
    found += [f"{BREAKING}: there is no such change (any more): {change}" for change in allowed if change not in breaks]
    return found


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def write(folder: Path) -> None:
    for name, text in written(folder).items():
        _replace(folder / name, text)


def publish(folder: Path) -> None:
    """Make the schema of now the promise. Errors: ValueError, when the contract's files are not in order."""
    if wrong := complaints(folder):
        raise ValueError("\n".join(wrong))
    _replace(folder / PUBLISHED, plain_sdl(ours.build_schema()._schema))
    _replace(folder / BREAKING, ABOUT_BREAKING)


def _replace(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(path.suffix + ".new")
    draft.write_text(text)
    draft.replace(path)


def main(verb: str, folder: Path = FOLDER) -> int:
    """The exit code; what is wrong goes to stderr."""
    try:
        wrong = complaints(folder) if verb == "check" else []
        if verb == "write":
            write(folder)
        elif verb == "publish":
            publish(folder)
    except ValueError as error:
        wrong = [str(error)]
    if wrong:
        sys.stderr.write("\n".join(wrong) + "\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    if sys.argv[1:] not in (["write"], ["check"], ["publish"]):
        sys.exit("python -m resolvers.contract write|check|publish")
    sys.exit(main(sys.argv[1]))
