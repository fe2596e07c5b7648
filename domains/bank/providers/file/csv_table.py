"""CSV text as a table: delimiter, header row, the rows with their lines."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from domains.bank.errors import StatementRejected
from domains.bank.providers.file.csv_columns import Columns, by_number, recognized
from domains.bank.providers.file.options import FileOptions
from domains.bank.providers.file.values import MAX_TRANSACTIONS, TOO_MANY

Row = list[str]

_DELIMITERS = (",", ";", "\t", "|")
_SAMPLE_CHARS = 65_536
_HEADER_WITHIN_ROWS = 60
_MAX_COLUMNS = 200
_SEPARATOR_LINE = re.compile(r"\s*\"?sep=([,;\t|])\"?\s*(?:[\r\n]|$)", re.IGNORECASE)
_VALUE = re.compile(r"\s*[0-9.,:/+()'’ -]{0,30}[0-9][0-9.,:/+()'’ -]{0,30}\s*")  # a number, a date, a time
_SPARE_ROWS = 1_000  # blank lines, footers and repeated headers beside the transactions


@dataclass(frozen=True, slots=True)
class Table:
    """`preamble` is what stands above the header; each row comes with the line that it begins on, blank rows left out.

    ends_abruptly: no line end follows the last row.
    """

    columns: Columns
    preamble: list[Row]
    header: Row | None
    rows: list[tuple[int, Row]]
    ends_abruptly: bool


def read_table(text: str, options: FileOptions) -> Table:
    """Errors: StatementRejected when no header tells the columns, for broken quotes, and for more rows than may be."""
    delimiter, header_at, columns = _layout(text, options)
    preamble: list[Row] = []
    header: Row | None = None
    rows: list[tuple[int, Row]] = []
    for index, (line, row) in enumerate(_rows(text, delimiter)):
        if index < header_at:
            preamble.append(row)
        elif index == header_at and columns.has_header:
            header = row
        elif row != header:
            rows.append((line, row))
            if len(rows) > MAX_TRANSACTIONS + _SPARE_ROWS:
                raise StatementRejected(TOO_MANY, line=line)
    return Table(columns, preamble, header, rows, not text.endswith(("\n", "\r")))


def _layout(text: str, options: FileOptions) -> tuple[str, int, Columns]:
    """The delimiter, which row (blank ones not counted) is the header or the first of the table, and its columns."""
    sample = _sample(text)
    stated = _SEPARATOR_LINE.match(sample)
    delimiters = (options.delimiter,) if options.delimiter else (stated[1],) if stated else _DELIMITERS
    if any(isinstance(place, int) for place in options.columns.values()):
        return _layout_by_number(sample, delimiters, options)
    best: tuple[int, str, int, Columns] | None = None
    unknown: StatementRejected | None = None
    for delimiter in delimiters:
        for index, row in enumerate(_first_rows(sample, delimiter)):
            if not 2 <= len(row) <= _MAX_COLUMNS or any(_VALUE.fullmatch(cell) for cell in row):
                continue  # a row with values is no header, though words of one may stand in it when a line end got lost
            try:
                columns = recognized(row, options.columns)
            except StatementRejected as error:
                unknown = unknown if unknown is not None and index > 0 else error
                continue
            if columns.is_usable and (best is None or len(columns.places) > best[0]):
                best = (len(columns.places), delimiter, index, columns)
    if best is not None:
        return best[1], best[2], best[3]
    if options.columns and unknown is not None:
        raise unknown
    reason = "No header row was found that names at least a date and an amount. If the file has one, name its `columns`;"
    raise StatementRejected(f"{reason} if it has none, give their numbers (date, amount and description).", line=1, field="columns")


def _layout_by_number(sample: str, delimiters: tuple[str, ...], options: FileOptions) -> tuple[str, int, Columns]:
    """The delimiter that gives most rows one and the same width; the table starts at the first row that wide."""
    best: tuple[int, int, str, int] | None = None
    for delimiter in delimiters:
        widths = [len(row) for row in _first_rows(sample, delimiter)]
        if not widths:
            continue
        width, count = Counter(widths).most_common(1)[0]
        if width > 1 and (best is None or (count, width) > best[:2]):
            best = (count, width, delimiter, widths.index(width))
    if best is None:
        raise StatementRejected("The columns cannot be told apart. State the `delimiter`.", line=1, field="delimiter")
    columns = by_number(options.columns, best[1])
    if not columns.is_usable:
        raise StatementRejected("At least a date and an amount (or debit and credit) are needed.", field="columns")
    return best[2], best[3], columns


def _sample(text: str) -> str:
    if len(text) <= _SAMPLE_CHARS:
        return text
    cut = text.rfind("\n", 0, _SAMPLE_CHARS)
    return text[: cut + 1] if cut > 0 else text[:_SAMPLE_CHARS]


def _first_rows(sample: str, delimiter: str) -> list[Row]:
    """As far as they can be read with this delimiter."""
    found: list[Row] = []
    try:
        for _, row in _rows(sample, delimiter):
            found.append(row)
            if len(found) >= _HEADER_WITHIN_ROWS:
                break
    except StatementRejected:
        return found
    return found


def _rows(text: str, delimiter: str) -> Iterator[tuple[int, Row]]:
    """The rows that are not blank, each with the line it begins on."""
    end = "\n" if "\n" in text else "\r"
    reader = csv.reader(io.StringIO(text, newline=end), delimiter=delimiter, strict=True, skipinitialspace=delimiter != "\t")
    line = 1
    try:
        for row in reader:
            if any(row) and any(not cell.isspace() for cell in row if cell):
                yield line, row
            line = reader.line_num + 1
    except csv.Error as error:
        raise StatementRejected(_what_is_broken(str(error)), line=line) from None


def _what_is_broken(error: str) -> str:
    if "field larger" in error or "unexpected end" in error:
        return "A quotation mark opens here and is never closed, or the file is cut short. Download it again, or double the mark."
    if "expected after" in error:
        return "Something follows a closing quotation mark. A quotation mark inside quoted text has to be doubled."
    return "A line end stands inside a field that is not quoted."
