"""What servers say in other languages than English."""

from worker.providers.classification.subject import Predicate, Subject
from worker.providers.classification.wording import say

FULL = (
    say(
        Subject.MAILBOX,
        Predicate.FULL,
        *("boîte pleine", "boite pleine", "quota dépassé", "postfach voll", "postfach ist voll", "buzón lleno"),
        *("casella piena", "boite du destinataire pleine", "boîte du destinataire pleine"),
        plain=True,
    ),
)
DISABLED = (
    say(
        Subject.MAILBOX,
        Predicate.DISABLED,
        "compte archivé",
        "compte archive",
        "compte bloqué",
        "compte bloque",
        "deaktiviert",
        "desactivado",
        "desactivada",
    ),
)
NOT_FOUND = (
    say(
        Subject.MAILBOX,
        Predicate.NOT_FOUND,
        *("utilisateur inconnu", "adresse inconnue", "destinataire inconnu", "unbekannter empfänger"),
        *("empfänger unbekannt", "existiert nicht", "usuario desconocido", "no existe", "utente sconosciuto"),
        *("usuário desconhecido", "onbekende gebruiker"),
    ),
)
