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
