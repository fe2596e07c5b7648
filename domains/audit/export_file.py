"""The file that a request for one's data is answered with: a zip, made piece by piece.

    README.json             what is in it: tables with their columns and counts, and what was left out with the reason
    <domain>/<table>.json   an array, a row to a line; or
    <domain>/<table>.csv    RFC 4180, in UTF-8, the names of the columns in the first line

Nothing of it touches a disk in plain: whoever writes takes the finished pieces and seals them.

JSON: exact numbers and dates are text, instants are RFC 3339 in UTC. CSV: nothing is an empty cell, an empty text is "". A cell of text
that a spreadsheet could take for a formula has a tab before it (OWASP, "CSV Injection": what also survives saving it again); numbers,
negative ones too, are as they are.
"""

import re
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import IO, Any, Final, cast

import orjson

from db.export import ExportTable, Kind

README: Final = "README.json"
#: Of one file in the zip. A larger table goes on in `<table>-2`: beyond 2 GiB not every reader of zips can follow.
PART_BYTES: Final = 1024**3

Value = Any
_FORMULA: Final = re.compile(r"\s*[=+\-@＝＋－＠]|[\t\r\n]")
#: Kinds whose text cannot be taken for a formula.
_PLAIN_CELLS: Final[frozenset[Kind]] = frozenset(("integer", "decimal", "boolean", "instant", "date"))


class Sink:
    """Where the zip is written to, without ever going back: pieces of one size, to be taken as they become full."""

    def __init__(self, piece_bytes: int) -> None:
        self._piece_bytes = piece_bytes
        self._held = bytearray()
        self.written_bytes = 0

    def write(self, data: bytes) -> int:
        self._held += data
        self.written_bytes += len(data)
        return len(data)

    def flush(self) -> None:
        """There is nothing behind it."""

    def take_full(self) -> list[bytes]:
        """The pieces that are full, in their order; at least one byte is kept for the last piece."""
        size, taken = self._piece_bytes, []
        while len(self._held) > size:
            taken.append(bytes(self._held[:size]))
            del self._held[:size]
        return taken

    def take_rest(self) -> bytes:
        """What is left: the last piece."""
        rest, self._held = bytes(self._held), bytearray()
        return rest


class ExportFile:
    """A zip under construction. One table at a time: `begin`, `add` as often as wanted, `end`; then `close`.

    made_at: the instant that the files in it bear, UTC.
    """

    def __init__(self, sink: Sink, export_format: str, made_at: datetime) -> None:
        self.tables: list[dict[str, Any]] = []
        self._format = export_format
        self._made_at = made_at.astimezone(UTC)
        self._zip = zipfile.ZipFile(cast(IO[bytes], sink), "w", zipfile.ZIP_DEFLATED)
        self._part: _Part | None = None
        self._table: ExportTable | None = None
        self._added: Sequence[str] = ()
        self._count = 0

    def begin(self, table: ExportTable, added: Mapping[str, str]) -> None:
        """Start a table. `added`: columns of text that its rows have beside its own, and what they say."""
        self._table, self._added, self._count = table, tuple(added), 0
        columns = [{"name": each.name, "type": each.kind, **({"about": each.about} if each.about else {})} for each in table.columns]
        columns += [{"name": name, "type": "text", "about": about} for name, about in added.items()]
        left_out = [{"name": name, "reason": reason} for name, reason in table.left_out.items()]
        self.tables.append({"domain": table.domain, "table": table.name, "about": table.about, "columns": columns, "leftOut": left_out})
        self.tables[-1]["files"] = []
        self._open_part()

    def add(self, rows: Iterable[Mapping[str, Value]]) -> None:
        """Append rows, by the names of columns."""
        for row in rows:
            if self._current.size_bytes > PART_BYTES:
                self._current.close()
                self._open_part()
            self._current.write(row)
            self._count += 1

    def end(self) -> None:
        self._current.close()
        self._part = None
        self.tables[-1]["rows"] = self._count

    def close(self, said: Mapping[str, Any]) -> None:
        """Add the README, which says `said` and what tables there are, and end the zip."""
        text = orjson.dumps({**said, "tables": self.tables}, option=orjson.OPT_INDENT_2 | _INSTANTS)
        self._zip.writestr(self._entry(README), text)
        self._zip.close()

    @property
    def _current(self) -> "_Part":
        assert self._part is not None  # noqa: S101 - between begin and end there is one
        return self._part

    def _open_part(self) -> None:
        assert self._table is not None  # noqa: S101 - begun
        files = self.tables[-1]["files"]
        suffix = f"-{len(files) + 1}" if files else ""
        name = f"{self._table.domain}/{self._table.name}{suffix}.{self._format}"
        files.append(name)
        kinds: dict[str, Kind] = {each.name: each.kind for each in self._table.columns}
        kinds |= dict.fromkeys(self._added, "text")
        opened = self._zip.open(self._entry(name), "w")
        self._part = (_JsonPart if self._format == "json" else _CsvPart)(opened, kinds)

    def _entry(self, name: str) -> zipfile.ZipInfo:
        at = self._made_at
        entry = zipfile.ZipInfo(name, (at.year, at.month, at.day, at.hour, at.minute, at.second))
        entry.compress_type = zipfile.ZIP_DEFLATED
        return entry


class _Part(ABC):
    """One file of the zip."""

    def __init__(self, opened: Any, kinds: Mapping[str, Kind]) -> None:
        self._opened = opened
        self._kinds = kinds
        self.size_bytes = 0

    @abstractmethod
    def write(self, row: Mapping[str, Value]) -> None: ...

    def close(self) -> None:
        self._opened.close()

    def _put(self, data: bytes) -> None:
        self.size_bytes += len(data)
        self._opened.write(data)


class _JsonPart(_Part):
    _before = b"[\n"

    def write(self, row: Mapping[str, Value]) -> None:
        self._put(self._before + orjson.dumps({name: as_json(kind, row[name]) for name, kind in self._kinds.items()}, option=_INSTANTS))
        self._before = b",\n"

    def close(self) -> None:
        self._put(b"[]\n" if self._before == b"[\n" else b"\n]\n")
        super().close()


class _CsvPart(_Part):
    def __init__(self, opened: Any, kinds: Mapping[str, Kind]) -> None:
        super().__init__(opened, kinds)
        self._put_line(quoted(name) for name in kinds)

    def write(self, row: Mapping[str, Value]) -> None:
        self._put_line(as_cell(kind, row[name]) for name, kind in self._kinds.items())

    def _put_line(self, cells: Iterable[str]) -> None:
        self._put((",".join(cells) + "\r\n").encode())


_INSTANTS: Final = orjson.OPT_UTC_Z


def as_json(kind: Kind, value: Value) -> Any:
    """A value as `orjson` takes it."""
    if value is None:
        return None
    if kind == "json":
        return orjson.Fragment(value)
    return value.hex() if kind == "bytes" else value


def as_cell(kind: Kind, value: Value) -> str:
    """A value as a cell of CSV."""
    if value is None:
        return ""
    match kind:
        case "boolean":
            return "true" if value else "false"
        case "instant":
            return _instant(value)
        case "bytes":
            return quoted(value.hex())
        case "list":
            return quoted(orjson.dumps(value).decode())
    text = value.isoformat() if isinstance(value, date) else str(value)
    return text if kind in _PLAIN_CELLS else quoted(text)


def quoted(text: str) -> str:
    """A cell of text, which no spreadsheet takes for a formula."""
    safe = f"\t{text}" if _FORMULA.match(text) else text
    return '"' + safe.replace('"', '""') + '"'


def _instant(value: datetime) -> str:
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
