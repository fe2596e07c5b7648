"""Builders: for each step, a generated function that turns its rows into what is answered.

The source of a builder is made of constants of ours and of repr() of names from the document, which are GraphQL names
by then. A row that breaks the contract (null in a non-null field, an enum value that is not declared, a required link
to nothing) raises LookupError: the executor then has graphql-core say what is wrong, and where.

    one   build(rows, built, run) -> {key: object}
    many  build(rows, built, run) -> {key: [object, ...]}
    page  build(rows, built, run) -> function(key) -> connection
    root  build(rows, built, run) -> object

`built` holds what the other steps built, by index; `run` the request's pages, counts and secret.
"""

from binascii import b2a_base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from resolvers.execution.plan import (
    Amount,
    Amounts,
    Child,
    ConnectionPart,
    Constant,
    Edges,
    Embedded,
    Identity,
    Info,
    Leaf,
    Nodes,
    Piece,
    Plan,
    Step,
    Total,
    View,
)
from resolvers.loaders import Page, Rows
from resolvers.paging import Paging, make_cursor
from resolvers.scalars import TWO_DIGITS, format_amount

#: A page's rows and whether there are more, then what answers are made of.
Builder = Callable[[Rows, list[Any], Any], Any]

#: What turns base64 into base64url.
URL_SAFE = bytes.maketrans(b"+/", b"-_")

INFO = {"hasNextPage": "more", "hasPreviousPage": "earlier", "startCursor": "cursor(rows[0]) if rows else None"}
INFO["endCursor"] = "cursor(rows[-1]) if rows else None"


def compile_builders(plan: Plan) -> list[Builder]:
    """A builder per step, in the order of the steps."""
    return [_compile(_Source(step, plan)) for step in plan.steps]


def _compile(source: "_Source") -> Builder:
    text = source.text()
    names = dict(source.constants)
    exec(compile(text, f"<builder of step {source.step.index}>", "exec"), names)  # noqa: S102 - our own text, see above
    builder: Builder = names["build"]
    return builder


def group(rows: Rows, keys: Sequence[str]) -> dict[str, Rows]:
    """Rows by their key."""
    if len(keys) == 1:
        return {keys[0]: rows}
    groups: dict[str, Any] = {}
    for row in rows:
        if row[0] in groups:
            groups[row[0]].append(row)
        else:
            groups[row[0]] = [row]
    return groups


def cursors(page: Page, paging: Paging, positions: Mapping[str, int], secret: bytes) -> Callable[[Any], str]:
    """Row -> its cursor in this page's order."""
    order = page.order
    at = [positions[column] for column in order.columns] if order is not None else []

    def cursor(row: Any) -> str:
        return make_cursor([row[position] for position in at], paging.node_type, page.sort, secret)

    return cursor


@dataclass
class _Source:
    """The text of one builder, and the constants it names."""

    step: Step
    plan: Plan
    constants: dict[str, Any] = field(default_factory=dict)
    children: dict[int, str] = field(default_factory=dict)
    views: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.step.parent is None:
            self.positions = {column: at for at, column in enumerate(self.plan.columns, start=1)}
            self.width = len(self.plan.columns) + 1
        elif self.step.fetch is not None:
            self.positions = self.step.fetch.positions()
            self.width = len(self.step.fetch.columns) + 1
        else:
            self.positions, self.width = {}, 1
        self.constants.update(
            NONE=(), formatted=format_amount, two_digits=TWO_DIGITS, url_safe=URL_SAFE, base64=b2a_base64, group=group, cursors=cursors
        )

    def text(self) -> str:
        if self.step.is_page:
            body = self._page()
        elif self.step.parent is None:
            body = self._rows("found = {}", "return {value}")
        elif self.step.many:
            body = self._rows("found = {}", "value = {value}", "if c0 in found: found[c0].append(value)", "else: found[c0] = [value]")
        else:
            body = self._rows("found = {}", "found[c0] = {value}")
        lines = [*self._bind_children(), *body]
        return "def build(all_rows, built, run):\n" + "".join(f"    {line}\n" for line in lines)

    def _bind_children(self) -> list[str]:
        return [f"{name} = {expression}" for expression, name in self._bindings()]

    def _bindings(self) -> list[tuple[str, str]]:
        bindings = []
        for index, name in self.children.items():
            step = self.plan.steps[index]
            plain = f"built[{index}]"
            bindings.append((plain if step.is_page or name.endswith("r") else f"{plain}.get", name))
        return bindings

    def _rows(self, start: str, *each: str) -> list[str]:
        """A loop over all rows that builds the step's one view."""
        assert self.step.view is not None  # noqa: S101 - only a page has none
        value, checks = self._object(self.step.view)
        return [
            start,
            f"for {self._unpacking()} in all_rows:",
            *(f"    {line}" for line in _refusing(checks)),
            *(f"    {line.replace('{value}', value)}" for line in each),
            "return found",
        ]

    def _unpacking(self) -> str:
        return ", ".join(f"c{at}" for at in range(self.width)) + ","

    def _object(self, view: View) -> tuple[str, list[str]]:
        """The expression of an object over c0, c1, ..., and the columns that must not be null."""
        checks: list[str] = []
        parts = [f"{name!r}: {self._expression(piece, checks)}" for name, piece in view.pieces]
        return "{" + ", ".join(parts) + "}", list(dict.fromkeys(checks))

    def _expression(self, piece: Piece, checks: list[str]) -> str:
        match piece:
            case Constant(value):
                return repr(value)
            case Leaf():
                return self._leaf(piece, checks)
            case Identity(how, keyed):
                column = self._column(how.name)
                checks.append(column)
                encoded = f"base64({how.type_name.encode() + b':'!r} + {column}.encode(), newline=False)"
                # of a type name, a colon and a UUID, base64 has no character that differs in base64url
                return f"{encoded}.decode()" if keyed == "uuid" else f"{encoded}.translate(url_safe).decode()"
            case Amount():
                return self._amount(piece, checks)
            case Amounts(column, parts):
                checks.append(self._column(column))
                return f"[{_money('amount', 'currency', parts)} for currency, amount in {self._column(column)}.items()]"
            case Child():
                return self._child(piece)
            case Embedded(view):
                expression, inner = self._object(view)
                checks.extend(inner)
                return expression

    def _column(self, name: str) -> str:
        return f"c{self.positions[name]}"

    def _leaf(self, leaf: Leaf, checks: list[str]) -> str:
        column = self._column(leaf.column)
        if not leaf.nullable:
            checks.append(column)
        if leaf.names is None and (not leaf.listed or leaf.elements_nullable):
            return column
        if leaf.names is None:
            expression = f"whole({column})"
            self.constants["whole"] = _whole
        else:
            table = f"names{len(self.constants)}"
            self.constants[table] = leaf.names if not leaf.elements_nullable or not leaf.listed else {**leaf.names, None: None}
            expression = f"[{table}[each] for each in {column}]" if leaf.listed else f"{table}[{column}]"
        return f"(None if {column} is None else {expression})" if leaf.nullable else expression

    def _amount(self, money: Amount, checks: list[str]) -> str:
        amount, currency = self._column(money.amount), self._column(money.currency)
        expression = _money(amount, currency, money.parts)
        if money.nullable:
            return f"(None if {amount} is None else {expression})"
        checks.extend((amount, currency))
        return expression

    def _child(self, child: Child) -> str:
        column = self._column(child.column)
        step = child.step
        if step.is_page:
            return f"{self._child_name(step, 'p')}({column})"
        if step.many:
            return f"{self._child_name(step, 'm')}({column}, NONE)"
        if child.nullable:
            return f"{self._child_name(step, 'm')}({column})"
        return f"{self._child_name(step, 'm', 'r')}[{column}]"

    def _child_name(self, step: Step, prefix: str, suffix: str = "") -> str:
        return self.children.setdefault(step.index, f"{prefix}{step.index}{suffix}")

    def _page(self) -> list[str]:
        """Views as functions over one key's rows, and the connection as a function of the key."""
        step = self.step
        parts = [f"{name!r}: {self._connection_part(part)}" for name, part in step.connection]
        lines = [*self._prelude(), *self.views, "def connection(key):"]
        if step.needs_rows:
            lines += ["    rows = groups.get(key, NONE)", "    more = len(rows) > first", "    if more: rows = rows[:first]"]
        value = f"{{{', '.join(parts)}}}" if parts else self._connection_part(Total())  # without parts it is a count by itself
        return [*lines, f"    return {value}", "return connection"]

    def _prelude(self) -> list[str]:
        step = self.step
        lines: list[str] = []
        if step.fetch is not None:
            self.constants.update(positions=self.positions, paging=step.call.paging if step.call else None)
            lines += [f"groups = group(all_rows, run.keys[{step.fetch.index}])", f"page = run.pages[{step.fetch.index}]"]
            lines += ["first = page.first", "earlier = page.after is not None"]
            if any(_shows_cursors(part) for _, part in step.connection):
                lines.append("cursor = cursors(page, paging, positions, run.secret)")
        if step.count_fetch is not None:
            lines.append(f"counted = run.counts[{step.count_fetch.index}].get")
        return lines

    def _connection_part(self, part: ConnectionPart) -> str:
        match part:
            case Constant(value):
                return repr(value)
            case Total():
                return "counted(key, 0)"
            case Info(parts):
                shown = [f"{name!r}: {repr(each.value) if isinstance(each, Constant) else INFO[each]}" for name, each in parts]
                return "{" + ", ".join(shown) + "}"
            case Nodes(view):
                value, checks = self._object(view)
                return self._view(value, checks)
            case Edges(parts):
                return self._edges(parts)

    def _edges(self, parts: tuple[tuple[str, str | View | Constant], ...]) -> str:
        shown: list[str] = []
        checks: list[str] = []
        for name, part in parts:
            if isinstance(part, View):
                expression, inner = self._object(part)
                checks.extend(inner)
            else:
                expression = repr(part.value) if isinstance(part, Constant) else "cursor(row)"
            shown.append(f"{name!r}: {expression}")
        return self._view("{" + ", ".join(shown) + "}", list(dict.fromkeys(checks)))

    def _view(self, value: str, checks: list[str]) -> str:
        """A function over rows; answers the call of it."""
        name = f"view{len(self.views)}"
        self.views += [
            f"def {name}(rows):",
            "    found = []",
            "    for row in rows:",
            f"        {self._unpacking()} = row",
            *(f"        {line}" for line in _refusing(checks)),
            f"        found.append({value})",
            "    return found",
        ]
        return f"{name}(rows)"


def _shows_cursors(part: ConnectionPart) -> bool:
    shown = [each for _, each in part.parts] if isinstance(part, Info | Edges) else []
    return any(each in ("cursor", "startCursor", "endCursor") for each in shown if isinstance(each, str))


def _money(amount: str, currency: str, parts: tuple[tuple[str, str | Constant], ...]) -> str:
    usual = f"{amount}[-2:] == '00' and {amount}[-5:-4] == '.' and {currency} in two_digits"  # spares most calls
    values = {"amount": f"({amount}[:-2] if {usual} else formatted({amount}, {currency}))", "currency": currency}
    shown = [f"{name!r}: {repr(part.value) if isinstance(part, Constant) else values[part]}" for name, part in parts]
    return "{" + ", ".join(shown) + "}"


def _refusing(checks: list[str]) -> list[str]:
    if not checks:
        return []
    return [f"if {' or '.join(f'{column} is None' for column in checks)}: raise LookupError"]


def _whole(values: list[Any]) -> list[Any]:
    if None in values:
        raise LookupError("null in a list")
    return values
