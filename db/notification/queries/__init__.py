"""Every statement of the notification domain."""
