"""A small schema for the transports: nothing of it needs Postgres, and what happens in it can be seen from outside."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from functools import cache
from typing import TypeVar

import strawberry

from db.errors import DatabaseUnavailable
from resolvers.context import Info
from resolvers.declared import Declarations, declaring
from resolvers.execution.operation import Gateway
from resolvers.fields import extends
from resolvers.schema import make_schema


@dataclass
class Seen:
    """What went on inside, by the name that a test gave its operation."""

    begun: set[str] = field(default_factory=set)
    ended: set[str] = field(default_factory=set)
    cancelled: set[str] = field(default_factory=set)
    sent: dict[str, int] = field(default_factory=dict)


seen = Seen()
toy = Declarations("toy")
T = TypeVar("T", bound=type)


def extends_toy(name: str) -> Callable[[T], T]:
    """`extends`, in the toy's own register."""

    def add(cls: T) -> T:
        with declaring(toy):
            return extends(name)(cls)

    return add


async def _work(name: str, seconds: float) -> str:
    seen.begun.add(name)
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        seen.cancelled.add(name)
        raise
    seen.ended.add(name)
    return name


@extends_toy("Query")
class Query:
    @strawberry.field
    def hello(self, name: str = "you") -> str:
        return f"hello {name}"

    @strawberry.field
    def whoami(self, info: Info) -> str:
        return str(info.context.required_viewer.user_id)

    @strawberry.field
    def context_id(self, info: Info) -> str:
        return f"{id(info.context.loaders)} {info.context.request_id}"

    @strawberry.field
    async def slow(self, name: str, seconds: float) -> str:
        return await _work(name, seconds)

    @strawberry.field
    def bug(self, secret: str) -> str | None:
        raise RuntimeError(f"could not take {secret}")

    @strawberry.field
    def database(self) -> str:
        raise DatabaseUnavailable("nobody there")


@extends_toy("Mutation")
class Mutation:
    @strawberry.mutation
    async def work(self, name: str, seconds: float) -> str:
        return await _work(name, seconds)


@extends_toy("Subscription")
class Subscription:
    @strawberry.subscription
    async def count(self, to: int) -> AsyncIterator[int]:
        for number in range(to):
            yield number

    @strawberry.subscription
    async def watch(self, name: str) -> AsyncIterator[int]:
        """One event, then silence until it is closed."""
        seen.begun.add(name)
        try:
            yield 1
            await asyncio.Event().wait()
        finally:
            seen.ended.add(name)

    @strawberry.subscription
    async def flood(self, name: str, size: int) -> AsyncIterator[str]:
        """Events without end, as fast as they are taken."""
        try:
            while True:
                seen.sent[name] = seen.sent.get(name, 0) + 1
                yield "x" * size
                await asyncio.sleep(0)
        finally:
            seen.ended.add(name)

    @strawberry.subscription
    async def fails(self) -> AsyncIterator[int]:
        yield 1
        raise RuntimeError("a bug with a secret in it")


@cache
def make_gateway() -> Gateway:
    return Gateway(make_schema(toy))
