"""Use cases of the budget domain."""
