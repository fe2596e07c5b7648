"""Documents that the server has before anybody sends them: known by a hash, and where the operator wants it, the only ones it serves.

They are the operations of `graphql/operations`, and those of clients whose manifest the operator names. A client cannot add
any: whoever could would fill the server's memory, and decide what may be asked of it.

A request names one by `documentId` (GraphQL over HTTP, appendix A: `sha256:` and 64 hexadecimal digits, or an id of the
manifest's own), or by Apollo's `extensions.persistedQuery.sha256Hash`. The hash is of the document's text as published.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from resolvers.errors import Fault

#: Longest id that a manifest may give a document, and a client may send.
ID_CHARACTERS = 128
#: Documents of one installation.
DOCUMENTS_AT_MOST = 10_000
APOLLO_FORMAT = "apollo-persisted-query-manifest"
PREFIX = "sha256:"
_SHA256 = re.compile(r"[0-9a-f]{64}")


class ManifestInvalid(ValueError):
    """The file does not list documents by their ids."""


class PersistedOperationNotFound(Fault):
    code = "PERSISTED_OPERATION_NOT_FOUND"
    default_message = "No document of that id is published here. Send its text as `query`, or have the operator publish it."


class PersistedQueryNotFound(PersistedOperationNotFound):
    """The same in Apollo's words, on which its clients send the text."""

    code = "PERSISTED_QUERY_NOT_FOUND"
    default_message = "PersistedQueryNotFound"


class OperationNotAllowed(Fault):
    code = "OPERATION_NOT_ALLOWED"
    default_message = "Only published operations are served here: those of graphql/operations/manifest.json, or of the operator's own."


class HashMismatch(Fault):
    code = "BAD_REQUEST"
    default_message = "The hash is not that of the query."


class Persisted:
    """The published documents.

    documents: id -> text. Each is found under its SHA-256, too.
    only:      whether anything else is refused.
    """

    def __init__(self, documents: Mapping[str, str] | None = None, *, only: bool = False) -> None:
        self._by_id: dict[str, str] = {}
        for document_id, text in (documents or {}).items():
            self._by_id[document_id] = self._by_id[sha256_of(text)] = text
        self._texts = frozenset(self._by_id.values())
        self._only = only

    def __len__(self) -> int:
        return len(self._texts)

    def text_of(self, query: str | None, document_id: str | None, *, apollo: bool = False) -> str:
        """The document that a request means, of whose text and id at least one is given.

        apollo: whether the id came in Apollo's extension.
        Errors: PersistedOperationNotFound, PersistedQueryNotFound, OperationNotAllowed, HashMismatch.
        """
        name = document_id.removeprefix(PREFIX) if document_id is not None else None
        if query is not None:
            if name is not None and name != sha256_of(query):
                raise HashMismatch
            if self._only and query not in self._texts:
                raise OperationNotAllowed
            return query
        found = self._by_id.get(name or "")
        if found is None:
            raise PersistedQueryNotFound if apollo else PersistedOperationNotFound
        return found


def sha256_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def read_manifest(data: bytes) -> dict[str, str]:
    """id -> text, of Apollo's manifest format or of an object `{id: text}`. Errors: ManifestInvalid."""
    try:
        found = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise ManifestInvalid("it is not JSON") from None
    if not isinstance(found, dict):
        raise ManifestInvalid("it is not an object")
    if found.get("format") == APOLLO_FORMAT:
        found = _apollo_documents(found)
    if len(found) > DOCUMENTS_AT_MOST:
        raise ManifestInvalid(f"it has more than {DOCUMENTS_AT_MOST} documents")
    documents: dict[str, str] = found
    for document_id, text in documents.items():
        _check(document_id, text)
    return documents


def _apollo_documents(manifest: dict[str, Any]) -> dict[str, Any]:
    if manifest.get("version") != 1:
        raise ManifestInvalid("its version is not 1")
    try:
        return merged({operation["id"]: operation["body"]} for operation in manifest["operations"])
    except (KeyError, TypeError):
        raise ManifestInvalid("an operation has no `id` or no `body`") from None


def _check(document_id: object, text: object) -> None:
    if not isinstance(document_id, str) or not 1 <= len(document_id) <= ID_CHARACTERS or not isinstance(text, str) or not text:
        raise ManifestInvalid("it maps texts to texts")
    is_hash = document_id.startswith(PREFIX) or _SHA256.fullmatch(document_id)
    if is_hash and document_id.removeprefix(PREFIX) != sha256_of(text):
        raise ManifestInvalid(f"{document_id[:12]}... is not the hash of its document")


def merged(manifests: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """All documents by id. Errors: ManifestInvalid, when one id is given to two documents."""
    found: dict[str, str] = {}
    for manifest in manifests:
        for document_id, text in manifest.items():
            if found.setdefault(document_id, text) != text:
                raise ManifestInvalid(f"{document_id} is the id of two documents")
    return found
