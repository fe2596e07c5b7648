"""People, as they see themselves."""

import enum
from datetime import datetime, time
from decimal import Decimal

import strawberry

from resolvers.fields import JSON, CurrencyCode, Node, choice, column, entity, link, links, money, value


@strawberry.enum(description="Whether an account is in use.")
class UserStatus(enum.Enum):
    ACTIVE = choice("active", "It is.")
    SUSPENDED = choice("suspended", "Nobody can sign in to it for the time being.")
    DELETED = choice("deleted", "It is over.")


@strawberry.enum(description="A day of the week.")
class Weekday(enum.Enum):
    MONDAY = choice("Monday", "The first day of ISO 8601.")
    TUESDAY = choice("Tuesday", "The second.")
    WEDNESDAY = choice("Wednesday", "The third.")
    THURSDAY = choice("Thursday", "The fourth.")
    FRIDAY = choice("Friday", "The fifth.")
    SATURDAY = choice("Saturday", "The sixth.")
    SUNDAY = choice("Sunday", "The last.")


@strawberry.enum(description="Who vouches for a person who signs in.")
class OAuthProvider(enum.Enum):
    GOOGLE = choice("google", "Google.")
    APPLE = choice("apple", "Apple.")
    FACEBOOK = choice("facebook", "Facebook.")


@value
class UserPreferences:
    """What its owner has chosen, and the defaults for what they have not. What they are sent is what they consent to here."""

    notification_enabled = column(bool, description="Whether anything is sent at all; the choices below are kept meanwhile.")
    email_notifications = column(bool, description="Whether by e-mail.")
    telegram_notifications = column(bool, description="Whether by Telegram, once a chat is linked.")
    # The chat's id itself has no field: it is the bot's address of the person, and no client has a use for it.
    is_telegram_linked = column(bool, description="Whether a chat with our bot is linked.")
    telegram_username = column(str | None, description="Who they are on Telegram; null if they have no name there or no chat is linked.")
    daily_summary_enabled = column(bool, description="Whether a summary comes every day.")
    daily_summary_time = column(time, description="When, by the clock of their time zone.")
    weekly_report_enabled = column(bool, description="Whether a report comes every week.")
    weekly_report_day = column(Weekday, description="On which day.")
    transaction_alert_enabled = column(bool, description="Whether they are told of large transactions.")
    transaction_alert_threshold = money(description="Of which size and larger. It stays in the currency in which it was said.")
    budget_alert_enabled = column(bool, description="Whether they are told when much of a budget is used.")
    budget_alert_thresholds = column(list[Decimal], description="At which shares of a budget, ascending; 1 is all of it.")
    dashboard_layout = column(JSON, description="Whatever a front-end keeps of how it is arranged: an object.")
    updated_at = column(datetime | None, description="When they last changed any of it; null if they never have.")


@entity(loader="user.oauth_connection_by_id")
class OAuthConnection(Node):
    """Somebody else who vouches for this person when they sign in. No token of theirs is kept."""

    provider = column(OAuthProvider, description="Who.")
    name = column(str | None, description="What they call this person; null if they do not say.")
    email = column(str | None, description="Which address they have; null if they do not say.")
    connected_at = column(datetime, description="Since when.")
    updated_at = column(datetime, description="When this last changed.")


@entity(loader="user.by_id")
class User(Node):
    """The person who is signed in. Everything of theirs hangs off it; nobody ever sees another one."""

    email = column(str, description="The address they sign in with, as they wrote it.")
    email_verified = column(bool, description="Whether they have shown that the address is theirs.")
    email_verified_at = column(datetime | None, description="When they have.")
    full_name = column(str | None, description="What they call themselves; null if they do not say.")
    avatar_url = column(str | None, description="A picture of them; null if there is none.")
    phone = column(str | None, description="Their number, as they wrote it; null if they do not say.")
    phone_verified = column(bool, description="Whether they have shown that the number is theirs.")
    timezone = column(
        str, description="A name of the IANA database, such as `Europe/Paris`. Their days and periods begin at midnight there."
    )
    currency = column(CurrencyCode, description="What new budgets are in, and amounts of statements that name no currency.")
    locale = column(str, description="A language tag of BCP 47, such as `fr-FR`, for writing dates and amounts.")
    password_changed_at = column(datetime | None, description="When their password was last changed; null if it never was.")
    two_factor_enabled = column(bool, description="Whether signing in takes more than the password.")
    last_login_at = column(datetime | None, description="When they last signed in with their password.")
    last_login_ip = column(str | None, description="From which address, as far as it is known.")
    login_count = column(int, description="How often they have.")
    status = column(UserStatus, description="Whether the account is in use.")
    created_at = column(datetime, description="When they signed up.")
    updated_at = column(datetime, description="When anything of this last changed; signing in counts.")
    deleted_at = column(datetime | None, description="When the account was deleted; null unless it was.")
    preferences = link(
        "UserPreferences",
        key="id",
        loader="user.preferences_by_user",
        nullable=False,
        description="What they have chosen, with defaults for the rest.",
    )
    oauth_connections = links(
        "OAuthConnection",
        loader="user.oauth_connections_by_user",
        size=3,
        description="Who else vouches for them when they sign in, the oldest first.",
    )
