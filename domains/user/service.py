"""Use cases of the user domain: what people choose, and whom they sign in with elsewhere."""

from dataclasses import asdict, dataclass
from datetime import time
from decimal import Decimal
from uuid import UUID

from db.engines import WriteSession
from db.user import queries
from domains.core.changes import UNSET, Unset
from domains.user import rules
from domains.user.errors import LastWayIn, OAuthConnectionNotFound


@dataclass(frozen=True, slots=True)
class UpdatePreferences:
    """What to change; what is UNSET stays.

    transaction_alert_threshold: in the user's currency, and kept in it when the user changes to another one.
    budget_alert_thresholds:     shares of a budget; 1 is all of it.
    weekly_report_day:           one of `db.user.models.WEEKDAYS`.
    """

    notification_enabled: bool | Unset = UNSET
    email_notifications: bool | Unset = UNSET
    telegram_notifications: bool | Unset = UNSET
    daily_summary_enabled: bool | Unset = UNSET
    daily_summary_time: time | Unset = UNSET
    weekly_report_enabled: bool | Unset = UNSET
    weekly_report_day: str | Unset = UNSET
    transaction_alert_enabled: bool | Unset = UNSET
    transaction_alert_threshold: Decimal | Unset = UNSET
    budget_alert_enabled: bool | Unset = UNSET
    budget_alert_thresholds: list[Decimal] | Unset = UNSET
    dashboard_layout: object = UNSET


async def update_preferences(session: WriteSession, command: UpdatePreferences) -> None:
    """Change what is given. Errors: AlertAmountInvalid; AlertThresholdsInvalid; DashboardLayoutInvalid."""
    given = {name: value for name, value in asdict(command).items() if value is not UNSET}
    if not given:
        return
    if "budget_alert_thresholds" in given:
        given["budget_alert_thresholds"] = rules.check_alert_thresholds(given["budget_alert_thresholds"])
    if "dashboard_layout" in given:
        given["dashboard_layout"] = rules.check_dashboard_layout(given["dashboard_layout"])
    currency = await queries.currency_of(session)
    if "transaction_alert_threshold" in given:
        given["transaction_alert_threshold"] = rules.check_alert_amount(given["transaction_alert_threshold"], currency)
        given["currency"] = currency
    await queries.store_preferences(session, currency, given)


async def delete_oauth_connection(session: WriteSession, connection_id: UUID) -> None:
    """Sign in with this provider no more. Errors: OAuthConnectionNotFound; LastWayIn."""
    ways = await queries.lock_ways_in(session)
    if connection_id not in ways.oauth_connection_ids:
        raise OAuthConnectionNotFound(field="id")
    if not ways.has_password and len(ways.oauth_connection_ids) == 1:
        raise LastWayIn(field="id")
    await queries.delete_oauth_connection(session, connection_id)
