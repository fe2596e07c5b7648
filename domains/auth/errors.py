"""Expected failures of signing in. Their codes are permanent."""

from domains.core.errors import AppError


class SignInFailed(AppError):
    """One answer for an unknown address, a wrong password and an account that may not sign in."""

    code = "SIGN_IN_FAILED"
    default_message = "The address or the password is wrong."


class SignInThrottled(AppError):
    code = "SIGN_IN_THROTTLED"
    default_message = "Too many attempts. Try again later."
