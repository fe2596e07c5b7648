"""Expected failures of the user domain. Their codes are permanent."""

from domains.core.errors import AppError


class EmailInvalid(AppError):
    code = "EMAIL_INVALID"
    default_message = "This is not an e-mail address."


class PasswordTooWeak(AppError):
    code = "PASSWORD_TOO_WEAK"
    default_message = "A password has 10 to 256 characters, is not the address, and is not among the most used ones."


class FullNameInvalid(AppError):
    code = "FULL_NAME_INVALID"
    default_message = "A name has at most 255 characters, none of them a control character."


class TimeZoneInvalid(AppError):
    code = "TIME_ZONE_INVALID"
    default_message = "A time zone is a name of the IANA database, such as Europe/Paris."


class CurrencyInvalid(AppError):
    code = "CURRENCY_INVALID"
    default_message = "A currency is a code of ISO 4217, such as EUR."


class LocaleInvalid(AppError):
    code = "LOCALE_INVALID"
    default_message = "A locale is a language tag of BCP 47, such as fr-FR."


class AlertAmountInvalid(AppError):
    code = "ALERT_AMOUNT_INVALID"
    default_message = "An amount to be told from is not negative, below 10^15, and has no more digits after the point than your currency."


class AlertThresholdsInvalid(AppError):
    code = "ALERT_THRESHOLDS_INVALID"
    default_message = "Thresholds are at most 10 shares of a budget, above 0 and at most 10, each larger than the one before."


class DashboardLayoutInvalid(AppError):
    code = "DASHBOARD_LAYOUT_INVALID"
    default_message = "A layout of the dashboard is a JSON object."


class OAuthConnectionNotFound(AppError):
    code = "OAUTH_CONNECTION_NOT_FOUND"
    default_message = "There is no such connection."


class LastWayIn(AppError):
    """Without a password and without another connection, its owner could never sign in again."""

    code = "LAST_WAY_IN"
    default_message = "This is the only way in which you can sign in. Set a password first, or connect another account."
