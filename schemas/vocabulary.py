"""One vocabulary for the events of every ESP.

The values are stored, logged and sent. A new word may be added; an old one never changes its meaning.
"""

from enum import StrEnum


class Channel(StrEnum):
    """How a contact is reached."""

    EMAIL = "email"
    SMS = "sms"


class Blame(StrEnum):
    """Whose fault a failure is. Only `recipient` and `remote` can ever count against a contact."""

    RECIPIENT = "recipient"  # the address itself: gone, full, disabled, closed to us
    REMOTE = "remote"  # the receiving side's machines: down, slow, misconfigured
    SENDER = "sender"  # us: reputation, content, authentication, rate, configuration
    NOBODY = "nobody"  # not a failure, or an echo of an older one


class Kind(StrEnum):
    """What happened to a message, in the order of a message's life; behind OTHER, what else a person asked for."""

    ACCEPTED = "accepted"  # the ESP has accepted the message; this says nothing about the mailbox
    DEFERRED = "deferred"  # one attempt failed and the ESP goes on trying; never a strike
    DELIVERED = "delivered"  # the receiving server said yes; a bounce may still follow
    SOFT_BOUNCE = "soft_bounce"  # final failure that may not repeat
    HARD_BOUNCE = "hard_bounce"  # final failure that will repeat
    BLOCKED = "blocked"  # refused because of the sender: reputation, content, policy
    DROPPED = "dropped"  # the ESP did not try: its own suppression list, or an invalid request
    OPENED = "opened"  # the message's pixel was fetched (by a machine: `machine` is true)
    CLICKED = "clicked"  # a link was followed
    UNSUBSCRIBE = "unsubscribe"  # the person asked for no more
    RESUBSCRIBE = "resubscribe"  # the person asked for more again
    COMPLAINT = "complaint"  # the person pressed "spam"
    OTHER = "other"  # kept and logged under the vendor's name, changes nothing
    PREFERS_FEWER = "prefers_fewer"  # the person asked for fewer messages, not for none
    DECLINES_COMMERCIAL = "declines_commercial"  # the person wants no commercial messages, neither bulk nor one-to-one
    FORBIDS_CONTACT = "forbids_contact"  # the person wants no message at all, ever


class Way(StrEnum):
    """How an opt-out, or another wish of the person, came in."""

    FOOTER_LINK = "footer_link"  # a link in the message
    MAIL_CLIENT = "mail_client"  # the mail program's own button: List-Unsubscribe (RFC 2369, RFC 8058)
    FORM = "form"  # a page of yours: a preference centre, an account's settings
    STAFF = "staff"  # somebody of ours was told, and recorded it
    PROVIDER = "provider"  # a source reported it, and does not say how


class Cause(StrEnum):
    """Why it happened. `CAUSE_BLAME` says whose fault each one is."""

    # the recipient's
    MAILBOX_DOES_NOT_EXIST = "mailbox_does_not_exist"  # no such user
    INVALID_ADDRESS = "invalid_address"  # not an address at all, by syntax or validation
    MAILBOX_OWNER_CHANGED = "mailbox_owner_changed"  # RFC 7293: somebody else owns it now
    MAILBOX_DISABLED = "mailbox_disabled"  # suspended, inactive, full and abandoned
    MAILBOX_FULL = "mailbox_full"  # over quota
    DOMAIN_DOES_NOT_EXIST = "domain_does_not_exist"  # NXDOMAIN, no MX and no address record
    DOMAIN_ACCEPTS_NO_MAIL = "domain_accepts_no_mail"  # null MX (RFC 7505), 521/556
    RECIPIENT_RESTRICTED = "recipient_restricted"  # exists, but takes no mail from us or from outside
    # the remote side's
    SERVER_UNAVAILABLE = "server_unavailable"  # down, busy, out of storage, misconfigured
    CONNECTION_FAILED = "connection_failed"  # no answer, reset, time-out, routing
    DNS_FAILURE = "dns_failure"  # the look-up failed for now
    GREYLISTED = "greylisted"  # the server asks to try again later
    EXPIRED = "expired"  # the ESP's retries ran out
    UNDETERMINED = "undetermined"  # a failure without a readable reason
    # ours
    SENDER_REPUTATION = "sender_reputation"  # IP or domain on a block list, low reputation
    SENDER_AUTHENTICATION = "sender_authentication"  # SPF, DKIM, DMARC, reverse DNS, TLS
    SENDER_CONFIGURATION = "sender_configuration"  # protocol, relay, wrong sender, our account
    CONTENT = "content"  # the message looked like spam, or was malformed
    VIRUS = "virus"  # the message or an attachment was refused as dangerous
    MESSAGE_TOO_LARGE = "message_too_large"  # too big for the server or the mailbox
    RATE_LIMITED = "rate_limited"  # too many, too fast
    POLICY = "policy"  # refused by a rule without a clear reason (bare 5.7.1)
    # nobody's: echoes, replies, and events that are not failures
    SUPPRESSED_BY_PROVIDER = "suppressed_by_provider"  # on the ESP's own list for an older bounce
    COMPLAINED_AT_PROVIDER = "complained_at_provider"  # on the ESP's list for an older complaint
    UNSUBSCRIBED_AT_PROVIDER = "unsubscribed_at_provider"  # on the ESP's list for an older unsubscribe
    AUTO_REPLY = "auto_reply"  # out of office and the like
    CHALLENGE_RESPONSE = "challenge_response"  # "prove that you are human"
    ADDRESS_CHANGED = "address_changed"  # a reply that names a new address
    ABUSE_REPORT = "abuse_report"  # an ordinary complaint
    FRAUD_REPORT = "fraud_report"  # a complaint about phishing
    TEST = "test"  # a sample from the vendor's console, or mail in test mode
    NONE = "none"  # nothing to explain


CAUSE_BLAME: dict[Cause, Blame] = {
    **dict.fromkeys(
        (
            Cause.MAILBOX_DOES_NOT_EXIST,
            Cause.INVALID_ADDRESS,
            Cause.MAILBOX_OWNER_CHANGED,
            Cause.MAILBOX_DISABLED,
            Cause.MAILBOX_FULL,
            Cause.DOMAIN_DOES_NOT_EXIST,
            Cause.DOMAIN_ACCEPTS_NO_MAIL,
            Cause.RECIPIENT_RESTRICTED,
            Cause.ABUSE_REPORT,
            Cause.FRAUD_REPORT,
        ),
        Blame.RECIPIENT,
    ),
    **dict.fromkeys(
        (
            Cause.SERVER_UNAVAILABLE,
            Cause.CONNECTION_FAILED,
            Cause.DNS_FAILURE,
            Cause.GREYLISTED,
            Cause.EXPIRED,
            Cause.UNDETERMINED,
        ),
        Blame.REMOTE,
    ),
    **dict.fromkeys(
        (
            Cause.SENDER_REPUTATION,
            Cause.SENDER_AUTHENTICATION,
            Cause.SENDER_CONFIGURATION,
            Cause.CONTENT,
            Cause.VIRUS,
            Cause.MESSAGE_TOO_LARGE,
            Cause.RATE_LIMITED,
            Cause.POLICY,
        ),
        Blame.SENDER,
    ),
    **dict.fromkeys(
        (
            Cause.SUPPRESSED_BY_PROVIDER,
            Cause.COMPLAINED_AT_PROVIDER,
            Cause.UNSUBSCRIBED_AT_PROVIDER,
            Cause.AUTO_REPLY,
            Cause.CHALLENGE_RESPONSE,
            Cause.ADDRESS_CHANGED,
            Cause.TEST,
            Cause.NONE,
        ),
        Blame.NOBODY,
    ),
}


class Status(StrEnum):
    """The status shown for a contact: its gravest fact. `STATUS_GRAVITY` orders them."""

    DO_NOT_CONTACT = "do_not_contact"  # the person wants no message at all, ever
    DECLINED_COMMERCIAL = "declined_commercial"  # the person wants no commercial messages
    COMPLAINED = "complained"  # the person pressed "spam"
    BLOCKLISTED = "blocklisted"  # a hard bounce, or a failure of the same weight
    MULTIPLE_SOFT_BOUNCES = "multiple_soft_bounces"  # soft bounces have reached a rule's limit
    UNSUBSCRIBED = "unsubscribed"  # the person opted out of everything, or of one list or group
    UNSUBSCRIBED_BY_US = "unsubscribed_by_us"  # we took the contact off, for a reason of ours
    NON_MARKETABLE = "non_marketable"  # the contact was added, and nobody says that the person agreed
    SOFT_BOUNCING = "soft_bouncing"  # strikes are counted, mail is still allowed
    ACTIVE = "active"  # something was delivered, opened or clicked
    NEW = "new"  # nothing is known, so nothing is forbidden


STATUS_GRAVITY: dict[Status, int] = {status: gravity for gravity, status in enumerate(reversed(Status))}

# Nothing is forbidden to these contacts. They differ only by engagement, which the times of their deliveries, opens
# and clicks show better. So these statuses have no `since`, and a move between them does not count as a change of
# status: it is neither written to the history nor published. Otherwise the first campaign would write a row for
# every contact.
FREE_STATUSES = frozenset({Status.ACTIVE, Status.NEW})


class MailClass(StrEnum):
    """What kind of mail a sender asks about. The class that is forbidden most often comes first."""

    MARKETING = "marketing"  # bulk: newsletters, campaigns, sequences
    ONE_TO_ONE = "one_to_one"  # one person writes to another: a salesman's answer, an invitation
    TRANSACTIONAL = "transactional"  # receipts, password resets, notifications


class Blocks(StrEnum):
    """Which mail a status or a rule forbids, as one word; the words are in the order of how much they forbid.

    `classes` is the same as a set. Only these sets occur: each holds the one before it.
    """

    NONE = "none"
    MARKETING = "marketing"
    COMMERCIAL = "commercial"  # marketing and one-to-one: everything but transactional mail
    ALL = "all"

    @property
    def classes(self) -> tuple[MailClass, ...]:
        """The classes of mail that must not be sent, those forbidden most often first."""
        return _FORBIDDEN[self]

    def forbids(self, mail_class: MailClass) -> bool:
        """True if mail of this class must not be sent."""
        return mail_class in _FORBIDDEN[self]


_FORBIDDEN: dict[str, tuple[MailClass, ...]] = {
    Blocks.NONE: (),
    Blocks.MARKETING: (MailClass.MARKETING,),
    Blocks.COMMERCIAL: (MailClass.MARKETING, MailClass.ONE_TO_ONE),
    Blocks.ALL: tuple(MailClass),
}


def forbidden_classes(blocks: str) -> tuple[MailClass, ...]:
    """The classes of mail that this word of `Blocks` forbids; a word that this version does not know forbids all."""
    return _FORBIDDEN.get(blocks, _FORBIDDEN[Blocks.ALL])


class System(StrEnum):
    """Another system, whose names of statuses are known (worker.policy.other_names)."""

    KARTRA = "kartra"
    KARTRA_LEADS = "kartra_leads"
    KEAP = "keap"
    EMAILMASSIVO = "emailmassivo"
    YESPO = "yespo"
