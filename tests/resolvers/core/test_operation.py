"""From request to answer: what is refused before, what is told when something fails, and what is not."""

import asyncio
import gc
import uuid
from typing import Any

import pytest
from structlog.typing import EventDict

from db.errors import DatabaseUnavailable
from domains.core.errors import TryAgain
from resolvers.context import OperationContext
from resolvers.errors import RateLimited
from resolvers.execution import documents
from resolvers.execution.documents import KEPT_CHARACTERS
from resolvers.execution.operation import Gateway, GraphQLRequest, Prepared, RequestRefused, answer
from resolvers.ids import to_global_id
from resolvers.schema import Schema
from tests.resolvers.core.asking import ask, codes, is_planned, prepare
from tests.resolvers.core.toy import BOB, POT_OF_ALICE, Household, ToyRead, context_of, furnish

POT = to_global_id("Pot", POT_OF_ALICE)
RESIZE = """mutation ($input: PotResizeInput!) { potResize(input: $input) {
  pot { size { amount } } errors { __typename code message field ... on PotTooSmall { least } }
} }"""


def refused(gateway: Gateway, query: str, **request: Any) -> tuple[int, list[dict[str, Any]]]:
    with pytest.raises(RequestRefused) as found:
        gateway.prepare(GraphQLRequest(query, **request))
    return found.value.status, [dict(error.formatted) for error in found.value.errors]


def test_what_is_no_graphql_is_refused_with_its_place(gateway: Gateway) -> None:
    status, [error] = refused(gateway, "{ me { ")

    assert status == 400
    assert error["extensions"] == {"code": "GRAPHQL_PARSE_FAILED"}
    assert error["locations"] == [{"line": 1, "column": 8}]


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({}, "$f"),
        ({"f": 5}, "$f"),
        ({"f": {"direction": "DEBI"}}, "$f"),
        ({"f": {"directio": "DEBIT"}}, "$f"),
    ],
)
def test_variables_of_the_wrong_type_are_the_client_s_fault(gateway: Gateway, variables: dict[str, Any], message: str) -> None:
    query = "query ($f: EntryFilter!) { me { entries(filter: $f) { totalCount } } }"
    status, errors = refused(gateway, query, variables=variables)

    assert status == 400
    assert {error["extensions"]["code"] for error in errors} == {"BAD_USER_INPUT"}
    assert message in errors[0]["message"]
    assert "Did you mean" not in str(errors)


def test_a_thousand_wrong_values_are_told_of_only_so_often(gateway: Gateway) -> None:
    _, errors = refused(gateway, "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", variables={"ids": [{}] * 1_000})

    assert len(errors) == 11


def test_only_queries_come_by_get(gateway: Gateway) -> None:
    mutation = 'mutation M { potResize(input: {id: 1, size: "1"}) { errors { code } } }'
    query = f"query Q {{ me {{ id }} }} {mutation} subscription S {{ potChanged {{ version }} }}"

    assert gateway.prepare(GraphQLRequest(query, "Q", method="GET")).operation_type == "query"
    for name in ("M", "S"):
        status, [error] = refused(gateway, query, operation_name=name, method="GET")
        assert (status, error["extensions"]["code"]) == (405, "METHOD_NOT_ALLOWED")


def test_the_operation_is_the_named_or_the_only_one(gateway: Gateway) -> None:
    two = "query A { me { id } } query B { me { id pots { id } } }"

    assert gateway.prepare(GraphQLRequest(two, "B")).cost == 11
    assert gateway.prepare(GraphQLRequest("query A { me { id } }")).cost == 1
    for name in (None, "C"):
        _, [error] = refused(gateway, two, operation_name=name)
        assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert refused(gateway, "fragment F on Person { id }")[0] == 400


def test_documents_are_kept_within_bounds(toy: Schema) -> None:
    gateway = Gateway(toy)
    first = gateway.prepare(GraphQLRequest("{ me { id } }")).document

    assert gateway.prepare(GraphQLRequest("{ me { id } }")).document is first
    for number in range(100):
        gateway.prepare(GraphQLRequest(f"{{ me {{ id }} }} # {number} " + "x" * (KEPT_CHARACTERS // 50)))
    assert gateway.prepare(GraphQLRequest("{ me { id } }")).document is not first
    assert gateway._documents._characters <= KEPT_CHARACTERS


def test_plans_are_kept_within_bounds(toy: Schema, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "KEPT_PLANS", 5)
    gateway = Gateway(toy)
    names = ("a", "b", "c", "d")
    declared = " ".join(f"${name}: Boolean!" for name in names)
    query = f"query ({declared}) {{ me {{ id {' '.join(f'{name}: name @include(if: ${name})' for name in names)} }} }}"

    plans = []
    for bits in range(16):
        prepared = prepare(gateway, query, **{name: bool(bits >> at & 1) for at, name in enumerate(names)})
        plans.append(prepared.operation.plan(toy, prepared.variables))

    assert None not in plans
    assert len({id(plan) for plan in plans}) == 16
    assert prepared.operation.plan(toy, prepared.variables) is plans[-1]
    assert len(gateway._documents.plans) == 5


async def test_the_answer_reports_what_it_cost(gateway: Gateway, household: Household) -> None:
    prepared = prepare(gateway, "{ me { pots { id } } }")
    async with context_of(household) as context:
        found = await gateway.execute(prepared, context, {"throttle": {"left": 7}})

    assert found["extensions"] == {"cost": {"requested": 11, "throttle": {"left": 7}}}


async def test_signed_out_the_viewer_s_fields_say_so_and_others_work(gateway: Gateway, household: Household) -> None:
    viewer = await ask(gateway, household, "{ viewer { name } __typename }", user=None)
    me = await ask(gateway, household, "{ me { name } }", user=None)

    assert viewer["data"] == {"viewer": None, "__typename": "Query"}
    assert (codes(viewer), viewer["errors"][0]["path"]) == (["UNAUTHENTICATED"], ["viewer"])
    assert (me["data"], codes(me)) == (None, ["UNAUTHENTICATED"])
    assert household.opened == 0


@pytest.mark.parametrize("planned", [True, False])
@pytest.mark.parametrize(
    ("failure", "code", "retryable"),
    [
        (DatabaseUnavailable("gone"), "UNAVAILABLE", True),
        (TryAgain("BUSY", "Busy.", retry_after_s=2.5), "BUSY", True),
        (TimeoutError(), "TIMED_OUT", True),
        (ZeroDivisionError("a secret"), "INTERNAL_SERVER_ERROR", None),
    ],
)
async def test_errors_of_ours_have_their_code_and_keep_their_secrets(
    gateway: Gateway, household: Household, planned: bool, failure: Exception, code: str, retryable: bool | None
) -> None:
    household.failing["pots"] = failure
    query = "{ me { name favourite { name } } }" if planned else "{ me { greeting name favourite { name } } }"
    household.split = True

    found = await ask(gateway, household, query)

    assert is_planned(gateway, query) is planned
    assert found["data"]["me"]["name"] == "Alice"
    assert found["data"]["me"]["favourite"] is None
    [error] = found["errors"]
    assert error["path"] == ["me", "favourite"]
    assert error["extensions"]["code"] == code
    assert error["extensions"].get("retryable") is retryable
    assert "secret" not in str(found)
    assert household.opened == household.closed + household.abandoned > 0


async def test_errors_that_are_bugs_are_logged_once_without_the_values_of_variables(
    gateway: Gateway, household: Household, logged: list[EventDict]
) -> None:
    found = await ask(gateway, household, RESIZE, input={"id": POT, "size": "13"})

    [error] = found["errors"]
    assert found["data"] is None
    assert error["extensions"] == {"code": "INTERNAL_SERVER_ERROR", "requestId": "request-1"}
    [event] = [event for event in logged if event["log_level"] == "error"]
    assert event["request_id"] == "request-1"
    assert event["error"] == "ZeroDivisionError"
    assert event["message"] == "a secret •"
    assert "pot_resize" in event["traceback"]
    assert POT not in str(event)
    assert "secret 13" not in str(event)


async def test_one_bug_met_in_many_rows_is_logged_once(gateway: Gateway, household: Household, logged: list[EventDict]) -> None:
    household.failing["pots.label_by_id"] = ZeroDivisionError("x")

    found = await ask(gateway, household, "{ me { pots { label { title } } } }")

    assert len(found["errors"]) == 3
    assert len([event for event in logged if event["log_level"] == "error"]) == 1


async def test_an_operation_past_its_deadline_is_stopped(toy: Schema, household: Household, monkeypatch: pytest.MonkeyPatch) -> None:
    async def slow(domain: str, viewer: object, *, fresh: bool) -> ToyRead:
        await asyncio.sleep(60)
        raise AssertionError("not stopped")

    monkeypatch.setattr(household, "open_read", slow)
    for query in ("{ me { name } }", "{ me { greeting } }"):
        found = await ask(Gateway(toy, deadline_s=0.02), household, query)

        assert found["data"] is None
        assert found["errors"][0]["extensions"] == {"code": "TIMED_OUT", "retryable": True}


async def test_a_mutation_past_its_deadline_may_have_been_done_and_says_so(
    toy: Schema, household: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def slow(domain: str, viewer: object, *, fresh: bool) -> ToyRead:
        await asyncio.sleep(60)
        raise AssertionError("not stopped")

    monkeypatch.setattr(household, "open_read", slow)
    found = await ask(Gateway(toy, deadline_s=0.02), household, RESIZE, input={"id": POT, "size": "50"})

    assert found["data"] is None
    assert found["errors"][0]["extensions"] == {"code": "TIMED_OUT", "retryable": True}
    assert "may have been done" in found["errors"][0]["message"]
    assert household.tables["pots"][0]["amount"] == "50.0000"


async def test_an_expected_failure_of_a_mutation_is_in_its_payload(gateway: Gateway, household: Household) -> None:
    small = await ask(gateway, household, RESIZE, input={"id": POT, "size": "5"})
    missing = await ask(gateway, household, RESIZE, input={"id": "x", "size": "50"})

    assert small["data"]["potResize"] == {
        "pot": None,
        "errors": [
            {
                "__typename": "PotTooSmall",
                "code": "POT_TOO_SMALL",
                "message": "A pot holds at least as much as was spent from it.",
                "field": "size",
                "least": 10,
            }
        ],
    }
    assert missing["data"]["potResize"]["errors"][0]["code"] == "POT_MISSING"
    assert "errors" not in small
    assert household.tables["pots"][0]["amount"] == "0.5000"


async def test_a_payload_shows_the_state_after_its_mutation(gateway: Gateway, household: Household) -> None:
    query = """mutation ($id: ID!) {
      a: potResize(input: {id: $id, size: "20"}) { pot { size { amount } } }
      b: potResize(input: {id: $id, size: "30"}) { pot { size { amount } } }
    }"""

    found = await ask(gateway, household, query, id=POT)

    assert found["data"] == {"a": {"pot": {"size": {"amount": "20.00"}}}, "b": {"pot": {"size": {"amount": "30.00"}}}}
    assert household.opened == household.closed == 2


async def test_from_end_to_end_a_refusal_is_an_answer_too(gateway: Gateway) -> None:
    household = furnish()

    async def admit(prepared: Prepared) -> OperationContext:
        if prepared.cost > 10:
            raise RateLimited(retry_after_s=3)
        return context_of(household)

    fine = await answer(gateway, GraphQLRequest("{ me { id } }"), admit, "r")
    dear = await answer(gateway, GraphQLRequest("{ me { pots { id } } }"), admit, "r")
    bad = await answer(gateway, GraphQLRequest("{"), admit, "r")

    assert fine["data"]["me"]["id"] == to_global_id("Person", uuid.UUID(int=1))
    assert dear["errors"][0]["extensions"] == {"code": "RATE_LIMITED", "retryable": True, "retryAfterSeconds": 3}
    assert "data" not in dear
    assert bad["errors"][0]["extensions"]["code"] == "GRAPHQL_PARSE_FAILED"


async def test_dates_and_instants_are_written_alike_by_both_executors(gateway: Gateway, household: Household) -> None:
    planned = await ask(gateway, household, "{ me { joinedAt entries(first: 1) { nodes { bookedOn } } } }")
    core = await ask(gateway, household, "{ me { joinedAt greeting entries(first: 1) { nodes { bookedOn } } } }")

    assert planned["data"]["me"]["joinedAt"] == core["data"]["me"]["joinedAt"] == "2026-01-02T03:04:05Z"
    assert planned["data"]["me"]["entries"] == core["data"]["me"]["entries"] == {"nodes": [{"bookedOn": "2026-03-10"}]}


async def test_fractions_of_a_second_too(gateway: Gateway, household: Household) -> None:
    planned = await ask(gateway, household, "{ me { joinedAt } }", user=BOB)
    core = await ask(gateway, household, "{ me { joinedAt greeting } }", user=BOB)

    assert planned["data"]["me"]["joinedAt"] == core["data"]["me"]["joinedAt"] == "2026-02-02T03:04:05.000600Z"


async def test_a_subscription_is_not_executed_like_a_query(gateway: Gateway, household: Household) -> None:
    found = await ask(gateway, household, "subscription { potChanged { version } }")

    assert (found["data"], codes(found)) == (None, ["BAD_USER_INPUT"])


@pytest.mark.parametrize("query", ["{ me { name pots { usage: maybeUsage { share } } entries { nodes { id } pageInfo { endCursor } } } }"])
async def test_a_planned_answer_leaves_no_cycles_to_collect(gateway: Gateway, household: Household, query: str) -> None:
    for _ in range(2):
        gc.collect()
        gc.disable()
        try:
            prepared = prepare(gateway, query)
            async with context_of(household) as context:
                await gateway.execute(prepared, context)
            del prepared, context
            left = gc.collect()
        finally:
            gc.enable()

    assert left == 0
