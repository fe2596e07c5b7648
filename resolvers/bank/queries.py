"""What bank adds to people."""

from resolvers.fields import extends, links


@extends("User")
class UserBanks:
    accounts = links(
        "BankAccount", loader="bank.accounts_by_user", size=10, description="Every account, closed ones too, those known longest first."
    )
    connections = links("BankConnection", loader="bank.connections_by_user", size=5, description="Every connection, the oldest first.")
