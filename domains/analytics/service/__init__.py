"""Use cases of the analytics domain."""
