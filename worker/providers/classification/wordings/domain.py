"""What servers say about the recipient's domain."""

from worker.providers.classification.subject import Predicate, Subject
from worker.providers.classification.wording import say, say_patterns

# Comes before everything about our own DNS: the sending server looks up the recipient's domain, by any record.
LOOKUP_OF_MX = (
    say(Subject.DOMAIN, Predicate.NOT_FOUND_FOR_NOW, "get mx info", "failed to get ips", "mx lookup error", plain=True),
)
NOT_FOUND_FOR_NOW = (
    say(
        Subject.DOMAIN,
        Predicate.NOT_FOUND_FOR_NOW,
        *("host not found try again", "name service error try again", "temporary lookup failure", "servfail"),
        *(
            "dns server failure",
            "dns lookup timed out",
            "resolver error",
            "mx lookup",
            "failure in mx lookup",
            "dns timeout",
            "dns query timed out",
            "temporary dns",
        ),
        *(
            "malformed name server reply",
            "unexpected name server reply",
            "nameserver did not answer",
            "dns temporary failure",
            "temporary name resolution",
            "no nameservers",
        ),
    ),
    say_patterns(
        Subject.DOMAIN,
        Predicate.NOT_FOUND_FOR_NOW,
        ("again", r" (?:name service|dns|lookup|resolver|host not found|domain not found) (?:\S+ ){0,8}try again "),
    ),
)
TAKES_NO_MAIL = (
    say(
        Subject.DOMAIN,
        Predicate.TAKES_NO_MAIL,
        *(
            "null mx",
            "nullmx",
            "receives no email",
            "receives no mail",
            "domain does not accept",
            "host does not accept",
            "mx record is null",
        ),
        *("does not accept any mail", "not accept any mail", "domain accepts no mail", "no mail is accepted"),
        *("no smtp service", "does not receive mail", "accepts no email", "not configured to accept mail"),
        plain=True,
    ),
    say_patterns(
        Subject.DOMAIN,
        Predicate.TAKES_NO_MAIL,
        ("accept", r" (?:does|do) not accept (?:any )?e?mails? (?!from)"),
        ("accept", r" (?:doesn't|don't) accept (?:any )?e?mails? (?!from)"),
        plain=True,
    ),
)
NO_RECORDS = (
    say(
        Subject.DOMAIN,
        Predicate.NO_RECORDS,
        *(
            "no mx",
            "invalid mx",
            "no mx record",
            "no mx records",
            "no mx record found",
            "no valid mx",
            "mx lookup failed",
        ),
        *("no a record", "no dns records", "unable to find mx", "no mail servers", "no mail exchangers", "no mx for"),
        *("no mail hosts", "no mail exchanger", "dns mx or a", "missing mx", "missing dns", "mx not found"),
        *(
            "records for the destination computer could not be found",
            "no mail server found",
            "no hosts found",
            "no relevant answers",
            "has no mx",
            "has no dns",
        ),
    ),
)
NOT_FOUND = (
    say(
        Subject.DOMAIN,
        Predicate.NOT_FOUND,
        *("cannot find mx", "unknown mx", "bad destination host", "bad destination system"),
        *("bad destination",),
        *("domain not exist", "no such name", "nonexistent host", "non existent host"),
        *("no dns", "unknown destination", "unresolvable host", "unresolvable domain"),
        *("domain is not registered", "not a registered domain"),
        *("host or domain name not found", "nxdomain", "domain not found", "no such domain", "unknown domain"),
        *("domain does not exist", "host unknown", "unknown host", "host not found"),
        *("name or service not known", "unrouteable mail domain", "unroutable mail domain", "domain lookup failed"),
        *("invalid domain", "domain name not found", "bad domain", "couldn't find any host named", "domain is invalid"),
        *("couldn't find any host", "couldn't find a mail exchanger or ip address", "illegal host domain name found"),
        *(
            "all relevant mx records point to non existent hosts",
            "domain invalid",
            "nonexistent domain",
            "no such host",
        ),
        *(
            "domain must exist",
            "unknown domain name",
            "mail domain mentioned in email address is unknown",
            "domain is unknown",
        ),
        *(
            "domain isn't valid",
            "non existent domain",
            "domain unknown",
            "not appear to be registered",
            "domain name is not registered",
        ),
    ),
)
LOOKUP_FAILED = (
    say(
        Subject.DOMAIN,
        Predicate.NOT_FOUND_FOR_NOW,
        *("dns lookup", "dns failure", "dns error", "dns query", "name service", "dns problem", "domain lookup"),
        *("cannot resolve", "could not resolve", "unable to resolve", "name resolution"),
        *("name server", "nameserver", "dns server"),
    ),
)
