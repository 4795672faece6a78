"""Words that mean something if a noun stands beside them: "the mailbox is currently closed", "closed mailbox"."""

from worker.providers.classification.subject import Predicate, Subject
from worker.providers.classification.wording import say_beside, say_patterns

_MAILBOX = frozenset(
    {
        *("mailbox", "user", "username", "recipient", "recipients", "account", "address", "addressee", "inbox", "box"),
        *("alias", "customer", "subscriber", "email id", "mail id", "userid", "mailfolder", "email box", "mail box"),
        *("email account", "mail account", "RECIPIENT", "ADDRESS"),
    }
)
_DOMAIN = frozenset({"domain", "domain name", "email domain", "recipient domain", "destination domain"})
_SENDER = frozenset(
    {
        *("sender", "from address", "mail from", "return path", "envelope sender", "sender's address", "originator"),
        *("SENDER", "sender domain", "sender's domain"),
    }
)
_CLIENT = frozenset(
    {
        *("IP", "ip", "ip address", "client", "client host", "sending host", "sending server", "network", "netblock"),
        *("subnet", "ip range", "server ip"),
    }
)
_MESSAGE = frozenset(
    {
        *("message", "mail", "email", "letter", "content", "body", "attachment", "attachments", "data", "size"),
        *("length", "header", "headers", "attach"),
    }
)
_OWNERS = "user|user's|users|recipient|recipient's|recipients|personal|private|own"

MAILBOX_FULL = (
    say_beside(
        Subject.MAILBOX,
        Predicate.FULL,
        _MAILBOX,
        *("full", "overfull", "over limit", "over its limit", "out of space", "overflow", "overflowed"),
        *("over capacity", "exceeded its limit", "over size limit", "over storage limit", "exceeded the storage"),
        *("exceeded its storage", "exceeded storage", "exceeded disk", "exceeded its size", "exceeded the size"),
        *("too large", "too full", "has reached its limit", "reached its maximum", "reached its quota", "no space"),
        *("no more space", "insufficient space", "insufficient storage", "not enough space", "over the storage"),
        *("exceeded maximum storage",),
        plain=True,
    ),
    say_patterns(
        Subject.MAILBOX,
        Predicate.FULL,
        ("storage", r" (?:exceeded|over|reached|insufficient|no|not enough|out of) (?!system)(?:\S+ ){0,4}storage "),
        ("storage", r" storage (?:\S+ ){0,3}(?:exceeded|full|exhausted|reached) "),
        (
            "space",
            (
                r" (?:no|insufficient|not enough|out of|lack of) (?:\S+ ){0,3}space "
                r"(?:\S+ ){0,4}(?:user|mailbox|box|account|recipient) "
            ),
        ),
        ("limit", r" (?:mailbox|inbox|storage) (?:size |storage |space |quota )?limit "),
        plain=True,
    ),
)
MAILBOX_DISABLED = (
    say_beside(
        Subject.MAILBOX,
        Predicate.DISABLED,
        _MAILBOX,
        *("disabled", "deactivated", "inactive", "suspended", "closed", "locked", "frozen", "terminated", "archived"),
        *("discontinued", "canceled", "dormant", "retired", "hibernated", "barred", "deactive", "inactivated"),
        *("not active", "not enabled", "not activated", "not yet activated", "no longer active", "no longer in use"),
        *("no longer used", "no longer monitored", "expired", "under suspension", "on hold", "passive", "not in use"),
        *("abandoned", "obsolete", "decommissioned", "has been shut down", "blocked for inactivity"),
        plain=True,
    ),
)
MAILBOX_NOT_FOUND = (
    say_beside(
        Subject.MAILBOX,
        Predicate.NOT_FOUND,
        _MAILBOX,
        *("unknown", "invalid", "incorrect", "wrong", "nonexistent", "non existent", "unrecognized", "undefined"),
        *("no such", "not found", "not known", "not exist", "not valid", "not recognized", "not listed"),
        *("not registered", "not local", "deleted", "removed", "gone", "missing", "unregistered", "no longer valid"),
        *("no longer exist", "no longer available", "no longer here", "no longer at", "not available", "not existing"),
        *("misspelled", "not defined", "not in our", "not served", "not hosted", "not present", "not deliverable"),
        *("undeliverable", "cannot be found", "could not be found", "was not found", "never existed"),
        *("does not appear", "unavailable", "no valid", "no longer employed", "has left", "left the company"),
        *("not our", "not configured", "not here"),
    ),
    say_patterns(
        Subject.MAILBOX,
        Predicate.NOT_FOUND,
        (
            "such",
            (
                r" (?:no|not|there is no|is no) such "
                r"(?:\S+ ){0,2}(?:mailbox|user|account|address|recipient|name|person|alias|local|email) "
            ),
        ),
        (
            "match",
            (
                r" (?:no|not|does not) (?:\S+ ){0,3}match(?:es|ing)? "
                r"(?:\S+ ){0,3}(?:mailbox|user|account|recipient|directory) "
            ),
        ),
        ("directory", r" (?:not|no) (?:\S+ ){0,3}(?:in|from) (?:\S+ ){0,3}directory "),
        ("list", r" (?:user|recipient|address|RECIPIENT|ADDRESS) (?:\S+ ){0,3}not in (?:\S+ ){0,2}list "),
    ),
)
MAILBOX_RESTRICTED = (
    say_patterns(
        Subject.MAILBOX,
        Predicate.RESTRICTED,
        (
            "list",
            rf" (?:{_OWNERS}) (?:\S+ ){{0,2}}(?:reject|black|block|deny|blocked|ban|ignore|sender|senders) list ",
        ),
        ("blacklist", rf" (?:{_OWNERS}) (?:\S+ ){{0,2}}blacklist "),
        ("blocklist", rf" (?:{_OWNERS}) (?:\S+ ){{0,2}}blocklist "),
        (
            "from",
            (
                r" (?:recipient|user|mailbox|account|address|RECIPIENT|ADDRESS|he|customer|group|list) (?:\S+ ){0,3}"
                r"(?:not|never|refuses to|only) (?:\S+ ){0,2}"
                r"(?:accept|accepts|accepting|receive|receives|receiving|want|allow) (?!more )(?:\S+ ){0,3}from "
            ),
        ),
        (
            "authorized",
            r" (?:not|never) (?:\S+ ){0,2}authorized (?:for|to) (?:\S+ ){0,3}(?:recipient|user|mailbox|RECIPIENT) ",
        ),
        (
            "by",
            (
                r" (?:rejected|blocked|refused) by "
                r"(?:the |this )?(?:recipient|recipients|user|addressee|customer|owner|RECIPIENT) "
            ),
        ),
        plain=True,
    ),
    say_patterns(
        Subject.MAILBOX,
        Predicate.RESTRICTED,
        ("permission", r" permissions? to (?:\S+ ){0,2}(?:send|mail|email|deliver|post|write|message|submit) "),
        (
            "allowed",
            (
                r" (?:only|not) (?:\S+ ){0,3}allowed to (?:send|mail|email|deliver|post|write) "
                r"(?:\S+ ){0,3}(?:to|RECIPIENT|ADDRESS) "
            ),
        ),
        (
            "internal",
            (
                r" (?:internal|authenticated|approved|authorized|known) "
                r"(?:senders|users|members|sources|addresses) (?:\S+ ){0,2}only "
            ),
        ),
        (
            "only",
            (
                r" only (?:\S+ ){0,2}(?:internal|authenticated|approved|authorized|known|subscribed|registered) "
                r"(?:senders|users|members|sources|addresses|subscribers) "
            ),
        ),
    ),
)
INVALID_ADDRESS = (
    say_patterns(
        Subject.MAILBOX,
        Predicate.INVALID,
        (
            "characters",
            (
                r" (?:restricted|illegal|invalid|bad|forbidden|unsupported|special) characters? "
                r"(?:\S+ ){0,4}(?:address|recipient|local|localpart|mailbox|user|username) "
            ),
        ),
        (
            "character",
            (
                r" (?:restricted|illegal|invalid|bad|forbidden|unsupported|special) characters? "
                r"(?:\S+ ){0,4}(?:address|recipient|local|localpart|mailbox|user|username) "
            ),
        ),
        ("qualified", r" recipient address rejected need fully qualified address "),
        ("qualified", r" (?:recipient|RECIPIENT|rcpt) (?:\S+ ){0,4}fully qualified "),
        plain=True,
    ),
)
DOMAIN_GONE = (
    say_beside(
        Subject.DOMAIN,
        Predicate.NOT_FOUND,
        _DOMAIN,
        *("unknown", "nonexistent", "not exist", "not found", "not registered", "unregistered", "no such"),
        *("not valid", "invalid", "cannot be found", "could not be found", "not resolvable", "unresolvable"),
        *("unroutable",),
    ),
    say_beside(
        Subject.DOMAIN,
        Predicate.DISABLED,
        _DOMAIN,
        *("disabled", "suspended", "deactivated", "inactive", "closed", "terminated", "expired", "parked", "frozen"),
        *("not active", "no longer active", "locked", "canceled", "no longer hosted", "no longer in use"),
        plain=True,
    ),
)
SENDER = (
    say_beside(
        Subject.SENDER,
        Predicate.REFUSED,
        _SENDER,
        *("rejected", "refused", "denied", "blocked", "not allowed", "not accepted", "not permitted", "banned"),
        *("unwanted", "not welcome", "prohibited", "disallowed", "not authorized", "unauthorized", "not verified"),
        *("unverified", "not local", "not owned", "illegal", "cannot be verified", "could not be verified"),
        plain=True,
    ),
    say_beside(
        Subject.SENDER,
        Predicate.NOT_FOUND,
        _SENDER,
        *("not valid", "invalid", "unknown", "nonexistent", "not exist", "not found", "does not resolve"),
        *("not resolvable", "unresolvable", "malformed"),
        plain=True,
    ),
    say_patterns(
        Subject.SENDER,
        Predicate.REFUSED,
        ("conform", r" (?:mail from|sender|from) (?:\S+ ){0,4}conform "),
        ("match", r" (?:sender|from|mail from|envelope) (?:\S+ ){0,5}(?:not|must) match "),
        ("header", r" not authorized to send (?:\S+ ){0,3}header "),
        ("as", r" (?:not|cannot|may not) (?:\S+ ){0,3}send (?:\S+ ){0,2}as "),
        ("send", r" not (?:authorized|allowed|permitted) to send (?:\S+ ){0,3}(?:with|using) "),
        ("bounces", r" bounces are never sent "),
        plain=True,
    ),
)
CLIENT_LISTED = (
    say_beside(
        Subject.CLIENT,
        Predicate.LISTED,
        _CLIENT,
        *("rejected", "refused", "denied", "blocked", "banned", "blacklisted", "listed", "not allowed"),
        *("not accepted", "not welcome", "not trusted", "not permitted", "barred", "blackholed", "quarantined"),
        *("suspended", "bad"),
        plain=True,
        behind=False,
    ),
    say_patterns(
        Subject.CLIENT,
        Predicate.LISTED,
        (
            "behavior",
            (
                r" (?:behavior spam|spam behavior|(?:suspicious|bad|abnormal|malicious|abusive|unusual) (?:\S+ "
                r")?behavior) "
            ),
        ),
        (
            "your",
            (
                r" (?:spam|unsolicited|junk|malicious|abusive) (?:\S+ ){0,3}"
                r"(?:originating|coming|sent|received) from your (?!domain)"
            ),
        ),
        ("reject", r" (?:ip|IP|client|host|network) (?:\S+ ){0,2}reject "),
        plain=True,
    ),
)
URL_LISTED = (
    say_patterns(
        Subject.MESSAGE,
        Predicate.UNWANTED,
        (
            "listed",
            (
                r" (?:url|urls|link|links|uri|domain|domains|website) "
                r"(?:in|within|inside|contained|found|from|of) "
                r"(?:\S+ ){0,6}(?:listed|blacklisted|blocklisted|blocked) "
            ),
        ),
        ("blacklisted", r" blacklisted (?:url|urls|link|links|uri|website) "),
        (
            "contains",
            (
                r" contains (?:\S+ ){0,4}(?:url|urls|link|links|uri|website|domain) "
                r"(?:\S+ ){0,4}(?:listed|blacklisted|blocked|blocklisted) "
            ),
        ),
        (
            "containing",
            (
                r" containing (?:\S+ ){0,4}(?:url|urls|link|links|uri|website|domain) "
                r"(?:\S+ ){0,4}(?:listed|blacklisted|blocked|blocklisted) "
            ),
        ),
        plain=True,
    ),
)
TOO_LARGE = (
    say_beside(
        Subject.MESSAGE,
        Predicate.TOO_LARGE,
        _MESSAGE,
        *("too large", "too big", "too long", "oversized", "oversize", "exceeded size", "exceeded maximum"),
        *("exceeded the maximum", "exceeded the allowed", "exceeded limit", "exceeded the limit", "over size"),
        *("achieved the maximum", "over the limit", "over limit", "larger than"),
    ),
    say_patterns(
        Subject.MESSAGE,
        Predicate.TOO_LARGE,
        ("size", r" (?:exceeded|maximum|max|over|above|beyond) (?:\S+ ){0,4}size "),
        ("size", r" size (?:\S+ ){0,4}(?:exceeded|limit|limits|maximum|too) "),
        ("length", r" length (?:\S+ ){0,6}(?:exceeded|limit|maximum|too|threshold) "),
    ),
)
LIMITS = (
    say_patterns(
        Subject.CLIENT,
        Predicate.RATE_EXCEEDED,
        ("limit", r" (?:exceeded|reached|over|hit|above|maximum|max) (?:\S+ ){0,5}limits? "),
        ("limit", r" limit (?:\S+ ){0,4}(?:exceeded|reached|hit) "),
        ("limits", r" (?:exceeded|reached|over|hit|above) (?:\S+ ){0,5}limits "),
        ("threshold", r" (?:exceeded|reached|over|achieved|maximum|above) (?:\S+ ){0,4}threshold "),
        ("rate", r" (?:exceeded|reached|over|high|excessive|above|unusual|maximum|abnormal) (?:\S+ ){0,4}rates? "),
        ("volume", r" (?:exceeded|high|excessive|unusual|large|abnormal) (?:\S+ ){0,3}volume "),
        (
            "number",
            (
                r" (?:exceeded|maximum|max|large|excessive|too high) (?:\S+ ){0,3}number (?:of )?"
                r"(?:\S+ ){0,3}(?:messages|email|recipients|connections|sessions|recipient|rcpt|rcpts) "
            ),
        ),
        ("more", r" more than (?:\S+ )?(?:messages|email|recipients|connections) "),
        ("frequently", r" too frequently "),
        ("frequent", r" too frequent "),
        ("often", r"(?<! tried) too often "),
        ("much", r" too much (?!spam)"),
        ("short", r" (?:in|within) (?:a |too )?(?:very )?short (?:period|time|interval) "),
    ),
)
LICENSE = (
    say_patterns(
        Subject.SYSTEM,
        Predicate.UNAVAILABLE,
        ("license", r" license (?:\S+ ){0,3}(?:expired|exceeded|invalid) "),
        ("certificate", r" certificate (?:\S+ ){0,3}expired "),
    ),
)
