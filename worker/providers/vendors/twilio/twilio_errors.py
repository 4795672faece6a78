"""Twilio's error codes that a message can end with, and what each means for the number that it was sent to.

https://www.twilio.com/docs/api/errors: one page a code. Twilio says neither hard nor soft, and warns that codes may be
added and split; one that is not in here counts as a failure that nobody can read when the carrier gave it
("undelivered"), and as none of the number's fault when Twilio never sent the message ("failed").
"""

from schemas.vocabulary import Cause, Kind

_UNKNOWN_NUMBER = (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST)
_NO_MOBILE = (Kind.HARD_BOUNCE, Cause.INVALID_ADDRESS)
_UNREACHABLE = (Kind.SOFT_BOUNCE, Cause.CONNECTION_FAILED)
_CARRIER_DOWN = (Kind.SOFT_BOUNCE, Cause.SERVER_UNAVAILABLE)
_UNREADABLE = (Kind.SOFT_BOUNCE, Cause.UNDETERMINED)
_REFUSES_US = (Kind.SOFT_BOUNCE, Cause.RECIPIENT_RESTRICTED)
_OPTED_OUT = (Kind.UNSUBSCRIBE, Cause.NONE)
_NOT_TRIED = (Kind.DROPPED, Cause.SERVER_UNAVAILABLE)
_FILTERED = (Kind.BLOCKED, Cause.CONTENT)
_TOO_LARGE = (Kind.BLOCKED, Cause.MESSAGE_TOO_LARGE)
_TOO_FAST = (Kind.BLOCKED, Cause.RATE_LIMITED)
_FRAUD_GUARD = (Kind.BLOCKED, Cause.POLICY)
_SUSPENDED = (Kind.BLOCKED, Cause.SENDER_REPUTATION)
_UNREGISTERED = (Kind.BLOCKED, Cause.SENDER_AUTHENTICATION)  # nobody vouches for the sender yet
_SET_UP_WRONG = (Kind.BLOCKED, Cause.SENDER_CONFIGURATION)
_NO_NEWS = (Kind.OTHER, Cause.NONE)

UNREACHABLE_FROM_SHORT_CODE = _UNREACHABLE
LANDLINE_OR_CARRIER = 30006
INCOMING_CODES = frozenset({30009, 30039})  # of messages that somebody sent to us: `To` is our own number

# What the carrier answered, or did not: messages end as "undelivered" with these.
CARRIER_CODES: dict[int, tuple[Kind, Cause]] = {
    30003: _UNREACHABLE,  # the handset is off, out of coverage, roaming
    30004: _REFUSES_US,  # the number is closed to us: a carrier's block list, a do-not-disturb register
    30005: _UNKNOWN_NUMBER,  # unknown, and may no longer exist
    LANDLINE_OR_CARRIER: _NO_MOBILE,  # a landline; sent from a short code it may only be the carrier
    30007: _FILTERED,  # by the carrier or by Twilio, for what it says or who sends it
    30008: _UNREADABLE,  # "unknown error": none of the others
    30011: _SET_UP_WRONG,  # no MMS there, a text may arrive
    30017: _CARRIER_DOWN,  # congestion
    30018: _UNREGISTERED,  # the carrier asks for a registered sender id
    30019: _TOO_LARGE,
    30022: _TOO_FAST,  # A2P 10DLC
    30023: _TOO_FAST,  # A2P 10DLC: the brand's daily cap
    30024: _UNREGISTERED,  # the sender's number is not provisioned at the carrier
    30027: _TOO_FAST,  # T-Mobile's daily limit
    30032: _UNREGISTERED,  # a toll-free number that is not verified
    30033: _SUSPENDED,  # A2P 10DLC: the campaign
    30034: _UNREGISTERED,  # A2P 10DLC: the number
    30035: _UNREGISTERED,  # A2P 10DLC: the number is still being configured
    30040: _UNREGISTERED,  # as 30018
    30041: _UNREGISTERED,  # numbers of the United Kingdom
    30046: _UNREADABLE,  # the handset never confirmed it
    30410: _CARRIER_DOWN,  # a supplier timed out; not sent again, so that nobody gets it twice
}

# Why Twilio itself sent nothing: messages end as "failed" with these.
TWILIO_CODES: dict[int, tuple[Kind, Cause]] = {
    11751: _TOO_LARGE,  # the media
    12300: _FILTERED,  # the media's type
    14107: _TOO_FAST,  # too many replies between two numbers
    21211: _NO_MOBILE,  # 'To' is no valid number
    21212: _SET_UP_WRONG,  # 'From' is not a number
    21265: _NO_MOBILE,  # 'To' is a short code
    21266: _SET_UP_WRONG,  # 'To' and 'From' are the same
    21268: _NO_MOBILE,  # a premium or information service
    21408: _SET_UP_WRONG,  # the region is not enabled in the account
    21606: _SET_UP_WRONG,  # 'From' cannot send there
    21608: _SET_UP_WRONG,  # a trial account, a number that is not verified
    # The person has written STOP to this sender. Twilio blocks by itself, and often nobody else was told: without an
    # event of the STOP this is the only word of it. So it is the wish itself here, and not an echo of one.
    21610: _OPTED_OUT,
    21611: _TOO_FAST,  # the sender's queue is full
    21612: _SET_UP_WRONG,  # no route from this sender to there
    21614: _NO_MOBILE,
    21617: _TOO_LARGE,
    21635: _NO_MOBILE,  # a landline
    21657: _SET_UP_WRONG,  # a sender id that is not taken there
    21659: _SET_UP_WRONG,  # 'From' is not a number of Twilio's
    21660: _SET_UP_WRONG,  # 'From' is another account's
    21661: _SET_UP_WRONG,  # 'From' can send no texts
    21703: _SET_UP_WRONG,  # a Messaging Service without numbers
    30001: _TOO_FAST,  # the queue ran over
    30002: _SET_UP_WRONG,  # the account is suspended
    30009: _NO_NEWS,  # a segment of an incoming message is missing
    30010: _SET_UP_WRONG,  # dearer than MaxPrice
    30012: _SET_UP_WRONG,  # the time to live is too short
    30020: _NOT_TRIED,  # Twilio's scheduling failed
    30021: _NOT_TRIED,  # Twilio's orchestration failed
    30026: _NO_NEWS,  # a warning: 70 % of T-Mobile's daily limit
    30029: _SET_UP_WRONG,  # ContentRetention
    30031: _SET_UP_WRONG,  # MaxRate
    30036: _TOO_FAST,  # the validity period ran out in the queue, which only our own speed fills
    30037: _SET_UP_WRONG,  # outbound messaging is disabled
    30038: _FILTERED,  # a one-time password on a trial account
    30039: _NO_NEWS,  # an incoming message that a machine wrote, kept from our answering it
    30044: _TOO_LARGE,  # a trial account's limit
    30400: _SET_UP_WRONG,
    30404: _SET_UP_WRONG,
    30450: _FRAUD_GUARD,  # SMS pumping protection, for a while
    30453: _FRAUD_GUARD,  # unusual traffic to there
    30454: _TOO_FAST,
    30485: _FRAUD_GUARD,
    30500: _NOT_TRIED,  # Twilio's own fault
    63017: _TOO_FAST,
    63018: _TOO_FAST,
    63038: _TOO_FAST,
}

# WhatsApp, Messenger and RCS: nothing that these say is about a phone number's texts.
CHANNEL_CODES: dict[int, tuple[Kind, Cause]] = dict.fromkeys(
    [code for code in range(63001, 63039) if code not in TWILIO_CODES], _NO_NEWS
)

CODES: dict[int, tuple[Kind, Cause]] = CARRIER_CODES | TWILIO_CODES | CHANNEL_CODES
