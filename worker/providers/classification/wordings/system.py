"""What is said of the receiving server and of the network between."""

from worker.providers.classification.subject import Predicate, Subject
from worker.providers.classification.wording import say

GREYLISTED = (
    say(
        Subject.CLIENT,
        Predicate.GREYLISTED,
        *("greylist", "greylisted", "greylisting", "graylist", "graylisted", "graylisting", "grey list", "gray list"),
        *("grey listed", "gray listed", "grey listing", "gray listing", "postgrey"),
        plain=True,
    ),
)
LOOP = (
    say(
        Subject.SYSTEM,
        Predicate.UNAVAILABLE,
        "mail loop",
        "too many hops",
        "mail loops back",
        "routing loop",
        "loops back to myself",
        "points to local host",
        "mail forwarding loop",
    ),
)
RATE_EXCEEDED = (
    say(
        Subject.CLIENT,
        Predicate.RATE_EXCEEDED,
        *("rate limit", "ratelimit", "rate limited", "ratelimited", "rate limiting", "too many recipients"),
        *("too many connections", "too many concurrent", "too many messages", "too many emails", "too many mails"),
        *(
            "too many sessions",
            "too many simultaneous",
            "too quickly",
            "too fast",
            "too much mail",
            "number of concurrent connections",
            "at a rate",
            "throttled",
            "throttling",
        ),
        *("excessive volume", "unusual rate", "connection limit", "sending limit", "daily limit", "hourly limit"),
        *(
            "message limit",
            "submission quota",
            "message rate",
            "connection rate",
            "rate exceeded",
            "flood",
            "slow down",
        ),
        *(
            "try again slower",
            "max emails per hour",
            "numerous attempts to deliver",
            "messages this hour",
            "sessions from this",
        ),
        *("messages per session",),
        *("exceeded the limit", "exceeded the maximum number", "limit exceeded for", "maximum number of connections"),
        *("connections from your", "sending rate", "mails per", "messages per", "emails per", "connection frequency"),
        plain=True,
    ),
    say(Subject.CLIENT, Predicate.RATE_EXCEEDED, "too many", "throttle", "limit exceeded"),
)
UNREACHABLE = (
    say(Subject.CONNECTION, Predicate.REFUSED, "connection refused", "connection rejected"),
    say(
        Subject.CONNECTION,
        Predicate.UNREACHABLE,
        *("connection timed out", "connection reset", "connection closed", "connection dropped"),
        *("lost connection", "connect to", "timed out", "timeout", "time out", "no route to host", "unreachable"),
        *("unable to connect", "could not connect", "couldn't connect", "cannot connect", "failed to connect"),
        *(
            "handshake",
            "tls negotiation",
            "did not accept our requests to connect",
            "not reachable",
            "no answer from host",
        ),
        *(
            "connection failed",
            "connection failure",
            "network error",
            "socket error",
            "couldn't establish",
            "broken pipe",
        ),
        *("establish an smtp connection", "host is down", "network is down", "unable to establish", "bad connection"),
        *(
            "network error on destination",
            "could not connect and send",
            "remote host refused",
            "timeout waiting for input",
        ),
        *("wasn't able to establish", "connection died", "connect error", "hung up", "unexpectedly closed"),
    ),
)
UNAVAILABLE = (
    say(
        Subject.SYSTEM,
        Predicate.UNAVAILABLE,
        *("aliasing forwarding loop", "interrupted system call", "error in processing", "error while being processed"),
        *("remote server is misconfigured", "system config error", "config error", "currently unavailable", "no mdb"),
        *("temporary local problem", "internal error reading data", "encountered an error", "message is looping"),
        *("system storage", "insufficient", "disk full", "resources", "internal error", "internal server error"),
        *("local error", "local problem", "service unavailable", "service not available", "server busy"),
        *("server is busy", "system not accepting", "temporary failure", "temporarily unavailable", "temporary server"),
        *("configuration error", "unverified", "temporary problem", "temporary error", "overloaded", "too busy"),
        *("server error", "system error", "maintenance", "out of memory", "queue file write error", "no space left"),
        *("mailbox is locked", "mailbox locked by", "mailbox busy", "cannot open mailbox", "server configuration"),
        *("not accepting messages", "system problem", "processing error", "backend", "try later", "try again later"),
        *(
            "temporarily deferred",
            "temporarily rejected",
            "resources temporarily",
            "unable to process",
            "local configuration",
        ),
    ),
)
REFUSED = (
    say(
        Subject.UNNAMED,
        Predicate.REFUSED,
        *("policy", "policies", "prohibited", "not allowed", "denied", "not permitted", "blocked", "forbidden"),
        *("not authorized", "security reasons", "administrative", "administratively"),
    ),
)
