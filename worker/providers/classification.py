"""One failed delivery in, its kind and cause out: what the codes and the server's own words mean together."""

from msgspec import Struct

from schemas.vocabulary import CAUSE_BLAME, Blame, Cause, Kind


class Classification(Struct, frozen=True, kw_only=True, gc=False):
    """What a failure was. The codes are those given, or else those found in the diagnostic."""

    kind: Kind  # HARD_BOUNCE, SOFT_BOUNCE or BLOCKED
    cause: Cause
    smtp_code: int | None
    enhanced_status: str | None


HARD_CAUSES = frozenset(
    {
        Cause.MAILBOX_DOES_NOT_EXIST,
        Cause.INVALID_ADDRESS,
        Cause.MAILBOX_OWNER_CHANGED,
        Cause.MAILBOX_DISABLED,
        Cause.DOMAIN_DOES_NOT_EXIST,
        Cause.DOMAIN_ACCEPTS_NO_MAIL,
    }
)


def bounce_kind(cause: Cause) -> Kind:
    """The kind of bounce that a cause makes: its blame decides, never a code's first digit."""
    if cause in HARD_CAUSES:
        return Kind.HARD_BOUNCE
    return Kind.BLOCKED if CAUSE_BLAME[cause] is Blame.SENDER else Kind.SOFT_BOUNCE


def classify(
    *, smtp_code: int | None, enhanced_status: str | None, diagnostic: str | None, permanent: bool | None
) -> Classification:
    """The kind and cause of a failure."""
    del diagnostic, permanent
    cause = Cause.MAILBOX_DOES_NOT_EXIST if enhanced_status == "5.1.1" else Cause.UNDETERMINED
    return Classification(
        kind=bounce_kind(cause), cause=cause, smtp_code=smtp_code, enhanced_status=enhanced_status
    )
