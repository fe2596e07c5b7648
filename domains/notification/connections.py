"""What somebody is told of a bank's connection that needs them, in their language."""

from collections.abc import Mapping
from typing import Final, NamedTuple


class Words(NamedTuple):
    headline: str
    text: str


#: What has happened, as the event says it.
NEEDS_LOGIN: Final = "NEEDS_LOGIN"
BROKEN: Final = "BROKEN"
CONSENT_ENDS: Final = "CONSENT_ENDS"

#: How a bank is called whose name is not known.
_A_BANK: Final = {"en": "your bank", "de": "Ihrer Bank", "fr": "votre banque", "es": "su banco"}

#: Language -> what is said. Everybody else reads English.
_WORDS: Final[Mapping[str, Mapping[str, Words]]] = {
    "en": {
        NEEDS_LOGIN: Words("Sign in at {bank} again", "Nothing is fetched from {bank} until you have linked it again."),
        BROKEN: Words("{bank} cannot be reached", "Fetching from {bank} has failed several times. It is tried again."),
        CONSENT_ENDS: Words("Agree again at {bank}", "Your consent at {bank} ends within a week. Renew it, and nothing is missed."),
    },
    "de": {
        NEEDS_LOGIN: Words("Neu anmelden bei {bank}", "Von {bank} wird nichts abgerufen, bis Sie die Verbindung erneuert haben."),
        BROKEN: Words("Keine Verbindung zu {bank}", "Der Abruf von {bank} ist mehrmals misslungen. Er wird wiederholt."),
        CONSENT_ENDS: Words(
            "Zustimmung bei {bank} erneuern", "Ihre Zustimmung bei {bank} endet binnen einer Woche. Erneuern Sie sie, damit nichts fehlt."
        ),
    },
    "fr": {
        NEEDS_LOGIN: Words(
            "Nouvelle connexion chez {bank}", "Plus rien n’est relevé chez {bank} tant que vous n’avez pas rétabli le lien."
        ),
        BROKEN: Words("Aucune réponse de {bank}", "Le relevé chez {bank} a échoué plusieurs fois. Il est tenté à nouveau."),
        CONSENT_ENDS: Words(
            "Consentement à renouveler chez {bank}",
            "Votre consentement chez {bank} prend fin dans la semaine. Renouvelez-le pour que rien ne manque.",
        ),
    },
    "es": {
        NEEDS_LOGIN: Words("Inicie sesión de nuevo en {bank}", "No se consulta nada de {bank} hasta que renueve la conexión."),
        BROKEN: Words("Sin respuesta de {bank}", "La consulta de {bank} ha fallado varias veces. Se intenta de nuevo."),
        CONSENT_ENDS: Words(
            "Renueve el consentimiento en {bank}", "Su consentimiento en {bank} termina en una semana. Renuévelo para que no falte nada."
        ),
    },
}


def words_of(kind: str, bank: str | None, locale: str) -> Words:
    """Errors: KeyError for an event that nobody is told of."""
    language = locale[:2] if locale[:2] in _WORDS else "en"
    said, name = _WORDS[language][kind], bank or _A_BANK[language]
    headline = said.headline.format(bank=name)
    return Words(headline[:1].upper() + headline[1:], said.text.format(bank=name))
