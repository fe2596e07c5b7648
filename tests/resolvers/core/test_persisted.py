"""Documents that are known by an id, and a gateway that serves no others."""

import hashlib
import json
from typing import Any

import pytest

from resolvers.execution.operation import Gateway, GraphQLRequest, RequestRefused
from resolvers.execution.persisted import ManifestInvalid, Persisted, merged, read_manifest, sha256_of
from resolvers.schema import Schema

ME = "query Me { me { id name } }\n"
LABELS = "{ labels { id } }"
RESIZE = 'mutation { potResize(input: {id: "x", size: "1"}) { errors { code } } }'
HASH = hashlib.sha256(ME.encode()).hexdigest()
DOCUMENTS = {HASH: ME, "labels-1": LABELS, sha256_of(RESIZE): RESIZE}


@pytest.fixture(scope="module")
def lenient(toy: Schema) -> Gateway:
    return Gateway(toy, persisted=Persisted(DOCUMENTS))


@pytest.fixture(scope="module")
def strict(toy: Schema) -> Gateway:
    return Gateway(toy, persisted=Persisted(DOCUMENTS, only=True))


def refusal(gateway: Gateway, **request: Any) -> tuple[int, str]:
    with pytest.raises(RequestRefused) as found:
        gateway.prepare(GraphQLRequest(**{"query": None} | request))
    [error] = found.value.errors
    assert error.extensions is not None
    return found.value.status, error.extensions["code"]


@pytest.mark.parametrize(("document_id", "cost"), [(HASH, 1), (f"sha256:{HASH}", 1), ("labels-1", 3), (f"sha256:{sha256_of(LABELS)}", 3)])
def test_a_published_document_is_found_by_its_id_and_by_its_hash(lenient: Gateway, strict: Gateway, document_id: str, cost: int) -> None:
    for gateway in (lenient, strict):
        assert gateway.prepare(GraphQLRequest(None, document_id=document_id)).cost == cost


def test_its_text_is_the_same_document(strict: Gateway) -> None:
    by_id = strict.prepare(GraphQLRequest(None, document_id=HASH))

    assert strict.prepare(GraphQLRequest(ME)).document is by_id.document
    assert strict.prepare(GraphQLRequest(ME, document_id=f"sha256:{HASH}")).document is by_id.document


@pytest.mark.parametrize("query", ["{ me { id } }", ME.strip(), ME + "#", "{", "{ __schema { queryType { name } } }"])
def test_anything_else_is_refused_where_only_published_documents_are_served(lenient: Gateway, strict: Gateway, query: str) -> None:
    assert refusal(strict, query=query) == (400, "OPERATION_NOT_ALLOWED")
    if query.startswith(("{ me", "query")):
        assert lenient.prepare(GraphQLRequest(query)).cost == 1


def test_an_unknown_id_says_what_to_do_in_the_words_of_who_asks(lenient: Gateway, strict: Gateway, gateway: Gateway) -> None:
    unknown = sha256_of("{ me { id } }")

    for served in (lenient, strict, gateway):
        assert refusal(served, document_id=f"sha256:{unknown}") == (400, "PERSISTED_OPERATION_NOT_FOUND")
        assert refusal(served, document_id=unknown, apollo=True) == (400, "PERSISTED_QUERY_NOT_FOUND")
        assert refusal(served, document_id="") == (400, "PERSISTED_OPERATION_NOT_FOUND")


def test_a_client_cannot_add_a_document(lenient: Gateway, strict: Gateway) -> None:
    new = "{ me { name } }"

    assert lenient.prepare(GraphQLRequest(new, document_id=sha256_of(new), apollo=True)).cost == 1
    assert refusal(strict, query=new, document_id=sha256_of(new), apollo=True) == (400, "OPERATION_NOT_ALLOWED")
    for served in (lenient, strict):
        assert refusal(served, document_id=sha256_of(new), apollo=True) == (400, "PERSISTED_QUERY_NOT_FOUND")
        assert refusal(served, query=new, document_id=HASH, apollo=True) == (400, "BAD_REQUEST")


def test_a_published_mutation_does_not_come_by_get(strict: Gateway) -> None:
    assert refusal(strict, document_id=sha256_of(RESIZE), method="GET") == (405, "METHOD_NOT_ALLOWED")


def test_manifests_of_both_formats_are_read() -> None:
    apollo = {
        "format": "apollo-persisted-query-manifest",
        "version": 1,
        "operations": [{"id": HASH, "name": "Me", "type": "query", "body": ME}],
    }

    assert read_manifest(json.dumps(apollo).encode()) == {HASH: ME}
    assert read_manifest(json.dumps({"a1": LABELS}).encode()) == {"a1": LABELS}
    assert merged([{HASH: ME}, {"a1": LABELS}, {HASH: ME}]) == {HASH: ME, "a1": LABELS}


@pytest.mark.parametrize(
    "manifest",
    [
        "",
        "[]",
        '{"a": 1}',
        '{"": "{ me { id } }"}',
        '{"a": ""}',
        json.dumps({"a" * 129: ME}),
        json.dumps({"0" * 64: ME}),
        '{"format": "apollo-persisted-query-manifest", "version": 2, "operations": []}',
        '{"format": "apollo-persisted-query-manifest", "version": 1, "operations": [{"id": "a"}]}',
        '{"format": "apollo-persisted-query-manifest", "version": 1, "operations": 5}',
        '{"format": "apollo-persisted-query-manifest", "version": 1}',
    ],
)
def test_what_is_no_manifest_is_refused(manifest: str) -> None:
    with pytest.raises(ManifestInvalid):
        read_manifest(manifest.encode())


def test_one_id_is_one_document() -> None:
    with pytest.raises(ManifestInvalid, match="a is the id of two documents"):
        merged([{"a": ME}, {"a": LABELS}])
    twice = [{"id": "a", "body": ME}, {"id": "a", "body": LABELS}]
    with pytest.raises(ManifestInvalid, match="a is the id of two documents"):
        read_manifest(json.dumps({"format": "apollo-persisted-query-manifest", "version": 1, "operations": twice}).encode())


def test_an_id_that_says_sha256_is_the_hash_of_its_document() -> None:
    """No other could be asked for: what follows the prefix is taken for the hash."""
    prefixed = read_manifest(json.dumps({f"sha256:{HASH}": ME}).encode())

    assert Persisted(prefixed).text_of(None, f"sha256:{HASH}") == ME
    with pytest.raises(ManifestInvalid, match="is not the hash of its document"):
        read_manifest(json.dumps({"sha256:own": ME}).encode())
