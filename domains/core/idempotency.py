"""Keys by which clients make a retry safe."""

from domains.core.errors import IdempotencyKeyInvalid

KEY_MAX = 255


def check_idempotency_key(key: str, field: str = "idempotencyKey") -> str:
    """Errors: IdempotencyKeyInvalid."""
    if not 1 <= len(key) <= KEY_MAX or not key.isprintable():
        raise IdempotencyKeyInvalid(field=field)
    return key
