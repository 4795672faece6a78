"""Amazon SES's words for bounces, delays and complaints, with our kinds and causes.

Sources: docs.aws.amazon.com/ses/latest/dg/notification-contents.html (bounce and complaint types) and
event-publishing-retrieving-sns-contents.html (delay types). Subtypes that these pages do not list yet were
seen in the wild.
"""

from schemas.vocabulary import Cause, Kind

KindAndCause = tuple[Kind, Cause]

# By bounceType and bounceSubType. The subtype is asked before any status code: a send that SES suppressed
# for the account's own list carries the status 5.1.1 of the bounce that the account has heard of.
BOUNCES: dict[tuple[str, str], KindAndCause] = {
    ("Undetermined", "Undetermined"): (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),
    ("Permanent", "General"): (Kind.HARD_BOUNCE, Cause.UNDETERMINED),
    ("Permanent", "NoEmail"): (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
    # On the list that all customers of AWS share: nothing else reports it, and it counts in the bounce rate.
    ("Permanent", "Suppressed"): (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
    ("Permanent", "OnAccountSuppressionList"): (Kind.DROPPED, Cause.SUPPRESSED_BY_PROVIDER),
    ("Permanent", "OnTenantSuppressionList"): (Kind.DROPPED, Cause.SUPPRESSED_BY_PROVIDER),
    ("Permanent", "EmailValidationSuppressed"): (Kind.HARD_BOUNCE, Cause.INVALID_ADDRESS),  # no echo: never tried
    ("Permanent", "UnsubscribedRecipient"): (Kind.DROPPED, Cause.UNSUBSCRIBED_AT_PROVIDER),
    ("Transient", "General"): (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),  # out-of-office replies too
    ("Transient", "MailboxFull"): (Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL),
    ("Transient", "MessageTooLarge"): (Kind.SOFT_BOUNCE, Cause.MESSAGE_TOO_LARGE),
    ("Transient", "CustomTimeoutExceeded"): (Kind.SOFT_BOUNCE, Cause.EXPIRED),
    ("Transient", "ContentRejected"): (Kind.BLOCKED, Cause.CONTENT),
    ("Transient", "AttachmentRejected"): (Kind.BLOCKED, Cause.CONTENT),
}
# Pairs that only say "it failed": for these, the server's code and words may give the reason.
VAGUE_BOUNCES = frozenset({("Undetermined", "Undetermined"), ("Permanent", "General"), ("Transient", "General")})
# An unknown subtype may mean that SES did not send at all, so it never counts as hard.
UNKNOWN_BOUNCE: KindAndCause = (Kind.SOFT_BOUNCE, Cause.UNDETERMINED)

DELAYS: dict[str, Cause] = {
    "InternalFailure": Cause.UNDETERMINED,  # inside SES
    "General": Cause.UNDETERMINED,
    "MailboxFull": Cause.MAILBOX_FULL,
    "SpamDetected": Cause.SENDER_REPUTATION,  # much unwanted mail from this account
    "RecipientServerError": Cause.SERVER_UNAVAILABLE,
    "IPFailure": Cause.SENDER_REPUTATION,  # the sending IP is blocked or throttled
    "TransientCommunicationFailure": Cause.CONNECTION_FAILED,
    "BYOIPHostNameLookupUnavailable": Cause.SENDER_AUTHENTICATION,  # reverse DNS of one's own IPs
    "Undetermined": Cause.UNDETERMINED,
    "SendingDeferral": Cause.RATE_LIMITED,  # SES holds the message back by itself
}

COMPLAINTS: dict[str, KindAndCause] = {
    "abuse": (Kind.COMPLAINT, Cause.ABUSE_REPORT),
    "other": (Kind.COMPLAINT, Cause.ABUSE_REPORT),
    "": (Kind.COMPLAINT, Cause.ABUSE_REPORT),
    "fraud": (Kind.COMPLAINT, Cause.FRAUD_REPORT),
    "not-spam": (Kind.OTHER, Cause.NONE),  # a reader says that it is not spam
    "auth-failure": (Kind.OTHER, Cause.SENDER_AUTHENTICATION),
    "virus": (Kind.OTHER, Cause.VIRUS),
}
# SES took the message but did not send it, for a complaint of long ago.
COMPLAINED_BEFORE = frozenset({"OnAccountSuppressionList", "OnTenantSuppressionList"})

VOCABULARY: dict[str, KindAndCause] = (
    {
        "Send": (Kind.ACCEPTED, Cause.NONE),
        "Delivery": (Kind.DELIVERED, Cause.NONE),
        "Open": (Kind.OPENED, Cause.NONE),
        "Click": (Kind.CLICKED, Cause.NONE),
        "Reject": (Kind.DROPPED, Cause.VIRUS),
        "RenderingFailure": (Kind.OTHER, Cause.SENDER_CONFIGURATION),
        "Subscription": (Kind.UNSUBSCRIBE, Cause.NONE),
        "AmazonSnsSubscriptionSucceeded": (Kind.OTHER, Cause.TEST),
        "SuccessfullyValidated": (Kind.OTHER, Cause.TEST),
    }
    | {f"Bounce/{bounce_type}/{subtype}": meaning for (bounce_type, subtype), meaning in BOUNCES.items()}
    | {f"DeliveryDelay/{delay}": (Kind.DEFERRED, cause) for delay, cause in DELAYS.items()}
    | {f"Complaint/{reported}".rstrip("/"): meaning for reported, meaning in COMPLAINTS.items()}
    | {f"Complaint/{subtype}": (Kind.DROPPED, Cause.COMPLAINED_AT_PROVIDER) for subtype in sorted(COMPLAINED_BEFORE)}
)
