"""The peculiar words of single mailbox providers: tokens that say what their codes do not."""

from msgspec import Struct

from schemas.vocabulary import Cause
from worker.providers.classification.text_rule import TextRule, cause_in_words, pattern_rule, rule


class House(Struct, frozen=True, kw_only=True, gc=False):
    """The peculiar words of one mailbox provider, read only where one of its marks occurs."""

    marks: tuple[str, ...]
    rules: tuple[TextRule, ...]


HOUSES: tuple[House, ...] = (
    # Google, https://support.google.com/a/answer/3726730: 5.2.1 is an idle account or a rate, 5.2.2 a full
    # mailbox or a full and forsaken one; gcdp is a rule that the recipient's own administrator wrote.
    House(
        marks=("gsmtp", "google"),
        rules=(
            rule(Cause.MAILBOX_DISABLED, "p=disableduser", "p=overquotaperm", "storage space and inactive"),
            rule(Cause.RATE_LIMITED, "p=receivingrate", "at a rate that", "sending limit", "relay limit"),
            rule(Cause.MAILBOX_FULL, "p=overquota"),
            rule(Cause.MAILBOX_DOES_NOT_EXIST, "p=nosuchuser"),
            rule(Cause.RECIPIENT_RESTRICTED, "gcdp"),
            rule(Cause.VIRUS, "p=blockedmessage", "potential security issue"),
            rule(Cause.SENDER_AUTHENTICATION, "autherror", "p=unauthenticated"),
            rule(Cause.SENDER_REPUTATION, "p=unsolicited", "low reputation"),
        ),
    ),
    # Microsoft: the tenant's directory answers "access denied" for people it does not know (5.4.1).
    House(
        marks=("resolver.", "outlook", "office 365", "office365", "microsoft", "as(", "s3140", "s3150", "-00"),
        rules=(
            rule(Cause.MAILBOX_DOES_NOT_EXIST, "recipientnotfound", "recipient not found by smtp"),
            rule(Cause.RECIPIENT_RESTRICTED, "resolver.rst", "restrictedtorecipients"),
            rule(Cause.RATE_LIMITED, "submission quota", "submissionquota"),
            rule(Cause.CONTENT, "content filter agent"),
            rule(Cause.SENDER_REPUTATION, "s3140", "s3150", "on our block list"),
            pattern_rule(Cause.RATE_LIMITED, "rp-00", r"\brp-00\d\b"),
            pattern_rule(Cause.SENDER_REPUTATION, "-00", r"\b(?:sc|dy|ou)-00\d\b"),
        ),
    ),
    # Yahoo and AOL, https://senders.yahooinc.com/smtp-error-codes: the bracketed token says what the code
    # does not; "552 1" and "554 30" are not enhanced codes.
    House(
        marks=("[ts", "[bl", "[ph", "yahoo", "554.30", "[-5]"),
        rules=(
            rule(Cause.SENDER_REPUTATION, "[ts", "[bl"),
            rule(Cause.CONTENT, "[ph0"),
            rule(Cause.MAILBOX_DISABLED, "554.30"),
            rule(Cause.MAILBOX_DOES_NOT_EXIST, "user doesn't have a", "[-5]"),
        ),
    ),
    # Apple, https://support.apple.com/102322: a Hide My Email relay, a local policy.
    House(
        marks=("[hme", "[cs0", "icloud", "apple"),
        rules=(
            rule(Cause.SENDER_AUTHENTICATION, "[hme"),
            rule(Cause.SENDER_REPUTATION, "[cs0"),
            rule(Cause.MAILBOX_DOES_NOT_EXIST, "unknown or illegal alias", "no longer on server"),
        ),
    ),
    # Orange and La Poste: a full mailbox comes as "552 5.1.1", an archived one as anything; the number counts.
    House(
        marks=("ofr", "lpn"),
        rules=(
            pattern_rule(Cause.MAILBOX_DOES_NOT_EXIST, "_416", r"\b(?:ofr|lpn)\w*_416\b"),
            pattern_rule(Cause.MAILBOX_FULL, "_417", r"\b(?:ofr|lpn)\w*_417\b"),
            pattern_rule(Cause.MAILBOX_DISABLED, "_42", r"\b(?:ofr|lpn)\w*_42[06]\b"),
            pattern_rule(Cause.SENDER_REPUTATION, "_10", r"\b(?:ofr|lpn)\w*_10[234]\b"),
            pattern_rule(Cause.CONTENT, "_506", r"\b(?:ofr|lpn)\w*_506\b"),
            pattern_rule(Cause.MESSAGE_TOO_LARGE, "_514", r"\b(?:ofr|lpn)\w*_514\b"),
            pattern_rule(Cause.SENDER_AUTHENTICATION, "_517", r"\b(?:ofr|lpn)\w*_517\b"),
        ),
    ),
    # Spectrum and Cox number their acceptable-use blocks.
    House(marks=("aup#",), rules=(rule(Cause.SENDER_REPUTATION, "aup#"),)),
    # Mimecast says this to senders it does not know well; Tencent says that to those who are too fast.
    House(
        marks=("internal resource", "unavailable or access denied"),
        rules=(
            rule(Cause.GREYLISTED, "internal resources temporarily", "internal resources are temporarily"),
            rule(Cause.RATE_LIMITED, "mailbox unavailable or access denied"),
        ),
    ),
)


def cause_in_house(text: str) -> Cause | None:
    """What a mailbox provider's own token says, None when there is none. `text` is in lower case."""
    for house in HOUSES:
        for mark in house.marks:
            if mark in text:
                cause = cause_in_words(text, house.rules)
                if cause is not None:
                    return cause
                break
    return None
