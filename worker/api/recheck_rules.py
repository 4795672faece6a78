"""What the settings allow a check of an address."""

from schemas.vocabulary import Cause
from worker.contacts.mail_domain import DomainLookup
from worker.contacts.recheck import RecheckRules
from worker.settings.recheck import nameserver
from worker.settings.safelist import configured_rules
from worker.settings.tree import RecheckSettings, SafelistSettings


def recheck_rules(settings: RecheckSettings, safelist: SafelistSettings) -> RecheckRules:
    """The rules of one process: its look-ups share one limit."""
    lookup = None
    if settings.dns:
        lookup = DomainLookup(
            timeout_seconds=settings.timeout_seconds,
            at_once=settings.lookups_at_once,
            nameservers=[nameserver(text) for text in settings.nameservers],
        )
    return RecheckRules(
        lookup=lookup,
        frees=frozenset(Cause(cause) for cause in settings.frees),
        limits=configured_rules(safelist).limits,
    )
