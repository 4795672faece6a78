"""What a reply is about, and what it says about it."""

from enum import StrEnum


class Subject(StrEnum):
    """What a reply is about."""

    MAILBOX = "mailbox"  # the recipient's
    DOMAIN = "domain"  # the recipient's
    SENDER = "sender"  # our address, or our address' domain
    CLIENT = "client"  # our host, IP address or HELO name
    ACCOUNT = "account"  # ours, at the ESP or the smarthost
    DIALOGUE = "dialogue"  # the SMTP commands that our side sends
    MESSAGE = "message"
    SYSTEM = "system"  # the receiving server
    CONNECTION = "connection"  # the network between the servers
    UNNAMED = "unnamed"  # a noun beside the wording tells it, or the stage


class Predicate(StrEnum):
    """What a reply says about its subject."""

    NOT_FOUND = "not_found"
    NO_RECORDS = "no_records"  # the DNS has no MX and no address for it
    NOT_FOUND_FOR_NOW = "not_found_for_now"  # a look-up that may succeed later
    INVALID = "invalid"  # by its syntax
    DISABLED = "disabled"
    ABANDONED = "abandoned"  # full, and nobody reads it
    FULL = "full"
    OWNER_CHANGED = "owner_changed"
    RESTRICTED = "restricted"  # takes mail, but not from us
    TAKES_NO_MAIL = "takes_no_mail"  # from anybody
    REFUSED = "refused"  # by a rule that names no reason
    LISTED = "listed"  # on a block list, or of bad reputation
    UNPROVEN = "unproven"  # SPF, DKIM, DMARC, reverse DNS, TLS
    RATE_EXCEEDED = "rate_exceeded"
    TOO_LARGE = "too_large"
    UNWANTED = "unwanted"  # spam, phishing, forbidden or malformed content
    DANGEROUS = "dangerous"  # a virus
    MISCONFIGURED = "misconfigured"
    MAY_NOT_RELAY = "may_not_relay"
    GREYLISTED = "greylisted"
    UNAVAILABLE = "unavailable"
    UNREACHABLE = "unreachable"
    EXPIRED = "expired"
