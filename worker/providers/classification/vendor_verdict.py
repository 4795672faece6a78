"""What a failure was, where the vendor has a class for it and the receiving server has words."""

from schemas.vocabulary import CAUSE_BLAME, Blame, Cause, Kind
from worker.providers.classification.failure import HARD_CAUSES, Classification


def settle(kind: Kind, cause: Cause, found: Classification) -> tuple[Kind, Cause]:
    """The kind and cause to believe: the server's codes and words where they say something, else the vendor's class.

    A bare "refused by policy" says less than a vendor's class that puts the fault on the sender, and more than one
    that puts it on the address. What the vendor is still trying stays deferred, whatever the server's words.
    """
    if found.cause is Cause.UNDETERMINED or (found.cause is Cause.POLICY and CAUSE_BLAME[cause] is Blame.SENDER):
        return kind, cause
    return (kind if kind is Kind.DEFERRED else found.kind), found.cause


def kind_of_drop(cause: Cause) -> Kind:
    """The kind of a send that the vendor did not try.

    An echo of an older bounce counts for nothing. What the vendor did not try because no such address can exist is
    the first and only news of it, and counts as a hard bounce does.
    """
    return Kind.HARD_BOUNCE if cause in HARD_CAUSES else Kind.DROPPED
