"""Expected failures of the notification domain. Their codes are permanent."""

from domains.core.errors import AppError


class NotificationNotFound(AppError):
    code = "NOTIFICATION_NOT_FOUND"
    default_message = "There is no such notification."


class NotificationRuleNotFound(AppError):
    code = "NOTIFICATION_RULE_NOT_FOUND"
    default_message = "There is no such rule."


class NotificationRuleLimitReached(AppError):
    code = "NOTIFICATION_RULE_LIMIT_REACHED"
    default_message = "This account has as many rules as it can have. Delete one first."


class NotificationRuleNameInvalid(AppError):
    code = "NOTIFICATION_RULE_NAME_INVALID"
    default_message = "A name has 1 to 255 characters, none of them a control character."


class NotificationConditionsInvalid(AppError):
    code = "NOTIFICATION_CONDITIONS_INVALID"
    default_message = "These conditions do not make a rule of this type."


class NotificationChannelsInvalid(AppError):
    code = "NOTIFICATION_CHANNELS_INVALID"
    default_message = "A rule has at least one channel, each named once."
