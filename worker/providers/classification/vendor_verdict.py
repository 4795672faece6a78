"""Kind and cause of a failure for which the vendor has a class, and the receiving server has words."""

from schemas.vocabulary import CAUSE_BLAME, Blame, Cause, Kind
from worker.providers.classification.failure import HARD_CAUSES, Classification, classify

# With one of these the vendor speaks of its suppression list, so any reply that it quotes is an old one.
_ECHOES = ("suppress", "bounced", "blocklist", "blacklist", "unsubscri", "complain")
_INVALID = ("invalid", "not valid", "not a valid", "malformed", "syntax", "format")
_OF_AN_ADDRESS = frozenset({Cause.INVALID_ADDRESS, Cause.MAILBOX_DOES_NOT_EXIST})


def settle(kind: Kind, cause: Cause, classification: Classification) -> tuple[Kind, Cause]:
    """The kind and the cause to believe: by the server's codes and words, or the vendor's class if they say nothing.

    If the server says no more than "refused by policy", a vendor's class that blames the sender is believed, but none
    that blames the address. While the vendor is still trying, the event stays deferred.
    """
    if classification.cause is Cause.UNDETERMINED or (
        classification.cause is Cause.POLICY and CAUSE_BLAME[cause] is Blame.SENDER
    ):
        return kind, cause
    return (kind if kind is Kind.DEFERRED else classification.kind), classification.cause


def kind_of_drop(cause: Cause) -> Kind:
    """The kind of a message that the vendor did not try to deliver.

    It is a hard bounce if no such address can exist: nothing else will be reported about it. Otherwise the reason is an
    earlier bounce, which was counted then.
    """
    return Kind.HARD_BOUNCE if cause in HARD_CAUSES else Kind.DROPPED


def cause_of_drop(cause: Cause, words: str | None, *, recipient: str | None = None) -> Cause:
    """Why the vendor did not try: INVALID_ADDRESS if its words plainly say so of the recipient, otherwise `cause`.

    Without a try only the form of the address can be judged. Any other fault was found earlier.
    """
    lowered = words.lower().replace("_", " ") if words else ""
    if any(echo in lowered for echo in _ECHOES) or not any(word in lowered for word in _INVALID):
        return cause
    classification = classify(
        smtp_code=None, enhanced_status=None, diagnostic=lowered, permanent=True, recipient=recipient
    )
    return Cause.INVALID_ADDRESS if classification.cause in _OF_AN_ADDRESS else cause
