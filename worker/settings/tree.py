"""The configuration as the program uses it: one frozen tree, validated when configuration.py loads it.

Each field carries its description and its limits. Flags, environment variables and docs/configuration.md are
generated from them.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from schemas.endpoint import Endpoint
from schemas.source import Secret, Source
from worker.policy.rule import Policy
from worker.providers.classification.operator_rules import OperatorRule

_Seconds = Meta(gt=0, le=86_400)
_Port = Meta(ge=1, le=65_535)


def _says(sentence: str) -> Meta:
    return Meta(description=sentence)


class PostgresSettings(Struct, frozen=True, kw_only=True):
    """The database of contacts."""

    url: Annotated[
        Secret,
        _says(
            "`postgresql://user:password@host:port/database`, or several hosts and `?target_session_attrs=read-write` "
            "([how](failover-and-restore.md#let-all-processes-find-the-primary)); if missing, the embedded Postgres is "
            "used."
        ),
    ]
    pool_connections: Annotated[int, Meta(ge=2, le=200), _says("Connections that one process keeps to Postgres.")] = 8
    command_timeout_seconds: Annotated[float, _Seconds, _says("A statement that takes longer is given up.")] = 60.0


class QueueSettings(Struct, frozen=True, kw_only=True):
    """Where accepted webhooks wait for the processor."""

    adapter: Annotated[
        Literal["rabbitmq", "postgres"],
        _says(
            "`rabbitmq`, or `postgres` for a first look and for small senders; `up` uses `postgres` if none is named."
        ),
    ] = "rabbitmq"
    url: Annotated[Secret | None, _says("`amqp://user:password@host:port/vhost`; only for the adapter `rabbitmq`.")] = (
        None
    )
    confirm_timeout_seconds: Annotated[
        float, _Seconds, _says("A parcel that the broker has not confirmed by then is published again.")
    ] = 5.0
    park_after_seconds: Annotated[
        float, _Seconds, _says("If the broker takes longer, the parcel is parked in Postgres.")
    ] = 1.0
    changes_queues: Annotated[
        tuple[str, ...],
        _says(
            "Durable queues that a processor declares, one for each application; each keeps every status change until"
            " it is consumed."
        ),
    ] = ()
    prefetch_parcels: Annotated[
        int,
        Meta(ge=1, le=10_000),
        _says("Parcels of one source that the broker lends one processor at a time; fewer if the sources are many."),
    ] = 64


class ReceiverSettings(Struct, frozen=True, kw_only=True):
    """The HTTP edge, where ESPs post their webhooks."""

    host: Annotated[str, _says("Address to listen on; `0.0.0.0` for all.")] = "127.0.0.1"
    port: Annotated[int, _Port, _says("Port to listen on; several receivers may share it on Linux.")] = 8025
    reached_at: Annotated[
        str,
        _says(
            "URL where `doctor` and `sources test` find a receiver if it is on another host: `http://receiver:8025`."
        ),
    ] = ""
    max_body_bytes: Annotated[
        int, Meta(ge=1024, le=64 * 1024 * 1024), _says("A larger body is refused while it still arrives.")
    ] = 5 * 1024 * 1024
    max_decompressed_bytes: Annotated[
        int,
        Meta(ge=1024, le=64 * 1024 * 1024),
        _says("A compressed body that grows beyond this is refused; RabbitMQ takes 16 MiB at most."),
    ] = 15 * 1024 * 1024
    body_timeout_seconds: Annotated[
        float, _Seconds, _says("A client that has not sent its whole body by then is cut off.")
    ] = 20.0
    answer_timeout_seconds: Annotated[
        float,
        _Seconds,
        _says("A webhook is answered within this time, with 503 if it is not stored by then; SNS gives up at 15."),
    ] = 12.0
    retry_after_seconds: Annotated[
        int, Meta(ge=1, le=86_400), _says("How long a 503 asks the ESP to wait before it sends again.")
    ] = 30
    group_max_envelopes: Annotated[
        int, Meta(ge=1, le=10_000), _says("Webhooks that share one queue message and its confirm.")
    ] = 256
    group_max_bytes: Annotated[
        int, Meta(ge=1024, le=16 * 1024 * 1024), _says("Bytes that share one queue message and its confirm.")
    ] = 1024 * 1024
    groups_in_flight: Annotated[
        int, Meta(ge=1, le=256), _says("Queue messages that may wait for their confirm at a time.")
    ] = 4
    trusted_proxies: Annotated[
        tuple[str, ...],
        _says("Addresses or networks (CIDR) of the proxies whose X-Forwarded-For is believed; none if empty."),
    ] = ()
    drain_seconds: Annotated[
        float, _Seconds, _says("How long a stopping receiver may take to finish accepted requests.")
    ] = 20.0


class ConnectionSettings(Struct, frozen=True, kw_only=True):
    """Limits on connections, for every port: the receiver's, the API's and those of the probes."""

    max_open: Annotated[
        int,
        Meta(ge=8, le=60_000),
        _says("Connections that a port keeps open; fewer if the system allows this process fewer open files."),
    ] = 4096
    max_per_address: Annotated[
        int,
        Meta(ge=1, le=60_000),
        _says(
            "Connections of one address, and simultaneous requests of one address behind a trusted proxy; at most half "
            "of `max_open`. An IPv6 address counts as its /64."
        ),
    ] = 1024
    idle_seconds: Annotated[float, _Seconds, _says("A connection without a request for so long is closed.")] = 75.0
    head_timeout_seconds: Annotated[
        float, _Seconds, _says("A request whose head is not complete by then is cut off.")
    ] = 10.0
    body_grace_seconds: Annotated[
        float, _Seconds, _says("For so long a body may come at any rate; then the minimum rate applies.")
    ] = 5.0
    min_body_bytes_per_second: Annotated[
        int, Meta(ge=1, le=1024 * 1024), _says("A body whose average rate is lower is cut off.")
    ] = 500


class ProcessorSettings(Struct, frozen=True, kw_only=True):
    """The processor turns webhooks into statuses."""

    host: Annotated[str, _says("Address of the processor's own /healthz, /readyz and /metrics.")] = "127.0.0.1"
    port: Annotated[
        int, Meta(ge=0, le=65_535), _says("Their port; 0 for none. Each processor on a machine needs its own.")
    ] = 0
    batch_max_events: Annotated[
        int, Meta(ge=1, le=100_000), _says("Roughly how many events are committed in one transaction.")
    ] = 2000
    batch_max_wait_seconds: Annotated[float, Meta(gt=0, le=60), _says("How long a batch may wait to become full.")] = (
        0.05
    )
    batches_in_flight: Annotated[int, Meta(ge=1, le=16), _says("Batches prepared or committed at the same time.")] = 2
    retention_months: Annotated[
        int,
        Meta(ge=1, le=1200),
        _says("Deliveries, opens, clicks and other calm events older than this many whole months are dropped."),
    ] = 24
    keep_raw: Annotated[
        Literal["failures", "all", "none"],
        _says(
            "Which events are stored as the ESP wrote them, too: `failures` are bounces, blocks, drops, complaints and"
            " what this version does not know."
        ),
    ] = "failures"
    keep_raw_days: Annotated[
        int,
        Meta(ge=0, le=36_500),
        _says(
            "What the ESP wrote of an event is dropped so many days after it arrived, and the event stays. 0 keeps it"
            " for as long as the event."
        ),
    ] = 0
    keep_recipients_days: Annotated[
        int,
        Meta(ge=0, le=36_500),
        _says(
            "What became of a campaign's message to a contact is dropped so many days after its first event. 0 keeps it"
            " for as long as the contact."
        ),
    ] = 730
    partitions_ahead_months: Annotated[int, Meta(ge=1, le=24), _says("Monthly tables that are made ahead of time.")] = 2
    sweep_every_seconds: Annotated[
        float, _Seconds, _says("How often holds that have ended are written to the history.")
    ] = 30.0
    relay_every_seconds: Annotated[
        float, _Seconds, _says("How often status changes are published to the applications.")
    ] = 0.5
    endpoints_give_up_days: Annotated[
        float,
        Meta(gt=0, le=365),
        _says("An endpoint that has failed for so long is disabled until `bouncekeeper endpoints enable`."),
    ] = 5.0


class ApiSettings(Struct, frozen=True, kw_only=True):
    """The API for applications and operators."""

    host: Annotated[str, _says("Address to listen on.")] = "127.0.0.1"
    port: Annotated[int, _Port, _says("Port to listen on.")] = 8026
    reached_at: Annotated[
        str, _says("URL where `doctor` finds the API if it is on another host: `http://api:8026`.")
    ] = ""
    tokens: Annotated[
        tuple[Secret, ...],
        _says("Bearer tokens, each an administrator of all accounts; `bouncekeeper tokens` makes others."),
    ] = ()
    check_max_addresses: Annotated[
        int, Meta(ge=1, le=1_000_000), _says("Addresses that one `POST /v1/check` may ask about.")
    ] = 10_000
    max_bytes_under_way: Annotated[
        int,
        Meta(ge=8 * 1024 * 1024, le=64 * 1024 * 1024 * 1024),
        _says("Roughly how many bytes one process holds for requests and answers; requests beyond get 429."),
    ] = 64 * 1024 * 1024
    trusted_proxies: Annotated[
        tuple[str, ...],
        _says(
            "Addresses or networks (CIDR) of the proxies whose X-Forwarded-For is believed; the limit on wrong tokens "
            "is per caller's address."
        ),
    ] = ()
    accounts: Annotated[
        tuple[str, ...],
        _says("Accounts that exist in addition to those of the sources; `customer-*` names all with this prefix."),
    ] = ()
    added_permission: Annotated[
        Literal["unknown", "stated", "none_needed"],
        _says("What is known of the permission of contacts that are added by somebody who does not say so."),
    ] = "unknown"
    added_permissions: Annotated[
        tuple[str, ...],
        _says(
            "The same by who adds them, as `shop-plugin=none_needed`: the name of a token, or `command` for"
            " `bouncekeeper add`."
        ),
    ] = ()


class SafelistSettings(Struct, frozen=True, kw_only=True):
    """Requests to have a contact back, or to block one: what is decided at once, and what a person reviews."""

    preset: Annotated[
        Literal["recommended", "strict", "by_hand"],
        _says("The rules; `docs/safelist.md` has their table."),
    ] = "recommended"
    account_days: Annotated[
        int, Meta(ge=0, le=3650), _says("An account is young until then: its requests are not approved at once.")
    ] = 90
    bounce_attempts: Annotated[
        int, Meta(ge=0, le=1000), _says("How often a contact that bounced may be asked back; 0 for never.")
    ] = 5
    complaint_attempts: Annotated[
        int, Meta(ge=0, le=1000), _says("How often a contact that complained may be asked back; 0 for never.")
    ] = 1


class RecheckSettings(Struct, frozen=True, kw_only=True):
    """Checking an address again: whether its domain takes mail now, and what that frees."""

    dns: Annotated[
        bool, _says("Asks the DNS whether the domain takes mail; otherwise only what is known is checked.")
    ] = False
    timeout_seconds: Annotated[
        float, Meta(gt=0, le=60), _says("A domain that is not looked up by then is not known to take mail.")
    ] = 5.0
    lookups_at_once: Annotated[
        int, Meta(ge=1, le=1000), _says("How many domains a process looks up at a time; the others wait.")
    ] = 20
    nameservers: Annotated[
        tuple[str, ...],
        _says("Whom to ask, as `192.0.2.53` or `192.0.2.53:5353`; this machine's resolvers if empty."),
    ] = ()
    frees: Annotated[
        tuple[str, ...],
        _says("A contact that is blocked for these causes alone is freed if its domain takes mail now."),
    ] = ("domain_does_not_exist", "domain_accepts_no_mail", "dns_failure", "invalid_address")


class SummarySettings(Struct, frozen=True, kw_only=True):
    """The daily summary: which safelist requests were approved and declined, by e-mail to each account's recipients."""

    enabled: Annotated[bool, _says("Makes the summaries: they are logged, and sent if `summary.smtp_host` is set.")] = (
        True
    )
    hour: Annotated[
        int, Meta(ge=0, le=23), _says("The hour of the day, in the account's time zone, from which one is due.")
    ] = 8
    smtp_host: Annotated[str, _says("The server that takes the mails; none are sent if empty.")] = ""
    smtp_port: Annotated[int, _Port, _says("Its port.")] = 587
    smtp_tls: Annotated[
        Literal["starttls", "tls", "none"],
        _says(
            "`starttls` and `tls` (from the first byte, port 465) require a valid certificate; `none` is unencrypted."
        ),
    ] = "starttls"
    smtp_user: Annotated[str, _says("Whom to log in as; nobody if empty.")] = ""
    smtp_password: Annotated[Secret | None, _says("The password of `summary.smtp_user`.")] = None
    sender: Annotated[str, _says("The address that the mails are from.")] = ""
    timeout_seconds: Annotated[
        float,
        Meta(gt=0, le=60),
        _says(
            "A server that has not taken the envelope by then is tried again later; it has four times that to accept."
        ),
    ] = 15.0


class MailboxSettings(Struct, frozen=True, kw_only=True):
    """`mailbox` takes reports and bounces from the IMAP mailboxes that sources name."""

    host: Annotated[str, _says("Address of its own /healthz, /readyz and /metrics.")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535), _says("Their port; 0 for none.")] = 0
    poll_every_seconds: Annotated[
        float, Meta(gt=0, le=1_500), _says("How often a mailbox is checked; with IDLE new mail is noticed sooner.")
    ] = 60.0
    timeout_seconds: Annotated[
        float, _Seconds, _says("An IMAP server that does not answer by then counts as away.")
    ] = 30.0
    dns_timeout_seconds: Annotated[
        float, _Seconds, _says("A DKIM key whose look-up takes longer is looked up again later.")
    ] = 5.0
    max_message_bytes: Annotated[
        int, Meta(ge=1024, le=15 * 1024 * 1024), _says("A larger mail stays in the mailbox and is logged once.")
    ] = 5 * 1024 * 1024


class UnsubscribeSettings(Struct, frozen=True, kw_only=True):
    """Unsubscribe links, and the page that they lead to: docs/unsubscribe.md."""

    secrets: Annotated[
        tuple[Secret, ...],
        _says(
            "Long random texts: the first makes the tokens of links, all read them. Keep former ones, because mails are"
            " years old when somebody leaves. Without any there is no page."
        ),
    ] = ()
    url: Annotated[
        str, _says("Where the receivers are reached from outside, as `https://bounces.example.com`; links begin so.")
    ] = ""
    company: Annotated[
        str, _says("Who sends the mail, as the page says it: `Mail from us`, unless you name yourself.")
    ] = "us"
    words_file: Annotated[str, _says("TOML file with texts that replace the page's own, such as translations.")] = ""


class LogSettings(Struct, frozen=True, kw_only=True):
    """How the program writes its log."""

    level: Annotated[Literal["debug", "info", "warning", "error"], _says("The lowest level that is logged.")] = "info"
    format: Annotated[Literal["json", "console"], _says("`json` for machines, `console` for people.")] = "json"
    show_addresses: Annotated[bool, _says("Logs whole e-mail addresses instead of `j***@example.org`.")] = False


class TracesSettings(Struct, frozen=True, kw_only=True):
    """Traces for an OpenTelemetry collector: docs/traces.md."""

    enabled: Annotated[bool, _says("Makes traces. Needs the extra: `pip install 'bouncekeeper[traces]'`.")] = False
    endpoint: Annotated[
        str, _says("The collector, as `http://collector:4318` (OTLP over HTTP); if empty, as the OTEL_ variables say.")
    ] = ""
    headers: Annotated[Secret | None, _says("Headers for it, such as a key: `name=value,name=value`.")] = None
    ratio: Annotated[float, Meta(ge=0, le=1), _says("Which part of webhooks and requests is traced.")] = 0.01
    service_name: Annotated[str, _says("`service.name`; if empty, as the OTEL_ variables say.")] = ""
    continue_from_proxies: Annotated[
        bool, _says("Continues the traces of trusted proxies; only if they write `traceparent` themselves.")
    ] = False


class Settings(Struct, frozen=True, kw_only=True):
    """Everything the operator decided."""

    data_directory: Annotated[
        str, _says("Folder for data on this machine: embedded Postgres, generated configuration.")
    ] = ".data"
    postgres: PostgresSettings
    queue: QueueSettings
    receiver: ReceiverSettings
    connections: ConnectionSettings
    processor: ProcessorSettings
    api: ApiSettings
    safelist: SafelistSettings = SafelistSettings()
    recheck: RecheckSettings = RecheckSettings()
    summary: SummarySettings = SummarySettings()
    mailbox: MailboxSettings
    logs: LogSettings
    traces: TracesSettings = TracesSettings()
    unsubscribe: UnsubscribeSettings = UnsubscribeSettings()
    policy: Policy
    sources: tuple[Source, ...] = ()
    source_accounts: tuple[str, ...] = ()  # those of the sources' tables, even if the sources were not read
    endpoints: tuple[Endpoint, ...] = ()
    classification: tuple[OperatorRule, ...] = ()  # the operator's own verdicts on replies
