"""What strangers say."""

import strawberry

from resolvers.fields import CurrencyCode


@strawberry.input(description="A new account.")
class SignUpInput:
    email: str = strawberry.field(description="The address to sign in with. Case and Unicode spelling do not make it another one.")
    password: str = strawberry.field(description="10 to 256 characters, neither the address nor one of the most used passwords.")
    full_name: str | None = strawberry.field(default=None, description="What to call you, at most 255 characters.")
    timezone: str = strawberry.field(default="UTC", description="A name of the IANA database, such as `Europe/Paris`.")
    currency: CurrencyCode = strawberry.field(
        default=CurrencyCode("USD"), description="What new budgets are in, and amounts of statements that name no currency."
    )
    locale: str = strawberry.field(default="en-US", description="A language tag of BCP 47, such as `fr-FR`.")


@strawberry.input(description="Who signs in.")
class SignInInput:
    email: str = strawberry.field(description="The address of the account.")
    password: str = strawberry.field(description="Its password.")
