"""The compiled executor and graphql-core give the same answer to any query, errors and their places included."""

import gc
import itertools
import warnings
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from resolvers.execution.operation import Gateway, RequestRefused
from resolvers.paging import make_cursor
from tests.resolvers.core.asking import ask, ask_core, is_planned, prepare
from tests.resolvers.core.toy import SECRET, EntrySort, Household, furnish

# graphql-core leaves coroutines behind, unawaited, when a field beside theirs fails at once.
pytestmark = pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")


@pytest.fixture(autouse=True, scope="module")
def nothing_left_behind() -> Iterator[None]:
    """Let go of those coroutines here, not in the middle of another test."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        gc.collect()


#: Field -> type it leads to; None for leaves.
LEAVES = {
    "Person": ["id", "name", "nickname", "joinedAt", "entryCount"],
    "Label": ["id", "title", "colour"],
    "Usage": ["share", "version", "tags"],
    "Pot": ["id", "name"],
    "Entry": ["id", "note", "bookedOn", "direction"],
    "Money": ["amount", "currency"],
    "PageInfo": ["hasNextPage", "hasPreviousPage", "startCursor", "endCursor"],
    "EntryEdge": ["cursor"],
}
OBJECTS = {
    "Query": {"me": "Person", "viewer": "Person", "labels": "Label"},
    "Person": {"favourite": "Pot", "pots": "Pot", "entries": "EntryConnection"},
    "Usage": {"spent": "Money", "others": "Money"},
    "Pot": {
        "size": "Money",
        "ceiling": "Money",
        "label": "Label",
        "usage": "Usage",
        "maybeUsage": "Usage",
        "owner": "Person",
        "entries": "PotEntries",
    },
    "Entry": {"amount": "Money", "pot": "Pot", "label": "Label"},
    "EntryConnection": {"nodes": "Entry", "edges": "EntryEdge", "pageInfo": "PageInfo", "totalCount": None},
    "PotEntries": {"nodes": "Entry", "pageInfo": "PageInfo", "edges": "EntryEdge"},
    "EntryEdge": {"node": "Entry"},
}
NAMES = {"PotEntries": "EntryConnection"}
VARIABLES = {"n": "Int", "s": "EntrySort", "f": "EntryFilter", "t": "Boolean!", "u": "Boolean!", "a": "String"}
CONDITIONS = ["", "", "", " @include(if: $t)", " @skip(if: $u)", " @skip(if: false)", " @include(if: $u) @skip(if: $t)"]
FIRSTS = ["", "first: 1", "first: 2", "first: 7", "first: $n", "first: null", "first: 0"]
SORTS = ["", "sort: OLDEST", "sort: LARGEST", "sort: $s", "sort: null"]
FILTERS = ["", "filter: {direction: CREDIT}", 'filter: {text: "1"}', "filter: $f"]
AFTERS = ["", "", "", "after: $a", 'after: "nonsense"']


@st.composite
def selections(draw: st.DrawFn, kind: str, depth: int, names: "itertools.count[int]", fragments: dict[str, str]) -> str:
    """A selection set's text. A response name says all of its arguments, so that equal names may merge."""
    leaves = [*LEAVES.get(kind, []), "__typename"]
    objects = OBJECTS.get(kind, {})
    texts: list[str] = []
    for _ in range(draw(st.integers(1, 4))):
        if depth > 0 and objects and draw(st.booleans()):
            texts.append(draw(_object(kind, depth, names, fragments)))
        else:
            name = draw(st.sampled_from(leaves))
            alias = draw(st.sampled_from(["", f"a_{name}: "]))
            texts.append(f"{alias}{name}{draw(st.sampled_from(CONDITIONS))}")
    inner = " ".join(texts)
    on = NAMES.get(kind, kind)
    match draw(st.integers(0, 9)):
        case 0:
            return f"{{ ... on {on}{draw(st.sampled_from(CONDITIONS))} {{ {inner} }} __typename }}"
        case 1:
            name = f"F{next(names)}"
            fragments[name] = f"fragment {name} on {on} {{ {inner} }}"
            return f"{{ ...{name} {texts[0]} ...{name}{draw(st.sampled_from(CONDITIONS))} }}"
        case 2 if "id" in leaves:
            return f"{{ {inner} ... on Node {{ id n: __typename }} }}"
        case _:
            return f"{{ {inner} }}"


@st.composite
def _object(draw: st.DrawFn, kind: str, depth: int, names: "itertools.count[int]", fragments: dict[str, str]) -> str:
    name = draw(st.sampled_from(sorted(OBJECTS[kind])))
    target = OBJECTS[kind][name]
    condition = draw(st.sampled_from(CONDITIONS))
    if target is None:
        return name + condition
    alias, arguments = "", ""
    if name == "entries":
        chosen = [draw(st.sampled_from(options)) for options in (FIRSTS, SORTS, AFTERS)]
        if kind == "Person":
            chosen.append(draw(st.sampled_from(FILTERS)))
        given = ", ".join(each for each in chosen if each)
        arguments = f"({given})" if given else ""
        alias = f"e{abs(hash(given)) % 10**8}: "
    elif draw(st.booleans()):
        alias = f"o_{name}: "
    return f"{alias}{name}{arguments}{condition} {draw(selections(target, depth - 1, names, fragments))}"


@st.composite
def documents(draw: st.DrawFn) -> str:
    fragments: dict[str, str] = {}
    body = draw(selections("Query", 5, itertools.count(), fragments))
    while True:  # a fragment that only a dropped branch spread would not be valid
        text = body + " ".join(fragments.values())
        unused = [name for name in fragments if f"...{name}" not in text]
        if not unused:
            break
        for name in unused:
            del fragments[name]
    used = [f"${name}: {kind}" for name, kind in VARIABLES.items() if f"${name}" in text]
    return f"query{'(' + ', '.join(used) + ')' if used else ''} {body} {' '.join(fragments.values())}"


@st.composite
def variables(draw: st.DrawFn) -> dict[str, Any]:
    cursor = make_cursor([date(2026, 3, 4), "x"], "Entry", EntrySort.NEWEST, SECRET)
    values = {
        "n": draw(st.sampled_from([1, 3, 100, None, 101])),
        "s": draw(st.sampled_from(["NEWEST", "OLDEST", None])),
        "f": draw(st.sampled_from([None, {"direction": "DEBIT"}, {"text": "2", "direction": None}])),
        "a": draw(st.sampled_from([None, cursor, "bad"])),
        "t": draw(st.booleans()),
        "u": draw(st.booleans()),
    }
    optional = draw(st.sets(st.sampled_from(["n", "s", "f", "a"])))
    return {name: value for name, value in values.items() if name not in optional}


@st.composite
def households(draw: st.DrawFn) -> Household:
    """Tables of several sizes; some with rows that break the contract, some with a loader that fails."""
    household = furnish(pots=draw(st.sampled_from([0, 1, 4, 6])), entries=draw(st.sampled_from([0, 2, 13])))
    damage = draw(st.integers(0, 9))
    tables = household.tables
    if damage == 0 and tables["pots"]:
        tables["pots"][0]["name"] = None
    if damage == 1 and tables["entries"]:
        tables["entries"][-1]["direction"] = "sideways"
    if damage == 2 and tables["usage"]:
        tables["usage"][0]["tags"] = ["a", None]
    if damage == 3 and tables["pots"]:
        tables["pots"][0]["person_id"], tables["pots"][0]["amount"] = tables["pots"][0]["person_id"], None
    if damage == 4:
        failing = draw(st.sampled_from(["people.pots_by_person", "pots.label_by_id", "entries.page_by_person", "entries.count_by_person"]))
        household.failing[failing] = RuntimeError("a loader that fails")
    return household


def comparable(answer: dict[str, Any]) -> tuple[Any, list[tuple[str, str, str]]]:
    errors = [(str(e.get("path")), e["message"], e["extensions"]["code"]) for e in answer.get("errors", [])]
    return answer["data"], sorted(errors)


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(documents(), variables(), households(), st.booleans())
async def test_both_give_the_same_answer(
    gateway: Gateway, document: str, values: dict[str, Any], household: Household, split: bool
) -> None:
    household.split = split
    used = {name: value for name, value in values.items() if f"${name}" in document}
    try:
        prepare(gateway, document, **used)
    except RequestRefused as refused:
        assume((refused.errors[0].extensions or {}).get("code") != "COST_LIMIT_EXCEEDED")
        raise

    ours = await ask(gateway, household, document, **used)
    household.opened = 0
    core = await ask_core(gateway, household, document, **used)

    ours.pop("extensions")
    assert comparable(ours) == comparable(core)


@pytest.mark.parametrize(
    "query",
    [
        "{ me { id name pots { size { amount } usage { share others { amount currency } } } } }",
        "{ me { entries(first: 3) { totalCount nodes { id } edges { cursor node { pot { name } } } pageInfo { endCursor } } } }",
        "query ($n: Int) { me { pots { entries(first: $n) { nodes { label { title } } } } } }",
        "{ labels { id title } viewer { favourite { owner { name } } } }",
    ],
)
async def test_these_are_planned_and_not_only_equal(gateway: Gateway, query: str) -> None:
    assert is_planned(gateway, query)
