"""Payloads of mutations: a nullable resource and `errors`, one GraphQL type per expected failure."""

import enum
import functools
from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import date, datetime
from decimal import Decimal
from inspect import cleandoc
from types import ModuleType, UnionType
from typing import Annotated, Any, ClassVar, ParamSpec, TypeVar, get_args, get_origin, get_type_hints

import strawberry

from db.attempts import retrying
from domains.core import errors as core_errors
from domains.core.errors import AppError
from resolvers.declared import current
from resolvers.prices import at_most

P = ParamSpec("P")
R = TypeVar("R")

_ALLOWED_DETAILS = (str, int, bool, date, datetime, Decimal)


@strawberry.interface(description="An expected failure. `code` is permanent; `field` is the dotted path of the input at fault.")
class Error:
    code: str = strawberry.field(description="Permanent and in upper case: decide by this.")
    message: str = strawberry.field(description="In English, for people; it may be reworded.")
    field: str | None = strawberry.field(description="The dotted path of the input at fault, such as `name`; null where none is.")


@strawberry.type
class Payload:
    """Base of every payload: `errors` is empty when the mutation did what was asked."""

    errors: list[Error] = strawberry.field(
        default_factory=list, description="Why it was not done; empty when it was.", directives=[at_most(1)]
    )


_exposed: dict[type[AppError], type] = {}


def expose(module: ModuleType) -> None:
    """Give every AppError that a domain's module defines its GraphQL type, of the same name.

    What a failure annotates beside `message` and `field` (an `int`, `str`, `bool`, `date`, `datetime` or `Decimal`, or
    None) is a field of its type, described by the annotation: `line: Annotated[int | None, "Counted from 1."]`.
    """
    for cls in vars(module).values():
        if isinstance(cls, type) and issubclass(cls, AppError) and cls is not AppError and cls.__module__ == module.__name__:
            _expose(cls)


def _expose(cls: type[AppError]) -> None:
    declarations = current()
    made = _exposed.get(cls)
    if made is None:
        details = _details(cls)
        body: dict[str, Any] = {name: strawberry.field(description=said) for name, (_, said) in details.items()}
        body |= {"__annotations__": {name: hint for name, (hint, _) in details.items()}, "__module__": cls.__module__}
        doc = (cls.__doc__ or cls.default_message).strip().splitlines()[0]
        made = _exposed[cls] = strawberry.type(type(cls.__name__, (Error,), body), description=doc)
    if declarations.types.get(cls.__name__) is not made:
        declarations.add_type(cls, made)


def _details(cls: type[AppError]) -> dict[str, tuple[Any, str | None]]:
    """What a failure carries beyond the interface, by name: its type and its description."""
    details: dict[str, tuple[Any, str | None]] = {}
    for name, annotation in get_type_hints(cls, include_extras=True).items():
        hint, *said = get_args(annotation) if get_origin(annotation) is Annotated else (annotation,)
        if name in ("code", "message", "field") or name.startswith("_") or get_origin(hint) is ClassVar:
            continue
        choices = get_args(hint) if isinstance(hint, UnionType) else (hint,)
        leaf = [part for part in choices if part is not type(None)]
        if len(leaf) != 1 or not (leaf[0] in _ALLOWED_DETAILS or isinstance(leaf[0], enum.EnumMeta)):
            raise TypeError(f"{cls.__name__}.{name}: {hint} cannot be shown in a payload")
        details[name] = hint, said[0] if said else None
    return details


def payload_error(error: AppError) -> Error | None:
    """The failure as its GraphQL type, or that of its nearest exposed base; None when none is exposed."""
    for cls in type(error).__mro__:
        made = _exposed.get(cls)
        if made is not None:
            details = {name: getattr(error, name, None) for name in _details(cls)}
            shown: Error = made(code=error.code, message=error.message, field=error.field, **details)
            return shown
    return None


def expected_errors(resolver: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
    """Answer an AppError of a mutation with its payload type (the resolver's return annotation) holding that error.

    A mutation that the database made give way is run again, unless it has committed something and has no key to know it by. Whatever
    happens, what was read before is forgotten, so that the payload shows the state after the commit.
    """

    @functools.wraps(resolver)
    async def answered(*args: P.args, **kwargs: P.kwargs) -> R:
        info: Any = kwargs["info"]
        try:
            return await retrying(
                lambda: resolver(*args, **kwargs),
                may_repeat=hasattr(kwargs.get("input"), "idempotency_key"),  # what was committed is then found, and not done again
                between=info.context.start_over,
            )
        except AppError as error:
            shown = payload_error(error)
            if shown is None:
                raise
            payload_type: Any = _payload_type(resolver)
            payload: R = payload_type(errors=[shown])
            return payload
        finally:
            await info.context.reset_reads()

    return answered


@functools.cache
def _payload_type(resolver: Callable[..., Any]) -> Any:
    return get_type_hints(resolver)["return"]


def mutation(resolver: Callable[..., Awaitable[Any]]) -> Any:
    """A field of Mutation. The resolver takes `info` and returns a Payload; its AppErrors become `errors` of it.

    Its docstring is what clients read of it.
    """
    return strawberry.mutation(resolver=expected_errors(resolver), description=_said(resolver))


def subscription(resolver: Callable[..., AsyncGenerator[Any, None]]) -> Any:
    """A field of Subscription: a generator of payloads. Its docstring is what clients read of it."""
    return strawberry.subscription(resolver=resolver, description=_said(resolver))


def _said(resolver: Callable[..., Any]) -> str | None:
    return cleandoc(resolver.__doc__) if resolver.__doc__ else None


def expose_core() -> None:
    """Failures that every domain may answer with."""
    expose(core_errors)
