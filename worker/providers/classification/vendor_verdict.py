"""What a failure was, where the vendor has a class for it and the receiving server has words."""

from schemas.vocabulary import CAUSE_BLAME, Blame, Cause, Kind
from worker.providers.classification.failure import HARD_CAUSES, Classification, classify

# The vendor tells of its list, so that whatever it quotes beside is old news.
_ECHOES = ("suppress", "bounced", "blocklist", "blacklist", "unsubscri", "complain")
_INVALID = ("invalid", "not valid", "not a valid", "malformed", "syntax", "format")
_OF_AN_ADDRESS = frozenset({Cause.INVALID_ADDRESS, Cause.MAILBOX_DOES_NOT_EXIST})


def settle(kind: Kind, cause: Cause, classification: Classification) -> tuple[Kind, Cause]:
    """The kind and cause to believe: the server's codes and words if they say something, or the vendor's class.

    A bare "refused by policy" says less than a vendor's class that puts the fault on the sender, and more than one
    that puts it on the address. What the vendor is still trying stays deferred, whatever the server's words.
    """
    if classification.cause is Cause.UNDETERMINED or (
        classification.cause is Cause.POLICY and CAUSE_BLAME[cause] is Blame.SENDER
    ):
        return kind, cause
    return (kind if kind is Kind.DEFERRED else classification.kind), classification.cause


def kind_of_drop(cause: Cause) -> Kind:
    """The kind of a send that the vendor did not try.

    An echo of an older bounce counts for nothing. What the vendor did not try because no such address can exist is
    the first and only news of it, and counts as a hard bounce does.
    """
    return Kind.HARD_BOUNCE if cause in HARD_CAUSES else Kind.DROPPED


def cause_of_drop(cause: Cause, words: str | None, *, recipient: str | None = None) -> Cause:
    """Why the vendor did not try: INVALID_ADDRESS if its words plainly say so of the recipient, otherwise `cause`.

    Only the form of an address can be judged without a try; any other reported fault is an older one.
    """
    lowered = words.lower().replace("_", " ") if words else ""
    if any(echo in lowered for echo in _ECHOES) or not any(word in lowered for word in _INVALID):
        return cause
    classification = classify(
        smtp_code=None, enhanced_status=None, diagnostic=lowered, permanent=True, recipient=recipient
    )
    return Cause.INVALID_ADDRESS if classification.cause in _OF_AN_ADDRESS else cause
