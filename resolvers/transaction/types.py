"""Transactions and their categories."""

import enum
from datetime import date, datetime
from decimal import Decimal

import strawberry

from resolvers.fields import Node, choice, column, entity, link, links, money
from resolvers.transaction.inputs import TransactionDirection, TransactionStatus


@strawberry.enum(description="What money of a category does.")
class CategoryType(enum.Enum):
    EXPENSE = choice("expense", "It is spent. Budgets are for these.")
    INCOME = choice("income", "It is earned.")
    TRANSFER = choice("transfer", "It moves between accounts; no sum counts it.")


@strawberry.enum(description="Who chose a transaction's category.")
class CategoryMethod(enum.Enum):
    AUTO = choice("auto", "The bank, or what is known of the merchant.")
    USER = choice("user", "You. No import changes it.")
    RULE = choice("rule", "A rule.")


@entity(loader="transaction.category_by_id", key=str)
class Category(Node):
    """What money is spent on or comes from: a tree of two levels, the same for everybody."""

    display_name = column(str, description="What to call it.")
    icon = column(str | None, description="The name of an icon.")
    color = column(str | None, description="A colour, `#rrggbb`.")
    type = column(CategoryType, description="What money of it does.")
    parent = link("Category", key="parent_id", description="The category it is a finer kind of; null at the top.")
    children = links("Category", loader="transaction.categories_by_parent", size=3, description="Its finer kinds, in the order to show.")


@entity(loader="transaction.by_id")
class Transaction(Node):
    """A movement on an account."""

    amount = money(description="How much, never negative; `direction` says which way.")
    direction = column(TransactionDirection, description="Whether it left the account or came in.")
    merchant_name = column(str | None, description="Who is at the other end, as far as it is known.")
    description = column(str | None, description="What it was, cleaned for reading.")
    original_description = column(str | None, description="What it was, as the bank wrote it.")
    transaction_date = column(date, description="The day it counts for, in budgets and lists.")
    authorized_date = column(date | None, description="The day it was agreed to, where the bank says.")
    posted_date = column(date | None, description="The day the bank booked it; null while it is pending.")
    status = column(TransactionStatus, description="Whether the bank has booked it.")
    is_pending = column(bool, description="Whether `status` is PENDING.")
    is_duplicate = column(bool, description="Whether it stands for a movement that is there already. Then no sum counts it.")
    category = link("Category", key="effective_category", description="What it counts as: yours if you chose one, else the automatic one.")
    category_method = column(CategoryMethod, description="Who chose that category.")
    category_confidence = column(Decimal | None, description="How sure the automatic choice is, 0 to 1; null where nobody says.")
    user_category = link("Category", key="user_category", description="The category you chose; null if you did not.")
    notes = column(str | None, description="What you wrote to it.")
    tags = column(list[str], description="The tags you gave it, in your order.")
    account = link("BankAccount", key="account_id", description="The account it is on.")
    created_at = column(datetime, description="When it was first seen.")
    updated_at = column(datetime, description="When something of it last changed.")
