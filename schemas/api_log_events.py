"""The lines of the API."""

from schemas.log_event import LogEvent
from schemas.log_event import log_event as _event

API_LOG_EVENTS: dict[str, LogEvent] = {
    "api.answered": _event(
        "info",
        "The API answered a request: what was asked, by which token, and the result.",
        "method",
        "route",
        "http_status",
        "seconds",
        "problem",
        "account",
        "contact",
        "mail_class",
        "allowed",
        "forbidden",
        "changes",
        "recipients",
        "token",
        "kind",
        "act_id",
        "made",
        "unchanged",
        "skipped",
    ),
    "api.failed": _event(
        "error",
        "A request to the API hit a bug of ours. The caller got 500, and nothing was allowed.",
        "method",
        "route",
        remedy="Please report it, with the traceback in the line. The caller may ask again.",
    ),
    "api.overloaded": _event(
        "warning",
        "The API has reached `api.max_bytes_under_way`, or too many requests wait. It answers 429 with Retry-After, "
        "and the caller may ask again; requests of up to some hundred addresses have a share of their own and pass. "
        "Logged once a minute while it lasts, with the count since the previous line.",
        "reason",
        "count",
        "bytes",
        "waiting",
        remedy="Send fewer requests at once, add API processes, or raise `api.max_bytes_under_way`: its 64 MiB hold "
        "about 75 requests of 10,000 addresses that wait and one that is answered, and the process keeps below 200 "
        "MiB.",
    ),
    "token.refused": _event(
        "warning",
        "Requests to the API came without a valid token. With the reason `guessing` the token was not checked. Logged "
        "once a minute for each address, with the count since the previous line, and 30 times a minute in all.",
        "remote_address",
        "reason",
        "count",
        remedy="Find out who calls from that address: a token that was revoked or mistyped (`bouncekeeper tokens "
        "list`), or somebody who guesses. Block who guesses at the proxy or a firewall.",
        remedies={
            "guessing": "An address may send ten wrong tokens, then one a second. Beyond that the API answers 429 with "
            "Retry-After and does not check the token. A token that was valid from an address before stays valid, even "
            "if somebody else guesses behind the same NAT or proxy. One wrong token that is sent again and again "
            "counts once. All callers behind a proxy that `api.trusted_proxies` does not name have one address: name "
            "it, or an attacker shares the address with your applications.",
        },
    ),
}
