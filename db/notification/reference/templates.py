"""The words of notifications: every type, over every channel, in every language that we speak.

Jinja2 with named variables and nothing else: no filter, no condition, no `safe`. What people read of a variable (an amount, a date) is
formatted for their locale before it is put in. Bodies for `HTML_CHANNELS` are rendered with autoescape, everything else as plain text.
A change here is loaded by a new migration that calls `migrations.reference.load_templates`.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

#: Where bodies have tags: Telegram's few, and those of a mail.
HTML_CHANNELS: Final = ("telegram", "email")
LOCALES: Final = ("en-US", "de-DE", "fr-FR", "es-ES")


class TemplateRow(NamedTuple):
    """A row of `notification_schema.notification_templates`. Telegram has no subjects."""

    template_key: str
    channel: str
    subject_template: str | None
    body_template: str
    variables: tuple[str, ...]
    locale: str


class _Words(NamedTuple):
    """One type in one language: the subject, a sentence that a locked screen has room for, and what else there is to say."""

    subject: str
    summary: str
    details: str


#: Type -> what its subject and summary name, and what its details name beside that.
_VARIABLES: Final = {
    "transaction_alert": (("merchant", "amount"), ("account", "date")),
    "budget_alert": (("budget", "percentage"), ("spent", "limit", "period_end")),
    "insight": (("headline", "text"), ("date",)),
    "daily_summary": (("date", "spent"), ("received", "transaction_count")),
    "weekly_report": (("week_start", "week_end", "spent"), ("received", "top_category")),
    "connection_alert": (("headline", "text"), ("bank",)),
}

#: How a mail begins and ends.
_FRAMES: Final = {
    "en-US": ("Hello,", "You get this mail because a rule of yours in Florin asks for it."),
    "de-DE": ("Guten Tag,", "Diese E-Mail erhalten Sie, weil eine Ihrer Regeln in Florin es so vorsieht."),
    "fr-FR": ("Bonjour,", "Vous recevez ce message parce qu’une de vos règles dans Florin le demande."),
    "es-ES": ("Hola:", "Recibe este mensaje porque una de sus reglas en Florin así lo pide."),
}

_WORDS: Final = {
    "en-US": {
        "transaction_alert": _Words(
            "Transaction at {{ merchant }}",
            "{{ amount }} at {{ merchant }}.",
            "Account {{ account }}, {{ date }}.",
        ),
        "budget_alert": _Words(
            "Budget {{ budget }}: {{ percentage }}% used",
            "You have used {{ percentage }}% of your budget {{ budget }}.",
            "{{ spent }} of {{ limit }} is spent. The period ends on {{ period_end }}.",
        ),
        "insight": _Words("{{ headline }}", "{{ text }}", "As of {{ date }}."),
        "daily_summary": _Words(
            "Your {{ date }}",
            "You spent {{ spent }}.",
            "You received {{ received }}. Transactions: {{ transaction_count }}.",
        ),
        "weekly_report": _Words(
            "Your week, {{ week_start }} to {{ week_end }}",
            "You spent {{ spent }}.",
            "You received {{ received }}. Largest category: {{ top_category }}.",
        ),
        "connection_alert": _Words("{{ headline }}", "{{ text }}", "Bank: {{ bank }}."),
    },
    "de-DE": {
        "transaction_alert": _Words(
            "Umsatz bei {{ merchant }}",
            "{{ amount }} bei {{ merchant }}.",
            "Konto {{ account }}, {{ date }}.",
        ),
        "budget_alert": _Words(
            "Budget {{ budget }}: {{ percentage }} % verbraucht",
            "Sie haben {{ percentage }} % Ihres Budgets {{ budget }} verbraucht.",
            "{{ spent }} von {{ limit }} sind ausgegeben. Der Zeitraum endet am {{ period_end }}.",
        ),
        "insight": _Words("{{ headline }}", "{{ text }}", "Stand: {{ date }}."),
        "daily_summary": _Words(
            "Ihr {{ date }}",
            "Sie haben {{ spent }} ausgegeben.",
            "Eingegangen sind {{ received }}. Umsätze: {{ transaction_count }}.",
        ),
        "weekly_report": _Words(
            "Ihre Woche vom {{ week_start }} bis {{ week_end }}",
            "Sie haben {{ spent }} ausgegeben.",
            "Eingegangen sind {{ received }}. Größter Posten: {{ top_category }}.",
        ),
        "connection_alert": _Words("{{ headline }}", "{{ text }}", "Bank: {{ bank }}."),
    },
    "fr-FR": {
        "transaction_alert": _Words(
            "Opération chez {{ merchant }}",
            "{{ amount }} chez {{ merchant }}.",
            "Compte {{ account }}, {{ date }}.",
        ),
        "budget_alert": _Words(
            "Budget {{ budget }} : {{ percentage }} % utilisés",
            "Vous avez utilisé {{ percentage }} % de votre budget {{ budget }}.",
            "{{ spent }} sur {{ limit }} sont dépensés. La période se termine le {{ period_end }}.",
        ),
        "insight": _Words("{{ headline }}", "{{ text }}", "Au {{ date }}."),
        "daily_summary": _Words(
            "Votre journée du {{ date }}",
            "Vous avez dépensé {{ spent }}.",
            "Vous avez reçu {{ received }}. Opérations : {{ transaction_count }}.",
        ),
        "weekly_report": _Words(
            "Votre semaine du {{ week_start }} au {{ week_end }}",
            "Vous avez dépensé {{ spent }}.",
            "Vous avez reçu {{ received }}. Premier poste : {{ top_category }}.",
        ),
        "connection_alert": _Words("{{ headline }}", "{{ text }}", "Banque : {{ bank }}."),
    },
    "es-ES": {
        "transaction_alert": _Words(
            "Movimiento en {{ merchant }}",
            "{{ amount }} en {{ merchant }}.",
            "Cuenta {{ account }}, {{ date }}.",
        ),
        "budget_alert": _Words(
            "Presupuesto {{ budget }}: {{ percentage }} % usado",
            "Ha usado el {{ percentage }} % de su presupuesto {{ budget }}.",
            "Ha gastado {{ spent }} de {{ limit }}. El periodo termina el {{ period_end }}.",
        ),
        "insight": _Words("{{ headline }}", "{{ text }}", "A fecha de {{ date }}."),
        "daily_summary": _Words(
            "Su {{ date }}",
            "Ha gastado {{ spent }}.",
            "Ha recibido {{ received }}. Movimientos: {{ transaction_count }}.",
        ),
        "weekly_report": _Words(
            "Su semana, del {{ week_start }} al {{ week_end }}",
            "Ha gastado {{ spent }}.",
            "Ha recibido {{ received }}. Mayor partida: {{ top_category }}.",
        ),
        "connection_alert": _Words("{{ headline }}", "{{ text }}", "Banco: {{ bank }}."),
    },
}


def _rows() -> Iterator[TemplateRow]:
    for locale in LOCALES:
        hello, why = _FRAMES[locale]
        for key, words in _WORDS[locale].items():
            short, rest = _VARIABLES[key]
            mail = f"<p>{hello}</p>\n<p>{words.summary}</p>\n<p>{words.details}</p>\n<p>{why}</p>\n"
            chat = f"<b>{words.subject}</b>\n{words.summary}\n{words.details}"
            yield TemplateRow(key, "telegram", None, chat, (*short, *rest), locale)
            yield TemplateRow(key, "email", words.subject, mail, (*short, *rest), locale)
            yield TemplateRow(key, "push", words.subject, words.summary, short, locale)
            yield TemplateRow(key, "in_app", words.subject, f"{words.summary} {words.details}", (*short, *rest), locale)


TEMPLATES: Final = tuple(_rows())
