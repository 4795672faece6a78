"""The cause for each subject and predicate: one table for all vendors, servers and languages."""

from schemas.vocabulary import Cause
from worker.providers.classification.reply import Stage
from worker.providers.classification.subject import Predicate, Subject

_OUR_SIDE = (Subject.SENDER, Subject.CLIENT, Subject.ACCOUNT, Subject.DIALOGUE)

CAUSES: dict[tuple[Subject, Predicate], Cause] = {
    # of any subject
    **{(subject, Predicate.LISTED): Cause.SENDER_REPUTATION for subject in Subject},
    **{(subject, Predicate.UNPROVEN): Cause.SENDER_AUTHENTICATION for subject in Subject},
    **{(subject, Predicate.RATE_EXCEEDED): Cause.RATE_LIMITED for subject in Subject},
    **{(subject, Predicate.TOO_LARGE): Cause.MESSAGE_TOO_LARGE for subject in Subject},
    **{(subject, Predicate.UNWANTED): Cause.CONTENT for subject in Subject},
    **{(subject, Predicate.DANGEROUS): Cause.VIRUS for subject in Subject},
    **{(subject, Predicate.MAY_NOT_RELAY): Cause.SENDER_CONFIGURATION for subject in Subject},
    **{(subject, Predicate.GREYLISTED): Cause.GREYLISTED for subject in Subject},
    **{(subject, Predicate.EXPIRED): Cause.EXPIRED for subject in Subject},
    **{(subject, Predicate.UNREACHABLE): Cause.CONNECTION_FAILED for subject in Subject},
    **{(subject, Predicate.NOT_FOUND_FOR_NOW): Cause.DNS_FAILURE for subject in Subject},
    **{(subject, Predicate.UNAVAILABLE): Cause.SERVER_UNAVAILABLE for subject in Subject},
    **{(subject, Predicate.REFUSED): Cause.POLICY for subject in Subject},
    **{(subject, Predicate.RESTRICTED): Cause.RECIPIENT_RESTRICTED for subject in Subject},
    # our side: we have to correct it
    **{
        (subject, predicate): Cause.SENDER_CONFIGURATION
        for subject in _OUR_SIDE
        for predicate in (
            *(Predicate.NOT_FOUND, Predicate.NO_RECORDS, Predicate.INVALID, Predicate.DISABLED, Predicate.ABANDONED),
            *(Predicate.MISCONFIGURED, Predicate.OWNER_CHANGED, Predicate.TAKES_NO_MAIL, Predicate.UNAVAILABLE),
            *(Predicate.NOT_FOUND_FOR_NOW, Predicate.EXPIRED),
        )
    },
    **{(subject, Predicate.FULL): Cause.RATE_LIMITED for subject in _OUR_SIDE},
    (Subject.SENDER, Predicate.REFUSED): Cause.SENDER_CONFIGURATION,
    (Subject.ACCOUNT, Predicate.REFUSED): Cause.SENDER_CONFIGURATION,
    (Subject.ACCOUNT, Predicate.RESTRICTED): Cause.SENDER_CONFIGURATION,
    (Subject.DIALOGUE, Predicate.REFUSED): Cause.SENDER_CONFIGURATION,
    # the mailbox
    (Subject.MAILBOX, Predicate.NOT_FOUND): Cause.MAILBOX_DOES_NOT_EXIST,
    (Subject.MAILBOX, Predicate.INVALID): Cause.INVALID_ADDRESS,
    (Subject.MAILBOX, Predicate.DISABLED): Cause.MAILBOX_DISABLED,
    (Subject.MAILBOX, Predicate.ABANDONED): Cause.MAILBOX_DISABLED,
    (Subject.MAILBOX, Predicate.FULL): Cause.MAILBOX_FULL,
    (Subject.MAILBOX, Predicate.OWNER_CHANGED): Cause.MAILBOX_OWNER_CHANGED,
    (Subject.MAILBOX, Predicate.TAKES_NO_MAIL): Cause.MAILBOX_DISABLED,
    (Subject.MAILBOX, Predicate.MISCONFIGURED): Cause.SERVER_UNAVAILABLE,
    # its domain
    (Subject.DOMAIN, Predicate.NOT_FOUND): Cause.DOMAIN_DOES_NOT_EXIST,
    (Subject.DOMAIN, Predicate.NO_RECORDS): Cause.DOMAIN_DOES_NOT_EXIST,
    (Subject.DOMAIN, Predicate.INVALID): Cause.DOMAIN_DOES_NOT_EXIST,
    (Subject.DOMAIN, Predicate.DISABLED): Cause.DOMAIN_ACCEPTS_NO_MAIL,
    (Subject.DOMAIN, Predicate.TAKES_NO_MAIL): Cause.DOMAIN_ACCEPTS_NO_MAIL,
    (Subject.DOMAIN, Predicate.MISCONFIGURED): Cause.SERVER_UNAVAILABLE,
    (Subject.DOMAIN, Predicate.FULL): Cause.SERVER_UNAVAILABLE,
    (Subject.DOMAIN, Predicate.OWNER_CHANGED): Cause.MAILBOX_OWNER_CHANGED,
    # its server
    (Subject.SYSTEM, Predicate.NOT_FOUND): Cause.DOMAIN_DOES_NOT_EXIST,
    (Subject.SYSTEM, Predicate.NO_RECORDS): Cause.DOMAIN_DOES_NOT_EXIST,
    (Subject.SYSTEM, Predicate.FULL): Cause.SERVER_UNAVAILABLE,
    (Subject.SYSTEM, Predicate.DISABLED): Cause.SERVER_UNAVAILABLE,
    (Subject.SYSTEM, Predicate.MISCONFIGURED): Cause.SERVER_UNAVAILABLE,
    (Subject.SYSTEM, Predicate.TAKES_NO_MAIL): Cause.SERVER_UNAVAILABLE,
    # the message
    (Subject.MESSAGE, Predicate.INVALID): Cause.CONTENT,
    (Subject.MESSAGE, Predicate.MISCONFIGURED): Cause.CONTENT,
    # the network
    (Subject.CONNECTION, Predicate.REFUSED): Cause.CONNECTION_FAILED,
    (Subject.CONNECTION, Predicate.DISABLED): Cause.CONNECTION_FAILED,
    (Subject.CONNECTION, Predicate.UNAVAILABLE): Cause.CONNECTION_FAILED,
}

# The subject if neither the wording nor a noun beside it tells it.
SUBJECT_OF_STAGE: dict[Stage, Subject] = {
    Stage.LOOKUP: Subject.DOMAIN,
    Stage.CONNECT: Subject.CLIENT,
    Stage.HELO: Subject.CLIENT,
    Stage.AUTH: Subject.ACCOUNT,
    Stage.MAIL_FROM: Subject.SENDER,
    Stage.RCPT_TO: Subject.MAILBOX,
    Stage.DATA: Subject.MESSAGE,
    Stage.AFTER: Subject.MAILBOX,
    Stage.UNKNOWN: Subject.MAILBOX,
}

# The cause by the stage, if words and codes say nothing.
CAUSE_OF_STAGE: dict[Stage, Cause] = {
    Stage.HELO: Cause.SENDER_CONFIGURATION,
    Stage.AUTH: Cause.SENDER_CONFIGURATION,
    Stage.MAIL_FROM: Cause.SENDER_CONFIGURATION,
    Stage.CONNECT: Cause.POLICY,
    Stage.DATA: Cause.POLICY,
}
