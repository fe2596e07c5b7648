"""A server that speaks Plaid's API about one simulated customer."""

from app.simulators.plaid.simulator import PlaidSimulator

__all__ = ["PlaidSimulator"]
