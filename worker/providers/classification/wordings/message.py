"""What servers say about the message."""

from worker.providers.classification.subject import Predicate, Subject
from worker.providers.classification.wording import say, say_patterns

DANGEROUS = (
    say(
        Subject.MESSAGE,
        Predicate.DANGEROUS,
        *("virus", "viruses", "virii", "malware", "trojan", "infected", "attachment", "attachments", "security issue"),
        *("executable", "ransomware", "worm"),
    ),
)
TOO_LARGE = (
    say(
        Subject.MESSAGE,
        Predicate.TOO_LARGE,
        *("message larger", "larger than", "size exceeded"),
        *("exceeded size", "exceeds the size", "exceeds the maximum", "exceeds limit size"),
        *("exceeds message size", "message is too long", "max size", "maxsize"),
        *("file size", "data size", "mail too big", "too big"),
        *("message too large", "message is too large", "message too big", "message is too big", "message size"),
        *("maximum size", "size limit", "message length exceeds", "exceeds maximum"),
        *(
            "maximum message size",
            "message exceeds",
            "too large",
            "mail size",
            "email size",
            "message is larger",
            "fixed limit",
        ),
    ),
)
UNWANTED = (
    say(
        Subject.MESSAGE,
        Predicate.UNWANTED,
        *("mime", "message format", "malformed message", "invalid message"),
        *("bad message", "bad header", "bad headers", "invalid headers"),
        *("illegal characters", "charset", "character set", "forbidden word"),
        *("forbidden words", "forbidden attachment", "marketing", "advertisement"),
        *("advertising", "newsletter", "heuristic", "bayes"),
        *("fingerprint", "spam like", "spam probability", "spam rating"),
        *("suspected spam", "rejected content", "message blocked", "content blocked"),
        *("blocked content", "phishing url", "malicious url", "malicious link"),
        *("url blocked", "url in message", "blacklisted url", "domain in message"),
        *("unsolicited", "junk", "message content", "content rejected", "content filter", "due to content"),
        *("bulk mail", "phish", "phishing", "suspicious", "malformed", "not rfc", "duplicate header", "spam score"),
        *("looks like spam", "spam message", "spam content", "detected as spam", "considered spam", "spamassassin"),
        *("identified as spam", "classified as spam", "spammy", "spam detected", "rejected as spam", "is spam"),
        *("header missing", "missing header", "invalid header", "forbidden content", "objectionable"),
        *(
            "bulk email",
            "bulk e mail",
            "mass mailer",
            "spam refused",
            "spam rejection",
            "spam not accepted",
            "spam blocked",
        ),
        *(
            "probable spam",
            "possible spam",
            "mail content denied",
            "mail appears to be",
            "message filtered",
            "antispam checks",
        ),
        *(
            "recurrent pattern",
            "spam engine",
            "unacceptable content",
            "banned content",
            "content judged",
            "headers fail",
            "header error",
        ),
        *(
            "multiple addresses",
            "header are not accepted",
            "without subject",
            "images or other attachments",
            "spamprofiler",
        ),
        *("bounce attack", "url listed", "surbl", "uribl", "missing from header", "multiple from", "scam", "fraud"),
    ),
    say_patterns(
        Subject.MESSAGE,
        Predicate.UNWANTED,
        ("spam", r" spam "),
        ("rfc", r" (?:not|violates|violation|comply|compliant) (?:\S+ ){0,3}rfc "),
    ),
)
# Haraka's words for it. "too many" alone is about a rate.
TRIED_OFTEN = (say(Subject.MESSAGE, Predicate.EXPIRED, "too many failures", "tried all mxs", "tried too often"),)
# Exim's own words, if it has no other reason.
RETRIES_EXPIRED = (say(Subject.MESSAGE, Predicate.EXPIRED, "retry timeout exceeded"),)
EXPIRED = (
    say(
        Subject.MESSAGE,
        Predicate.EXPIRED,
        *(
            "message expired",
            "delivery time expired",
            "delivery expired",
            "too long in queue",
        ),
        *("in the queue too long", "in queue too long", "giving up", "gave up", "retries exhausted", "queue lifetime"),
        *(
            "too old",
            "retry time not reached",
            "delivery timed out",
            "expired",
            "been in the queue",
            "too many retries",
        ),
        *("maximum retry", "could not be delivered for", "max retries", "queued for too long"),
    ),
)
