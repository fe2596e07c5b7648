"""Requests made to be slow to refuse: CPU of this process for each, from the body's bytes to the refusal or to a request that may run.

What we hold: less than 50 ms each. The suite counts the work instead (tests/resolvers/core/test_shape.py); this measures it.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import suppress

import orjson

from resolvers.execution.operation import Gateway, RequestRefused
from resolvers.schema import build_schema
from resolvers.transport.body import BODY_LIMIT_BYTES, decode_object, graphql_request
from resolvers.transport.faults import BadRequest

BOUND_MS = 50.0
ROUNDS = 5


def main() -> int:
    schema = build_schema()
    Gateway(schema).prepare(graphql_request({"query": "{ me { id } }"}, "POST"))
    figures: dict[str, float] = {}
    for name, body in cases():
        if len(body) <= BODY_LIMIT_BYTES:  # a larger one is refused before it is read
            figures[name] = round(min(cpu_ms(Gateway(schema), body) for _ in range(ROUNDS)), 2)
    slow = {name: ms for name, ms in figures.items() if ms >= BOUND_MS}
    print(orjson.dumps({"cases": len(figures), "worst_ms": max(figures.values()), "slow": slow, "ms": figures}).decode())
    return 1 if slow else 0


def cpu_ms(gateway: Gateway, body: bytes) -> float:
    """With nothing remembered from before."""
    began = time.process_time()
    with suppress(RequestRefused, BadRequest):
        gateway.prepare(graphql_request(decode_object(body), "POST"))
    return 1000 * (time.process_time() - began)


def cases() -> Iterator[tuple[str, bytes]]:
    for name, query in (*documents(), *merges(), *literals()):
        yield name, orjson.dumps({"query": query})
    yield from bodies()


def doubling(levels: int, spread: str) -> str:
    body = " ".join(f"fragment F{n} on User {{ {spread.replace('%', str(n + 1))} }}" for n in range(levels))
    return f"{{ me {{ ...F0 }} }} {body} fragment F{levels} on User {{ id }}"


def documents() -> Iterator[tuple[str, str]]:
    for levels in (30, 60):
        yield f"fragments doubling {levels} times", doubling(levels, "...F% ...F%")
        yield f"fragments doubling {levels} times, inline", doubling(levels, "...F% ... { ...F% }")
        accounts = "accounts { connection { id } }"
        yield f"fragments doubling {levels} times, with fields", doubling(levels, f"a: {accounts} b: {accounts} ...F% ... {{ ...F% }}")
    paths = " ".join(
        f"fragment F{n} on BankAccount {{ a: connection {{ accounts {{ ...F{n + 1} }} }} b: connection {{ accounts {{ ...F{n + 1} }} }} }}"
        for n in range(30)
    )
    yield "fragments doubling into 2^30 places", f"{{ me {{ accounts {{ ...F0 }} }} }} {paths} fragment F30 on BankAccount {{ id }}"
    yield "5,000 aliases", "{ " + " ".join(f"a{n}: __typename" for n in range(5_000)) + " }"
    yield "330 aliases", "{ " + " ".join(f"a{n}: me {{ id }}" for n in range(330)) + " }"
    yield "660 aliases of a leaf", "{ me { " + " ".join(f"a{n}: id" for n in range(660)) + " } }"
    yield "1,980 unknown fields", "{ me { " + " ".join(f"x{n}" for n in range(1_980)) + " } }"
    for levels in (60, 3_000):
        inner = "{ accounts { connection " * (levels // 2)
        yield f"{levels} levels", f"{{ me {inner}{{ id }}{' } }' * (levels // 2)} }}"
        yield f"{levels} levels of inline fragments", "{ me " + "{ ... " * levels + "{ id }" + " }" * levels + " }"
    for bracket in "[{(":
        yield f"100,000 {bracket}", bracket * 100_000
    yield "100,000 [ in a value", '{ node(id: "x", a: ' + "[" * 100_000
    yield "900 [ in a type", "query($a: " + "[" * 900 + "Int" + "]" * 900 + ") { me { id } }"
    yield "2,000 directives", "{ me { id " + "@skip(if: false) " * 2_000 + "} }"
    yield "990 unknown directives", "{ me { id " + "@a " * 990 + "} }"
    yield "220 operations", " ".join(f"query Q{n} {{ me {{ id }} }}" for n in range(220))
    yield "390 unused variables", "query(" + " ".join(f"$a{n}: Int" for n in range(390)) + ") { me { id } }"
    chain = " ".join(f"fragment F{n} on Query {{ ...F{n + 1} }}" for n in range(99))
    yield (
        "130 operations with 100 fragments each",
        " ".join(f"query Q{n} {{ ...F0 }}" for n in range(130)) + f" {chain} fragment F99 on Query {{ me {{ id }} }}",
    )
    yield "100 unused fragments", "{ me { id } } " + " ".join(f"fragment F{n} on User {{ id }}" for n in range(100))


def merges() -> Iterator[tuple[str, str]]:
    for side in (8, 18):
        page = f"transactions(first: 1) {{ {' '.join(['nodes { id }'] * side)} }}"
        yield f"{side} x {side} fields that merge", f"{{ me {{ {' '.join([page] * side)} }} }}"
    yield (
        "2 fragments of 300 fields",
        "{ me { ...A ...B } } " + " ".join(f"fragment {name} on User {{ {' '.join(f'x{n}: id' for n in range(300))} }}" for name in "AB"),
    )
    for count in (60, 100):
        spread = " ".join(f"...F{n}" for n in range(count))
        yield (
            f"{count} fragments at one place",
            f"{{ me {{ {spread} }} }} " + " ".join(f"fragment F{n} on User {{ a{n}: id }}" for n in range(count)),
        )
    nested = " ".join(f"fragment F{n} on User {{ {' '.join(f'...F{m}' for m in range(n + 1, 30))} id }}" for n in range(30))
    yield "30 fragments, each in each", f"{{ me {{ ...F0 }} }} {nested}"


def literals() -> Iterator[tuple[str, str]]:
    filtered = "{{ me {{ transactions(filter: {}) {{ totalCount }} }} }}"
    yield "600 unknown fields of an input", filtered.format("{" + " ".join(f"x{n}: 1" for n in range(600)) + "}")
    yield "100 unknown fields of an input", filtered.format("{" + " ".join(f"x{n}: 1" for n in range(100)) + "}")
    yield "250 objects inside each other", filtered.format("{text: " * 250 + "1" + "}" * 250)
    yield "1,900 values in a list", filtered.format("{categoryIds: [" + "1 " * 1_900 + "]}")
    for size in (60_000, 250_000):
        yield f"a name of {size}", "{ " + "a" * size + " }"
        yield f"a text of {size}", '{ node(id: "' + "a" * size + '") { id } }'
        yield f"a text of {size} in escapes", '{ node(id: "' + "\\u0041" * (size // 6) + '") { id } }'
        yield f"a block text of {size}", '{ node(id: """' + "a\n" * (size // 2) + '""") { id } }'
        yield f"a number of {size}", "{ me { transactions(first: " + "1" * size + ") { totalCount } } }"
        yield f"{size // 2} comments", "{ me { id } }" + "#\n" * (size // 2)
        yield f"{size} commas", "{ me { id } }" + "," * size
        yield f"{size} line breaks", "{ me { id } }" + "\n" * size + "?"
    yield "2,000 comments", "{ me { id } }" + "#\n" * 2_000


def bodies() -> Iterator[tuple[str, bytes]]:
    me, nodes = b'{"query":"{ me { id } }","variables":', b'{"query":"query($ids:[ID!]!){ nodes(ids:$ids) { id } }","variables":{"ids":['
    yield "100,000 [ as the body", b"[" * 100_000
    yield "100,000 [ as a variable", me + b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}}"
    yield "60 objects inside each other", me + b'{"a":' * 60 + b"1" + b"}" * 60 + b"}"
    yield "120,000 values", nodes + b"1," * 120_000 + b"1]}}"
    yield "a million values", nodes + b"1," * 1_000_000 + b"1]}}"
    yield "9,900 ids", nodes + b"1," * 9_900 + b"1]}}"
    yield "9,900 ids that are none", nodes + b"{}," * 9_900 + b"1]}}"
    yield "9,900 variables nobody declared", me + b"{" + b",".join(b'"k%d":1' % n for n in range(9_900)) + b"}}"
    yield "a text of commas", me + b'{"a":"' + b"," * 200_000 + b'"}}'
    yield "a text that never ends", me + b'{"a":"' + b'\\",' * 60_000
    yield "texts", me + b'{"a":[' + b'"x",' * 9_900 + b'""]}}'
    yield "5,000 digits", me + b'{"a":' + b"1" * 5_000 + b"}}"


if __name__ == "__main__":
    sys.exit(main())
