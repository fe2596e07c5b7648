"""The files of the contract: made from the code, and a promise that is not broken by the way."""

import json
import shutil
from pathlib import Path

import pytest
from graphql import build_schema as build_plain
from graphql import print_schema

from resolvers.contract import (
    ABOUT_BREAKING,
    BREAKING,
    FOLDER,
    MANIFEST,
    PUBLISHED,
    SCHEMA,
    allowed_breaks,
    breaking_changes,
    complaints,
    main,
    plain_sdl,
)
from resolvers.execution.operation import Gateway

GONE = "FIELD_REMOVED: Field User.shoeSize was removed."


@pytest.fixture
def folder(tmp_path: Path, api: Gateway) -> Path:
    """A contract in order, of the schema of now."""
    shutil.copytree(FOLDER / "operations", tmp_path / "operations")
    (tmp_path / PUBLISHED).write_text(plain_sdl(api.schema._schema))
    assert main("write", tmp_path) == 0
    assert complaints(tmp_path) == []
    return tmp_path


def promise_more(folder: Path) -> None:
    """As if a field that clients use had been taken away since."""
    path = folder / PUBLISHED
    path.write_text(
        path.read_text().replace("type User implements Node {", 'type User implements Node {\n  "Centimetres."\n  shoeSize: Int')
    )


def test_no_client_of_the_published_schema_breaks(api: Gateway) -> None:
    breaks = breaking_changes((FOLDER / PUBLISHED).read_text(), api.schema._schema)

    assert sorted(allowed_breaks((FOLDER / BREAKING).read_text())) == breaks


def test_the_plain_schema_is_whole_and_nothing_of_federation_is_in_it(api: Gateway) -> None:
    text = plain_sdl(api.schema._schema)
    plain = build_plain(text)

    ours = {name for name in api.schema._schema.type_map if name not in ("_Any", "_Entity", "_Service")}
    assert {name for name in plain.type_map if not name.startswith("__")} == {name for name in ours if not name.startswith("__")}
    assert print_schema(build_plain(print_schema(plain))) == print_schema(plain)
    assert "_entities" not in text
    assert "@key" not in text


def test_a_break_is_refused_until_it_stands_in_the_list_with_its_reason(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    promise_more(folder)

    assert main("check", folder) == 1
    assert capsys.readouterr().err == f"breaks clients of {PUBLISHED}, and is not in {BREAKING}: {GONE}\n"
    (folder / BREAKING).write_text(f"{ABOUT_BREAKING}{GONE}\n")
    assert "needs ` -- ` and its reason" in complaints(folder)[0]
    (folder / BREAKING).write_text(f"{ABOUT_BREAKING}{GONE} -- nobody asked for it in two years\n")
    assert main("check", folder) == 0


def test_a_line_of_the_list_that_breaks_nothing_is_refused(folder: Path) -> None:
    (folder / BREAKING).write_text(f"{GONE} -- because\n")

    assert complaints(folder) == [f"{BREAKING}: there is no such change (any more): {GONE}"]


def test_publishing_makes_the_schema_of_now_the_promise(folder: Path, api: Gateway) -> None:
    promise_more(folder)
    refused = main("publish", folder)
    promised = (folder / PUBLISHED).read_text()
    (folder / BREAKING).write_text(f"{GONE} -- nobody asked for it\n")

    assert (refused, "shoeSize" in promised) == (1, True)
    assert main("publish", folder) == 0
    assert (folder / PUBLISHED).read_text() == plain_sdl(api.schema._schema)
    assert (folder / BREAKING).read_text() == ABOUT_BREAKING
    assert complaints(folder) == []


def test_files_that_are_not_what_the_code_says_are_refused(folder: Path) -> None:
    operation = next((folder / "operations").glob("*/*.graphql"))
    operation.write_text(operation.read_text() + "# changed\n")
    (folder / SCHEMA).write_text("type Query")

    assert complaints(folder) == [f"{name} is not what the code says: run `make schema`" for name in (SCHEMA, MANIFEST)]


def test_the_manifest_is_one_that_apollos_tools_read(folder: Path) -> None:
    manifest = json.loads((folder / MANIFEST).read_text())

    assert (manifest["format"], manifest["version"]) == ("apollo-persisted-query-manifest", 1)
    assert {frozenset(each) for each in manifest["operations"]} == {frozenset(("id", "name", "type", "body"))}
    assert [each["name"] for each in manifest["operations"]] == sorted(each["name"] for each in manifest["operations"])
