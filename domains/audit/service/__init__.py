"""Use cases of the audit domain."""
