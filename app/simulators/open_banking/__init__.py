"""A bank of the UK Open Banking standard, simulated: tokens, consents, a page to agree on, accounts."""

from app.simulators.open_banking.simulator import OpenBankingSimulator

__all__ = ["OpenBankingSimulator"]
