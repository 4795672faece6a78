"""The configuration as the program uses it: one frozen tree, validated when it was loaded (worker.settings.load_settings)."""

from msgspec import Struct

from schemas.source import Secret, Source
from worker.policy.rule import Policy


class PostgresSettings(Struct, frozen=True, kw_only=True):
    """Where the contacts are."""

    url: Secret
    pool_connections: int = 8
    command_timeout_seconds: float = 60.0


class QueueSettings(Struct, frozen=True, kw_only=True):
    """Where accepted webhooks wait: `rabbitmq`, or `postgres` for a first look and small senders."""

    adapter: str = "rabbitmq"
    url: Secret | None = None  # amqp://…; only for rabbitmq
    confirm_timeout_seconds: float = 5.0
    park_after_seconds: float = 1.0  # a broker that takes longer is passed over: the parcel is parked in Postgres
    prefetch_parcels: int = 64


class ReceiverSettings(Struct, frozen=True, kw_only=True):
    """The HTTP edge."""

    host: str = "127.0.0.1"
    port: int = 8025
    max_body_bytes: int = 5 * 1024 * 1024
    max_decompressed_bytes: int = 20 * 1024 * 1024
    body_timeout_seconds: float = 20.0
    answer_timeout_seconds: float = 12.0  # SNS gives up after 15
    retry_after_seconds: int = 30
    group_max_envelopes: int = 256
    group_max_bytes: int = 1024 * 1024
    groups_in_flight: int = 4
    trusted_proxies: tuple[str, ...] = ()  # CIDR; only from these is X-Forwarded-For believed
    drain_seconds: float = 20.0


class ProcessorSettings(Struct, frozen=True, kw_only=True):
    """The batch path."""

    batch_max_events: int = 4000
    batch_max_wait_seconds: float = 0.05
    batches_in_flight: int = 2
    retention_months: int = 24
    partitions_ahead_months: int = 2
    sweep_every_seconds: float = 30.0
    relay_every_seconds: float = 0.5


class ApiSettings(Struct, frozen=True, kw_only=True):
    """The API for applications and operators."""

    host: str = "127.0.0.1"
    port: int = 8026
    tokens: tuple[Secret, ...] = ()
    check_max_addresses: int = 10_000


class LogSettings(Struct, frozen=True, kw_only=True):
    """How the program speaks to the operator."""

    level: str = "info"
    format: str = "json"  # or `console`
    show_addresses: bool = False


class Settings(Struct, frozen=True, kw_only=True):
    """Everything the operator decided."""

    data_directory: str
    postgres: PostgresSettings
    queue: QueueSettings
    receiver: ReceiverSettings
    processor: ProcessorSettings
    api: ApiSettings
    logs: LogSettings
    policy: Policy
    sources: tuple[Source, ...] = ()
