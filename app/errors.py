"""What an operator can put right: shown as one message, without a traceback."""


class OperatorError(Exception):
    """The message says what is wrong and what to do about it."""


class ServersUnavailable(OperatorError):
    """The embedded Postgres or Redis cannot be started, or has ended."""


class SettingsInvalid(OperatorError):
    """A FLORIN_* variable is missing or malformed; the message names it."""


class PortTaken(OperatorError):
    """Something else listens on the port."""
