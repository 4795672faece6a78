"""All wordings in the order in which they are believed: what is ours to mend comes before what blames a mailbox."""

from worker.providers.classification.wording import WordingTable
from worker.providers.classification.wordings import domain, mailbox, message, other_languages, our_side, system

WORDINGS = WordingTable(
    (
        *domain.LOOKUP_OF_MX,
        *our_side.SENDER,
        *our_side.DIALOGUE,
        *our_side.QUOTA,
        *our_side.LISTED,
        *other_languages.LISTED,
        *our_side.UNPROVEN,
        *message.DANGEROUS,
        *mailbox.ABANDONED,
        *mailbox.FULL,
        *other_languages.FULL,
        *mailbox.DISABLED[:1],
        *other_languages.DISABLED,
        *message.TOO_LARGE,
        *system.GREYLISTED,
        *system.LOOP,
        *system.RATE_EXCEEDED,
        *other_languages.RATE_EXCEEDED,
        *our_side.OUR_HOST,
        *domain.TAKES_NO_MAIL,
        *domain.NOT_FOUND_FOR_NOW,
        *domain.NO_RECORDS,
        *domain.NOT_FOUND,
        *other_languages.DOMAIN_NOT_FOUND,
        *domain.LOOKUP_FAILED,
        *mailbox.NOT_FOUND,
        *other_languages.NOT_FOUND,
        *mailbox.INVALID,
        *mailbox.RESTRICTED,
        *our_side.RELAY,
        *mailbox.DISABLED[1:],
        *mailbox.NOT_FOUND_UNNAMED,
        *message.UNWANTED,
        *other_languages.UNWANTED,
        *message.RETRIES_EXPIRED,
        *system.UNREACHABLE,
        *message.EXPIRED,
        *system.UNAVAILABLE,
        *system.REFUSED,
        *other_languages.REFUSED,
    )
)
