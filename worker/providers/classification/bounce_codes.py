"""What each status code means by itself: the enhanced codes, then the SMTP reply codes.

The enhanced codes are those of the IANA registry "SMTP Enhanced Status Codes" (RFC 3463, 4954, 5248, 6531, 6710, 7293,
7372, 7505, 8689 …), followed by codes that Google and Microsoft use but have not registered.
https://www.iana.org/assignments/smtp-enhanced-status-codes/smtp-enhanced-status-codes.xhtml
"""

from enum import Enum

from msgspec import Struct

from schemas.vocabulary import Cause


class Trust(Enum):
    """Whether a code is believed if the server's words say something else."""

    SURE = "sure"  # the code is believed, and the words are not read
    GUARDED = "guarded"  # the code is believed unless the words plainly contradict it
    VAGUE = "vague"  # the words are believed, and the code only if they say nothing


class CodeMeaning(Struct, frozen=True, gc=False):
    """The causes that a code stands for if the refusal was temporary and if it was permanent."""

    temporary: Cause
    permanent: Cause
    trust: Trust


def _vague(temporary: Cause, permanent: Cause | None = None) -> CodeMeaning:
    return CodeMeaning(temporary, permanent or temporary, Trust.VAGUE)


def _guarded(temporary: Cause, permanent: Cause | None = None) -> CodeMeaning:
    return CodeMeaning(temporary, permanent or temporary, Trust.GUARDED)


def _sure(temporary: Cause, permanent: Cause | None = None) -> CodeMeaning:
    return CodeMeaning(temporary, permanent or temporary, Trust.SURE)


# By subject and detail, without the first digit.
ENHANCED_CODES: dict[str, CodeMeaning] = {
    "0.0": _vague(Cause.UNDETERMINED),
    # addresses
    "1.0": _vague(Cause.SERVER_UNAVAILABLE, Cause.POLICY),  # Exchange uses it for "sender denied"
    "1.1": _guarded(Cause.SERVER_UNAVAILABLE, Cause.MAILBOX_DOES_NOT_EXIST),  # 4.1.1: not verified yet
    "1.2": _guarded(Cause.DNS_FAILURE, Cause.DOMAIN_DOES_NOT_EXIST),
    "1.3": _guarded(Cause.SERVER_UNAVAILABLE, Cause.INVALID_ADDRESS),
    "1.4": _vague(Cause.SERVER_UNAVAILABLE, Cause.RECIPIENT_RESTRICTED),
    "1.5": _vague(Cause.UNDETERMINED),  # "address valid": officially not a failure
    "1.6": _guarded(Cause.SERVER_UNAVAILABLE, Cause.MAILBOX_DOES_NOT_EXIST),
    "1.7": _sure(Cause.SENDER_CONFIGURATION),
    "1.8": _sure(Cause.SENDER_CONFIGURATION),  # our domain does not resolve, or our account is blocked
    "1.9": _vague(Cause.UNDETERMINED),  # "relayed": officially not a failure
    "1.10": _guarded(Cause.DNS_FAILURE, Cause.DOMAIN_ACCEPTS_NO_MAIL),
    # mailboxes
    "2.0": _vague(Cause.UNDETERMINED),
    "2.1": _vague(Cause.SERVER_UNAVAILABLE, Cause.MAILBOX_DISABLED),
    "2.2": _guarded(Cause.MAILBOX_FULL),
    "2.3": _sure(Cause.MESSAGE_TOO_LARGE),
    "2.4": _guarded(Cause.SERVER_UNAVAILABLE),
    # mail systems
    "3.0": _vague(Cause.SERVER_UNAVAILABLE),
    "3.1": _guarded(Cause.SERVER_UNAVAILABLE),  # the server's disk is full, not the user's mailbox
    "3.2": _vague(Cause.SERVER_UNAVAILABLE),
    "3.3": _sure(Cause.SENDER_CONFIGURATION),
    "3.4": _sure(Cause.MESSAGE_TOO_LARGE),
    "3.5": _guarded(Cause.SERVER_UNAVAILABLE),
    # network and routing
    "4.0": _vague(Cause.CONNECTION_FAILED),
    "4.1": _vague(Cause.CONNECTION_FAILED),
    "4.2": _guarded(Cause.CONNECTION_FAILED),
    "4.3": _vague(Cause.DNS_FAILURE),
    "4.4": _vague(Cause.CONNECTION_FAILED),  # Postfix: also "host or domain name not found"
    "4.5": _vague(Cause.SERVER_UNAVAILABLE),
    "4.6": _guarded(Cause.SERVER_UNAVAILABLE),
    "4.7": _vague(Cause.EXPIRED),  # the server's last reply says more if it is quoted
    "4.8": _sure(Cause.SENDER_CONFIGURATION),
    # protocol
    "5.0": _vague(Cause.SERVER_UNAVAILABLE, Cause.SENDER_CONFIGURATION),
    "5.1": _guarded(Cause.SENDER_CONFIGURATION),
    "5.2": _guarded(Cause.SENDER_CONFIGURATION),
    "5.3": _sure(Cause.RATE_LIMITED),  # too many recipients in one message
    "5.4": _sure(Cause.SENDER_CONFIGURATION),
    "5.5": _sure(Cause.SENDER_CONFIGURATION),
    "5.6": _sure(Cause.SENDER_CONFIGURATION),
    # content and conversion
    **dict.fromkeys(("6.0", "6.1", "6.2", "6.3", "6.4", "6.5", "6.6"), _sure(Cause.CONTENT)),
    # internationalised addresses (RFC 6531): the address may be fine elsewhere
    **dict.fromkeys(("6.7", "6.8", "6.9", "6.10"), _sure(Cause.SENDER_CONFIGURATION)),
    # security and policy
    "7.0": _vague(Cause.POLICY),
    "7.1": _vague(Cause.POLICY),  # servers use it for nearly everything
    "7.2": _guarded(Cause.RECIPIENT_RESTRICTED),
    **dict.fromkeys(("7.3", "7.4", "7.5", "7.6", "7.7", "7.8"), _sure(Cause.SENDER_CONFIGURATION)),
    "7.9": _sure(Cause.SENDER_AUTHENTICATION),  # Yahoo: mail without authentication
    "7.10": _sure(Cause.SENDER_AUTHENTICATION),
    "7.11": _sure(Cause.SENDER_CONFIGURATION),
    "7.12": _vague(Cause.SENDER_CONFIGURATION),  # Microsoft: only for senders inside the organisation
    "7.13": _guarded(Cause.SENDER_CONFIGURATION),  # officially it is OUR account that is disabled
    "7.14": _sure(Cause.SENDER_CONFIGURATION),
    "7.15": _sure(Cause.SERVER_UNAVAILABLE, Cause.SENDER_CONFIGURATION),
    "7.16": _sure(Cause.MESSAGE_TOO_LARGE),
    "7.17": _sure(Cause.MAILBOX_OWNER_CHANGED),
    "7.18": _sure(Cause.MAILBOX_OWNER_CHANGED),
    "7.19": _sure(Cause.SENDER_CONFIGURATION),
    # authentication (RFC 7372); Google says 7.27 for SPF, 7.29 for TLS, 7.30 for DKIM
    **dict.fromkeys((f"7.{detail}" for detail in range(20, 28)), _sure(Cause.SENDER_AUTHENTICATION)),
    "7.28": _sure(Cause.RATE_LIMITED),
    "7.29": _sure(Cause.SENDER_AUTHENTICATION),
    "7.30": _sure(Cause.SENDER_AUTHENTICATION),
    # Google, not registered: https://support.google.com/a/answer/3726730
    "7.32": _sure(Cause.SENDER_AUTHENTICATION),
    "7.40": _sure(Cause.SENDER_AUTHENTICATION),
    # Microsoft, not registered:
    # https://learn.microsoft.com/exchange/mail-flow-best-practices/non-delivery-reports-in-exchange-online
    "0.350": _vague(Cause.UNDETERMINED),  # it only introduces the remote server's words
    "1.90": _sure(Cause.RATE_LIMITED),
    "2.121": _sure(Cause.RATE_LIMITED),
    "2.122": _sure(Cause.RATE_LIMITED),
    "4.310": _guarded(Cause.DNS_FAILURE, Cause.DOMAIN_DOES_NOT_EXIST),
    "4.312": _vague(Cause.DNS_FAILURE),
    "7.57": _sure(Cause.SENDER_CONFIGURATION),
    "7.64": _sure(Cause.SENDER_CONFIGURATION),
    **dict.fromkeys(
        (f"7.{detail}" for detail in (124, 133, 134, 135, 136, 504, 505)), _sure(Cause.RECIPIENT_RESTRICTED)
    ),
    "7.509": _sure(Cause.SENDER_AUTHENTICATION),
    "7.515": _sure(Cause.SENDER_AUTHENTICATION),
}

# Microsoft's details of three digits that are not in the table above: subject, first, last, meaning.
ENHANCED_RANGES: tuple[tuple[str, int, int, CodeMeaning], ...] = (
    ("4.", 300, 399, _vague(Cause.CONNECTION_FAILED)),
    ("7.", 500, 599, _sure(Cause.RATE_LIMITED, Cause.SENDER_REPUTATION)),
    ("7.", 600, 699, _sure(Cause.RATE_LIMITED, Cause.SENDER_REPUTATION)),
    ("7.", 700, 899, _sure(Cause.RATE_LIMITED, Cause.SENDER_REPUTATION)),
    ("7.", 900, 999, _sure(Cause.RECIPIENT_RESTRICTED)),  # the recipient's own transport rules
)

# RFC 5321, 4954 and 7504, and other codes that servers use.
REPLY_CODES: dict[int, CodeMeaning] = {
    **dict.fromkeys((421, 430, 450, 451, 452), _vague(Cause.SERVER_UNAVAILABLE)),
    422: _vague(Cause.MAILBOX_FULL),
    **dict.fromkeys((453, 454, 455, 456, 458, 459), _vague(Cause.SERVER_UNAVAILABLE)),
    **dict.fromkeys((500, 501, 502, 503, 504, 555), _vague(Cause.SENDER_CONFIGURATION)),
    521: _vague(Cause.DOMAIN_ACCEPTS_NO_MAIL),  # RFC 7504; some servers answer it to hosts that they block
    556: _vague(Cause.DOMAIN_ACCEPTS_NO_MAIL),
    **dict.fromkeys((523, 524, 525, 530, 533, 534, 535, 538), _vague(Cause.SENDER_CONFIGURATION)),
    550: _vague(Cause.UNDETERMINED),
    551: _vague(Cause.MAILBOX_DOES_NOT_EXIST),
    552: _vague(Cause.MAILBOX_FULL),
    553: _vague(Cause.UNDETERMINED),
    554: _vague(Cause.POLICY),
    571: _vague(Cause.POLICY),
}


def enhanced_meaning(enhanced_status: str) -> CodeMeaning | None:
    """What the enhanced code means; None if nobody has documented it."""
    subject_detail = enhanced_status[2:]
    meaning = ENHANCED_CODES.get(subject_detail)
    if meaning is not None:
        return meaning
    subject, _, detail = subject_detail.partition(".")
    for range_subject, first, last, range_meaning in ENHANCED_RANGES:
        if range_subject == f"{subject}." and first <= int(detail) <= last:
            return range_meaning
    # The subject of an unknown detail is known: x.1.99 is about an address, like x.1.0, and as vague.
    return ENHANCED_CODES.get(f"{subject}.0")
