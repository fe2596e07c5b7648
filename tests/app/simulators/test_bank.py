"""The bank that ledgers are compared with has to be right itself."""

from collections import Counter
from datetime import date, timedelta
from decimal import Decimal
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.simulators.bank import PENDING_AT_MOST_DAYS, Change, SimAccount, SimBank, SimTransaction
from app.simulators.chance import CHANGES_WITHIN_DAYS

TODAY = date(2026, 11, 22)


def dice(seed: int) -> Random:
    return Random(seed)  # noqa: S311  to be had again


def replayed(log: list[Change]) -> dict[str, SimTransaction]:
    """What whoever took every change in has in the end; each change must be possible where it stands."""
    rows: dict[str, SimTransaction] = {}
    for change in log:
        id = change.transaction.id
        assert (id in rows) == (change.kind != "added")
        if change.kind == "removed":
            assert rows.pop(id) == change.transaction
        else:
            rows[id] = change.transaction
    return rows


def ledgers(bank: SimBank) -> dict[str, SimTransaction]:
    return {row.id: row for id in bank.accounts for row in bank.ledger(id)}


def checking(bank: SimBank) -> str:
    return next(each.id for each in bank.accounts.values() if each.type == "checking")


@pytest.fixture
def bank() -> SimBank:
    return SimBank(7, today=TODAY, history_days=0)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    events=st.integers(0, 150),
    history_days=st.integers(0, 40),
    currency=st.sampled_from(["USD", "JPY", "KWD"]),
)
def test_after_any_events_the_log_replays_to_the_ledger(seed: int, events: int, history_days: int, currency: str) -> None:
    bank = SimBank(seed, today=TODAY, history_days=history_days, currency=currency)
    chance = dice(seed)
    for _ in range(events):
        before, revision, today = ledgers(bank), bank.revision, bank.today

        bank.happen(chance)

        changes = bank.changes_since(revision)
        assert [each.revision for each in changes] == list(range(revision + 1, bank.revision + 1))
        assert changes or bank.today > today
        for change in changes:
            was = before.get(change.transaction.id)
            assert was is None or (today - was.on).days <= max(CHANGES_WITHIN_DAYS, PENDING_AT_MOST_DAYS)
            assert change.transaction.on <= bank.today

    rows = ledgers(bank)
    assert replayed(bank.log) == rows
    assert [each.revision for each in bank.log] == list(range(1, bank.revision + 1))
    assert all(row.amount > 0 for row in rows.values())
    assert len({row.sequence for row in rows.values()}) == len(rows), "one movement stands once"
    assert all((bank.today - row.on).days <= PENDING_AT_MOST_DAYS for row in rows.values() if row.status == "pending")
    for account in bank.accounts.values():
        posted = [row for row in rows.values() if row.account_id == account.id and row.status == "posted"]
        signed = sum((row.amount if row.direction == "credit" else -row.amount for row in posted), account.opening)
        assert bank.balances(account.id)[0] == signed


def test_the_same_seed_and_events_give_the_same_bank_to_the_last_id() -> None:
    banks = [SimBank(3, today=TODAY) for _ in range(2)]
    for bank in banks:
        chance = dice(5)
        for _ in range(100):
            bank.happen(chance)

    assert banks[0].log == banks[1].log
    assert banks[0].accounts == banks[1].accounts
    assert set(banks[0].accounts).isdisjoint(SimBank(4, today=TODAY).accounts)


def test_everything_that_can_happen_does() -> None:
    bank, chance = SimBank(1, today=TODAY), dice(1)

    seen = Counter(bank.happen(chance) for _ in range(2000))

    assert set(seen) == {
        *("buy", "buy_posted", "buy_again", "refund", "earn", "transfer", "post", "post_more", "post_unlinked"),
        *("amend", "redate", "reid", "remove", "advance"),
    }


def test_a_history_has_wages_rent_transfers_and_the_last_purchases_pending() -> None:
    bank = SimBank(1, today=TODAY, history_days=60)
    rows = list(ledgers(bank).values())

    assert Counter(row.category for row in rows)["INCOME_WAGES"] == 4
    assert {"RENT_AND_UTILITIES_RENT", "TRANSFER_OUT_SAVINGS", "TRANSFER_IN_SAVINGS"} <= {row.category for row in rows}
    assert min(row.on for row in rows) > TODAY - timedelta(days=60)
    assert {row.status for row in rows if row.on < TODAY - timedelta(days=1)} == {"posted"}
    assert {change.kind for change in bank.log} == {"added"}


def test_posting_gives_another_id_that_names_the_old_one(bank: SimBank) -> None:
    bought = bank.buy(amount=Decimal("10.00"))
    bank.advance(2)
    posted = bank.post(bought.id, amount=Decimal("12.00"))

    assert bank.find(bought.id) is None
    assert (posted.status, posted.pending_id, posted.amount, posted.sequence) == ("posted", bought.id, Decimal("12.00"), bought.sequence)
    assert (posted.on, posted.authorized_on) == (TODAY + timedelta(days=2), TODAY)
    assert [each.kind for each in bank.log] == ["added", "removed", "added"]
    with pytest.raises(ValueError, match="posted"):
        bank.post(posted.id)


def test_posting_without_a_link_names_nothing(bank: SimBank) -> None:
    assert bank.post(bank.buy().id, is_linked=False).pending_id is None


def test_amending_redating_and_renaming(bank: SimBank) -> None:
    row = bank.buy(checking(bank), amount=Decimal("5.00"), is_pending=False, description="COFFEE")

    amended = bank.amend(row.id, amount=Decimal("6.00"), merchant="Harbor")
    redated = bank.redate(row.id, TODAY - timedelta(days=1))
    renamed = bank.reid(row.id)

    assert (amended.id, amended.amount, amended.description, amended.merchant) == (row.id, Decimal("6.00"), "COFFEE", "Harbor")
    assert redated.on == TODAY - timedelta(days=1)
    assert renamed.id != row.id
    assert (renamed.amount, renamed.on, renamed.sequence) == (Decimal("6.00"), redated.on, row.sequence)
    assert [each.kind for each in bank.log] == ["added", "modified", "modified", "removed", "added"]
    assert bank.ledger(checking(bank)) == [renamed]
    assert bank.amend(renamed.id).description.startswith("COFFEE REF ")


def test_what_nobody_asks_for_is_let_go(bank: SimBank) -> None:
    pending = bank.buy()
    posted = bank.buy(is_pending=False)

    bank.advance(PENDING_AT_MOST_DAYS)
    assert bank.find(pending.id) == pending
    bank.advance()

    assert bank.find(pending.id) is None
    assert bank.find(posted.id) == posted


def test_balances() -> None:
    card = SimAccount(
        id="card", name="Card", official_name="Card", mask="1", type="credit", subtype="credit card", currency="USD", persistent_id="p",
        opening=Decimal(-100), credit_limit=Decimal(1000),
    )  # fmt: skip
    bank = SimBank(1, today=TODAY, history_days=0, accounts=[card])
    bank.buy("card", amount=Decimal("20.50"), is_pending=False)
    bank.buy("card", amount=Decimal("5.00"), is_pending=False, direction="credit")
    bank.buy("card", amount=Decimal("30.00"))
    bank.buy("card", amount=Decimal("7.00"), direction="credit")

    assert bank.balances("card") == (Decimal("-115.50"), Decimal("854.50"))


def test_a_transfer_is_two_movements_of_one_amount(bank: SimBank) -> None:
    first, second, *_ = bank.accounts

    debit, credit = bank.transfer(first, second, amount=Decimal(40), arrives_on=TODAY - timedelta(days=1))

    assert (debit.account_id, debit.direction, debit.amount, debit.on) == (first, "debit", Decimal(40), TODAY)
    assert (credit.account_id, credit.direction, credit.amount, credit.on) == (second, "credit", Decimal(40), TODAY - timedelta(days=1))


def test_what_the_bank_does_not_have(bank: SimBank) -> None:
    for act in (bank.get, bank.remove, bank.reid, bank.amend, bank.post):
        with pytest.raises(KeyError):
            act("nothing")
    with pytest.raises(ValueError, match="revision"):
        bank.changes_since(1)
    with pytest.raises(ValueError, match="more than nothing"):
        bank.buy(amount=Decimal(0))
    assert bank.log == [], "and so it is of a bank without a history"
