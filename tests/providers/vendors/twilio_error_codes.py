"""The codes of https://www.twilio.com/docs/api/errors, one page a code, and what each means for the number."""

from schemas.vocabulary import Cause, Kind
from tests.providers.meanings import meanings

# The codes whose pages say that a message ends with them; WhatsApp's and RCS's are the 630nn.
VENDOR_CODES = {
    11751, 12300, 14107, 21211, 21212, 21265, 21266, 21268, 21408, 21606, 21608, 21610, 21611, 21612, 21614, 21617,
    21635, 21657, 21659, 21660, 21661, 21703,
    30001, 30002, 30003, 30004, 30005, 30006, 30007, 30008, 30009, 30010, 30011, 30012, 30017, 30018, 30019,
    30020, 30021, 30022, 30023, 30024, 30026, 30027, 30029, 30031, 30032, 30033, 30034, 30035, 30036, 30037, 30038,
    30039, 30040, 30041, 30044, 30046, 30400, 30404, 30410, 30450, 30453, 30454, 30485, 30500,
    63001, 63003, 63005, 63007, 63010, 63012, 63013, 63014, 63016, 63017, 63018, 63019, 63020, 63021, 63022, 63024,
    63025, 63027, 63028, 63029, 63030, 63032, 63033, 63038,
}  # fmt: skip


# By what Twilio calls each.
CODE_MEANINGS = meanings(
    {
        # Unknown destination handset.
        (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST): "30005",
        # Invalid "To", a short code, a premium number, no mobile number, a landline; landline or unreachable carrier.
        (Kind.HARD_BOUNCE, Cause.INVALID_ADDRESS): "21211 21265 21268 21614 21635 30006",
        # Unreachable destination handset.
        (Kind.SOFT_BOUNCE, Cause.CONNECTION_FAILED): "30003",
        # Message blocked.
        (Kind.SOFT_BOUNCE, Cause.RECIPIENT_RESTRICTED): "30004",
        # Carrier network congestion, provider time-out.
        (Kind.SOFT_BOUNCE, Cause.SERVER_UNAVAILABLE): "30017 30410",
        # Unknown error, no confirmation from the handset.
        (Kind.SOFT_BOUNCE, Cause.UNDETERMINED): "30008 30046",
        # Attempt to send to an unsubscribed recipient.
        (Kind.UNSUBSCRIBE, Cause.NONE): "21610",
        # Invalid media type, message filtered, a one-time password on a trial account.
        (Kind.BLOCKED, Cause.CONTENT): "12300 30007 30038",
        (Kind.BLOCKED, Cause.MESSAGE_TOO_LARGE): "11751 21617 30019 30044",
        # Reply limits, full queues, a validity period that ran out in one, limits of carriers and of channels.
        (Kind.BLOCKED, Cause.RATE_LIMITED): ("14107 21611 30001 30022 30023 30027 30036 30454 63017 63018 63038"),
        # SMS pumping protection and its like.
        (Kind.BLOCKED, Cause.POLICY): "30450 30453 30485",
        # A suspended campaign.
        (Kind.BLOCKED, Cause.SENDER_REPUTATION): "30033",
        # Sender ids and numbers that are not registered, provisioned or verified yet.
        (Kind.BLOCKED, Cause.SENDER_AUTHENTICATION): "30018 30024 30032 30034 30035 30040 30041",
        # The account, its regions, its senders and what it asked for.
        (Kind.BLOCKED, Cause.SENDER_CONFIGURATION): (
            "21212 21266 21408 21606 21608 21612 21657 21659 21660 21661 21703 30002 30010 30011 30012 30029 30031 "
            "30037 30400 30404"
        ),
        # Faults of Twilio's own: scheduling, orchestration, internal failure.
        (Kind.DROPPED, Cause.SERVER_UNAVAILABLE): "30020 30021 30500",
        # Of incoming messages, a warning, and other channels than texts.
        (Kind.OTHER, Cause.NONE): (
            "30009 30026 30039 63001 63003 63005 63007 63010 63012 63013 63014 63016 63019 63020 63021 63022 63024 "
            "63025 63027 63028 63029 63030 63032 63033"
        ),
    }
)
