"""What servers say about the recipient's mailbox."""

from worker.providers.classification.subject import Predicate, Subject
from worker.providers.classification.wording import say, say_patterns

ABANDONED = (
    say_patterns(
        Subject.MAILBOX,
        Predicate.ABANDONED,
        ("inactive", r" (?:full|quota|storage|space) (?:\S+ ){0,6}inactive "),
        ("inactive", r" inactive (?:\S+ ){0,6}(?:full|quota|storage|space) "),
    ),
    # Google: a full mailbox that nobody opens any more.
    say(Subject.MAILBOX, Predicate.ABANDONED, "storage space and inactive", plain=True),
)
FULL = (
    say(
        Subject.MAILBOX,
        Predicate.FULL,
        *("mailbox limit", "mailbox size limit exceeded", "account is overquota", "storage exceeded"),
        *("box full", "mailbox exceeded", "exceeds allowed storage"),
        *("storage space exceeded", "recipient is over", "quota has been exceeded", "quota usage"),
        *("out of quota", "quota limit", "no room", "not enough disk space"),
        *("mailbox capacity", "capacity exceeded", "exceeded its quota"),
        *("no free space", "insufficient storage space", "storage full", "storage is full"),
        *("mailbox filled", "hard quota", "soft quota", "quota was exceeded"),
        *("overquota recipient", "user has exceeded", "recipient overquota"),
        *(
            "over quota",
            "overquota",
            "quota exceeded",
            "exceeded quota",
            "quota is full",
            "disk quota",
        ),
        *("storage quota", "mailbox quota", "mailbox full", "mailbox is full", "mail box full", "mailbox too full"),
        *("inbox is full", "inbox full", "mailbox size limit", "mailbox has exceeded", "out of storage"),
        *("exceeded storage allocation", "not enough storage space", "too many messages in", "quota exhausted"),
        *("quota violation", "exceed the quota", "would exceed mailbox", "not enough quota"),
        *("no space left in mailbox", "maximum mailbox size", "mailbox would exceed", "insufficient mailbox space"),
        *("exceed maximum mailbox size", "mail quota", "user quota", "mail folder is full", "mailfolder is full"),
        *("account is full", "box is full", "mailbox storage", "reached its storage limit", "storage limit exceeded"),
        *(
            "does not have enough space",
            "over disk quota",
            "exceeded the local limit",
            "disk space limit",
            "maildir over",
        ),
        *(
            "mailbox over quota",
            "space has been used up",
            "mail file size exceeds",
            "account storage limit",
            "too much mail data",
        ),
        *(
            "maximum allowed storage",
            "over the allowed quota",
            "exceeding receiving limits",
            "full mailbox",
            "disc quota",
        ),
        *("insufficient disk space in mailbox", "no space left for this user", "not enough space in mailbox"),
        *("has reached the maximum allowable number of messages", "mailbox space", "is at quota", "spool is full"),
        plain=True,
    ),
    say_patterns(
        Subject.MAILBOX,
        Predicate.FULL,
        (
            "full",
            (
                r" (?:account|folder|mailfolder|user|recipient|recipient's|mailbox|box|RECIPIENT|ADDRESS)"
                r" (?:\S+ ){0,5}full "
            ),
        ),
        ("quota", r" (?:exceed|exceeds|exceeded|exceeding|over|above|reached) (?:\S+ ){0,6}quota "),
        ("quota", r" quota (?:\S+ ){0,4}(?:exceed|exceeded|exceeds|full|reached) "),
        plain=True,
    ),
)
DISABLED = (
    say(
        Subject.MAILBOX,
        Predicate.DISABLED,
        *("not activated", "account not activated", "user account disabled", "recipient is blocked"),
        *("recipient blocked", "mailbox is blocked", "account is blocked", "user is blocked"),
        *("account is suspended", "mailbox is suspended", "closed mailbox", "mailbox closed"),
        *("mailbox is closed", "account is frozen", "account frozen"),
        *("account canceled", "mailbox expired", "mailbox has expired", "not been activated"),
        *("temporarily blocked mailbox", "account is temporarily disabled", "inactivity", "has been inactive"),
        *("user is locked", "locked out"),
        *("account disabled", "mailbox disabled", "user disabled", "recipient disabled", "address disabled"),
        *(
            "account is disabled",
            "mailbox is disabled",
            "account has been disabled",
            "account inactive",
            "user inactive",
        ),
        *("mailbox inactive", "account is inactive", "user is inactive", "mailbox is inactive", "account is locked"),
        *("mailbox locked", "account locked", "account closed", "account has been closed", "account is closed"),
        *("mailbox is frozen", "no longer active", "no longer in use", "account expired", "account has expired"),
        *(
            "account suspended",
            "account has been suspended",
            "mailbox suspended",
            "user suspended",
            "user is suspended",
        ),
        *("account deactivated", "account has been deactivated", "mailbox has been deactivated", "account blocked"),
        *("mailbox blocked", "user blocked", "account terminated", "inactive user", "inactive mailbox", "dormant"),
        *("mailbox temporarily disabled", "extended inactivity", "inactive email address", "account not active"),
        *("deactivated mailbox", "is currently suspended", "mailbox currently suspended", "suspend the service"),
        *("disabled or discontinued", "temporary locked", "account is locked email bounced", "temporarily inactive"),
        *("mailbox not active", "is not active", "not currently active", "does not accept mail for inactive"),
    ),
    say(
        Subject.UNNAMED,
        Predicate.DISABLED,
        *("disabled", "inactive", "deactivated", "suspended", "not active", "discontinued", "frozen", "terminated"),
    ),
)
NOT_FOUND = (
    say(
        Subject.MAILBOX,
        Predicate.NOT_FOUND,
        *("no such id", "recipient unrecognized", "unrecognized recipient", "invalid account"),
        *("undeliverable address", "unknown account", "account unknown", "nonexistent user"),
        *("wrong recipient", "bad recipient", "wrong address", "address is not known"),
        *("recipient is unknown", "does not have an account", "has no account", "not a customer"),
        *("unknown email", "no such account here", "cannot deliver mail for", "recipient is invalid"),
        *("recipients unknown", "unknown recipients", "address is incorrect", "incorrect address"),
        *("not existing", "non existing", "user is invalid", "user name unknown"),
        *("no user", "no recipient found"),
        *("user name is invalid", "unknown username"),
        *("never existed", "not belong to", "isn't known"),
        *("aren't known", "no alias"),
        *(
            "user unknown",
            "address unavailable",
            "recipient rejected",
            "unknown user",
            "unknown recipient",
            "recipient unknown",
            "address unknown",
            "unknown address",
        ),
        *("addressee unknown", "unknown mailbox", "mailbox unknown", "unknown local part", "unknown local user"),
        *(
            "no such user",
            "no such mailbox",
            "no such recipient",
            "no such address",
            "no such person",
            "no such account",
        ),
        *("no such local user", "no such email address", "no such alias", "no such addressee", "no such email"),
        *("mailbox not found", "user not found", "recipient not found", "address not found", "account not found"),
        *("invalid recipient", "invalid mailbox", "invalid user", "invalid recipients", "recipient invalid"),
        *("mailbox unavailable", "mailbox not available", "no mailbox", "not a valid mailbox", "not a valid user"),
        *(
            "not a valid recipient",
            "not our customer",
            "not listed in domino",
            "not listed in public name",
            "unrouteable address",
        ),
        *(
            "unroutable address",
            "bad destination mailbox",
            "user is not known",
            "user is unknown",
            "is not a known user",
        ),
        *("no one at this address", "nobody by that name", "account is unavailable", "has no such", "unknown to us"),
        *("user not exist", "user does not exist", "mailbox does not exist", "recipient does not exist"),
        *("not known at this", "unknown in relay recipient table", "not a local user", "user not known"),
        *("recipientnotfound", "no valid recipients", "unknown or illegal alias", "not in our database"),
        *("no account by that name", "no mailbox here by that name", "sorry no mailbox here by that name"),
        *(
            "mailbox name not found",
            "account does not exist",
            "address does not exist",
            "email account that you tried to reach does not exist",
        ),
        *(
            "recipient not exist",
            "no longer works here",
            "has left the company",
            "no longer with us",
            "left the organization",
        ),
        *("can't accept user", "bad address", "address invalid", "not present in directory", "in name directory"),
        *("destination addresses were unknown", "mailbox not present", "badrcptto", "badrecipientto", "validrcptto"),
        *("envelope recipient has been denied", "no mail box available for this user", "recipient is not local"),
        *("recipient is not accepted", "recipient not ok", "no longer accepts mail", "user missing home directory"),
        *(
            "no thank you rejected account unavailable",
            "unknown virtual user",
            "non existent user",
            "account unavailable",
        ),
        *(
            "unknown email address",
            "unknown e mail address",
            "not email addresses",
            "was not found in",
            "email name is not found",
        ),
        *("has been replaced by", "spectator does not exist", "recipients was undeliverable"),
        *(
            "not an active address at this host",
            "userunknown",
            "invalid mailbox path",
            "mailbox invalid",
            "no mailbox found",
        ),
        *("no longer on server", "account has been deleted", "mailbox has been deleted", "account was deleted"),
        *("moved to another address", "user has moved", "recipient address rejected user unknown"),
        *("no recipients found", "isn't a valid recipient", "not a valid address", "not a valid email address"),
        *("user doesn't have a", "not recognized here", "unable to find recipient", "recipient address does not exist"),
    ),
    say_patterns(
        Subject.MAILBOX,
        Predicate.NOT_FOUND,
        (
            "no",
            (
                r" no (?:\S+ ){0,2}(?:account|user|mailbox|recipient|person|customer|subscriber)"
                r" (?:\S+ ){0,3}(?:with|by|named|called|here|found|exists) "
            ),
        ),
        (
            "find",
            (
                r" (?:cannot|can't|couldn't|could not|unable to) find"
                r" (?:\S+ ){0,3}(?:user|mailbox|recipient|account|address) "
            ),
        ),
    ),
)
NOT_FOUND_UNNAMED = (
    say(
        Subject.UNNAMED,
        Predicate.NOT_FOUND,
        *("does not exist", "did not exist", "not exist", "do not exist", "not found"),
        *(
            "is unknown",
            "unknown",
            "no longer valid",
            "no longer exists",
            "no longer available",
            "not known",
            "not valid",
        ),
        *("is invalid", "nonexistent", "non existent", "unrouteable", "unroutable", "isn't valid", "not registered"),
        *("could not be found", "was not found", "can't be found"),
    ),
)
INVALID = (
    say(
        Subject.MAILBOX,
        Predicate.INVALID,
        *(
            "bad address syntax",
            "address syntax",
            "mailbox name not allowed",
            "mailbox name invalid",
            "invalid address",
        ),
        *("invalid email address", "malformed address", "illegal address", "bad recipient address syntax"),
        *("malformed recipient", "invalid recipient address syntax", "illegal alias", "mailbox syntax incorrect"),
        *("invalid email", "email address is invalid", "recipient address syntax", "bad recipient syntax"),
    ),
)
RESTRICTED = (
    # No server says this about a mailbox that does not exist, whatever the code is.
    say(
        Subject.MAILBOX,
        Predicate.RESTRICTED,
        *("recipient preference",),
        *("recipient preferences", "recipient's preferences", "recipient has blocked", "blocked by recipient"),
        *("refused by recipient", "rejected by the recipient", "blocked by the recipient", "rejected by recipient"),
        *("recipient does not want", "sender is blocked by", "blocked by user"),
        plain=True,
    ),
    say(
        Subject.MAILBOX,
        Predicate.RESTRICTED,
        *("authorized to send to", "permission to send to", "permitted to send to", "allowed to send to"),
        *("internal senders", "members only", "restricted"),
        *(
            "not accepting mail from",
            "not accept mail from",
            "only accepts",
            "accepts mail only",
        ),
        *("not authorized to post", "only members", "recipient only accepts", "whitelist", "not whitelisted"),
        *("recipient does not accept mail from", "senders are allowed", "moderated"),
        *("is only accepting mail from", "is not accepting any mail", "this account is protected by", "user reject"),
        *("refuse to receive mail", "refuses to accept your mail", "members only list"),
        *("closed mailing list", "not subscribed to this group", "not accepting mail with", "non member"),
        *("isn't allowed to receive", "not allowed to receive", "does not accept messages from", "rejected by user"),
    ),
)
