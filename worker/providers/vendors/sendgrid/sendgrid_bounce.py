"""Reads SendGrid's bounces: its classification, weighed against the words of the receiving server.

https://www.twilio.com/docs/sendgrid/ui/analytics-and-reporting/bounce-and-block-classifications
"""

from msgspec import Struct

from schemas.vocabulary import Cause, Kind
from worker.providers.classification.failure import Classification


class BounceClass(Struct, frozen=True, gc=False):
    """The meaning of a `bounce_classification`, with `type` bounce and with `type` blocked.

    The server's words and codes overrule it, but only if they give a kind in `overruled_by`: a block by
    reputation stays one, even if the refusal quotes an address.
    """

    bounce: tuple[Kind, Cause]
    blocked: tuple[Kind, Cause]
    overruled_by: frozenset[Kind]


_ANY = frozenset({Kind.HARD_BOUNCE, Kind.SOFT_BOUNCE, Kind.BLOCKED})
_UNCLASSIFIED = BounceClass(
    # SendGrid puts the address on its own list for good, without a readable reason.
    bounce=(Kind.HARD_BOUNCE, Cause.UNDETERMINED),
    blocked=(Kind.BLOCKED, Cause.POLICY),
    overruled_by=_ANY,
)
BOUNCE_CLASSES: dict[str, BounceClass] = {
    "invalid address": BounceClass(
        (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST), (Kind.SOFT_BOUNCE, Cause.UNDETERMINED), _ANY
    ),
    "mailbox unavailable": BounceClass(
        (Kind.HARD_BOUNCE, Cause.MAILBOX_DISABLED), (Kind.SOFT_BOUNCE, Cause.UNDETERMINED), _ANY
    ),
    "reputation": BounceClass(
        (Kind.BLOCKED, Cause.SENDER_REPUTATION),
        (Kind.BLOCKED, Cause.SENDER_REPUTATION),
        frozenset({Kind.BLOCKED}),
    ),
    "content": BounceClass((Kind.BLOCKED, Cause.CONTENT), (Kind.BLOCKED, Cause.CONTENT), frozenset({Kind.BLOCKED})),
    "frequency or volume too high": BounceClass(
        (Kind.BLOCKED, Cause.RATE_LIMITED), (Kind.BLOCKED, Cause.RATE_LIMITED), frozenset({Kind.BLOCKED})
    ),
    "technical failure": BounceClass(
        (Kind.SOFT_BOUNCE, Cause.SERVER_UNAVAILABLE),
        (Kind.SOFT_BOUNCE, Cause.SERVER_UNAVAILABLE),
        frozenset({Kind.SOFT_BOUNCE}),
    ),
    "unclassified": _UNCLASSIFIED,
}
# The shorter words of older payloads.
BOUNCE_CLASSES["invalid"] = BOUNCE_CLASSES["invalid address"]
BOUNCE_CLASSES["technical"] = BOUNCE_CLASSES["technical failure"]
BOUNCE_CLASSES["frequency"] = BOUNCE_CLASSES["frequency or volume too high"]


def settle_bounce(bounce_type: str, class_name: str, classification: Classification) -> tuple[Kind, Cause]:
    """Kind and cause of a `bounce` event; `type` and `bounce_classification` are given in lower case."""
    if bounce_type == "expired":
        says_more = classification.kind is Kind.SOFT_BOUNCE and _says_why(classification)
        return Kind.SOFT_BOUNCE, classification.cause if says_more else Cause.EXPIRED
    if bounce_type not in {"bounce", "blocked"}:
        return classification.kind, classification.cause
    bounce_class = BOUNCE_CLASSES.get(class_name, _UNCLASSIFIED)
    if _overrules(classification, bounce_class, bounce_type):
        return classification.kind, classification.cause
    kind, cause = bounce_class.bounce if bounce_type == "bounce" else bounce_class.blocked
    if kind is Kind.HARD_BOUNCE and _was_temporary(classification):
        return Kind.SOFT_BOUNCE, Cause.UNDETERMINED
    return kind, cause


def _overrules(classification: Classification, bounce_class: BounceClass, bounce_type: str) -> bool:
    if not _says_why(classification) or classification.kind not in bounce_class.overruled_by:
        return False
    if classification.cause is Cause.POLICY and bounce_class.bounce[0] is Kind.BLOCKED:
        return False  # SendGrid's class says more than "refused by some rule"
    if classification.kind is Kind.HARD_BOUNCE and bounce_type == "blocked":
        # SendGrid goes on mailing to addresses that it calls blocked; only a clearly bad address is different.
        is_address_class = bounce_class is BOUNCE_CLASSES["invalid address"]
        return is_address_class and (classification.enhanced_status or "").startswith("5.1.")
    return True


def _says_why(classification: Classification) -> bool:
    """True if codes and words gave a reason: a bare 554 or "rejected" gives none, a code 5.7.x does."""
    if classification.cause is Cause.POLICY:
        return (classification.enhanced_status or "")[2:4] == "7."
    return classification.cause is not Cause.UNDETERMINED


def _was_temporary(classification: Classification) -> bool:
    if classification.smtp_code is not None:
        return classification.smtp_code < 500  # noqa: PLR2004 - RFC 5321: 4yz is temporary
    return classification.enhanced_status is not None and classification.enhanced_status[0] == "4"
