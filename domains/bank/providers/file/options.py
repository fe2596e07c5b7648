"""What the owner may say about a file when it does not say it itself, or says it wrongly."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, get_args

from domains.bank.errors import StatementOptionsInvalid

DateOrder = Literal["DMY", "MDY", "YMD"]
DecimalSeparator = Literal[".", ","]
AccountTypeOption = Literal["checking", "savings", "credit", "investment", "loan"]

#: What a column of a CSV file can mean; see `csv_columns` for the headers that are recognised without being told.
COLUMN_ROLES = frozenset(
    {"posted_date", "date", "transaction_date", "value_date", "amount", "debit", "credit", "direction", "fee", "currency", "balance"}
    | {"account", "id", "description", "payee", "memo", "reference", "type", "category", "status"}
)

_DELIMITERS = (",", ";", "\t", "|")
_MAX_TEXT_CHARS = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class FileOptions:
    """How to read a file. Everything is optional.

    delimiter, encoding, date_order, decimal_separator: override what is detected (all but encoding for CSV only).
    columns: CSV only, role -> header as in the file, or the column's number counted from 1 (then no header is needed).
    currency: ISO code for amounts that the file gives no currency for. Callers may put the owner's own currency here.
    account_id, account_name, account_type: for a file of one account; account_id decides which account it is.
    invert_amounts: for banks that write money out as positive.
    """

    delimiter: str | None = None
    encoding: str | None = None
    date_order: DateOrder | None = None
    decimal_separator: DecimalSeparator | None = None
    columns: Mapping[str, str | int] = field(default_factory=dict)
    currency: str | None = None
    account_id: str | None = None
    account_name: str | None = None
    account_type: AccountTypeOption | None = None
    invert_amounts: bool = False

    def __post_init__(self) -> None:
        """Errors: StatementOptionsInvalid, its `field` naming the option."""
        _one_of("delimiter", self.delimiter, _DELIMITERS)
        _one_of("date_order", self.date_order, get_args(DateOrder))
        _one_of("decimal_separator", self.decimal_separator, get_args(DecimalSeparator))
        _one_of("account_type", self.account_type, get_args(AccountTypeOption))
        _check_columns(self.columns)
        if self.currency is not None and not is_currency_code(self.currency):
            raise StatementOptionsInvalid("A currency is a code of three capital letters, such as EUR.", field="currency")
        for name in ("encoding", "account_id", "account_name"):
            text = getattr(self, name)
            if text is not None and not 1 <= len(text.strip()) <= len(text) <= _MAX_TEXT_CHARS:
                raise StatementOptionsInvalid(f"This text has 1 to {_MAX_TEXT_CHARS} characters.", field=name)

    def to_json(self) -> dict[str, Any]:
        """Only what was said, as JSON values; `from_json` reads it back."""
        said = {name: value for name, value in asdict(self).items() if value not in (None, {}, False)}
        if self.columns:
            said["columns"] = dict(self.columns)
        return said

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "FileOptions":
        """Errors: StatementOptionsInvalid."""
        known = {each.name for each in fields(cls)}
        for name, value in values.items():
            if name not in known:
                raise StatementOptionsInvalid("There is no such option.", field=name)
            expected: type = dict if name == "columns" else bool if name == "invert_amounts" else str
            if value is not None and not isinstance(value, expected):
                raise StatementOptionsInvalid("This option has another type.", field=name)
        return cls(**{name: value for name, value in values.items() if value is not None})


def is_currency_code(text: str) -> bool:
    return len(text) == 3 and text.isascii() and text.isalpha() and text.isupper()


def _one_of(name: str, value: str | None, allowed: tuple[str, ...]) -> None:
    if value is not None and value not in allowed:
        raise StatementOptionsInvalid(f"This is one of {', '.join(repr(each) for each in allowed)}.", field=name)


def _check_columns(columns: Mapping[str, str | int]) -> None:
    for role, place in columns.items():
        if role not in COLUMN_ROLES:
            raise StatementOptionsInvalid(f"A column is one of {', '.join(sorted(COLUMN_ROLES))}.", field=f"columns.{role}")
        number = isinstance(place, int) and not isinstance(place, bool) and 1 <= place <= 200
        if not number and not (isinstance(place, str) and 1 <= len(place) <= _MAX_TEXT_CHARS):
            raise StatementOptionsInvalid("A column is named by its header, or by its number from 1 to 200.", field=f"columns.{role}")
    if len({type(place) for place in columns.values()}) > 1:
        raise StatementOptionsInvalid("Name all columns by header, or all by number.", field="columns")
