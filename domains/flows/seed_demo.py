"""The demo: two people with everything, from a bank that does not exist.

Their rows come the way any bank's do. Run again, whether the first run was completed or killed, it adds what is missing:
on a later day, what the bank has to tell since.
"""

from datetime import date, timedelta
from typing import Final
from uuid import UUID, uuid5

from db.bank.queries_connections import DISCONNECTED, find_by_own_item
from db.budget import queries as budgets
from db.budget.queries_goals import add_contribution
from db.engines import Viewer
from db.user import queries as users
from domains.bank.providers.protocol import Linked, Statement
from domains.bank.providers.sandbox import SandboxProvider
from domains.bank.service.link_banks import store_connection
from domains.budget.service.change_budgets import CreateBudget
from domains.core.clock import local_date
from domains.core.ids import new_id
from domains.flows.change_budgets import create_budget
from domains.flows.close_periods import close_periods
from domains.flows.demo import DEMO_USERS, DemoUser, plan_budgets, plan_goals
from domains.flows.import_statement import take_statement
from domains.flows.services import Services
from domains.user.rules import normalise_email, normalise_password

DEMO_EMAIL: Final = DEMO_USERS[0].email
DEMO_PASSWORD: Final = DEMO_USERS[0].password
SANDBOX: Final = SandboxProvider.name


async def seed_demo(services: Services) -> None:
    """The demo's people, accounts, transactions, budgets with their history, and goals, as of today in their time zones."""
    for person in DEMO_USERS:
        viewer = await _find_or_add(services, person)
        today = local_date(services.clock.now(), person.timezone)
        bank = SandboxProvider(services.clock)
        statement = bank.statement(person.profile, today)
        item_id = bank.item_id(person.profile, str(viewer.user_id))
        if await _link(services, viewer, bank.login(item_id)):
            await take_statement(services, viewer, statement, item_id=item_id)
        await _add_budgets(services, viewer, person, statement, today)
        await _add_goals(services, viewer, person, today)
        await close_periods(services, viewer)


async def _link(services: Services, viewer: Viewer, login: Linked) -> bool:
    """Link the demo's bank as a person would, so that it is fetched from by the calendar; False when its owner has removed it."""
    key = await services.cipher.key_of(viewer.user_id, make=True)
    every = timedelta(seconds=services.options.sync_every_s)
    async with services.db.write("bank", viewer) as session:
        found = await find_by_own_item(session, SANDBOX, login.item_id)
        if found is None or (found.access_token_encrypted is None and found.status != DISCONNECTED):
            await store_connection(session, SANDBOX, login, key, services.clock.now(), every)
    return found is None or found.status != DISCONNECTED


async def _find_or_add(services: Services, person: DemoUser) -> Viewer:
    email = normalise_email(person.email)
    async with services.db.system("user") as session:
        account = await users.find_account(session, email)
    if account is None:
        row = {name: getattr(person, name) for name in ("email", "full_name", "timezone", "currency", "locale")}
        password = await services.passwords.hash(normalise_password(person.password))
        async with services.db.system("user") as session:
            await users.add_user(session, {**row, "id": new_id(), "email_normalized": email, "password_hash": password})
            account = await users.find_account(session, email)
    if account is None:
        raise RuntimeError(f"{person.email} could neither be found nor added")
    return Viewer(account.id, person.timezone, person.currency, person.locale)


async def _add_budgets(services: Services, viewer: Viewer, person: DemoUser, statement: Statement, today: date) -> None:
    """All of them once: a budget that its owner has deleted does not come back."""
    async with services.db.read("budget", viewer) as read:
        made = await read.value(budgets.budgets_ever())
        there = {row.name for row in await read.rows(budgets.budgets_by_user(("name",)), keys=[viewer.user_id])}
    if made >= len(person.budgets):
        return
    for planned in plan_budgets(person, statement, today):
        if planned.name in there:
            continue
        command = CreateBudget(
            name=planned.name,
            category=planned.category,
            amount=planned.amount,
            currency=planned.currency,
            period=planned.period,
            start_date=planned.start_date,
            color=planned.color,
            icon=planned.icon,
        )
        await create_budget(services, viewer, command, f"demo {today} {planned.name}")


async def _add_goals(services: Services, viewer: Viewer, person: DemoUser, today: date) -> None:
    async with services.db.write("budget", viewer) as session:
        for place, goal in enumerate(plan_goals(person, today)):
            values = {
                "id": _goal_id(viewer.user_id, goal.name),
                "name": goal.name,
                "target_amount": goal.target_amount,
                "current_amount": goal.current_amount,
                "opening_amount": goal.opening_amount,
                "currency": goal.currency,
                "started_at": goal.started_on,
                "target_date": goal.target_date,
                "color": goal.color,
                "priority": place,
                "status": "achieved" if goal.standing == "achieved" else "active",
                "achieved_at": services.clock.now() if goal.standing == "achieved" else None,
            }
            if await budgets.add_goal(session, values):  # once, with the goal: a contribution that its owner has undone does not come back
                for day, amount in goal.contributions:
                    row = {"goal_id": values["id"], "amount": amount, "currency": goal.currency, "contribution_date": day}
                    await add_contribution(session, {"id": new_id(), **row})


def _goal_id(user_id: UUID, name: str) -> UUID:
    """The same for each run, so that a goal is made once."""
    return uuid5(user_id, name)
