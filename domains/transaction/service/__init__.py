"""Use cases of the transaction domain."""
