"""People, as they see themselves."""

from datetime import datetime

from resolvers.fields import CurrencyCode, Node, column, entity


@entity(loader="user.by_id")
class User(Node):
    """The person who is signed in. Everything of theirs hangs off it; nobody ever sees another one."""

    email = column(str, description="The address they sign in with, as they wrote it.")
    email_verified = column(bool, description="Whether they have shown that the address is theirs.")
    full_name = column(str | None, description="What they call themselves; null if they do not say.")
    timezone = column(
        str, description="A name of the IANA database, such as `Europe/Paris`. Their days and periods begin at midnight there."
    )
    currency = column(CurrencyCode, description="What new budgets are in, and amounts of statements that name no currency.")
    locale = column(str, description="A language tag of BCP 47, such as `fr-FR`, for writing dates and amounts.")
    created_at = column(datetime, description="When they signed up.")
