"""Orphans go, young ones and held ones do not; and every reference without a foreign key is swept or has its reason."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Table

from db.base import DOMAINS, metadata_of
from db.engines import Origin, Viewer
from domains.audit.service.keep_trail import PlaceHold
from domains.flows import sweep_orphans as flow
from domains.flows.delete_transaction import delete_transaction
from domains.flows.holds import place_hold
from domains.flows.soft_references import EXEMPT, SWEPT, SoftReference
from domains.flows.sweep_orphans import plan_sweep, sweep_orphans
from tests.db.samples import sample_rows
from tests.domains.flows.conftest import Nights
from tests.domains.flows.rows import add_rows, row

CLI = Origin("cli")
OLD, YOUNG = timedelta(hours=2), timedelta(minutes=59)
OF_USERS = [each for each in SWEPT if each.parent == "users"]


def table_of(reference: SoftReference) -> str:
    return f"{reference.domain}_schema.{reference.table}"


async def add_child(nights: Nights, reference: SoftReference, user_id: UUID, age: timedelta, **changes: Any) -> None:
    at = nights.services.clock.now() - age
    await nights.add(table_of(reference), sample_rows(user_id)[table_of(reference)] | {reference.since: at} | changes)


async def left(nights: Nights, reference: SoftReference) -> set[UUID]:
    return {each[0] for each in await nights.run(reference.domain, f"select user_id from {table_of(reference)}")}


async def with_transaction(nights: Nights) -> tuple[Viewer, UUID]:
    viewer, stored = await nights.add_user(), row(nights.services.clock.now().date(), "5")
    await add_rows(nights.services, viewer, [stored])
    return viewer, stored["id"]


def rows_of(found: list[flow.Swept]) -> dict[str, int]:
    return {str(each.reference): each.rows for each in found if each.rows}


@pytest.mark.parametrize("reference", OF_USERS, ids=str)
async def test_rows_of_users_who_are_gone_go(nights: Nights, reference: SoftReference) -> None:
    robin, transaction_id = await with_transaction(nights)
    gone, new, held = uuid4(), uuid4(), uuid4()
    of_stored = {"transaction_id": transaction_id} if reference.table == "transaction_embeddings" else {}
    await add_child(nights, reference, robin.user_id, OLD, **of_stored)
    await add_child(nights, reference, gone, OLD)
    await add_child(nights, reference, new, YOUNG)
    await add_child(nights, reference, held, OLD)
    await place_hold(nights.services, PlaceHold(held, "a lawsuit", "operator"), CLI)
    before = await nights.snapshot()

    planned = await plan_sweep(nights.services)
    untouched = await nights.snapshot()
    done = await sweep_orphans(nights.services, CLI)
    again = await sweep_orphans(nights.services, CLI)

    assert untouched == before
    assert rows_of(planned)[str(reference)] == 1
    assert sum(rows_of(done).values()) == 1
    assert rows_of(again) == {}
    assert await left(nights, reference) == {robin.user_id, new, held}


async def test_embeddings_of_transactions_that_their_owner_deleted_go(nights: Nights) -> None:
    """What it was called outlives it, so that its bank does not bring it back."""
    [reference] = [each for each in SWEPT if each.parent == "transaction_keys"]
    robin, transaction_id = await with_transaction(nights)
    await add_child(nights, reference, robin.user_id, OLD, transaction_id=transaction_id)

    before = await sweep_orphans(nights.services, CLI)
    await delete_transaction(nights.services, robin, transaction_id)
    after = await sweep_orphans(nights.services, CLI)

    assert (rows_of(before), rows_of(after)) == ({}, {str(reference): 1})
    assert await left(nights, reference) == set()


async def test_embeddings_of_transactions_that_are_gone_go(nights: Nights) -> None:
    [reference] = [each for each in SWEPT if each.parent == "transaction_keys"]
    robin, transaction_id = await with_transaction(nights)
    await add_child(nights, reference, robin.user_id, OLD, transaction_id=transaction_id)
    await add_child(nights, reference, robin.user_id, OLD)
    await add_child(nights, reference, robin.user_id, YOUNG)

    done = await sweep_orphans(nights.services, CLI)

    assert rows_of(done) == {str(reference): 1}
    kept = {each[0] for each in await nights.run("analytics", "select transaction_id from analytics_schema.transaction_embeddings")}
    assert len(kept) == 2
    assert transaction_id in kept
    entries = await nights.run("analytics", "select payload->>'action' from analytics_schema.jobs where topic = 'audit.record'")
    assert [each[0] for each in entries] == ["ORPHANS_REMOVED"]


async def test_it_goes_in_batches_and_two_at_once_do_it_once(nights: Nights, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow, "IDS_AT_ONCE", 2)
    monkeypatch.setattr(flow, "ROWS_AT_ONCE", 1)
    robin = await nights.add_user()
    insights = OF_USERS[1]
    for user_id in [robin.user_id, *(uuid4() for _ in range(7))]:
        await add_child(nights, insights, user_id, OLD)
        await add_child(nights, insights, user_id, OLD)

    both = await asyncio.gather(sweep_orphans(nights.services, CLI), sweep_orphans(nights.services, CLI))

    assert sum(rows_of(each).get(str(insights), 0) for each in both) == 14
    assert await left(nights, insights) == {robin.user_id}


async def test_stopped_between_batches_the_next_run_does_the_rest(nights: Nights, monkeypatch: pytest.MonkeyPatch) -> None:
    insights, runs = OF_USERS[1], 0
    for _ in range(3):
        await add_child(nights, insights, uuid4(), OLD)
    real = flow.retention.delete_orphans

    async def killed(*args: Any, **kwargs: Any) -> int:
        nonlocal runs
        runs += 1
        if runs == 3:
            raise KeyboardInterrupt
        return await real(*args, **kwargs | {"limit": 1})

    monkeypatch.setattr(flow.retention, "delete_orphans", killed)
    with pytest.raises(KeyboardInterrupt):
        await sweep_orphans(nights.services, CLI)
    monkeypatch.undo()

    assert len(await left(nights, insights)) == 1
    assert rows_of(await sweep_orphans(nights.services, CLI)) == {str(insights): 1}


async def test_a_hold_on_everybody_stops_the_sweep(nights: Nights) -> None:
    await add_child(nights, OF_USERS[1], uuid4(), OLD)
    await place_hold(nights.services, PlaceHold(None, "a lawsuit", "operator"), CLI)

    assert rows_of(await sweep_orphans(nights.services, CLI)) == {}
    assert len(await left(nights, OF_USERS[1])) == 1


def has_foreign_key(table: Table, column: str) -> bool:
    return any(column in constraint.columns for constraint in table.foreign_key_constraints)


def test_every_reference_without_a_foreign_key_is_swept_or_has_its_reason() -> None:
    swept = {str(each) for each in SWEPT}
    found = set()
    for domain in DOMAINS:
        for table in metadata_of(domain).tables.values():
            for column in (each.key for each in table.c):
                if column.endswith("_id") and not has_foreign_key(table, column) and table.name != "own_transactions":
                    name = f"{domain}.{table.name}.{column}"
                    found.add(f"*.{table.name}.{column}" if f"*.{table.name}.{column}" in EXEMPT else name)

    assert found - swept - set(EXEMPT) == set()
    assert swept | set(EXEMPT) == found
    assert swept & set(EXEMPT) == set()


def test_every_swept_table_says_whose_its_rows_are_and_since_when() -> None:
    for each in SWEPT:
        table = metadata_of(each.domain).tables[table_of(each)]
        assert {"user_id", each.column, each.since} <= set(table.c.keys())
        assert each.key in metadata_of(each.parent_domain).tables[f"{each.parent_domain}_schema.{each.parent}"].c
