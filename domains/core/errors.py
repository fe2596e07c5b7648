"""The two kinds of failure that are not bugs."""

from typing import ClassVar


class AppError(Exception):
    """An expected failure: part of a mutation's contract, shown to the client as a typed payload error.

    `code` is permanent once released. `field` is the dotted path of the input that is at fault, or None.
    """

    code: ClassVar[str]
    default_message: ClassVar[str]

    def __init__(self, message: str | None = None, *, field: str | None = None) -> None:
        self.message = message or self.default_message
        self.field = field
        super().__init__(self.message)


class TryAgain(Exception):
    """A passing failure (a lock, a time-out, a provider that is down): the same call may succeed later."""

    def __init__(self, code: str, message: str, *, retry_after_s: float = 1.0) -> None:
        self.code = code
        self.message = message
        self.retry_after_s = retry_after_s
        super().__init__(message)


class IdempotencyKeyReused(AppError):
    code = "IDEMPOTENCY_KEY_REUSED"
    default_message = "This idempotency key was used before with another input. Use a new key for a new request."


class IdempotencyKeyInvalid(AppError):
    code = "IDEMPOTENCY_KEY_INVALID"
    default_message = "An idempotency key has 1 to 255 characters."
