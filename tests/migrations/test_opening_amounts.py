"""What a goal held before contributions were kept is where they start from, whoever's goal it is."""

from decimal import Decimal
from uuid import uuid4

from migrations.run import downgrade_async, upgrade_async
from tests.migrations.fresh import Fresh


async def test_what_goals_held_becomes_their_opening_amount(fresh: Fresh) -> None:
    await upgrade_async(fresh.owner, ["budget"])
    await downgrade_async(fresh.owner, ["budget"], "budget_0002")
    held = [(uuid4(), Decimal("250.1234")), (uuid4(), Decimal(0))]
    async with fresh.connect("superuser") as superuser:
        for user_id, amount in held:
            await superuser.execute(
                "insert into budget_schema.savings_goals (user_id, name, target_amount, current_amount, currency)"
                " values ($1, 'Boat', 1000, $2, 'USD')",
                user_id,
                amount,
            )

    await upgrade_async(fresh.owner, ["budget"])

    async with fresh.connect("superuser") as superuser:
        rows = await superuser.fetch("select user_id, opening_amount from budget_schema.savings_goals")
        added = await superuser.fetchval(
            "insert into budget_schema.savings_goals (user_id, name, target_amount, currency) values ($1, 'Car', 1, 'USD')"
            " returning opening_amount",
            uuid4(),
        )
    assert sorted((row["user_id"], row["opening_amount"]) for row in rows) == sorted(held)
    assert added == 0
