"""The URL of a Postgres, which may name several hosts: `postgresql://user:password@a:5432,b:5432/database?…`."""

import re
from urllib.parse import parse_qs

# urllib reads a single host only.
_URL = re.compile(
    r"(?P<scheme>[^:/?#]+)://(?:(?P<user>[^/?#]*)@)?(?P<hosts>[^/?#]*)(?P<path>/[^?#]*)?(?:\?(?P<query>[^#]*))?(?:#.*)?"
)
_PORT = re.compile(r"(?P<host>.*?)(?::(?P<port>[0-9]*))?")


def host_urls(url: str) -> list[str]:
    """One URL for each host that stands before the path; [url] if there is none or one."""
    parts = _URL.fullmatch(url)
    if parts is None or "," not in parts["hosts"]:
        return [url]
    begin, end = url[: parts.start("hosts")], url[parts.end("hosts") :]
    return [f"{begin}{host}{end}" for host in parts["hosts"].split(",")]


def place_of(url: str) -> str:
    """Hosts, ports and name of the database, without user and password, such as `a:5432,b:5432/database`."""
    parts = _URL.fullmatch(url)
    if parts is None:
        return "postgres.url"
    return f"{','.join(map(_place, parts['hosts'].split(',')))}{parts['path'] or ''}"


def session_attributes(url: str) -> str | None:
    """Which of several hosts is wanted (`target_session_attrs`), None if the URL does not say."""
    parts = _URL.fullmatch(url)
    values = parse_qs(parts["query"] or "").get("target_session_attrs") if parts is not None else None
    return values[-1] if values else None


def names_several_hosts(url: str) -> bool:
    """True if the URL names more than one host, before the path or as `host` in its query."""
    parts = _URL.fullmatch(url)
    return parts is not None and ("," in parts["hosts"] or "," in parse_qs(parts["query"] or "").get("host", [""])[-1])


def _place(host: str) -> str:
    parts = _PORT.fullmatch(host)
    if parts is None:  # cannot be: every text matches
        return host
    return f"{parts['host'] or 'the local socket'}:{parts['port'] or 5432}"
