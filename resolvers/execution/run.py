"""Running a plan: one loader call per fetch, breadth first, then one pass over the rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from graphql.execution.values import VariableValues

from resolvers.context import OperationContext, RootRow
from resolvers.execution.plan import Fetch, Plan
from resolvers.execution.planner import read_page
from resolvers.loaders import Page, Rows
from resolvers.schema import Schema


class Deviation(Exception):
    """The plan met something that it has no answer for: an error, a null where none may be. graphql-core tells the client."""


@dataclass(slots=True)
class Run:
    """What a request brings to a plan, and what its fetches asked and counted, by fetch."""

    secret: bytes
    keys: dict[int, Sequence[str]] = field(default_factory=dict)
    pages: dict[int, Page] = field(default_factory=dict)
    counts: dict[int, Mapping[str, int]] = field(default_factory=dict)


async def run(
    schema: Schema, plan: Plan, context: OperationContext, variables: VariableValues, payload: object | None = None
) -> dict[str, Any]:
    """The `data` of a query, or of one event whose payload is given. Errors: Deviation."""
    state = Run(context.cursor_secret)
    rows: list[Rows] = [()] * len(plan.steps)
    rows[0] = (root_row(plan, context, payload),)
    for fetch in plan.fetches:
        keys = state.keys[fetch.index] = _keys(fetch, rows)
        if fetch.given:
            found: Rows = [(key,) for key in keys]
        else:
            try:
                found = await _fetch(schema, fetch, keys, context, variables, state)
            except Exception as error:
                raise Deviation(type(error).__name__) from error
        for step in fetch.steps:
            if step.fetch is fetch:
                rows[step.index] = found
    return _build(plan, rows, state)


async def _fetch(
    schema: Schema, fetch: Fetch, keys: Sequence[str], context: OperationContext, variables: VariableValues, state: Run
) -> Rows:
    loader, call = fetch.loader, fetch.call
    if call is None:
        if not keys:
            return ()
        return await loader.call(await context.reads.of(loader.domain), keys, fetch.columns)
    page = state.pages[fetch.index] = call.page or read_page(schema, call, variables, context.cursor_secret)
    if loader.shape == "count":
        counted = await loader.call(await context.reads.of(loader.domain), keys, page) if keys else ()
        state.counts[fetch.index] = {row[0]: row[1] for row in counted}
        return ()
    if not keys:
        return ()
    return await loader.call(await context.reads.of(loader.domain), keys, fetch.columns, page)


def _keys(fetch: Fetch, rows: list[Rows]) -> Sequence[str]:
    """The distinct keys of all parents, nulls left out, in the order of the rows."""
    steps = fetch.steps
    if len(steps) == 1:
        step = steps[0]
        parents = rows[step.parent_index]
        if len(parents) == 1:
            key = parents[0][step.position]
            return () if key is None else (key,)
        position = step.position
        distinct = dict.fromkeys([row[position] for row in parents])
    else:
        distinct = {}
        for step in steps:
            position = step.position
            distinct.update(dict.fromkeys([row[position] for row in rows[step.parent_index]]))
    distinct.pop(None, None)
    return list(distinct)


def _build(plan: Plan, rows: list[Rows], state: Run) -> dict[str, Any]:
    built: list[Any] = [None] * len(rows)
    try:
        for index in range(len(rows) - 1, -1, -1):
            built[index] = plan.builders[index](rows[index], built, state)
    except LookupError as error:
        raise Deviation("a row breaks the contract") from error
    data: dict[str, Any] = built[0]
    return data


class Missing:
    """Stands for an attribute that a payload does not have."""


def root_row(plan: Plan, context: OperationContext, payload: object | None) -> tuple[Any, ...]:
    """The row of the plan's root: what it reads of the viewer, or of an event's payload. Errors: Deviation."""
    source = RootRow(context) if payload is None else payload
    return (None, *(_as_in_a_row(getattr(source, column, Missing)) for column in plan.columns))


def _as_in_a_row(value: object) -> object:
    """An attribute of a payload as a row would bring it."""
    match value:
        case UUID():
            return str(value)
        case Decimal():
            return format(value, "f")
        case Enum():
            return value.value
        case None | str() | int() | float() | bool() | date() | datetime():
            return value
        case _:
            raise Deviation(f"an attribute of type {type(value).__name__}")
