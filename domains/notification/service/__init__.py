"""Use cases of the notification domain."""
