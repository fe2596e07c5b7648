"""Every statement of the analytics domain."""
