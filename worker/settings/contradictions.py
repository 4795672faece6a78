"""Contradictions between settings, which no single setting can check."""

import re
from collections.abc import Mapping
from ipaddress import ip_network
from typing import Any
from urllib.parse import urlsplit

from schemas.address import normalise_address
from schemas.host import is_loopback
from schemas.source import Secret
from schemas.vocabulary import CAUSE_BLAME, Blame
from worker.process.postgres_url import names_several_hosts, session_attributes
from worker.process.spelling import did_you_mean
from worker.settings.added_permission import mistake_in
from worker.settings.recheck import is_nameserver
from worker.settings.traces import mistakes_in_traces

# A parcel also carries the names, headers and lengths around each body.
_PARCEL_OVERHEAD_BYTES = 64 * 1024
# RabbitMQ refuses messages larger than this unless it is told otherwise (`max_message_size`).
RABBITMQ_MAX_MESSAGE_BYTES = 16 * 1024 * 1024
_MIN_TOKEN_CHARACTERS = 16
_MIN_LINK_SECRET_CHARACTERS = 32
_MAX_ACCOUNT_CHARACTERS = 200

_CAUSES = [cause.value for cause in CAUSE_BLAME if CAUSE_BLAME[cause] in {Blame.RECIPIENT, Blame.REMOTE}]


def contradictions(values: Mapping[str, Any]) -> list[str]:
    """Every contradiction, each with its remedy. `values` maps `receiver.port` and the like to their values.

    A setting that could not be read is not in `values`; checks that need it are skipped.
    """
    return [
        *_of_urls(values),
        *_of_addresses(values),
        *_of_sizes(values),
        *_of_exposure(values),
        *_of_unsubscribe_links(values),
        *_of_summaries(values),
        *mistakes_in_traces(values),
        *(
            f"api.accounts holds {account!r}: write a name of at most {_MAX_ACCOUNT_CHARACTERS} characters"
            for account in values.get("api.accounts", ())
            if not account.strip() or len(account) > _MAX_ACCOUNT_CHARACTERS
        ),
        *(
            f"api.added_permissions holds {text!r}: {remedy}"
            for text in values.get("api.added_permissions", ())
            if (remedy := mistake_in(text))
        ),
        *(
            f"recheck.frees holds {cause!r}: {did_you_mean(cause, _CAUSES, otherwise='write causes of docs/policy.md')}"
            for cause in values.get("recheck.frees", ())
            if cause not in _CAUSES
        ),
        *(
            f"recheck.nameservers holds {server!r}: write an IP address, perhaps with a port, as 192.0.2.53:5353"
            for server in values.get("recheck.nameservers", ())
            if not is_nameserver(server)
        ),
        *(
            f"{path} holds {network!r}: {remedy}"
            for path in ("receiver.trusted_proxies", "api.trusted_proxies")
            for network in values.get(path, ())
            if (remedy := _network_remedy(network))
        ),
    ]


def _of_urls(values: Mapping[str, Any]) -> list[str]:
    mistakes = []
    if "postgres.url" in values and not _has_scheme(values["postgres.url"], ("postgresql", "postgres")):
        mistakes.append(
            "postgres.url is not the URL of a Postgres: "
            "write postgresql://user:password@host:5432/database (its value is not shown here)"
        )
    elif "postgres.url" in values:
        mistakes += _of_postgres_hosts(values["postgres.url"].reveal())
    adapter, url = values.get("queue.adapter"), values.get("queue.url")
    if adapter == "rabbitmq":
        if url is None and "queue.url" in values:
            mistakes.append(
                "queue.url is missing: queue.adapter is `rabbitmq`, so write "
                'amqp://user:password@host:5672/ there, or choose adapter = "postgres"'
            )
        elif url is not None and not _has_scheme(url, ("amqp", "amqps")):
            mistakes.append(
                "queue.url is not the URL of a RabbitMQ: "
                "write amqp://user:password@host:5672/vhost (its value is not shown here)"
            )
    elif adapter == "postgres" and url is not None:
        mistakes.append(
            "queue.url is set, but queue.adapter is `postgres`, which uses postgres.url: "
            'remove it, or choose adapter = "rabbitmq"'
        )
    return mistakes


def _of_postgres_hosts(url: str) -> list[str]:
    """A failover must lead all sessions to the new primary."""
    wanted = session_attributes(url)
    if wanted not in {None, "any", "primary", "read-write"}:
        mistake = (
            f"postgres.url asks for {wanted} by target_session_attrs, and each process writes: "
            "ask for read-write, or for primary"
        )
        return [mistake]
    if wanted is None and names_several_hosts(url):
        mistake = (
            "postgres.url names several hosts without target_session_attrs, so sessions may be opened at a standby, "
            "which takes no writes: add ?target_session_attrs=read-write (or any, if each host leads to the primary)"
        )
        return [mistake]
    return []


def _of_sizes(values: Mapping[str, Any]) -> list[str]:
    mistakes = []
    body, unpacked = values.get("receiver.max_body_bytes"), values.get("receiver.max_decompressed_bytes")
    if body and unpacked and body > unpacked:
        mistakes.append(
            f"receiver.max_body_bytes ({body}) is larger than receiver.max_decompressed_bytes ({unpacked}): "
            "raise the second or lower the first"
        )
    largest = max(body or 0, unpacked or 0) + _PARCEL_OVERHEAD_BYTES
    if values.get("queue.adapter") == "rabbitmq" and largest > RABBITMQ_MAX_MESSAGE_BYTES:
        mistakes.append(
            f"a webhook of {largest - _PARCEL_OVERHEAD_BYTES} bytes would be accepted, but RabbitMQ accepts at most "
            f"{RABBITMQ_MAX_MESSAGE_BYTES} bytes in one message: lower receiver.max_body_bytes and "
            f"receiver.max_decompressed_bytes to {RABBITMQ_MAX_MESSAGE_BYTES - _PARCEL_OVERHEAD_BYTES} or less"
        )
    park, confirm = values.get("queue.park_after_seconds"), values.get("queue.confirm_timeout_seconds")
    answer = values.get("receiver.answer_timeout_seconds")
    if answer and confirm and confirm >= answer:
        mistakes.append(
            f"queue.confirm_timeout_seconds ({confirm:g}) is not shorter than receiver.answer_timeout_seconds "
            f"({answer:g}): a slow broker would leave no time to answer; lower the first"
        )
    if park and answer and park >= answer:
        mistakes.append(
            f"queue.park_after_seconds ({park:g}) is not shorter than receiver.answer_timeout_seconds ({answer:g}): "
            "no webhook would be parked in time; lower the first"
        )
    return mistakes


def _of_exposure(values: Mapping[str, Any]) -> list[str]:
    mistakes = []
    host = values.get("api.host")
    if any(len(token.reveal()) < _MIN_TOKEN_CHARACTERS for token in values.get("api.tokens", ())):
        mistakes.append(
            f"api.tokens holds a token of fewer than {_MIN_TOKEN_CHARACTERS} characters, which can be guessed: "
            "use a longer one, such as the output of `openssl rand -hex 24`"
        )
    if (
        values.get("receiver.port") is not None
        and values["receiver.port"] == values.get("api.port")
        and values.get("receiver.host") == host
    ):
        mistakes.append(
            f"receiver.port and api.port are both {values['receiver.port']} on {host}: give one of them another port"
        )
    return mistakes


def _of_unsubscribe_links(values: Mapping[str, Any]) -> list[str]:
    mistakes = []
    secrets = [secret.reveal() for secret in values.get("unsubscribe.secrets", ())]
    if any(len(secret) < _MIN_LINK_SECRET_CHARACTERS for secret in secrets):
        mistakes.append(
            f"unsubscribe.secrets holds a text of fewer than {_MIN_LINK_SECRET_CHARACTERS} characters, which can be "
            "guessed: use longer ones, such as the output of `openssl rand -hex 32`"
        )
    if url := values.get("unsubscribe.url", ""):
        parts = urlsplit(url)
        plain = parts.scheme == "http" and is_loopback(parts.hostname or "")
        if not parts.hostname or not (parts.scheme == "https" or plain) or parts.query or parts.fragment:
            mistakes.append(
                f"unsubscribe.url is {url!r}: write the https URL of the receivers, such as https://bounces.example.com;"
                " mail programs use the button only with https"
            )
    return mistakes


def _of_addresses(values: Mapping[str, Any]) -> list[str]:
    return [
        f"{name} is {url!r}: write a URL without a path, such as http://receiver:8025"
        for name in ("receiver.reached_at", "api.reached_at")
        if (url := values.get(name, "")) and not re.fullmatch(r"https?://[^/?#@\s]+/?", url)
    ]


def _of_summaries(values: Mapping[str, Any]) -> list[str]:
    host, sender = values.get("summary.smtp_host", ""), values.get("summary.sender", "")
    user, password = values.get("summary.smtp_user", ""), values.get("summary.smtp_password")
    mistakes = []
    if host and "summary.sender" in values and (normalise_address(sender) is None or not sender.isascii()):
        mistakes.append(
            f"summary.sender is {sender!r}, and summary.smtp_host is set: "
            "write the address that summaries are from, such as bouncekeeper@example.com"
        )
    if user and "summary.smtp_password" in values and password is None:
        mistakes.append(
            "summary.smtp_password is missing: summary.smtp_user is set, so set summary.smtp_password_file to the file "
            "with the password"
        )
    if host and user and values.get("summary.smtp_tls") == "none" and not is_loopback(host):
        mistakes.append(
            f"summary.smtp_tls is `none`: the password would go to {host} unencrypted; choose `starttls` or `tls`"
        )
    return mistakes


def _network_remedy(network: str) -> str:
    """What is wrong with a network in CIDR notation; "" if nothing."""
    try:
        if ip_network(network).prefixlen == 0:
            return "all callers could choose their address; name only the proxy in front of the receivers"
    except ValueError:
        try:
            return f"it has bits set outside its mask; write {ip_network(network, strict=False)}"
        except ValueError:
            return "it must be an address or a network, such as 203.0.113.7 or 10.0.0.0/8"
    return ""


def _has_scheme(url: Secret, schemes: tuple[str, ...]) -> bool:
    try:
        parts = urlsplit(url.reveal())
    except ValueError:
        return False
    return parts.scheme in schemes and bool(parts.netloc or parts.query)
