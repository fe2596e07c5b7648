"""The chain: what of an entry is hashed, and how. Whoever has the rows can check it with these lines alone.

    entry_hash = SHA-256 (canonical encoding), which begins with the hash of the entry before (32 zero bytes before the first)

The canonical encoding is the label `florin audit entry 1` and then every field in the order of `FIELDS`, each as

    absent:  00
    present: 01, the length in bytes as 8 bytes (big-endian), the bytes

where a text is UTF-8, an id its 16 bytes, a number 8 bytes (big-endian, signed), an instant the microseconds since the start of 1970
(UTC) as a number, and a ciphertext itself. No two entries have one encoding. As ciphertext is hashed and not what is in it, the chain
outlives the key.
"""

import hashlib
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

LABEL: Final = b"florin audit entry 1"
#: Before the first entry.
NO_HASH: Final = bytes(32)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry as it is stored, without its hashes. `bytes` are ciphertext (of an entry without a user: plain JSON)."""

    sequence: int
    id: UUID
    user_id: UUID | None
    timestamp: datetime
    service_name: str
    action: str
    resource_type: str | None
    resource_id: str | None
    request_id: str | None
    correlation_id: UUID | None
    ip_address: bytes | None
    user_agent: bytes | None
    old_values: bytes | None
    new_values: bytes | None
    metadata: bytes | None


FIELDS: Final = tuple(field.name for field in fields(Entry))


@dataclass(frozen=True, slots=True)
class Link:
    """An entry with the hashes that are stored with it."""

    entry: Entry
    previous_hash: bytes
    entry_hash: bytes


@dataclass(frozen=True, slots=True)
class Break:
    """The first place where a chain does not hold, and why."""

    sequence: int
    reason: str


def canonical(previous_hash: bytes, entry: Entry) -> bytes:
    """The bytes that an entry's hash is made of."""
    parts = [LABEL, _field(previous_hash)]
    parts.extend(_field(_as_bytes(getattr(entry, name))) for name in FIELDS)
    return b"".join(parts)


def entry_hash(previous_hash: bytes, entry: Entry) -> bytes:
    """SHA-256, 32 bytes."""
    return hashlib.sha256(canonical(previous_hash, entry)).digest()


def check_link(link: Link, sequence: int, previous_hash: bytes) -> Break | None:
    """Whether this is entry number `sequence`, follows the one with this hash, and is as it was written; None when it is."""
    if link.entry.sequence != sequence:
        missing = link.entry.sequence > sequence
        return Break(sequence, "the entry is missing" if missing else f"there are two entries {link.entry.sequence}")
    if link.previous_hash != previous_hash:
        return Break(sequence, "the entry does not follow the one before it")
    return check_content(link)


def check_content(link: Link) -> Break | None:
    """Whether the entry is as it was written, wherever it stands."""
    if entry_hash(link.previous_hash, link.entry) != link.entry_hash:
        return Break(link.entry.sequence, "the entry is not what was written")
    return None


def _field(value: bytes | None) -> bytes:
    return b"\x00" if value is None else b"\x01" + len(value).to_bytes(8, "big") + value


def _as_bytes(value: object) -> bytes | None:
    match value:
        case None:
            return None
        case bytes():
            return value
        case str():
            return value.encode()
        case UUID():
            return value.bytes
        case int():
            return value.to_bytes(8, "big", signed=True)
        case datetime():
            return ((value - _EPOCH) // timedelta(microseconds=1)).to_bytes(8, "big", signed=True)
    raise TypeError(f"{type(value).__name__} has no canonical encoding")
