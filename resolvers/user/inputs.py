"""What people say of themselves."""

from datetime import time
from decimal import Decimal
from typing import Any

import strawberry
from strawberry.utils.str_converters import to_camel_case

from domains.user.service import UpdatePreferences
from resolvers.errors import BadUserInput
from resolvers.fields import JSON
from resolvers.user.types import Weekday


def _optional(description: str) -> Any:
    return strawberry.field(default=strawberry.UNSET, description=description)


@strawberry.input(description="What to change of your preferences. What is left out stays as it is; nothing can be null.")
class PreferencesUpdateInput:
    notification_enabled: bool | None = _optional("Whether anything is sent at all.")
    email_notifications: bool | None = _optional("Whether by e-mail.")
    telegram_notifications: bool | None = _optional("Whether by Telegram.")
    daily_summary_enabled: bool | None = _optional("Whether a summary comes every day.")
    daily_summary_time: time | None = _optional("When, by the clock of your time zone.")
    weekly_report_enabled: bool | None = _optional("Whether a report comes every week.")
    weekly_report_day: Weekday | None = _optional("On which day.")
    transaction_alert_enabled: bool | None = _optional("Whether you are told of large transactions.")
    transaction_alert_threshold: Decimal | None = _optional("Of which size and larger, in your currency: not negative; 0 is of every one.")
    budget_alert_enabled: bool | None = _optional("Whether you are told when much of a budget is used.")
    budget_alert_thresholds: list[Decimal] | None = _optional(
        "At which shares of a budget, at most 10 of them, above 0 and at most 10, ascending; 1 is all of it. None is never."
    )
    dashboard_layout: JSON | None = _optional("Whatever a front-end keeps of how it is arranged: an object. It replaces the one before.")


@strawberry.input(description="Which connection to end.")
class OAuthConnectionDeleteInput:
    id: strawberry.ID = strawberry.field(description="The connection.")


def read_change(given: PreferencesUpdateInput) -> UpdatePreferences:
    """Errors: BadUserInput for a null."""
    said = {name: value for name, value in vars(given).items() if value is not strawberry.UNSET}
    for name, value in said.items():
        if value is None:
            raise BadUserInput(f"`{to_camel_case(name)}` cannot be null. Leave it out to keep it.", argument="input")
    if "weekly_report_day" in said:
        said["weekly_report_day"] = said["weekly_report_day"].value
    return UpdatePreferences(**said)
