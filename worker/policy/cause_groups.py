"""Names for groups of causes in rules: `causes = ["@temporary", "mailbox_full"]`."""

from schemas.vocabulary import Cause
from worker.policy.event_order import COUNTABLE_CAUSES

_BAD_MAILBOX = frozenset({Cause.MAILBOX_DOES_NOT_EXIST, Cause.INVALID_ADDRESS, Cause.MAILBOX_OWNER_CHANGED})
_INACTIVE_MAILBOX = frozenset({Cause.MAILBOX_DISABLED})
_BAD_DOMAIN = frozenset({Cause.DOMAIN_DOES_NOT_EXIST, Cause.DOMAIN_ACCEPTS_NO_MAIL})
_MAILBOX_FULL = frozenset({Cause.MAILBOX_FULL})
_TEMPORARY = frozenset(
    {
        Cause.SERVER_UNAVAILABLE,
        Cause.CONNECTION_FAILED,
        Cause.DNS_FAILURE,
        Cause.GREYLISTED,
        Cause.EXPIRED,
    }
)
_RECIPIENT_RESTRICTED = frozenset({Cause.RECIPIENT_RESTRICTED})
_UNDETERMINED = frozenset({Cause.UNDETERMINED})

CAUSE_GROUPS: dict[str, frozenset[Cause]] = {
    "@bad_mailbox": _BAD_MAILBOX,  # no such mailbox, for good
    "@inactive_mailbox": _INACTIVE_MAILBOX,  # disabled, suspended, abandoned
    "@bad_domain": _BAD_DOMAIN,  # no server accepts mail for the domain
    "@mailbox_full": _MAILBOX_FULL,
    "@temporary": _TEMPORARY,  # the receiving side's machines
    "@recipient_restricted": _RECIPIENT_RESTRICTED,  # accepts no mail from us or from outside
    "@undetermined": _UNDETERMINED,  # without a readable reason
    "@hard": _BAD_MAILBOX | _INACTIVE_MAILBOX | _BAD_DOMAIN,
    "@soft": _MAILBOX_FULL | _TEMPORARY | _RECIPIENT_RESTRICTED | _UNDETERMINED,
    "@any": COUNTABLE_CAUSES,  # every cause that can count at all
}
