"""Documents about budgets, shared by the tests of this folder."""

from typing import Any
from uuid import uuid4

from tests.resolvers.api import Client, gid
from tests.resolvers.household import FOOD

ALL = """fragment All on Budget {
  id name amount { amount currency } period startDate endDate status category { id } notes color icon version
  utilization {
    periodStart periodEnd amountSpent { amount currency } amountPending { amount } amountRemaining { amount } percentageUsed isExceeded
    transactionCount unconverted { amount currency } version
  }
}"""
ERRORS = "errors { __typename code message field }"
CREATE = f"mutation($input: BudgetCreateInput!) {{ budgetCreate(input: $input) {{ budget {{ ...All }} {ERRORS} }} }} {ALL}"
UPDATE = f"mutation($input: BudgetUpdateInput!) {{ budgetUpdate(input: $input) {{ budget {{ ...All }} {ERRORS} }} }} {ALL}"
DELETE = f"mutation($input: BudgetDeleteInput!) {{ budgetDelete(input: $input) {{ deletedBudgetId {ERRORS} }} }}"
LIST = f"{{ me {{ budgets {{ ...All }} }} }} {ALL}"
ONE = f"query($id: ID!) {{ node(id: $id) {{ ...All }} }} {ALL}"

NOT_FOUND = {"__typename": "BudgetNotFound", "code": "BUDGET_NOT_FOUND", "message": "There is no such budget.", "field": "id"}


def creation(**said: Any) -> dict[str, Any]:
    """The input of a monthly budget of 100 for food, unless said otherwise."""
    return {"idempotencyKey": str(uuid4()), "name": "Food", "category": gid("Category", FOOD), "amount": "100", **said}


async def create(client: Client, **said: Any) -> Any:
    return (await client.data(CREATE, input=creation(**said)))["budgetCreate"]


async def update(client: Client, budget_id: str, **said: Any) -> Any:
    return (await client.data(UPDATE, input={"id": budget_id, **said}))["budgetUpdate"]


async def delete(client: Client, budget_id: str) -> Any:
    return (await client.data(DELETE, input={"id": budget_id}))["budgetDelete"]


async def one(client: Client, budget_id: str) -> Any:
    return (await client.data(ONE, id=budget_id))["node"]


async def listed(client: Client) -> list[Any]:
    budgets: list[Any] = (await client.data(LIST))["me"]["budgets"]
    return budgets
