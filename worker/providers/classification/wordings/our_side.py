"""What servers say about us: our address, our host, our account, our commands."""

from worker.providers.classification.reply_words import BLOCKLIST
from worker.providers.classification.subject import Predicate, Subject
from worker.providers.classification.wording import say, say_patterns

SENDER = (
    say(
        Subject.SENDER,
        Predicate.REFUSED,
        *("sender address rejected", "sender rejected", "sender denied", "sender blocked", "sender refused"),
        *("sender is spammer", "sender not pre approved", "bogus mail from", "null sender is not allowed"),
        *("empty envelope senders not allowed", "mail from not owned by user", "unroutable sender address"),
        *("sender email address rejected", "sender's address", "envelope from", "not a registered gateway user"),
        *(
            "send as this sender",
            "badmailfrom",
            "batv failed",
            "batv validation failure",
            "batv defense",
            "blank from",
            "as a from address",
        ),
        *("sender not authenticated", "sender is not authorized", "sender not allowed", "sender is blocked"),
        *("sender verify failed", "sender verification failed", "sender callout verification failed"),
        *("your email address has been blocked", "envelope sender", "mail from refused", "bad sender", "your sender"),
        plain=True,
    ),
    say(
        Subject.SENDER,
        Predicate.INVALID,
        *("invalid sender", "invalid from", "invalid return path", "sender address is", "malformed sender"),
        *("sender address syntax", "sender syntax", "invalid envelope sender", "bad return path", "bad from address"),
        plain=True,
    ),
    say(
        Subject.SENDER,
        Predicate.NOT_FOUND,
        *("sender domain", "domain of sender", "sender's domain", "unresolvable from domain", "sender unknown"),
        *("domain of sender address", "from domain is invalid", "valid sender domain", "sender domain is empty"),
        *("from domain", "unable to verify sender", "sender does not exist", "your domain does not exist"),
        *("your domain", "domain name of sender", "could not verify sender", "sender domain not found"),
        plain=True,
    ),
)
DIALOGUE = (
    say(
        Subject.CLIENT,
        Predicate.INVALID,
        *("helo command rejected", "ehlo command rejected", "invalid helo", "invalid ehlo", "helo name", "bad helo"),
        *(
            "helo argument",
            "ehlo argument",
            "helo hostname",
            "ehlo hostname",
            "your helo",
            "bogus helo",
            "helo required",
        ),
        *("invalid helo ehlo", "need fully qualified hostname", "forged helo", "polite people say hello first"),
        plain=True,
    ),
    say(
        Subject.DIALOGUE,
        Predicate.REFUSED,
        *("need rcpt", "need mail", "nested mail", "unsupported command"),
        *("line too long", "lines too long", "wrong parameter", "out of order"),
        *("invalid command", "bad command", "command sequence"),
        *("unexpected command", "no recipients", "missing command", "early talker"),
        *("talks too soon", "pre greeting", "esmtp required", "too many unrecognized commands"),
        *("bad parameter", "invalid parameter", "invalid argument"),
        *("protocol violation", "protocol error", "smtp protocol", "synchronization error", "improper command"),
        *(
            "pipelining",
            "bare lf",
            "bare line feed",
            "bare linefeed",
            "invalid commands",
            "too many invalid commands",
            "bare newline",
            "command out of sequence",
            "bad sequence of commands",
        ),
        *("bad sequence", "unrecognized command", "command unrecognized", "command not recognized", "unknown command"),
        *("command not implemented", "command rejected", "too many bad commands", "lines in message were too long"),
        plain=True,
    ),
    say_patterns(
        Subject.DIALOGUE,
        Predicate.INVALID,
        ("orcpt", r" orcpt (?:\S+ ){0,3}(?:error|invalid|rejected) "),
        ("parameter", r" (?:unsupported|invalid|unrecognized|bad|unknown) (?:\S+ ){0,2}parameters? "),
        plain=True,
    ),
    say(
        Subject.ACCOUNT,
        Predicate.REFUSED,
        *("could not retrieve credentials", "no credentials"),
        *("authentication required", "must authenticate", "authentication unsuccessful", "authentication failed"),
        *("authentication credentials invalid", "invalid credentials", "username and password not accepted"),
        *(
            "must issue a starttls command first",
            "smtpclientauthentication is disabled",
            "login denied",
            "not logged in",
        ),
        *("authentication needed", "smtp auth required", "you must log in", "relay login"),
        plain=True,
    ),
    say(
        Subject.ACCOUNT,
        Predicate.DISABLED,
        *("your account", "outgoing mail", "outbound mail", "sending disabled", "sending is disabled"),
        *("sending has been suspended", "sending suspended", "sending paused", "your subscription", "unpaid"),
        *("not allowed to send messages until", "domain is not verified", "email address is not verified"),
        *("sandbox", "free accounts are for test purposes only", "account is not allowed to send"),
        *("activate your", "trial account", "not authorized to send from", "account has been deactivated for sending"),
        plain=True,
    ),
)
QUOTA = (
    say(
        Subject.ACCOUNT,
        Predicate.RATE_EXCEEDED,
        *(
            "submission quota",
            "sending quota",
            "outbound mail quota",
            "outgoing mail quota",
            "may only send",
            "sending limit",
            "daily limit",
            "hourly limit",
            "message limit",
        ),
        *("relay limit", "monthly limit", "recipient limit", "sending limits", "relay quota", "mail sending quota"),
        plain=True,
    ),
)
LISTED = (
    say(Subject.CLIENT, Predicate.LISTED, BLOCKLIST, plain=True),
    say(
        Subject.CLIENT,
        Predicate.LISTED,
        *("karma", "karma score"),
        *("blocklisting", "bad ip", "ip rejected", "rejected ip"),
        *("sender ip", "source ip", "ip rejection", "black listed ip"),
        *("block listed", "ip is listed", "abuse from", "reported as spam source"),
        *("spam from your", "spam from this", "spamming", "too many complaints"),
        *("low score", "score too low", "bad score", "untrusted"),
        *("suspicious ip", "distrusted", "ip reverse", "known spammer"),
        *("compromised", "infected host", "zombie", "proxy detected"),
        *(
            "spamhaus",
            "spamcop",
            "uceprotect",
            "barracudacentral",
            "dnsbl",
            "dnsrbl",
            "sorbs",
            "rbl",
            "rbls",
            "abuseat",
        ),
        *("blacklist", "blacklisted", "blacklists", "black list", "black listed", "blocklist", "blocklisted"),
        *("block list", "denylist", "deny list", "blocked using", "reputation", "banned sending", "realtime blackhole"),
        *("ip address is blocked", "ip is blocked", "ip has been blocked", "ip blocked"),
        *("ip address has been blocked", "too many invalid", "too many unknown", "ip address is not allowed"),
        *("ip address blocked", "ip is banned", "banned ip", "blocked ip", "blocked for abuse", "blocked for spam"),
        *("network is on our block list", "senderbase", "senderscore", "ip listed", "listed in dnsbl"),
        *("poor reputation", "bad reputation", "low reputation", "dynamic ip", "open relay", "open proxy", "botnet"),
        *("generic reverse", "residential", "known spam source", "spam source", "spammer", "spammers", "abusive host"),
        *(
            "accepting mail from your ip",
            "accept mail from dynamic",
            "hosts with dynamic ip",
            "confirm this mail server",
        ),
        *("no access from mail server", "custom reverse dns name", "use the smtp server of your isp", "rbl reject"),
        *(
            "too many errors from your ip",
            "due to user complaints",
            "user complaints",
            "looks suspiciously like spammer",
        ),
        *("cloudmark sender intelligence", "ip domain reputation problems", "insecure mail relay", "too much spam"),
        plain=True,
    ),
    say_patterns(
        Subject.CLIENT,
        Predicate.LISTED,
        ("listed", r" (?:IP|HOST|ip|host|client|address|you) (?:\S+ ){0,3}listed (?:in|at|on|by|as) "),
        ("listed", r" (?<!not )(?:is|are|was|currently|been) listed (?:in|at|on|by) (?!domino)"),
        (
            "blocked",
            (
                r" (?:ip|IP|client host|network|netblock|server) (?:\S+ ){0,3}"
                r"(?:is |was |been |temporarily |permanently ){0,3}(?:blocked|banned|blacklisted) "
            ),
        ),
        plain=True,
    ),
)
# A reply that names our host blames us, unless it says something better.
OUR_HOST = (
    say(Subject.CLIENT, Predicate.LISTED, "your ip", "sending ip", "client host rejected", "dynamic ips", plain=True),
    say(Subject.CLIENT, Predicate.LISTED, "not accepted from this ip", plain=True),
)
UNPROVEN = (
    say_patterns(
        Subject.CLIENT,
        Predicate.UNPROVEN,
        (
            "send",
            (
                r" (?:IP|HOST|ip|host|server|client|address) (?:is )?not "
                r"(?:authorized|allowed|permitted) to send (?:\S+ ){0,3}(?:from|for|on) "
            ),
        ),
        plain=True,
    ),
    say(
        Subject.SENDER,
        Predicate.UNPROVEN,
        *("dns check failed", "authentication results", "not authenticated domain", "failed authentication"),
        *("fails authentication", "unauthorized sender", "not authorized sender", "sender verification"),
        *("spoof", "spoofed", "spoofing", "forged"),
        *("forgery", "impersonation", "arc seal", "unsigned"),
        *("not signed", "signature verification", "bad signature", "invalid signature"),
        *("reverse record", "no hostname", "hostname mismatch", "does not match ip"),
        *("dns mismatch", "tls is mandatory", "insecure connection", "unencrypted"),
        *("dmarc", "dkim", "spf", "unauthenticated", "sender policy framework", "sender id", "arc"),
        *("not aligned", "authentication checks", "sender authentication", "email authentication"),
    ),
    say(
        Subject.CLIENT,
        Predicate.UNPROVEN,
        *("reverse dns", "rdns", "ptr", "reverse hostname", "reverse lookup", "reverse mapping", "fcrdns"),
        *("cannot find your hostname", "cannot find your reverse hostname", "starttls", "tls required"),
        *("tls is required", "requires tls", "encryption needed", "encryption required", "must use tls"),
        *("certificate verification", "no reverse", "does not resolve", "forward confirmed"),
    ),
)
# The noun beside it tells what it is about, or the stage.
SYNTAX = (
    say(Subject.UNNAMED, Predicate.INVALID, "syntax error", "invalid syntax", "syntactically invalid", "bad syntax"),
)
RELAY = (
    say(
        Subject.CLIENT,
        Predicate.MAY_NOT_RELAY,
        *("relay not permitted", "relay not allowed", "relay not authorized", "relaying not allowed", "relay denied"),
        *("relaying not permitted", "relaying not authorized", "relaying denied", "relay access denied", "no relaying"),
        *("unable to relay", "not permitted to relay", "not allowed to relay", "cannot relay", "relaying prohibited"),
        *("relaying is not allowed", "relay is not allowed", "relaying is prohibited", "relaying disallowed"),
        *("relaying mail", "we do not relay", "does not relay", "relay prohibited", "not a local domain"),
        *("isn't in my list of allowed rcpthosts", "rcpthosts", "not in my rcpthosts", "not an open relay"),
        *("non local email address", "non local e mail address", "not allowed to relay through this machine"),
        *(
            "domain isn't in my list",
            "not local domain",
            "not hosted locally",
            "not hosted here",
            "not hosted on this",
            "not allowed to route",
            "mail relay denied",
        ),
        plain=True,
    ),
    say_patterns(Subject.CLIENT, Predicate.MAY_NOT_RELAY, ("relay", r" relay (?!HOST)"), ("relaying", r" relaying ")),
)
