"""What most people would write: Strawberry's own view, ORM entities, an AsyncSession per batch, aiodataloader.

The measure for bench/dashboard.py, over the same tables and rows. It is spared what Florin does besides: no sign-in, no row
security (it logs in as the superuser), no cost limit, no rate limit. Started as `uvicorn bench.plain:app` with PLAIN_DSN set.
"""

import os
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import asynccontextmanager
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import strawberry
from aiodataloader import DataLoader
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from starlette.applications import Starlette
from starlette.routing import Route
from strawberry.asgi import GraphQL
from strawberry.extensions import ParserCache, ValidationCache

from db.bank.models import BankAccount as AccountRow
from db.budget.models import Budget as BudgetRow
from db.budget.models import BudgetUtilization as UtilizationRow
from db.transaction.models import Category as CategoryRow
from db.transaction.models import Transaction as TransactionRow
from db.user.models import User as UserRow

engine = create_async_engine(os.environ["PLAIN_DSN"], pool_size=10)
Session: async_sessionmaker[AsyncSession] = async_sessionmaker(engine, expire_on_commit=False)


def by_key(model: Any, column: Any, *conditions: Any) -> Callable[[Sequence[Any]], Any]:
    async def load(keys: Sequence[Any]) -> list[Any]:
        async with Session() as session:
            rows = (await session.execute(select(model).where(column.in_(keys), *conditions))).scalars().all()
        found = {getattr(row, column.key): row for row in rows}
        return [found.get(key) for key in keys]

    return load


def lists_by_key(model: Any, column: Any) -> Callable[[Sequence[Any]], Any]:
    async def load(keys: Sequence[Any]) -> list[list[Any]]:
        async with Session() as session:
            rows = (await session.execute(select(model).where(column.in_(keys)))).scalars().all()
        found = defaultdict(list)
        for row in rows:
            found[getattr(row, column.key)].append(row)
        return [found[key] for key in keys]

    return load


class Loaders:
    def __init__(self) -> None:
        self.account: Any = DataLoader(by_key(AccountRow, AccountRow.id))
        self.category: Any = DataLoader(by_key(CategoryRow, CategoryRow.id))
        self.utilization: Any = DataLoader(by_key(UtilizationRow, UtilizationRow.budget_id, UtilizationRow.is_current))
        self.accounts: Any = DataLoader(lists_by_key(AccountRow, AccountRow.user_id))
        self.budgets: Any = DataLoader(lists_by_key(BudgetRow, BudgetRow.user_id))


Info = strawberry.Info[Any, Any]


@strawberry.type
class Money:
    amount: Decimal
    currency: str


@strawberry.type
class Category:
    id: strawberry.ID
    display_name: str
    icon: str | None
    color: str | None


@strawberry.type
class BankAccount:
    id: strawberry.ID
    name: str | None
    mask: str | None
    row: strawberry.Private[Any]

    @strawberry.field
    def current_balance(self) -> Money | None:
        return Money(amount=self.row.current_balance, currency=self.row.currency)


def account_of(row: AccountRow) -> BankAccount:
    return BankAccount(id=strawberry.ID(str(row.id)), name=row.account_name, mask=row.account_mask, row=row)


def category_of(row: CategoryRow | None) -> Category | None:
    if row is None:
        return None
    return Category(id=strawberry.ID(row.id), display_name=row.display_name, icon=row.icon, color=row.color)


@strawberry.type
class Transaction:
    id: strawberry.ID
    direction: str
    merchant_name: str | None
    description: str | None
    transaction_date: date
    status: str
    tags: list[str]
    row: strawberry.Private[Any]

    @strawberry.field
    def amount(self) -> Money:
        return Money(amount=self.row.amount, currency=self.row.currency)

    @strawberry.field
    async def category(self, info: Info) -> Category | None:
        key = self.row.effective_category
        return None if key is None else category_of(await info.context["loaders"].category.load(key))

    @strawberry.field
    async def account(self, info: Info) -> BankAccount:
        return account_of(await info.context["loaders"].account.load(self.row.account_id))


@strawberry.type
class Utilization:
    percentage_used: Decimal | None
    is_exceeded: bool
    transaction_count: int
    row: strawberry.Private[Any]

    @strawberry.field
    def amount_spent(self) -> Money:
        return Money(amount=self.row.amount_spent, currency=self.row.currency)

    @strawberry.field
    def amount_remaining(self) -> Money:
        return Money(amount=self.row.amount_remaining, currency=self.row.currency)


@strawberry.type
class Budget:
    id: strawberry.ID
    name: str | None
    period: str
    row: strawberry.Private[Any]

    @strawberry.field
    def amount(self) -> Money:
        return Money(amount=self.row.amount, currency=self.row.currency)

    @strawberry.field
    async def category(self, info: Info) -> Category | None:
        return category_of(await info.context["loaders"].category.load(self.row.category))

    @strawberry.field
    async def utilization(self, info: Info) -> Utilization | None:
        row = await info.context["loaders"].utilization.load(self.row.id)
        if row is None:
            return None
        return Utilization(
            percentage_used=row.percentage_used, is_exceeded=row.is_exceeded, transaction_count=row.transaction_count, row=row
        )


@strawberry.type
class TransactionConnection:
    nodes: list[Transaction]


def transaction_of(row: TransactionRow) -> Transaction:
    return Transaction(
        id=strawberry.ID(str(row.id)),
        direction=row.direction,
        merchant_name=row.merchant_name,
        description=row.description,
        transaction_date=row.transaction_date,
        status=row.status,
        tags=row.tags,
        row=row,
    )


@strawberry.type
class User:
    id: strawberry.ID
    email: str

    @strawberry.field
    async def accounts(self, info: Info) -> list[BankAccount]:
        return [account_of(row) for row in await info.context["loaders"].accounts.load(UUID(self.id))]

    @strawberry.field
    async def budgets(self, info: Info) -> list[Budget]:
        rows = await info.context["loaders"].budgets.load(UUID(self.id))
        return [Budget(id=strawberry.ID(str(row.id)), name=row.name, period=row.period, row=row) for row in rows]

    @strawberry.field
    async def transactions(self, first: int = 20) -> TransactionConnection:
        newest = (TransactionRow.transaction_date.desc(), TransactionRow.id.desc())
        statement = select(TransactionRow).where(TransactionRow.user_id == UUID(self.id)).order_by(*newest).limit(first)
        async with Session() as session:
            rows = (await session.execute(statement)).scalars().all()
        return TransactionConnection(nodes=[transaction_of(row) for row in rows])


@strawberry.type
class Query:
    @strawberry.field
    async def me(self, info: Info) -> User:
        user_id = UUID(info.context["request"].headers["x-user"])
        async with Session() as session:
            row = (await session.execute(select(UserRow).where(UserRow.id == user_id))).scalar_one()
        return User(id=strawberry.ID(str(row.id)), email=row.email)


class View(GraphQL[Any, Any]):
    async def get_context(self, request: Any, response: Any) -> dict[str, Any]:
        return {"request": request, "response": response, "loaders": Loaders()}


@asynccontextmanager
async def lifespan(_app: Starlette) -> Any:
    yield
    await engine.dispose()


schema = strawberry.Schema(Query, extensions=[ParserCache, ValidationCache])
view = View(schema, graphql_ide=None)


app = Starlette(routes=[Route("/graphql", view, methods=["POST"])], lifespan=lifespan)
