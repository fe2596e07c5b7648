"""The canonical encoding, and what a chain is checked by."""

import hashlib
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domains.audit.rules import FIELDS, LABEL, NO_HASH, Break, Entry, Link, canonical, check_content, check_link, entry_hash

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
texts = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=20)
instants = st.integers(0, 2**53).map(lambda microseconds: EPOCH + timedelta(microseconds=microseconds))
hashes = st.binary(min_size=32, max_size=32)
plain: dict[str, Any] = dict.fromkeys(("resource_type", "resource_id", "request_id"), st.none() | texts)
sealed: dict[str, Any] = dict.fromkeys(
    ("ip_address", "user_agent", "old_values", "new_values", "metadata"), st.none() | st.binary(max_size=40)
)
entries = st.builds(
    Entry,
    sequence=st.integers(1, 2**63 - 1),
    id=st.uuids(),
    user_id=st.none() | st.uuids(),
    timestamp=instants,
    service_name=texts,
    action=texts,
    correlation_id=st.none() | st.uuids(),
    **plain,
    **sealed,
)

ENTRY = Entry(
    sequence=7,
    id=UUID(int=1),
    user_id=UUID(int=2),
    timestamp=EPOCH + timedelta(microseconds=5),
    service_name="api",
    action="USER_LOGIN",
    resource_type=None,
    resource_id=None,
    request_id="r",
    correlation_id=None,
    ip_address=b"\x01",
    user_agent=None,
    old_values=None,
    new_values=b"",
    metadata=None,
)


def decoded(encoded: bytes) -> list[bytes | None]:
    """The fields of an encoding, read as the documentation says it is written."""
    assert encoded.startswith(LABEL)
    rest, found = encoded[len(LABEL) :], []
    while rest:
        mark, rest = rest[0], rest[1:]
        if mark == 0:
            found.append(None)
            continue
        length = int.from_bytes(rest[:8], "big")
        found.append(rest[8 : 8 + length])
        rest = rest[8 + length :]
    return found


@given(hashes, entries)
def test_an_encoding_can_be_read_back_so_no_two_entries_share_one(previous: bytes, entry: Entry) -> None:
    first, *read = decoded(canonical(previous, entry))

    of_type: dict[str, Any] = {"sequence": int, "id": UUID, "user_id": UUID, "correlation_id": UUID, "timestamp": datetime}
    values = {}
    for name, value in zip(FIELDS, read, strict=True):
        kind = of_type.get(name, bytes if name in sealed else str)
        if value is None:
            values[name] = None
        elif kind is UUID:
            values[name] = UUID(bytes=value)
        elif kind is int:
            values[name] = int.from_bytes(value, "big", signed=True)
        elif kind is datetime:
            values[name] = EPOCH + timedelta(microseconds=int.from_bytes(value, "big", signed=True))
        else:
            values[name] = value if kind is bytes else value.decode()
    assert (first, Entry(**values)) == (previous, entry)


def test_the_encoding_is_what_it_was() -> None:
    """Entries are kept for years: what hashes them never changes."""
    encoded = (
        b"florin audit entry 1"
        + b"\x01" + (32).to_bytes(8, "big") + bytes(32)
        + b"\x01" + (8).to_bytes(8, "big") + (7).to_bytes(8, "big")
        + b"\x01" + (16).to_bytes(8, "big") + UUID(int=1).bytes
        + b"\x01" + (16).to_bytes(8, "big") + UUID(int=2).bytes
        + b"\x01" + (8).to_bytes(8, "big") + (5).to_bytes(8, "big")
        + b"\x01" + (3).to_bytes(8, "big") + b"api"
        + b"\x01" + (10).to_bytes(8, "big") + b"USER_LOGIN"
        + b"\x00\x00"
        + b"\x01" + (1).to_bytes(8, "big") + b"r"
        + b"\x00"
        + b"\x01" + (1).to_bytes(8, "big") + b"\x01"
        + b"\x00\x00"
        + b"\x01" + (0).to_bytes(8, "big")
        + b"\x00"
    )  # fmt: skip

    assert canonical(NO_HASH, ENTRY) == encoded
    assert entry_hash(NO_HASH, ENTRY) == hashlib.sha256(encoded).digest()


def link(entry: Entry, previous: bytes = NO_HASH) -> Link:
    return Link(entry, previous, entry_hash(previous, entry))


@pytest.mark.parametrize("name", [field.name for field in fields(Entry)])
def test_every_field_is_hashed(name: str) -> None:
    changed: dict[str, Any] = {"sequence": 8, "timestamp": EPOCH, "id": UUID(int=9), "user_id": None, "correlation_id": UUID(int=9)}
    value = changed.get(name, b"x" if name in sealed else "x")

    tampered = replace(link(ENTRY), entry=replace(ENTRY, **{name: value}))

    assert check_content(link(ENTRY)) is None
    assert check_content(tampered) == Break(tampered.entry.sequence, "the entry is not what was written")


@pytest.mark.parametrize(
    ("sequence", "previous", "reason"),
    [
        (7, NO_HASH, None),
        (6, NO_HASH, "the entry is missing"),
        (8, NO_HASH, "there are two entries 7"),
        (7, bytes(31) + b"\x01", "the entry does not follow the one before it"),
    ],
)
def test_a_link_must_be_the_next_one(sequence: int, previous: bytes, reason: str | None) -> None:
    found = check_link(link(ENTRY), sequence, previous)

    assert found == (None if reason is None else Break(sequence, reason))
