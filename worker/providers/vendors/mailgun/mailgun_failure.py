"""Reads Mailgun's `failed`: "permanent" also covers expired retries and Mailgun's own suppressions.

https://documentation.mailgun.com/docs/mailgun/user-manual/tracking-messages/tracking-failures
"""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from schemas.vocabulary import CAUSE_BLAME, Blame, Cause, Kind
from worker.providers.classification.failure import Classification, bounce_kind, classify
from worker.providers.payload import json_payload
from worker.providers.payload.json_payload import WORD_LIMIT


class Failure(Struct, frozen=True, kw_only=True, gc=False):
    """The parts of a failure that differ from event to event."""

    kind: Kind
    cause: Cause
    vendor_event: str
    by_codes: Classification | None = None  # the server's codes
    diagnostic: str | None = None
    recognised: bool = True


# Mailgun's own codes, beside the SMTP ones.
NO_MX = 498
OWN_CODES: dict[int, tuple[Kind, Cause]] = {
    NO_MX: (Kind.HARD_BOUNCE, Cause.DOMAIN_DOES_NOT_EXIST),  # no MX until the last try
    499: (Kind.SOFT_BOUNCE, Cause.CONNECTION_FAILED),
    602: (Kind.SOFT_BOUNCE, Cause.EXPIRED),
    605: (Kind.DROPPED, Cause.SUPPRESSED_BY_PROVIDER),
    606: (Kind.DROPPED, Cause.UNSUBSCRIBED_AT_PROVIDER),
    607: (Kind.DROPPED, Cause.COMPLAINED_AT_PROVIDER),
    625: (Kind.DROPPED, Cause.SENDER_REPUTATION),  # "poor mailing list quality"
}

# Reasons that decide the kind; the words only choose among causes of the same kind.
PERMANENT_REASONS: dict[str, tuple[Kind, Cause]] = {
    "suppress-bounce": (Kind.DROPPED, Cause.SUPPRESSED_BY_PROVIDER),
    "suppress-unsubscribe": (Kind.DROPPED, Cause.UNSUBSCRIBED_AT_PROVIDER),
    "suppress-complaint": (Kind.DROPPED, Cause.COMPLAINED_AT_PROVIDER),
    "old": (Kind.SOFT_BOUNCE, Cause.EXPIRED),
    "espblock": (Kind.BLOCKED, Cause.SENDER_REPUTATION),
    "blacklisted": (Kind.BLOCKED, Cause.SENDER_REPUTATION),
    "greylisted": (Kind.SOFT_BOUNCE, Cause.GREYLISTED),
}
# Reasons for which codes and words decide, and whether they mean a dead address without any.
OPEN_REASONS: dict[str, bool] = {
    "bounce": True,
    "delayed-bounce": True,
    "hardfail": True,
    "generic": False,
    "unknown": False,
}

# The kind and cause of a `failed` without words of the server.
FAILURES: dict[str, tuple[Kind, Cause]] = (
    {
        "failed/temporary": (Kind.DEFERRED, Cause.UNDETERMINED),
        "failed/permanent": (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),
        "failed/internal": (Kind.OTHER, Cause.NONE),
        "failed/unknown": (Kind.OTHER, Cause.NONE),
    }
    | {f"failed/permanent/{code}": meaning for code, meaning in OWN_CODES.items()}
    | {f"failed/permanent/{reason}": meaning for reason, meaning in PERMANENT_REASONS.items()}
    | {
        f"failed/permanent/{reason}": (Kind.HARD_BOUNCE if dead else Kind.SOFT_BOUNCE, Cause.UNDETERMINED)
        for reason, dead in OPEN_REASONS.items()
    }
)

_SEVERITIES = frozenset({"temporary", "permanent", "internal", "unknown"})


def settle_failure(values: Mapping[str, Any], status: Mapping[str, Any], diagnostic: str | None) -> Failure:
    """Kind and cause of a `failed` event; `status` is its delivery-status."""
    severity = (json_payload.text(values, "severity", WORD_LIMIT) or "").lower()
    reason = (json_payload.text(values, "reason", WORD_LIMIT) or "").lower()
    code = json_payload.integer(status, "code")
    if code is None:
        code = json_payload.integer(status, "bounce-code")
    classification = classify(
        smtp_code=None if code in OWN_CODES else code,
        enhanced_status=json_payload.text(status, "enhanced-code", 100),
        diagnostic=diagnostic,
        permanent=severity == "permanent" if severity in {"permanent", "temporary"} else None,
        recipient=json_payload.text(values, "recipient"),
        sender=json_payload.text(json_payload.child(values, "envelope"), "sender"),
        remote_host=json_payload.text(status, "mx-host"),
    )
    if severity == "temporary":
        kind, cause = Kind.DEFERRED, _temporary_cause(reason, code, classification)
    elif severity == "permanent":
        bounce_type = (json_payload.text(status, "bounce-type", WORD_LIMIT) or "").lower()
        kind, cause = _permanent(reason, code, bounce_type, classification)
    else:  # "internal", "unknown" or nothing
        kind, cause = Kind.OTHER, Cause.NONE
    return Failure(
        kind=kind,
        cause=cause,
        vendor_event="/".join(word for word in ("failed", severity, reason) if word),
        by_codes=classification,
        recognised=severity in _SEVERITIES and (not reason or reason in PERMANENT_REASONS or reason in OPEN_REASONS),
    )


def _temporary_cause(reason: str, code: int | None, classification: Classification) -> Cause:
    if reason == "greylisted":
        return Cause.GREYLISTED
    if code == NO_MX:
        return Cause.DNS_FAILURE  # a domain that may exist tomorrow
    return OWN_CODES[code][1] if code in OWN_CODES else classification.cause


def _permanent(reason: str, code: int | None, bounce_type: str, classification: Classification) -> tuple[Kind, Cause]:
    decided = PERMANENT_REASONS.get(reason) or (OWN_CODES.get(code) if code is not None else None)
    if decided is not None:
        kind, cause = decided
        names_fault = CAUSE_BLAME[classification.cause] is Blame.SENDER and classification.cause is not Cause.POLICY
        if kind is Kind.BLOCKED and names_fault:
            cause = classification.cause
        return kind, cause
    if classification.cause is not Cause.UNDETERMINED and not _is_bare_policy(classification):
        if classification.kind is Kind.HARD_BOUNCE and bounce_type == "soft":
            return Kind.SOFT_BOUNCE, Cause.UNDETERMINED
        return bounce_kind(classification.cause), classification.cause
    if bounce_type in {"hard", "soft"}:
        hard = bounce_type == "hard"
    else:
        hard = (
            OPEN_REASONS.get(reason, False)
            and not _was_temporary(classification)
            and classification.cause is not Cause.POLICY
        )
    if hard:
        # Mailgun says that the address is dead, but its words give no reason.
        return Kind.HARD_BOUNCE, Cause.UNDETERMINED
    return bounce_kind(classification.cause), classification.cause


def _is_bare_policy(classification: Classification) -> bool:
    return classification.cause is Cause.POLICY and (classification.enhanced_status or "")[2:4] != "7."


def _was_temporary(classification: Classification) -> bool:
    if classification.smtp_code is not None:
        return classification.smtp_code < 500  # noqa: PLR2004 - RFC 5321: 4yz is temporary
    return classification.enhanced_status is not None and classification.enhanced_status[0] == "4"
